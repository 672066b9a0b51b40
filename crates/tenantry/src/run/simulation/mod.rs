//! A simulator of runs: the real machine, leases and states under a simulated clock, network, registry and databases.
//!
//! Everything follows from a seed. Processes die, freeze and are cut off; messages are late or lost; servers die; the
//! registry is away or becomes an older copy. After every event what must be true is checked.

mod check;
mod database;
mod driving;
mod event;
mod faults;
mod fleet;
mod keeper;
mod process;
mod random;
mod recorder;
mod registry;
mod store;
mod task;
#[cfg(test)]
mod tests;
mod world;

use std::collections::VecDeque;
use std::fmt;

use super::begin::{Found, Interest, Kinship, Meeting, Overlap, Reach};
use super::control::Stop;
use super::lease::{Lease, Refusal, Sign, Standing, Wanted};
use super::machine::{
    Action, Alike, Asked, Care, End, Ending, Gate, Input, JobIndex, JobSpec, LaneSpec, Machine, Said, Spec,
    StopRules, WaveSpec, Why,
};
use super::report::{Outcome, RunStatus};
use super::rollout::Stage;
use super::state::TargetState;

use world::World;

/// How large a world is, and what is wrong in it on purpose.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The most targets.
    pub targets: usize,
    /// The most processes that begin by themselves.
    pub drivers: usize,
    /// The most faults.
    pub faults: usize,
    /// A guard that is left out.
    pub defect: Option<Defect>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            targets: 30,
            drivers: 5,
            faults: 24,
            defect: None,
        }
    }
}

/// A guard that is left out, to see that its absence is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// A write is taken whatever epoch it was made under.
    EpochIgnored,
    /// A run is given away while somebody drives it.
    LeaseIgnored,
    /// A driver starts targets whether or not the registry says that the run is its own.
    FenceIgnored,
    /// A database is worked on while another session has its lock.
    LockIgnored,
    /// A target is reported as applied before its history was read back.
    NotReadBack,
    /// Whoever takes a run up does not wait behind a wave that has ended.
    SoakForgotten,
}

impl Defect {
    /// Every one there is.
    pub const ALL: [Self; 6] = [
        Self::EpochIgnored,
        Self::LeaseIgnored,
        Self::FenceIgnored,
        Self::LockIgnored,
        Self::NotReadBack,
        Self::SoakForgotten,
    ];
}

/// What happened in worlds, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Events.
    pub events: u64,
    /// Seconds that passed there.
    pub seconds: u64,
    /// Processes.
    pub drivers: u64,
    /// Targets that drivers were given.
    pub targets: u64,
    /// What went wrong, or was asked for, and looks at all that.
    pub faults: u64,
    /// Runs that were taken over or up.
    pub claims: u64,
    /// Processes that followed another's run.
    pub attached: u64,
    /// Of these those that saw its end.
    pub followed: u64,
    /// Drivers that lost their run.
    pub fenced: u64,
    /// Writes of those that were refused.
    pub refused: u64,
    /// Answers that came to somebody dead.
    pub late: u64,
    /// Registries that became an older copy.
    pub restored: u64,
    /// Runs that were recorded as complete.
    pub completed: u64,
}

impl Figures {
    /// Adds those of another world.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.seconds += other.seconds;
        self.drivers += other.drivers;
        self.targets += other.targets;
        self.faults += other.faults;
        self.claims += other.claims;
        self.attached += other.attached;
        self.followed += other.followed;
        self.fenced += other.fenced;
        self.refused += other.refused;
        self.late += other.late;
        self.restored += other.restored;
        self.completed += other.completed;
    }
}

/// Something that must not be, and how it came to that.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The seed of the world.
    pub seed: u64,
    /// What is so.
    pub what: String,
    /// The newest events.
    pub trace: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        write!(f, "seed {}: {}", self.seed, self.what)
    }
}

impl std::error::Error for Violation {}

/// Lets the world of a seed pass, from its beginning until everything is done.
///
/// # Errors
/// [`Violation`] if something was as it must not be.
pub fn simulate(seed: u64, settings: Settings) -> Result<Figures, Box<Violation>> {
    let mut world = World::new(seed, settings);
    world.pass();
    let Some(what) = world.violation else {
        return Ok(world.figures);
    };
    // The same again, with somebody who writes it down.
    let mut again = World::new(seed, settings);
    again.trace = Some(VecDeque::new());
    again.pass();
    Err(Box::new(Violation {
        seed,
        what,
        trace: again.trace.unwrap_or_default().into(),
    }))
}
