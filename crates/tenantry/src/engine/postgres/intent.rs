//! The history row of a step outside a transaction: written before it as an intent, closed after it.

use tokio::time::Instant;

use super::clean::{OWN_RIGHTS, local_settings};
use super::comment::{self, Change};
use super::connect::Connection;
use super::error::Failure;
use super::history;
use super::hold::still_held;
use super::record::{DURABLE, confirm, read_back, read_row};
use super::session::{BEGIN, Locked, roll_back};
use super::unchanged::{DIVISION_BY_ZERO, INVALID_TEXT, changed};
use super::unit::{DUPLICATE_TABLE, UNIQUE_VIOLATION, new_meta, not_begun};
use crate::direction::Direction;
use crate::engine::text::literal;
use crate::engine::{ApplyError, Recorded, SessionError, StateAfter, Unit, poll};
use crate::faults::{Seed, is_seeded};
use crate::history::Phase;
use crate::plan::Step;

/// Claims the database and writes the intent, in one transaction. `before` is the fingerprint of the
/// statement and of the object that it is about.
pub(super) async fn write(
    session: &mut Locked,
    unit: &Unit,
    step: &Step,
    before: &str,
) -> Result<(), ApplyError> {
    let change = comment::of_intent(session, unit);
    match try_to_write(session, (unit, step), before, change).await? {
        Sent::Done => Ok(()),
        Sent::CommentRefused => {
            let change = comment::of_intent(session, unit);
            try_to_write(session, (unit, step), before, change)
                .await
                .map(drop)
        }
    }
}

/// What became of a message with a change of the database's comment in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It was carried out.
    Done,
    /// The server refused the change of the comment, and all of it is rolled back; the session lets the comment be.
    CommentRefused,
}

async fn try_to_write(
    session: &mut Locked,
    (unit, step): (&Unit, &Step),
    before: &str,
    change: Change,
) -> Result<Sent, ApplyError> {
    let epoch = session.epoch + 1;
    let mut message = opening(session);
    let comment = (statements_in(&message), &change);
    message.extend_from_slice(change.statements());
    if session.history.meta.is_none() && session.epoch == 0 {
        message.extend(history::CREATE_TABLES.split(";\n").map(ToOwned::to_owned));
        message.push(history::insert_meta(&new_meta(session)));
    } else {
        message.push(history::claim(session.epoch));
    }
    let before = literal(before);
    let row = match (unit.direction, &step.interrupted) {
        (Direction::Up, None) => insert(unit, step, epoch, &before),
        (Direction::Up | Direction::Down, _) => update(unit, step, epoch, &before),
    };
    if !is_seeded(Seed::PostgresNoIntent) {
        message.push(row);
    }
    message.push("COMMIT".to_owned());
    let answer = session.connection.exchange(&message.join(";\n"), |_, _| {}).await;
    let refused = comment::was_refused(session, &answer, comment).await;
    if refused.map_err(not_begun)? {
        return Ok(Sent::CommentRefused);
    }
    if let Some(failure) = answer.failure {
        return Err(own(&session.connection, failure, StateAfter::RolledBack));
    }
    change.done(session);
    session.epoch = epoch;
    Ok(Sent::Done)
}

/// Counts the statements of a message; one of the pieces may hold several.
pub(super) fn statements_in(message: &[String]) -> usize {
    message.iter().map(|piece| piece.split(";\n").count()).sum()
}

/// Closes the intent, in a transaction of its own, and reads it back: the row becomes done, or goes with
/// a revert.
///
/// Somebody's lock on our tables is waited for until the window ends: this session alone has seen that the statement went
/// through.
pub(super) async fn close(
    session: &mut Locked,
    unit: &Unit,
    step: &Step,
) -> Result<Vec<Recorded>, ApplyError> {
    let (begun, window) = (Instant::now(), session.options.lock_window);
    loop {
        let closed = match try_to_close(session, unit, step).await {
            Ok(Some(recorded)) => return Ok(recorded),
            // The session lets the comment be now.
            Ok(None) => continue,
            Err(error) => Err(error),
        };
        let is_locked_out = matches!(
            &closed,
            Err(ApplyError::Session {
                source: SessionError::LockTimeout { .. },
                ..
            })
        );
        let left = window.saturating_sub(begun.elapsed());
        if !is_locked_out || left.is_zero() {
            return closed;
        }
        roll_back(&mut session.connection)
            .await
            .map_err(|source| ApplyError::Session {
                commit_sent: true,
                source,
            })?;
        poll::pause(left).await;
    }
}

/// Returns nothing if the server refused to write the database's comment: all is as before then.
async fn try_to_close(
    session: &mut Locked,
    unit: &Unit,
    step: &Step,
) -> Result<Option<Vec<Recorded>>, ApplyError> {
    let change = comment::of_unit(session, unit);
    let mut message = opening(session);
    let comment = (statements_in(&message), &change);
    message.extend_from_slice(change.statements());
    if is_seeded(Seed::PostgresNoIntent) {
        message.push(insert(unit, step, session.epoch, "NULL"));
    }
    message.push(finish(unit, step, session.epoch));
    message.push("COMMIT".to_owned());
    let ours = message.len();
    message.push(read_back(session, unit));
    let mut recorded = Vec::new();
    let answer = session
        .connection
        .exchange(&message.join(";\n"), |completed, row| {
            if completed >= ours {
                recorded.extend(read_row(unit, row));
            }
        })
        .await;
    let refused = comment::was_refused(session, &answer, comment).await;
    if refused.map_err(|source| ApplyError::Session {
        commit_sent: true,
        source,
    })? {
        return Ok(None);
    }
    if let Some(failure) = answer.failure {
        return Err(own(&session.connection, failure, StateAfter::HalfWay { done: 0 }));
    }
    change.done(session);
    confirm(unit, &recorded).map(Some)
}

/// Begins a transaction that fails with a division by zero unless the lock is free or ours: a session that holds the
/// session lock gets the transaction lock on the same key as well, and must still hold the first one.
pub(super) fn opening(session: &Locked) -> Vec<String> {
    let mut message = vec![BEGIN.to_owned()];
    message.extend(OWN_RIGHTS.map(ToOwned::to_owned));
    message.push("RESET ALL".to_owned());
    // A step outside a transaction has a direct connection, whose start packet holds them.
    message.extend(local_settings(&session.connection, &session.options));
    message.push(format!(
        "SELECT 1 / pg_catalog.pg_try_advisory_xact_lock({})::integer",
        session.key
    ));
    if session.holds_session_lock {
        message.push(still_held(session.key));
    }
    message.push(DURABLE.to_owned());
    message
}

/// Turns the failure of a message of ours into what happened; if the connection broke, a COMMIT in it may
/// have taken effect.
pub(super) fn own(connection: &Connection, failure: Failure, state: StateAfter) -> ApplyError {
    match failure {
        _ if connection.stopped_on_request(&failure) => ApplyError::Cancelled { step: 0, state },
        Failure::Refused { sqlstate, error, .. } if sqlstate == INVALID_TEXT => {
            changed(0, &sqlstate, &error.message).unwrap_or(ApplyError::Fenced)
        }
        Failure::Refused { sqlstate, .. }
            if matches!(
                sqlstate.as_str(),
                DIVISION_BY_ZERO | DUPLICATE_TABLE | UNIQUE_VIOLATION
            ) =>
        {
            ApplyError::Fenced
        }
        lost @ Failure::Lost(_) => ApplyError::Session {
            commit_sent: true,
            source: lost.into_session_error(),
        },
        // What ran before it is there.
        refused @ Failure::Refused { .. } => ApplyError::Session {
            commit_sent: state != StateAfter::RolledBack,
            source: refused.into_session_error(),
        },
    }
}

fn insert(unit: &Unit, step: &Step, epoch: i64, before: &str) -> String {
    format!(
        "INSERT INTO public._tenantry_history VALUES ({track}, {version}, {name}, '{checksum}', 'running', \
         '{attempt}', {run}, {epoch}, 0, 1, {before}, pg_catalog.clock_timestamp(), NULL, 0, '{tool}')",
        track = literal(&unit.track.to_string()),
        version = step.migration.version,
        name = literal(&step.migration.name),
        checksum = step.migration.up.checksum,
        attempt = unit.attempt_id,
        run = literal(&unit.run_id),
        tool = env!("CARGO_PKG_VERSION"),
    )
}

/// Takes over the row of an interrupted attempt, or that of the migration to revert. A revert leaves the
/// run as it is: going back by run looks for the run that applied.
fn update(unit: &Unit, step: &Step, epoch: i64, before: &str) -> String {
    let phase = match unit.direction {
        Direction::Up => Phase::Running,
        Direction::Down => Phase::Reverting,
    };
    let mut set = format!(
        "phase = '{}', attempt_id = '{}', epoch = {epoch}, next_stmt = 0, total_stmts = 1, pre_fp = {before}",
        phase.as_str(),
        unit.attempt_id
    );
    if unit.direction == Direction::Up {
        let file = format!(
            ", name = {}, checksum = '{}', run_id = {}, started_at = pg_catalog.clock_timestamp(), \
             tool_version = '{}'",
            literal(&step.migration.name),
            step.migration.up.checksum,
            literal(&unit.run_id),
            env!("CARGO_PKG_VERSION"),
        );
        set.push_str(&file);
    }
    let was = match &step.interrupted {
        None => "phase = 'done'".to_owned(),
        Some(row) => format!(
            "phase = '{}' AND attempt_id = {}::pg_catalog.uuid",
            row.phase.as_str(),
            literal(&row.attempt_id)
        ),
    };
    let row = row_of(unit, step);
    exactly_one(&format!(
        "UPDATE public._tenantry_history SET {set} WHERE {row} AND {was}"
    ))
}

fn finish(unit: &Unit, step: &Step, epoch: i64) -> String {
    let ours = ours(unit, step, epoch);
    exactly_one(&match unit.direction {
        Direction::Up => format!(
            "UPDATE public._tenantry_history SET phase = 'done', next_stmt = total_stmts, pre_fp = NULL, \
             done_at = pg_catalog.clock_timestamp(), \
             duration_ms = (EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - started_at) * 1000)::bigint \
             WHERE {ours} AND phase = 'running'"
        ),
        Direction::Down => {
            format!("DELETE FROM public._tenantry_history WHERE {ours} AND phase = 'reverting'")
        }
    })
}

/// Takes back the intent of an attempt that did nothing.
pub(super) async fn withdraw(session: &mut Locked, unit: &Unit, step: &Step) -> Result<(), ApplyError> {
    let ours = ours(unit, step, session.epoch);
    let statements = step.migration.up.statements.len();
    let mut message = opening(session);
    message.push(exactly_one(&match unit.direction {
        Direction::Up => {
            format!("DELETE FROM public._tenantry_history WHERE {ours} AND phase = 'running'")
        }
        Direction::Down => format!(
            "UPDATE public._tenantry_history SET phase = 'done', next_stmt = {statements}, \
             total_stmts = {statements}, pre_fp = NULL WHERE {ours} AND phase = 'reverting'"
        ),
    }));
    message.push("COMMIT".to_owned());
    let answer = session.connection.exchange(&message.join(";\n"), |_, _| {}).await;
    let own = |failure| own(&session.connection, failure, StateAfter::HalfWay { done: 0 });
    answer.failure.map(own).map_or(Ok(()), Err)
}

/// The condition of the row that this attempt wrote, under its claim.
fn ours(unit: &Unit, step: &Step, epoch: i64) -> String {
    format!(
        "{} AND attempt_id = '{}' AND epoch = {epoch} \
         AND EXISTS (SELECT FROM public._tenantry_meta m WHERE m.epoch = {epoch})",
        row_of(unit, step),
        unit.attempt_id
    )
}

fn row_of(unit: &Unit, step: &Step) -> String {
    let track = literal(&unit.track.to_string());
    format!("track = {track} AND version = {}", step.migration.version)
}

/// Makes a statement fail with a division by zero if it changes no row.
pub(super) fn exactly_one(change: &str) -> String {
    format!("WITH changed AS ({change} RETURNING 1) SELECT 1 / pg_catalog.count(*) FROM changed")
}
