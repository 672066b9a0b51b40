//! What runs did to their targets, and what is last known of each database because of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::begin::Key;
use super::detail;
use super::entities::{database, run, run_target};
use super::leases::{HeldRun, taken_over};
use super::rows::{KEY_MAX, Row, shorten};
use super::{Registry, RegistryError, now};
use crate::code::Code;
use crate::engine::Recorded;
use crate::faults::{Point, point};
use crate::migration::Version;
use crate::plan::Goal;
use crate::run::{BegunTarget, Failure, Outcome, Stage, TargetReport, TargetState};
use crate::target::{Target, TargetKey, TrackName};

/// How many rows one statement writes; twenty values each stay below every engine's limit.
const ROWS_PER_STATEMENT: usize = 500;
/// How much of an error's text is kept, in characters.
const ERROR_MAX: usize = 1_000;

/// One target of a run and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunTarget {
    /// The database's id; the registry's own id for the central database.
    pub database_id: String,
    /// The track.
    pub track: TrackName,
    /// The name that messages use.
    pub label: String,
    /// The server's name; `None` for the central database, or where none is known.
    pub server: Option<String>,
    /// The number of its wave, from 0.
    pub wave: usize,
    /// Where it is.
    pub state: TargetState,
    /// What became of it; [`Outcome::NotRun`] before it has ended.
    pub outcome: Outcome,
    /// The newest version before; `None` if unknown or nothing was applied.
    pub from_version: Option<Version>,
    /// The newest version after; `None` if unknown or nothing is applied.
    pub to_version: Option<Version>,
    /// How many migrations were applied, or reverted.
    pub migrations: usize,
    /// The stable code of the failure.
    pub error_code: Option<Code>,
    /// The failure in one short text; longer ones are cut.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How many times it was tried.
    pub attempts: usize,
    /// Why it failed and what was carried out, as the registry keeps it.
    pub detail: Option<String>,
    /// Where it shall come to, if that is another place for every target: what a look before a way back has found. It stays as
    /// it was when the run began.
    pub goal: Option<Goal>,
}

impl RunTarget {
    /// Returns what tells it apart from the run's others.
    pub(crate) fn key(&self) -> TargetKey<'_> {
        (&self.database_id, &self.track)
    }

    /// Describes a target that a run has yet to reach.
    pub fn not_run(target: &Target, wave: usize) -> Self {
        Self {
            wave,
            state: TargetState::Pending,
            ..Self::leased(&BegunTarget::of(target))
        }
    }

    /// Describes a target that a driver begins with.
    pub fn leased(begun: &BegunTarget) -> Self {
        Self {
            database_id: begun.database_id.clone(),
            track: begun.track.clone(),
            label: begun.label.clone(),
            server: begun.server.as_ref().map(ToString::to_string),
            wave: 0,
            state: TargetState::Leased,
            outcome: Outcome::NotRun,
            from_version: None,
            to_version: None,
            migrations: 0,
            error_code: None,
            error: None,
            duration_ms: 0,
            attempts: 0,
            detail: None,
            goal: None,
        }
    }

    /// Takes over what a run reports about a target. One that was not run waits: a paused run comes back to it.
    pub fn reported(report: &TargetReport) -> Self {
        Self {
            database_id: report.database_id.clone(),
            track: report.track.clone(),
            label: report.label.clone(),
            server: report.server.as_ref().map(ToString::to_string),
            wave: 0,
            state: match report.outcome {
                Outcome::NotRun => TargetState::Pending,
                Outcome::Applied
                | Outcome::Current
                | Outcome::Failed
                | Outcome::Interrupted
                | Outcome::Ambiguous
                | Outcome::Blocked
                | Outcome::Unreachable
                | Outcome::AuthFailed
                | Outcome::IdentityMismatch
                | Outcome::Ahead
                | Outcome::Modified
                | Outcome::TargetGone
                | Outcome::Skipped
                | Outcome::Cancelled => TargetState::Ended,
            },
            outcome: report.outcome,
            from_version: report.from,
            to_version: report.to,
            migrations: report.migrations.len(),
            error_code: report.failure.as_deref().map(|f| f.code),
            error: report.failure.as_deref().map(|f| f.what.clone()),
            duration_ms: u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX),
            attempts: report.attempts,
            detail: detail::write(report.failure.as_deref(), &report.migrations),
            goal: None,
        }
    }

    /// Returns why it failed, in full, and what was carried out; neither if the registry does not have it.
    pub fn detail(&self) -> (Option<Failure>, Vec<Recorded>) {
        let kept = self.detail.as_deref().and_then(detail::read);
        let (failure, migrations) = kept.unwrap_or_default();
        let bare = || Some(Failure::bare(self.error_code?, self.error.clone()?));
        (failure.or_else(bare), migrations)
    }

    /// Returns whether `to_version` is what the database is at, so that `None` means that nothing is
    /// applied. After a failure `None` means that it was not found out.
    fn tells_version(&self) -> bool {
        self.outcome.is_success() || self.to_version.is_some()
    }

    /// Returns whether the run learnt something about the database.
    fn was_reached(&self) -> bool {
        !matches!(self.outcome, Outcome::NotRun | Outcome::Skipped)
    }
}

impl Registry {
    /// Writes where targets of a run are, what became of them, and version, outcome, code and time of each database that
    /// was reached, in one transaction. What has ended stays as it is.
    ///
    /// A version that a failed target does not know leaves the last known one as it is.
    ///
    /// # Errors
    /// [`RegistryError::TakenOver`] if the run is not that driver's any more: nothing is written then.
    pub async fn record(&self, run_id: &str, epoch: i64, targets: &[RunTarget]) -> Result<(), RegistryError> {
        self.reach(run_id, epoch, None, targets).await
    }

    /// Writes where a run is among its waves, if that is given, and its targets as [`Self::record`] does, in one
    /// transaction.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub async fn reach(
        &self,
        run_id: &str,
        epoch: i64,
        stage: Option<Stage>,
        targets: &[RunTarget],
    ) -> Result<(), RegistryError> {
        if targets.is_empty() && stage.is_none() {
            return Ok(());
        }
        let transaction = self.begin().await?;
        let held = self.lock_run(&transaction, run_id).await?;
        held.lease.check(epoch).map_err(|_| taken_over(run_id))?;
        self.write_stage(&transaction, run_id, stage).await?;
        self.write_moves(&transaction, &held, targets).await?;
        point(Point::RegistryOutcomesWritten);
        self.commit(transaction).await?;
        point(Point::RegistryOutcomesRecorded);
        Ok(())
    }

    /// Writes the moves of targets that are allowed, under the run's lock.
    pub(super) async fn write_moves(
        &self,
        db: &impl ConnectionTrait,
        held: &HeldRun,
        targets: &[RunTarget],
    ) -> Result<(), RegistryError> {
        let seq = held.seq + 1;
        let written = async {
            let moved = allowed(db, &held.id, targets).await?;
            write(
                db,
                Written {
                    run_id: &held.id,
                    epoch: held.lease.epoch,
                    seq,
                },
                &moved,
            )
            .await?;
            note(db, &moved).await?;
            run::Entity::update_many()
                .col_expr(run::Column::Seq, Expr::value(seq))
                .filter(run::Column::Id.eq(&held.id))
                .exec(db)
                .await
        };
        written.await.map_err(|e| self.refused(&e))?;
        Ok(())
    }

    /// Returns the targets of a run that have not ended, by database and track.
    pub(super) async fn open_of(
        &self,
        db: &impl ConnectionTrait,
        run_id: &str,
    ) -> Result<HashSet<Key>, RegistryError> {
        use run_target::Column;
        let rows: Vec<Key> = run_target::Entity::find()
            .select_only()
            .columns([Column::DatabaseId, Column::Track])
            .filter(Column::RunId.eq(run_id))
            .filter(Column::State.ne(TargetState::Ended.as_str()))
            .into_tuple()
            .all(db)
            .await
            .map_err(|e| self.refused(&e))?;
        Ok(rows.into_iter().collect())
    }

    /// Returns every target of a run by name; empty if there is no such run.
    pub async fn targets_of(&self, run_id: &str) -> Result<Vec<RunTarget>, RegistryError> {
        let rows = run_target::Entity::find()
            .filter(run_target::Column::RunId.eq(run_id))
            .order_by_asc(run_target::Column::Label)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        rows.into_iter().map(target_of).collect()
    }

    /// Returns the targets of a run that are not as they were asked to be, by name: what a resume is
    /// about. What another run of its chain did to a target later is what counts. Empty if all are done,
    /// or if there is no such run.
    pub async fn unfinished_of(&self, run_id: &str) -> Result<Vec<RunTarget>, RegistryError> {
        let mut newest = BTreeMap::new();
        for id in self.chain_of(run_id).await? {
            for target in self.targets_of(&id).await? {
                let key = (
                    target.label.clone(),
                    target.track.clone(),
                    target.database_id.clone(),
                );
                newest.insert(key, target);
            }
        }
        let targets = newest.into_values();
        Ok(targets.filter(|target| !target.outcome.is_success()).collect())
    }

    /// Counts a run's targets by outcome.
    pub(super) async fn counts_of(&self, run_id: &str) -> Result<BTreeMap<Outcome, u64>, RegistryError> {
        let rows: Vec<(String, i64)> = run_target::Entity::find()
            .select_only()
            .column(run_target::Column::Outcome)
            .column_as(run_target::Column::DatabaseId.count(), "targets")
            .filter(run_target::Column::RunId.eq(run_id))
            .group_by(run_target::Column::Outcome)
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let at = Row {
            table: "tenantry_run_targets",
            id: run_id,
        };
        rows.into_iter()
            .map(|(word, count)| {
                let outcome = at.read("outcome", Outcome::from_word(&word))?;
                Ok((outcome, count.unsigned_abs()))
            })
            .collect()
    }
}

/// Returns the targets that may become what they are told to be: one that has ended may not.
async fn allowed(
    db: &impl ConnectionTrait,
    run_id: &str,
    targets: &[RunTarget],
) -> Result<Vec<RunTarget>, DbErr> {
    use run_target::Column;
    let mut present: HashMap<(String, String), TargetState> = HashMap::new();
    for chunk in targets.chunks(ROWS_PER_STATEMENT) {
        let ids = chunk.iter().map(|target| target.database_id.as_str());
        let rows: Vec<(String, String, String)> = run_target::Entity::find()
            .select_only()
            .columns([Column::DatabaseId, Column::Track, Column::State])
            .filter(Column::RunId.eq(run_id))
            .filter(Column::DatabaseId.is_in(ids))
            .into_tuple()
            .all(db)
            .await?;
        let known = rows.into_iter();
        present.extend(
            known.filter_map(|(id, track, state)| Some(((id, track), TargetState::from_word(&state)?))),
        );
    }
    let may = |target: &&RunTarget| {
        let key = (target.database_id.clone(), target.track.to_string());
        present
            .get(&key)
            .is_none_or(|state| state.may_become(target.state))
    };
    Ok(targets.iter().filter(may).cloned().collect())
}

/// Under which write rows are kept.
#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) run_id: &'a str,
    pub(super) epoch: i64,
    pub(super) seq: i64,
}

/// Inserts or overwrites the rows of a run's targets. The wave stays as it was.
pub(super) async fn write(
    db: &impl ConnectionTrait,
    written: Written<'_>,
    targets: &[RunTarget],
) -> Result<(), DbErr> {
    use run_target::Column;
    for chunk in targets.chunks(ROWS_PER_STATEMENT) {
        let overwrite = OnConflict::columns([Column::RunId, Column::DatabaseId, Column::Track])
            .update_columns([
                Column::Label,
                Column::State,
                Column::Attempts,
                Column::Epoch,
                Column::Seq,
                Column::Detail,
                Column::Outcome,
                Column::FromVersion,
                Column::ToVersion,
                Column::Migrations,
                Column::ErrorCode,
                Column::Error,
                Column::DurationMs,
            ])
            .to_owned();
        run_target::Entity::insert_many(chunk.iter().map(|target| row_of(written, target)))
            .on_conflict(overwrite)
            .exec_without_returning(db)
            .await?;
    }
    Ok(())
}

/// Notes at the databases what a run found. Most share version and outcome, so that few statements do.
pub(super) async fn note(db: &impl ConnectionTrait, targets: &[RunTarget]) -> Result<(), DbErr> {
    use database::Column;
    let mut alike: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for target in targets.iter().filter(|t| t.was_reached()) {
        alike
            .entry((
                target.outcome,
                target.tells_version(),
                target.to_version,
                target.error_code,
            ))
            .or_default()
            .push(&target.database_id);
    }
    let checked_at = now();
    for ((outcome, tells_version, version, code), ids) in alike {
        for ids in ids.chunks(ROWS_PER_STATEMENT) {
            let mut update = database::Entity::update_many()
                .col_expr(Column::Outcome, Expr::value(outcome.as_str()))
                .col_expr(Column::ErrorCode, Expr::value(code.map(|c| i32::from(c.0))))
                .col_expr(Column::CheckedAt, Expr::value(checked_at));
            if tells_version {
                update = update.col_expr(Column::Version, Expr::value(version.map(Version::number)));
            }
            update
                .filter(Column::Id.is_in(ids.iter().copied()))
                .exec(db)
                .await?;
        }
    }
    Ok(())
}

fn row_of(written: Written<'_>, target: &RunTarget) -> run_target::ActiveModel {
    run_target::ActiveModel {
        run_id: Set(written.run_id.to_owned()),
        server: Set(target.server.clone()),
        wave: Set(i32::try_from(target.wave).unwrap_or(i32::MAX)),
        state: Set(target.state.as_str().to_owned()),
        attempts: Set(i32::try_from(target.attempts).unwrap_or(i32::MAX)),
        epoch: Set(written.epoch),
        seq: Set(written.seq),
        detail: Set(target.detail.clone()),
        goal: Set(target.goal.as_ref().map(ToString::to_string)),
        database_id: Set(target.database_id.clone()),
        track: Set(target.track.to_string()),
        label: Set(shorten(&target.label, KEY_MAX)),
        outcome: Set(target.outcome.as_str().to_owned()),
        from_version: Set(target.from_version.map(Version::number)),
        to_version: Set(target.to_version.map(Version::number)),
        migrations: Set(i32::try_from(target.migrations).unwrap_or(i32::MAX)),
        error_code: Set(target.error_code.map(|c| i32::from(c.0))),
        error: Set(target.error.as_deref().map(|e| shorten(e, ERROR_MAX))),
        duration_ms: Set(i64::try_from(target.duration_ms).unwrap_or(i64::MAX)),
    }
}

pub(super) fn target_of(row: run_target::Model) -> Result<RunTarget, RegistryError> {
    let at = Row {
        table: "tenantry_run_targets",
        id: &row.run_id,
    };
    Ok(RunTarget {
        track: at.read("track", TrackName::from_text(&row.track))?,
        outcome: at.read("outcome", Outcome::from_word(&row.outcome))?,
        from_version: at.version("from_version", row.from_version)?,
        to_version: at.version("to_version", row.to_version)?,
        migrations: usize::try_from(row.migrations).unwrap_or(0),
        error_code: at.code(row.error_code)?,
        duration_ms: row.duration_ms.unsigned_abs(),
        wave: usize::try_from(row.wave).unwrap_or(0),
        state: at.read("state", TargetState::from_word(&row.state))?,
        attempts: usize::try_from(row.attempts).unwrap_or(0),
        goal: at.read_opt("goal", row.goal.as_deref(), Goal::from_text)?,
        server: row.server,
        detail: row.detail,
        database_id: row.database_id,
        label: row.label,
        error: row.error,
    })
}
