//! The databases that the registry lists, with their passwords unopened.

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select,
};

use super::databases::DatabaseStatus;
use super::entities::database::{Column, Entity};
use super::rows::Row;
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
    /// Where the platform keeps the files that belong to it; `None` if that was not configured when it was created.
    pub storage_path: Option<String>,
}

/// How many rows are read at once.
const PAGE: u64 = 5_000;

impl Registry {
    /// Returns every tenant's databases, by the tenant's id, a tenant's shared one before those of its products;
    /// empty if there are none. Needs no key.
    pub async fn listed_databases(&self) -> Result<Vec<ListedDatabase>, RegistryError> {
        let servers = self.server_names().await?;
        let mut databases = Vec::new();
        let mut after = String::new();
        // By the row's id, behind which the next rows begin.
        loop {
            let page = Entity::find().filter(Column::Id.gt(after.as_str()));
            let rows = self
                .listed_rows(page.order_by_asc(Column::Id).limit(PAGE))
                .await?;
            let Some((last, ..)) = rows.last() else { break };
            after.clone_from(last);
            for row in rows {
                databases.push(listed(row, &servers)?);
            }
        }
        databases.sort_unstable_by(|a, b| (&a.tenant_id, &a.product).cmp(&(&b.tenant_id, &b.product)));
        Ok(databases)
    }

    /// Returns one tenant's databases, the shared one first, then by product; empty if it has none. Needs no
    /// key.
    pub async fn listed_databases_of(&self, tenant: &TenantId) -> Result<Vec<ListedDatabase>, RegistryError> {
        let servers = self.server_names().await?;
        let rows = Entity::find().filter(Column::TenantId.eq(tenant.as_str()));
        let rows = self.listed_rows(rows.order_by_asc(Column::Product)).await?;
        rows.into_iter().map(|row| listed(row, &servers)).collect()
    }

    /// Returns the servers' names by their ids: few, where a join would send one with every database.
    pub(super) async fn server_names(&self) -> Result<HashMap<String, ServerName>, RegistryError> {
        let servers = self.servers().await?;
        Ok(servers.into_iter().map(|s| (s.id, s.name)).collect())
    }

    async fn listed_rows(&self, rows: Select<Entity>) -> Result<Vec<Found>, RegistryError> {
        rows.select_only()
            .columns([
                Column::Id,
                Column::TenantId,
                Column::Product,
                Column::ServerId,
                Column::Name,
                Column::Status,
                Column::Version,
                Column::Outcome,
                Column::StoragePath,
            ])
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))
    }
}

/// The columns of a [`ListedDatabase`] and the row's id before them, in the order of the query: no secret is read.
type Found = (
    String,
    String,
    String,
    String,
    String,
    String,
    Option<i64>,
    Option<String>,
    Option<String>,
);

fn listed(found: Found, servers: &HashMap<String, ServerName>) -> Result<ListedDatabase, RegistryError> {
    let (id, tenant, product, server, name, status, version, outcome, storage_path) = found;
    let at = Row {
        table: "tenantry_databases",
        id: &id,
    };
    let product = Some(product).filter(|product| !product.is_empty());
    Ok(ListedDatabase {
        tenant_id: TenantId::from_text(tenant),
        product: at.read_opt("product", product, |p| p.parse().ok())?,
        server: at.read("server_id", servers.get(&server).cloned())?,
        name,
        status: at.read("status", DatabaseStatus::from_word(&status))?,
        version: at.version("version", version)?,
        outcome: at.outcome(outcome.as_deref())?,
        storage_path,
    })
}
