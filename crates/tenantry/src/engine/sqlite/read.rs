//! Reading the history of an SQLite file without its write lock.

use async_trait::async_trait;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::connect::{File, ScriptMode, connect};
use super::error::{is_busy, session_error, statement_error};
use super::{history, holders, in_background};
use crate::engine::identity::check_identity;
use crate::engine::{OpenOptions, Reader, SessionError, SqliteAddress};
use crate::history::History;

/// Opens a file for reading and reads its history once.
///
/// Takes no lock but SQLite's shared one while it reads, and leaves the folder as it was. The connection
/// itself is read-write with `query_only`: a read-only one could neither read past the journal of a
/// process that died, nor remove the two files that reading in WAL mode makes.
pub(crate) async fn read(
    address: &SqliteAddress,
    options: &OpenOptions,
) -> Result<Box<dyn Reader>, SessionError> {
    let (address, options) = (address.clone(), options.clone());
    let reader = in_background(move || SqliteReader::open(&address, options)).await??;
    Ok(Box::new(reader))
}

struct SqliteReader {
    open: Option<Open>,
    /// What was read when the file was opened, until somebody asks for it.
    first: Option<History>,
}

struct Open {
    connection: Connection,
    file: File,
    options: OpenOptions,
}

impl SqliteReader {
    fn open(address: &SqliteAddress, options: OpenOptions) -> Result<Self, SessionError> {
        let file = File::find(address)?;
        // The log of a process that died is its evidence: the next writer folds it in, not we.
        let keep_log = file.has_log();
        let connection = connect(&file, &ScriptMode::default())?;
        connection
            .execute_batch("PRAGMA query_only = ON")
            .and_then(|()| connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep_log))
            .and_then(|_| connection.busy_timeout(options.lock_timeout))
            .map_err(|error| session_error(&file.endpoint(), &error))?;
        let open = Open {
            connection,
            file,
            options,
        };
        let first = open.history()?;
        Ok(Self {
            open: Some(open),
            first: Some(first),
        })
    }
}

impl Open {
    fn history(&self) -> Result<History, SessionError> {
        // One snapshot for both tables.
        self.connection
            .execute_batch("BEGIN")
            .map_err(|error| self.error(&error))?;
        let history = history::read(&self.connection, &self.file.endpoint());
        let ended = self.connection.execute_batch("COMMIT");
        let history = history.map_err(|error| self.waited(error))?;
        ended.map_err(|error| self.error(&error))?;
        check_identity(&history, &self.options)?;
        Ok(history)
    }

    fn error(&self, error: &rusqlite::Error) -> SessionError {
        if is_busy(error) {
            return self.blocked();
        }
        statement_error(&self.connection, &self.file.endpoint(), error)
    }

    /// A writer that commits keeps readers out for a moment; for longer than `lock_timeout` is a block.
    fn waited(&self, error: SessionError) -> SessionError {
        if matches!(&error, SessionError::Database(source) if source.transient) {
            return self.blocked();
        }
        error
    }

    fn blocked(&self) -> SessionError {
        SessionError::Blocked {
            waited: self.options.lock_timeout,
            holders: holders::others(&self.file),
        }
    }
}

#[async_trait]
impl Reader for SqliteReader {
    async fn history(&mut self) -> Result<History, SessionError> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        let Some(open) = self.open.take() else {
            return Err(SessionError::Lost {
                reason: "an earlier reading was broken off".to_owned(),
            });
        };
        let (history, open) = in_background(move || (open.history(), open)).await?;
        self.open = Some(open);
        history
    }
}
