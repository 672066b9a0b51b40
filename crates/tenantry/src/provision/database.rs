//! One database of a tenant, from a reserved name to a migrated database that is ready.

use tokio::sync::mpsc::unbounded_channel;

use super::place::Part;
use super::watch::stopped;
use super::{ProvisionError, ProvisionEvent, Provisioned, Tenants, administration, password};
use crate::code::Code;
use crate::direction::Direction;
use crate::engine::{self, Address, Login, NewDatabase};
use crate::faults::{Point, point};
use crate::fleet::{Request, Selected};
use crate::registry::{self, Database, DatabaseStatus, RegistryError};
use crate::run::{Failure, Job, Outcome, RunReport, Stop, TargetReport, Tracks};
use crate::server::Server;
use crate::target::{Owner, Target, TrackName};
use crate::tenant::Tenant;

impl Tenants {
    /// Reserves one database in the registry, so that nobody else can get the name while we fail half-way; returns it with
    /// its server. One that was reserved earlier is returned as it is. If its server has been filled up since it was chosen,
    /// another one is chosen, unless it was named.
    pub(super) async fn reserve(
        &self,
        tenant: &Tenant,
        part: Part,
    ) -> Result<(Database, Server), ProvisionError> {
        let mut part = part;
        loop {
            match self.reserve_on(tenant, &part).await {
                Err(full @ ProvisionError::Registry(RegistryError::NoRoom { .. })) if part.is_free => {
                    let owner = (&tenant.slug, &tenant.jurisdiction);
                    // It ends: one that has room is chosen, or there is none.
                    match self.free(part.product.as_ref(), owner).await {
                        Ok(next) => part = next,
                        // The tenant is written by now: that nothing was created would be wrong.
                        Err(ProvisionError::NoRoom { .. }) => return Err(full),
                        Err(error) => return Err(error),
                    }
                }
                Err(error) => return Err(error),
                Ok(database) => return Ok((database, part.server)),
            }
        }
    }

    async fn reserve_on(&self, tenant: &Tenant, part: &Part) -> Result<Database, ProvisionError> {
        let owner = (&tenant.id, &tenant.slug);
        let names = self
            .naming
            .names(part.server.engine, owner, part.product.as_ref())?;
        let login = match names.user {
            Some(user) => Some(Login {
                user,
                password: password::generate().map_err(ProvisionError::Random)?,
            }),
            None => None,
        };
        let reserved = registry::NewDatabase {
            tenant_id: tenant.id.clone(),
            product: part.product.clone(),
            server: part.server.name.clone(),
            name: names.database,
            login,
            storage_path: self
                .naming
                .storage
                .as_ref()
                .map(|path| path.of(tenant, part.product.as_ref())),
        };
        Ok(self.fleet.registry.reserve_database(&reserved).await?)
    }

    /// Creates and migrates a reserved database, and marks it ready.
    pub(super) async fn finish(
        &self,
        tenant: &Tenant,
        database: &Database,
        server: &Server,
        tracks: &Tracks,
    ) -> Result<Provisioned, ProvisionError> {
        self.go_on(tenant, database.product.as_ref())?;
        let finished = self.make(tenant, database, server, tracks).await;
        finished.map_err(ProvisionError::half_way)
    }

    async fn make(
        &self,
        tenant: &Tenant,
        database: &Database,
        server: &Server,
        tracks: &Tracks,
    ) -> Result<Provisioned, ProvisionError> {
        let registry = &self.fleet.registry;
        // Somebody else may have reserved it elsewhere since the server was chosen.
        let found;
        let server = if database.server == server.name {
            server
        } else {
            found = registry.find_server(database.server.as_str()).await?;
            &found
        };
        let product = database.product.as_ref();
        if database.status == DatabaseStatus::Creating {
            self.tell_creating(database.address.database(), server);
            let creating = self.create_database(tenant, server, database);
            self.unless_cancelled((tenant, product), creating).await?;
            point(Point::LifeDatabaseCreated);
            self.go_on(tenant, product)?;
        }
        let report = self.migrate(tenant, database, tracks).await?;
        point(Point::LifeMigrated);
        if database.status == DatabaseStatus::Creating {
            registry.mark_ready(&database.id, report.to).await?;
            point(Point::LifeReady);
        }
        Ok(Provisioned {
            database: database.address.database().to_owned(),
            server: server.name.clone(),
            product: database.product.clone(),
            migrations: report.migrations,
            was_there: database.status == DatabaseStatus::Ready,
        })
    }

    async fn create_database(
        &self,
        tenant: &Tenant,
        server: &Server,
        database: &Database,
    ) -> Result<(), ProvisionError> {
        let login = match &database.address {
            Address::Network(network) => Some(network.login.clone()),
            Address::Sqlite(_) => None,
        };
        let new = NewDatabase {
            name: database.address.database().to_owned(),
            login,
            database_id: database.id.clone(),
            tenant_id: tenant.id.to_string(),
            registry_id: self.fleet.registry.registry_id().to_owned(),
        };
        engine::create_database(&administration(server), &new)
            .await
            .map_err(|source| ProvisionError::Create {
                database: new.name.clone(),
                server: server.name.clone(),
                source,
            })
    }

    /// Migrates the new database in a run of its own, which the registry records.
    async fn migrate(
        &self,
        tenant: &Tenant,
        database: &Database,
        tracks: &Tracks,
    ) -> Result<TargetReport, ProvisionError> {
        let owner = Owner {
            id: tenant.id.clone(),
            slug: tenant.slug.clone(),
            name: tenant.name.clone(),
        };
        let target = Target {
            database_id: database.id.clone(),
            registry_id: self.fleet.registry.registry_id().into(),
            track: database
                .product
                .clone()
                .map_or(TrackName::Tenant, TrackName::Product),
            owner: Some(owner.into()),
            server: Some(database.server.clone()),
            jurisdiction: Some(tenant.jurisdiction.clone()),
            max_parallel: None,
            known_version: database.version,
            known_outcome: None,
            address: database.address.clone(),
        };
        let label = target.label();
        let mut selected = Selected {
            tracks: tracks.clone(),
            ..Selected::default()
        };
        let job: Job = self.fleet.job(&mut selected, target)?;
        selected.jobs.push(job);
        let request = Request {
            command: format!("{}{label}", registry::PROVISION),
            actor: "provision".to_owned(),
            direction: Direction::Up,
            reason: None,
            reverts: None,
            continues: None,
        };
        let report = self.run(selected, &request).await?;
        let Some(target) = report.targets.into_iter().next() else {
            return Err(ProvisionError::Registry(RegistryError::DatabaseNotFound {
                id: database.id.clone(),
            }));
        };
        let cancelled = |failure: &Failure| {
            failure.code == Code(4006) && matches!(target.outcome, Outcome::Cancelled | Outcome::Interrupted)
        };
        match target.failure.clone() {
            None if target.outcome == Outcome::NotRun => Err(stopped(tenant, database.product.as_ref())),
            Some(failure) if cancelled(&failure) && self.watch.control.requested() == Stop::Cancel => {
                Err(stopped(tenant, database.product.as_ref()))
            }
            Some(failure) => Err(ProvisionError::Migrate {
                target: Box::new(target),
                failure,
            }),
            None => Ok(target),
        }
    }

    /// Carries the run out and tells on what it tells.
    async fn run(&self, selected: Selected, request: &Request) -> Result<RunReport, ProvisionError> {
        self.watch.warn(selected.warnings());
        let (events, mut heard) = unbounded_channel();
        let telling = async {
            while let Some(event) = heard.recv().await {
                self.watch.tell(ProvisionEvent::Run(event));
            }
        };
        let running = self.fleet.execute(selected, request, &self.watch.control, events);
        let (report, ()) = tokio::join!(running, telling);
        Ok(report?)
    }
}
