//! A database's new password: kept beside the present one until the server has it, then in its place.

use std::collections::HashSet;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use secrecy::SecretString;
use serde_json::json;

use super::audit::{Action, Change};
use super::databases::{at, label_of};
use super::entities::database::{Column, Entity, Model};
use super::hosts::Host;
use super::{Database, Registry, RegistryError};
use crate::run::Driver;
use crate::tenant::TenantId;

/// The passwords of a database whose password is being replaced; the present one is in its address.
#[derive(Debug)]
pub struct NewPassword {
    /// The one that takes its place.
    pub next: SecretString,
    /// The one before it; `None` if there was none, or it does not open any more.
    pub previous: Option<SecretString>,
    /// The text of the envelope with the next one: who finishes must have begun, or gone on.
    sealed: String,
}

impl Registry {
    /// Keeps a new password beside a database's present one, and returns it. One that was begun before is returned instead:
    /// the server may have it.
    ///
    /// # Errors
    /// [`RegistryError::UnderWay`] while a run works on the database, [`RegistryError::KeyNeeded`] without a key,
    /// [`RegistryError::DatabaseNotFound`] if it is not registered any more.
    pub async fn begin_password(
        &self,
        database: &Database,
        fresh: &SecretString,
        driver: &Driver,
    ) -> Result<NewPassword, RegistryError> {
        self.ready_to_seal().await?;
        let transaction = self.begin().await?;
        self.keep_key(&transaction).await?;
        let row = self.row_of(database).await?;
        let server = self.listed_server(database.server.as_str()).await?;
        let host = Host::of(&server);
        let tenant_id = TenantId::from_text(row.tenant_id.clone());
        let previous = match &row.previous_secret {
            Some(text) => self.open_version(&host, (&row, &tenant_id), (-1, text)).ok(),
            None => None,
        };
        if let Some(begun) = &row.next_secret {
            let next = self.open_version(&host, (&row, &tenant_id), (1, begun))?;
            let sealed = begun.clone();
            return Ok(NewPassword {
                next,
                previous,
                sealed,
            });
        }
        let databases = HashSet::from([row.id.clone()]);
        self.refuse_under_way(&transaction, &databases, driver).await?;
        let purpose = host.purpose_of(&row, &tenant_id, row.secret_version + 1)?;
        let sealed = self.seal(&at(&row).read("server_id", purpose)?, fresh)?;
        let written = Entity::update_many()
            .col_expr(Column::NextSecret, Expr::value(sealed.as_str()))
            .filter(Column::Id.eq(row.id.as_str()))
            .filter(Column::NextSecret.is_null())
            .filter(Column::SecretVersion.eq(row.secret_version))
            .exec(&transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        if written.rows_affected == 0 {
            return Err(RegistryError::PasswordChanged { name: row.name });
        }
        let label = label_of(&transaction, &row).await.map_err(|e| self.refused(&e))?;
        let change =
            Change::new(Action::SecretBegin, &row.id, &label).to(json!({"version": row.secret_version + 1}));
        self.commit_recorded(transaction, change).await?;
        let next = fresh.clone();
        Ok(NewPassword {
            next,
            previous,
            sealed,
        })
    }

    /// Puts the new password in the present one's place, which is kept as the one before.
    ///
    /// # Errors
    /// [`RegistryError::PasswordChanged`] if somebody else has replaced it since.
    pub async fn finish_password(&self, database: &Database, new: &NewPassword) -> Result<(), RegistryError> {
        let row = self.row_of(database).await?;
        let transaction = self.begin().await?;
        let written = Entity::update_many()
            .col_expr(Column::PreviousSecret, Expr::value(row.secret.clone()))
            .col_expr(Column::Secret, Expr::value(new.sealed.as_str()))
            .col_expr(Column::NextSecret, Expr::value(None::<String>))
            .col_expr(Column::SecretVersion, Expr::value(row.secret_version + 1))
            .filter(Column::Id.eq(row.id.as_str()))
            .filter(Column::NextSecret.eq(new.sealed.as_str()))
            .filter(Column::SecretVersion.eq(row.secret_version))
            .filter(Column::Secret.eq(row.secret.as_deref().unwrap_or_default()))
            .exec(&transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        if written.rows_affected == 0 {
            return Err(RegistryError::PasswordChanged { name: row.name });
        }
        let label = label_of(&transaction, &row).await.map_err(|e| self.refused(&e))?;
        let change = Change::new(Action::SecretRotate, &row.id, &label)
            .from(json!({"version": row.secret_version}))
            .to(json!({"version": row.secret_version + 1}));
        self.commit_recorded(transaction, change).await
    }

    async fn row_of(&self, database: &Database) -> Result<Model, RegistryError> {
        let row = Entity::find_by_id(database.id.as_str()).one(&self.db).await;
        row.map_err(|e| self.refused(&e))?
            .ok_or_else(|| RegistryError::DatabaseNotFound {
                id: database.id.clone(),
            })
    }

    fn open_version(
        &self,
        host: &Host<'_>,
        (row, tenant_id): (&Model, &TenantId),
        (ahead, text): (i64, &str),
    ) -> Result<SecretString, RegistryError> {
        let purpose = host.purpose_of(row, tenant_id, row.secret_version + ahead)?;
        self.open(&at(row).read("server_id", purpose)?, text)
    }
}
