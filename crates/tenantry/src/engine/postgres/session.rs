//! Opening: connect, take the lock by polling, read whose database it is and what was applied.

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_postgres::SimpleQueryRow;

use super::clean::local_settings;
use super::comment::{self, Comment};
use super::connect::Connection;
use super::error::Failure;
use super::holders::{of_migration_lock, of_our_tables, onlooker};
use super::{amend, history, outside, unit};
use crate::engine::identity::{check_identity, lock_key};
use crate::engine::{
    Amendment, ApplyError, Canceller, Expects, Hears, NetworkAddress, Onlooker, OpenOptions, Reader,
    Recorded, Session, SessionError, Unit, poll,
};
use crate::faults::{Point, Seed, is_seeded, point};
use crate::history::{History, OpenStatement};
use crate::plan::Step;
use crate::target::TrackName;

/// SQLSTATE of a table that is not there.
const UNDEFINED_TABLE: &str = "42P01";
/// SQLSTATE of a column that is not there.
const UNDEFINED_COLUMN: &str = "42703";

/// An open connection for reading.
#[derive(Debug)]
pub(super) struct Reading {
    connection: Connection,
    options: OpenOptions,
}

impl Reading {
    pub(super) async fn open(address: &NetworkAddress, options: &OpenOptions) -> Result<Self, SessionError> {
        let connection = Connection::open(address, options).await?;
        Ok(Self {
            connection,
            options: options.clone(),
        })
    }
}

#[async_trait]
impl Reader for Reading {
    async fn history(&mut self) -> Result<History, SessionError> {
        let mut begin = vec!["BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY".to_owned()];
        begin.extend(local_settings(&self.connection, &self.options));
        let begin = begin.join(";\n");
        let known = look_or_name(&mut self.connection, &begin, With::Nothing, Look::Known).await?;
        let seen = if let Some(seen) = known {
            seen
        } else {
            let again = after_rollback(&begin);
            let probed = look_or_name(&mut self.connection, &again, With::Nothing, Look::Probe).await?;
            probed.unwrap_or_default()
        };
        roll_back(&mut self.connection).await?;
        check_identity(&seen.history, &self.options)?;
        Ok(seen.history)
    }
}

/// A connection that holds the migration lock; at first by an open transaction.
#[derive(Debug)]
pub(super) struct Locked {
    pub(super) connection: Connection,
    pub(super) options: OpenOptions,
    pub(super) key: i64,
    /// The server's process that answers us; 0 if it did not say.
    pub(super) backend: i32,
    /// How many connections the server has for everybody; `None` if it did not say.
    connections: Option<usize>,
    pub(super) history: History,
    /// The history as this session has left it, as far as markers are about it.
    pub(super) left: History,
    /// The database's comment, with our markers in it.
    pub(super) comment: Comment,
    /// The epoch as we last read or wrote it.
    pub(super) epoch: i64,
    /// Whether the transaction that took the lock is still open.
    pub(super) in_transaction: bool,
    /// Whether the lock is held at the level of the session as well, until the connection closes.
    pub(super) holds_session_lock: bool,
    /// Whether a file has run in this session, whose traces must be taken away before the next one.
    pub(super) touched: bool,
}

impl Locked {
    /// Begins with what the look showed that took the lock.
    fn with(connection: Connection, options: &OpenOptions, seen: Seen) -> Self {
        Self {
            connection,
            options: options.clone(),
            key: lock_key(&options.database_id),
            backend: seen.backend,
            connections: seen.connections,
            left: seen.history.clone(),
            comment: seen.comment.unwrap_or_else(|| Comment::without_answer(options)),
            epoch: seen.history.meta.as_ref().map_or(0, |meta| meta.epoch),
            history: seen.history,
            in_transaction: true,
            holds_session_lock: false,
            touched: false,
        }
    }
}

/// Connects and takes the lock, trying until the window ends.
pub(super) async fn open(
    address: &NetworkAddress,
    options: &OpenOptions,
    hears: Hears<'_>,
) -> Result<Locked, SessionError> {
    let mut connection = Connection::open(address, options).await?;
    point(Point::PostgresConnected);
    let key = lock_key(&options.database_id);
    let (begun, mut refusals) = (Instant::now(), 0);
    let (mut expect, mut with) = (Look::first(options), With::first(options, key));
    let mut opening = begin(&connection, options).join(";\n");
    let mut head = opening.clone();
    loop {
        match look_or_name(&mut connection, &head, with, expect).await? {
            None => {
                expect = Look::Probe;
                head = after_rollback(&opening);
            }
            Some(seen) if seen.comment.is_none() && with == With::LockAndComment(key) => {
                with = With::Lock(key);
                head = after_rollback(&opening);
            }
            Some(seen) if connection.notice(seen.backend) => {
                opening = begin(&connection, options).join(";\n");
                head = after_rollback(&opening);
            }
            // Nobody expected our tables, or somebody made them between two looks.
            Some(seen) if seen.locked && expect == Look::Probe && seen.present => {
                expect = Look::Known;
                head = after_rollback(&opening);
            }
            Some(seen) if seen.locked => {
                check_identity(&seen.history, options)?;
                point(Point::PostgresLocked);
                return Ok(Locked::with(connection, options, seen));
            }
            Some(_) => {
                head.clone_from(&opening);
                roll_back(&mut connection).await?;
                if begun.elapsed() >= options.lock_window {
                    let holders = of_migration_lock(&mut connection, key).await;
                    return Err(SessionError::Blocked {
                        waited: begun.elapsed(),
                        holders,
                    });
                }
                refusals += 1;
                if refusals == poll::TOLD_AT {
                    hears(&of_migration_lock(&mut connection, key).await);
                }
                poll::pause(options.lock_window.saturating_sub(begun.elapsed())).await;
            }
        }
    }
}

/// Begins a transaction in which files are carried out.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// Returns the statements that begin a transaction, with the settings in it where a pooler kept them from the
/// server.
pub(super) fn begin(connection: &Connection, options: &OpenOptions) -> Vec<String> {
    let mut statements = vec![BEGIN.to_owned()];
    statements.extend(local_settings(connection, options));
    statements
}

pub(super) async fn roll_back(connection: &mut Connection) -> Result<(), SessionError> {
    match connection.exchange("ROLLBACK", |_, _| {}).await.failure {
        None => Ok(()),
        Some(failure) => Err(failure.into_session_error()),
    }
}

/// What is expected of a database before it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Our tables are there: read them at once.
    Known,
    /// They may be missing: ask first, so that the server logs no error.
    Probe,
}

impl Look {
    fn first(options: &OpenOptions) -> Self {
        match options.expects {
            Expects::Tables | Expects::Marker(_) => Self::Known,
            Expects::Nothing => Self::Probe,
        }
    }
}

/// What a look does besides reading our tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum With {
    /// Nothing.
    Nothing,
    /// Tries the lock of this key.
    Lock(i64),
    /// That, and reads the database's comment.
    LockAndComment(i64),
}

impl With {
    fn first(options: &OpenOptions, key: i64) -> Self {
        match options.expects {
            Expects::Marker(_) => Self::Lock(key),
            Expects::Nothing | Expects::Tables => Self::LockAndComment(key),
        }
    }

    /// Returns what says whether the lock is ours.
    fn lock(self) -> String {
        match self {
            Self::Lock(key) | Self::LockAndComment(key) if !is_seeded(Seed::PostgresLockNotTaken) => {
                format!("pg_catalog.pg_try_advisory_xact_lock({key})")
            }
            Self::Nothing | Self::Lock(_) | Self::LockAndComment(_) => "true".to_owned(),
        }
    }

    fn comment(self) -> Option<String> {
        match self {
            Self::LockAndComment(_) => Some(comment::question()),
            Self::Nothing | Self::Lock(_) => None,
        }
    }
}

/// The same beginning where a transaction is open that shall go first, in the same message.
fn after_rollback(begin: &str) -> String {
    format!("ROLLBACK;\n{begin}")
}

/// What one look at a database showed.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Whether the lock was free and is ours now.
    locked: bool,
    /// The server's process that answered; 0 if it did not say.
    backend: i32,
    /// How many connections it has for everybody; `None` if it did not say.
    connections: Option<usize>,
    /// Whether a probe found our tables.
    pub(super) present: bool,
    pub(super) history: History,
    /// The database's comment; `None` if it was not asked for, or if the server refused to tell: the transaction has
    /// failed then.
    comment: Option<Comment>,
    /// Whether a probe found one of our tables without the other.
    is_half: bool,
}

impl Seen {
    fn take_row(&mut self, row: &SimpleQueryRow) -> Result<(), SessionError> {
        if row.get(0) == Some("lock") {
            self.locked = row.get(1) == Some("t");
            self.backend = row.get(2).and_then(|pid| pid.parse().ok()).unwrap_or(0);
            let number = |column| row.get(column).and_then(|text| text.parse::<usize>().ok());
            self.connections = number(3).map(|all| all.saturating_sub(number(4).unwrap_or(0)));
            return Ok(());
        }
        if row.get(0) == Some("probe") {
            self.present = row.get(1) == Some("t");
            self.is_half = row.get(1) != row.get(3);
        }
        history::take_row(&mut self.history, row)
    }
}

/// Begins a transaction, tries the lock and reads our tables. `None` if they are not there although
/// they were expected; the transaction has failed then.
///
/// Lock and read are separate statements of one message: in a single SELECT the lock came back true with
/// the other session's row unseen.
pub(super) async fn look(
    connection: &mut Connection,
    begin: &str,
    with: With,
    expect: Look,
) -> Result<Option<Seen>, SessionError> {
    let lock = with.lock();
    let tables = match expect {
        Look::Known => format!("{};\n{}", history::READ_META, history::READ_HISTORY),
        Look::Probe => history::PROBE.to_owned(),
    };
    let mut text = format!(
        "{begin};\nSELECT 'lock', {lock}, pg_catalog.pg_backend_pid(), \
         pg_catalog.current_setting('max_connections'), \
         pg_catalog.current_setting('superuser_reserved_connections');\n{tables}"
    );
    let ours = text.split(";\n").count();
    let mut comment = with.comment().map(|question| {
        text = format!("{text};\n{question}");
        Comment::default()
    });
    let mut seen = Seen::default();
    let mut damaged = None;
    let answer = connection
        .exchange(&text, |_, row| {
            if !comment.as_mut().is_some_and(|comment| comment.take_row(row))
                && let Err(error) = seen.take_row(row)
            {
                damaged.get_or_insert(error);
            }
        })
        .await;
    match (answer.failure, damaged) {
        (Some(Failure::Refused { .. }), None) if answer.completed >= ours => Ok(Some(Seen::default())),
        (Some(Failure::Refused { sqlstate, .. }), _)
            if sqlstate == UNDEFINED_TABLE && expect == Look::Known =>
        {
            Ok(None)
        }
        (Some(Failure::Refused { sqlstate, error, .. }), _)
            if sqlstate == UNDEFINED_COLUMN && expect == Look::Known =>
        {
            Err(history::damaged(&error.message))
        }
        (Some(failure), _) => Err(failure.into_session_error()),
        (None, Some(error)) => Err(error),
        (None, None) => {
            seen.comment = comment;
            if seen.is_half {
                check_whole(connection).await?;
            }
            if seen.history.occupied && !seen.present {
                seen.history.occupied = is_occupied(connection).await?;
            }
            seen.history
                .rows
                .sort_by(|a, b| (&a.track, a.version).cmp(&(&b.track, b.version)));
            Ok(Some(seen))
        }
    }
}

/// Looks; if our tables are locked, the error names who holds them.
async fn look_or_name(
    connection: &mut Connection,
    begin: &str,
    with: With,
    expect: Look,
) -> Result<Option<Seen>, SessionError> {
    match look(connection, begin, with, expect).await {
        Err(SessionError::LockTimeout { source, .. }) => {
            roll_back(connection).await?;
            let holders = of_our_tables(connection).await;
            Err(SessionError::LockTimeout { holders, source })
        }
        looked => looked,
    }
}

/// Refuses one of our tables without the other. A probe asks for them one after the other, and somebody's first run
/// may come in between.
async fn check_whole(connection: &mut Connection) -> Result<(), SessionError> {
    let mut found = Vec::new();
    let answer = connection
        .exchange(history::OURS, |_, row| {
            found.extend(row.get(0).map(ToOwned::to_owned));
        })
        .await;
    match answer.failure {
        None => history::check_whole(&found),
        Some(failure) => Err(failure.into_session_error()),
    }
}

/// Returns whether there are tables of somebody else, where there is something at all.
async fn is_occupied(connection: &mut Connection) -> Result<bool, SessionError> {
    let row = connection.first_row(history::OCCUPIED).await;
    let row = row.map_err(Failure::into_session_error)?;
    Ok(row.into_iter().flatten().flatten().any(|answer| answer == "t"))
}

#[async_trait]
impl Session for Locked {
    fn history(&self) -> &History {
        &self.history
    }

    async fn carry_out(&mut self, unit: &Unit) -> Result<Vec<Recorded>, ApplyError> {
        let outside = |step: &Step| step.script().directives.no_transaction;
        comment::learn(self).await;
        if unit.steps.iter().any(outside) {
            outside::carry_out(self, unit).await
        } else {
            unit::carry_out(self, unit).await
        }
    }

    async fn open_statement(&mut self, unit: &Unit) -> Result<Option<OpenStatement>, ApplyError> {
        outside::open_statement(self, unit).await
    }

    async fn amend(&mut self, amendment: &Amendment) -> Result<(), ApplyError> {
        comment::learn(self).await;
        amend::amend(self, amendment).await
    }

    async fn settle_marker(&mut self, track: &TrackName) {
        comment::settle(self, track).await;
    }

    fn connections(&self) -> Option<usize> {
        self.connections
    }

    fn canceller(&self) -> Canceller {
        self.connection.canceller()
    }

    fn onlooker(&self) -> Onlooker {
        onlooker(self)
    }
}
