//! What we need of a database. Nothing outside this folder names a driver.

mod address;
mod create;
mod error;
mod session;
mod sqlite;

pub use address::{Address, Login, NetworkAddress, Place, SqliteAddress, Tls};
pub use create::{CreateError, NewDatabase};
pub use error::{ApplyError, DatabaseError, Holder, SessionError, StateAfter};
pub use session::{Canceller, OpenOptions, Reader, Recorded, Session, Unit};
pub use sqlite::create_database as create_sqlite_database;

use std::fmt;

/// A database engine we support. Facts about engines live here, as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
    /// SQLite.
    Sqlite,
}

impl Engine {
    /// Every engine, in the order in which they are listed.
    pub const ALL: [Self; 3] = [Self::Postgres, Self::MySql, Self::Sqlite];

    /// Returns the word used in flags, file names, the registry and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
            Self::Sqlite => "sqlite",
        }
    }

    /// Reads the word that [`Self::as_str`] gives, or a usual synonym; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "postgres" | "postgresql" => Some(Self::Postgres),
            "mysql" | "mariadb" => Some(Self::MySql),
            "sqlite" => Some(Self::Sqlite),
            _ => None,
        }
    }

    /// Returns whether a failed migration leaves no trace.
    pub fn has_transactional_ddl(self) -> bool {
        match self {
            Self::Postgres | Self::Sqlite => true,
            Self::MySql => false,
        }
    }

    /// Returns the port that the engine listens on by default; `None` where there is no network.
    pub fn default_port(self) -> Option<u16> {
        match self {
            Self::Postgres => Some(5432),
            Self::MySql => Some(3306),
            Self::Sqlite => None,
        }
    }

    /// Returns the longest database name in bytes.
    ///
    /// PostgreSQL: NAMEDATALEN - 1; MySQL: "Identifier Length Limits"; SQLite: a usual file name
    /// without its ending.
    pub fn database_name_max(self) -> usize {
        match self {
            Self::Postgres => 63,
            Self::MySql => 64,
            Self::Sqlite => 200,
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL/MariaDB",
            Self::Sqlite => "SQLite",
        })
    }
}

/// Opens a database and takes its migration lock, waiting for it up to `options.lock_window`.
///
/// The history is read under the lock. Nothing is written, not even our tables.
pub async fn open(address: &Address, options: &OpenOptions) -> Result<Box<dyn Session>, SessionError> {
    match address {
        Address::Sqlite(sqlite) => sqlite::open(sqlite, options).await,
        Address::Network(network) => Err(not_built(network)),
    }
}

/// Opens a database for reading: no migration lock is taken and nothing is written.
pub async fn read(address: &Address, options: &OpenOptions) -> Result<Box<dyn Reader>, SessionError> {
    match address {
        Address::Sqlite(sqlite) => sqlite::read(sqlite, options).await,
        Address::Network(network) => Err(not_built(network)),
    }
}

fn not_built(network: &NetworkAddress) -> SessionError {
    SessionError::Unsuitable {
        endpoint: format!("{}:{}", network.host, network.port),
        reason: format!("this build cannot migrate {}", network.engine),
    }
}
