//! What the end of one target means for the whole run.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::failure::Failure;
use super::machine::{Alike, Ending};
use super::report::{Outcome, TargetReport};
use crate::target::TrackName;

/// Returns what a target's end says about the migration, its server and its login.
pub(super) fn ending_of(report: &TargetReport) -> Ending {
    meaning(report.outcome, report.failure.as_deref())
}

fn meaning(outcome: Outcome, failure: Option<&Failure>) -> Ending {
    if failure.is_some_and(|failure| failure.code.is_refusal()) {
        return Ending::Refused;
    }
    match outcome {
        Outcome::Applied => Ending::Succeeded,
        Outcome::Current => Ending::Current,
        Outcome::AuthFailed => Ending::LoginRefused,
        Outcome::Modified | Outcome::Ahead => Ending::Refused,
        Outcome::Unreachable
        | Outcome::Cancelled
        | Outcome::Skipped
        | Outcome::NotRun
        | Outcome::TargetGone => Ending::Otherwise,
        Outcome::Interrupted => failure
            .and_then(likeness)
            .map_or(Ending::Otherwise, |alike| Ending::Failed(Some(alike))),
        Outcome::Failed | Outcome::Ambiguous | Outcome::Blocked | Outcome::IdentityMismatch => {
            Ending::Failed(failure.and_then(likeness))
        }
    }
}

/// What the targets that ended in an earlier part of a run mean for its rest: the same as they meant there.
#[derive(Debug, Default)]
pub(crate) struct Before {
    /// How many failed.
    pub(crate) failed: usize,
    /// How many went well; not the central database, which says nothing about others.
    pub(crate) succeeded: usize,
    /// How far the failures are alike.
    pub(crate) alike: Alike,
    /// How many failed, or were refused, in each wave.
    waves: BTreeMap<usize, usize>,
}

impl Before {
    /// Counts a target that has ended.
    pub(crate) fn count(
        &mut self,
        (track, wave): (&TrackName, usize),
        outcome: Outcome,
        failure: Option<&Failure>,
    ) {
        let failed_in_wave = self.waves.entry(wave).or_default();
        match meaning(outcome, failure) {
            Ending::Succeeded | Ending::Current => {
                let is_central = matches!(track, TrackName::Central | TrackName::Registry);
                self.succeeded += usize::from(!is_central);
            }
            Ending::Failed(likeness) => {
                *failed_in_wave += 1;
                self.failed += 1;
                self.alike = self.alike.with(likeness);
            }
            Ending::Refused => *failed_in_wave += 1,
            Ending::LoginRefused => self.failed += 1,
            Ending::Crowded | Ending::Unreachable | Ending::Otherwise => {}
        }
    }

    /// Returns how many failed, or were refused, in a wave: what ends a canary's.
    pub(crate) fn failed_in(&self, wave: usize) -> usize {
        self.waves.get(&wave).copied().unwrap_or_default()
    }
}

/// Returns a number that failures at one place, with one code, have in common; `None` for one that the database did not
/// say about a statement of ours.
fn likeness(failure: &Failure) -> Option<u64> {
    let file = failure.file.as_ref()?;
    failure.database.as_ref()?;
    let mut hasher = DefaultHasher::new();
    (
        failure.code.0,
        file,
        failure.place.map(|place| (place.line, place.column)),
    )
        .hash(&mut hasher);
    Some(hasher.finish())
}
