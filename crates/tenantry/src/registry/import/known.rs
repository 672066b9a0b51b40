//! What the registry has already, by everything that must be unique.

use std::borrow::Cow;
use std::collections::HashMap;

use sea_orm::EntityTrait as _;

use super::super::entities::database::{Entity, Model};
use super::super::{Registry, RegistryError};
use crate::engine::Engine;
use crate::tenant::Tenant;

/// What the registry has.
pub(super) struct Known {
    tenants: Vec<Tenant>,
    /// By id, slug and external id: a name means one tenant.
    names: HashMap<String, usize>,
    domains: HashMap<String, usize>,
    databases: HashMap<String, Vec<Model>>,
    /// By id.
    database_ids: HashMap<String, String>,
}

impl Known {
    pub(super) async fn read(registry: &Registry) -> Result<Self, RegistryError> {
        let tenants = registry.all_tenants().await?;
        let rows = Entity::find()
            .all(&registry.db)
            .await
            .map_err(|e| registry.refused(&e))?;
        let (mut names, mut domains) = (HashMap::new(), HashMap::new());
        for (at, tenant) in tenants.iter().enumerate() {
            names.insert(tenant.id.to_string(), at);
            names.insert(tenant.slug.to_string(), at);
            names.extend(tenant.external_id.clone().map(|name| (name, at)));
            domains.extend(tenant.domains.iter().map(|domain| (domain.to_string(), at)));
        }
        let mut databases: HashMap<String, Vec<Model>> = HashMap::new();
        let mut database_ids = HashMap::new();
        for row in rows {
            database_ids.insert(row.id.clone(), row.tenant_id.clone());
            databases.entry(row.tenant_id.clone()).or_default().push(row);
        }
        Ok(Self {
            tenants,
            names,
            domains,
            databases,
            database_ids,
        })
    }

    /// Returns who has a name; `None` if nobody has.
    pub(super) fn named(&self, name: &str) -> Option<&Tenant> {
        self.names.get(name).and_then(|at| self.tenants.get(*at))
    }

    /// Returns to whom a host name leads; `None` if to nobody.
    pub(super) fn with_domain(&self, domain: &str) -> Option<&Tenant> {
        self.domains.get(domain).and_then(|at| self.tenants.get(*at))
    }

    /// Returns the tenant that has a database of this id; `None` if there is none.
    pub(super) fn with_database_id(&self, id: &str) -> Option<&Tenant> {
        self.named(self.database_ids.get(id)?)
    }

    /// Returns a tenant's databases; none if it has none.
    pub(super) fn databases_of(&self, tenant: &Tenant) -> &[Model] {
        self.databases.get(tenant.id.as_str()).map_or(&[], Vec::as_slice)
    }

    /// Returns the databases' places with the tenants that have them.
    pub(super) fn places(
        &self,
        engine_of: impl Fn(&str) -> Engine,
    ) -> HashMap<(&str, Cow<'_, str>), &Tenant> {
        let mut places = HashMap::new();
        for row in self.databases.values().flatten() {
            if let Some(owner) = self.named(&row.tenant_id) {
                let name = folded(&row.name, engine_of(&row.server_id));
                places.insert((row.server_id.as_str(), name), owner);
            }
        }
        places
    }
}

/// Returns a database's name as its server tells it from others: some take two names that differ in case for one.
pub(super) fn folded(name: &str, engine: Engine) -> Cow<'_, str> {
    match engine {
        Engine::Postgres => Cow::Borrowed(name),
        Engine::MySql | Engine::Sqlite => Cow::Owned(name.to_lowercase()),
    }
}
