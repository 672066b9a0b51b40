//! How far a run is, counted from its events. Pure: the time is given.

use std::time::{Duration, Instant};

use tenantry::run::{Outcome, RunEvent};

/// A target that is being worked on.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    /// Its name.
    pub(crate) label: String,
    /// The track, as text.
    pub(crate) track: String,
    /// When it began.
    pub(crate) since: Instant,
    /// The migration that it is at; empty before the first.
    pub(crate) migration: String,
}

/// How far a run is.
#[derive(Debug)]
pub(crate) struct Tally {
    /// The run.
    pub(crate) run_id: String,
    /// When it began.
    pub(crate) began: Instant,
    /// How many targets it has.
    pub(crate) total: usize,
    /// How many have ended.
    pub(crate) done: usize,
    /// How many of these are not where they should be.
    pub(crate) failed: usize,
    /// Those that are being worked on, the oldest first.
    pub(crate) running: Vec<Running>,
}

impl Tally {
    /// Begins to count.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            run_id: String::new(),
            began: now,
            total: 0,
            done: 0,
            failed: 0,
            running: Vec::new(),
        }
    }

    /// Counts an event that happened now.
    pub(crate) fn count(&mut self, event: &RunEvent, now: Instant) {
        match event {
            RunEvent::Started(start) => {
                self.run_id.clone_from(&start.run_id);
                self.total = start.targets;
                (self.done, self.failed) = start.done;
                self.running.clear();
                self.began = now;
            }
            RunEvent::TargetStarted(begun) => {
                let track = begun.track.to_string();
                let is_new = !self
                    .running
                    .iter()
                    .any(|t| t.label == begun.label && t.track == track);
                if is_new {
                    self.running.push(Running {
                        label: begun.label.clone(),
                        track,
                        since: now,
                        migration: String::new(),
                    });
                }
            }
            RunEvent::PutBack { label, track, .. } => {
                let track = track.to_string();
                self.running.retain(|t| t.label != *label || t.track != track);
            }
            RunEvent::MigrationStarted {
                label,
                track,
                migration,
            } => {
                let track = track.to_string();
                let running = self.running.iter_mut();
                for target in running.filter(|t| t.label == *label && t.track == track) {
                    target.migration.clone_from(migration);
                }
            }
            RunEvent::TargetFinished(target) => {
                let track = target.track.to_string();
                self.running
                    .retain(|t| t.label != target.label || t.track != track);
                self.done += 1;
                self.failed += usize::from(target.outcome.is_failure());
                // Those that never began do not say how fast the run is.
                if matches!(target.outcome, Outcome::NotRun) {
                    self.done -= 1;
                }
            }
            RunEvent::MigrationFinished { .. } | RunEvent::Waiting { .. } | RunEvent::Retrying { .. } | _ => {
            }
        }
    }

    /// Returns how many targets end per second; 0 before the first.
    pub(crate) fn rate(&self, now: Instant) -> f64 {
        let seconds = now.duration_since(self.began).as_secs_f64();
        let done = u32::try_from(self.done).map_or(f64::MAX, f64::from);
        if seconds > 0.0 { done / seconds } else { 0.0 }
    }

    /// Returns how long the rest will take at this rate; `None` before the first target has ended.
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        let rest = u32::try_from(self.total.saturating_sub(self.done)).ok()?;
        let rate = self.rate(now);
        (rate > 0.0).then(|| Duration::from_secs_f64((f64::from(rest) / rate).min(1e9)))
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
    use tenantry::Code;

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
        let failed = sample::failed("globex", Code(2003));
        let now = begin + Duration::from_secs(2);
        tally.count(&RunEvent::TargetFinished(Box::new(failed)), now);
        assert_eq!((tally.done, tally.failed, tally.running.len()), (1, 1, 1));
        assert_eq!(tally.percent(), 25);
        assert_eq!(tally.left(now), Some(Duration::from_secs(6)));
        assert_eq!(tally.oldest(now), Some(("acme", Duration::from_secs(2))));
    }
}
