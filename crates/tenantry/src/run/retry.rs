//! Whether a target is tried again after an attempt that ended without the goal, and when. Pure but for the jitter.

use std::time::Duration;

use super::backoff::pause;
use super::ended::Ended;
use crate::engine::{self, ApplyError, SessionError, random};

/// How often a lost session is replaced before the target is given up.
const SESSIONS_MAX: usize = 5;

/// What was tried so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tries {
    /// How many attempts there were.
    pub(super) attempts: usize,
    /// How many of them ended with their session.
    pub(super) lost: usize,
    /// Whether somebody's lock may still be waited for.
    pub(super) in_window: bool,
}

/// Returns how long to wait before the next attempt; `None` if there is none.
pub(super) fn pause_before(ended: &Ended, tries: Tries) -> Option<Duration> {
    let again = match ended {
        Ended::Session(error) => tries.are_worth_another(error),
        Ended::Apply(ApplyError::Session { source, .. }, _) => tries.are_worth_another(source),
        // What may have stayed is not written again, and what is gone with the session does not come back.
        Ended::Apply(
            ApplyError::Statement {
                state: engine::StateAfter::Ambiguous | engine::StateAfter::SessionLost { .. },
                ..
            },
            _,
        ) => false,
        Ended::Apply(ApplyError::Statement { source, .. }, _) => source.transient && tries.in_window,
        Ended::Apply(ApplyError::Fenced, _) => tries.in_window,
        Ended::Plan(_) | Ended::Apply(_, _) | Ended::Stopped | Ended::OutOfTime { .. } => false,
    };
    again.then(|| kept_out(ended) + pause(tries.attempts, random()))
}

/// Returns whether an attempt ended because its session could not be had or kept, or a question of ours met trouble that
/// passes.
pub(super) fn takes_session_along(ended: &Ended) -> bool {
    matches!(
        ended.session_error(),
        Some(
            SessionError::Lost { .. }
                | SessionError::Exhausted { .. }
                | SessionError::Unreachable { .. }
                | SessionError::Database(_)
        )
    )
}

impl Tries {
    fn are_worth_another(self, error: &SessionError) -> bool {
        match error {
            SessionError::Lost { .. } | SessionError::Exhausted { .. } | SessionError::Unreachable { .. } => {
                self.lost < SESSIONS_MAX
            }
            SessionError::Database(error) => error.transient && self.lost < SESSIONS_MAX,
            SessionError::CommitDelayed { .. } | SessionError::LockTimeout { .. } => self.in_window,
            SessionError::Tls { .. }
            | SessionError::AuthFailed { .. }
            | SessionError::NoDatabase { .. }
            | SessionError::Unsuitable { .. }
            | SessionError::Pooled { .. }
            | SessionError::Blocked { .. }
            | SessionError::IdentityMismatch { .. }
            | SessionError::Emptied { .. }
            | SessionError::HistoryDamaged { .. } => false,
        }
    }
}

/// Returns for how long an attempt has refused others instead of letting them wait. They get as much time before the
/// next one does it again.
fn kept_out(ended: &Ended) -> Duration {
    match ended.session_error() {
        Some(SessionError::CommitDelayed { waited, .. }) => *waited,
        Some(_) | None => Duration::ZERO,
    }
}
