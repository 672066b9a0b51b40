//! A tenant's later life in the registry: suspended, renamed, to be deleted, restored, gone.

mod deletion;
mod product;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _};
use serde_json::json;

pub use deletion::{Deletion, Due};

use super::audit::{Action, Change};
use super::creation::{insert_names, is_taken};
use super::entities::{tenant, tenant_name};
use super::rows::check_name;
use super::tenants::{tenant_of, told};
use super::{Registry, RegistryError};
use crate::tenant::{Slug, Tenant, TenantStatus};

impl Registry {
    /// Takes an active tenant out of use: runs skip it from now on. A second time changes nothing.
    ///
    /// # Errors
    /// [`RegistryError::TenantIs`] if it is neither active nor suspended.
    pub async fn suspend_tenant(&self, tenant: &Tenant) -> Result<(), RegistryError> {
        self.turn(
            tenant,
            (TenantStatus::Active, TenantStatus::Suspended),
            Action::TenantSuspend,
        )
        .await
    }

    /// Puts a suspended tenant in use again. A second time changes nothing.
    ///
    /// # Errors
    /// [`RegistryError::TenantIs`] if it is neither suspended nor active.
    pub async fn resume_tenant(&self, tenant: &Tenant) -> Result<(), RegistryError> {
        self.turn(
            tenant,
            (TenantStatus::Suspended, TenantStatus::Active),
            Action::TenantActivate,
        )
        .await
    }

    async fn turn(
        &self,
        tenant: &Tenant,
        (from, to): (TenantStatus, TenantStatus),
        action: Action,
    ) -> Result<(), RegistryError> {
        let transaction = self.begin().await?;
        let written = tenant::Entity::update_many()
            .col_expr(tenant::Column::Status, Expr::value(to.as_str()))
            .filter(tenant::Column::Id.eq(tenant.id.as_str()))
            .filter(tenant::Column::Status.eq(from.as_str()))
            .exec(&transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        if written.rows_affected == 0 {
            drop(transaction);
            let now = self.find_tenant(tenant.id.as_str()).await?;
            return if now.status == to {
                Ok(())
            } else {
                Err(is_otherwise(&now))
            };
        }
        let change = Change::new(action, tenant.id.as_str(), tenant.slug.as_str())
            .from(json!({"status": from.as_str()}))
            .to(json!({"status": to.as_str()}));
        self.commit_recorded(transaction, change).await
    }

    /// Gives a tenant another slug, another name for people, or both; returns it as it is then. Its databases keep
    /// their names.
    ///
    /// # Errors
    /// [`RegistryError::Taken`] if another tenant has the slug as its id, slug or external id.
    pub async fn rename_tenant(
        &self,
        tenant: &Tenant,
        slug: Option<&Slug>,
        name: Option<&str>,
    ) -> Result<Tenant, RegistryError> {
        if let Some(name) = name {
            check_name("name", name)?;
        }
        self.check_bound(&format!("`{}`", tenant.slug), &tenant.jurisdiction)?;
        let id = tenant.id.as_str();
        let transaction = self.begin().await?;
        // Somebody else may have given it the other name since it was found.
        let row = self.hold_tenant(&transaction, id).await?;
        let domains: Vec<String> = tenant.domains.iter().map(ToString::to_string).collect();
        let before = tenant_of(&row, &domains)?;
        let renamed = Tenant {
            slug: slug.unwrap_or(&before.slug).clone(),
            name: name.unwrap_or(&before.name).to_owned(),
            ..before.clone()
        };
        if renamed == before {
            return Ok(renamed);
        }
        let written = async {
            tenant::Entity::update_many()
                .col_expr(tenant::Column::Slug, Expr::value(renamed.slug.as_str()))
                .col_expr(tenant::Column::Name, Expr::value(renamed.name.as_str()))
                .filter(tenant::Column::Id.eq(id))
                .exec(&transaction)
                .await?;
            tenant_name::Entity::delete_many()
                .filter(tenant_name::Column::TenantId.eq(id))
                .exec(&transaction)
                .await?;
            insert_names(&transaction, &renamed).await
        };
        match written.await {
            Ok(()) => {}
            Err(error) if is_taken(&error) => {
                drop(transaction);
                let owner = self.find_tenant(renamed.slug.as_str()).await.ok();
                return Err(RegistryError::Taken {
                    what: "slug",
                    name: renamed.slug.to_string(),
                    owner: owner.map(|owner| owner.slug),
                });
            }
            Err(error) => return Err(self.refused(&error)),
        }
        let change = Change::new(Action::TenantRename, id, renamed.slug.as_str())
            .from(told(&before))
            .to(told(&renamed));
        self.commit_recorded(transaction, change).await?;
        Ok(renamed)
    }

    /// Reads a tenant's row and keeps everybody else from writing it until the transaction ends.
    pub(super) async fn hold_tenant(
        &self,
        transaction: &DatabaseTransaction,
        id: &str,
    ) -> Result<tenant::Model, RegistryError> {
        use tenant::Column;
        tenant::Entity::update_many()
            .col_expr(Column::Status, Expr::col(Column::Status))
            .filter(Column::Id.eq(id))
            .exec(transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        let row = tenant::Entity::find_by_id(id).one(transaction).await;
        match row.map_err(|e| self.refused(&e))? {
            Some(row) => Ok(row),
            None => Err(self.not_found(id).await?),
        }
    }
}

fn is_otherwise(tenant: &Tenant) -> RegistryError {
    RegistryError::TenantIs {
        slug: tenant.slug.clone(),
        status: tenant.status,
    }
}
