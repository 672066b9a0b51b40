//! The audit: every change of the registry leaves a row in its own transaction, chained to the row before.

mod action;
mod chain;
mod trail;

use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _, QueryFilter as _,
};
use serde_json::Value;

pub use action::Action;
pub use chain::{AuditHead, AuditRow};
pub use trail::{AuditFinding, AuditQuery, Verified};

use super::entities::{audit, audit_head};
use super::rows::shorten;
use super::{Registry, RegistryError, clock};
use crate::run::Driver;

/// The longest actor, origin and name that a row holds, in characters.
const WORD_MAX: usize = 255;
/// The longest reason that a row holds, in characters.
const REASON_MAX: usize = 2_000;
/// The id of the one row of the head's table.
const HEAD: i32 = 1;

/// Who changes the registry through one handle of it, from where, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedBy {
    /// A person, a token, or a program.
    pub actor: String,
    /// The program and the machine, or the address that a request came from.
    pub origin: String,
    /// Why, in somebody's words; `None` if nobody said.
    pub reason: Option<String>,
}

impl Default for ChangedBy {
    /// Describes a program that uses the library and says nothing of who it acts for.
    fn default() -> Self {
        Self {
            actor: "library".to_owned(),
            origin: Driver::for_people(Driver::this().as_str()),
            reason: None,
        }
    }
}

/// One change, as its row tells it; never with a secret in it.
#[derive(Debug)]
pub(super) struct Change {
    action: Action,
    /// What it is about, for good: `tenant:<id>`.
    object: String,
    /// What people called that at the time.
    name: String,
    before: Option<Value>,
    after: Option<Value>,
}

impl Change {
    /// Describes a change of the thing of a kind with an id that never changes.
    pub(super) fn new(action: Action, id: &str, name: &str) -> Self {
        Self {
            object: format!("{}:{id}", action.kind()),
            action,
            name: name.to_owned(),
            before: None,
            after: None,
        }
    }

    /// Adds what was so before.
    pub(super) fn from(self, before: Value) -> Self {
        Self {
            before: Some(before),
            ..self
        }
    }

    /// Adds what is so afterwards.
    pub(super) fn to(self, after: Value) -> Self {
        Self {
            after: Some(after),
            ..self
        }
    }
}

impl Registry {
    /// Returns the same registry; what is changed through it from now on is recorded as this one's.
    #[must_use]
    pub fn changed_by(mut self, by: ChangedBy) -> Self {
        self.by = Arc::new(by);
        self
    }

    /// Writes what was changed, and commits both: without its row there is no change.
    ///
    /// The row comes last, because whoever writes one holds up every other change until the commit.
    pub(super) async fn commit_recorded(
        &self,
        transaction: DatabaseTransaction,
        change: Change,
    ) -> Result<(), RegistryError> {
        self.record_change(&transaction, change)
            .await
            .map_err(|e| self.refused(&e))?;
        self.commit(transaction).await
    }

    /// Writes the row of a change behind the newest one. The commit must be the next thing that happens.
    pub(super) async fn record_change(
        &self,
        transaction: &DatabaseTransaction,
        change: Change,
    ) -> Result<(), DbErr> {
        use audit_head::{Column, Entity};
        Entity::update_many()
            .col_expr(Column::Seq, Expr::col(Column::Seq).add(1))
            .filter(Column::Id.eq(HEAD))
            .exec(transaction)
            .await?;
        let head = Entity::find_by_id(HEAD).one(transaction).await?;
        let head = head.ok_or_else(|| DbErr::RecordNotFound("tenantry_audit_head is empty".to_owned()))?;
        let mut row = AuditRow {
            seq: head.seq,
            changed_at: clock::now(transaction, self.engine).await?,
            actor: shorten(&self.by.actor, WORD_MAX),
            origin: shorten(&self.by.origin, WORD_MAX),
            action: change.action.as_str().to_owned(),
            object: shorten(&change.object, WORD_MAX),
            name: shorten(&change.name, WORD_MAX),
            before: change.before.map(|value| value.to_string()),
            after: change.after.map(|value| value.to_string()),
            reason: self.by.reason.as_deref().map(|text| shorten(text, REASON_MAX)),
            hash: String::new(),
        };
        row.hash = row.hash_behind(&head.hash);
        Entity::update_many()
            .col_expr(Column::Hash, Expr::value(row.hash.as_str()))
            .filter(Column::Id.eq(HEAD))
            .exec(transaction)
            .await?;
        let row = audit::ActiveModel::from(audit::Model::from(row)).reset_all();
        audit::Entity::insert(row)
            .exec_without_returning(transaction)
            .await?;
        Ok(())
    }
}
