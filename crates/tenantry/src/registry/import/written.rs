//! The rows of new entries, sealed, and written many at a time.

use sea_orm::{ActiveModelTrait as _, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, ModelTrait};
use uuid::Uuid;

use super::super::databases::DatabaseStatus;
use super::super::entities::{database, domain, tenant, tenant_name};
use super::super::hosts::Host;
use super::super::passwords::Purpose;
use super::super::servers::ListedServer;
use super::super::{Registry, RegistryError, now};
use super::server;
use crate::import::{Entry, EntryDatabase};
use crate::tenant::TenantStatus;

/// How many rows a statement writes: fewer values than any engine takes in one (SQLite: 32,766).
const CHUNK: usize = 1_000;

/// All rows of a list.
#[derive(Default)]
pub(super) struct Rows {
    tenants: Vec<tenant::Model>,
    names: Vec<tenant_name::Model>,
    domains: Vec<domain::Model>,
    databases: Vec<database::Model>,
}

impl Rows {
    /// Makes the rows, their passwords sealed; writes nothing.
    pub(super) fn sealed<'e>(
        registry: &Registry,
        entries: impl Iterator<Item = &'e Entry>,
        servers: &[ListedServer],
    ) -> Result<Self, RegistryError> {
        let mut rows = Self::default();
        let created_at = now();
        let hosts: Vec<Host<'_>> = servers.iter().map(Host::of).collect();
        for entry in entries {
            rows.add_tenant(entry, created_at);
            for one in &entry.databases {
                let on = server(servers, &one.server)?;
                let at = servers.iter().position(|server| server.id == on.id);
                let Some(host) = at.and_then(|at| hosts.get(at)) else {
                    continue;
                };
                rows.databases
                    .push(sealed(registry, (entry, one), host, created_at)?);
            }
        }
        Ok(rows)
    }

    fn add_tenant(&mut self, entry: &Entry, created_at: i64) {
        let id = entry.id.to_string();
        let mut names = vec![id.clone(), entry.slug.to_string()];
        names.extend(entry.external_id.clone());
        names.sort_unstable();
        names.dedup();
        self.names
            .extend(names.into_iter().map(|name| tenant_name::Model {
                name,
                tenant_id: id.clone(),
            }));
        let domains = entry.domains.iter().map(|domain| domain::Model {
            domain: domain.to_string(),
            tenant_id: id.clone(),
        });
        self.domains.extend(domains);
        self.tenants.push(tenant::Model {
            id,
            slug: entry.slug.to_string(),
            name: entry.name.clone().unwrap_or_else(|| entry.slug.to_string()),
            jurisdiction: entry.jurisdiction.to_string(),
            status: entry.status.unwrap_or(TenantStatus::Active).as_str().to_owned(),
            external_id: entry.external_id.clone(),
            created_at,
            status_before: None,
            drops_at: None,
        });
    }

    /// Writes everything.
    pub(super) async fn insert(self, transaction: &DatabaseTransaction) -> Result<(), DbErr> {
        insert(self.tenants, transaction).await?;
        insert(self.names, transaction).await?;
        insert(self.domains, transaction).await?;
        insert(self.databases, transaction).await
    }
}

fn sealed(
    registry: &Registry,
    (entry, one): (&Entry, &EntryDatabase),
    host: &Host<'_>,
    created_at: i64,
) -> Result<database::Model, RegistryError> {
    let id = one.id.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
    let secret_version = 1;
    let login = one.login.as_ref();
    let secret = login.and_then(|login| {
        let endpoint = host.endpoint_for(&login.user)?;
        let purpose = Purpose::database(&id, secret_version, &entry.id, &one.name, endpoint);
        Some(registry.seal(&purpose, &login.password))
    });
    Ok(database::Model {
        secret: secret.transpose()?,
        tenant_id: entry.id.to_string(),
        product: one.product.as_ref().map(ToString::to_string).unwrap_or_default(),
        server_id: host.server.id.clone(),
        name: one.name.clone(),
        db_user: login.map(|login| login.user.clone()),
        secret_version,
        status: DatabaseStatus::Ready.as_str().to_owned(),
        version: None,
        outcome: None,
        error_code: None,
        checked_at: None,
        created_at,
        status_before: None,
        drops_at: None,
        next_secret: None,
        previous_secret: None,
        storage_path: None,
        id,
    })
}

async fn insert<M>(rows: Vec<M>, transaction: &DatabaseTransaction) -> Result<(), DbErr>
where
    M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
    M::Entity: EntityTrait<Model = M>,
{
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let chunk = rows.by_ref().take(CHUNK);
        M::Entity::insert_many(chunk.map(|row| row.into_active_model().reset_all()))
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}
