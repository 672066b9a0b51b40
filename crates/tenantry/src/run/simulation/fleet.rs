//! What a world is made of: servers, databases that behave each in its own way, and rollouts over them.

use std::time::Duration;

use super::event::{MS, Micros, S};
use super::random::Random;
use super::store::TargetKey;
use super::{Care, Gate, Settings, StopRules, WaveSpec};

/// The older plan.
pub(super) const OLD: &str = "old";
/// The newer one, which has one version more.
pub(super) const NEW: &str = "new";
/// With more targets a world is one of its own: nothing of it is left to chance that would leave it empty.
const LARGE: usize = 1_000;
/// How many versions the newer plan has.
pub(super) const VERSIONS: usize = 3;

/// Returns how many versions a plan has.
pub(super) fn versions(plan: &str) -> u8 {
    if plan == NEW { 3 } else { 2 }
}

/// How a database's engine keeps a version and its history row together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// In one transaction.
    Whole,
    /// One after the other, with an intent before and evidence afterwards.
    Stepwise,
}

/// One target, as it is by nature.
#[derive(Clone, Debug)]
pub(super) struct Nature {
    pub(super) server: usize,
    pub(super) protocol: Protocol,
    /// The version that fails there, always.
    pub(super) fails: Option<u8>,
    /// How long a statement takes.
    pub(super) takes: Micros,
    /// The target that must have succeeded before.
    pub(super) after: Option<TargetKey>,
}

/// Waves and rules of a run.
#[derive(Clone, Debug)]
pub(super) struct Rollout {
    pub(super) waves: Vec<WaveSpec>,
    pub(super) rules: StopRules,
    /// How many targets the first wave has; the others share the rest.
    pub(super) first: u32,
}

impl Rollout {
    /// Returns the wave of a target.
    pub(super) fn wave_of(&self, target: TargetKey) -> u32 {
        let count = u32::try_from(self.waves.len()).unwrap_or(1).max(1);
        if target < self.first || count == 1 {
            0
        } else {
            1 + target % (count - 1)
        }
    }
}

/// Everything that stands when a world begins.
#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) targets: Vec<Nature>,
    /// For each server how many targets may run there at once.
    pub(super) servers: Vec<usize>,
    /// Whether the targets of a server share a login.
    pub(super) logins: bool,
    pub(super) total: usize,
    /// The last one knows neither waves nor rules.
    pub(super) rollouts: Vec<Rollout>,
}

impl Fleet {
    /// Returns whether it is one large world rather than one of many small ones.
    pub(super) fn is_large(&self) -> bool {
        self.targets.len() > LARGE
    }

    pub(super) fn generate(random: &mut Random, settings: &Settings) -> Self {
        let is_large = settings.targets > LARGE;
        let count = if is_large {
            settings.targets
        } else {
            random.index(settings.targets) + 1
        };
        let servers = if is_large { 20 } else { random.index(4) + 1 };
        let failing = random.pick(&[0, 0, 50, 200, 900]);
        let slow = if is_large {
            40 * MS
        } else {
            random.pick(&[50 * MS, S, 8 * S])
        };
        let targets = (0..count).map(|index| {
            let after = (index > 0 && random.chance(200)).then(|| random.index(index));
            Nature {
                server: random.index(servers),
                protocol: random.pick(&[Protocol::Whole, Protocol::Stepwise]),
                fails: random
                    .chance(if is_large { 1 } else { failing })
                    .then(|| random.pick(&[0, 1, 2])),
                takes: random.between(2 * MS, slow),
                after: after.and_then(|after| TargetKey::try_from(after).ok()),
            }
        });
        let targets: Vec<Nature> = targets.collect();
        let mut rollouts: Vec<Rollout> = (0..3).map(|_| rollout(random, count)).collect();
        rollouts.push(Rollout {
            waves: Vec::new(),
            rules: StopRules::default(),
            first: 0,
        });
        Self {
            targets,
            servers: (0..servers).map(|_| random.index(5) + 1).collect(),
            logins: random.chance(250),
            total: if is_large { 64 } else { random.index(12) + 1 },
            rollouts,
        }
    }
}

fn rollout(random: &mut Random, targets: usize) -> Rollout {
    let count = random.index(4);
    let wave = |number: usize, random: &mut Random| WaveSpec {
        gate: random.chance(150).then_some(Gate),
        soak: Duration::from_secs(random.pick(&[0, 0, 5])),
        care: if number == 0 && random.chance(500) {
            Care::Canary
        } else {
            Care::Usual
        },
        ..WaveSpec::default()
    };
    Rollout {
        waves: (0..count).map(|number| wave(number, random)).collect(),
        rules: StopRules {
            max_failures: random.pick(&[None, None, Some(0), Some(1), Some(targets / 100 + 5)]),
            same_error: random.pick(&[None, Some(3)]),
            ..StopRules::default()
        },
        first: u32::try_from(random.index(targets.min(4)) + 1).unwrap_or(1),
    }
}
