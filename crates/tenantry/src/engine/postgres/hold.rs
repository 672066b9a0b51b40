//! Holding the migration lock without a transaction: the session-level lock, taken by polling.

use tokio::time::Instant;

use super::connect::{Connection, Settings};
use super::holders::of_migration_lock;
use super::session::{Locked, Look, With, look, roll_back};
use crate::engine::{ApplyError, SessionError, poll};
use crate::faults::{Point, Seed, is_seeded, point};

/// Holds the lock at the level of the session from now until the connection closes; returns at once if it
/// is held so already. No transaction is open afterwards.
///
/// Between the two locks somebody else may have worked: then it is [`ApplyError::Fenced`].
pub(super) async fn hold(session: &mut Locked) -> Result<(), ApplyError> {
    if session.holds_session_lock {
        return Ok(());
    }
    if session.connection.settings == Settings::PerTransaction {
        return Err(failed(pooled(&session.connection)));
    }
    if session.in_transaction {
        roll_back(&mut session.connection).await.map_err(failed)?;
        session.in_transaction = false;
    }
    point(Point::PostgresLockGivenUp);
    require_no_pooler(&mut session.connection).await.map_err(failed)?;
    take(session).await.map_err(failed)?;
    session.holds_session_lock = true;
    point(Point::PostgresSessionLocked);
    check_epoch(session).await
}

fn failed(source: SessionError) -> ApplyError {
    ApplyError::Session {
        commit_sent: false,
        source,
    }
}

fn pooled(connection: &Connection) -> SessionError {
    SessionError::Pooled {
        endpoint: connection.endpoint(),
    }
}

/// Requires that settings were taken at login, and that the server's process which was named then answers two
/// messages in a row: a pooler names none of the server's, or may change it between them.
pub(super) async fn require_no_pooler(connection: &mut Connection) -> Result<(), SessionError> {
    const WHO: &str = "SELECT pg_catalog.pg_backend_pid()";
    if connection.settings == Settings::PerTransaction {
        return Err(pooled(connection));
    }
    let named = connection.named.to_string();
    for _ in 0..2 {
        let row = connection.first_row(WHO).await;
        let row = row.map_err(super::error::Failure::into_session_error)?;
        if row.into_iter().flatten().flatten().next().as_ref() != Some(&named) {
            return Err(pooled(connection));
        }
    }
    Ok(())
}

/// Returns the statement that tries for a lock of the session, if this process of the server runs it: `t`, `f`, or
/// NULL in any other.
pub(super) fn try_lock(process: i32, key: i64) -> String {
    let lock = if is_seeded(Seed::PostgresLockWaitedFor) {
        format!("pg_catalog.pg_advisory_lock({key}) IS NOT NULL")
    } else {
        format!("pg_catalog.pg_try_advisory_lock({key})")
    };
    format!("SELECT CASE WHEN pg_catalog.pg_backend_pid() = {process} THEN {lock} END")
}

/// Returns the statement that fails with an invalid text (SQLSTATE 22P02) unless the session still has the lock, and
/// keeps it. A file's function may have let it go, which nobody sees when the file is read.
///
/// A transaction that has the same lock must be open: between giving back and taking nobody can come in.
pub(super) fn still_held(key: i64) -> String {
    if is_seeded(Seed::PostgresLockNotTaken) {
        return "SELECT 1".to_owned();
    }
    let gone = "pg_catalog.concat('lock ', pg_catalog.pg_backend_pid())::pg_catalog.int4";
    format!(
        "SELECT CASE WHEN NOT pg_catalog.pg_advisory_unlock({key}) THEN {gone} \
         WHEN NOT pg_catalog.pg_try_advisory_lock({key}) THEN {gone} END"
    )
}

/// Polls for the lock, each time in a statement of its own with nothing open between: a session that waits
/// inside the server holds a snapshot, and CREATE INDEX CONCURRENTLY waits for every older snapshot.
///
/// Another process than the one named at login does not even try: behind a pooler it would keep the lock.
async fn take(session: &mut Locked) -> Result<(), SessionError> {
    if is_seeded(Seed::PostgresLockNotTaken) {
        return Ok(());
    }
    let key = session.key;
    let text = try_lock(session.connection.named, key);
    let window = session.options.lock_window;
    let begun = Instant::now();
    loop {
        let row = session.connection.first_row(&text).await;
        let row = row.map_err(super::error::Failure::into_session_error)?;
        match row.into_iter().flatten().flatten().next().as_deref() {
            None => return Err(pooled(&session.connection)),
            Some("t") => return Ok(()),
            Some(_) => {}
        }
        if begun.elapsed() >= window {
            return Err(SessionError::Blocked {
                waited: begun.elapsed(),
                holders: of_migration_lock(&mut session.connection, key).await,
            });
        }
        poll::pause(window.saturating_sub(begun.elapsed())).await;
    }
}

/// Reads our tables again under the new lock: the plan was made under the old one.
async fn check_epoch(session: &mut Locked) -> Result<(), ApplyError> {
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY";
    let is_new = session.epoch == 0 && session.history.meta.is_none();
    let expect = if is_new { Look::Probe } else { Look::Known };
    let connection = &mut session.connection;
    let seen = look(connection, begin, With::Nothing, expect)
        .await
        .map_err(failed)?;
    roll_back(connection).await.map_err(failed)?;
    let Some(seen) = seen else {
        return Err(ApplyError::Fenced);
    };
    let epoch = seen.history.meta.as_ref().map_or(0, |meta| meta.epoch);
    if epoch != session.epoch || is_new && seen.present {
        return Err(ApplyError::Fenced);
    }
    if !is_new {
        session.history = seen.history;
    }
    Ok(())
}
