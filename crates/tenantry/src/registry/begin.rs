//! Runs that begin: one after the other, so that none overlooks another over the same targets.

use std::collections::HashSet;

use sea_orm::sea_query::{Alias, LockType, Query};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DatabaseTransaction, EntityTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde_json::json;

use super::again::again;
use super::audit::{Action, Change};
use super::entities::{run, run_target};
use super::leases::lease_of;
use super::rows::shorten;
use super::run_targets::{self, Written};
use super::runs::{NewRun, RUNNING};
use super::{Registry, RegistryError};
use crate::faults::{Point, point};
use crate::plan::Goal;
use crate::run::{
    Driver, Found, Interest, Kinship, Lease, Meeting, Outcome, Overlap, Reach, RunStatus, Standing,
    TargetState,
};

/// A database and its track.
pub(super) type Key = (String, String);

/// What a run wants that begins, or is gone on with.
pub(super) struct Wish<'a> {
    pub(super) run_id: &'a str,
    /// Its files; empty for what is like no other run.
    pub(super) plan_hash: &'a str,
    /// The run that it goes on with.
    pub(super) continues: Option<&'a str>,
    /// About whom it is.
    pub(super) reach: Reach,
    /// Where its targets shall come to; `None` where each target's own goal is known.
    pub(super) goal: Option<&'a Goal>,
    /// The targets that it works on.
    pub(super) wanted: &'a HashSet<Key>,
}

impl Wish<'_> {
    /// Returns whether a run keeps it from its targets that goes back by steps, and that nobody drives: how far those have
    /// gone is not known before somebody goes on with it or gives it up. A paused one has written that down, and keeps off
    /// only who would count its steps anew.
    fn is_barred_by(&self, row: &run::Model, standing: Standing, overlap: Overlap) -> bool {
        let is_by_steps = |goal: &Goal| matches!(goal, Goal::BackSteps(_));
        let theirs = row.goal.as_deref().and_then(Goal::from_text);
        let bars = match standing {
            Standing::Running => true,
            Standing::Over(_) => self.goal.is_some_and(is_by_steps),
        };
        bars && overlap.open_wanted > 0 && theirs.as_ref().is_some_and(is_by_steps)
    }
}

/// What became of the wish to begin a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is written, and this process drives it under this epoch.
    New(i64),
    /// Another process drives a run of the same plan that covers it.
    Attached {
        /// That run.
        run_id: String,
        /// Who drives it.
        driver: String,
    },
    /// A run of the same plan had lost its driver; this process drives it now.
    Taken {
        /// That run.
        run_id: String,
        /// Its new epoch.
        epoch: i64,
        /// Who drove it.
        from: String,
    },
    /// Other runs have some of its targets.
    Held(Vec<Holding>),
    /// A run that nobody drives is in the way: it is gone on with, or given up.
    Waits {
        /// That run.
        run_id: String,
        /// Why.
        standstill: Standstill,
    },
}

/// Why a run that nobody drives keeps another one from beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standstill {
    /// It waits at a gate and has some of the targets.
    AtGate,
    /// Somebody paused it; likewise.
    Paused,
    /// It goes back by steps and lost its driver on the way: nobody knows how far its targets have gone.
    HalfWayBack,
}

impl Standstill {
    /// Returns why a run stands that is paused, by the cause that the registry keeps.
    pub(super) fn of_paused(cause: Option<&str>) -> Self {
        match cause {
            Some("gate") => Self::AtGate,
            Some(_) | None => Self::Paused,
        }
    }
}

/// A run that has targets which another one wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The run.
    pub run_id: String,
    /// Who began it.
    pub actor: String,
    /// Who drives it.
    pub driver: String,
    /// When it began, in microseconds since 1970-01-01 UTC.
    pub started_at: i64,
    /// How long ago its driver was heard of last, in microseconds.
    pub silent: i64,
    /// How many of its targets have ended, and how many it has.
    pub done: (usize, usize),
    /// How many of the wanted targets it has.
    pub overlap: usize,
}

impl Registry {
    /// Writes a run and its targets, unless another one has some of them: then says which, and what can be done. Runs whose
    /// driver is dead are closed where they are in the way, or taken up if they are of the same plan.
    pub async fn begin_run(&self, new: &NewRun, driver: &Driver) -> Result<Begun, RegistryError> {
        let begun = again(async || self.try_to_begin(new, driver).await).await?;
        point(Point::RegistryRunBegun);
        Ok(begun)
    }

    async fn try_to_begin(&self, new: &NewRun, driver: &Driver) -> Result<Begun, RegistryError> {
        let transaction = self.begin().await?;
        self.pass_gate(&transaction).await?;
        let now = self.clock(&transaction).await?;
        let wish = Wish {
            run_id: &new.id,
            plan_hash: &new.plan.hash,
            continues: new.continues.as_deref(),
            reach: new.reach,
            goal: Some(&new.goal),
            wanted: &keys_of(new),
        };
        let others = self.others(&transaction, &wish, (driver, now)).await?;
        if let Some(begun) = others {
            self.commit(transaction).await?;
            return Ok(begun);
        }
        self.insert_run(&transaction, new, &Lease::begin(driver.as_str(), now), now)
            .await?;
        let change = Change::new(Action::RunStart, &new.id, &new.id).to(json!({
            "command": new.command,
            "direction": new.direction.to_string(),
            "goal": new.goal.to_string(),
            "targets": new.targets.len(),
            "by": new.actor,
            "reason": new.reason,
        }));
        self.commit_recorded(transaction, change).await?;
        Ok(Begun::New(1))
    }

    /// Waits until no other run begins.
    pub(super) async fn pass_gate(&self, transaction: &DatabaseTransaction) -> Result<(), RegistryError> {
        let gate = Query::select()
            .column(Alias::new("id"))
            .from(Alias::new("tenantry_run_gate"))
            .lock(LockType::Update)
            .take();
        transaction.query_one(&gate).await.map_err(|e| self.refused(&e))?;
        Ok(())
    }

    /// Looks at the runs that are under way or paused; `None` if none is in the way.
    pub(super) async fn others(
        &self,
        transaction: &DatabaseTransaction,
        wish: &Wish<'_>,
        (driver, now): (&Driver, i64),
    ) -> Result<Option<Begun>, RegistryError> {
        let rows = self.in_the_way(transaction, wish).await?;
        let mut holdings = Vec::new();
        for row in rows {
            let overlap = self.overlap_of(transaction, &row.id, wish.wanted).await?;
            let lease = lease_of(&row)?;
            let found = Found {
                lease: &lease,
                kinship: Kinship::of(row.plan_hash.as_deref(), wish.plan_hash, wish.continues),
                reach: wish.reach,
                overlap,
                sign: driver.sign_of(&lease.driver),
            };
            match found.meet(driver.as_str(), now) {
                Meeting::Apart | Meeting::Closed(_) if wish.is_barred_by(&row, lease.standing, overlap) => {
                    let standstill = match lease.standing {
                        Standing::Running => Standstill::HalfWayBack,
                        Standing::Over(_) => Standstill::of_paused(row.cause.as_deref()),
                    };
                    let run_id = row.id;
                    return Ok(Some(Begun::Waits { run_id, standstill }));
                }
                Meeting::Apart => {}
                Meeting::Attached => {
                    let (run_id, driver) = (row.id, lease.driver);
                    return Ok(Some(Begun::Attached { run_id, driver }));
                }
                Meeting::Taken(taken) => {
                    self.write_lease(transaction, &row.id, &taken).await?;
                    return Ok(Some(Begun::Taken {
                        run_id: row.id,
                        epoch: taken.epoch,
                        from: lease.driver,
                    }));
                }
                Meeting::Closed(closed) => self.write_lease(transaction, &row.id, &closed).await?,
                Meeting::Waits => {
                    let standstill = Standstill::of_paused(row.cause.as_deref());
                    let run_id = row.id;
                    return Ok(Some(Begun::Waits { run_id, standstill }));
                }
                Meeting::Held => holdings.push(holding(&row, &lease, now, overlap)),
            }
        }
        Ok((!holdings.is_empty()).then_some(Begun::Held(holdings)))
    }

    /// Returns the runs that may be in the way of a wish, each locked, the oldest first.
    async fn in_the_way(
        &self,
        transaction: &DatabaseTransaction,
        wish: &Wish<'_>,
    ) -> Result<Vec<run::Model>, RegistryError> {
        let mut statuses = vec![RUNNING];
        // Whoever wants nothing goes past nobody, and paused runs may be many.
        if !wish.wanted.is_empty() {
            statuses.push(RunStatus::Paused.as_str());
        }
        run::Entity::find()
            .filter(run::Column::Id.ne(wish.run_id))
            .filter(run::Column::Status.is_in(statuses))
            .order_by_asc(run::Column::StartedAt)
            .lock_exclusive()
            .all(transaction)
            .await
            .map_err(|e| self.refused(&e))
    }

    /// Compares the targets of a run that is under way with those that are wanted.
    pub(super) async fn overlap_of(
        &self,
        db: &impl ConnectionTrait,
        run_id: &str,
        wanted: &HashSet<Key>,
    ) -> Result<Overlap, RegistryError> {
        use run_target::Column;
        let rows: Vec<(String, String, String)> = run_target::Entity::find()
            .select_only()
            .columns([Column::DatabaseId, Column::Track, Column::State])
            .filter(Column::RunId.eq(run_id))
            .into_tuple()
            .all(db)
            .await
            .map_err(|e| self.refused(&e))?;
        let state = |word: &str| TargetState::from_word(word).unwrap_or(TargetState::Ended);
        let targets = rows.into_iter().map(|(id, track, word)| {
            let interest = if wanted.contains(&(id, track)) {
                Interest::Wanted
            } else {
                Interest::Other
            };
            (interest, state(&word))
        });
        Ok(Overlap::of(targets, wanted.len()))
    }

    async fn insert_run(
        &self,
        transaction: &DatabaseTransaction,
        new: &NewRun,
        lease: &Lease,
        now: i64,
    ) -> Result<(), RegistryError> {
        let row = run::ActiveModel {
            id: Set(new.id.clone()),
            command: Set(new.command.clone()),
            direction: Set(new.direction.to_string()),
            reverts: Set(new.reverts.clone()),
            goal: Set(Some(new.goal.to_string())),
            continues: Set(new.continues.clone()),
            started_at: Set(now),
            finished_at: Set(None),
            status: Set(RUNNING.to_owned()),
            actor: Set(shorten(&new.actor, 255)),
            reason: Set(new.reason.clone()),
            plan: Set(Some(new.plan.text.clone())),
            plan_hash: Set(Some(new.plan.hash.clone())),
            rollout: Set(Some(new.rollout.clone())),
            concurrency: Set(i32::try_from(new.concurrency).ok()),
            wave: Set(0),
            soaks_until: Set(None),
            driver: Set(Some(shorten(&lease.driver, 255))),
            epoch: Set(lease.epoch),
            lease_until: Set(lease.until),
            wanted: Set(None),
            cause: Set(None),
            seq: Set(1),
            found_current: Set(i64::try_from(new.found_current).unwrap_or(i64::MAX)),
        };
        let written = Written {
            run_id: &new.id,
            epoch: lease.epoch,
            seq: 1,
        };
        let inserted = async {
            run::Entity::insert(row)
                .exec_without_returning(transaction)
                .await?;
            run_targets::write(transaction, written, &new.targets).await
        };
        inserted.await.map_err(|e| self.refused(&e))
    }
}

/// Returns the targets that a run will work on.
fn keys_of(new: &NewRun) -> HashSet<Key> {
    let works = new
        .targets
        .iter()
        .filter(|target| target.outcome == Outcome::NotRun);
    works
        .map(|target| (target.database_id.clone(), target.track.to_string()))
        .collect()
}

fn holding(row: &run::Model, lease: &Lease, now: i64, overlap: Overlap) -> Holding {
    Holding {
        run_id: row.id.clone(),
        actor: row.actor.clone(),
        driver: lease.driver.clone(),
        started_at: row.started_at,
        silent: (now - (lease.until - crate::run::LEASE)).max(0),
        done: (overlap.targets - overlap.open, overlap.targets),
        overlap: overlap.open_wanted,
    }
}
