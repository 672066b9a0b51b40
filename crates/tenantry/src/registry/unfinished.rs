//! Runs that left something over which no later run has settled: what a resume is about.

use std::collections::HashSet;

use sea_orm::sea_query::{ExprTrait as _, Query};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::entities::{database, run, run_target};
use super::run_targets::RunTarget;
use super::runs::{PROVISION, Run, begun_before};
use super::{Registry, RegistryError};
use crate::run::Outcome;
use crate::target::TrackName;

/// What ends the work on a target.
const DONE: [Outcome; 2] = [Outcome::Applied, Outcome::Current];

/// A run, and what it left over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOver {
    /// The run, forwards or backwards.
    pub run: Run,
    /// Its targets that are not as they were asked to be and that no later run brought anywhere, by name.
    /// Never empty.
    pub targets: Vec<RunTarget>,
}

impl Registry {
    /// Returns the newest run over the fleet that began before another (any, with `None`) and left
    /// something over: a target that failed or was not reached, and that no later run was successful on.
    /// `None` if there is none. Databases that are gone do not count.
    pub async fn left_over_before(&self, before: Option<&Run>) -> Result<Option<LeftOver>, RegistryError> {
        let mut before = before.cloned();
        loop {
            let Some(row) = self.unfinished_before(before.as_ref()).await? else {
                return Ok(None);
            };
            let run = self.run_of(&row).await?;
            let settled = self.settled_after(&run).await?;
            let is_open = |target: &RunTarget| {
                target.outcome != Outcome::Skipped
                    && !settled.contains(&(target.database_id.clone(), target.track.to_string()))
            };
            let mut targets = self.unfinished_of(&run.id).await?;
            targets.retain(is_open);
            self.retain_present(&mut targets).await?;
            if !targets.is_empty() {
                return Ok(Some(LeftOver { run, targets }));
            }
            before = Some(run);
        }
    }

    async fn unfinished_before(&self, before: Option<&Run>) -> Result<Option<run::Model>, RegistryError> {
        let done = DONE.into_iter().chain([Outcome::Skipped]).map(Outcome::as_str);
        let unfinished = Query::select()
            .column(run_target::Column::RunId)
            .from(run_target::Entity)
            .and_where(run_target::Column::Outcome.is_not_in(done))
            .take();
        run::Entity::find()
            .filter(begun_before(before))
            .filter(run::Column::Command.starts_with(PROVISION).not())
            .filter(run::Column::Id.in_subquery(unfinished))
            .order_by_desc(run::Column::StartedAt)
            .order_by_desc(run::Column::Id)
            .one(&self.db)
            .await
            .map_err(|e| self.refused(&e))
    }

    /// Returns the databases and tracks on which a later run was successful, whichever way it led.
    pub(crate) async fn settled_after(&self, run: &Run) -> Result<HashSet<(String, String)>, RegistryError> {
        let later = Query::select()
            .column(run::Column::Id)
            .from(run::Entity)
            .and_where(run::Column::StartedAt.gt(run.started_at))
            .take();
        let rows: Vec<(String, String)> = run_target::Entity::find()
            .select_only()
            .columns([run_target::Column::DatabaseId, run_target::Column::Track])
            .filter(run_target::Column::RunId.in_subquery(later))
            .filter(run_target::Column::Outcome.is_in(DONE.map(Outcome::as_str)))
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        Ok(rows.into_iter().collect())
    }

    /// Keeps the targets that the registry still has.
    async fn retain_present(&self, targets: &mut Vec<RunTarget>) -> Result<(), RegistryError> {
        if targets.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = database::Entity::find()
            .select_only()
            .column(database::Column::Id)
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let present: HashSet<String> = ids.into_iter().collect();
        targets.retain(|target| match target.track {
            TrackName::Central | TrackName::Registry => true,
            // What was left out has no database: it is named by its tenant.
            TrackName::Tenant | TrackName::Product(_) => {
                present.contains(&target.database_id) || target.database_id == target.label
            }
        });
        Ok(())
    }
}
