//! Carries a unit out: claim, files, history rows, COMMIT and read-back.

use super::clean::{between_files, local_settings, traces};
use super::comment::{self, Change};
use super::connect::{Connection, Settings};
use super::error::Failure;
use super::exchange::Answer;
use super::history;
use super::hold::still_held;
use super::message::{Message, Outlines, Part};
use super::record::{Begun, DURABLE, Row, STRING_RULES, confirm, mark, read_back, read_row, record};
use super::session::{BEGIN, Locked};
use super::unchanged::{DIVISION_BY_ZERO, changed};
use crate::direction::Direction;
use crate::engine::{ApplyError, DatabaseError, Recorded, SessionError, StateAfter, Unit};
use crate::faults::{Point, Seed, is_seeded, point, sent};
use crate::history::{FORMAT, Meta};
use crate::migration::Script;
use crate::plan::Step;

/// SQLSTATEs that our own assertions raise.
pub(super) const UNIQUE_VIOLATION: &str = "23505";
/// What a history row without a meta row raises.
const NOT_NULL_VIOLATION: &str = "23502";
pub(super) const DUPLICATE_TABLE: &str = "42P07";

/// Carries the unit out in one transaction.
pub(super) async fn carry_out(session: &mut Locked, unit: &Unit) -> Result<Vec<Recorded>, ApplyError> {
    // Nothing in a transaction is ever half-way: the file was another when it began.
    if let Some(step) = unit.steps.iter().position(|step| step.interrupted.is_some()) {
        return Err(ApplyError::Edited {
            step,
            done: 1,
            state: StateAfter::HalfWay { done: 0 },
        });
    }
    let scripts: Vec<&Script> = unit.steps.iter().map(Step::script).collect();
    let recorded = match attempt(session, unit, &scripts).await? {
        Some(recorded) => recorded,
        // The comment was in the way, which the session lets be now: at most one more.
        None => attempt(session, unit, &scripts).await?.unwrap_or_default(),
    };
    let recorded = confirm(unit, &recorded)?;
    point(Point::PostgresReadBack);
    Ok(recorded)
}

/// Sends the unit's messages; returns the rows of the read-back. `None` if nothing was done because the server
/// refused to write the database's comment.
async fn attempt(
    session: &mut Locked,
    unit: &Unit,
    scripts: &[&Script],
) -> Result<Option<Vec<Recorded>>, ApplyError> {
    let mut recorded = Vec::new();
    let change = comment::of_unit(session, unit);
    for outline in outlines(session, unit, scripts, &change).into_vec() {
        let message = outline.write(scripts);
        let asked = session.connection.exchange(&message.text, |completed, row| {
            let read_back = message.parts.get(completed).is_none();
            if read_back {
                recorded.extend(read_row(unit, row));
            }
        });
        let answer = sent(Point::PostgresUnitSent, asked).await;
        if is_seeded(Seed::PostgresLostCommitAssumed) && is_lost_commit(&answer, &message) {
            return Ok(Some(assumed(unit)));
        }
        let first = message.parts.iter().position(|part| *part == Part::Comment);
        if let Some(first) = first
            && comment::was_refused(session, &answer, (first, &change))
                .await
                .map_err(not_begun)?
        {
            return Ok(None);
        }
        let stopped = stopped_on_request(&session.connection, &answer, &message);
        if let Err(error) = stopped.map_or_else(|| outcome(answer, &message, scripts), Err) {
            session.in_transaction = false;
            return Err(error);
        }
        point(if message.parts.contains(&Part::Commit) {
            Point::PostgresCommitted
        } else {
            Point::PostgresPartAnswered
        });
    }
    change.done(session);
    session.in_transaction = false;
    session.touched = true;
    session.epoch += 1;
    Ok(Some(recorded))
}

/// Turns the end of the connection before any work into what happened.
pub(super) fn not_begun(source: SessionError) -> ApplyError {
    ApplyError::Session {
        commit_sent: false,
        source,
    }
}

/// Lays out the unit's messages. The read-back follows the COMMIT in the same message and is not in the
/// list of parts: whatever comes after the last part is its answer.
fn outlines(session: &Locked, unit: &Unit, scripts: &[&Script], change: &Change) -> Outlines {
    let mut outlines = Outlines::default();
    let (connection, options) = (&session.connection, &session.options);
    if !session.in_transaction {
        outlines.push(Part::Own, BEGIN);
        outlines.push_all(Part::Own, opening(session));
        let key = session.key;
        outlines.push(
            Part::Lock,
            format!("SELECT 1 / pg_catalog.pg_try_advisory_xact_lock({key})::integer"),
        );
        // A message is read before its first statement makes the settings.
        if connection.settings == Settings::PerTransaction {
            outlines.cut();
        }
    }
    if session.history.meta.is_none() && session.epoch == 0 {
        outlines.push_all(Part::Claim, history::CREATE_TABLES.split(";\n"));
        outlines.push(Part::Own, history::insert_meta(&new_meta(session)));
    } else if unit.direction == Direction::Up {
        outlines.push(Part::Claim, history::claim_for_rows(session.epoch));
    } else {
        outlines.push(Part::Claim, history::claim(session.epoch));
    }
    outlines.push_all(Part::Comment, change.statements());
    for (index, (step, script)) in unit.steps.iter().zip(scripts).enumerate() {
        if index > 0 {
            outlines.push_all(Part::Own, between_files(connection, options));
        }
        let row = Row {
            begun: Begun::of(index, script),
            epoch: session.epoch + 1,
            is_first: index == 0,
        };
        outlines.push_all(Part::Own, mark(unit, row.begun));
        outlines.push_script(index, script);
        if is_seeded(Seed::PostgresHistoryOutsideTransaction) {
            outlines.push(Part::Commit, "COMMIT");
            outlines.cut();
            outlines.push(Part::Own, BEGIN);
            outlines.push_all(Part::Own, mark(unit, row.begun));
        }
        outlines.push_all(Part::Record { step: index }, record(unit, step, row));
        if session.holds_session_lock {
            outlines.push(Part::Record { step: index }, still_held(session.key));
        }
    }
    outlines.push(Part::Own, STRING_RULES);
    outlines.push(Part::Own, DURABLE);
    // A pooler lends the connection to somebody else behind the COMMIT.
    if connection.settings == Settings::PerTransaction {
        outlines.push_all(Part::Own, traces(connection.settings));
    }
    outlines.push(Part::Commit, format!("COMMIT;\n{}", read_back(session, unit)));
    outlines
}

/// What follows the BEGIN: where a file has run in the session, its traces go.
fn opening(session: &Locked) -> Vec<String> {
    let (connection, options) = (&session.connection, &session.options);
    if session.touched {
        between_files(connection, options)
    } else {
        local_settings(connection, options)
    }
}

pub(super) fn new_meta(session: &Locked) -> Meta {
    Meta {
        database_id: session.options.database_id.clone(),
        tenant_id: session.options.tenant_id.clone(),
        registry_id: session.options.registry_id.clone(),
        epoch: session.epoch + 1,
        format: FORMAT,
    }
}

/// Returns the end of a unit that the server stopped because we asked.
fn stopped_on_request(connection: &Connection, answer: &Answer, message: &Message) -> Option<ApplyError> {
    let asked = connection.stopped_on_request(answer.failure.as_ref()?);
    let (step, state) = match message.parts.get(answer.completed) {
        Some(Part::Migration { step, .. } | Part::Record { step }) => (*step, StateAfter::RolledBack),
        Some(Part::Own | Part::Lock | Part::Claim | Part::Comment | Part::Commit) => {
            (0, StateAfter::RolledBack)
        }
        // It was the read-back that was stopped: the COMMIT before it went through.
        None => (0, StateAfter::Unknown),
    };
    asked.then_some(ApplyError::Cancelled { step, state })
}

/// Turns the answer to a message into what happened.
fn outcome(answer: Answer, message: &Message, scripts: &[&Script]) -> Result<(), ApplyError> {
    let Some(failure) = answer.failure else {
        return Ok(());
    };
    let part = message.parts.get(answer.completed).copied();
    match failure {
        Failure::Lost(reason) => Err(ApplyError::Session {
            commit_sent: message.parts.contains(&Part::Commit),
            source: SessionError::Lost { reason },
        }),
        Failure::Refused {
            error,
            sqlstate,
            position,
            inside_routine: _,
        } => {
            let place = position.and_then(|at| message.place(at));
            Err(refused(part, place, error, &sqlstate, scripts))
        }
    }
}

/// Returns whether the answer to a COMMIT is missing, for the defect that does not mind.
fn is_lost_commit(answer: &Answer, message: &Message) -> bool {
    matches!(answer.failure, Some(Failure::Lost(_))) && message.parts.contains(&Part::Commit)
}

/// Returns what a unit would have recorded, for the defect that does not look.
fn assumed(unit: &Unit) -> Vec<Recorded> {
    let steps = unit.steps.iter();
    let recorded = steps.map(|step| Recorded {
        version: step.migration.version,
        duration_ms: 0,
        taken_up: None,
    });
    recorded.collect()
}

fn refused(
    part: Option<Part>,
    place: Option<(usize, usize)>,
    error: DatabaseError,
    sqlstate: &str,
    scripts: &[&Script],
) -> ApplyError {
    // A syntax error refuses the whole message before its first statement: the position tells where.
    if let Some((step, offset)) = place {
        return statement_error(step, Some(offset), None, error, scripts);
    }
    if let Some(Part::Record { step }) = part
        && let Some(changed) = changed(step, sqlstate, &error.message)
    {
        return changed;
    }
    match part {
        Some(Part::Migration { step, statement }) => {
            statement_error(step, None, Some(statement), error, scripts)
        }
        Some(Part::Lock | Part::Claim)
            if matches!(sqlstate, DIVISION_BY_ZERO | DUPLICATE_TABLE | UNIQUE_VIOLATION) =>
        {
            ApplyError::Fenced
        }
        Some(Part::Record { .. }) if matches!(sqlstate, UNIQUE_VIOLATION | NOT_NULL_VIOLATION) => {
            ApplyError::Fenced
        }
        // A deferred constraint speaks only at COMMIT; the last statement is the nearest place.
        Some(Part::Commit) => {
            let step = scripts.len().saturating_sub(1);
            let last = scripts.last().map_or(0, |s| s.statements.len().saturating_sub(1));
            statement_error(step, None, Some(last), error, scripts)
        }
        Some(Part::Own | Part::Lock | Part::Claim | Part::Comment | Part::Record { .. }) => {
            ApplyError::Session {
                commit_sent: false,
                source: SessionError::of_refused(error),
            }
        }
        // The read-back failed: the COMMIT before it went through.
        None => ApplyError::Session {
            commit_sent: true,
            source: SessionError::of_refused(error),
        },
    }
}

fn statement_error(
    step: usize,
    offset: Option<usize>,
    statement: Option<usize>,
    source: DatabaseError,
    scripts: &[&Script],
) -> ApplyError {
    let statements = scripts.get(step).map_or(&[][..], |s| s.statements.as_slice());
    let at = |offset: usize| {
        statements
            .iter()
            .rposition(|s| s.range().start <= offset)
            .unwrap_or(0)
    };
    let statement = statement.or_else(|| offset.map(at)).unwrap_or(0);
    let begin = statements.get(statement).map_or(0, |s| s.range().start);
    ApplyError::Statement {
        step,
        statement,
        statements: statements.len(),
        offset: offset.unwrap_or(begin),
        exact: offset.is_some(),
        state: StateAfter::RolledBack,
        source,
    }
}
