//! Tenants that are to be deleted: decided, taken back, due, gone.

use std::collections::HashSet;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde_json::json;

use super::is_otherwise;
use crate::registry::audit::{Action, Change};
use crate::registry::entities::{database, domain, run, run_target, tenant, tenant_name};
use crate::registry::leases::lease_of;
use crate::registry::runs::RUNNING;
use crate::registry::tenants::told;
use crate::registry::{Registry, RegistryError};
use crate::run::{Driver, TargetState};
use crate::tenant::{ProductType, Tenant, TenantId, TenantStatus};

/// How many that are due are returned at once.
const DUE_AT_ONCE: u64 = 1_000;

/// What stands in place of the status before, once databases are being dropped: nothing leads back from there.
pub(super) const DROPPING: &str = "dropping";

/// When something that is to be deleted is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// From when on its databases may be dropped, in microseconds since 1970-01-01 UTC by the registry's clock.
    pub drops_at: i64,
    /// Whether somebody had decided the same before, with this time.
    pub was_decided: Option<i64>,
}

/// What is to be dropped now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The tenants, by slug.
    pub tenants: Vec<Tenant>,
    /// The products of tenants that stay.
    pub products: Vec<(Tenant, ProductType)>,
}

impl Registry {
    /// Decides that a tenant is to be deleted: it is out of use from now on, and its databases may be dropped `grace`
    /// microseconds later. Decided before, it stays so, and is dropped earlier if the grace is shorter now.
    ///
    /// # Errors
    /// [`RegistryError::UnderWay`] if a run that somebody drives works on a database of its.
    pub async fn delete_tenant(
        &self,
        tenant: &Tenant,
        grace: i64,
        driver: &Driver,
    ) -> Result<Deletion, RegistryError> {
        use tenant::Column;
        let id = tenant.id.as_str();
        let transaction = self.begin().await?;
        let row = self.hold_tenant(&transaction, id).await?;
        let databases = self.database_ids(&transaction, id).await?;
        self.refuse_under_way(&transaction, &databases, driver).await?;
        let wanted = self.clock(&transaction).await?.saturating_add(grace);
        let drops_at = row.drops_at.map_or(wanted, |decided| decided.min(wanted));
        let before = row.status_before.clone().unwrap_or_else(|| row.status.clone());
        tenant::Entity::update_many()
            .col_expr(Column::Status, Expr::value(TenantStatus::Deleting.as_str()))
            .col_expr(Column::StatusBefore, Expr::value(before))
            .col_expr(Column::DropsAt, Expr::value(drops_at))
            .filter(Column::Id.eq(id))
            .exec(&transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        let decided = Deletion {
            drops_at,
            was_decided: row.drops_at,
        };
        if row.drops_at == Some(drops_at) {
            self.commit(transaction).await?;
            return Ok(decided);
        }
        let change = Change::new(Action::TenantDelete, id, tenant.slug.as_str())
            .from(json!({"status": row.status, "drops_at": row.drops_at}))
            .to(json!({"status": TenantStatus::Deleting.as_str(), "drops_at": drops_at}));
        self.commit_recorded(transaction, change).await?;
        Ok(decided)
    }

    /// Takes the decision back; returns the status that the tenant has again.
    ///
    /// # Errors
    /// [`RegistryError::TenantIs`] if it is not to be deleted, [`RegistryError::DropBegun`] if the drop of its databases has begun.
    pub async fn restore_tenant(&self, tenant: &Tenant) -> Result<TenantStatus, RegistryError> {
        use tenant::Column;
        let id = tenant.id.as_str();
        let transaction = self.begin().await?;
        let row = self.hold_tenant(&transaction, id).await?;
        let before = row.status_before.as_deref().filter(|_| row.drops_at.is_some());
        let Some(before) = before else {
            return Err(is_otherwise(tenant));
        };
        // The word of a drop that has begun is no status.
        let Some(before) = TenantStatus::from_word(before) else {
            return Err(RegistryError::DropBegun {
                slug: tenant.slug.clone(),
            });
        };
        tenant::Entity::update_many()
            .col_expr(Column::Status, Expr::value(before.as_str()))
            .col_expr(Column::StatusBefore, Expr::value(None::<String>))
            .col_expr(Column::DropsAt, Expr::value(None::<i64>))
            .filter(Column::Id.eq(id))
            .exec(&transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        let change = Change::new(Action::TenantRestore, id, tenant.slug.as_str())
            .from(json!({"status": row.status, "drops_at": row.drops_at}))
            .to(json!({"status": before.as_str()}));
        self.commit_recorded(transaction, change).await?;
        Ok(before)
    }

    /// Takes a tenant out of the registry that has no database left; its names are free again.
    ///
    /// # Errors
    /// [`RegistryError::Begun`] if it has a database.
    pub async fn forget_tenant(&self, tenant: &Tenant) -> Result<(), RegistryError> {
        let id = tenant.id.as_str();
        let transaction = self.begin().await?;
        self.hold_tenant(&transaction, id).await?;
        let left = self.database_ids(&transaction, id).await?;
        if !left.is_empty() {
            return Err(RegistryError::Begun {
                slug: tenant.slug.clone(),
                what: "databases",
                has: left.len().to_string(),
                given: "none".to_owned(),
            });
        }
        let written = delete_tenant_rows(&transaction, id);
        written.await.map_err(|e| self.refused(&e))?;
        let change = Change::new(Action::TenantDrop, id, tenant.slug.as_str()).from(told(tenant));
        self.commit_recorded(transaction, change).await
    }

    /// Says that a database is about to be dropped, so that nobody restores it or its tenant any more; returns whether it
    /// is registered at all.
    ///
    /// # Errors
    /// [`RegistryError::TenantIs`] if neither it nor its tenant is due: somebody has restored it since.
    pub async fn begin_drop(&self, tenant: &Tenant, database_id: &str) -> Result<bool, RegistryError> {
        let id = tenant.id.as_str();
        let transaction = self.begin().await?;
        let row = self.hold_tenant(&transaction, id).await?;
        let found = database::Entity::find_by_id(database_id)
            .one(&transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        let Some(found) = found else {
            return Ok(false);
        };
        let now = self.clock(&transaction).await?;
        let is_due = |drops_at: Option<i64>| drops_at.is_some_and(|at| at <= now);
        let written = if row.status == TenantStatus::Deleting.as_str() && is_due(row.drops_at) {
            tenant::Entity::update_many()
                .col_expr(tenant::Column::StatusBefore, Expr::value(DROPPING))
                .filter(tenant::Column::Id.eq(id))
                .exec(&transaction)
                .await
        } else if is_due(found.drops_at) {
            database::Entity::update_many()
                .col_expr(database::Column::StatusBefore, Expr::value(DROPPING))
                .filter(database::Column::Id.eq(database_id))
                .exec(&transaction)
                .await
        } else {
            return Err(is_otherwise(&self.find_tenant(id).await?));
        };
        written.map_err(|e| self.refused(&e))?;
        self.commit(transaction).await?;
        Ok(true)
    }

    /// Takes a tenant and its databases out of the registry at once; nothing of them is touched where it stands.
    ///
    /// # Errors
    /// [`RegistryError::UnderWay`] if a run that somebody drives works on a database of its.
    pub async fn release_tenant(&self, tenant: &Tenant, driver: &Driver) -> Result<(), RegistryError> {
        let id = tenant.id.as_str();
        let transaction = self.begin().await?;
        self.hold_tenant(&transaction, id).await?;
        let databases = self.database_ids(&transaction, id).await?;
        self.refuse_under_way(&transaction, &databases, driver).await?;
        let written = async {
            database::Entity::delete_many()
                .filter(database::Column::TenantId.eq(id))
                .exec(&transaction)
                .await?;
            delete_tenant_rows(&transaction, id).await
        };
        written.await.map_err(|e| self.refused(&e))?;
        let change = Change::new(Action::TenantRelease, id, tenant.slug.as_str()).from(told(tenant));
        self.commit_recorded(transaction, change).await
    }

    /// Returns who and what may be dropped by now, at most 1,000 of each; empty if there is nothing.
    pub async fn due(&self) -> Result<Due, RegistryError> {
        let now = self.clock(&self.db).await?;
        let ids: Vec<String> = tenant::Entity::find()
            .select_only()
            .column(tenant::Column::Id)
            .filter(tenant::Column::DropsAt.lte(now))
            .order_by_asc(tenant::Column::Slug)
            .limit(DUE_AT_ONCE)
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let products: Vec<(String, String)> = database::Entity::find()
            .select_only()
            .column(database::Column::TenantId)
            .column(database::Column::Product)
            .filter(database::Column::DropsAt.lte(now))
            .limit(DUE_AT_ONCE)
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let mut due = Due::default();
        for id in ids {
            due.tenants.push(self.find_tenant(&id).await?);
        }
        for (id, product) in products {
            let tenant = self.find_tenant(&id).await?;
            let Ok(product) = product.parse() else { continue };
            if !due.tenants.contains(&tenant) {
                due.products.push((tenant, product));
            }
        }
        Ok(due)
    }

    /// Returns the ids of a tenant's databases; empty if it has none.
    async fn database_ids(
        &self,
        transaction: &DatabaseTransaction,
        tenant: &str,
    ) -> Result<HashSet<String>, RegistryError> {
        let ids: Vec<String> = database::Entity::find()
            .select_only()
            .column(database::Column::Id)
            .filter(database::Column::TenantId.eq(tenant))
            .into_tuple()
            .all(transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        Ok(ids.into_iter().collect())
    }

    /// Refuses where a run that somebody drives has yet to end on one of the databases.
    pub(in crate::registry) async fn refuse_under_way(
        &self,
        transaction: &DatabaseTransaction,
        databases: &HashSet<String>,
        driver: &Driver,
    ) -> Result<(), RegistryError> {
        let running = run::Entity::find()
            .filter(run::Column::Status.eq(RUNNING))
            .all(transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        let now = self.clock(transaction).await?;
        for run in running {
            let lease = lease_of(&run)?;
            if !lease.is_live(now, driver.sign_of(&lease.driver)) {
                continue;
            }
            let open = run_target::Entity::find()
                .filter(run_target::Column::RunId.eq(run.id.as_str()))
                .filter(run_target::Column::DatabaseId.is_in(databases))
                .filter(run_target::Column::State.ne(TargetState::Ended.as_str()))
                .one(transaction)
                .await
                .map_err(|e| self.refused(&e))?;
            if let Some(target) = open {
                return Err(RegistryError::UnderWay {
                    label: target.label,
                    run_id: run.id,
                });
            }
        }
        Ok(())
    }

    /// Returns when a tenant's databases may be dropped; `None` if it is not to be deleted.
    pub async fn drops_at(&self, id: &TenantId) -> Result<Option<i64>, RegistryError> {
        let row = tenant::Entity::find_by_id(id.as_str()).one(&self.db).await;
        Ok(row.map_err(|e| self.refused(&e))?.and_then(|row| row.drops_at))
    }
}

/// Deletes a tenant's row and its names.
async fn delete_tenant_rows(transaction: &DatabaseTransaction, id: &str) -> Result<(), DbErr> {
    tenant_name::Entity::delete_many()
        .filter(tenant_name::Column::TenantId.eq(id))
        .exec(transaction)
        .await?;
    domain::Entity::delete_many()
        .filter(domain::Column::TenantId.eq(id))
        .exec(transaction)
        .await?;
    tenant::Entity::delete_by_id(id).exec(transaction).await?;
    Ok(())
}
