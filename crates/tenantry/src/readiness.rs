//! Whether a tenant is ready for an application: by the registry and the application's own migrations, without asking the
//! tenant's database.

use std::sync::{Mutex, PoisonError};

use crate::engine::Engine;
use crate::fleet::{Fleet, FleetError};
use crate::migration::Version;
use crate::migrator::MigrateError;
use crate::registry::{DatabaseStatus, ListedDatabase, RegistryError};
use crate::run::{Outcome, Tracks};
use crate::target::TrackName;
use crate::tenant::{ProductType, Tenant, TenantStatus};

/// How a tenant's databases stand to the migrations that an application was built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Readiness {
    /// They have them, and no newer ones.
    Current,
    /// They have newer ones that the application does not know; it has to cope, or be replaced.
    Ahead,
    /// Some are missing: the application must not use them yet.
    Pending,
}

impl Readiness {
    /// Returns the word used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Ahead => "ahead",
            Self::Pending => "pending",
        }
    }

    /// Decides by the newest version of a database and of the files.
    fn of(version: Option<Version>, outcome: Option<Outcome>, head: Option<Version>) -> Self {
        if version > head || outcome == Some(Outcome::Ahead) {
            Self::Ahead
        } else if version < head {
            Self::Pending
        } else {
            Self::Current
        }
    }
}

/// Answers whether tenants are ready. Files are read at the first question about their track, and never again: an
/// application does not change while it runs.
#[derive(Debug)]
pub struct ReadinessCheck {
    fleet: Fleet,
    tracks: Mutex<Tracks>,
}

impl ReadinessCheck {
    /// Makes one over a fleet whose folders are the application's own; reads nothing yet.
    pub fn new(fleet: Fleet) -> Self {
        Self {
            fleet,
            tracks: Mutex::default(),
        }
    }

    /// Returns how a tenant's shared database stands and, if one is named, that of a product as well: the worse of the two.
    ///
    /// Asks the registry alone, so that it is as old as the last run or look; a run that is under way counts when it has
    /// ended. Connects to no tenant, takes no lock and writes nothing.
    ///
    /// # Errors
    /// [`MigrateError::TenantNotFound`]; [`MigrateError::NotProvisioned`] if a database of these is not ready yet;
    /// [`RegistryError::TenantIs`] if the tenant is not active.
    pub async fn of(&self, tenant: &str, product: Option<&ProductType>) -> Result<Readiness, MigrateError> {
        let registry = &self.fleet.registry;
        let tenant = registry.find_tenant(tenant).await?;
        registry.check_bound(&format!("`{}`", tenant.slug), &tenant.jurisdiction)?;
        match tenant.status {
            TenantStatus::Active => {}
            TenantStatus::Provisioning => return Err(not_provisioned(&tenant)),
            TenantStatus::Suspended | TenantStatus::Deleting => {
                return Err(MigrateError::from(RegistryError::TenantIs {
                    slug: tenant.slug,
                    status: tenant.status,
                }));
            }
        }
        let servers = registry.servers().await?;
        let databases = registry.listed_databases_of(&tenant.id).await?;
        let mut worst = Readiness::Current;
        for wanted in std::iter::once(None).chain(product.map(Some)) {
            let found = databases.iter().find(|one| one.product.as_ref() == wanted);
            let ready = found.filter(|one| one.status == DatabaseStatus::Ready);
            let database = ready.ok_or_else(|| not_provisioned(&tenant))?;
            let server = servers.iter().find(|server| server.name == database.server);
            let server = server.ok_or_else(|| not_provisioned(&tenant))?;
            worst = worst.max(self.of_database(database, server.engine)?);
        }
        Ok(worst)
    }

    fn of_database(&self, database: &ListedDatabase, engine: Engine) -> Result<Readiness, FleetError> {
        let product = database.product.clone();
        let name = product.map_or(TrackName::Tenant, TrackName::Product);
        let mut tracks = self.tracks.lock().unwrap_or_else(PoisonError::into_inner);
        let head = self.fleet.track(&mut tracks, &name, engine)?.head();
        Ok(Readiness::of(database.version, database.outcome, head))
    }
}

fn not_provisioned(tenant: &Tenant) -> MigrateError {
    MigrateError::NotProvisioned {
        id: tenant.id.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_newer_version_is_ahead_and_not_behind() {
        let at = |text: &str| text.parse::<Version>().ok();
        for (version, outcome, head, expected) in [
            (at("2"), None, at("2"), Readiness::Current),
            (at("1"), Some(Outcome::Failed), at("2"), Readiness::Pending),
            (None, None, at("2"), Readiness::Pending),
            (None, None, None, Readiness::Current),
            (at("3"), Some(Outcome::Applied), at("2"), Readiness::Ahead),
            (at("2"), Some(Outcome::Ahead), at("2"), Readiness::Ahead),
            (at("2"), Some(Outcome::Unreachable), at("2"), Readiness::Current),
        ] {
            let found = Readiness::of(version, outcome, head);
            assert_eq!(found, expected, "{version:?} {outcome:?} {head:?}");
        }
        assert_eq!(Readiness::Pending.max(Readiness::Ahead), Readiness::Pending);
    }
}
