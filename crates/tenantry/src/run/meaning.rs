//! What the end of one target means for the whole run.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::failure::Failure;
use super::machine::Ending;
use super::report::{Outcome, TargetReport};

/// Returns what a target's end says about the migration, its server and its login.
pub(super) fn ending_of(report: &TargetReport) -> Ending {
    let failure = report.failure.as_deref();
    if failure.is_some_and(|failure| failure.code.is_refusal()) {
        return Ending::Refused;
    }
    match report.outcome {
        Outcome::Applied | Outcome::Current => Ending::Succeeded,
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
