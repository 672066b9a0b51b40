//! The two behaviours that engines differ in: reading a history, and changing a database under its lock.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::error::{ApplyError, Holder, SessionError};
use super::marker::Marker;
use crate::direction::Direction;
use crate::history::{Entry, History, OpenStatement};
use crate::plan::Step;
use crate::target::TrackName;

/// How a connection is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// What the server shows as the program's name, with run and target.
    pub application_name: String,
    /// How long to try to connect.
    pub connect_timeout: Duration,
    /// How long one statement may wait for a lock on the server.
    pub lock_timeout: Duration,
    /// How long to go on trying to get the migration lock.
    pub lock_window: Duration,
    /// After how long without a word from us the server ends the session, and with it its locks.
    pub idle_timeout: Duration,
    /// The database's id in the registry: `_tenantry_meta` must carry it.
    pub database_id: String,
    /// The tenant's id; empty for the central database.
    pub tenant_id: String,
    /// The registry's id.
    pub registry_id: String,
    /// What is expected of the database; a wrong guess costs a round trip and nothing else.
    pub expects: Expects,
}

/// What is expected of a database before it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expects {
    /// Nothing: our tables may be missing.
    Nothing,
    /// Our tables.
    Tables,
    /// That, and a history that deserves this marker, which its comment had a moment ago. What else the comment says is
    /// asked when it has to be changed.
    Marker(Box<Marker>),
}

/// How long a server bears our silence, unless told otherwise: a vanished client's lock is free within a minute.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// One open connection to one database, for reading. Takes no lock, writes nothing, not even our tables.
#[async_trait]
pub trait Reader: Send {
    /// Returns what the database says was applied, oldest first, of every track; an absent history if
    /// our tables are not there.
    async fn history(&mut self) -> Result<History, SessionError>;
}

/// A connection that holds its database's migration lock.
///
/// Dropping a session closes the connection, and with it the lock and whatever was not committed.
#[async_trait]
pub trait Session: Send {
    /// Returns the history as it was read under the lock, before any unit.
    fn history(&self) -> &History;

    /// Carries out one unit and records it: all of it or, on engines without transactional DDL, up to a
    /// checkpoint. Returns what the history says after it was read back, in the order of the steps.
    ///
    /// The lock is held for the whole call; if the history tables are missing they are made first.
    async fn carry_out(&mut self, unit: &Unit) -> Result<Vec<Recorded>, ApplyError>;

    /// Looks at a half-way migration, the one step of `unit`, and returns the statement that somebody has to
    /// decide about; `None` if the next run goes on by itself. Writes nothing, and may send again what the
    /// file had set in its session.
    async fn open_statement(&mut self, unit: &Unit) -> Result<Option<OpenStatement>, ApplyError>;

    /// Writes rows as somebody has declared them, in one transaction under a new claim; if the history tables
    /// are missing they are made first. No migration runs.
    async fn amend(&mut self, amendment: &Amendment) -> Result<(), ApplyError>;

    /// Makes the marker of a track say what the history does, where the engine keeps markers: at most one statement,
    /// under the lock. Nothing fails because of it: a marker that cannot be written stays as it is.
    async fn settle_marker(&mut self, _track: &TrackName) {}

    /// Returns how many connections its server has for everybody, those for administrators not counted; `None` where
    /// there is no server, or if it did not say.
    fn connections(&self) -> Option<usize> {
        None
    }

    /// Returns the handle that stops the running statement from another task.
    fn canceller(&self) -> Canceller;

    /// Returns what tells from another connection who stands in the running statement's way.
    fn onlooker(&self) -> Onlooker;
}

/// Migrations that are carried out together: in one transaction where the engine can.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The track, under whose name the history records them.
    pub track: TrackName,
    /// Forwards or backwards.
    pub direction: Direction,
    /// The migrations, in the order of work. Never empty.
    pub steps: Vec<Step>,
    /// The run that does it.
    pub run_id: String,
    /// This attempt (UUIDv7): an unknown outcome is resolved by looking for it.
    pub attempt_id: String,
}

/// What somebody has declared about a history.
#[derive(Clone, Debug)]
pub struct Amendment {
    /// The track.
    pub track: TrackName,
    /// The changes. Never empty.
    pub entries: Vec<Entry>,
    /// The mark they belong to; added rows name it where others name their run.
    pub mark_id: String,
    /// This attempt (UUIDv7).
    pub attempt_id: String,
}

/// One migration as the history shows it after the unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its version.
    pub version: crate::migration::Version,
    /// How long it took on the server, in milliseconds.
    pub duration_ms: u64,
    /// How it was taken up; `None` if no earlier attempt had left it half-way, or if the answer that told was lost.
    pub taken_up: Option<TakenUp>,
}

/// How a migration was brought to its end that an earlier attempt had left half-way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenUp {
    /// The effect of the statement that was cut off was found there, and recorded.
    Adopted,
    /// What that statement had left half made was removed, or brought to its end by another one.
    Repaired,
    /// Nothing of that statement was there, or it may run twice: it went on from there.
    Resumed,
}

impl TakenUp {
    /// Returns the word used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adopted => "adopted",
            Self::Repaired => "repaired",
            Self::Resumed => "resumed",
        }
    }

    /// Reads the word that [`Self::as_str`] gives; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Adopted, Self::Repaired, Self::Resumed];
        all.into_iter().find(|how| how.as_str() == word)
    }
}

type Asking<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Stops the running statement of one session on its server; may be used any number of times.
#[derive(Clone)]
pub struct Canceller(Arc<dyn Fn() -> Asking<()> + Send + Sync>);

impl Canceller {
    /// Makes a canceller from what asks the server to stop.
    pub fn new<F, Fut>(ask: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(ask())))
    }

    /// Asks the server to stop the statement; returns when it was asked, which is before it has stopped.
    pub async fn cancel(&self) {
        (self.0)().await;
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Canceller")
    }
}

/// What a look at a session from another connection showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// The server is at it; these stand in the way of its running statement, as far as the server says.
    AtIt(Vec<Holder>),
    /// The server answers, and has no such session any more.
    Gone,
    /// The server does not answer.
    Silent,
}

/// Looks from a connection of its own at one session: whether its server is at it, and who stands in the way of
/// its running statement.
#[derive(Clone)]
pub struct Onlooker(Arc<dyn Fn() -> Asking<Look> + Send + Sync>);

impl Onlooker {
    /// Makes an onlooker from what asks the server.
    pub fn new<F, Fut>(ask: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Look> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(ask())))
    }

    /// Returns an onlooker that sees nobody and no silence: there is no server, or nobody knows which of its
    /// sessions is ours.
    pub fn blind() -> Self {
        Self::new(|| async { Look::AtIt(Vec::new()) })
    }

    /// Looks once. Opens a connection for it, takes no lock and writes nothing; nobody is in the way if the
    /// statement waits for nobody, or if the server does not say.
    pub async fn look(&self) -> Look {
        (self.0)().await
    }
}

impl fmt::Debug for Onlooker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Onlooker")
    }
}
