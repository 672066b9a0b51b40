//! Watching a creation and stopping it: what it tells, and the handle that ends it between two steps.

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::{ProvisionError, Tenants};
use crate::migration::Warning;
use crate::run::{Control, RunEvent, Stop};
use crate::server::Server;
use crate::tenant::{ProductType, ServerName, Tenant};

/// Something happened in a creation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ProvisionEvent {
    /// A database is made on its server, or what is there of it is continued.
    Creating {
        /// The database.
        database: String,
        /// Where it is made.
        server: ServerName,
    },
    /// These files are about to run and may not do what their author thinks.
    Warned(Vec<Warning>),
    /// What the run that migrates the database tells.
    Run(RunEvent),
}

/// Follows creations and stops them. By default nobody listens and nothing is stopped.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Stops a creation: with [`Stop::Drain`] after the step that runs, with [`Stop::Cancel`] at once. The
    /// same call continues it.
    pub control: Control,
    /// Gets the events; nothing is stopped by a listener that went away.
    pub events: UnboundedSender<ProvisionEvent>,
}

impl Default for Watch {
    fn default() -> Self {
        let (events, _nobody) = unbounded_channel();
        Self {
            control: Control::default(),
            events,
        }
    }
}

impl Watch {
    /// Tells of warnings, if there are any.
    pub(super) fn warn(&self, warnings: Vec<Warning>) {
        if !warnings.is_empty() {
            self.tell(ProvisionEvent::Warned(warnings));
        }
    }

    pub(super) fn tell(&self, event: ProvisionEvent) {
        // A listener that went away has nobody to tell.
        let _heard = self.events.send(event).is_ok();
    }
}

impl Tenants {
    /// Fails if the creation was asked to stop.
    pub(super) fn go_on(&self, tenant: &Tenant, product: Option<&ProductType>) -> Result<(), ProvisionError> {
        match self.watch.control.requested() {
            Stop::No => Ok(()),
            Stop::Drain | Stop::Cancel => Err(stopped(tenant, product)),
        }
    }

    /// Waits for work on a server, unless it is to be left at once: what the server does of it then is found
    /// by the next call.
    pub(super) async fn unless_cancelled<T>(
        &self,
        (tenant, product): (&Tenant, Option<&ProductType>),
        work: impl Future<Output = Result<T, ProvisionError>>,
    ) -> Result<T, ProvisionError> {
        tokio::select! {
            done = work => done,
            () = self.watch.control.reached(Stop::Cancel) => Err(stopped(tenant, product)),
        }
    }

    pub(super) fn tell_creating(&self, database: &str, server: &Server) {
        self.watch.tell(ProvisionEvent::Creating {
            database: database.to_owned(),
            server: server.name.clone(),
        });
    }
}

pub(super) fn stopped(tenant: &Tenant, product: Option<&ProductType>) -> ProvisionError {
    ProvisionError::Stopped {
        slug: tenant.slug.clone(),
        product: product.cloned(),
    }
}
