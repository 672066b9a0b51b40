//! Dropping what was given up: databases one after the other, each confirmed to be gone before its name is free.

use super::lifecycle::{Turn, existing, label};
use super::{Tenants, administration};
use crate::engine::{self, Access, AdministerError, Removed};
use crate::faults::{Point, point};
use crate::registry::{Database, RegistryError};
use crate::run::Driver;
use crate::tenant::{ProductType, ServerName, Tenant};

/// What became of one database that was given up.
#[derive(Debug)]
pub struct Gone {
    /// The tenant's slug, and the product.
    pub label: String,
    /// Its name on the server.
    pub database: String,
    /// Where it stands, or stood.
    pub server: ServerName,
    /// What was dropped; `None` if it was kept.
    pub removed: Result<Option<Removed>, AdministerError>,
}

/// What became of what was due.
#[derive(Debug, Default)]
pub struct Purged {
    /// Tenants that are gone, by slug, and products of others, each as `tenant/product`.
    pub gone: Vec<String>,
    /// Databases that could not be dropped; their tenants stay.
    pub failed: Vec<Gone>,
    /// Tenants and products that the registry gave no way to, each with why.
    pub refused: Vec<(String, RegistryError)>,
    /// How many databases were dropped.
    pub databases: usize,
}

impl Tenants {
    /// Drops all databases of a tenant whose deletion is due, and takes it out of the registry; returns what became of
    /// each. Where one cannot be dropped the tenant stays, and a further call goes on. Its names are free only when all are
    /// confirmed to be gone. From the first drop on it cannot be restored.
    ///
    /// # Errors
    /// [`RegistryError::TenantIs`] if somebody has restored it since.
    pub async fn remove(&self, tenant: &Tenant) -> Result<Vec<Gone>, RegistryError> {
        let registry = &self.fleet.registry;
        let mut gone = Vec::new();
        // Products first: without the shared database nobody could see any more what they belong to.
        let of_tenant = registry.databases_of(&tenant.id).await?;
        for database in of_tenant.iter().rev() {
            gone.extend(self.remove_one(tenant, database).await?);
        }
        if gone.iter().all(|one| one.removed.is_ok()) {
            match registry.forget_tenant(tenant).await {
                // Somebody else has done the same meanwhile.
                Ok(()) | Err(RegistryError::TenantNotFound { .. }) => {}
                Err(error) => return Err(error),
            }
            point(Point::LifeTenantForgotten);
        }
        Ok(gone)
    }

    /// Drops the database of one product whose deletion is due.
    ///
    /// # Errors
    /// As [`Self::delete_product`]; [`RegistryError::TenantIs`] if somebody has restored it since.
    pub async fn remove_product(
        &self,
        (tenant, product): (&Tenant, &ProductType),
    ) -> Result<Vec<Gone>, RegistryError> {
        let mut gone = Vec::new();
        for database in self.databases(tenant, Some(product)).await? {
            gone.extend(self.remove_one(tenant, &database).await?);
        }
        Ok(gone)
    }

    /// Drops one database; nothing is returned for one that somebody else has dropped meanwhile.
    async fn remove_one(&self, tenant: &Tenant, database: &Database) -> Result<Option<Gone>, RegistryError> {
        let registry = &self.fleet.registry;
        let server = registry.find_server(database.server.as_str()).await?;
        if !registry.begin_drop(tenant, &database.id).await? {
            return Ok(None);
        }
        let removed = engine::remove_database(&administration(&server), &existing(database)).await;
        point(Point::LifeDatabaseGone);
        if removed.is_ok() {
            match registry.forget_database(tenant, database).await {
                Ok(()) | Err(RegistryError::TenantNotFound { .. }) => {}
                Err(error) => return Err(error),
            }
            point(Point::LifeDatabaseForgotten);
        }
        Ok(Some(Gone {
            label: label(tenant, database),
            database: database.address.database().to_owned(),
            server: database.server.clone(),
            removed: removed.map(Some),
        }))
    }

    /// Takes a tenant out of the registry at once; its databases stay as they are, and are nobody's. Roles that were kept
    /// out are let in first: nobody else could do that later.
    ///
    /// # Errors
    /// [`RegistryError::UnderWay`] while a run works on it.
    pub async fn release(&self, tenant: &Tenant) -> Result<Vec<Gone>, RegistryError> {
        let databases = self.databases(tenant, None).await?;
        let (kept, is_open) = self.let_go(tenant, databases).await?;
        if is_open {
            let registry = &self.fleet.registry;
            registry.release_tenant(tenant, &Driver::this()).await?;
        }
        Ok(kept)
    }

    /// Takes a product's database out of the registry at once, as [`Self::release`] does with all of a tenant's.
    ///
    /// # Errors
    /// [`RegistryError::NoProduct`] if it has none of that type; as [`Self::release`].
    pub async fn release_product(
        &self,
        (tenant, product): (&Tenant, &ProductType),
    ) -> Result<Vec<Gone>, RegistryError> {
        let databases = self.databases(tenant, Some(product)).await?;
        let (kept, is_open) = self.let_go(tenant, databases.clone()).await?;
        for database in databases.iter().filter(|_| is_open) {
            let registry = &self.fleet.registry;
            registry
                .release_database(tenant, database, &Driver::this())
                .await?;
        }
        Ok(kept)
    }

    /// Opens the way into databases that are to be nobody's; returns whether all are open.
    async fn let_go(
        &self,
        tenant: &Tenant,
        databases: Vec<Database>,
    ) -> Result<(Vec<Gone>, bool), RegistryError> {
        self.in_bounds(tenant)?;
        let mut kept = Vec::new();
        for turned in self.turn(tenant, databases, Access::Open).await? {
            let removed = match turned.turn {
                Turn::Failed(error) => Err(error),
                Turn::Done | Turn::File | Turn::Shared(_) => Ok(None),
            };
            kept.push(Gone {
                label: turned.label,
                database: turned.database,
                server: turned.server,
                removed,
            });
        }
        let is_open = kept.iter().all(|one| one.removed.is_ok());
        Ok((kept, is_open))
    }

    /// Drops everything whose grace is over, on the servers that may be opened from here; a further call goes on with what
    /// failed. One tenant's failure never stops another.
    pub async fn purge(&self) -> Result<Purged, RegistryError> {
        let due = self.fleet.registry.due().await?;
        let mut purged = Purged::default();
        let opens = |tenant: &Tenant| self.fleet.registry.opens(&tenant.jurisdiction);
        for tenant in due.tenants.iter().filter(|tenant| opens(tenant)) {
            purged.add(tenant.slug.to_string(), self.remove(tenant).await);
        }
        for (tenant, product) in due.products.iter().filter(|(tenant, _)| opens(tenant)) {
            let gone = self.remove_product((tenant, product)).await;
            purged.add(format!("{}/{product}", tenant.slug), gone);
        }
        Ok(purged)
    }
}

impl Purged {
    fn add(&mut self, what: String, gone: Result<Vec<Gone>, RegistryError>) {
        let gone = match gone {
            Ok(gone) => gone,
            // Restored, or dropped by somebody else, since it was due.
            Err(
                RegistryError::TenantIs { .. }
                | RegistryError::TenantNotFound { .. }
                | RegistryError::NoProduct { .. },
            ) => return,
            Err(error) => return self.refused.push((what, error)),
        };
        self.databases += gone.iter().filter(|one| one.removed.is_ok()).count();
        let failed: Vec<Gone> = gone.into_iter().filter(|one| one.removed.is_err()).collect();
        if failed.is_empty() {
            self.gone.push(what);
        }
        self.failed.extend(failed);
    }
}
