//! One open SQLite file: its connection, its write lock and what we know of its history.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle};

use super::connect::{File, ScriptMode, connect};
use super::error::{is_busy, statement_error};
use super::history;
use crate::engine::identity::check_identity;
use crate::engine::{OpenOptions, SessionError, SqliteAddress};
use crate::history::History;

/// Stops the running statement, and whatever would come after it.
pub(super) struct Stop {
    handle: InterruptHandle,
    asked: AtomicBool,
}

impl Stop {
    /// Asks; returns at once. An interrupt between two statements is lost, therefore the mark.
    pub(super) fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
        self.handle.interrupt();
    }

    /// Returns whether it was asked since the last [`Stop::forget`].
    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Forgets what was asked before.
    pub(super) fn forget(&self) {
        self.asked.store(false, Ordering::SeqCst);
    }
}

/// An open file. Dropping it closes the connection, which rolls back what was not committed.
pub(super) struct Database {
    pub(super) connection: Connection,
    pub(super) file: File,
    pub(super) options: OpenOptions,
    pub(super) mode: ScriptMode,
    pub(super) stop: Arc<Stop>,
    /// The epoch that we know; `None` while our tables are missing.
    pub(super) epoch: Option<i64>,
}

impl Database {
    /// Opens a file for changing. No lock is taken yet.
    pub(super) fn open(address: &SqliteAddress, options: &OpenOptions) -> Result<Self, SessionError> {
        let file = File::find(address)?;
        if file.is_read_only() {
            return Err(file.unsuitable("the file is read-only"));
        }
        let mode = ScriptMode::default();
        let connection = connect(&file, &mode)?;
        if connection.is_readonly("main").unwrap_or(true) {
            return Err(file.unsuitable("this process may not write the file"));
        }
        let stop = Stop {
            handle: connection.get_interrupt_handle(),
            asked: AtomicBool::new(false),
        };
        Ok(Self {
            connection,
            file,
            options: options.clone(),
            mode,
            stop: Arc::new(stop),
            epoch: None,
        })
    }

    /// Tries once to take the write lock, which is the migration lock; `false` if somebody else has it.
    ///
    /// Never a deferred BEGIN: raising a read lock fails at once in WAL mode, without any wait.
    pub(super) fn try_lock(&self) -> Result<bool, SessionError> {
        if self.is_locked() {
            return Ok(true);
        }
        self.wait_at_most(Duration::ZERO)?;
        match self.connection.execute_batch("BEGIN IMMEDIATE") {
            Ok(()) => {
                self.wait_at_most(self.options.lock_timeout)?;
                Ok(true)
            }
            Err(error) if is_busy(&error) => Ok(false),
            Err(error) => Err(self.error(&error)),
        }
    }

    /// Returns whether we are inside a transaction of ours, and with it hold the lock.
    pub(super) fn is_locked(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Sets how long SQLite itself waits for a lock.
    fn wait_at_most(&self, time: Duration) -> Result<(), SessionError> {
        // The driver takes milliseconds in an i32.
        self.connection
            .busy_timeout(time.min(Duration::from_hours(1)))
            .map_err(|e| self.error(&e))
    }

    /// Reads the history under the lock and checks whose database it is.
    pub(super) fn read_history(&mut self) -> Result<History, SessionError> {
        let history = history::read(&self.connection, &self.file.endpoint())?;
        check_identity(&history, &self.options)?;
        self.epoch = history.meta.as_ref().map(|meta| meta.epoch);
        Ok(history)
    }

    /// Returns one of our own statements' error.
    pub(super) fn error(&self, error: &rusqlite::Error) -> SessionError {
        statement_error(&self.connection, &self.file.endpoint(), error)
    }
}
