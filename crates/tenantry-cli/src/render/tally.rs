//! How far a run is, counted from its events. Pure: the time is given.

use std::time::{Duration, Instant};

use tenantry::run::{BegunTarget, Expected, Outcome, RunEvent, Start, TargetReport};

use super::again::Again;
use super::{pace, text};

/// So many failures are enough to look at while a run goes on: its end has them all.
pub(crate) const FAILURES_KEPT: usize = 1_000;

/// A target that is being worked on.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    /// Its name.
    pub(crate) label: String,
    /// The track, as text.
    pub(crate) track: String,
    /// The name of its server; empty for the central database.
    pub(crate) server: String,
    /// When it began.
    pub(crate) since: Instant,
    /// The migration that it is at; empty before the first.
    pub(crate) migration: String,
    /// What it waits for; empty if for nothing.
    pub(crate) waits: String,
    /// How long it is expected to take, in milliseconds; 0 if unknown.
    pub(crate) expected_ms: u64,
}

/// How far a run is on one server.
#[derive(Clone, Debug)]
pub(crate) struct ServerTally {
    /// Its name; empty for the central database.
    pub(crate) name: String,
    /// How many targets it has.
    pub(crate) total: usize,
    /// How many have ended.
    pub(crate) done: usize,
    /// How many of these are not where they should be.
    pub(crate) failed: usize,
}

/// How far a run is.
#[derive(Debug)]
pub(crate) struct Tally {
    /// The run.
    pub(crate) run_id: String,
    /// Who drives it; `None` if this process does.
    pub(crate) driver: Option<String>,
    /// When it began.
    pub(crate) began: Instant,
    /// How many targets it has.
    pub(crate) total: usize,
    /// How many have ended.
    pub(crate) done: usize,
    /// How many of these had when this process began.
    pub(crate) done_before: usize,
    /// How many of these are not where they should be.
    pub(crate) failed: usize,
    /// The first that this process saw fail, at most [`FAILURES_KEPT`], in the order in which they ended.
    pub(crate) failures: Vec<TargetReport>,
    /// Those that are being worked on, the oldest first.
    pub(crate) running: Vec<Running>,
    /// The servers, by name.
    pub(crate) servers: Vec<ServerTally>,
    /// How many run at once at most.
    pub(crate) concurrency: usize,
    /// The wave that it is in; empty if it has none.
    pub(crate) wave: String,
    /// Until when nothing begins behind that one; `None` while it is worked on.
    pub(crate) soaks_until: Option<Instant>,
    /// How long its targets are expected to take together.
    pub(crate) expected: Expected,
    /// The same of those that have ended.
    pub(crate) expected_done: Expected,
    attached: Option<String>,
}

impl Tally {
    /// Begins to count.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            run_id: String::new(),
            driver: None,
            began: now,
            total: 0,
            done: 0,
            done_before: 0,
            failed: 0,
            failures: Vec::new(),
            running: Vec::new(),
            servers: Vec::new(),
            concurrency: 0,
            wave: String::new(),
            soaks_until: None,
            expected: Expected::default(),
            expected_done: Expected::default(),
            attached: None,
        }
    }

    /// Counts an event that happened now.
    pub(crate) fn count(&mut self, event: &RunEvent, now: Instant) {
        match event {
            RunEvent::Attached { run_id, driver } => {
                self.run_id.clone_from(run_id);
                self.attached = Some(text::printable(driver));
            }
            RunEvent::TakenOver { run_id, .. } => self.run_id.clone_from(run_id),
            RunEvent::Started(start) => self.start(start, now),
            RunEvent::WaveStarted { wave, .. } => {
                self.wave.clone_from(wave);
                self.soaks_until = None;
            }
            RunEvent::WaveFinished { wave, soak, .. } => {
                self.wave.clone_from(wave);
                self.soaks_until = (!soak.is_zero()).then(|| now + *soak);
            }
            RunEvent::TargetStarted(begun) => self.begin(begun, now),
            RunEvent::PutBack { label, track, .. } => {
                self.take(label, &track.to_string());
            }
            RunEvent::MigrationStarted {
                label,
                track,
                migration,
            } => {
                let track = track.to_string();
                for target in self.of(label).filter(|target| target.track == track) {
                    target.migration.clone_from(migration);
                    target.waits.clear();
                }
            }
            RunEvent::Waiting { label, reason } => {
                self.of(label).for_each(|target| target.waits.clone_from(reason));
            }
            RunEvent::Retrying { label, .. } => {
                let waits = Again::of(event).map(|again| again.waits()).unwrap_or_default();
                self.of(label).for_each(|target| target.waits.clone_from(&waits));
            }
            RunEvent::MigrationFinished { label, .. } => {
                self.of(label).for_each(|target| target.waits.clear());
            }
            RunEvent::TargetFinished(target) => self.finish(target),
            RunEvent::Slow { .. } | RunEvent::RegistryAway { .. } | RunEvent::RegistryBack | _ => {}
        }
    }

    /// Returns how long nothing begins yet behind the wave that is over; `None` if nothing is waited for.
    pub(crate) fn soaks(&self, now: Instant) -> Option<Duration> {
        let left = self.soaks_until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    fn start(&mut self, start: &Start, now: Instant) {
        let servers = start.servers.iter().map(|on| ServerTally {
            name: on.server.as_ref().map_or(String::new(), ToString::to_string),
            total: on.targets,
            done: on.done.0,
            failed: on.done.1,
        });
        *self = Self {
            run_id: start.run_id.clone(),
            driver: self.attached.take(),
            total: start.targets,
            done: start.done.0,
            done_before: start.done.0,
            failed: start.done.1,
            servers: servers.collect(),
            concurrency: start.concurrency,
            expected: start.expected,
            ..Self::new(now)
        };
    }

    fn begin(&mut self, begun: &BegunTarget, now: Instant) {
        let track = begun.track.to_string();
        if self.of(&begun.label).any(|target| target.track == track) {
            return;
        }
        self.running.push(Running {
            label: begun.label.clone(),
            track,
            server: begun.server.as_ref().map_or(String::new(), ToString::to_string),
            since: now,
            migration: String::new(),
            waits: String::new(),
            expected_ms: begun.expected_ms,
        });
    }

    fn finish(&mut self, target: &TargetReport) {
        let ended = self.take(&target.label, &target.track.to_string());
        // Those that never began do not say how fast the run is.
        if target.outcome == Outcome::NotRun {
            return;
        }
        let expected_ms = ended.map_or(0, |ended| ended.expected_ms);
        self.expected_done.targets += usize::from(expected_ms > 0);
        self.expected_done.ms += expected_ms;
        let failed = usize::from(target.outcome.is_failure());
        self.done += 1;
        self.failed += failed;
        let name = target.server.as_ref().map_or("", |server| server.as_str());
        if let Some(on) = self.servers.iter_mut().find(|on| on.name == name) {
            on.done += 1;
            on.failed += failed;
        }
        if failed > 0 && self.failures.len() < FAILURES_KEPT {
            self.failures.push(target.clone());
        }
    }

    fn of<'a>(&'a mut self, label: &'a str) -> impl Iterator<Item = &'a mut Running> {
        self.running
            .iter_mut()
            .filter(move |target| target.label == label)
    }

    fn take(&mut self, label: &str, track: &str) -> Option<Running> {
        let is_it = |target: &Running| target.label == label && target.track == track;
        let at = self.running.iter().position(is_it)?;
        Some(self.running.remove(at))
    }

    /// Returns the name of the server of a target that runs; empty if none is known.
    pub(crate) fn server_of(&self, label: &str) -> &str {
        let found = self.running.iter().find(|target| target.label == label);
        found.map_or("", |target| &target.server)
    }

    /// Returns how many targets of a server run.
    pub(crate) fn running_on(&self, server: &str) -> usize {
        let there = self.running.iter().filter(|target| target.server == server);
        there.count()
    }

    /// Returns how many targets end per second; 0 before the first.
    pub(crate) fn rate(&self, now: Instant) -> f64 {
        pace::rate(self, now)
    }

    /// Returns how long the rest will take; `None` before the first target has ended.
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        pace::left(self, now)
    }

    /// Returns how many of a hundred are done.
    pub(crate) fn percent(&self) -> usize {
        (self.done * 100).checked_div(self.total).unwrap_or(100)
    }

    /// Returns the target that has been worked on longest, and for how long.
    pub(crate) fn oldest(&self, now: Instant) -> Option<(&str, Duration)> {
        let oldest = self.running.iter().min_by_key(|target| target.since)?;
        Some((&oldest.label, now.duration_since(oldest.since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use tenantry::{Code, TrackName};

    #[test]
    fn a_tally_follows_the_events() {
        let begin = Instant::now();
        let mut tally = Tally::new(begin);
        let started = sample::started("run_7f3a", 4, 2);
        tally.count(&started, begin);
        for label in ["acme", "globex"] {
            let event = sample::begun(label);
            tally.count(&event, begin);
        }
        assert_eq!(tally.running_on("eu-db-2"), 2);
        let failed = sample::failed("globex", Code(2003));
        let now = begin + Duration::from_secs(2);
        tally.count(&RunEvent::TargetFinished(Box::new(failed)), now);
        assert_eq!((tally.done, tally.failed, tally.running.len()), (1, 1, 1));
        assert_eq!(tally.failures.len(), 1);
        assert_eq!(tally.percent(), 25);
        assert_eq!(tally.left(now), Some(Duration::from_secs(6)));
        assert_eq!(tally.oldest(now), Some(("acme", Duration::from_secs(2))));
    }

    #[test]
    fn who_was_put_back_runs_again_when_it_goes_on() {
        let begin = Instant::now();
        let mut tally = Tally::new(begin);
        tally.count(&sample::started("run_7f3a", 1, 1), begin);
        tally.count(&sample::begun("acme"), begin);
        let put_back = RunEvent::PutBack {
            label: "acme".to_owned(),
            track: TrackName::Tenant,
            code: Code(5001),
            reason: "it does not answer".to_owned(),
            pause: Duration::from_secs(1),
        };
        tally.count(&put_back, begin);
        assert_eq!(tally.running.len(), 0);
        tally.count(&sample::begun("acme"), begin);
        assert_eq!(tally.server_of("acme"), "eu-db-2");
    }

    #[test]
    fn who_drives_is_known_until_this_process_does() {
        let now = Instant::now();
        let mut tally = Tally::new(now);
        let attached = RunEvent::Attached {
            run_id: "run_7f3a".to_owned(),
            driver: "runner-7 (pid 412)".to_owned(),
        };
        let started = sample::started("run_7f3a", 1, 1);
        tally.count(&attached, now);
        tally.count(&started, now);
        assert_eq!(tally.driver.as_deref(), Some("runner-7 (pid 412)"));
        tally.count(&started, now);
        assert_eq!(tally.driver, None);
    }
}
