//! The databases that the registry lists, with their passwords unopened.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Select};

use super::databases::{DatabaseStatus, at, product_of};
use super::entities::database::{Column, Entity};
use super::entities::server;
use super::servers::listed;
use super::{Registry, RegistryError};
use crate::migration::Version;
use crate::run::Outcome;
use crate::tenant::{ProductType, ServerName, TenantId};

/// A database as the registry lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDatabase {
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its product; `None` for the one that the products share.
    pub product: Option<ProductType>,
    /// The server it stands on.
    pub server: ServerName,
    /// Its name on the server; for SQLite the file's name.
    pub name: String,
    /// Where it stands in its life.
    pub status: DatabaseStatus,
    /// The newest version at the last look; `None` if unknown or nothing is applied.
    pub version: Option<Version>,
    /// What became of it in the last run; `None` before the first.
    pub outcome: Option<Outcome>,
}

impl Registry {
    /// Returns every tenant's databases, a tenant's shared one before those of its products; empty if there
    /// are none. Needs no key.
    pub async fn listed_databases(&self) -> Result<Vec<ListedDatabase>, RegistryError> {
        self.list(Entity::find()).await
    }

    /// Returns one tenant's databases, the shared one first, then by product; empty if it has none. Needs no
    /// key.
    pub async fn listed_databases_of(&self, tenant: &TenantId) -> Result<Vec<ListedDatabase>, RegistryError> {
        self.list(Entity::find().filter(Column::TenantId.eq(tenant.as_str())))
            .await
    }

    async fn list(&self, rows: Select<Entity>) -> Result<Vec<ListedDatabase>, RegistryError> {
        let rows = rows
            .order_by_asc(Column::TenantId)
            .order_by_asc(Column::Product)
            .find_also_related(server::Entity)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let mut databases = Vec::with_capacity(rows.len());
        for (row, server) in rows {
            let at = at(&row);
            databases.push(ListedDatabase {
                tenant_id: TenantId::from_text(row.tenant_id.clone()),
                product: product_of(&row)?,
                server: listed(&at.read("server_id", server)?)?.name,
                name: row.name.clone(),
                status: at.read("status", DatabaseStatus::from_word(&row.status))?,
                version: at.version("version", row.version)?,
                outcome: at.outcome(row.outcome.as_deref())?,
            });
        }
        Ok(databases)
    }
}
