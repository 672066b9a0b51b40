//! The library's front door: migrate one tenant, or all of them, with one call.

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::code::Code;
use crate::direction::Direction;
use crate::fleet::{Fleet, FleetError, Request, Selected, Tiers};
use crate::registry::RegistryError;
use crate::run::{Control, Failure, RunEvent, RunReport, TargetReport};
use crate::selection::Selection;
use crate::target::TrackName;
use crate::tenant::{ProductType, Tenant};

/// A migration of one target failed, or a run could not be carried on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// There is no such tenant.
    #[error("Tenant not found: {id}")]
    TenantNotFound {
        /// The id or slug as given.
        id: String,
        /// Slugs that may have been meant.
        nearest: Vec<String>,
    },
    /// The tenant has no database on that track.
    #[error("Tenant database not provisioned: {id}")]
    NotProvisioned {
        /// The tenant's id.
        id: String,
    },
    /// The migration failed; what is true now is in the failure.
    #[error("Migration failed: {}", .0.what)]
    Failed(Arc<Failure>),
    /// The run could not be carried on at all.
    #[error(transparent)]
    Fleet(FleetError),
}

impl MigrateError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::TenantNotFound { .. } => Code(6002),
            Self::NotProvisioned { .. } => Code(6013),
            Self::Failed(failure) => failure.code,
            Self::Fleet(error) => error.code(),
        }
    }
}

impl From<FleetError> for MigrateError {
    fn from(error: FleetError) -> Self {
        match error {
            FleetError::Registry(RegistryError::TenantNotFound { given, nearest }) => {
                Self::TenantNotFound { id: given, nearest }
            }
            other @ (FleetError::Registry(_)
            | FleetError::NotBegun(_)
            | FleetError::Broken(_)
            | FleetError::Held(_)
            | FleetError::Waits { .. }
            | FleetError::Left { .. }
            | FleetError::Abandoned { .. }
            | FleetError::Replanned { .. }
            | FleetError::NobodyInWave(_)
            | FleetError::Files(_)
            | FleetError::UnknownVersion { .. }
            | FleetError::UnknownProduct { .. }
            | FleetError::Central(_)
            | FleetError::Create(_)
            | FleetError::Schema(_)) => Self::Fleet(other),
        }
    }
}

impl From<RegistryError> for MigrateError {
    fn from(error: RegistryError) -> Self {
        Self::from(FleetError::Registry(error))
    }
}

/// Migrates the tenants' shared databases.
#[derive(Clone, Debug)]
pub struct TenantMigrator {
    fleet: Fleet,
}

impl TenantMigrator {
    /// Makes a migrator over a fleet.
    pub fn new(fleet: Fleet) -> Self {
        Self { fleet }
    }

    /// Migrates every active tenant, `concurrency` at a time; one tenant's failure never touches another.
    pub async fn migrate_all(&self, concurrency: usize) -> Result<RunReport, MigrateError> {
        tracing::info!("Starting migration for all tenant databases");
        let selected = self.fleet.select(&Selection::default(), Tiers::Tenant).await?;
        tracing::info!("Found {} active tenants to migrate", selected.jobs.len());
        migrate_all(&self.fleet, selected, concurrency, "migrate_all").await
    }

    /// Migrates one tenant, by slug, id or external id. The report says `current` if there was nothing to do.
    pub async fn migrate_one(&self, tenant: &str) -> Result<TargetReport, MigrateError> {
        let selected = select_one(&self.fleet, tenant, None).await?;
        migrate_one(&self.fleet, selected, tenant).await
    }

    /// Returns whether a tenant's shared database has pending migrations. Asks the database; writes nothing.
    pub async fn needs_migration(&self, tenant: &str) -> Result<bool, MigrateError> {
        needs_migration(&self.fleet, &select_one(&self.fleet, tenant, None).await?, tenant).await
    }
}

/// One product database, as callers name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantProduct {
    /// The tenant's slug, id or external id.
    pub tenant: String,
    /// The product.
    pub product: ProductType,
}

/// Migrates the tenants' product databases.
#[derive(Clone, Debug)]
pub struct ProductMigrator {
    fleet: Fleet,
}

impl ProductMigrator {
    /// Makes a migrator over a fleet.
    pub fn new(fleet: Fleet) -> Self {
        Self { fleet }
    }

    /// Migrates every product database of active tenants, `concurrency` at a time.
    pub async fn migrate_all(&self, concurrency: usize) -> Result<RunReport, MigrateError> {
        let selected = self.fleet.select(&Selection::default(), Tiers::Products).await?;
        migrate_all(&self.fleet, selected, concurrency, "products migrate_all").await
    }

    /// Migrates every database of one product, `concurrency` at a time.
    pub async fn migrate_by_product(
        &self,
        product: &ProductType,
        concurrency: usize,
    ) -> Result<RunReport, MigrateError> {
        let selection = Selection {
            products: vec![product.clone()],
            ..Selection::default()
        };
        let selected = self.fleet.select(&selection, Tiers::Products).await?;
        migrate_all(&self.fleet, selected, concurrency, "migrate_by_product").await
    }

    /// Migrates one product database.
    pub async fn migrate_one(&self, one: &TenantProduct) -> Result<TargetReport, MigrateError> {
        let selected = select_one(&self.fleet, &one.tenant, Some(&one.product)).await?;
        migrate_one(&self.fleet, selected, &one.tenant).await
    }

    /// Returns whether a product database has pending migrations. Asks the database; writes nothing.
    pub async fn needs_migration(&self, one: &TenantProduct) -> Result<bool, MigrateError> {
        let selected = select_one(&self.fleet, &one.tenant, Some(&one.product)).await?;
        needs_migration(&self.fleet, &selected, &one.tenant).await
    }
}

/// Selects the one database of a tenant on the shared track or on a product's.
async fn select_one(
    fleet: &Fleet,
    tenant: &str,
    product: Option<&ProductType>,
) -> Result<Selected, MigrateError> {
    let found: Tenant = fleet.registry.find_tenant(tenant).await?;
    let selection = Selection {
        products: product.into_iter().cloned().collect(),
        ..Selection::of(&found)
    };
    let tiers = if product.is_some() {
        Tiers::Products
    } else {
        Tiers::Tenant
    };
    let mut selected = fleet.select(&selection, tiers).await?;
    let wanted = product.map_or(TrackName::Tenant, |product| TrackName::Product(product.clone()));
    selected.retain(|job| job.target.track == wanted);
    if selected.jobs.is_empty() {
        let failure = selected.left_out.into_iter().find_map(|report| report.failure);
        return Err(match failure {
            Some(failure) if failure.code != Code(6013) => MigrateError::Failed(failure),
            Some(_) | None => MigrateError::NotProvisioned {
                id: found.id.to_string(),
            },
        });
    }
    Ok(selected)
}

fn request(command: &str) -> Request {
    Request {
        command: command.to_owned(),
        actor: "library".to_owned(),
        direction: Direction::Up,
        reason: None,
        reverts: None,
        continues: None,
    }
}

async fn migrate_all(
    fleet: &Fleet,
    selected: Selected,
    concurrency: usize,
    command: &str,
) -> Result<RunReport, MigrateError> {
    let mut fleet = fleet.clone();
    fleet.options.concurrency = Some(concurrency.max(1));
    let report = execute(&fleet, selected, command).await?;
    tracing::info!(
        "Migration complete: {} succeeded, {} failed",
        report.success().count(),
        report.failed().count()
    );
    Ok(report)
}

async fn migrate_one(fleet: &Fleet, selected: Selected, tenant: &str) -> Result<TargetReport, MigrateError> {
    let report = execute(fleet, selected, "migrate_one").await?;
    let Some(target) = report.targets.into_iter().next() else {
        return Err(MigrateError::NotProvisioned {
            id: tenant.to_owned(),
        });
    };
    match target.failure {
        Some(failure) => Err(MigrateError::Failed(failure)),
        None => Ok(target),
    }
}

async fn execute(fleet: &Fleet, selected: Selected, command: &str) -> Result<RunReport, MigrateError> {
    let (events, heard) = unbounded_channel();
    let control = Control::default();
    let asked = request(command);
    let (report, ()) = tokio::join!(fleet.execute(selected, &asked, &control, events), log(heard));
    Ok(report?)
}

/// Logs what became of each tenant, in the words that users of the platforms we replace look for.
async fn log(mut events: UnboundedReceiver<RunEvent>) {
    while let Some(event) = events.recv().await {
        let RunEvent::TargetFinished(report) = event else {
            continue;
        };
        let name = report
            .owner
            .as_ref()
            .map_or("central", |owner| owner.name.as_str());
        let id = report.owner.as_ref().map_or("", |owner| owner.id.as_str());
        match &report.failure {
            None => tracing::info!("Migrated tenant: {name} ({id})"),
            Some(failure) => {
                tracing::error!(code = %failure.code, "Failed to migrate tenant: {name} ({id}): {}", failure.what);
            }
        }
    }
}

async fn needs_migration(fleet: &Fleet, selected: &Selected, tenant: &str) -> Result<bool, MigrateError> {
    match fleet
        .preview(selected, &Control::default())
        .await
        .into_iter()
        .next()
    {
        Some(preview) => match preview.planned {
            Ok((plan, _)) => Ok(!plan.steps.is_empty()),
            Err(failure) => Err(MigrateError::Failed(Arc::new(failure))),
        },
        None => Err(MigrateError::NotProvisioned {
            id: tenant.to_owned(),
        }),
    }
}
