//! Which run a rollback is about: what the registry knows of it, and what the histories still have.

use std::collections::BTreeSet;

use super::{Fleet, Selected};
use crate::registry::{RegistryError, Run};
use crate::run::{Preview, is_told_empty};
use crate::target::TrackName;

impl Fleet {
    /// Returns the newest run that changed one of the selected databases and was not taken back, of those
    /// that began before another (any, with `None`), by what the registry knows; `None` if there is none.
    pub async fn last_change(
        &self,
        selected: &Selected,
        before: Option<&Run>,
    ) -> Result<Option<Run>, RegistryError> {
        let tracks: BTreeSet<&TrackName> = selected.jobs.iter().map(|job| &job.target.track).collect();
        let ids: Vec<String> = selected
            .jobs
            .iter()
            .map(|job| job.target.database_id.clone())
            .collect();
        let mut newest = None;
        for track in tracks {
            let run = self.registry.run_with_changes_before(track, &ids, before).await?;
            newest = newest.into_iter().chain(run).max_by_key(|run| run.started_at);
        }
        Ok(newest)
    }

    /// Returns the newest run older than `guess` that the databases still have something of, where the
    /// previews say that nothing is left of `guess`: what was taken back in steps is told by the histories
    /// alone. `None` if the guess stands, or nothing older is left.
    pub async fn older_change(
        &self,
        selected: &Selected,
        guess: &Run,
        previews: &[Preview],
    ) -> Result<Option<Run>, RegistryError> {
        if !is_told_empty(previews) {
            return Ok(None);
        }
        let runs: BTreeSet<&str> = previews.iter().flat_map(Preview::runs).collect();
        let mut before = guess.clone();
        while let Some(run) = self.last_change(selected, Some(&before)).await? {
            if runs.contains(run.id.as_str()) {
                return Ok(Some(run));
            }
            before = run;
        }
        Ok(None)
    }
}
