//! Waves that earlier runs of the same work have not got past: a run that goes on with it does not pass them unseen.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::blueprint::{Plan, rollout_from};
use super::{Fleet, FleetError};
use crate::registry::{InWaves, RunPlan, RunTarget};
use crate::run::{Job, RunStatus, Stage, Then, Unpassed, Wave};
use crate::target::TargetKey;

impl Fleet {
    /// Returns what is to be waited for behind waves of which nothing may be left: those that the run which
    /// this one goes on with has not got past, or the newest one of the same files that left some of these jobs over.
    /// `continues` is the first run of a chain.
    pub(super) async fn unpassed(
        &self,
        jobs: &[Job],
        plan: &RunPlan,
        continues: Option<&str>,
    ) -> Result<Unpassed, FleetError> {
        let before = match continues {
            Some(first) => {
                let chain = self.registry.chain_of(first).await?;
                let newest = self.registry.runs_in_waves(&chain).await?.into_iter().next();
                newest.filter(|run| run.status != Some(RunStatus::Completed))
            }
            None => self.left_over_by(jobs, plan).await?,
        };
        let Some(before) = before else {
            return Ok(Unpassed::default());
        };
        let stage = self.registry.stage_of(&before.id).await?;
        let waves = rollout_from(&before.rollout, stage, &[]).waves;
        // A run that waits at a gate is noted in the wave behind it, which has not begun.
        let is_at_gate = before.cause.as_deref() == Some("gate");
        let newest = if is_at_gate {
            stage.wave.saturating_sub(1)
        } else {
            stage.wave
        };
        let mut unpassed = Unpassed {
            waits: waits(&waves, (stage, newest)),
            begun: HashMap::new(),
        };
        // Files that were not in them, or not so, need a canary and whole waves of their own.
        if !unpassed.waits.is_empty() && Plan::is_same_work(&before.plan, &plan.text) {
            let begun = waves.iter().take(newest + 1);
            unpassed.begun = begun.map(|wave| (wave.name.clone(), HashSet::new())).collect();
            for target in self.registry.targets_of(&before.id).await? {
                if let Some(wave) = waves.get(target.wave).filter(|_| target.wave <= newest) {
                    let members = unpassed.begun.entry(wave.name.clone()).or_default();
                    members.insert((target.database_id, target.track));
                }
            }
        }
        Ok(unpassed)
    }

    /// Returns the newest run of the same files that was not completed and left some of these jobs over, which no later run
    /// brought anywhere; `None` if there is none.
    async fn left_over_by(&self, jobs: &[Job], plan: &RunPlan) -> Result<Option<InWaves>, FleetError> {
        let wanted: HashSet<TargetKey<'_>> = jobs.iter().map(|job| job.target.key()).collect();
        for before in self.registry.newest_in_waves().await? {
            let is_over = before.status == Some(RunStatus::Completed);
            if is_over || !Plan::is_same_work(&before.plan, &plan.text) {
                continue;
            }
            let run = self.registry.find_run(&before.id).await?;
            let settled = self.registry.settled_after(&run).await?;
            let targets = self.registry.targets_of(&before.id).await?;
            let is_left = |target: &RunTarget| {
                let key = (target.database_id.clone(), target.track.to_string());
                !target.outcome.is_success() && wanted.contains(&target.key()) && !settled.contains(&key)
            };
            if targets.iter().any(is_left) {
                return Ok(Some(before));
            }
        }
        Ok(None)
    }
}

/// Returns how long is to be waited behind the waves from `newest` on, in which the run is.
fn waits(waves: &[Wave], (stage, newest): (Stage, usize)) -> HashMap<String, Duration> {
    let soak = |number: usize, wave: &Wave| match number.cmp(&newest) {
        Ordering::Less => None,
        Ordering::Equal if newest == stage.wave => Some(stage.soak.unwrap_or(wave.soak)),
        Ordering::Equal | Ordering::Greater => Some(Duration::ZERO),
    };
    let waves = waves.iter().enumerate().filter_map(|(number, wave)| {
        let soak = soak(number, wave)?;
        (wave.then == Then::Pause || !soak.is_zero()).then_some((wave.name.clone(), soak))
    });
    waves.collect()
}
