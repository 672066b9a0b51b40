//! Why nothing was declared on a target, and whether another session may do it.

use super::ended::{Ended, describe, outcome_of};
use super::failure::Failure;
use super::report::Outcome;
use crate::engine::{ApplyError, SessionError};
use crate::mark::MarkError;
use crate::migration::Track;

/// Why nothing was declared on a target.
pub(super) enum Refused {
    /// The session or the write failed, or a run would meet the same.
    Run(Ended),
    /// The declaration does not fit the history.
    Mark(MarkError),
    /// Anything else, in words.
    Told(Box<Failure>),
}

impl From<SessionError> for Refused {
    fn from(error: SessionError) -> Self {
        Self::Run(Ended::Session(error))
    }
}

impl Refused {
    /// Returns what became of the target; `None` where a run would not end so.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Run(ended) => Some(outcome_of(ended)),
            Self::Mark(_) | Self::Told(_) => None,
        }
    }

    /// Returns what is told of it.
    pub(super) fn described(self, track: &Track) -> Failure {
        match self {
            Self::Run(ended) => describe(&ended, track),
            Self::Mark(error) => of_mark(&error, track),
            Self::Told(failure) => *failure,
        }
    }

    /// Whether somebody's lock on our tables was in the way.
    pub(super) fn is_locked_out(&self) -> bool {
        let Self::Run(ended) = self else {
            return false;
        };
        matches!(ended.session_error(), Some(SessionError::LockTimeout { .. }))
    }

    /// Whether another session may find out what became of a write, or do it.
    pub(super) fn is_worth_another(&self) -> bool {
        match self {
            Self::Run(Ended::Session(error)) => matches!(error, SessionError::Lost { .. }),
            Self::Run(Ended::Apply(error, _)) => match error {
                ApplyError::Session { source, .. } => matches!(source, SessionError::Lost { .. }),
                ApplyError::Fenced => true,
                ApplyError::Statement { .. }
                | ApplyError::Cancelled { .. }
                | ApplyError::Ambiguous { .. }
                | ApplyError::TooLong { .. }
                | ApplyError::StringRules { .. }
                | ApplyError::SessionLost { .. }
                | ApplyError::Edited { .. }
                | ApplyError::SessionChanged { .. }
                | ApplyError::NotReadBack => false,
            },
            Self::Run(Ended::Plan(_) | Ended::Stopped | Ended::OutOfTime { .. })
            | Self::Mark(_)
            | Self::Told(_) => false,
        }
    }
}

/// Describes a declaration that does not fit.
fn of_mark(error: &MarkError, track: &Track) -> Failure {
    let mut failure = Failure::bare(error.code(), error.to_string());
    if matches!(error, MarkError::UnknownVersion { .. }) && !track.folder.as_os_str().is_empty() {
        failure.file = Some(track.folder.clone());
    }
    failure
}
