//! How a run goes over its targets: in waves, and until when it goes on.

use std::time::Duration;

use super::event::Expected;
use super::machine::{Alike, Care, Gate, StopRules, WaveSpec};
use crate::engine::Engine;

/// One group of targets inside a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wave {
    /// Its name: `canary`, `rest`, or as the configuration says.
    pub name: String,
    /// What comes behind it.
    pub then: Then,
    /// How long nothing begins behind it.
    pub soak: Duration,
    /// How many of its targets had failed when this process took the run up.
    pub failed_before: usize,
    /// Whether something of it was done or tried before this process began with it, or may have been.
    pub was_worked_on: bool,
    /// Whether one failure ends the run.
    pub kind: WaveKind,
}

/// What comes behind a wave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Then {
    /// The next wave.
    #[default]
    GoOn,
    /// A person, who promotes the run.
    Pause,
}

/// How much may go wrong in a wave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaveKind {
    /// As much as the rules of the run allow.
    #[default]
    Usual,
    /// Nothing: its targets stand for all others.
    Canary,
}

/// Where one target stands in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The index of its wave.
    pub wave: usize,
    /// How long it is expected to take, in milliseconds: the longest begins first. 0 if unknown.
    pub expected_ms: u64,
}

/// Where a run is among its waves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// The number of its wave, from 0.
    pub wave: usize,
    /// How long nothing begins behind that wave, from now on; zero if that is over, `None` while it is worked on.
    pub soak: Option<Duration>,
}

/// How a run goes over its targets. By default all of them are one wave, and failures stop nothing.
#[derive(Clone, Debug, Default)]
pub struct Rollout {
    /// The waves in order; none is one of everything.
    pub waves: Vec<Wave>,
    /// Where the run is among them.
    pub stage: Stage,
    /// The engines of which a target has to go well in the canary's wave before the rest begins.
    pub owed: Vec<Engine>,
    /// For each job its place; a job beyond the end is of the first wave.
    pub places: Vec<Place>,
    /// How many failures the run bears; `None` bears all.
    pub max_failures: Option<usize>,
    /// It stops if the first so many that finish fail alike; `None` does not.
    pub same_error: Option<usize>,
    /// How many targets had failed when this process took the run up.
    pub failed_before: usize,
    /// How many had succeeded.
    pub succeeded_before: usize,
    /// How far these failures are alike.
    pub alike_before: Alike,
}

impl Rollout {
    pub(super) fn place_of(&self, job: usize) -> Place {
        self.places.get(job).copied().unwrap_or_default()
    }

    /// Returns the number of the wave whose targets stand for all others; `None` if there is none.
    pub(crate) fn canary(&self) -> Option<usize> {
        self.waves.iter().position(|wave| wave.kind == WaveKind::Canary)
    }

    /// Returns how many may run at once as long as nothing has succeeded; `None` if that is no matter, or no more.
    pub(crate) fn at_first(&self) -> Option<usize> {
        let is_known = self.canary().is_some() || self.succeeded_before > 0 || self.failed_before > 0;
        self.same_error.filter(|_| !is_known)
    }

    pub(super) fn expected(&self) -> Expected {
        let known = self.places.iter().filter(|place| place.expected_ms > 0);
        Expected {
            targets: known.clone().count(),
            ms: known.map(|place| place.expected_ms).sum(),
        }
    }

    pub(super) fn wave_specs(&self) -> Vec<WaveSpec> {
        let spec = |wave: &Wave| WaveSpec {
            gate: match wave.then {
                Then::GoOn => None,
                Then::Pause => Some(Gate),
            },
            soak: wave.soak,
            care: match wave.kind {
                WaveKind::Usual => Care::Usual,
                WaveKind::Canary => Care::Canary,
            },
            failed_before: wave.failed_before,
            was_worked_on: wave.was_worked_on,
        };
        self.waves.iter().map(spec).collect()
    }

    pub(super) fn rules(&self) -> StopRules {
        StopRules {
            max_failures: self.max_failures,
            same_error: self.same_error,
            failed_before: self.failed_before,
            succeeded_before: self.succeeded_before,
            alike_before: self.alike_before,
        }
    }
}
