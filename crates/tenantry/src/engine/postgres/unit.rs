//! Carries a unit out: claim, files, history rows, COMMIT and read-back.

use super::clean::{OWN_RIGHTS, between_files, local_settings, traces};
use super::connect::{Connection, Settings};
use super::error::Failure;
use super::exchange::Answer;
use super::history;
use super::message::{Message, Outlines, Part};
use super::session::{BEGIN, Locked};
use crate::direction::Direction;
use crate::engine::text::literal;
use crate::engine::{ApplyError, DatabaseError, Recorded, SessionError, StateAfter, Unit};
use crate::history::{FORMAT, Meta};
use crate::migration::{Script, Version};
use crate::plan::Step;

/// SQLSTATEs that our own assertions raise.
pub(super) const DIVISION_BY_ZERO: &str = "22012";
pub(super) const UNIQUE_VIOLATION: &str = "23505";
pub(super) const DUPLICATE_TABLE: &str = "42P07";

/// Carries the unit out in one transaction.
pub(super) async fn carry_out(session: &mut Locked, unit: &Unit) -> Result<Vec<Recorded>, ApplyError> {
    let scripts: Vec<&Script> = unit.steps.iter().map(Step::script).collect();
    let mut recorded = Vec::new();
    for outline in outlines(session, unit, &scripts).into_vec() {
        let message = outline.write(&scripts);
        let answer = session
            .connection
            .exchange(&message.text, |completed, row| {
                let read_back = message.parts.get(completed).is_none();
                if read_back {
                    recorded.extend(read_row(row));
                }
            })
            .await;
        let stopped = stopped_on_request(&session.connection, &answer, &message);
        if let Err(error) = stopped.map_or_else(|| outcome(answer, &message, &scripts), Err) {
            session.in_transaction = false;
            return Err(error);
        }
    }
    session.in_transaction = false;
    session.touched = true;
    session.epoch += 1;
    confirm(unit, &recorded)
}

/// Lays out the unit's messages. The read-back follows the COMMIT in the same message and is not in the
/// list of parts: whatever comes after the last part is its answer.
fn outlines(session: &Locked, unit: &Unit, scripts: &[&Script]) -> Outlines {
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
    }
    if session.history.meta.is_none() && session.epoch == 0 {
        outlines.push_all(Part::Claim, history::CREATE_TABLES.split(";\n"));
        outlines.push(Part::Own, history::insert_meta(&new_meta(session)));
    } else {
        outlines.push(Part::Claim, history::claim(session.epoch));
    }
    for (index, (step, script)) in unit.steps.iter().zip(scripts).enumerate() {
        if index > 0 {
            outlines.push_all(Part::Own, between_files(connection, options));
        }
        outlines.push(Part::Own, MARK);
        outlines.push_script(index, script);
        outlines.push_all(
            Part::Record { step: index },
            record(unit, step, session.epoch + 1),
        );
    }
    // A pooler lends the connection to somebody else behind the COMMIT.
    if connection.settings == Settings::PerTransaction {
        outlines.push_all(Part::Own, traces(connection.settings));
    }
    outlines.push(Part::Commit, format!("COMMIT;\n{}", read_back(unit)));
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

/// Marks the transaction, so that a statement which ends it is noticed, and the time.
const MARK: &str = "SELECT pg_catalog.set_config('tenantry.xid', pg_catalog.pg_current_xact_id()::text, true), \
 pg_catalog.set_config('tenantry.begun', pg_catalog.clock_timestamp()::text, true)";

/// Asserts that the transaction is still the marked one, and restores the settings of a file that would
/// reach our own statements behind it.
const STILL_MARKED: &str = "SELECT 1 / (pg_catalog.current_setting('tenantry.xid', true) \
 OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id()::text)::integer, \
 pg_catalog.set_config('search_path', 'public', false), \
 pg_catalog.set_config('statement_timeout', '0', false), \
 pg_catalog.set_config('standard_conforming_strings', 'on', false)";

fn record(unit: &Unit, step: &Step, epoch: i64) -> Vec<String> {
    let track = literal(&unit.track.to_string());
    let version = step.migration.version;
    let write = match unit.direction {
        Direction::Down => {
            format!("DELETE FROM public._tenantry_history WHERE track = {track} AND version = {version}")
        }
        Direction::Up => {
            let statements = step.script().statements.len();
            let begun = "pg_catalog.current_setting('tenantry.begun')::timestamptz";
            format!(
                "INSERT INTO public._tenantry_history VALUES ({track}, {version}, {name}, '{checksum}', 'done', \
                 '{attempt}', {run}, {epoch}, {statements}, {statements}, NULL, {begun}, \
                 pg_catalog.clock_timestamp(), (EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - {begun}) \
                 * 1000)::bigint, '{tool}')",
                name = literal(&step.migration.name),
                checksum = step.migration.up.checksum,
                attempt = unit.attempt_id,
                run = literal(&unit.run_id),
                tool = env!("CARGO_PKG_VERSION"),
            )
        }
    };
    let mut statements: Vec<String> = OWN_RIGHTS.map(ToOwned::to_owned).to_vec();
    statements.extend([STILL_MARKED.to_owned(), write]);
    statements
}

/// Reads what the unit must have left: its rows after an apply; after a revert, those that must be gone.
pub(super) fn read_back(unit: &Unit) -> String {
    let track = literal(&unit.track.to_string());
    match unit.direction {
        Direction::Up => format!(
            "SELECT version, duration_ms FROM public._tenantry_history WHERE attempt_id = '{}' \
             AND track = {track} ORDER BY version",
            unit.attempt_id
        ),
        Direction::Down => {
            let versions: Vec<String> = unit
                .steps
                .iter()
                .map(|s| format!("({})", s.migration.version))
                .collect();
            format!(
                "SELECT gone.version, 0 FROM (VALUES {}) AS gone (version) WHERE NOT EXISTS (SELECT \
                 FROM public._tenantry_history h WHERE h.track = {track} AND h.version = gone.version)",
                versions.join(", ")
            )
        }
    }
}

pub(super) fn read_row(row: &tokio_postgres::SimpleQueryRow) -> Option<Recorded> {
    Some(Recorded {
        version: row.get(0)?.parse().ok()?,
        duration_ms: row.get(1)?.parse().ok()?,
    })
}

/// Green means green: every step must have been read back.
pub(super) fn confirm(unit: &Unit, recorded: &[Recorded]) -> Result<Vec<Recorded>, ApplyError> {
    let found = |version: Version| recorded.iter().find(|r| r.version == version).cloned();
    let ordered: Option<Vec<Recorded>> = unit.steps.iter().map(|s| found(s.migration.version)).collect();
    ordered.ok_or(ApplyError::NotReadBack)
}

/// Returns the end of a unit that the server stopped because we asked.
fn stopped_on_request(connection: &Connection, answer: &Answer, message: &Message) -> Option<ApplyError> {
    let asked = connection.stopped_on_request(answer.failure.as_ref()?);
    let step = match message.parts.get(answer.completed) {
        Some(Part::Migration { step, .. } | Part::Record { step }) => *step,
        Some(Part::Own | Part::Lock | Part::Claim | Part::Commit) | None => 0,
    };
    asked.then_some(ApplyError::Cancelled {
        step,
        state: StateAfter::RolledBack,
    })
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
    match part {
        Some(Part::Migration { step, statement }) => {
            statement_error(step, None, Some(statement), error, scripts)
        }
        Some(Part::Record { step }) if sqlstate == DIVISION_BY_ZERO => ApplyError::SessionChanged {
            step,
            reason: "it ended the transaction it ran in".to_owned(),
        },
        Some(Part::Lock | Part::Claim)
            if matches!(sqlstate, DIVISION_BY_ZERO | DUPLICATE_TABLE | UNIQUE_VIOLATION) =>
        {
            ApplyError::Fenced
        }
        Some(Part::Record { .. }) if sqlstate == UNIQUE_VIOLATION => ApplyError::Fenced,
        // A deferred constraint speaks only at COMMIT; the last statement is the nearest place.
        Some(Part::Commit) => {
            let step = scripts.len().saturating_sub(1);
            let last = scripts.last().map_or(0, |s| s.statements.len().saturating_sub(1));
            statement_error(step, None, Some(last), error, scripts)
        }
        Some(Part::Own | Part::Lock | Part::Claim | Part::Record { .. }) => ApplyError::Session {
            commit_sent: false,
            source: SessionError::Database(error),
        },
        // The read-back failed: the COMMIT before it went through.
        None => ApplyError::Session {
            commit_sent: true,
            source: SessionError::Database(error),
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
