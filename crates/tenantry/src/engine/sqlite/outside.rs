//! Carries out a step that SQLite refuses inside a transaction: intent, the statement alone, record.

use rusqlite::OptionalExtension as _;
use rusqlite::ffi::ErrorCode;
use rusqlite::limits::Limit;
use rusqlite::types::{Value, ValueRef};

use super::apply::Work;
use super::error::{database_error, is};
use super::record;
use crate::code::Code;
use crate::direction::Direction;
use crate::engine::evidence::{digest, evidence};
use crate::engine::{ApplyError, DatabaseError, StateAfter, TakenUp, Unit};
use crate::faults::{Point, point};
use crate::history::{Applied, OpenStatement, Settled};
use crate::migration::OnResume;
use crate::plan::Step;

/// Why nobody can tell what became of a step.
const UNDECIDED: &str = "it ran outside a transaction and may not run twice";

/// What is true after a failure between intent and record.
const HALF_WAY: StateAfter = StateAfter::HalfWay { done: 0 };

/// Returns the statement that somebody has to decide about; `None` if there is nothing to decide.
pub(super) fn open_statement(unit: &Unit) -> Result<Option<OpenStatement>, ApplyError> {
    let Some(step) = unit.steps.first() else {
        return Ok(None);
    };
    check_edited(0, step)?;
    Ok(is_undecided(step).then(|| OpenStatement {
        statement: 0,
        statements: step.script().statements.len(),
        reason: UNDECIDED.to_owned(),
        evidence: evidence(step, 0, &[]),
        if_applied: Settled::Whole,
        if_not_applied: Settled::Untouched,
    }))
}

/// Returns whether a step may run again: statements that only tidy the file, or what its author allows with
/// `-- tenantry: resume rerun`.
fn may_repeat(step: &Step) -> bool {
    const TIDYING: [&str; 4] = ["VACUUM", "PRAGMA", "ANALYZE", "REINDEX"];
    let script = step.script();
    let tidies = |number| {
        let first = script
            .statement(number)
            .split(|c: char| !c.is_ascii_alphabetic())
            .next();
        first.is_some_and(|word| TIDYING.iter().any(|tidy| word.eq_ignore_ascii_case(tidy)))
    };
    script.directives.on_resume == OnResume::Rerun || (0..script.statements.len()).all(tidies)
}

/// Returns whether nobody can tell if an interrupted step took effect.
fn is_undecided(step: &Step) -> bool {
    let can_tell = step.script().directives.verify.is_some() || may_repeat(step);
    step.interrupted.is_some() && !can_tell
}

/// Refuses a file whose statement is not the one that an interrupted attempt may have carried out; directives around it
/// may change.
fn check_edited(index: usize, step: &Step) -> Result<(), ApplyError> {
    let Some(attempt) = &step.interrupted else {
        return Ok(());
    };
    if is_about(attempt, step) {
        return Ok(());
    }
    Err(ApplyError::Edited {
        step: index,
        done: 1,
        state: HALF_WAY,
    })
}

/// An intent that names no statement, as older ones, goes by the file's checksum.
fn is_about(attempt: &Applied, step: &Step) -> bool {
    match attempt.pre_fp.as_deref() {
        Some(statement) => statement == digest(step.script()),
        None => attempt.checksum == step.migration.up.checksum,
    }
}

impl Work<'_> {
    /// Runs a step that SQLite refuses inside a transaction (VACUUM, `PRAGMA journal_mode`).
    ///
    /// What precedes is committed with an intent row. Whether an interrupted one took effect says the file's own
    /// query. Without it, statements that only tidy may be repeated and run again; any other needs a decision.
    /// Returns how it went on, if it was interrupted.
    pub(super) fn outside(&mut self, index: usize, step: &Step) -> Result<TakenUp, ApplyError> {
        check_edited(index, step)?;
        if is_undecided(step) {
            return Err(ApplyError::Ambiguous {
                step: index,
                statement: 0,
                statements: step.script().statements.len(),
                reason: UNDECIDED.to_owned(),
                evidence: evidence(step, 0, &[]),
            });
        }
        if step.interrupted.is_some() && self.verified(index, step)? == Some(true) {
            tracing::info!(migration = %step.migration.label(), "an interrupted step had finished");
            return Ok(TakenUp::Adopted);
        }
        let connection = &self.database.connection;
        let marked = match step.direction {
            Direction::Up => record::intend(connection, self.unit, step, self.epoch),
            Direction::Down => record::mark_reverting(connection, self.unit, step),
        };
        if !self.own(marked)? {
            return Err(ApplyError::Fenced);
        }
        self.commit()?;
        point(Point::SqliteIntentCommitted);
        self.committed = true;
        self.orphans = None;
        self.alone(index, step)?;
        point(Point::SqliteOutsideDone);
        self.lock_again()?;
        if self.verified(index, step)? == Some(false) {
            return Err(unproved(index, step));
        }
        point(Point::SqliteLockedAgain);
        Ok(TakenUp::Resumed)
    }

    /// Runs the statement, and takes the intent back if it failed and nothing of it can be there, so that a mended file
    /// just runs.
    fn alone(&mut self, index: usize, step: &Step) -> Result<(), ApplyError> {
        let before = self.database.connection.total_changes();
        // VACUUM attaches a temporary file itself.
        self.attach_at_most(1)?;
        let mut run = self.statements(index, step);
        self.attach_at_most(0)?;
        // Only `OR FAIL` leaves rows of a failed statement ("ON CONFLICT Clause"), and those are counted.
        let is_undone = self.database.connection.total_changes() == before;
        if let Err(ApplyError::Statement { state, .. }) = &mut run
            && is_undone
            && step.interrupted.is_none()
            && self.withdraw(step).is_ok()
        {
            *state = StateAfter::RolledBack;
        }
        run
    }

    /// Takes back the intent of an attempt that did nothing.
    fn withdraw(&mut self, step: &Step) -> Result<(), ApplyError> {
        self.database.mode.leave();
        self.lock_again()?;
        let connection = &self.database.connection;
        if !self.own(record::withdraw(connection, self.unit, step))? {
            return Err(ApplyError::Fenced);
        }
        self.commit()
    }

    /// Returns what the file's own query says of whether the step took effect; `None` where it has none.
    fn verified(&self, index: usize, step: &Step) -> Result<Option<bool>, ApplyError> {
        let Some(query) = &step.script().directives.verify else {
            return Ok(None);
        };
        let connection = &self.database.connection;
        self.database.mode.enter_inside();
        let asked = connection.query_row(query, [], |row| row.get_ref(0).map(raw));
        self.database.mode.leave();
        // What is true is SQLite's to say ("Boolean Expressions"): of a text it is the number that it begins with.
        let answer = asked.optional().and_then(|value| {
            let value = value.unwrap_or(Value::Null);
            connection.query_row("SELECT iif(?1, 1, 0)", [value], |row| row.get(0))
        });
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is(&error, ErrorCode::OperationInterrupted) => Err(ApplyError::Cancelled {
                step: index,
                state: HALF_WAY,
            }),
            Err(error) => Err(failed(index, step, database_error(&error))),
        }
    }

    fn attach_at_most(&self, files: i32) -> Result<(), ApplyError> {
        let limit = Limit::SQLITE_LIMIT_ATTACHED;
        self.own(self.database.connection.set_limit(limit, files))?;
        Ok(())
    }
}

/// A text as its bytes, which count the same and need not be UTF-8.
fn raw(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

fn unproved(index: usize, step: &Step) -> ApplyError {
    let source = DatabaseError {
        message: "the statement went through, but the file's `verify` query is not true".to_owned(),
        code: "not proved".to_owned(),
        detail: None,
        hint: None,
        class: Code(2007),
        transient: false,
    };
    failed(index, step, source)
}

fn failed(index: usize, step: &Step, source: DatabaseError) -> ApplyError {
    let statements = &step.script().statements;
    ApplyError::Statement {
        step: index,
        statement: 0,
        statements: statements.len(),
        offset: statements.first().map_or(0, |first| first.range().start),
        exact: false,
        state: HALF_WAY,
        source,
    }
}
