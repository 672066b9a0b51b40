//! Waves that earlier runs of the same work have not got past: a run that goes on with it does not pass them unseen.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::blueprint::{Plan, rollout_from};
use super::{Fleet, FleetError};
use crate::registry::{InWaves, RunPlan};
use crate::run::{RunStatus, Stage, Then, Unpassed, Wave};

impl Fleet {
    /// Returns what is to be waited for behind waves of which nothing may be left: those that the run which
    /// this one goes on with has not got past, or the newest one of the same files. `continues` is the first run of a chain.
    pub(super) async fn unpassed(
        &self,
        plan: &RunPlan,
        continues: Option<&str>,
    ) -> Result<Unpassed, FleetError> {
        let in_waves = match continues {
            Some(first) => {
                self.registry
                    .runs_in_waves(&self.registry.chain_of(first).await?)
                    .await?
            }
            None => self.registry.newest_in_waves().await?,
        };
        // What a resume goes on with may have been mended since.
        let is_same = |run: &InWaves| continues.is_some() || Plan::is_same_work(&run.plan, &plan.text);
        let Some(before) = in_waves.iter().find(|run| is_same(run)) else {
            return Ok(Unpassed::default());
        };
        if before.status == Some(RunStatus::Completed) {
            return Ok(Unpassed::default());
        }
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
        if !unpassed.waits.is_empty() {
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
