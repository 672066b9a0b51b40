//! What is left of a run that another process began, or that is paused.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use tokio::time::Instant;

use super::blueprint::{rollout_from, waves_of};
use super::drive::Drive;
use super::{Fleet, FleetError, Selected};
use crate::engine::Engine;
use crate::plan::Goal;
use crate::registry::{Run, RunTarget};
use crate::run::{Job, OnServer, Outcome, Start, TargetState};
use crate::target::{TargetKey, TrackName};

/// The epoch of the driver that began a run.
const FIRST: i64 = 1;

impl Fleet {
    /// What is left of a run that another process began; `found` is how it stood before this one took it, if that is known.
    pub(super) async fn rest(
        &self,
        (run_id, found): (&str, Option<&Run>),
        (epoch, asked): (i64, Instant),
        mut selected: Selected,
    ) -> Result<Drive, FleetError> {
        let run = self.registry.find_run(run_id).await?;
        let mut targets = self.registry.targets_of(run_id).await?;
        self.end_absent((run_id, epoch), &mut targets, &selected).await?;
        let open = remaining(&targets);
        let stage = self.registry.stage_of(run_id).await?;
        let mut rollout = rollout_from(run.rollout.as_deref().unwrap_or_default(), stage, &targets);
        // One that waits at a gate has not begun with the wave that it is noted in.
        let is_at_gate = found.is_some_and(|run| run.cause.as_deref() == Some("gate"));
        let begun = stage.wave + usize::from(!is_at_gate);
        // Who was taken up more than once may have changed what its next driver found current.
        let is_unsure = found.is_none_or(|run| run.epoch > FIRST);
        for (number, wave) in rollout.waves.iter_mut().enumerate().take(begun) {
            let mut of = targets.iter().filter(|target| target.wave == number);
            wave.was_worked_on |= is_unsure || of.any(|target| target.outcome != Outcome::Current);
        }
        if let Some(canary) = rollout.canary() {
            let servers = self.registry.servers().await?.into_iter();
            let engines = servers
                .map(|server| (server.name.to_string(), server.engine))
                .collect();
            rollout.owed = owed_by(canary, &targets, &engines);
        }
        selected.drop_behind(&ended_badly(&targets));
        selected.retain(|job| open.contains(&job.target.key()));
        hold_to_goals(&targets, &mut selected.jobs);
        let waves: HashMap<_, usize> = targets.iter().map(|t| (t.key(), t.wave)).collect();
        let durations = self.durations_of(&selected.jobs).await?;
        let place = |job: &Job| crate::run::Place {
            wave: waves.get(&job.target.key()).copied().unwrap_or(0),
            expected_ms: durations.get(&job.target.database_id).copied().unwrap_or(0),
        };
        rollout.places = selected.jobs.iter().map(place).collect();
        let ended = targets.iter().filter(|target| target.state == TargetState::Ended);
        let failed = ended.clone().filter(|target| target.outcome.is_failure()).count();
        let start = Start {
            direction: run.direction,
            targets: targets.len(),
            done: (ended.count(), failed),
            servers: on_servers(&targets),
            current: usize::try_from(run.found_current).unwrap_or(usize::MAX),
            waves: run.rollout.as_deref().map(waves_of).unwrap_or_default(),
            max_failures: rollout.max_failures,
            actor: run.actor.clone(),
            ..Start::of(run_id, &selected.jobs)
        };
        Ok(Drive {
            run_id: run_id.to_owned(),
            epoch,
            asked,
            direction: run.direction,
            jobs: selected.jobs,
            rollout,
            start,
            left_out: Vec::new(),
            settled: Vec::new(),
            has_begun: true,
        })
    }
}

/// Gives every job the goal that its target began with.
fn hold_to_goals(targets: &[RunTarget], jobs: &mut [Job]) {
    let goals: HashMap<_, &Goal> = targets
        .iter()
        .filter_map(|target| Some((target.key(), target.goal.as_ref()?)))
        .collect();
    for job in jobs {
        if let Some(goal) = goals.get(&job.target.key()) {
            job.goal = (*goal).clone();
        }
    }
}

/// Returns the engines of a run's canaries of which none has gone well yet, whatever became of those; `engines` are those of
/// the servers, by name.
fn owed_by(canary: usize, targets: &[RunTarget], engines: &HashMap<String, Engine>) -> Vec<Engine> {
    let engine = |target: &RunTarget| match target.track {
        TrackName::Central | TrackName::Registry => None,
        TrackName::Tenant | TrackName::Product(_) => engines.get(target.server.as_deref()?).copied(),
    };
    let first = targets.iter().filter(|target| target.wave == canary);
    let mut owed: BTreeSet<Engine> = first.filter_map(engine).collect();
    let went_well = targets.iter().filter(|target| target.outcome.is_success());
    for proven in went_well.filter_map(engine) {
        owed.remove(&proven);
    }
    owed.into_iter().collect()
}

/// Counts the targets of a run by server.
fn on_servers(targets: &[RunTarget]) -> Vec<OnServer> {
    let mut servers: BTreeMap<Option<&str>, OnServer> = BTreeMap::new();
    for target in targets {
        let on = servers
            .entry(target.server.as_deref())
            .or_insert_with(|| OnServer {
                server: target.server.as_deref().and_then(|name| name.parse().ok()),
                targets: 0,
                done: (0, 0),
            });
        let has_ended = target.state == TargetState::Ended;
        on.targets += 1;
        on.done.0 += usize::from(has_ended);
        on.done.1 += usize::from(has_ended && target.outcome.is_failure());
    }
    servers.into_values().collect()
}

/// Returns the targets of a run that have ended, and not at their goal.
pub(super) fn ended_badly(targets: &[RunTarget]) -> HashSet<TargetKey<'_>> {
    let ended = targets.iter().filter(|target| target.state == TargetState::Ended);
    ended
        .filter(|target| !target.outcome.is_success())
        .map(RunTarget::key)
        .collect()
}

/// Returns the targets of a run that have not ended.
pub(super) fn remaining(targets: &[RunTarget]) -> HashSet<TargetKey<'_>> {
    let open = targets.iter().filter(|target| target.state != TargetState::Ended);
    open.map(RunTarget::key).collect()
}
