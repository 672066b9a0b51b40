//! Creates tenants and their databases: steps that can each be repeated, so that the same call continues
//! what was begun.

mod database;
mod error;
mod lifecycle;
mod naming;
mod password;
mod place;
mod removal;
mod rotation;
mod storage;
#[cfg(test)]
mod tests;
mod watch;

pub use error::ProvisionError;
pub use lifecycle::{Turn, Turned};
pub(crate) use naming::is_reserved;
pub use naming::{Naming, NamingError};
use place::Part;
pub use place::administration;
pub use removal::{Gone, Purged};
pub use rotation::RotationError;
pub use storage::StoragePath;
pub use watch::{ProvisionEvent, Watch};

use crate::engine::Recorded;
use crate::faults::{Point, point};
use crate::fleet::Fleet;
use crate::registry;
use crate::run::Tracks;
use crate::tenant::{ProductType, ServerName, Tenant, TenantStatus};

/// A tenant to create.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// What the registry keeps of it.
    pub tenant: registry::NewTenant,
    /// The server its databases shall stand on; `None` chooses the one with the fewest databases in the
    /// tenant's jurisdiction.
    pub server: Option<ServerName>,
    /// The products it has from the beginning.
    pub products: Vec<ProductType>,
}

/// One database that was provisioned.
#[derive(Clone, Debug)]
pub struct Provisioned {
    /// Its name.
    pub database: String,
    /// Where it stands.
    pub server: ServerName,
    /// Its product; `None` for the shared one.
    pub product: Option<ProductType>,
    /// The migrations it took, in order.
    pub migrations: Vec<Recorded>,
    /// Whether it was ready before; then it only took what was pending.
    pub was_there: bool,
}

/// Creates tenants.
#[derive(Clone, Debug)]
pub struct Tenants {
    fleet: Fleet,
    naming: Naming,
    watch: Watch,
}

/// Provisions products for tenants.
#[derive(Clone, Debug)]
pub struct Products(Tenants);

impl Products {
    /// Makes a provisioner over a fleet.
    pub fn new(fleet: Fleet, naming: Naming) -> Self {
        Self(Tenants::new(fleet, naming))
    }

    /// Tells what happens, and can be stopped.
    #[must_use]
    pub fn watched(self, watch: Watch) -> Self {
        Self(self.0.watched(watch))
    }

    /// Gives a tenant, by slug, id or external id, the database of a product and migrates it. Repeating it is
    /// harmless. The product of a tenant whose own creation has not ended is made by
    /// [`Tenants::create`]: [`ProvisionError::Unfinished`].
    pub async fn provision(
        &self,
        tenant: &str,
        product: &ProductType,
    ) -> Result<Provisioned, ProvisionError> {
        let tenant = self.0.fleet.registry.find_tenant(tenant).await?;
        self.0.fleet.check_product(product)?;
        if tenant.status == TenantStatus::Provisioning {
            return Err(ProvisionError::Unfinished {
                tenant: Box::new(tenant),
                product: product.clone(),
            });
        }
        self.0.refuse_leaving(&tenant, product).await?;
        let part = self.0.part_of(&tenant, product).await?;
        let tracks = self.0.tracks(std::slice::from_ref(&part))?;
        let (database, server) = self.0.reserve(&tenant, part).await?;
        self.0.finish(&tenant, &database, &server, &tracks).await
    }
}

impl Tenants {
    /// Makes a creator of tenants over a fleet.
    pub fn new(fleet: Fleet, naming: Naming) -> Self {
        Self {
            fleet,
            naming,
            watch: Watch::default(),
        }
    }

    /// Tells what happens, and can be stopped.
    #[must_use]
    pub fn watched(self, watch: Watch) -> Self {
        Self { watch, ..self }
    }

    /// Returns the fleet that it works on.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Creates a tenant with its shared database and its products, migrated, and sets it active.
    ///
    /// A tenant that is still being provisioned is continued: what is there already is not made again. What
    /// is said of it now is taken over ([`registry::Registry::create_tenant`]), and products that it was begun
    /// with are finished although they are not named again. But where its databases stand
    /// cannot change once there are any: another jurisdiction or server is [`RegistryError::Begun`].
    ///
    /// [`RegistryError::Begun`]: registry::RegistryError::Begun
    pub async fn create(&self, new: &NewTenant) -> Result<(Tenant, Vec<Provisioned>), ProvisionError> {
        // All that can be refused is refused before the tenant is written.
        let parts = self.place(new).await?;
        for product in parts.iter().filter_map(|part| part.product.as_ref()) {
            self.fleet.check_product(product)?;
        }
        self.check_names(&new.tenant, &parts).await?;
        let tracks = self.tracks(&parts)?;
        let tenant = self.fleet.registry.create_tenant(&new.tenant).await?;
        point(Point::LifeTenantWritten);
        // All names are reserved before anything is made: so the registry knows what a creation that goes on
        // was told the first time.
        let mut reserved = Vec::new();
        for part in parts {
            let is_shared = part.product.is_none();
            let one = self.reserve(&tenant, part).await;
            let (one, server) = one.map_err(ProvisionError::half_way)?;
            // Somebody else may have begun the same tenant elsewhere since the server was chosen.
            if let Some(named) = new
                .server
                .as_ref()
                .filter(|named| is_shared && **named != one.server)
            {
                return Err(place::begun_elsewhere(&tenant.slug, &one.server, named));
            }
            reserved.push((one, server));
        }
        point(Point::LifeReserved);
        let mut made = Vec::new();
        for (database, server) in &reserved {
            made.push(self.finish(&tenant, database, server, &tracks).await?);
        }
        let activated = self.fleet.registry.activate_tenant(&tenant.id).await;
        activated.map_err(ProvisionError::HalfWay)?;
        point(Point::LifeActive);
        // Somebody else may have gone on with it and said something else of it.
        let tenant = self.fleet.registry.find_tenant(tenant.id.as_str()).await;
        Ok((tenant.map_err(ProvisionError::HalfWay)?, made))
    }

    /// Reads the tracks of the databases that are to be made: files that must not run are refused before
    /// anything is written.
    fn tracks(&self, parts: &[Part]) -> Result<Tracks, ProvisionError> {
        let mut tracks = Tracks::default();
        for part in parts {
            self.fleet.track(&mut tracks, &part.track(), part.server.engine)?;
        }
        Ok(tracks)
    }
}
