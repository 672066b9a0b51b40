//! Runs that nobody may have ended: those of one plan, and those whose driver died.

use std::collections::HashSet;

use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Query};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use super::entities::{run, run_target};
use super::leases::{Driven, lease_of};
use super::runs::{RUNNING, Run};
use super::{Registry, RegistryError};
use crate::run::{Driver, Found, Kinship, Meeting, Reach, RunStatus, TargetState};

/// Among how many of the newest runs that left something over one of the plan is looked for.
const LEFT_OVER_AMONG: usize = 20;

impl Registry {
    /// Returns whether somebody drives a run, as [`Registry::driven`] does; a run whose driver is dead and all of whose
    /// targets have ended is completed first, as only its driver's last word is missing. When it ended stays unknown.
    pub async fn look_after(&self, run_id: &str, driver: &Driver) -> Result<Driven, RegistryError> {
        let found = self.driven(run_id, driver).await?;
        let Driven::ByNobody(_) = found else {
            return Ok(found);
        };
        let open = self.overlap_of(&self.db, run_id, &HashSet::new()).await?.open;
        if open > 0 {
            return Ok(found);
        }
        let transaction = self.begin().await?;
        let held = self.lock_run(&transaction, run_id).await?;
        let now = self.clock(&transaction).await?;
        let sign = driver.sign_of(&held.lease.driver);
        let Ok(completed) = held.lease.complete(now, sign) else {
            // Somebody was faster.
            drop(transaction);
            return self.driven(run_id, driver).await;
        };
        self.write_lease(&transaction, run_id, &completed).await?;
        self.commit(transaction).await?;
        Ok(Driven::Over(RunStatus::Completed))
    }

    /// Returns whether a run of the plan with this hash is under way over the wanted targets, by database and track, so that
    /// one which began now would follow it or take it up, or be told that it waits. Takes no lock and writes nothing.
    pub async fn is_under_way(
        &self,
        plan_hash: &str,
        wanted: &HashSet<(String, String)>,
        driver: &Driver,
    ) -> Result<bool, RegistryError> {
        let rows = run::Entity::find()
            .filter(run::Column::Status.is_in([RUNNING, RunStatus::Paused.as_str()]))
            .filter(run::Column::PlanHash.eq(plan_hash))
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let now = self.clock(&self.db).await?;
        for row in rows {
            let lease = lease_of(&row)?;
            let found = Found {
                kinship: Kinship::Same,
                reach: Reach::Several,
                overlap: self.overlap_of(&self.db, &row.id, wanted).await?,
                sign: driver.sign_of(&lease.driver),
                lease: &lease,
            };
            if let Meeting::Attached | Meeting::Taken(_) | Meeting::Waits = found.meet(driver.as_str(), now) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns a run that began after another one and changed something that is left of that, and the target's name; `None`
    /// if there is none.
    pub async fn changed_since(&self, run: &Run) -> Result<Option<(String, String)>, RegistryError> {
        use run_target::Column;
        let newer = Query::select()
            .column(run::Column::Id)
            .from(run::Entity)
            .and_where(run::Column::StartedAt.gt(run.started_at))
            .take();
        let of = Alias::new("of");
        let same = |column: Column| Expr::col((of.clone(), column)).equals((run_target::Entity, column));
        let open = Query::select()
            .expr(Expr::val(1))
            .from_as(run_target::Entity, of.clone())
            .and_where(Expr::col((of.clone(), Column::RunId)).eq(run.id.as_str()))
            .and_where(Expr::col((of.clone(), Column::State)).ne(TargetState::Ended.as_str()))
            .and_where(same(Column::DatabaseId))
            .and_where(same(Column::Track))
            .take();
        run_target::Entity::find()
            .select_only()
            .columns([Column::RunId, Column::Label])
            .filter(Column::RunId.in_subquery(newer))
            .filter(Column::Migrations.gt(0))
            .filter(Expr::exists(open))
            .limit(1)
            .into_tuple()
            .one(&self.db)
            .await
            .map_err(|e| self.refused(&e))
    }

    /// Returns the newest run of the plan with this hash and over the wanted targets that left something over, by its id;
    /// `None` if there is none. A resume counts as the run that it goes on with.
    pub async fn unfinished_run_of(
        &self,
        plan_hash: &str,
        wanted: &HashSet<(String, String)>,
    ) -> Result<Option<String>, RegistryError> {
        let mut before = None;
        for _ in 0..LEFT_OVER_AMONG {
            let Some(left) = self.left_over_before(before.as_ref()).await? else {
                return Ok(None);
            };
            if left.run.plan.hash == plan_hash {
                let targets = self.targets_of(left.run.first_of_chain()).await?;
                let has: HashSet<_> = targets
                    .into_iter()
                    .map(|target| (target.database_id, target.track.to_string()))
                    .collect();
                if wanted.is_subset(&has) {
                    return Ok(Some(left.run.id));
                }
            }
            before = Some(left.run);
        }
        Ok(None)
    }
}
