//! Carries one unit out: all of it and its history rows in one transaction.

use std::time::Instant;

use rusqlite::ffi::ErrorCode;

use super::database::Database;
use super::error::{database_error, is, offset};
use super::orphans::Orphans;
use super::{clean, history, record};
use crate::direction::Direction;
use crate::engine::{Amendment, ApplyError, Recorded, SessionError, StateAfter, TakenUp, Unit};
use crate::faults::{Point, Seed, is_seeded, point};
use crate::history::{FORMAT, Meta};
use crate::plan::Step;

/// Carries a unit out under the lock that the database holds; afterwards the lock is free.
///
/// On an error nothing uncommitted is left, unless even the rollback failed: then the database is still
/// locked and only closing it helps.
pub(super) fn carry_out(database: &mut Database, unit: &Unit) -> Result<Vec<Recorded>, ApplyError> {
    let mut work = Work::begin(database, unit);
    let result = work.run();
    work.end(result)
}

/// Writes rows that somebody has declared, in one transaction under the lock that the database holds; afterwards
/// the lock is free. No migration runs.
pub(super) fn amend(database: &mut Database, amendment: &Amendment) -> Result<(), ApplyError> {
    let unit = Unit {
        track: amendment.track.clone(),
        direction: Direction::Up,
        steps: Vec::new(),
        run_id: amendment.mark_id.clone(),
        attempt_id: amendment.attempt_id.clone(),
    };
    let mut work = Work::begin(database, &unit);
    let result = work.amend(amendment);
    work.end(result)
}

/// One unit at work.
pub(super) struct Work<'a> {
    pub(super) database: &'a mut Database,
    pub(super) unit: &'a Unit,
    /// The epoch under which its rows are written.
    pub(super) epoch: i64,
    /// Whether a part of it is committed already: what precedes a step outside a transaction.
    pub(super) committed: bool,
    /// What the last count found; `None` if rows may have changed since.
    pub(super) orphans: Option<Orphans>,
}

impl<'a> Work<'a> {
    fn begin(database: &'a mut Database, unit: &'a Unit) -> Self {
        Self {
            database,
            unit,
            epoch: 0,
            committed: false,
            orphans: None,
        }
    }

    /// Leaves the file as the session needs it for whatever comes next.
    fn end<T>(self, result: Result<T, ApplyError>) -> Result<T, ApplyError> {
        self.database.mode.leave();
        if result.is_err() && self.database.is_locked() {
            // A failed rollback shows in `is_locked`, which the session looks at.
            drop(self.database.connection.execute_batch("ROLLBACK"));
        }
        result
    }

    fn run(&mut self) -> Result<Vec<Recorded>, ApplyError> {
        let unit = self.unit;
        self.claim()?;
        let mut recorded = Vec::with_capacity(unit.steps.len());
        let mut unwritten = 0;
        for (index, step) in unit.steps.iter().enumerate() {
            let start = Instant::now();
            // An intent was of a statement outside a transaction, whatever the file says by now.
            let how = if step.script().directives.no_transaction || step.interrupted.is_some() {
                // What precedes is committed with it.
                self.record(unwritten, &recorded)?;
                unwritten = index;
                self.outside(index, step)?
            } else {
                self.statements(index, step)?;
                TakenUp::Resumed
            };
            recorded.push(Recorded {
                version: step.migration.version,
                duration_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
                taken_up: step.interrupted.as_ref().map(|_| how),
            });
        }
        if is_seeded(Seed::SqliteHistoryInSecondTransaction) {
            self.commit()?;
            self.lock_again()?;
        }
        self.finish(unwritten, &recorded)?;
        self.read_back()?;
        point(Point::SqliteReadBack);
        Ok(recorded)
    }

    fn amend(&mut self, amendment: &Amendment) -> Result<(), ApplyError> {
        point(Point::AmendLocked);
        self.claim()?;
        for entry in &amendment.entries {
            let written = record::amend(&self.database.connection, (amendment, entry), self.epoch);
            if !self.own(written)? {
                return Err(ApplyError::Fenced);
            }
        }
        point(Point::AmendSent);
        if !is_seeded(Seed::MarkNotCommitted) {
            self.commit()?;
        }
        point(Point::AmendCommitted);
        Ok(())
    }

    /// Raises the epoch, or makes our tables. Whoever changed the history since we read it raised it too.
    fn claim(&mut self) -> Result<(), ApplyError> {
        let database = &*self.database;
        let ours = if let Some(known) = database.epoch {
            self.epoch = known + 1;
            self.own(record::claim(&database.connection, known, &database.options))?
        } else {
            self.epoch = 1;
            !self.own(history::exists(&database.connection))?
        };
        if !ours {
            return Err(ApplyError::Fenced);
        }
        if database.epoch.is_none() {
            let meta = Meta {
                database_id: database.options.database_id.clone(),
                tenant_id: database.options.tenant_id.clone(),
                registry_id: database.options.registry_id.clone(),
                epoch: self.epoch,
                format: FORMAT,
            };
            self.own(record::create(&database.connection, &meta))?;
            point(Point::SqliteTablesMade);
        }
        point(Point::SqliteClaimed);
        Ok(())
    }

    /// Runs the statements of a step, one by one and each to its end.
    pub(super) fn statements(&mut self, index: usize, step: &Step) -> Result<(), ApplyError> {
        let inside = self.database.is_locked();
        let count = step.script().statements.len();
        let mut before = None;
        if inside {
            self.database.mode.enter_inside();
        } else {
            self.database.mode.enter_outside();
        }
        for number in 0..count {
            self.stop_if_asked(index)?;
            self.statement(step.script().statement(number), &mut before)
                .map_err(|error| self.failure((index, number), step, &error))?;
            point(Point::SqliteStatementDone);
            if self.database.is_locked() != inside {
                return Err(ApplyError::SessionChanged {
                    step: index,
                    reason: format!("statement {} of {count} began or ended a transaction", number + 1),
                    state: StateAfter::Unknown,
                });
            }
        }
        self.database.mode.leave();
        if self.database.mode.was_touched() {
            self.own(clean::traces(&self.database.connection))?;
        }
        before.map_or(Ok(()), |before| self.check_keys(index, step, &before))
    }

    /// Fails the step if more rows refer to nothing now than before it.
    fn check_keys(&mut self, index: usize, step: &Step, before: &Orphans) -> Result<(), ApplyError> {
        let now = self.own(Orphans::count(&self.database.connection))?;
        let Some(source) = now.grown_since(before) else {
            self.orphans = Some(now);
            return Ok(());
        };
        let statements = &step.script().statements;
        Err(ApplyError::Statement {
            step: index,
            statement: statements.len().saturating_sub(1),
            statements: statements.len(),
            offset: statements.last().map_or(0, |last| last.range().start),
            exact: false,
            state: self.state(0),
            source,
        })
    }

    /// Runs one statement; before the first that changes rows inside a transaction, `before` is counted,
    /// unless the end of an earlier file has just done so.
    fn statement(&mut self, text: &str, before: &mut Option<Orphans>) -> rusqlite::Result<()> {
        let database = &*self.database;
        let mut statement = database.connection.prepare(text)?;
        if before.is_none() && database.is_locked() && database.mode.changes_rows() {
            database.mode.leave();
            *before = Some(match self.orphans.take() {
                Some(known) => known,
                None => Orphans::count(&database.connection)?,
            });
            database.mode.enter_inside();
        }
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// What is true of the unit when a step fails: SQLite undoes the whole transaction, but not what was
    /// committed before a step outside it.
    pub(super) fn state(&self, done: usize) -> StateAfter {
        if self.committed {
            StateAfter::HalfWay { done }
        } else {
            StateAfter::RolledBack
        }
    }

    fn failure(&self, (index, number): (usize, usize), step: &Step, error: &rusqlite::Error) -> ApplyError {
        if is(error, ErrorCode::OperationInterrupted) {
            return ApplyError::Cancelled {
                step: index,
                state: self.state(0),
            };
        }
        let script = step.script();
        let start = script.statements.get(number).map_or(0, |s| s.range().start);
        let pointed = offset(error);
        let done = if script.directives.no_transaction {
            number
        } else {
            0
        };
        ApplyError::Statement {
            step: index,
            statement: number,
            statements: script.statements.len(),
            offset: start + pointed.unwrap_or(0),
            exact: pointed.is_some(),
            state: self.state(done),
            source: database_error(error),
        }
    }

    pub(super) fn stop_if_asked(&self, index: usize) -> Result<(), ApplyError> {
        if self.database.stop.is_asked() {
            return Err(ApplyError::Cancelled {
                step: index,
                state: self.state(0),
            });
        }
        Ok(())
    }

    /// Turns the failure of one of our own statements into the unit's.
    pub(super) fn own<T>(&self, result: rusqlite::Result<T>) -> Result<T, ApplyError> {
        result.map_err(|error| {
            if is(&error, ErrorCode::OperationInterrupted) {
                return ApplyError::Cancelled {
                    step: 0,
                    state: self.state(0),
                };
            }
            self.unfinished(self.database.error(&error))
        })
    }

    /// Returns the error of a unit that did not come to its end; what ran outside a transaction is there.
    pub(super) fn unfinished(&self, source: SessionError) -> ApplyError {
        ApplyError::Session {
            commit_sent: self.committed,
            source,
        }
    }
}
