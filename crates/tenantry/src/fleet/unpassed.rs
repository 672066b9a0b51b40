//! Waves that earlier runs of the same work have not got past: a run that goes on with it does not pass them unseen.

use std::collections::HashMap;
use std::time::Duration;

use super::blueprint::rollout_from;
use super::{Fleet, FleetError};
use crate::registry::Run;
use crate::run::{RunStatus, Stage, Then, Wave};

impl Fleet {
    /// Returns what is to be waited for behind waves of which nothing may be left, by their names: those of the run that this
    /// one goes on with, or of the newest one of the same files, if it did not come to its end. `continues` is the first run
    /// of a chain.
    pub(super) async fn unpassed(
        &self,
        plan_hash: &str,
        continues: Option<&str>,
    ) -> Result<HashMap<String, Duration>, FleetError> {
        let before = match continues {
            Some(first) => self.registry.chain_of(first).await?.pop(),
            None => self.registry.newest_in_waves(plan_hash).await?,
        };
        let Some(before) = before else {
            return Ok(HashMap::new());
        };
        let run = self.registry.find_run(&before).await?;
        if run.status == Some(RunStatus::Completed) {
            return Ok(HashMap::new());
        }
        let stage = self.registry.stage_of(&run.id).await?;
        let text = run.rollout.as_deref().unwrap_or_default();
        Ok(waited_for(&run, stage, rollout_from(text, stage, &[]).waves))
    }
}

fn waited_for(run: &Run, stage: Stage, waves: Vec<Wave>) -> HashMap<String, Duration> {
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
