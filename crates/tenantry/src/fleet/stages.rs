//! Tells which waves a run that another process drives comes through, from where the registry says that it is. Pure.

use std::cmp::Ordering;
use std::time::Duration;

use super::blueprint::{rollout_from, waves_of};
use crate::registry::Run;
use crate::run::{RunEvent, Stage, Then, Wave, WaveKind};

/// The waves of a run that is followed, and what is to be told of its targets.
pub(super) struct Stages {
    waves: Vec<(Wave, usize)>,
    /// The wave that was told last, and what of it.
    seen: (usize, Seen),
    /// What targets of waves behind it have come to: the registry was asked for them a moment later.
    ahead: Vec<(usize, RunEvent)>,
}

/// What was told of a wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Nothing,
    Begin,
    End,
}

impl Stages {
    /// Reads the waves of a run.
    pub(super) fn of(run: &Run) -> Self {
        let text = run.rollout.as_deref().unwrap_or_default();
        let waves = rollout_from(text, Stage::default(), &[]).waves;
        let targets = waves_of(text).into_iter().map(|(_, targets)| targets);
        Self::over(waves.into_iter().zip(targets).collect())
    }

    fn over(waves: Vec<(Wave, usize)>) -> Self {
        Self {
            waves,
            seen: (0, Seen::Nothing),
            ahead: Vec::new(),
        }
    }

    /// Returns whether it has none, so that where the run is need not be known.
    pub(super) fn are_none(&self) -> bool {
        self.waves.is_empty()
    }

    /// Takes in where the run is now and what its targets have come to since the last look, each with its wave; returns what
    /// is to be told, in the order in which it was.
    pub(super) fn look(&mut self, now: Stage, targets: Vec<(usize, RunEvent)>) -> Vec<RunEvent> {
        self.ahead.extend(targets);
        let mut events = Vec::new();
        loop {
            let (wave, seen) = self.seen;
            if seen < Seen::Begin {
                events.extend(self.started(wave));
            }
            // Who stands in for a canary is of a wave behind it.
            let is_any_told = wave == now.wave && self.is_canary(wave);
            let (told, ahead) = std::mem::take(&mut self.ahead)
                .into_iter()
                .partition(|(of, _)| is_any_told || *of <= wave);
            self.ahead = ahead;
            let told: Vec<(usize, RunEvent)> = told;
            events.extend(told.into_iter().map(|(_, event)| event));
            let soak = match wave.cmp(&now.wave) {
                Ordering::Less => Some(Duration::ZERO),
                Ordering::Equal => now.soak,
                Ordering::Greater => None,
            };
            if let Some(soak) = soak.filter(|_| seen < Seen::End) {
                events.extend(self.finished(wave, soak));
            }
            if wave >= now.wave {
                self.seen.1 = seen.max(if soak.is_some() { Seen::End } else { Seen::Begin });
                return events;
            }
            self.seen = (wave + 1, Seen::Nothing);
        }
    }

    /// Returns what is left to be told of a run that is over.
    pub(super) fn end(&mut self) -> Vec<RunEvent> {
        let left = std::mem::take(&mut self.ahead).into_iter();
        left.map(|(_, event)| event).collect()
    }

    fn is_canary(&self, index: usize) -> bool {
        self.waves
            .get(index)
            .is_some_and(|(wave, _)| wave.kind == WaveKind::Canary)
    }

    /// Returns a wave that there is something to tell of: of one that has no targets, what is waited for behind it.
    fn told(&self, index: usize) -> Option<&(Wave, usize)> {
        let is_told =
            |wave: &Wave, targets: usize| targets > 0 || wave.then == Then::Pause || !wave.soak.is_zero();
        self.waves
            .get(index)
            .filter(|(wave, targets)| is_told(wave, *targets))
    }

    fn started(&self, index: usize) -> Option<RunEvent> {
        let (wave, targets) = self.told(index)?;
        Some(RunEvent::WaveStarted {
            wave: wave.name.clone(),
            index,
            targets: *targets,
        })
    }

    fn finished(&self, index: usize, soak: Duration) -> Option<RunEvent> {
        let (wave, _) = self.told(index)?;
        Some(RunEvent::WaveFinished {
            wave: wave.name.clone(),
            index,
            soak,
            then: wave.then,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(events: &[RunEvent]) -> Vec<String> {
        let word = |event: &RunEvent| {
            if let RunEvent::WaveStarted { wave, .. } = event {
                return format!("{wave} begins");
            }
            if let RunEvent::WaveFinished { wave, soak, .. } = event {
                return format!("{wave} over, {} s", soak.as_secs());
            }
            let RunEvent::PutBack { label, .. } = event else {
                panic!("{event:?}");
            };
            label.clone()
        };
        events.iter().map(word).collect()
    }

    fn stages(waves: &[(&str, usize)]) -> Stages {
        let named = |(name, targets): &(&str, usize)| {
            let name = (*name).to_owned();
            (
                Wave {
                    name,
                    ..Wave::default()
                },
                *targets,
            )
        };
        Stages::over(waves.iter().map(named).collect())
    }

    fn stage(wave: usize, soak: Option<u64>) -> Stage {
        let soak = soak.map(Duration::from_secs);
        Stage { wave, soak }
    }

    fn target((wave, label): &(usize, &str)) -> (usize, RunEvent) {
        let event = RunEvent::PutBack {
            label: (*label).to_owned(),
            track: crate::target::TrackName::Tenant,
            code: crate::code::Code(5001),
            reason: String::new(),
            pause: Duration::ZERO,
        };
        (*wave, event)
    }

    #[test]
    fn every_wave_is_told_once_also_where_a_look_comes_late() {
        let mut stages = stages(&[("one", 1), ("two", 1), ("three", 1), ("nobody", 0), ("four", 1)]);
        let mut look = |wave: usize, soak: Option<u64>| told(&stages.look(stage(wave, soak), Vec::new()));
        assert_eq!(look(0, None), ["one begins"]);
        assert!(look(0, None).is_empty());
        assert_eq!(look(0, Some(9)), ["one over, 9 s"]);
        assert!(look(0, Some(7)).is_empty());
        assert_eq!(look(1, None), ["two begins"]);
        let late = ["two over, 0 s", "three begins", "three over, 5 s"];
        assert_eq!(look(2, Some(5)), late);
        assert_eq!(look(4, None), ["four begins"]);
    }

    #[test]
    fn a_target_is_told_between_the_beginning_and_the_end_of_its_wave() {
        let mut stages = stages(&[("one", 2), ("two", 2), ("three", 1)]);
        let mut look = |now: Stage, targets: &[(usize, &str)]| {
            told(&stages.look(now, targets.iter().map(target).collect()))
        };
        assert_eq!(look(stage(0, None), &[(0, "a")]), ["one begins", "a"]);
        // The wave was read before the targets were.
        assert_eq!(look(stage(0, None), &[(0, "b"), (1, "c")]), ["b"]);
        let late = ["one over, 0 s", "two begins", "c", "d", "two over, 4 s"];
        assert_eq!(look(stage(1, Some(4)), &[(1, "d"), (2, "e")]), late);
        assert_eq!(told(&stages.end()), ["e"]);
    }
}
