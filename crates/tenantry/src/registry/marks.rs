//! Marks in the registry: what somebody declared about a migration, why, and what became of it where.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _,
    QueryFilter as _, QueryOrder as _,
};
use serde_json::json;

use super::audit::{Action, Change};
use super::entities::{database, mark, mark_target};
use super::rows::{KEY_MAX, Row, shorten};
use super::{Registry, RegistryError, now};
use crate::code::Code;
use crate::migration::Version;
use crate::run::Outcome;
use crate::target::{Target, TrackName};

/// How many rows one statement writes; seven values each stay below every engine's limit.
const ROWS_PER_STATEMENT: usize = 500;
/// How much of a reason or of an error's text is kept, in characters.
const TEXT_MAX: usize = 1_000;

/// What somebody declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMark {
    /// Its id, from [`crate::run::new_mark_id`].
    pub id: String,
    /// The command as it was given, without secrets.
    pub command: String,
    /// What is declared, in one word.
    pub says: &'static str,
    /// About which migration.
    pub version: Version,
    /// About which statement, from 1, and what was known of it; `None` for the migration as a whole.
    pub statement: Option<(usize, String)>,
    /// Why; longer ones than 1,000 characters are cut.
    pub reason: String,
    /// Who declares it.
    pub actor: String,
    /// Where.
    pub targets: Vec<MarkTarget>,
}

/// A mark in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkRecord {
    /// Its id: `mark_` and eight letters or digits.
    pub id: String,
    /// The command as it was given.
    pub command: String,
    /// What was declared, in one word.
    pub says: String,
    /// About which migration.
    pub version: Version,
    /// Why.
    pub reason: String,
    /// When it began, in microseconds since 1970-01-01 UTC.
    pub started_at: i64,
    /// When it ended; `None` while it is going on, or if its process died.
    pub finished_at: Option<i64>,
    /// Who declared it.
    pub actor: String,
}

/// One target of a mark and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkTarget {
    /// The database's id; the registry's own id for the central database.
    pub database_id: String,
    /// The track.
    pub track: TrackName,
    /// The name that messages use.
    pub label: String,
    /// How many rows of its history were changed; `None` as long as nothing is known, or after a failure.
    pub changed: Option<usize>,
    /// How the database stands behind it; `None` if it is not known.
    pub known: Option<Known>,
    /// The stable code and the text of the failure.
    pub error: Option<(Code, String)>,
}

/// How a database stands behind a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// What a run would make of it.
    pub outcome: Outcome,
    /// The stable code of what is in a run's way; `None` if nothing is.
    pub code: Option<Code>,
    /// The newest version that is done; `None` if none is.
    pub version: Option<Version>,
}

impl MarkTarget {
    /// Describes a target that a mark has yet to reach.
    pub fn waiting(target: &Target) -> Self {
        Self {
            database_id: target.database_id.clone(),
            track: target.track.clone(),
            label: target.label(),
            changed: None,
            known: None,
            error: None,
        }
    }
}

impl Registry {
    /// Writes a mark and its targets, before anything is declared anywhere, in one transaction.
    pub async fn begin_mark(&self, new: &NewMark) -> Result<(), RegistryError> {
        let row = mark::ActiveModel {
            id: Set(new.id.clone()),
            command: Set(new.command.clone()),
            says: Set(new.says.to_owned()),
            version: Set(new.version.number()),
            statement: Set(new
                .statement
                .as_ref()
                .map(|(at, _)| i32::try_from(*at).unwrap_or(i32::MAX))),
            evidence: Set(new.statement.as_ref().map(|(_, evidence)| shorten(evidence, 64))),
            reason: Set(shorten(&new.reason, TEXT_MAX)),
            started_at: Set(now()),
            finished_at: Set(None),
            actor: Set(shorten(&new.actor, 255)),
        };
        let transaction = self.begin().await?;
        let written = async {
            mark::Entity::insert(row)
                .exec_without_returning(&transaction)
                .await?;
            write(&transaction, &new.id, &new.targets).await
        };
        written.await.map_err(|e| self.refused(&e))?;
        let change = Change::new(Action::HistoryMark, &new.id, &new.command).to(json!({
            "says": new.says,
            "version": new.version.to_string(),
            "targets": new.targets.iter().map(|target| target.label.as_str()).collect::<Vec<_>>(),
            "by": new.actor,
            "reason": new.reason,
        }));
        self.commit_recorded(transaction, change).await
    }

    /// Writes what became of a mark on its targets, what is known of those databases now, and that it has ended,
    /// in one transaction.
    pub async fn finish_mark(&self, id: &str, targets: &[MarkTarget]) -> Result<(), RegistryError> {
        let transaction = self.begin().await?;
        let written = async {
            write(&transaction, id, targets).await?;
            for target in targets {
                note(&transaction, target).await?;
            }
            mark::Entity::update_many()
                .col_expr(mark::Column::FinishedAt, Expr::value(now()))
                .filter(mark::Column::Id.eq(id))
                .exec(&transaction)
                .await
        };
        written.await.map_err(|e| self.refused(&e))?;
        self.commit(transaction).await
    }

    /// Returns every mark that changed a database's history, or may have, oldest first; empty if there is none.
    pub async fn marks_of(&self, database_id: &str) -> Result<Vec<MarkRecord>, RegistryError> {
        let of_database = mark_target::Entity::find()
            .filter(mark_target::Column::DatabaseId.eq(database_id))
            .filter(mark_target::Column::ErrorCode.is_null())
            .filter(
                Condition::any()
                    .add(mark_target::Column::Changed.ne(0))
                    .add(mark_target::Column::Changed.is_null()),
            )
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let ids = of_database.into_iter().map(|row| row.mark_id);
        let rows = mark::Entity::find()
            .filter(mark::Column::Id.is_in(ids))
            .order_by_asc(mark::Column::StartedAt)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        rows.into_iter().map(record_of).collect()
    }

    /// Returns the targets, as database id and track, on which the newest decision about a statement, counted from
    /// 1, is this very one; a mark that nobody heard the end of counts as decided too.
    pub async fn decided(
        &self,
        version: Version,
        (statement, evidence): (usize, &str),
        says: &str,
    ) -> Result<HashSet<(String, String)>, RegistryError> {
        let statement = i32::try_from(statement).unwrap_or(i32::MAX);
        let marks = mark::Entity::find()
            .filter(mark::Column::Version.eq(version.number()))
            .filter(mark::Column::Statement.eq(statement))
            .order_by_asc(mark::Column::StartedAt)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let mut newest: HashMap<(String, String), bool> = HashMap::new();
        for mark in marks {
            let is_same = mark.says == says && mark.evidence.as_deref() == Some(evidence);
            let reached = mark_target::Entity::find()
                .filter(mark_target::Column::MarkId.eq(mark.id))
                .filter(mark_target::Column::ErrorCode.is_null())
                .all(&self.db)
                .await
                .map_err(|e| self.refused(&e))?;
            // Another decision that may not have reached a target takes nothing back.
            for target in reached.into_iter().filter(|t| is_same || t.changed.is_some()) {
                newest.insert((target.database_id, target.track), is_same);
            }
        }
        let same = newest.into_iter().filter(|(_, is_same)| *is_same);
        Ok(same.map(|(target, _)| target).collect())
    }
}

async fn write(db: &impl ConnectionTrait, id: &str, targets: &[MarkTarget]) -> Result<(), DbErr> {
    use mark_target::Column;
    for chunk in targets.chunks(ROWS_PER_STATEMENT) {
        let overwrite = OnConflict::columns([Column::MarkId, Column::DatabaseId, Column::Track])
            .update_columns([Column::Changed, Column::ErrorCode, Column::Error])
            .to_owned();
        mark_target::Entity::insert_many(chunk.iter().map(|target| row_of(id, target)))
            .on_conflict(overwrite)
            .exec_without_returning(db)
            .await?;
    }
    Ok(())
}

/// Notes at a database what its history says now.
async fn note(db: &impl ConnectionTrait, target: &MarkTarget) -> Result<(), DbErr> {
    use database::Column;
    let Some(known) = &target.known else {
        return Ok(());
    };
    let code = known.code.map(|code| i32::from(code.0));
    database::Entity::update_many()
        .col_expr(Column::Outcome, Expr::value(known.outcome.as_str()))
        .col_expr(Column::ErrorCode, Expr::value(code))
        .col_expr(Column::Version, Expr::value(known.version.map(Version::number)))
        .col_expr(Column::CheckedAt, Expr::value(now()))
        .filter(Column::Id.eq(target.database_id.as_str()))
        .exec(db)
        .await?;
    Ok(())
}

fn row_of(id: &str, target: &MarkTarget) -> mark_target::ActiveModel {
    let changed = target.changed.map(|n| i32::try_from(n).unwrap_or(i32::MAX));
    mark_target::ActiveModel {
        mark_id: Set(id.to_owned()),
        database_id: Set(target.database_id.clone()),
        track: Set(target.track.to_string()),
        label: Set(shorten(&target.label, KEY_MAX)),
        changed: Set(changed),
        error_code: Set(target.error.as_ref().map(|(code, _)| i32::from(code.0))),
        error: Set(target.error.as_ref().map(|(_, text)| shorten(text, TEXT_MAX))),
    }
}

fn record_of(row: mark::Model) -> Result<MarkRecord, RegistryError> {
    let at = Row {
        table: "tenantry_marks",
        id: &row.id,
    };
    let version = at.version("version", Some(row.version))?;
    Ok(MarkRecord {
        version: at.read("version", version)?,
        id: row.id,
        command: row.command,
        says: row.says,
        reason: row.reason,
        started_at: row.started_at,
        finished_at: row.finished_at,
        actor: row.actor,
    })
}
