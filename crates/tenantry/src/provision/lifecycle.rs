//! A tenant's later life: offline and back, to be deleted and restored. Dropping is `removal.rs`.

use super::{Tenants, administration};
use crate::engine::{self, Access, Address, AdministerError, Existing};
use crate::faults::{Point, point};
use crate::registry::{Database, DatabaseStatus, Deletion, RegistryError};
use crate::run::Driver;
use crate::target::TrackName;
use crate::tenant::{ProductType, ServerName, Tenant, TenantStatus};

/// What became of the way into one database.
#[derive(Debug)]
pub struct Turned {
    /// The tenant's slug, and the product.
    pub label: String,
    /// Its name on the server.
    pub database: String,
    /// Where it stands.
    pub server: ServerName,
    /// How it went.
    pub turn: Turn,
}

/// Whether a database's role could be kept out or let in.
#[derive(Debug)]
pub enum Turn {
    /// It was.
    Done,
    /// It is a file: whoever uses it has to ask the registry.
    File,
    /// So many other databases are reached as the same user: the way in stays as it is.
    Shared(u64),
    /// The server did not do it; the same call tries again.
    Failed(AdministerError),
}

impl Turn {
    /// Returns why the way in stays as it was, in words; `None` if it does not.
    pub fn stays(&self) -> Option<String> {
        match self {
            Self::Done => None,
            Self::File => Some("it is a file, and nobody can be kept out of it".to_owned()),
            Self::Shared(others) => Some(format!("{others} more are reached as the same user")),
            Self::Failed(error) => Some(with_causes(error)),
        }
    }
}

impl Tenants {
    /// Takes a tenant out of use: runs skip it, its roles cannot log in any more, and their sessions are ended. A second
    /// call tries again what a server did not do.
    ///
    /// # Errors
    /// [`RegistryError::TenantIs`] if it is neither active nor suspended.
    pub async fn suspend(&self, tenant: &Tenant) -> Result<Vec<Turned>, RegistryError> {
        self.in_bounds(tenant)?;
        let databases = self.databases(tenant, None).await?;
        self.fleet.registry.suspend_tenant(tenant).await?;
        self.turn(tenant, databases, Access::Closed).await
    }

    /// Puts a suspended tenant in use again: its roles may log in, and runs see it. Where a server does not let them in,
    /// it stays suspended, and a further call tries again.
    ///
    /// # Errors
    /// As [`Self::suspend`].
    pub async fn activate(&self, tenant: &Tenant) -> Result<Vec<Turned>, RegistryError> {
        self.in_bounds(tenant)?;
        match tenant.status {
            TenantStatus::Active | TenantStatus::Suspended => {}
            TenantStatus::Provisioning | TenantStatus::Deleting => {
                return Err(RegistryError::TenantIs {
                    slug: tenant.slug.clone(),
                    status: tenant.status,
                });
            }
        }
        let databases = self.databases(tenant, None).await?;
        let turned = self.turn(tenant, databases, Access::Open).await?;
        if !turned.iter().any(|one| matches!(one.turn, Turn::Failed(_))) {
            self.fleet.registry.resume_tenant(tenant).await?;
        }
        Ok(turned)
    }

    /// Decides that a tenant is to be deleted `grace` microseconds from now, and takes it out of use at once. A further call
    /// tries again what a server did not do, and can only make the grace shorter.
    ///
    /// # Errors
    /// [`RegistryError::UnderWay`] while a run works on it.
    pub async fn delete(
        &self,
        tenant: &Tenant,
        grace: i64,
    ) -> Result<(Deletion, Vec<Turned>), RegistryError> {
        self.in_bounds(tenant)?;
        let databases = self.databases(tenant, None).await?;
        let registry = &self.fleet.registry;
        let decided = registry.delete_tenant(tenant, grace, &Driver::this()).await?;
        point(Point::LifeDeletionDecided);
        Ok((decided, self.turn(tenant, databases, Access::Closed).await?))
    }

    /// Takes that decision back; the tenant is what it was, and only one that was in use is let in again.
    ///
    /// # Errors
    /// [`RegistryError::TenantIs`] if it is not to be deleted.
    pub async fn restore(&self, tenant: &Tenant) -> Result<(TenantStatus, Vec<Turned>), RegistryError> {
        self.in_bounds(tenant)?;
        let databases = self.databases(tenant, None).await?;
        let status = self.fleet.registry.restore_tenant(tenant).await?;
        let turned = match status {
            TenantStatus::Active | TenantStatus::Provisioning => {
                self.turn(tenant, databases, Access::Open).await?
            }
            TenantStatus::Suspended | TenantStatus::Deleting => Vec::new(),
        };
        Ok((status, turned))
    }

    /// Decides that a tenant is to lose a product, as [`Self::delete`] does for all its databases.
    ///
    /// # Errors
    /// [`RegistryError::NoProduct`] if it has none of that type.
    pub async fn delete_product(
        &self,
        (tenant, product): (&Tenant, &ProductType),
        grace: i64,
    ) -> Result<(Deletion, Vec<Turned>), RegistryError> {
        self.in_bounds(tenant)?;
        let databases = self.databases(tenant, Some(product)).await?;
        let registry = &self.fleet.registry;
        let decided = registry
            .delete_product((tenant, product), grace, &Driver::this())
            .await?;
        Ok((decided, self.turn(tenant, databases, Access::Closed).await?))
    }

    /// Takes that decision back.
    ///
    /// # Errors
    /// As [`Self::delete_product`].
    pub async fn restore_product(
        &self,
        tenant: &Tenant,
        product: &ProductType,
    ) -> Result<Vec<Turned>, RegistryError> {
        self.in_bounds(tenant)?;
        let databases = self.databases(tenant, Some(product)).await?;
        self.fleet.registry.restore_product(tenant, product).await?;
        match tenant.status {
            TenantStatus::Active | TenantStatus::Provisioning => {
                self.turn(tenant, databases, Access::Open).await
            }
            TenantStatus::Suspended | TenantStatus::Deleting => Ok(Vec::new()),
        }
    }

    /// Refuses a tenant whose servers must not be opened from here, before anything of it is changed.
    pub(super) fn in_bounds(&self, tenant: &Tenant) -> Result<(), RegistryError> {
        let what = format!("`{}`", tenant.slug);
        self.fleet.registry.check_bound(&what, &tenant.jurisdiction)
    }

    /// Refuses a product for a tenant that is not in use, and one that the tenant is to lose.
    pub(super) async fn refuse_leaving(
        &self,
        tenant: &Tenant,
        product: &ProductType,
    ) -> Result<(), RegistryError> {
        if tenant.status != TenantStatus::Active {
            return Err(RegistryError::TenantIs {
                slug: tenant.slug.clone(),
                status: tenant.status,
            });
        }
        let listed = self.fleet.registry.listed_databases_of(&tenant.id).await?;
        let leaving = listed.iter().find(|one| one.product.as_ref() == Some(product));
        if leaving.is_some_and(|one| one.status == DatabaseStatus::Deleting) {
            return Err(RegistryError::ProductLeaves {
                slug: tenant.slug.clone(),
                product: product.clone(),
            });
        }
        Ok(())
    }

    /// Returns a tenant's databases, or that of one product, with what leads to them: whoever changes anything asks first,
    /// so that a password that does not open changes nothing.
    pub(super) async fn databases(
        &self,
        tenant: &Tenant,
        product: Option<&ProductType>,
    ) -> Result<Vec<Database>, RegistryError> {
        let mut databases = self.fleet.registry.databases_of(&tenant.id).await?;
        match product {
            Some(_) => databases.retain(|database| database.product.as_ref() == product),
            // What is to be deleted by itself stays as it is.
            None => databases.retain(|database| database.status != DatabaseStatus::Deleting),
        }
        match (databases.is_empty(), product) {
            (true, Some(product)) => Err(RegistryError::NoProduct {
                slug: tenant.slug.clone(),
                product: product.clone(),
            }),
            (_, _) => Ok(databases),
        }
    }

    /// Opens or closes the way into databases.
    pub(super) async fn turn(
        &self,
        tenant: &Tenant,
        databases: Vec<Database>,
        access: Access,
    ) -> Result<Vec<Turned>, RegistryError> {
        let mut turned = Vec::new();
        for database in databases {
            turned.push(Turned {
                label: label(tenant, &database),
                database: database.address.database().to_owned(),
                server: database.server.clone(),
                turn: self.turn_one(&database, access).await?,
            });
        }
        Ok(turned)
    }

    async fn turn_one(&self, database: &Database, access: Access) -> Result<Turn, RegistryError> {
        let registry = &self.fleet.registry;
        match (&database.address, access) {
            (Address::Sqlite(_), Access::Open) => return Ok(Turn::Done),
            (Address::Sqlite(_), Access::Closed) => return Ok(Turn::File),
            (Address::Network(_), Access::Open) => {}
            (Address::Network(network), Access::Closed) => {
                let others = registry.others_of_user(database, &network.login.user).await?;
                if others > 0 {
                    return Ok(Turn::Shared(others));
                }
            }
        }
        let server = registry.find_server(database.server.as_str()).await?;
        let done = engine::set_access(&administration(&server), &existing(database), access).await;
        Ok(done.map_or_else(Turn::Failed, |()| Turn::Done))
    }
}

/// Returns an error with its causes, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        line = format!("{line}: {next}");
        cause = next.source();
    }
    line
}

/// Returns a database as its server's administrator knows it.
pub(super) fn existing(database: &Database) -> Existing {
    Existing {
        name: database.address.database().to_owned(),
        login: match &database.address {
            Address::Network(network) => Some(network.login.clone()),
            Address::Sqlite(_) => None,
        },
        database_id: database.id.clone(),
    }
}

/// Returns the name that messages use for a database.
pub(super) fn label(tenant: &Tenant, database: &Database) -> String {
    let product = database.product.clone();
    crate::registry::label(tenant, &product.map_or(TrackName::Tenant, TrackName::Product))
}
