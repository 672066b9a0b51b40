//! Waves that nobody has promoted for the migrations at hand: a run over several tenants does not pass them unseen.

use std::collections::HashSet;
use std::time::Duration;

use super::blueprint::{Plan, rollout_from};
use super::{Fleet, FleetError};
use crate::direction::Direction;
use crate::engine::Engine;
use crate::registry::{OfSeveral, RunPlan, RunTarget};
use crate::run::{Job, RunStatus, Stage, Then, Unpassed, Wave, WaveRule};
use crate::target::{TargetKey, TrackName};

impl Fleet {
    /// Returns what is to be waited for behind waves of which nothing may be left: those that no run of these migrations has
    /// got past. What a run over several took the other way on one of these tracks closes gates.
    pub(super) async fn unpassed(
        &self,
        jobs: &[Job],
        (plan, direction): (&RunPlan, Direction),
    ) -> Result<Unpassed, FleetError> {
        let behind: HashSet<_> = jobs.iter().filter(|job| job.is_behind()).map(kind_of).collect();
        let Some(mut wanted) = Plan::read(&plan.text) else {
            return Ok(Unpassed::default());
        };
        if direction == Direction::Up {
            // A deploy with nothing to do looks at no earlier run.
            if behind.is_empty() {
                return Ok(Unpassed::default());
            }
            wanted.retain(|track, engine| {
                let is_it =
                    |(name, of): &(&TrackName, Engine)| name.to_string() == track && of.to_string() == engine;
                behind.iter().any(is_it)
            });
        }
        let seen = self.seen_of(&wanted).await?;
        if direction == Direction::Down && !self.is_left_over(jobs, &seen).await? {
            return Ok(Unpassed::default());
        }
        let mut unpassed = Unpassed::default();
        for rule in self
            .options
            .policy
            .waves
            .iter()
            .filter(|rule| rule.is_relied_on())
        {
            let said = said_of(rule, &seen);
            if matches!(said, Some(Said::Passed)) {
                unpassed.passed.insert(rule.name.clone());
            }
            let waits = match (said, rule.then, direction) {
                (Some(Said::Waits(soak)), Then::Pause, _) => Some(soak),
                (Some(Said::Waits(soak)), Then::GoOn, _) => Some(soak).filter(|soak| !soak.is_zero()),
                // On the way back there is no gate before anything was done in its wave.
                (None, Then::Pause, Direction::Up) => Some(Duration::ZERO),
                (None | Some(Said::Passed), _, _) => None,
            };
            unpassed.waits.extend(waits.map(|soak| (rule.name.clone(), soak)));
        }
        for run in seen.iter().filter(|run| run.counts) {
            self.add_begun(&mut unpassed, run).await?;
        }
        unpassed.proven = self.proven_by(&seen, &wanted).await?;
        Ok(unpassed)
    }

    /// Returns the newest runs over several that had all these migrations, the newest first, and looks how far they have come
    /// and in which waves they did something.
    async fn seen_of(&self, wanted: &Plan) -> Result<Vec<Seen>, FleetError> {
        let runs = self.registry.newest_of_several().await?;
        let ids: Vec<String> = runs.iter().map(|run| run.id.clone()).collect();
        let mut applied = self.registry.waves_applied_in(&ids).await?;
        let mut counts = true;
        let mut seen = Vec::new();
        for run in runs {
            let Some(theirs) = Plan::read(&run.plan) else {
                continue;
            };
            let applied = applied.remove(&run.id).unwrap_or_default();
            if theirs.direction != wanted.direction {
                counts &= applied.is_empty() || !theirs.has_track_of(wanted);
            } else if theirs.covers(wanted) {
                let stage = self.registry.stage_of(&run.id).await?;
                seen.push(Seen {
                    waves: rollout_from(&run.rollout, stage, &[]).waves,
                    is_at_gate: run.cause.as_deref() == Some("gate"),
                    run,
                    stage,
                    applied,
                    counts,
                });
            }
        }
        Ok(seen)
    }

    /// Adds who was in the waves of a limited size in which a run did something, or waited behind them.
    async fn add_begun(&self, unpassed: &mut Unpassed, run: &Seen) -> Result<(), FleetError> {
        let rules = self
            .options
            .policy
            .waves
            .iter()
            .filter(|rule| rule.limit.is_some());
        for rule in rules {
            let number = run.waves.iter().position(|wave| wave.name == rule.name);
            let begun = number.filter(|number| *number <= run.newest() && run.has_worked(*number));
            if let Some(number) = begun {
                let members = self.registry.members_of_wave(&run.run.id, number).await?;
                let known = unpassed.begun.entry(rule.name.clone()).or_default();
                known.extend(members);
            }
        }
        Ok(())
    }

    /// Returns whether one of these runs was not completed and left some of these jobs over, which no later run brought
    /// anywhere.
    async fn is_left_over(&self, jobs: &[Job], seen: &[Seen]) -> Result<bool, FleetError> {
        let wanted: HashSet<TargetKey<'_>> = jobs.iter().map(|job| job.target.key()).collect();
        for before in seen.iter().filter(|seen| seen.counts && !seen.is_completed()) {
            let run = self.registry.find_run(&before.run.id).await?;
            let settled = self.registry.settled_after(&run).await?;
            let targets = self.registry.targets_of(&run.id).await?;
            let is_left = |target: &RunTarget| {
                let key = (target.database_id.clone(), target.track.to_string());
                !target.outcome.is_success() && wanted.contains(&target.key()) && !settled.contains(&key)
            };
            if targets.iter().any(is_left) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the engines on which one of these runs did its work behind its canary: there it needs no other.
    async fn proven_by(&self, seen: &[Seen], wanted: &Plan) -> Result<HashSet<Engine>, FleetError> {
        let runs = seen.iter().filter(|seen| seen.counts).map(|seen| &seen.run);
        let runs = runs.filter(|run| run.cause.as_deref() != Some("canary"));
        let ids: Vec<String> = runs.map(|run| run.id.clone()).collect();
        let tracks: Vec<String> = wanted.tracks.iter().map(|track| track.track.clone()).collect();
        let proven = self.registry.servers_applied_in(&ids, &tracks).await?;
        let servers = self.registry.servers().await?.into_iter();
        let servers = servers.filter(|server| proven.contains(server.name.as_str()));
        Ok(servers.map(|server| server.engine).collect())
    }
}

/// An earlier run of the same migrations.
struct Seen {
    run: OfSeveral,
    waves: Vec<Wave>,
    stage: Stage,
    /// The numbers of the waves in which it brought a target anywhere.
    applied: HashSet<usize>,
    is_at_gate: bool,
    /// Whether nothing was taken the other way since: what was promoted before is to be promoted again.
    counts: bool,
}

/// What an earlier run says about what is behind a wave.
enum Said {
    /// It has got past it, and had something to wait for there.
    Passed,
    /// It waits there, for so long.
    Waits(Duration),
}

impl Seen {
    fn is_completed(&self) -> bool {
        self.run.status == Some(RunStatus::Completed)
    }

    /// Returns the number of the wave that it has come to. One that waits at a gate is noted in the wave behind it, which has
    /// not begun.
    fn newest(&self) -> usize {
        self.stage.wave.saturating_sub(usize::from(self.is_at_gate))
    }

    /// Returns whether something was done in a wave, so that the run waits behind it: one in which all were current is gone
    /// past, and says nothing.
    fn has_worked(&self, number: usize) -> bool {
        let was_worked_on = self.waves.get(number).is_some_and(|wave| wave.was_worked_on);
        was_worked_on || self.applied.contains(&number)
    }

    fn says(&self, rule: &WaveRule) -> Option<Said> {
        let is_it = |wave: &Wave| wave.name == rule.name && wave.then == rule.then;
        let number = self.waves.iter().position(is_it)?;
        if !self.has_worked(number) || number > self.newest() {
            return None;
        }
        if number < self.newest() {
            return Some(Said::Passed);
        }
        if self.is_at_gate {
            return Some(Said::Waits(Duration::ZERO));
        }
        // What is waited for behind the last wave is nothing.
        let soak = self.stage.soak.unwrap_or(self.waves[number].soak);
        (!self.is_completed()).then_some(Said::Waits(soak))
    }
}

/// Returns what is known of what is behind a wave, by runs of which the newest is the first: a gate that was promoted once is
/// open until something is taken the other way, and a soak is that of the newest.
fn said_of(rule: &WaveRule, seen: &[Seen]) -> Option<Said> {
    let mut waits = None;
    for run in seen {
        match (run.says(rule), rule.then) {
            (Some(Said::Passed), Then::Pause) if run.counts => return Some(Said::Passed),
            (None, _) | (Some(Said::Passed), Then::Pause) => {}
            (Some(Said::Waits(soak)), Then::Pause) => waits = waits.or(Some(soak)),
            (said @ Some(_), Then::GoOn) => return said,
        }
    }
    waits.map(Said::Waits)
}

fn kind_of(job: &Job) -> (&TrackName, Engine) {
    (&job.target.track, job.track.engine)
}
