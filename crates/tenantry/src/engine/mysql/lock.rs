//! The migration lock: `GET_LOCK` under a name of the database's own, polled, never waited for.

use std::time::{Duration, Instant};

use mysql_async::Conn;

use super::error::session_error;
use super::holders::of_migration_lock;
use super::tables::{Names, text};
use super::wire::{Part, Role, Sent, send};
use crate::engine::Hears;
use crate::engine::error::SessionError;
use crate::engine::identity::lock_key;
use crate::engine::poll::{TOLD_AT, pause};
use crate::faults::{Seed, is_seeded};

/// Returns the lock's name: server-wide, so it is made from the database's id and not from its name.
pub(super) fn lock_name(database_id: &str) -> String {
    format!("tenantry:{:016x}", lock_key(database_id))
}

/// Returns the condition that holds in the session that has the lock.
pub(super) fn is_ours(names: &Names) -> String {
    if is_seeded(Seed::MysqlLockNotTaken) {
        return "TRUE".to_owned();
    }
    format!("IS_USED_LOCK({}) = CONNECTION_ID()", names.lock)
}

/// The question that takes the lock if it is free.
pub(super) fn attempt(names: &Names) -> Part {
    if is_seeded(Seed::MysqlLockNotTaken) {
        return Part::new(Role::Question, "SELECT 1");
    }
    Part::new(Role::Question, format!("SELECT GET_LOCK({}, 0)", names.lock))
}

/// Returns whether the answer at `at` says that we hold the lock.
///
/// NULL is an error of the server, not a lock (`GET_LOCK` in "Locking Functions" of the MySQL manual).
pub(super) fn is_taken(sent: &Sent, at: usize) -> Result<bool, SessionError> {
    let answer = sent.rows(at).first().and_then(|row| text(row, 0));
    match (answer.as_deref(), &sent.failure) {
        (Some("1"), _) => Ok(true),
        (Some("0"), _) => Ok(false),
        (_, Some(error)) => Err(session_error(error)),
        (_, None) => Err(SessionError::Lost {
            reason: "GET_LOCK gave neither 0 nor 1".to_owned(),
        }),
    }
}

/// Tries again until the lock is ours; returns the answers to `after`, asked in the same message.
///
/// The window counts from here. Nothing is open between two attempts.
pub(super) async fn poll(
    conn: &mut Conn,
    names: &Names,
    after: &[Part],
    (window, hears): (Duration, Hears<'_>),
) -> Result<Sent, SessionError> {
    let (began, mut refusals) = (Instant::now(), 1);
    let mut parts = vec![attempt(names)];
    parts.extend_from_slice(after);
    loop {
        let left = window.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Err(SessionError::Blocked {
                waited: began.elapsed().max(window),
                holders: of_migration_lock(conn, names).await,
            });
        }
        pause(left).await;
        let mut sent = send(conn, &parts).await;
        if is_taken(&sent, 0)? {
            sent.answers.remove(0);
            return Ok(sent);
        }
        refusals += 1;
        if refusals == TOLD_AT {
            hears(&of_migration_lock(conn, names).await);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::mysql::wire::Answer;

    /// A message that was answered without a failure, and without a 0 or a 1.
    #[test]
    fn an_answer_that_is_neither_0_nor_1_is_no_lock() {
        let sent = Sent {
            answers: vec![Answer::default()],
            failure: None,
        };
        assert!(is_taken(&sent, 0).is_err());
    }

    #[test]
    fn a_lock_name_belongs_to_one_database_and_fits_the_server() {
        assert_ne!(lock_name("a"), lock_name("b"));
        // "GET_LOCK": at most 64 characters, and case does not count.
        assert!(lock_name("a").len() <= 64);
        assert_eq!(lock_name("a"), lock_name("a").to_lowercase());
    }
}
