//! Databases that are given up one by one: a product that its tenant is to lose, and whatever was dropped.

use std::collections::HashSet;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
};
use serde_json::json;

use super::Deletion;
use super::deletion::DROPPING;
use crate::registry::audit::{Action, Change};
use crate::registry::databases::DatabaseStatus;
use crate::registry::entities::database;
use crate::registry::{Database, Registry, RegistryError};
use crate::run::Driver;
use crate::tenant::{ProductType, Tenant};

impl Registry {
    /// Decides that a tenant is to lose a product, as [`Self::delete_tenant`] does for all its databases.
    ///
    /// # Errors
    /// [`RegistryError::NoProduct`] if it has none of that type, [`RegistryError::UnderWay`] likewise.
    pub async fn delete_product(
        &self,
        (tenant, product): (&Tenant, &ProductType),
        grace: i64,
        driver: &Driver,
    ) -> Result<Deletion, RegistryError> {
        use database::Column;
        let transaction = self.begin().await?;
        self.hold_tenant(&transaction, tenant.id.as_str()).await?;
        let row = self.product_row(&transaction, (tenant, product)).await?;
        let databases = HashSet::from([row.id.clone()]);
        self.refuse_under_way(&transaction, &databases, driver).await?;
        let wanted = self.clock(&transaction).await?.saturating_add(grace);
        let drops_at = row.drops_at.map_or(wanted, |decided| decided.min(wanted));
        let before = row.status_before.clone().unwrap_or_else(|| row.status.clone());
        database::Entity::update_many()
            .col_expr(Column::Status, Expr::value(DatabaseStatus::Deleting.as_str()))
            .col_expr(Column::StatusBefore, Expr::value(before))
            .col_expr(Column::DropsAt, Expr::value(drops_at))
            .filter(Column::Id.eq(row.id.as_str()))
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
        let label = format!("{}/{product}", tenant.slug);
        let change = Change::new(Action::DatabaseDelete, &row.id, &label)
            .from(json!({"status": row.status, "drops_at": row.drops_at}))
            .to(json!({"status": DatabaseStatus::Deleting.as_str(), "drops_at": drops_at}));
        self.commit_recorded(transaction, change).await?;
        Ok(decided)
    }

    /// Takes the decision about a product back.
    ///
    /// # Errors
    /// [`RegistryError::NoProduct`] if the tenant has none of that type, or it is not to be deleted.
    pub async fn restore_product(&self, tenant: &Tenant, product: &ProductType) -> Result<(), RegistryError> {
        use database::Column;
        let transaction = self.begin().await?;
        self.hold_tenant(&transaction, tenant.id.as_str()).await?;
        let row = self.product_row(&transaction, (tenant, product)).await?;
        let Some(before) = row.status_before.clone() else {
            return Err(no_product(tenant, product));
        };
        if before == DROPPING {
            return Err(RegistryError::DropBegun {
                slug: tenant.slug.clone(),
            });
        }
        database::Entity::update_many()
            .col_expr(Column::Status, Expr::value(before.as_str()))
            .col_expr(Column::StatusBefore, Expr::value(None::<String>))
            .col_expr(Column::DropsAt, Expr::value(None::<i64>))
            .filter(Column::Id.eq(row.id.as_str()))
            .exec(&transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        let label = format!("{}/{product}", tenant.slug);
        let change = Change::new(Action::DatabaseRestore, &row.id, &label)
            .from(json!({"status": row.status, "drops_at": row.drops_at}))
            .to(json!({"status": before}));
        self.commit_recorded(transaction, change).await
    }

    async fn product_row(
        &self,
        transaction: &DatabaseTransaction,
        (tenant, product): (&Tenant, &ProductType),
    ) -> Result<database::Model, RegistryError> {
        let row = database::Entity::find()
            .filter(database::Column::TenantId.eq(tenant.id.as_str()))
            .filter(database::Column::Product.eq(product.as_str()))
            .one(transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        row.ok_or_else(|| no_product(tenant, product))
    }

    /// Takes a database that was dropped out of the registry. A second time changes nothing.
    pub async fn forget_database(&self, tenant: &Tenant, database: &Database) -> Result<(), RegistryError> {
        let transaction = self.begin().await?;
        self.hold_tenant(&transaction, tenant.id.as_str()).await?;
        self.forget(transaction, (tenant, database), Action::DatabaseDrop)
            .await
    }

    /// Takes a product's database out of the registry at once; it is not touched where it stands.
    ///
    /// # Errors
    /// [`RegistryError::UnderWay`] if a run that somebody drives works on it.
    pub async fn release_database(
        &self,
        tenant: &Tenant,
        database: &Database,
        driver: &Driver,
    ) -> Result<(), RegistryError> {
        let transaction = self.begin().await?;
        self.hold_tenant(&transaction, tenant.id.as_str()).await?;
        let databases = HashSet::from([database.id.clone()]);
        self.refuse_under_way(&transaction, &databases, driver).await?;
        self.forget(transaction, (tenant, database), Action::DatabaseForget)
            .await
    }

    async fn forget(
        &self,
        transaction: DatabaseTransaction,
        (tenant, database): (&Tenant, &Database),
        action: Action,
    ) -> Result<(), RegistryError> {
        let written = database::Entity::delete_by_id(database.id.as_str())
            .exec(&transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        if written.rows_affected == 0 {
            return Ok(());
        }
        let label = match &database.product {
            Some(product) => format!("{}/{product}", tenant.slug),
            None => tenant.slug.to_string(),
        };
        let change = Change::new(action, &database.id, &label).from(json!({
            "name": database.address.database(),
            "server": database.server.as_str(),
            "version": database.version.map(|version| version.to_string()),
        }));
        self.commit_recorded(transaction, change).await
    }

    /// Returns how many databases on a server, beside this one, are reached as the same user.
    pub async fn others_of_user(&self, database: &Database, user: &str) -> Result<u64, RegistryError> {
        let server = self.listed_server(database.server.as_str()).await?;
        database::Entity::find()
            .filter(database::Column::ServerId.eq(server.id))
            .filter(database::Column::DbUser.eq(user))
            .filter(database::Column::Id.ne(database.id.as_str()))
            .count(&self.db)
            .await
            .map_err(|e| self.refused(&e))
    }
}

fn no_product(tenant: &Tenant, product: &ProductType) -> RegistryError {
    RegistryError::NoProduct {
        slug: tenant.slug.clone(),
        product: product.clone(),
    }
}
