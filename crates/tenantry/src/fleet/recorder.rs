//! Writes where a run's targets are into the registry as it goes on, and passes its events on.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep, sleep_until};

use super::patience::within;
use crate::registry::{Registry, RegistryError, RunEnd, RunTarget};
use crate::run::{Control, Outcome, RunEvent, Stage, Stop, TargetState, Unrecorded, Word};
use crate::target::TrackName;

/// How many outcomes are written without waiting for more.
const BATCH: usize = 256;
/// How long an outcome may wait for others to be written with it. Each transaction costs the central
/// database a sync; what a killed run did not record is in the histories.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long that a target is worked on may wait to be written: most have ended by then.
const UNDER_WAY: Duration = Duration::from_secs(1);
/// How long an event may wait for others to be passed on with it: too short to be seen, and a run of
/// thousands a second does not wake its listener for each.
const GLANCE: Duration = Duration::from_millis(10);
/// How long the registry may take to write: more than it ever needs, as a write that is given up is done again.
const ANSWER: Duration = Duration::from_mins(2);
/// How long a registry that failed is left alone.
const RECOVERY: Duration = Duration::from_secs(2);

/// The run that is recorded.
pub(super) struct Recorder {
    pub(super) registry: Registry,
    pub(super) run_id: String,
    pub(super) epoch: i64,
    pub(super) control: Control,
    /// Where it is said that the registry does not answer.
    pub(super) said: UnboundedSender<Word>,
    /// Likewise, for whoever keeps the lease.
    pub(super) doubt: Arc<AtomicBool>,
}

/// Who ends a run in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// We did.
    ByUs,
    /// Whoever has it now: what this process saw of it is not all of it.
    ByAnother,
}

/// Outcomes that the registry did not take.
pub(super) struct NotRecorded {
    /// How many.
    pub(super) outcomes: usize,
    /// Why the last try failed.
    pub(super) error: RegistryError,
}

impl From<NotRecorded> for Unrecorded {
    fn from(not: NotRecorded) -> Self {
        let mut reason = not.error.to_string();
        let mut next = std::error::Error::source(&not.error);
        while let Some(cause) = next {
            reason = format!("{reason}: {cause}");
            next = cause.source();
        }
        Self {
            outcomes: not.outcomes,
            code: not.error.code(),
            reason,
        }
    }
}

/// What is not in the registry yet.
#[derive(Default)]
pub(super) struct Waiting {
    outcomes: Vec<RunTarget>,
    /// Where the run is among its waves.
    reached: Option<Reached>,
    /// Targets that are worked on, and whether the registry knows where they are.
    under_way: HashMap<(String, TrackName), (RunTarget, Noted)>,
    /// Whether somebody else has the run: what waits is in the histories, where the other one reads it.
    is_taken_over: bool,
}

/// Where a run is among its waves, by this process's clock.
#[derive(Clone, Copy)]
struct Reached {
    wave: usize,
    /// Until when nothing begins behind it, if it has ended.
    soaks_until: Option<Instant>,
}

impl Reached {
    fn stage(self) -> Stage {
        let left = |until: Instant| until.saturating_duration_since(Instant::now());
        Stage {
            wave: self.wave,
            soak: self.soaks_until.map(left),
        }
    }
}

/// What is written at once.
struct Batch {
    reached: Option<Reached>,
    targets: Vec<RunTarget>,
}

/// Whether the registry knows where a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noted {
    Yes,
    No,
}

impl Waiting {
    /// Takes an event in.
    fn take(&mut self, event: &RunEvent) {
        match event {
            RunEvent::TargetStarted(begun) => {
                let key = (begun.label.clone(), begun.track.clone());
                self.under_way.insert(key, (RunTarget::leased(begun), Noted::No));
            }
            RunEvent::MigrationStarted { label, track, .. } => self.moves(label, track, TargetState::Running),
            RunEvent::PutBack { label, track, .. } => self.moves(label, track, TargetState::RetryWait),
            RunEvent::TargetFinished(report) => {
                self.under_way
                    .remove(&(report.label.clone(), report.track.clone()));
                self.outcomes.push(RunTarget::reported(report));
            }
            RunEvent::WaveStarted { index, .. } => self.reach(*index, None),
            RunEvent::WaveFinished { index, soak, .. } => self.reach(*index, Some(Instant::now() + *soak)),
            RunEvent::Started(_)
            | RunEvent::Attached { .. }
            | RunEvent::TakenOver { .. }
            | RunEvent::MigrationFinished { .. }
            | RunEvent::Waiting { .. }
            | RunEvent::Retrying { .. }
            | RunEvent::Slow { .. }
            | RunEvent::RegistryAway { .. }
            | RunEvent::RegistryBack => {}
        }
    }

    fn reach(&mut self, wave: usize, soaks_until: Option<Instant>) {
        self.reached = Some(Reached { wave, soaks_until });
    }

    fn moves(&mut self, label: &str, track: &TrackName, state: TargetState) {
        if let Some((target, noted)) = self.under_way.get_mut(&(label.to_owned(), track.clone()))
            && target.state != state
        {
            target.state = state;
            *noted = Noted::No;
        }
    }

    /// Returns whether there is something that the registry does not know.
    fn has_news(&self) -> bool {
        let is_news = |(_, noted): &(RunTarget, Noted)| *noted == Noted::No;
        !self.outcomes.is_empty() || self.reached.is_some() || self.under_way.values().any(is_news)
    }

    /// Counts the outcomes that wait; that a target was not run is none.
    fn known(&self) -> usize {
        let known = self
            .outcomes
            .iter()
            .filter(|target| target.outcome != Outcome::NotRun);
        known.count()
    }

    /// Takes out what is to be written: outcomes, and what is worked on where the registry does not know it.
    fn batch(&mut self) -> Batch {
        let mut targets = std::mem::take(&mut self.outcomes);
        for (target, noted) in self.under_way.values_mut() {
            if std::mem::replace(noted, Noted::Yes) == Noted::No {
                targets.push(target.clone());
            }
        }
        let reached = self.reached.take();
        Batch { reached, targets }
    }

    /// Takes back what could not be written.
    fn take_back(&mut self, batch: Batch) {
        self.reached = self.reached.or(batch.reached);
        let ended: Vec<RunTarget> = batch.targets.into_iter().filter(is_outcome).collect();
        self.outcomes.splice(0..0, ended);
        for (_, noted) in self.under_way.values_mut() {
            *noted = Noted::No;
        }
    }
}

fn is_outcome(target: &RunTarget) -> bool {
    matches!(target.state, TargetState::Ended | TargetState::Pending)
}

impl Recorder {
    /// Takes a run's events until the run ends. Every event is passed on within 10 ms, also while the registry is
    /// slow; outcomes are written together, a fast run's in few transactions. What was not written is tried again; while the
    /// registry does not take it, the run is told that it is away. Returns what waits at the end.
    pub(super) async fn record(
        &self,
        mut from: UnboundedReceiver<RunEvent>,
        to: UnboundedSender<RunEvent>,
    ) -> Waiting {
        let mut kept = Waiting::default();
        let mut due: Option<Instant> = None;
        let mut passing = Vec::new();
        let mut glance = Instant::now();
        // At most one at a time: a target's newest outcome must be written last.
        let mut in_flight = FuturesUnordered::new();
        loop {
            tokio::select! {
                event = from.recv() => {
                    let Some(event) = event else { break };
                    kept.take(&event);
                    due = sooner(due, &kept, &event);
                    if passing.is_empty() {
                        glance = Instant::now() + GLANCE;
                    }
                    passing.push(event);
                }
                () = sleep_until(glance), if !passing.is_empty() => pass_on(&mut passing, &to),
                Some((batch, written)) = in_flight.next(), if !in_flight.is_empty() => {
                    let pause = if self.settle(&mut kept, batch, written) { PATIENCE } else { RECOVERY };
                    due = kept.has_news().then(|| Instant::now() + pause);
                }
                () = until(due), if in_flight.is_empty() && !kept.is_taken_over => {
                    due = None;
                    if kept.has_news() {
                        in_flight.push(self.write(kept.batch()));
                    }
                }
            }
        }
        pass_on(&mut passing, &to);
        if let Some((batch, written)) = in_flight.next().await {
            self.settle(&mut kept, batch, written);
        }
        kept
    }

    async fn write(&self, batch: Batch) -> (Batch, Result<(), RegistryError>) {
        let stage = batch.reached.map(Reached::stage);
        let written = self
            .registry
            .reach(&self.run_id, self.epoch, stage, &batch.targets);
        let written = within(ANSWER, self.registry.endpoint(), written).await;
        (batch, written)
    }

    /// Takes the end of a write in; what was not written waits again. Returns whether it was written.
    fn settle(&self, kept: &mut Waiting, batch: Batch, written: Result<(), RegistryError>) -> bool {
        match written {
            Ok(()) => true,
            Err(RegistryError::TakenOver { .. }) => {
                kept.is_taken_over = true;
                self.say(Word::TakenOver);
                false
            }
            Err(error) => {
                tracing::error!(%error, "outcomes could not be recorded");
                self.say(Word::Away);
                self.doubt.store(true, Ordering::Relaxed);
                kept.take_back(batch);
                false
            }
        }
    }

    fn say(&self, word: Word) {
        // A run that has ended hears nothing more.
        let _heard = self.said.send(word).is_ok();
    }

    /// Writes what still waits, and that the run has ended, in one transaction. A registry that does not answer is waited
    /// for as long as `window`, unless somebody asks for an end.
    pub(super) async fn finish(
        &self,
        waiting: Waiting,
        end: &RunEnd,
        window: Duration,
    ) -> Result<Closed, NotRecorded> {
        if waiting.is_taken_over {
            return Ok(Closed::ByAnother);
        }
        let until = Instant::now() + window;
        loop {
            let end = RunEnd {
                stage: end.stage.or(waiting.reached.map(Reached::stage)),
                ..end.clone()
            };
            let ended = self
                .registry
                .finish_run(&self.run_id, self.epoch, &end, &waiting.outcomes);
            let ended = within(ANSWER.max(window), self.registry.endpoint(), ended).await;
            let error = match ended {
                Ok(()) => return Ok(Closed::ByUs),
                Err(RegistryError::TakenOver { .. }) => return Ok(Closed::ByAnother),
                Err(error) => error,
            };
            if Instant::now() + RECOVERY >= until || self.control.requested() != Stop::No {
                return Err(NotRecorded {
                    outcomes: waiting.known(),
                    error,
                });
            }
            tokio::select! {
                () = sleep(RECOVERY) => {}
                () = self.control.reached(Stop::Drain) => {}
            }
        }
    }
}

/// Returns when the next write is due after an event.
fn sooner(due: Option<Instant>, kept: &Waiting, event: &RunEvent) -> Option<Instant> {
    let now = Instant::now();
    let next = match event {
        RunEvent::TargetFinished(_) if kept.outcomes.len() > BATCH => now,
        RunEvent::TargetFinished(_) => now + PATIENCE,
        // Whoever wants to end a soak must see it.
        RunEvent::WaveFinished { soak, .. } if !soak.is_zero() => now,
        RunEvent::TargetStarted(_)
        | RunEvent::MigrationStarted { .. }
        | RunEvent::PutBack { .. }
        | RunEvent::WaveStarted { .. }
        | RunEvent::WaveFinished { .. } => now + UNDER_WAY,
        RunEvent::Started(_)
        | RunEvent::Attached { .. }
        | RunEvent::TakenOver { .. }
        | RunEvent::MigrationFinished { .. }
        | RunEvent::Waiting { .. }
        | RunEvent::Retrying { .. }
        | RunEvent::Slow { .. }
        | RunEvent::RegistryAway { .. }
        | RunEvent::RegistryBack => return due,
    };
    Some(due.map_or(next, |due| due.min(next)))
}

async fn until(due: Option<Instant>) {
    match due {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn pass_on(events: &mut Vec<RunEvent>, to: &UnboundedSender<RunEvent>) {
    for event in events.drain(..) {
        // Without a listener the run goes on all the same.
        drop(to.send(event));
    }
}
