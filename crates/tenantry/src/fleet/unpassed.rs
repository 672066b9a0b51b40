//! Waves that earlier runs of the same work have not got past: a run that goes on with it does not pass them unseen.

use std::collections::HashMap;
use std::time::Duration;

use super::blueprint::{Plan, rollout_from};
use super::{Fleet, FleetError};
use crate::registry::{InWaves, RunPlan};
use crate::run::{RunStatus, Stage, Then, Wave};

impl Fleet {
    /// Returns what is to be waited for behind waves of which nothing may be left, by their names: those that the run which
    /// this one goes on with has not got past, or the newest one of the same files. `continues` is the first run of a chain.
    pub(super) async fn unpassed(
        &self,
        plan: &RunPlan,
        continues: Option<&str>,
    ) -> Result<HashMap<String, Duration>, FleetError> {
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
            return Ok(HashMap::new());
        };
        if before.status == Some(RunStatus::Completed) {
            return Ok(HashMap::new());
        }
        let stage = self.registry.stage_of(&before.id).await?;
        let waves = rollout_from(&before.rollout, stage, &[]).waves;
        Ok(waited_for(before, stage, waves))
    }
}

fn waited_for(run: &InWaves, stage: Stage, waves: Vec<Wave>) -> HashMap<String, Duration> {
    // A run that waits at a gate is noted in the wave behind it.
    let is_at_gate = run.cause.as_deref() == Some("gate");
    let soak = |number: usize, wave: &Wave| {
        if number == stage.wave {
            Some(stage.soak.unwrap_or(wave.soak))
        } else if number > stage.wave || (is_at_gate && number + 1 == stage.wave) {
            Some(Duration::ZERO)
        } else {
            None
        }
    };
    let waves = waves.into_iter().enumerate().filter_map(|(number, wave)| {
        let soak = soak(number, &wave)?;
        (wave.then == Then::Pause || !soak.is_zero()).then_some((wave.name, soak))
    });
    waves.collect()
}
