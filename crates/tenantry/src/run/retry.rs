//! Whether a target is tried again after an attempt that ended without the goal, and when. Pure but for the jitter.

use std::time::Duration;

use super::backoff::pause;
use super::ended::{Ended, outcome_of};
use super::options::RunOptions;
use super::report::Outcome;
use crate::engine::{ApplyError, SessionError, StateAfter, random};

/// How often a lost session is replaced before the target is given up.
const SESSIONS_MAX: usize = 5;

/// What was tried so far, and how long somebody was waited for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tries {
    /// How many attempts ended without the goal, and the one under way.
    pub(super) attempts: usize,
    /// How many of them ended with their session.
    lost: usize,
    /// Whether the last one did.
    has_lost: bool,
    /// How long somebody's lock was waited for since something was last done. Work that has to be done again is no wait:
    /// however long it takes, whoever is in the way is waited for.
    waited: Duration,
}

/// Returns whether an attempt ended because its session could not be had or kept, or a question of ours met trouble that
/// passes.
fn takes_session_along(ended: &Ended) -> bool {
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
    /// Begins an attempt.
    pub(super) fn begin(&mut self) {
        self.attempts += 1;
    }

    /// Takes in how an attempt ended; a statement waits for a lock for `lock_timeout`.
    pub(super) fn note(&mut self, ended: &Ended, lock_timeout: Duration) {
        self.has_lost = takes_session_along(ended);
        self.lost += usize::from(self.has_lost);
        if outcome_of(ended) == Outcome::Blocked {
            self.waited += lock_timeout;
        }
    }

    /// Something was done: whoever is in the way next is waited for anew.
    pub(super) fn go_on(&mut self) {
        self.waited = Duration::ZERO;
    }

    /// Returns for how long the migration lock may be polled for. Behind a session that was lost the server may still
    /// think that it is there, and ends it after `idle_timeout`.
    pub(super) fn left_of(&self, options: &RunOptions) -> Duration {
        let left = options.lock_window.saturating_sub(self.waited);
        if self.has_lost {
            left.max(options.idle_timeout.min(options.lock_window))
        } else {
            left
        }
    }

    /// Returns how long to wait before the next attempt, which counts as waited then; `None` if there is none.
    pub(super) fn pause_before_next(&mut self, ended: &Ended, window: Duration) -> Option<Duration> {
        let is_in_window = self.waited < window;
        let again = match ended {
            Ended::Session(error) => self.are_worth_another(error, window),
            Ended::Apply(ApplyError::Session { source, .. }, _) => self.are_worth_another(source, window),
            // What may have stayed is not written again, and what is gone with the session does not come back.
            Ended::Apply(
                ApplyError::Statement {
                    state: StateAfter::Ambiguous | StateAfter::SessionLost { .. },
                    ..
                },
                _,
            ) => false,
            Ended::Apply(ApplyError::Statement { source, .. }, _) => source.transient && is_in_window,
            Ended::Apply(ApplyError::Fenced, _) => is_in_window,
            Ended::Plan(_) | Ended::Apply(_, _) | Ended::Stopped | Ended::OutOfTime { .. } => false,
        };
        let pause = again.then(|| kept_out(ended) + pause(self.attempts, random()))?;
        if !self.has_lost {
            self.waited += pause;
        }
        Some(pause)
    }

    fn are_worth_another(self, error: &SessionError, window: Duration) -> bool {
        match error {
            SessionError::Lost { .. } => self.lost < SESSIONS_MAX,
            SessionError::Database(error) => error.transient && self.lost < SESSIONS_MAX,
            SessionError::CommitDelayed { .. } | SessionError::LockTimeout { .. } => self.waited < window,
            // The run decides about these: it sees all targets of the server.
            SessionError::Exhausted { .. }
            | SessionError::Unreachable { .. }
            | SessionError::Tls { .. }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;
    use crate::engine::DatabaseError;

    const WINDOW: Duration = Duration::from_secs(8);

    fn options() -> RunOptions {
        RunOptions {
            lock_window: WINDOW,
            lock_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(5),
            ..RunOptions::default()
        }
    }

    fn blocked() -> Ended {
        let source = DatabaseError {
            message: "lock timeout".to_owned(),
            code: "55P03".to_owned(),
            detail: None,
            hint: None,
            class: Code(2005),
            transient: true,
        };
        Ended::Session(SessionError::LockTimeout {
            holders: Vec::new(),
            source,
        })
    }

    fn lost() -> Ended {
        let reason = "closed".to_owned();
        Ended::Session(SessionError::Lost { reason })
    }

    /// Ends an attempt; returns whether there is another.
    fn goes_on(tries: &mut Tries, ended: &Ended) -> bool {
        tries.begin();
        tries.note(ended, options().lock_timeout);
        tries.pause_before_next(ended, WINDOW).is_some()
    }

    #[test]
    fn whoever_is_in_the_way_is_waited_for_until_the_window_ends() {
        let mut tries = Tries::default();
        while goes_on(&mut tries, &blocked()) {}
        // Pauses from 0.25 s on, and a second each.
        assert!((3..=6).contains(&tries.attempts), "{tries:?}");
        assert!(tries.waited >= WINDOW, "{tries:?}");
        assert_eq!(tries.left_of(&options()), Duration::ZERO);
        tries.go_on();
        assert!(goes_on(&mut tries, &blocked()), "the next one is waited for anew");
    }

    #[test]
    fn losses_are_no_waits_and_are_counted_apart() {
        let mut tries = Tries::default();
        assert!(goes_on(&mut tries, &blocked()));
        let before = tries.waited;
        for _ in 1..SESSIONS_MAX {
            assert!(goes_on(&mut tries, &lost()));
        }
        assert_eq!(tries.waited, before);
        assert!(!goes_on(&mut tries, &lost()), "{tries:?}");
    }

    #[test]
    fn behind_a_lost_session_its_lock_is_waited_for_until_the_server_ends_it() {
        let mut tries = Tries::default();
        while goes_on(&mut tries, &blocked()) {}
        assert!(goes_on(&mut tries, &lost()));
        assert_eq!(tries.left_of(&options()), Duration::from_secs(5));
    }
}
