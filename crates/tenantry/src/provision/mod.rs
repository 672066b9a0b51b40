//! Creates tenants and their databases: steps that can each be repeated, so that the same call continues
//! what was begun.

mod database;
mod error;
mod naming;
mod password;
mod place;
#[cfg(test)]
mod tests;
mod watch;

pub use error::ProvisionError;
pub use naming::{Naming, NamingError};
pub use place::administration;
pub use watch::{ProvisionEvent, Watch};

use crate::engine::Recorded;
use crate::fleet::Fleet;
use crate::registry;
use crate::run::Tracks;
use crate::server::Server;
use crate::target::TrackName;
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
        let databases = self.0.fleet.registry.databases_of(&tenant.id).await?;
        let beside = databases.first().map(|database| database.server.clone());
        let server = self
            .0
            .server((&tenant.slug, &tenant.jurisdiction), beside.as_ref())
            .await?;
        let tracks = self.0.tracks(&server, [Some(product)])?;
        let database = self.0.reserve((&tenant, Some(product)), &server).await?;
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
        let (server, products) = self.place(new).await?;
        let parts = || std::iter::once(None).chain(products.iter().map(Some));
        for product in &products {
            self.fleet.check_product(product)?;
        }
        self.check_names(&new.tenant, &server, parts()).await?;
        let tracks = self.tracks(&server, parts())?;
        let tenant = self.fleet.registry.create_tenant(&new.tenant).await?;
        // All names are reserved before anything is made: so the registry knows what a creation that goes on
        // was told the first time.
        let mut reserved = Vec::new();
        for product in parts() {
            let one = self.reserve((&tenant, product), &server).await;
            let one = one.map_err(ProvisionError::half_way)?;
            // Somebody else may have begun the same tenant elsewhere since the server was chosen.
            if let Some(named) = new.server.as_ref().filter(|named| **named != one.server) {
                return Err(place::begun_elsewhere(&tenant.slug, &one.server, named));
            }
            reserved.push(one);
        }
        let mut made = Vec::new();
        for database in &reserved {
            made.push(self.finish(&tenant, database, &server, &tracks).await?);
        }
        let activated = self.fleet.registry.activate_tenant(&tenant.id).await;
        activated.map_err(ProvisionError::HalfWay)?;
        // Somebody else may have gone on with it and said something else of it.
        let tenant = self.fleet.registry.find_tenant(tenant.id.as_str()).await;
        Ok((tenant.map_err(ProvisionError::HalfWay)?, made))
    }

    /// Reads the tracks of the databases that are to be made: files that must not run are refused before
    /// anything is written.
    fn tracks<'a>(
        &self,
        server: &Server,
        parts: impl IntoIterator<Item = Option<&'a ProductType>>,
    ) -> Result<Tracks, ProvisionError> {
        let mut tracks = Tracks::default();
        for product in parts {
            let name = product.cloned().map_or(TrackName::Tenant, TrackName::Product);
            self.fleet.track(&mut tracks, &name, server.engine)?;
        }
        Ok(tracks)
    }
}
