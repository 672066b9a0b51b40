//! Why an attempt on a target ended without the goal, and what that means for the target.

use std::time::Duration;

use super::failure::Failure;
use super::report::Outcome;
use crate::code::Code;
use crate::engine::{ApplyError, LOCK_TIMEOUT, SessionError, StateAfter, Unit};
use crate::migration::Track;
use crate::plan::PlanError;

/// The time of a target was up.
const OUT_OF_TIME: Code = Code(4013);

/// Why an attempt ended without the goal.
pub(super) enum Ended {
    Session(SessionError),
    Plan(PlanError),
    Apply(ApplyError, Box<Unit>),
    /// We were asked to cancel while there was something left to do.
    Stopped,
    /// The target's time was up.
    OutOfTime {
        /// How long it took.
        after: Duration,
        /// What was cut off; `None` if nothing was under way.
        cut: Option<(ApplyError, Box<Unit>)>,
    },
}

impl Ended {
    /// Returns what was wrong with the session; `None` if it ended otherwise.
    pub(super) fn session_error(&self) -> Option<&SessionError> {
        match self {
            Self::Session(error) | Self::Apply(ApplyError::Session { source: error, .. }, _) => Some(error),
            Self::Plan(_) | Self::Apply(_, _) | Self::Stopped | Self::OutOfTime { .. } => None,
        }
    }

    /// What it is where a stop keeps the next attempt from being made: nothing was done, unless something is there or may
    /// be.
    pub(super) fn or_stopped(self) -> Self {
        match self {
            Self::Session(_)
            | Self::Apply(
                ApplyError::Session {
                    commit_sent: false, ..
                }
                | ApplyError::Statement {
                    state: StateAfter::RolledBack,
                    ..
                },
                _,
            ) => Self::Stopped,
            Self::Plan(_) | Self::Apply(_, _) | Self::Stopped | Self::OutOfTime { .. } => self,
        }
    }
}

/// Says as facts why a target is not where it should be.
pub(super) fn describe(ended: &Ended, track: &Track) -> Failure {
    match ended {
        Ended::Session(error) => Failure::of_session(error),
        Ended::Plan(error) => Failure::of_plan(error, track),
        Ended::Apply(error, unit) => Failure::of_apply(error, unit),
        Ended::Stopped => Failure::bare(Code(4006), "cancelled on request".to_owned()),
        Ended::OutOfTime { after, cut } => Failure {
            code: OUT_OF_TIME,
            what: format!("not done after {} s, its target_timeout", after.as_secs()),
            ..cut.as_ref().map_or_else(
                || Failure::bare(OUT_OF_TIME, String::new()),
                |(error, unit)| Failure::of_apply(error, unit),
            )
        },
    }
}

/// Returns the word for how a target ended.
pub(super) fn outcome_of(ended: &Ended) -> Outcome {
    match ended {
        Ended::Stopped => Outcome::Cancelled,
        Ended::OutOfTime { cut, .. } => out_of_time(cut.as_ref().map(|(error, _)| error)),
        Ended::Plan(PlanError::Modified { .. }) => Outcome::Modified,
        Ended::Plan(PlanError::Ahead { .. }) => Outcome::Ahead,
        Ended::Session(error) | Ended::Apply(ApplyError::Session { source: error, .. }, _) => {
            session_outcome(error)
        }
        Ended::Apply(ApplyError::Cancelled { state, .. }, _) => outcome_of_cancelled(*state),
        Ended::Apply(
            ApplyError::Ambiguous { .. }
            | ApplyError::SessionLost { .. }
            | ApplyError::Statement {
                state: StateAfter::Ambiguous | StateAfter::SessionLost { .. },
                ..
            },
            _,
        ) => Outcome::Ambiguous,
        Ended::Apply(ApplyError::Fenced, _) => Outcome::Blocked,
        Ended::Apply(ApplyError::Statement { source, .. }, _) if source.class == LOCK_TIMEOUT => {
            Outcome::Blocked
        }
        Ended::Apply(
            ApplyError::Statement {
                state: StateAfter::HalfWay { .. },
                ..
            },
            _,
        ) => Outcome::Interrupted,
        Ended::Plan(_) | Ended::Apply(_, _) => Outcome::Failed,
    }
}

/// Returns the word for a target that was cancelled, by what is there of its migration.
pub(super) fn outcome_of_cancelled(state: StateAfter) -> Outcome {
    match state {
        StateAfter::HalfWay { .. } => Outcome::Interrupted,
        StateAfter::Ambiguous | StateAfter::SessionLost { .. } => Outcome::Ambiguous,
        StateAfter::RolledBack | StateAfter::Unknown => Outcome::Cancelled,
    }
}

/// A target whose time was up has failed, unless a half-way migration waits for the next run.
fn out_of_time(cut: Option<&ApplyError>) -> Outcome {
    match cut {
        Some(ApplyError::Cancelled {
            state: StateAfter::HalfWay { .. },
            ..
        }) => Outcome::Interrupted,
        Some(ApplyError::Cancelled {
            state: StateAfter::Ambiguous | StateAfter::SessionLost { .. },
            ..
        }) => Outcome::Ambiguous,
        Some(_) | None => Outcome::Failed,
    }
}

fn session_outcome(error: &SessionError) -> Outcome {
    match error {
        SessionError::Unreachable { .. } | SessionError::Tls { .. } | SessionError::Exhausted { .. } => {
            Outcome::Unreachable
        }
        SessionError::AuthFailed { .. } => Outcome::AuthFailed,
        SessionError::NoDatabase { .. } => Outcome::TargetGone,
        SessionError::Blocked { .. }
        | SessionError::LockTimeout { .. }
        | SessionError::CommitDelayed { .. } => Outcome::Blocked,
        SessionError::IdentityMismatch { .. } | SessionError::Emptied { .. } => Outcome::IdentityMismatch,
        SessionError::Lost { .. } => Outcome::Interrupted,
        SessionError::Unsuitable { .. }
        | SessionError::Pooled { .. }
        | SessionError::HistoryDamaged { .. }
        | SessionError::Database(_) => Outcome::Failed,
    }
}
