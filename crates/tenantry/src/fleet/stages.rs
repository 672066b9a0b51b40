//! Tells which waves a run that another process drives comes through, from where the registry says that it is. Pure.

use std::time::Duration;

use super::blueprint::{rollout_from, waves_of};
use crate::registry::Run;
use crate::run::{RunEvent, Stage, Wave};

/// The waves of a run that is followed.
pub(super) struct Stages {
    waves: Vec<(Wave, usize)>,
    /// Where it was at the last look; `None` before the first.
    seen: Option<Stage>,
}

impl Stages {
    /// Reads the waves of a run.
    pub(super) fn of(run: &Run) -> Self {
        let text = run.rollout.as_deref().unwrap_or_default();
        let waves = rollout_from(text, Stage::default(), &[]).waves;
        let targets = waves_of(text).into_iter().map(|(_, targets)| targets);
        Self {
            waves: waves.into_iter().zip(targets).collect(),
            seen: None,
        }
    }

    /// Returns whether it has none, so that nothing is to be told.
    pub(super) fn is_empty(&self) -> bool {
        self.waves.is_empty()
    }

    /// Takes in where the run is now, and returns what has happened since the last look.
    pub(super) fn look(&mut self, now: Stage) -> Vec<RunEvent> {
        let before = self.seen.replace(now);
        let is_ahead = before.is_none_or(|before| before.wave < now.wave);
        let mut events = Vec::new();
        if let Some(before) = before.filter(|before| is_ahead && before.soak.is_none()) {
            events.extend(self.finished(before.wave, Duration::ZERO));
        }
        if is_ahead {
            events.extend(self.started(now.wave));
        }
        let was_over = !is_ahead && before.is_some_and(|before| before.soak.is_some());
        if let Some(soak) = now.soak.filter(|_| !was_over) {
            events.extend(self.finished(now.wave, soak));
        }
        events
    }

    fn started(&self, index: usize) -> Option<RunEvent> {
        let (wave, targets) = self.waves.get(index)?;
        Some(RunEvent::WaveStarted {
            wave: wave.name.clone(),
            index,
            targets: *targets,
        })
    }

    fn finished(&self, index: usize, soak: Duration) -> Option<RunEvent> {
        let (wave, _) = self.waves.get(index)?;
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
            let RunEvent::WaveFinished { wave, soak, .. } = event else {
                panic!("{event:?}");
            };
            format!("{wave} over, {} s", soak.as_secs())
        };
        events.iter().map(word).collect()
    }

    #[test]
    fn every_wave_is_told_once_also_where_a_look_comes_late() {
        let named = |name: &str| {
            let name = name.to_owned();
            (
                Wave {
                    name,
                    ..Wave::default()
                },
                1,
            )
        };
        let mut stages = Stages {
            waves: ["one", "two", "three"].map(named).to_vec(),
            seen: None,
        };
        let mut look = |wave: usize, soak: Option<u64>| {
            let soak = soak.map(Duration::from_secs);
            told(&stages.look(Stage { wave, soak }))
        };
        assert_eq!(look(0, None), ["one begins"]);
        assert!(look(0, None).is_empty());
        assert_eq!(look(0, Some(9)), ["one over, 9 s"]);
        assert!(look(0, Some(7)).is_empty());
        assert_eq!(look(1, None), ["two begins"]);
        assert_eq!(
            look(2, Some(5)),
            ["two over, 0 s", "three begins", "three over, 5 s"]
        );
    }
}
