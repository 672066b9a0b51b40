//! Which run a rollback is about: what the registry knows of it, and what the histories still have.

use std::collections::{BTreeSet, HashSet};

use super::{Fleet, Selected};
use crate::registry::{RegistryError, Run, RunTarget};
use crate::run::{Job, Preview, is_told_empty};
use crate::target::{TargetKey, TrackName};

impl Fleet {
    /// Returns the newest run that changed one of the selected databases and was not taken back, of those
    /// that began before another (any, with `None`), by what the registry knows; `None` if there is none.
    pub async fn last_change(
        &self,
        selected: &Selected,
        before: Option<&Run>,
    ) -> Result<Option<Run>, RegistryError> {
        let tracks: BTreeSet<&TrackName> = selected.databases().map(|(_, track)| track).collect();
        let ids: Vec<String> = selected.databases().map(|(id, _)| id.to_owned()).collect();
        let mut newest = None;
        for track in tracks {
            let run = self.registry.run_with_changes_before(track, &ids, before).await?;
            newest = newest.into_iter().chain(run).max_by_key(|run| run.started_at);
        }
        Ok(newest)
    }

    /// Returns the run that a rollback of the selected databases did not finish taking back, if that
    /// rollback is newer than `guess`; `None` if there is none. It was killed, something failed, or what it
    /// did was not recorded.
    pub async fn half_taken_back(
        &self,
        selected: &Selected,
        guess: Option<&Run>,
    ) -> Result<Option<Run>, RegistryError> {
        let keys: HashSet<TargetKey<'_>> = selected.databases().collect();
        let is_ours = |target: &RunTarget| keys.contains(&target.key());
        let mut before = None;
        while let Some(left) = self.registry.left_over_before(before.as_ref()).await? {
            if guess.is_some_and(|guess| left.run.started_at < guess.started_at) {
                return Ok(None);
            }
            if let Some(reverted) = &left.run.reverts
                && left.targets.iter().any(is_ours)
            {
                return self.registry.find_run(reverted).await.map(Some);
            }
            before = Some(left.run);
        }
        Ok(None)
    }

    /// Returns the newest run older than `guess` that the databases still have something of, where nothing is
    /// left of `guess`: what was taken back in steps is told by the histories alone. `None` if the guess
    /// stands, or nothing older is left.
    ///
    /// A database that cannot be asked still has what the registry knows.
    pub async fn older_change(
        &self,
        selected: &Selected,
        guess: &Run,
        previews: &[Preview],
    ) -> Result<Option<Run>, RegistryError> {
        if !is_told_empty(previews) {
            return Ok(None);
        }
        let silent: HashSet<&str> = previews
            .iter()
            .filter(|preview| preview.planned.is_err())
            .map(|preview| preview.target.database_id.as_str())
            .collect();
        let mut unasked = Selected {
            left_out: selected.left_out.clone(),
            ..Selected::default()
        };
        let is_silent = |job: &&Job| silent.contains(job.target.database_id.as_str());
        unasked
            .jobs
            .extend(selected.jobs.iter().filter(is_silent).cloned());
        let runs: BTreeSet<&str> = previews.iter().flat_map(Preview::runs).collect();
        let (mut run, mut before) = (guess.clone(), None);
        loop {
            let known = self.last_change(&unasked, before.as_ref()).await?;
            let is_known = known.is_some_and(|known| known.id == run.id);
            if is_known || runs.contains(run.id.as_str()) {
                return Ok(Some(run).filter(|run| run.id != guess.id));
            }
            let Some(older) = self.last_change(selected, Some(&run)).await? else {
                return Ok(None);
            };
            (before, run) = (Some(run), older);
        }
    }
}
