//! Carries out a step outside a transaction: intent, evidence, the statement alone, proof, record.
//!
//! The intent is committed before the statement runs, so that a later session knows whose half-made
//! object it finds; the evidence is read before the intent, so that an undecided step changes nothing.

use super::clean::{OWN_RIGHTS, traces};
use super::connect::Connection;
use super::decide::{Evidence, Next};
use super::error::Failure;
use super::hold::hold;
use super::intent;
use super::session::Locked;
use crate::code::Code;
use crate::engine::evidence::whole;
use crate::engine::{ApplyError, DatabaseError, Recorded, StateAfter, TakenUp, Unit};
use crate::faults::{Point, Seed, is_seeded, point, sent};
use crate::history::{OpenStatement, Settled};
use crate::migration::Script;
use crate::migration::postgres_class::is_concurrent;
use crate::plan::Step;

/// What is true after a failure between intent and record: the next run looks and goes on.
pub(super) const HALF_WAY: StateAfter = StateAfter::HalfWay { done: 0 };

/// Carries out the unit's one step. The session holds the lock at its own level from here on.
pub(super) async fn carry_out(session: &mut Locked, unit: &Unit) -> Result<Vec<Recorded>, ApplyError> {
    let Some(step) = unit.steps.first() else {
        return Ok(Vec::new());
    };
    hold(session).await?;
    let script = step.script();
    if session.touched {
        clean(session).await?;
    }
    session.touched = true;
    let evidence = Evidence::gather(session, step).await?;
    let next = evidence.decide(step)?;
    let before = evidence.fingerprint(step);
    point(Point::PostgresEvidenceRead);
    intent::write(session, unit, step, &before).await?;
    point(Point::PostgresIntentCommitted);
    let taken_up = match next {
        Next::Adopt => {
            tracing::info!(migration = %step.migration.label(), "an interrupted step had finished");
            TakenUp::Adopted
        }
        Next::Finish(statement) => {
            run(session, unit, step, (&evidence, statement)).await?;
            TakenUp::Repaired
        }
        Next::Run { removal } => {
            let mut taken_up = TakenUp::Resumed;
            if let Some(removal) = removal {
                remove(session, &removal).await?;
                taken_up = TakenUp::Repaired;
                point(Point::PostgresHalfMadeRemoved);
            }
            if let Some(leftovers) = evidence.leftovers(step)
                && leftovers.remove(session).await? > 0
            {
                taken_up = TakenUp::Repaired;
            }
            // All of it, so that a second statement, which the reader refuses, could not be lost here.
            let mut text = whole(script).to_owned();
            if is_seeded(Seed::PostgresIfNotExists) {
                text = text.replace("CONCURRENTLY", "CONCURRENTLY IF NOT EXISTS");
            }
            run(session, unit, step, (&evidence, text)).await?;
            taken_up
        }
    };
    let mut recorded = intent::close(session, unit, step).await?;
    for recorded in &mut recorded {
        recorded.taken_up = step.interrupted.as_ref().map(|_| taken_up);
    }
    point(Point::PostgresClosed);
    Ok(recorded)
}

/// Sends the statement and requires that it took effect.
async fn run(
    session: &mut Locked,
    unit: &Unit,
    step: &Step,
    (evidence, statement): (&Evidence, String),
) -> Result<(), ApplyError> {
    let asked = alone(session, &statement);
    if let Err(failure) = sent(Point::PostgresStatementSent, asked).await {
        return Err(evidence.refused(session, unit, step, failure).await);
    }
    point(Point::PostgresStatementDone);
    evidence.prove(session, step.script()).await?;
    point(Point::PostgresProved);
    Ok(())
}

/// Removes what an interrupted attempt left half made.
pub(super) async fn remove(session: &mut Locked, statement: &str) -> Result<(), ApplyError> {
    let answer = alone(session, statement).await;
    answer.map_err(|failure| intent::own(&session.connection, failure, HALF_WAY))
}

/// Returns the statement of an interrupted step that somebody has to decide about; `None` if there is nothing
/// to decide. Writes nothing; the session holds the lock at its own level from here on, if it looked.
pub(super) async fn open_statement(
    session: &mut Locked,
    unit: &Unit,
) -> Result<Option<OpenStatement>, ApplyError> {
    let step = unit.steps.first().filter(|step| step.interrupted.is_some());
    let Some(step) = step.filter(|step| step.script().directives.no_transaction) else {
        return Ok(None);
    };
    hold(session).await?;
    let decided = Evidence::gather(session, step).await?.decide(step);
    let Err(ApplyError::Ambiguous {
        statement,
        statements,
        reason,
        evidence,
        ..
    }) = decided
    else {
        return decided.map(|_| None);
    };
    Ok(Some(OpenStatement {
        statement,
        statements,
        reason,
        evidence,
        if_applied: Settled::Whole,
        if_not_applied: Settled::Untouched,
    }))
}

/// Takes away what an earlier file left in the session.
async fn clean(session: &mut Locked) -> Result<(), ApplyError> {
    let mut statements = OWN_RIGHTS.map(ToOwned::to_owned).to_vec();
    statements.extend(traces(session.connection.settings));
    let answer = session
        .connection
        .exchange(&statements.join(";\n"), |_, _| {})
        .await;
    let own = |failure| intent::own(&session.connection, failure, StateAfter::RolledBack);
    answer.failure.map(own).map_or(Ok(()), Err)
}

/// Sends one statement as a message of its own.
///
/// One that works beside others waits for its locks without end: its place in the queue keeps nobody from
/// working, and a time-out would only leave an invalid index behind.
pub(super) async fn alone(session: &mut Locked, sql: &str) -> Result<(), Failure> {
    let waits = is_concurrent(sql);
    let connection = &mut session.connection;
    if waits {
        connection.first_row("SET lock_timeout = 0").await?;
    }
    let answer = connection.exchange(sql, |_, _| {}).await;
    if let Some(failure) = answer.failure {
        return Err(failure);
    }
    if waits {
        connection.first_row("RESET lock_timeout").await?;
    }
    Ok(())
}

pub(super) fn refused(
    connection: &Connection,
    failure: Failure,
    (script, state): (&Script, StateAfter),
) -> ApplyError {
    if connection.stopped_on_request(&failure) {
        return ApplyError::Cancelled { step: 0, state };
    }
    match failure {
        Failure::Refused { error, position, .. } => failed((script, state), position, error),
        lost @ Failure::Lost(_) => intent::own(connection, lost, state),
    }
}

/// Returns the failure of the step's statement; `position` is in characters from 1.
fn failed(
    (script, state): (&Script, StateAfter),
    position: Option<usize>,
    source: DatabaseError,
) -> ApplyError {
    let text = whole(script);
    let start = script.statements.first().map_or(0, |s| s.range().start);
    let at = position.and_then(|at| at.checked_sub(1));
    let inside = at.map(|at| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte));
    ApplyError::Statement {
        step: 0,
        statement: 0,
        statements: script.statements.len(),
        offset: start + inside.unwrap_or(0),
        exact: inside.is_some(),
        state,
        source,
    }
}

pub(super) fn unproved(script: &Script, message: &str) -> ApplyError {
    let source = DatabaseError {
        message: message.to_owned(),
        code: "not proved".to_owned(),
        detail: None,
        hint: None,
        class: Code(2007),
        transient: false,
    };
    failed((script, HALF_WAY), None, source)
}
