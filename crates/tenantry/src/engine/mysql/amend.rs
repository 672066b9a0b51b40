//! Rows that a person has declared, written under a claim and the lock; no migration runs.

use std::sync::atomic::Ordering;

use mysql_async::Error;

use super::apply::lost_or_refused;
use super::error::{DUPLICATE, GUARD_SAYS_NO, INTERRUPTED, ends_connection, session_error};
use super::quote::{literal, literal_or_null};
use super::tables::Names;
use super::wire::{Part, Role, send};
use super::writes::{claim, fence, first_claim, guard, write};
use super::{MySqlSession, clean};
use crate::engine::error::{ApplyError, StateAfter};
use crate::engine::session::Amendment;
use crate::faults::{self, Point, Seed, is_seeded, point};
use crate::history::{Applied, Entry, Phase};

/// Writes the entries in one transaction.
pub(super) async fn amend(session: &mut MySqlSession, amendment: &Amendment) -> Result<(), ApplyError> {
    point(Point::AmendLocked);
    if session.history.meta.is_none() && session.epoch.is_none() {
        // No row was sent.
        session.make_tables().await.map_err(nothing_written)?;
    }
    let names = &session.names;
    let known = session
        .epoch
        .or(session.history.meta.as_ref().map(|meta| meta.epoch));
    // A look at a half-way migration may have set what its file sets.
    let mut parts = clean::common(names, &session.options);
    parts.push(Part::new(Role::Own, "START TRANSACTION"));
    parts.push(known.map_or_else(
        || first_claim(names, &session.options),
        |epoch| claim(names, epoch),
    ));
    parts.push(guard());
    let epoch = known.unwrap_or(0) + 1;
    for entry in &amendment.entries {
        parts.push(write(sql(names, epoch, amendment, entry)));
        parts.push(guard());
    }
    if !is_seeded(Seed::MarkNotCommitted) {
        parts.push(Part::new(Role::Own, "COMMIT"));
    }
    let sent = faults::sent(Point::AmendSent, send(&mut session.conn, &parts)).await;
    if let Some(error) = &sent.failure {
        let role = parts.get(sent.answers.len()).map(|part| part.role);
        return Err(failed(error, role, session));
    }
    point(Point::AmendCommitted);
    session.epoch = Some(epoch);
    Ok(())
}

fn nothing_written(error: ApplyError) -> ApplyError {
    if let ApplyError::Session { source, .. } = error {
        let commit_sent = false;
        return ApplyError::Session { commit_sent, source };
    }
    error
}

fn failed(error: &Error, role: Option<Role>, session: &MySqlSession) -> ApplyError {
    let Error::Server(server) = error else {
        return lost_or_refused(session_error(error));
    };
    match (server.code, role) {
        _ if ends_connection(server) => lost_or_refused(session_error(error)),
        (INTERRUPTED, _) if session.cancel_asked.load(Ordering::SeqCst) => ApplyError::Cancelled {
            step: 0,
            state: StateAfter::Unknown,
        },
        (GUARD_SAYS_NO, Some(Role::Guard)) | (DUPLICATE, Some(Role::Write)) => ApplyError::Fenced,
        // What the server has refused is rolled back, a COMMIT too.
        _ => ApplyError::Session {
            commit_sent: false,
            source: session_error(error),
        },
    }
}

fn sql(names: &Names, epoch: i64, amendment: &Amendment, entry: &Entry) -> String {
    let (history, fence) = (&names.history, fence(names, epoch));
    let track = literal(&amendment.track.to_string());
    match entry {
        Entry::Add(row) => format!(
            "INSERT INTO {history} (track, version, name, checksum, phase, attempt_id, run_id, epoch, next_stmt, \
             total_stmts, pre_fp, started_at, done_at, duration_ms, tool_version) \
             SELECT {track}, {}, {}, {}, '{}', {}, {}, {epoch}, {}, {}, NULL, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), 0, \
             '{}' FROM {} WHERE {fence}",
            row.version,
            literal(&row.name),
            literal(&row.checksum.to_string()),
            row.phase.as_str(),
            literal(&amendment.attempt_id),
            literal(&amendment.mark_id),
            row.next_stmt,
            row.total_stmts,
            env!("CARGO_PKG_VERSION"),
            names.meta,
        ),
        Entry::Change(row) => format!(
            "UPDATE {history} SET {} , epoch = {epoch} WHERE track = {track} AND version = {} AND {fence}",
            changes(row),
            row.version
        ),
        Entry::Remove(version) => {
            format!("DELETE FROM {history} WHERE track = {track} AND version = {version} AND {fence}")
        }
    }
}

/// When it was done stays, if it was.
fn changes(row: &Applied) -> String {
    let done_at = match row.phase {
        Phase::Done => "COALESCE(done_at, UTC_TIMESTAMP(6))",
        Phase::Running | Phase::Reverting => "done_at",
    };
    format!(
        "name = {}, checksum = {}, phase = '{}', next_stmt = {}, total_stmts = {}, pre_fp = {}, \
         done_at = {done_at}",
        literal(&row.name),
        literal(&row.checksum.to_string()),
        row.phase.as_str(),
        row.next_stmt,
        row.total_stmts,
        literal_or_null(row.pre_fp.as_deref()),
    )
}
