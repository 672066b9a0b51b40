//! Runs that nobody may have ended: those of one plan, and those whose driver died.

use std::collections::HashSet;

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::entities::run;
use super::leases::{Driven, lease_of};
use super::runs::RUNNING;
use super::{Registry, RegistryError};
use crate::run::{Driver, Found, Kinship, Meeting, RunStatus};

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
    /// one which began now would follow it or take it up. Takes no lock and writes nothing.
    pub async fn is_under_way(
        &self,
        plan_hash: &str,
        wanted: &HashSet<(String, String)>,
        driver: &Driver,
    ) -> Result<bool, RegistryError> {
        let rows = run::Entity::find()
            .filter(run::Column::Status.eq(RUNNING))
            .filter(run::Column::PlanHash.eq(plan_hash))
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let now = self.clock(&self.db).await?;
        for row in rows {
            let lease = lease_of(&row)?;
            let found = Found {
                kinship: Kinship::Same,
                overlap: self.overlap_of(&self.db, &row.id, wanted).await?,
                sign: driver.sign_of(&lease.driver),
                lease: &lease,
            };
            if let Meeting::Attached | Meeting::Taken(_) = found.meet(driver.as_str(), now) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the newest run of the plan with this hash that has waves, by its id; `None` if there is none.
    pub async fn newest_in_waves(&self, plan_hash: &str) -> Result<Option<String>, RegistryError> {
        run::Entity::find()
            .select_only()
            .column(run::Column::Id)
            .filter(run::Column::PlanHash.eq(plan_hash))
            .filter(run::Column::Rollout.contains("\"waves\":[{"))
            .order_by_desc(run::Column::StartedAt)
            .order_by_desc(run::Column::Id)
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
