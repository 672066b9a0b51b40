//! Runs that begin: one after the other, so that none overlooks another over the same targets.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::{Alias, LockType, Query};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DatabaseTransaction, EntityTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::entities::{run, run_target};
use super::leases::lease_of;
use super::rows::shorten;
use super::run_targets::{self, Written};
use super::runs::{NewRun, RUNNING};
use super::{Registry, RegistryError};
use crate::faults::{Point, point};
use crate::run::{Driver, Lease, Outcome, TargetState};

/// A database and its track.
type Key = (String, String);

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
        let transaction = self.begin().await?;
        self.pass_gate(&transaction).await?;
        let now = self.clock(&transaction).await?;
        let wanted = keys_of(new);
        let others = self.others(&transaction, new, &wanted, (driver, now)).await?;
        let begun = if let Some(begun) = others {
            begun
        } else {
            self.insert_run(&transaction, new, &Lease::begin(driver.as_str(), now), now)
                .await?;
            Begun::New(1)
        };
        self.commit(transaction).await?;
        point(Point::RegistryRunBegun);
        Ok(begun)
    }

    /// Waits until no other run begins.
    async fn pass_gate(&self, transaction: &DatabaseTransaction) -> Result<(), RegistryError> {
        let gate = Query::select()
            .column(Alias::new("id"))
            .from(Alias::new("tenantry_run_gate"))
            .lock(LockType::Update)
            .take();
        transaction.query_one(&gate).await.map_err(|e| self.refused(&e))?;
        Ok(())
    }

    /// Looks at the runs that are under way; `None` if none is in the way.
    async fn others(
        &self,
        transaction: &DatabaseTransaction,
        new: &NewRun,
        wanted: &HashSet<Key>,
        (driver, now): (&Driver, i64),
    ) -> Result<Option<Begun>, RegistryError> {
        let rows = run::Entity::find()
            .filter(run::Column::Status.eq(RUNNING))
            .order_by_asc(run::Column::StartedAt)
            .lock_exclusive()
            .all(transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        let mut holdings = Vec::new();
        for row in rows {
            let targets = self.states_of(transaction, &row.id).await?;
            let open: HashSet<&Key> = targets
                .iter()
                .filter(|(_, state)| **state != TargetState::Ended)
                .map(|(key, _)| key)
                .collect();
            let overlap = open.iter().filter(|key| wanted.contains(**key)).count();
            if overlap == 0 {
                continue;
            }
            let lease = lease_of(&row)?;
            let is_same =
                row.plan_hash.as_deref() == Some(new.plan.hash.as_str()) && !new.plan.hash.is_empty();
            let sign = driver.sign_of(&lease.driver);
            if lease.is_live(now, sign) {
                if is_same && wanted.iter().all(|key| targets.contains_key(key)) {
                    let (run_id, driver) = (row.id, lease.driver);
                    return Ok(Some(Begun::Attached { run_id, driver }));
                }
                holdings.push(holding(
                    &row,
                    &lease,
                    now,
                    (targets.len() - open.len(), targets.len()),
                    overlap,
                ));
                continue;
            }
            // A resume tries again what failed, too: it goes on with a run of its own.
            let goes_on = new.continues.is_none();
            if is_same && goes_on && open.iter().all(|key| wanted.contains(*key)) {
                return self
                    .take_up(transaction, row, &lease, (driver, now))
                    .await
                    .map(Some);
            }
            if let Ok(closed) = lease.close(now, sign) {
                self.write_lease(transaction, &row.id, &closed).await?;
            }
        }
        Ok((!holdings.is_empty()).then_some(Begun::Held(holdings)))
    }

    async fn take_up(
        &self,
        transaction: &DatabaseTransaction,
        row: run::Model,
        lease: &Lease,
        (driver, now): (&Driver, i64),
    ) -> Result<Begun, RegistryError> {
        let sign = driver.sign_of(&lease.driver);
        let Ok(taken) = lease.claim(driver.as_str(), now, sign) else {
            let (run_id, driver) = (row.id, lease.driver.clone());
            return Ok(Begun::Attached { run_id, driver });
        };
        self.write_lease(transaction, &row.id, &taken).await?;
        Ok(Begun::Taken {
            run_id: row.id,
            epoch: taken.epoch,
            from: lease.driver.clone(),
        })
    }

    /// Returns where the targets of a run are.
    async fn states_of(
        &self,
        db: &impl ConnectionTrait,
        run_id: &str,
    ) -> Result<HashMap<Key, TargetState>, RegistryError> {
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
        Ok(rows
            .into_iter()
            .map(|(id, track, word)| ((id, track), state(&word)))
            .collect())
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

fn holding(row: &run::Model, lease: &Lease, now: i64, done: (usize, usize), overlap: usize) -> Holding {
    Holding {
        run_id: row.id.clone(),
        actor: row.actor.clone(),
        driver: lease.driver.clone(),
        started_at: row.started_at,
        silent: (now - (lease.until - crate::run::LEASE)).max(0),
        done,
        overlap,
    }
}
