//! Runs in the registry: begun, finished, found again.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Func, IntoTableRef as _, Query, SelectStatement};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::entities::{run, run_target};
use super::leases::taken_over;
use super::rows::Row;
use super::run_targets::RunTarget;
use super::{Registry, RegistryError};
use crate::direction::Direction;
use crate::faults::{Point, point};
use crate::plan::Goal;
use crate::run::{Outcome, Reach, RunStatus, Stage};
use crate::selection::nearest;
use crate::target::TrackName;

/// Among how many of the newest runs a misspelled id is looked for.
const NEAREST_AMONG: u64 = 500;
/// How many of the runs that begin alike are named.
const CANDIDATES: u64 = 3;
/// How many database ids one query may name; SQLite takes 32,766 values, others more.
const IDS_PER_QUERY: usize = 1_000;

/// How the command of a run begins that belongs to the creation of a database.
pub(crate) const PROVISION: &str = "provision ";

/// The word in the `status` column of a run that has not ended.
pub(super) const RUNNING: &str = "running";

/// How a run ends in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// Its word.
    pub status: RunStatus,
    /// Why it ended early, in one word.
    pub cause: Option<String>,
    /// Where it is among its waves; `None` leaves what is known.
    pub stage: Option<Stage>,
}

/// What is needed to begin a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// Its id, from [`crate::run::new_run_id`].
    pub id: String,
    /// The command as it was given, without secrets.
    pub command: String,
    /// Forwards or backwards.
    pub direction: Direction,
    /// The run that it takes back, if it takes back one: the first of a chain.
    pub reverts: Option<String>,
    /// Where it was told to lead.
    pub goal: Goal,
    /// About whom it is.
    pub reach: Reach,
    /// The run whose work it goes on with, if it is a resume: the first of a chain.
    pub continues: Option<String>,
    /// Who began it.
    pub actor: String,
    /// Why, in somebody's words.
    pub reason: Option<String>,
    /// What the files were, as text, and a hash of it: two runs of one plan do the same.
    pub plan: RunPlan,
    /// Its waves and rules, as the registry keeps them.
    pub rollout: String,
    /// How many targets may run at once.
    pub concurrency: usize,
    /// What it will work on, usually each [`RunTarget::not_run`]: a run that is killed can then be resumed.
    pub targets: Vec<RunTarget>,
    /// How many further targets were seen to be current, and are not listed: the registry knows it of each.
    pub found_current: usize,
}

/// What the files of a run were when it was planned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunPlan {
    /// The tracks with their migrations, as JSON.
    pub text: String,
    /// A hash of that, of the direction and of the goal, in hexadecimal.
    pub hash: String,
}

/// A run in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its id: `run_` and eight letters or digits.
    pub id: String,
    /// The command as it was given.
    pub command: String,
    /// Forwards or backwards.
    pub direction: Direction,
    /// The run that it takes back, if it takes back one: the first of a chain.
    pub reverts: Option<String>,
    /// Where it was told to lead; `None` for a run that was recorded before this was kept.
    pub goal: Option<Goal>,
    /// The run whose work it goes on with, if it is a resume: the first of a chain.
    pub continues: Option<String>,
    /// When it began, in microseconds since 1970-01-01 UTC.
    pub started_at: i64,
    /// When it ended; `None` while it is running.
    pub finished_at: Option<i64>,
    /// How it ended; `None` while it is going on, or if its process died.
    pub status: Option<RunStatus>,
    /// Who began it.
    pub actor: String,
    /// Why, in somebody's words.
    pub reason: Option<String>,
    /// What the files were when it was planned; empty for a run that was recorded before this was kept.
    pub plan: RunPlan,
    /// Its waves and rules, as the registry keeps them; `None` likewise.
    pub rollout: Option<String>,
    /// How many targets may run at once; 0 likewise.
    pub concurrency: usize,
    /// The number of the wave that it is in, from 0.
    pub wave: usize,
    /// Until when nothing begins behind that one, in microseconds since 1970-01-01 UTC by the registry's clock; `None`
    /// while it is worked on.
    pub soaks_until: Option<i64>,
    /// Who drives it, or did last; `None` likewise.
    pub driver: Option<String>,
    /// How often somebody began to drive it, or took it from its driver; more than that after some takeovers.
    pub epoch: i64,
    /// Why it ended early, in one word; `None` if it did not.
    pub cause: Option<String>,
    /// How many targets were seen to be current and are not listed.
    pub found_current: u64,
    /// How many targets have which outcome.
    pub counts: BTreeMap<Outcome, u64>,
}

impl Run {
    /// Returns the first run of the chain that it belongs to: itself, unless it is a resume.
    pub fn first_of_chain(&self) -> &str {
        self.continues.as_deref().unwrap_or(&self.id)
    }

    /// Returns whether a new database got its migrations in it.
    pub fn is_creation(&self) -> bool {
        self.command.starts_with(PROVISION)
    }
}

/// Which runs are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// Those over the fleet: not those in which a new database got its migrations.
    OverTheFleet,
}

impl Which {
    fn condition(self) -> Condition {
        match self {
            Self::All => Condition::all(),
            Self::OverTheFleet => Condition::all().add(run::Column::Command.starts_with(PROVISION).not()),
        }
    }
}

impl Registry {
    /// Writes the last outcomes of a run, as [`Registry::record`] does, and that and how it has ended, in one
    /// transaction.
    ///
    /// # Errors
    /// [`RegistryError::TakenOver`] if the run is not that driver's any more: nothing is written then.
    pub async fn finish_run(
        &self,
        id: &str,
        epoch: i64,
        end: &RunEnd,
        outcomes: &[RunTarget],
    ) -> Result<(), RegistryError> {
        let transaction = self.begin().await?;
        let held = self.lock_run(&transaction, id).await?;
        let over = held.lease.end(epoch, end.status).map_err(|_| taken_over(id))?;
        self.write_moves(&transaction, &held, outcomes).await?;
        self.write_lease(&transaction, id, &over).await?;
        self.write_stage(&transaction, id, end.stage).await?;
        let now = self.clock(&transaction).await?;
        let update = run::Entity::update_many()
            .col_expr(run::Column::Cause, Expr::value(end.cause.clone()))
            .col_expr(run::Column::FinishedAt, Expr::value(now))
            .filter(run::Column::Id.eq(id));
        update.exec(&transaction).await.map_err(|e| self.refused(&e))?;
        point(Point::RegistryEndWritten);
        self.commit(transaction).await?;
        point(Point::RegistryRunFinished);
        Ok(())
    }

    /// Finds a run by its id or the beginning of it; `run_` may be left out.
    ///
    /// Fails with [`RegistryError::RunNotFound`] if there is none, with the nearest ids, and with
    /// [`RegistryError::SeveralRuns`] if several begin so.
    pub async fn find_run(&self, id_or_prefix: &str) -> Result<Run, RegistryError> {
        let full = if id_or_prefix.starts_with("run_") {
            id_or_prefix.to_owned()
        } else {
            format!("run_{id_or_prefix}")
        };
        // `~` sorts behind every letter of an id; LIKE would take the underscore for a wildcard.
        let begin_so = run::Entity::find()
            .filter(run::Column::Id.gte(full.clone()))
            .filter(run::Column::Id.lt(format!("{full}~")));
        let rows = begin_so
            .clone()
            .order_by_asc(run::Column::Id)
            .limit(CANDIDATES)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        if let Some(row) = rows.iter().find(|r| r.id == full) {
            return self.run_of(row).await;
        }
        let given = id_or_prefix.to_owned();
        match rows.as_slice() {
            [row] => self.run_of(row).await,
            [] => {
                let nearest = self.nearest_runs(&full).await?;
                Err(RegistryError::RunNotFound { given, nearest })
            }
            several => Err(RegistryError::SeveralRuns {
                given,
                runs: begin_so.count(&self.db).await.map_err(|e| self.refused(&e))?,
                candidates: several.iter().map(|row| row.id.clone()).collect(),
            }),
        }
    }

    /// Returns the newest runs, the newest first, at most so many; none if there are none.
    pub async fn runs(&self, which: Which, limit: u64) -> Result<Vec<Run>, RegistryError> {
        let rows = run::Entity::find()
            .filter(which.condition())
            .order_by_desc(run::Column::StartedAt)
            .order_by_desc(run::Column::Id)
            .limit(limit)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let mut runs = Vec::with_capacity(rows.len());
        for row in &rows {
            runs.push(self.run_of(row).await?);
        }
        Ok(runs)
    }

    /// Counts the runs in which new databases got their migrations: those that [`Which::OverTheFleet`] leaves out.
    pub async fn creations(&self) -> Result<u64, RegistryError> {
        run::Entity::find()
            .filter(run::Column::Command.starts_with(PROVISION))
            .count(&self.db)
            .await
            .map_err(|e| self.refused(&e))
    }

    /// Returns the run forwards over the fleet that began last; `None` if there was none. The run in which
    /// a new database got its migrations is part of creating it, and finished by that.
    pub async fn latest_run_up(&self) -> Result<Option<Run>, RegistryError> {
        let row = run::Entity::find()
            .filter(run::Column::Direction.eq(Direction::Up.to_string()))
            .filter(run::Column::Command.starts_with(PROVISION).not())
            .order_by_desc(run::Column::StartedAt)
            .order_by_desc(run::Column::Id)
            .one(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        match row {
            Some(row) => Ok(Some(self.run_of(&row).await?)),
            None => Ok(None),
        }
    }

    /// Returns a run and those that went on with its work, oldest first: what a rollback takes for one.
    /// Any run of the chain may be given; empty if there is no such run.
    pub async fn chain_of(&self, run_id: &str) -> Result<Vec<String>, RegistryError> {
        let row = run::Entity::find_by_id(run_id).one(&self.db).await;
        let Some(row) = row.map_err(|e| self.refused(&e))? else {
            return Ok(Vec::new());
        };
        let first = row.continues.unwrap_or(row.id);
        let chain = Condition::any()
            .add(run::Column::Id.eq(&first))
            .add(run::Column::Continues.eq(&first));
        run::Entity::find()
            .select_only()
            .column(run::Column::Id)
            .filter(chain)
            .order_by_asc(run::Column::StartedAt)
            .order_by_asc(run::Column::Id)
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))
    }

    /// Returns the newest run over the fleet that applied migrations of a track and was not taken back, of
    /// those that began before another (any, with `None`): what a rollback without further words is about,
    /// with the rest of its chain. `None` if there is none. What a new database got while it was created is
    /// part of creating it.
    ///
    /// It must have changed one of `databases`; with none given, any. What a database still holds of
    /// the run is in its own history; where steps of it were taken back one by one, or the run was killed
    /// before it came there, that may be nothing.
    pub async fn run_with_changes_before(
        &self,
        track: &TrackName,
        databases: &[String],
        before: Option<&Run>,
    ) -> Result<Option<Run>, RegistryError> {
        let mut newest: Option<run::Model> = None;
        let whole_fleet = [[].as_slice()];
        let chunks: Vec<&[String]> = databases.chunks(IDS_PER_QUERY).collect();
        for chunk in if chunks.is_empty() {
            whole_fleet.to_vec()
        } else {
            chunks
        } {
            let found = self.last_change(track, chunk, before).await?;
            newest = newest
                .into_iter()
                .chain(found)
                .max_by_key(|r| (r.started_at, r.id.clone()));
        }
        match newest {
            Some(row) => Ok(Some(self.run_of(&row).await?)),
            None => Ok(None),
        }
    }

    async fn last_change(
        &self,
        track: &TrackName,
        databases: &[String],
        before: Option<&Run>,
    ) -> Result<Option<run::Model>, RegistryError> {
        run::Entity::find()
            .filter(begun_before(before))
            .filter(run::Column::Direction.eq(Direction::Up.to_string()))
            .filter(run::Column::Command.starts_with(PROVISION).not())
            .filter(run::Column::Id.in_subquery(changed(track, databases)))
            .order_by_desc(run::Column::StartedAt)
            .order_by_desc(run::Column::Id)
            .one(&self.db)
            .await
            .map_err(|e| self.refused(&e))
    }

    async fn nearest_runs(&self, given: &str) -> Result<Vec<String>, RegistryError> {
        let ids: Vec<String> = run::Entity::find()
            .select_only()
            .column(run::Column::Id)
            .order_by_desc(run::Column::StartedAt)
            .limit(NEAREST_AMONG)
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        Ok(nearest(given, ids.iter().map(String::as_str)))
    }

    pub(super) async fn run_of(&self, row: &run::Model) -> Result<Run, RegistryError> {
        let at = Row {
            table: "tenantry_runs",
            id: &row.id,
        };
        let direction = [Direction::Up, Direction::Down]
            .into_iter()
            .find(|d| d.to_string() == row.direction);
        let ended = Some(row.status.as_str()).filter(|word| *word != RUNNING);
        Ok(Run {
            id: row.id.clone(),
            command: row.command.clone(),
            direction: at.read("direction", direction)?,
            reverts: row.reverts.clone(),
            goal: at.read_opt("goal", row.goal.as_deref(), Goal::from_text)?,
            continues: row.continues.clone(),
            started_at: row.started_at,
            finished_at: row.finished_at,
            status: at.read_opt("status", ended, RunStatus::from_word)?,
            actor: row.actor.clone(),
            reason: row.reason.clone(),
            plan: RunPlan {
                text: row.plan.clone().unwrap_or_default(),
                hash: row.plan_hash.clone().unwrap_or_default(),
            },
            rollout: row.rollout.clone(),
            concurrency: row.concurrency.and_then(|n| usize::try_from(n).ok()).unwrap_or(0),
            wave: usize::try_from(row.wave).unwrap_or(0),
            soaks_until: row.soaks_until,
            driver: row.driver.clone(),
            epoch: row.epoch,
            cause: row.cause.clone(),
            found_current: row.found_current.unsigned_abs(),
            counts: self.counts_of(&row.id).await?,
        })
    }
}

/// Restricts runs to those that began before one; to none if there is none.
pub(super) fn begun_before(run: Option<&Run>) -> Condition {
    let Some(run) = run else {
        return Condition::all();
    };
    let earlier_id = Condition::all()
        .add(run::Column::StartedAt.eq(run.started_at))
        .add(run::Column::Id.lt(&run.id));
    Condition::any()
        .add(run::Column::StartedAt.lt(run.started_at))
        .add(earlier_id)
}

/// Selects the runs that changed one of these databases, or any if none is given, by migrations that
/// no later run took back there; a run that takes back a chain names its first run. A resume that came after
/// that is of the chain, and was not taken back. So is counted what a run that has not ended was to reach:
/// if its process died, only the history knows what it did there.
fn changed(track: &TrackName, databases: &[String]) -> SelectStatement {
    use run_target::Column;
    let (changed, changed_run) = (Alias::new("changed"), Alias::new("changed_run"));
    let (back, back_run) = (Alias::new("back"), Alias::new("back_run"));
    let of_changed = |column: Column| Expr::col((changed.clone(), column));
    let of_back = |column: Column| Expr::col((back.clone(), column));
    let first_of_chain = Func::coalesce([
        Expr::col((changed_run.clone(), run::Column::Continues)),
        Expr::col((changed_run.clone(), run::Column::Id)),
    ]);
    let taken_back = Query::select()
        .expr(Expr::value(1))
        .from_as(run_target::Entity, back.clone())
        .inner_join(
            run::Entity.into_table_ref().alias(back_run.clone()),
            Expr::col((back_run.clone(), run::Column::Id)).equals((back.clone(), Column::RunId)),
        )
        .and_where(Expr::col((back_run.clone(), run::Column::Reverts)).eq(first_of_chain))
        .and_where(
            Expr::col((back_run, run::Column::StartedAt))
                .gt(Expr::col((changed_run.clone(), run::Column::StartedAt))),
        )
        .and_where(of_back(Column::DatabaseId).equals((changed.clone(), Column::DatabaseId)))
        .and_where(of_back(Column::Track).equals((changed.clone(), Column::Track)))
        .and_where(of_back(Column::Migrations).gt(0))
        .take();
    let maybe = Condition::all()
        .add(of_changed(Column::Outcome).eq(Outcome::NotRun.as_str()))
        .add(Expr::col((changed_run.clone(), run::Column::FinishedAt)).is_null());
    let has_changed = Condition::any()
        .add(of_changed(Column::Migrations).gt(0))
        .add(maybe);
    let mut select = Query::select()
        .column((changed.clone(), Column::RunId))
        .from_as(run_target::Entity, changed.clone())
        .inner_join(
            run::Entity.into_table_ref().alias(changed_run.clone()),
            Expr::col((changed_run, run::Column::Id)).equals((changed.clone(), Column::RunId)),
        )
        .and_where(of_changed(Column::Track).eq(track.to_string()))
        .cond_where(has_changed)
        .and_where(Expr::exists(taken_back).not())
        .take();
    if !databases.is_empty() {
        select.and_where(of_changed(Column::DatabaseId).is_in(databases));
    }
    select
}
