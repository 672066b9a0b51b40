//! What is declared about a migration, who watches, and what became of it: plain values.

use std::collections::HashSet;

use tokio::sync::mpsc::UnboundedSender;

use super::control::Control;
use super::event::RunEvent;
use super::failure::Failure;
use super::report::{Outcome, TargetReport};
use crate::mark::{Decision, Mark, WasHalfWay};
use crate::migration::Version;
use crate::target::Target;

/// What is declared about one migration, on one target or many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Its id; rows that it adds name it.
    pub id: String,
    /// The migration.
    pub version: Version,
    /// What is declared.
    pub says: Says,
    /// Targets, as database id and track, that were told the very same decision before, as far as the registry
    /// knows.
    pub decided: HashSet<(String, String)>,
}

/// What is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// Something about the migration as a whole.
    Mark(Mark),
    /// Whether the statement took effect in which it was cut off.
    Decide {
        /// The statement, from 1.
        statement: usize,
        /// What was decided.
        decision: Decision,
        /// What was known of it when that was decided.
        evidence: String,
    },
    /// Nothing: whoever has to decide wants to see what is known.
    Look,
}

/// Who may stop the declaring, and who hears how it goes.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Stops it: no new target is begun, and at the second step nothing is waited for.
    pub control: Control,
    /// Takes the events: that it began, and each target when it begins and ends.
    pub events: UnboundedSender<RunEvent>,
}

impl Watch {
    pub(super) fn tell(&self, event: RunEvent) {
        // Nobody listens any more: it goes on all the same.
        if self.events.send(event).is_err() {
            tracing::trace!("an event had no listener");
        }
    }
}

/// What became of a declaration on one target.
#[derive(Clone, Debug)]
pub struct Declared {
    /// The target.
    pub target: Target,
    /// What its history says now, or why nothing was declared there.
    pub ended: Result<Noted, Failure>,
    /// What a run would make of it that met the same failure; `None` if there is none.
    pub outcome: Option<Outcome>,
    /// Whether neither its history nor its track has the migration.
    pub unknown: bool,
}

/// What one history says behind a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// `version_name` of each row that was written or removed; empty if it said so already.
    pub changed: Vec<String>,
    /// What was half-way among them until it was declared about as a whole; what it left there stays as it is.
    pub was_half_way: Vec<WasHalfWay>,
    /// The newest version that is done; `None` if none is.
    pub version: Option<Version>,
    /// Whether a migration is half-way there.
    pub half_way: bool,
    /// What a run would make of the target: `current` if it had nothing to do, `not_run` if it had.
    pub outcome: Outcome,
    /// What would be in that run's way; `None` if nothing is.
    pub in_the_way: Option<Failure>,
}

impl Declared {
    /// Returns the target as a run would report it that met the same failure; `None` if there is none.
    pub fn report(&self) -> Option<TargetReport> {
        let failure = self.ended.as_ref().err()?.clone();
        let outcome = self.outcome.unwrap_or(Outcome::Failed);
        Some(TargetReport::untried(&self.target, outcome, Some(failure)))
    }

    /// Returns the target as the next run would report it; `None` if nothing is in that run's way, or nothing was
    /// declared.
    pub fn next(&self) -> Option<TargetReport> {
        let noted = self.ended.as_ref().ok()?;
        let failure = noted.in_the_way.clone()?;
        Some(TargetReport::untried(&self.target, noted.outcome, Some(failure)))
    }
}
