//! What we need of a database. Nothing outside this folder names a driver.

mod address;
mod create;
mod error;
mod identity;
mod mysql;
mod poll;
mod postgres;
mod session;
mod text;
mod tls;

pub use address::{Address, Login, NetworkAddress, Place, SqliteAddress, Tls};
pub use create::{CreateError, NewDatabase};
pub use error::{ApplyError, DatabaseError, Holder, SessionError, StateAfter};
pub use mysql::{MySqlServer, create_database as create_mysql_database};
pub use session::{Canceller, OpenOptions, Reader, Recorded, Session, Unit};

use std::fmt;

/// Opens a connection to a database and takes its migration lock, polling until the window ends. Writes
/// nothing yet.
pub async fn open(address: &Address, options: &OpenOptions) -> Result<Box<dyn Session>, SessionError> {
    match address {
        Address::Network(network) => match network.engine {
            Engine::Postgres => postgres::open(network, options).await,
            Engine::MySql => mysql::open(network, options).await,
            Engine::Sqlite => Err(unsupported(address)),
        },
        Address::Sqlite(_) => Err(unsupported(address)),
    }
}

/// Opens a connection to a database for reading. Takes no lock, writes nothing.
pub async fn read(address: &Address, options: &OpenOptions) -> Result<Box<dyn Reader>, SessionError> {
    match address {
        Address::Network(network) => match network.engine {
            Engine::Postgres => postgres::read(network, options).await,
            Engine::MySql => mysql::read(network, options).await,
            Engine::Sqlite => Err(unsupported(address)),
        },
        Address::Sqlite(_) => Err(unsupported(address)),
    }
}

fn unsupported(address: &Address) -> SessionError {
    let reason = format!("{} is not reached this way", address.engine());
    SessionError::Unsuitable {
        endpoint: address.endpoint(),
        reason,
    }
}

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
