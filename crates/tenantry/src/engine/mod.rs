//! What we need of a database. Nothing outside this folder names a driver.

mod address;
mod administer;
mod create;
mod error;
mod evidence;
mod greeting;
mod identity;
mod marker;
mod mysql;
mod poll;
mod postgres;
mod session;
mod sqlite;
mod survey;
mod text;
mod tls;

pub use address::{Address, DirectEndpoint, Login, NetworkAddress, Place, SqliteAddress, Tls};
pub use administer::{Access, AdministerError, Existing, Removed};
pub use create::{CreateError, NewDatabase};
pub(crate) use error::LOCK_TIMEOUT;
pub use error::{ApplyError, Certainty, DatabaseError, Hidden, Holder, SessionError, StateAfter};
pub use marker::{Done, Fingerprint, Marker, Whose};
pub(crate) use poll::random;
pub use session::{
    Amendment, Canceller, Expects, IDLE_TIMEOUT, Look, Onlooker, OpenOptions, Reader, Recorded, Session,
    TakenUp, Unit,
};
pub(crate) use sqlite::{File as SqliteFile, other_writers as sqlite_writers};
pub use survey::{Asked, Survey};

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;

use crate::history::History;

/// How long our own few statements may take in all once a connection is there and nothing is in the way.
const ANSWERS_AT_MOST: Duration = Duration::from_secs(15);

/// Who hears of those that have the migration lock, as far as they are known.
pub type Hears<'a> = &'a (dyn Fn(&[Holder]) + Send + Sync);

/// Opens a connection to a database and takes its migration lock, polling until the window ends. Writes
/// nothing yet. A server that accepts and then says nothing counts as lost.
pub async fn open(address: &Address, options: &OpenOptions) -> Result<Box<dyn Session>, SessionError> {
    open_and_tell(address, options, &|_| {}).await
}

/// Opens as [`open`] does, and tells once who has the lock if it has to be waited for.
pub async fn open_and_tell(
    address: &Address,
    options: &OpenOptions,
    hears: Hears<'_>,
) -> Result<Box<dyn Session>, SessionError> {
    let opening = async {
        match address {
            Address::Sqlite(sqlite) => sqlite::open(sqlite, options, hears).await,
            Address::Network(network) => match network.engine {
                Engine::Postgres => postgres::open(network, options, hears).await,
                Engine::MySql => mysql::open(network, options, hears).await,
                Engine::Sqlite => Err(unsupported(network)),
            },
        }
    };
    let limit = options.connect_timeout + options.lock_window + options.lock_timeout + ANSWERS_AT_MOST;
    explained(answered(opening, limit).await, address).await
}

/// Opens a connection to a database for reading. Takes no lock, writes nothing. A server that accepts and then
/// says nothing counts as lost.
pub async fn read(address: &Address, options: &OpenOptions) -> Result<Box<dyn Reader>, SessionError> {
    let opening = async {
        match address {
            Address::Sqlite(sqlite) => sqlite::read(sqlite, options).await,
            Address::Network(network) => match network.engine {
                Engine::Postgres => postgres::read(network, options).await,
                Engine::MySql => mysql::read(network, options).await,
                Engine::Sqlite => Err(unsupported(network)),
            },
        }
    };
    let opened = answered(opening, options.connect_timeout + ANSWERS_AT_MOST).await;
    explained(opened, address).await
}

/// Asks a server, in one question at one of its databases, what the markers in the comments of all its databases say.
///
/// `addresses` lead to databases of that server: where one does not let us in, the next is tried, three at most.
/// `None` if nobody can be asked: nobody answered, or the engine keeps no markers. Takes no lock, writes nothing.
pub async fn survey(addresses: &[&Address], options: &OpenOptions) -> Option<Survey> {
    for address in addresses.iter().take(survey::TRIES) {
        let Address::Network(network) = address else {
            return None;
        };
        let asked = match network.engine {
            Engine::Postgres => postgres::survey(network, options),
            Engine::MySql | Engine::Sqlite => return None,
        };
        match answered(asked, options.connect_timeout + ANSWERS_AT_MOST).await {
            Ok(survey) => return Some(survey),
            Err(error) => {
                tracing::debug!(%error, "a server did not tell its markers");
                if survey::is_over(&error) {
                    return None;
                }
            }
        }
    }
    None
}

/// Reads the histories of many databases of one server on one connection, and returns the markers that they deserve.
///
/// `at` is the server: the address of its administrator, whose database is not looked at. No text of a tenant's runs
/// with the administrator's rights. A database is missing in the answer if it could not be read, is somebody else's,
/// does not look exactly as ours do, or is locked: it has to be asked itself. Nobody is waited for, and the whole takes no
/// longer than `connect_timeout`, 5 s and 3 ms for each database; what was read by then is returned. Empty where the
/// engine keeps markers, or has no server. Takes no migration lock, writes nothing.
pub async fn survey_histories(at: &Address, asked: &[Asked<'_>], options: &OpenOptions) -> Survey {
    match at {
        Address::Network(network) if network.engine == Engine::MySql => {
            mysql::survey(network, asked, options).await
        }
        Address::Network(_) | Address::Sqlite(_) => Survey::default(),
    }
}

/// Asks a reader for the history; a server that says nothing counts as lost.
pub async fn history(reader: &mut dyn Reader, options: &OpenOptions) -> Result<History, SessionError> {
    answered(reader.history(), options.lock_timeout + ANSWERS_AT_MOST).await
}

/// Says what answers there, where it is no server of the engine.
async fn explained<T>(opened: Result<T, SessionError>, address: &Address) -> Result<T, SessionError> {
    match (opened, address) {
        (Err(error), Address::Network(network)) => Err(greeting::explain(error, network).await),
        (opened, _) => opened,
    }
}

async fn answered<T>(
    asking: impl Future<Output = Result<T, SessionError>>,
    limit: Duration,
) -> Result<T, SessionError> {
    tokio::time::timeout(limit, asking).await.unwrap_or_else(|_| {
        Err(SessionError::Lost {
            reason: format!("the server gave no answer in {} s", limit.as_secs()),
        })
    })
}

/// Creates a database, and the role that owns it where the engine has roles. Repeating it continues what
/// was begun; what is not ours is never touched.
///
/// `at` is the server: for PostgreSQL and MySQL the address of its administrator, for SQLite an address in
/// the folder, whose file name is not looked at.
pub async fn create_database(at: &Address, new: &NewDatabase) -> Result<(), CreateError> {
    match at {
        Address::Sqlite(sqlite) => sqlite::create_database(&sqlite.folder, new).await,
        Address::Network(network) => match network.engine {
            Engine::Postgres => postgres::create_database(network, new).await,
            Engine::MySql => mysql::create_database(network, new).await,
            Engine::Sqlite => Err(CreateError::Session(unsupported(network))),
        },
    }
}

/// Lets a database's role in, or keeps it out and ends its sessions; a file has no role, and stays as it is.
///
/// `at` is as for [`create_database`]. Repeating it is harmless. On PostgreSQL a database that was there before us is
/// marked as ours first, if its own tables say that it is, so that it can be dropped later.
pub async fn set_access(at: &Address, existing: &Existing, access: Access) -> Result<(), AdministerError> {
    match at {
        Address::Sqlite(_) => Ok(()),
        Address::Network(network) => match network.engine {
            Engine::Postgres => postgres::set_access(network, existing, access).await,
            Engine::MySql => mysql::set_access(network, existing, access).await,
            Engine::Sqlite => Err(AdministerError::Session(unsupported(network))),
        },
    }
}

/// Gives the role that an address logs in as another password, as itself: no administrator is needed. A server's log
/// shows no password (MySQL hides it, the others get what they would store).
///
/// [`SessionError::AuthFailed`] if the present password is not right.
pub async fn set_password(address: &Address, new: &SecretString) -> Result<(), SessionError> {
    let Address::Network(network) = address else {
        return Ok(());
    };
    let set = match network.engine {
        Engine::Postgres => postgres::set_password(network, new).await,
        Engine::MySql => mysql::set_password(network, new).await,
        Engine::Sqlite => Err(unsupported(network)),
    };
    explained(set, address).await
}

/// Logs in and out again; writes nothing.
pub async fn try_login(address: &Address) -> Result<(), SessionError> {
    let Address::Network(network) = address else {
        return Ok(());
    };
    let tried = match network.engine {
        Engine::Postgres => postgres::try_login(network).await,
        Engine::MySql => mysql::try_login(network).await,
        Engine::Sqlite => Err(unsupported(network)),
    };
    explained(tried, address).await
}

/// Drops a database of ours and the role that was made for it, and confirms that the database is gone. What is not
/// known to be ours is never touched; what is gone already is no error.
///
/// `at` is as for [`create_database`].
pub async fn remove_database(at: &Address, existing: &Existing) -> Result<Removed, AdministerError> {
    match at {
        Address::Sqlite(sqlite) => sqlite::remove(&sqlite.folder, existing).await,
        Address::Network(network) => match network.engine {
            Engine::Postgres => postgres::remove(network, existing).await,
            Engine::MySql => mysql::remove(network, existing).await,
            Engine::Sqlite => Err(AdministerError::Session(unsupported(network))),
        },
    }
}

/// Connects to a server as its administrator and returns what it says that it is: product and version.
///
/// `at` is as for [`create_database`]. Writes nothing.
pub async fn describe_server(at: &Address) -> Result<String, SessionError> {
    let described = match at {
        Address::Sqlite(sqlite) => sqlite::describe(sqlite),
        Address::Network(network) => match network.engine {
            Engine::Postgres => postgres::describe(network).await,
            Engine::MySql => mysql::describe(network).await,
            Engine::Sqlite => Err(unsupported(network)),
        },
    };
    explained(described, at).await
}

/// The same at a server's own endpoint, beside a pooler's: a pooler there is refused ([`SessionError::Pooled`]).
pub async fn describe_direct(at: &Address) -> Result<String, SessionError> {
    match at {
        Address::Network(network) if network.engine == Engine::Postgres => {
            explained(postgres::describe_direct(network).await, at).await
        }
        Address::Network(_) | Address::Sqlite(_) => describe_server(at).await,
    }
}

fn unsupported(address: &NetworkAddress) -> SessionError {
    let reason = format!("{} is not reached this way", address.engine);
    SessionError::Unsuitable {
        endpoint: format!("{}:{}", address.host, address.port),
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
