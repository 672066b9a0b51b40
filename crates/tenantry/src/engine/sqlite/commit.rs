//! Ends the transaction of a unit: its history rows, the COMMIT that readers may delay, and the look at what is there.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::ffi::ErrorCode;

use super::apply::Work;
use super::error::{is, is_busy};
use super::{holders, pause, record};
use crate::direction::Direction;
use crate::engine::{ApplyError, Recorded, SessionError};
use crate::faults::{Point, Seed, is_seeded, point};
use crate::plan::Step;

/// How often somebody who rests looks whether he shall stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Work<'_> {
    /// Writes the rows of the steps from `first` on and commits.
    ///
    /// A step that ran outside a transaction may not run twice. If its COMMIT is delayed, its row alone is written
    /// again, until `lock_window` is over.
    pub(super) fn finish(&mut self, first: usize, done: &[Recorded]) -> Result<(), ApplyError> {
        let start = Instant::now();
        loop {
            self.record(first, done)?;
            point(Point::SqliteRowsWritten);
            self.stop_if_asked(self.last_step())?;
            let ended = self.commit();
            let again = self.is_only_rows() && start.elapsed() < self.database.options.lock_window;
            match &ended {
                Err(error) if again && is_delayed(error) => self.give_way()?,
                Ok(()) | Err(_) => return ended,
            }
        }
    }

    /// Returns whether the transaction holds nothing but the row of a step that ran outside it.
    fn is_only_rows(&self) -> bool {
        let last = self.unit.steps.last();
        let is_outside = |step: &Step| step.script().directives.no_transaction || step.interrupted.is_some();
        self.committed && last.is_some_and(is_outside)
    }

    /// Lets readers in for longer than they were kept out, then takes the lock again.
    fn give_way(&mut self) -> Result<(), ApplyError> {
        self.own(self.database.connection.execute_batch("ROLLBACK"))?;
        let start = Instant::now();
        let rest = self.database.options.lock_timeout + pause();
        while start.elapsed() < rest {
            self.stop_if_asked(self.last_step())?;
            sleep(LOOK_EVERY.min(rest));
        }
        self.lock_again()
    }

    fn last_step(&self) -> usize {
        self.unit.steps.len().saturating_sub(1)
    }

    /// Writes the rows of the steps from `first` on that are done. Together, because each change of the
    /// schema between two rows would make SQLite plan the statement anew.
    pub(super) fn record(&self, first: usize, done: &[Recorded]) -> Result<(), ApplyError> {
        let connection = &self.database.connection;
        for (step, done) in self.unit.steps.iter().zip(done).skip(first) {
            let written = match step.direction {
                Direction::Up => record::finish(connection, (self.unit, step), self.epoch, done.duration_ms),
                Direction::Down => record::delete(connection, self.unit, step),
            };
            if !self.own(written)? {
                return Err(ApplyError::Fenced);
            }
        }
        Ok(())
    }

    /// Commits. A reader in the way delays the COMMIT for at most `lock_timeout`: as long as it waits SQLite lets no
    /// other reader in ("File Locking And Concurrency", the PENDING lock), and only a rollback ends that.
    pub(super) fn commit(&mut self) -> Result<(), ApplyError> {
        if !self.database.file.is_in_place() && !is_seeded(Seed::SqliteFileNotChecked) {
            let source = self
                .database
                .file
                .unsuitable("the file was replaced during the migration");
            return Err(self.unfinished(source));
        }
        let start = Instant::now();
        while let Err(error) = self.database.connection.execute_batch("COMMIT") {
            if is_seeded(Seed::SqliteBusyCommitIgnored) {
                return Ok(());
            }
            self.check_busy(&error)?;
            let waited = start.elapsed();
            if waited >= self.database.options.lock_timeout {
                return Err(ApplyError::Session {
                    // What ran outside a transaction is there, and its row is not.
                    commit_sent: self.committed,
                    source: SessionError::CommitDelayed {
                        waited,
                        holders: holders::others(&self.database.file),
                    },
                });
            }
        }
        point(Point::SqliteCommitted);
        self.database.epoch = Some(self.epoch);
        Ok(())
    }

    /// Takes the lock again after a statement outside a transaction.
    pub(super) fn lock_again(&self) -> Result<(), ApplyError> {
        let database = &*self.database;
        let start = Instant::now();
        // SQLite itself waits for `lock_timeout` here, as the lock was ours a moment ago.
        while let Err(error) = database.connection.execute_batch("BEGIN IMMEDIATE") {
            self.check_busy(&error)?;
            let waited = start.elapsed();
            if waited >= database.options.lock_window {
                return Err(ApplyError::Session {
                    // The statement has run.
                    commit_sent: true,
                    source: SessionError::Blocked {
                        waited,
                        holders: holders::others(&database.file),
                    },
                });
            }
        }
        if self.own(record::holds(&database.connection, self.epoch))? {
            Ok(())
        } else {
            Err(ApplyError::Fenced)
        }
    }

    /// Returns if a BEGIN or COMMIT failed because of a lock and nobody asks to stop, and otherwise its error.
    fn check_busy(&self, error: &rusqlite::Error) -> Result<(), ApplyError> {
        if is(error, ErrorCode::OperationInterrupted) {
            // SQLite looks for it before a COMMIT takes effect, never after.
            return Err(ApplyError::Cancelled {
                step: self.last_step(),
                state: self.state(0),
            });
        }
        if !is_busy(error) {
            return Err(ApplyError::Session {
                // Every other failure rolls back for certain; after a failed write or sync only the file
                // itself can tell.
                commit_sent: self.committed || is(error, ErrorCode::SystemIoFailure),
                source: self.database.error(error),
            });
        }
        self.stop_if_asked(self.last_step())
    }

    /// Reads every row of the unit again: only what is seen there counts.
    pub(super) fn read_back(&self) -> Result<(), ApplyError> {
        for step in &self.unit.steps {
            let seen = record::shows(&self.database.connection, self.unit, step).map_err(|error| {
                ApplyError::Session {
                    commit_sent: true,
                    source: self.database.error(&error),
                }
            })?;
            if !seen {
                return Err(ApplyError::NotReadBack);
            }
        }
        Ok(())
    }
}

/// Returns whether a reader was in the way of a COMMIT.
pub(super) fn is_delayed(error: &ApplyError) -> bool {
    matches!(
        error,
        ApplyError::Session {
            source: SessionError::CommitDelayed { .. },
            ..
        }
    )
}
