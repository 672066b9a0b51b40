//! Who drives a run: its lease in the registry, moved under the run's lock by the pure moves of `run::lease`.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QuerySelect as _};
use serde_json::json;

use super::again::again;
use super::audit::{Action, Change};
use super::begin::{Begun, Holding, Standstill, Wish};
use super::entities::run;
use super::rows::Row;
use super::runs::RUNNING;
use super::{Registry, RegistryError, clock};
use crate::run::{Driver, Lease, Reach, Refusal, RunStatus, Standing, Wanted};

/// A run whose row is locked.
#[derive(Clone, Debug)]
pub(super) struct HeldRun {
    pub(super) id: String,
    pub(super) lease: Lease,
    pub(super) seq: i64,
    /// Why it ended early; `None` if it did not.
    pub(super) cause: Option<String>,
}

/// What became of the wish to go on with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// This process drives it.
    Given {
        /// Under this epoch.
        epoch: i64,
        /// Whose it was that died; `None` if it was paused.
        from: Option<String>,
    },
    /// Other runs have some of what is left of it.
    Held(Vec<Holding>),
    /// A run that nobody drives is in the way: another one, or this one, which somebody else has brought further than it was
    /// seen.
    Waits {
        /// That run.
        run_id: String,
        /// Why.
        standstill: Standstill,
    },
}

/// Whether somebody drives a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Driven {
    /// Somebody does: who.
    By(String),
    /// Nobody any more, although it has not ended: who did last.
    ByNobody(String),
    /// It has ended.
    Over(RunStatus),
}

impl Registry {
    /// Returns the time by the registry's clock, in microseconds since 1970-01-01 UTC.
    pub(super) async fn clock(&self, db: &impl ConnectionTrait) -> Result<i64, RegistryError> {
        clock::now(db, self.engine).await.map_err(|e| self.refused(&e))
    }

    /// Locks a run's row until the transaction ends.
    pub(super) async fn lock_run(
        &self,
        db: &impl ConnectionTrait,
        run_id: &str,
    ) -> Result<HeldRun, RegistryError> {
        let row = run::Entity::find_by_id(run_id)
            .lock_exclusive()
            .one(db)
            .await
            .map_err(|e| self.refused(&e))?;
        let row = row.ok_or_else(|| RegistryError::RunNotFound {
            given: run_id.to_owned(),
            nearest: Vec::new(),
        })?;
        Ok(HeldRun {
            lease: lease_of(&row)?,
            seq: row.seq,
            cause: row.cause,
            id: row.id,
        })
    }

    /// Writes a lease that was moved.
    pub(super) async fn write_lease(
        &self,
        db: &impl ConnectionTrait,
        run_id: &str,
        lease: &Lease,
    ) -> Result<(), RegistryError> {
        let mut update = run::Entity::update_many()
            .col_expr(run::Column::Epoch, Expr::value(lease.epoch))
            .col_expr(run::Column::Driver, Expr::value(lease.driver.clone()))
            .col_expr(run::Column::LeaseUntil, Expr::value(lease.until))
            .col_expr(run::Column::Wanted, Expr::value(lease.wanted.map(Wanted::as_str)));
        update = match lease.standing {
            Standing::Running => update
                .col_expr(run::Column::Status, Expr::value(RUNNING))
                .col_expr(run::Column::FinishedAt, Expr::value(Option::<i64>::None))
                .col_expr(run::Column::Cause, Expr::value(Option::<String>::None)),
            // When it ended is known to its driver alone: where that died, nobody saw the end.
            Standing::Over(status) => update.col_expr(run::Column::Status, Expr::value(status.as_str())),
        };
        let written = update.filter(run::Column::Id.eq(run_id)).exec(db).await;
        written.map_err(|e| self.refused(&e))?;
        Ok(())
    }

    /// Gives a run whose driver is dead, or that is paused, to this process, unless another one has some of what is left of
    /// it. Runs whose driver is dead are closed where they are in the way. One that is paused is given as it was `seen`, by its
    /// epoch: whoever went on with it meanwhile has come to another gate. `None` takes it as it is.
    ///
    /// # Errors
    /// [`RegistryError::Driven`] while somebody drives it, [`RegistryError::RunOver`] if it has ended.
    pub async fn claim_run(
        &self,
        run_id: &str,
        seen: Option<i64>,
        driver: &Driver,
    ) -> Result<Claimed, RegistryError> {
        again(async || self.try_to_claim(run_id, seen, driver).await).await
    }

    async fn try_to_claim(
        &self,
        run_id: &str,
        seen: Option<i64>,
        driver: &Driver,
    ) -> Result<Claimed, RegistryError> {
        let transaction = self.begin().await?;
        self.pass_gate(&transaction).await?;
        let held = self.lock_run(&transaction, run_id).await?;
        let now = self.clock(&transaction).await?;
        let sign = driver.sign_of(&held.lease.driver);
        let claimed = held
            .lease
            .claim(driver.as_str(), now, sign)
            .map_err(|refusal| refused(&held, refusal))?;
        let is_as_seen = seen.is_none_or(|seen| seen == held.lease.epoch);
        if held.lease.standing == Standing::Over(RunStatus::Paused) && !is_as_seen {
            return Ok(Claimed::Waits {
                standstill: Standstill::of_paused(held.cause.as_deref()),
                run_id: held.id,
            });
        }
        let wish = Wish {
            run_id,
            plan_hash: "",
            continues: None,
            reach: Reach::One,
            goal: None,
            wanted: &self.open_of(&transaction, run_id).await?,
        };
        let given = match self.others(&transaction, &wish, (driver, now)).await? {
            Some(Begun::Held(holdings)) => Claimed::Held(holdings),
            Some(Begun::Waits { run_id, standstill }) => Claimed::Waits { run_id, standstill },
            // Only runs of the same plan are followed or taken, and an empty one is like no other.
            Some(Begun::New(_) | Begun::Attached { .. } | Begun::Taken { .. }) | None => {
                self.write_lease(&transaction, run_id, &claimed).await?;
                let was_running = held.lease.standing == Standing::Running;
                Claimed::Given {
                    epoch: claimed.epoch,
                    from: was_running.then_some(held.lease.driver),
                }
            }
        };
        self.commit(transaction).await?;
        Ok(given)
    }

    /// Keeps a run for its driver, and returns what somebody asked of it meanwhile.
    ///
    /// # Errors
    /// [`RegistryError::TakenOver`] if it is not that driver's any more.
    pub async fn renew_run(&self, run_id: &str, epoch: i64) -> Result<Option<Wanted>, RegistryError> {
        let transaction = self.begin().await?;
        let held = self.lock_run(&transaction, run_id).await?;
        let now = self.clock(&transaction).await?;
        let renewed = held.lease.renew(epoch, now).map_err(|_| taken_over(run_id))?;
        self.write_lease(&transaction, run_id, &renewed).await?;
        if held.lease.wanted == Some(Wanted::Promote) {
            // Whoever hears of it may die before it obeys.
            self.end_soak(&transaction, run_id).await?;
        }
        self.commit(transaction).await?;
        Ok(held.lease.wanted)
    }

    /// Returns what somebody asked of a run. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// [`RegistryError::TakenOver`] if it is not that driver's any more.
    pub async fn wishes_of(&self, run_id: &str, epoch: i64) -> Result<Option<Wanted>, RegistryError> {
        let lease = self.lease_of_run(run_id).await?;
        lease.check(epoch).map_err(|_| taken_over(run_id))?;
        Ok(lease.wanted)
    }

    /// Returns whether somebody drives a run.
    pub async fn driven(&self, run_id: &str, driver: &Driver) -> Result<Driven, RegistryError> {
        let lease = self.lease_of_run(run_id).await?;
        let now = self.clock(&self.db).await?;
        Ok(match lease.standing {
            Standing::Over(status) => Driven::Over(status),
            Standing::Running if lease.is_live(now, driver.sign_of(&lease.driver)) => {
                Driven::By(lease.driver)
            }
            Standing::Running => Driven::ByNobody(lease.driver),
        })
    }

    /// Asks the driver of a run for something; where there is none, it is so at once: whoever goes on with a promoted run does
    /// not wait behind its wave. Returns how the run stands then.
    ///
    /// # Errors
    /// [`RegistryError::RunOver`] if it has ended.
    pub async fn want(&self, run_id: &str, wanted: Wanted, driver: &Driver) -> Result<Driven, RegistryError> {
        let transaction = self.begin().await?;
        let held = self.lock_run(&transaction, run_id).await?;
        let now = self.clock(&transaction).await?;
        let sign = driver.sign_of(&held.lease.driver);
        let moved = held
            .lease
            .want(wanted, now, sign)
            .map_err(|refusal| refused(&held, refusal))?;
        if wanted == Wanted::Promote && !moved.is_live(now, sign) {
            self.end_soak(&transaction, run_id).await?;
        }
        self.write_lease(&transaction, run_id, &moved).await?;
        let change = Change::new(asked(wanted), run_id, run_id).to(json!({"wanted": wanted.as_str()}));
        self.commit_recorded(transaction, change).await?;
        Ok(match moved.standing {
            Standing::Over(status) => Driven::Over(status),
            Standing::Running if moved.is_live(now, sign) => Driven::By(moved.driver),
            Standing::Running => Driven::ByNobody(moved.driver),
        })
    }

    async fn lease_of_run(&self, run_id: &str) -> Result<Lease, RegistryError> {
        let row = run::Entity::find_by_id(run_id).one(&self.db).await;
        let row = row.map_err(|e| self.refused(&e))?;
        let row = row.ok_or_else(|| RegistryError::RunNotFound {
            given: run_id.to_owned(),
            nearest: Vec::new(),
        })?;
        lease_of(&row)
    }
}

/// Reads the lease out of a run's row.
pub(super) fn lease_of(row: &run::Model) -> Result<Lease, RegistryError> {
    let at = Row {
        table: "tenantry_runs",
        id: &row.id,
    };
    let ended = Some(row.status.as_str()).filter(|word| *word != RUNNING);
    let ended = at.read_opt("status", ended, RunStatus::from_word)?;
    Ok(Lease {
        standing: ended.map_or(Standing::Running, Standing::Over),
        epoch: row.epoch,
        driver: row.driver.clone().unwrap_or_default(),
        until: row.lease_until,
        wanted: at.read_opt("wanted", row.wanted.as_deref(), Wanted::from_word)?,
    })
}

/// Says that a run is somebody else's now.
pub(super) fn taken_over(run_id: &str) -> RegistryError {
    RegistryError::TakenOver {
        run_id: run_id.to_owned(),
    }
}

fn refused(held: &HeldRun, refusal: Refusal) -> RegistryError {
    let run_id = held.id.clone();
    match refusal {
        Refusal::Held => RegistryError::Driven {
            run_id,
            driver: held.lease.driver.clone(),
        },
        Refusal::Over(status) => RegistryError::RunOver { run_id, status },
        Refusal::Fenced => RegistryError::TakenOver { run_id },
    }
}

/// Returns what the audit calls it that a run is asked for something.
fn asked(wanted: Wanted) -> Action {
    match wanted {
        Wanted::Promote => Action::RunPromote,
        Wanted::Pause => Action::RunPause,
        Wanted::Cancel | Wanted::CancelNow => Action::RunCancel,
    }
}
