//! Where a database is and how to get in: explicit fields, never a connection string.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;

use super::Engine;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A server on the network.
    Network {
        /// Its host name or IP address.
        host: String,
        /// Its port.
        port: u16,
        /// How the connection is protected.
        tls: Tls,
        /// Its own endpoint, where `host` and `port` are a pooler's; `None` where they are the server's.
        direct: Option<DirectEndpoint>,
    },
    /// A folder of SQLite files.
    Folder(PathBuf),
}

/// A server's own endpoint beside that of its pooler; reached with the same TLS settings and logins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectEndpoint {
    /// Its host name or IP address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// How a network connection is protected. Clones share the authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Encrypted, the certificate's chain and host name checked. `ca_pem` replaces the system's roots.
    VerifyFull {
        /// Certificate authorities in PEM; `None` for the system's.
        ca_pem: Option<Arc<str>>,
    },
    /// Encrypted, the chain checked against `ca_pem`, the host name not.
    VerifyCa {
        /// Certificate authorities in PEM.
        ca_pem: Arc<str>,
    },
    /// Encrypted, nothing checked: whoever is in between can read along.
    Require,
    /// Not encrypted.
    Disable,
}

impl Tls {
    /// Returns the word used in flags, the registry and JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::VerifyFull { .. } => "verify-full",
            Self::VerifyCa { .. } => "verify-ca",
            Self::Require => "require",
            Self::Disable => "disable",
        }
    }
}

/// A user name and its password.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password; redacted in `Debug`.
    pub password: SecretString,
}

/// The address of a database on a network server.
#[derive(Clone, Debug)]
pub struct NetworkAddress {
    /// PostgreSQL or MySQL.
    pub engine: Engine,
    /// Host name or IP address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// The server's own endpoint, where `host` and `port` are a pooler's.
    pub direct: Option<DirectEndpoint>,
    /// The database's name, quoted by whoever puts it into SQL.
    pub database: String,
    /// The login; migrations run as the tenant's own role.
    pub login: Login,
}

/// The address of an SQLite database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteAddress {
    /// The folder that the file must lie in directly.
    pub folder: PathBuf,
    /// The file's name, without a folder.
    pub file: String,
}

impl SqliteAddress {
    /// Returns the path of the file.
    pub fn path(&self) -> PathBuf {
        self.folder.join(&self.file)
    }
}

/// Where a database is: one value, which one day also names a schema inside it.
#[derive(Clone, Debug)]
pub enum Address {
    /// A database on a PostgreSQL or MySQL/MariaDB server.
    Network(NetworkAddress),
    /// An SQLite file.
    Sqlite(SqliteAddress),
}

impl Address {
    /// Returns the engine behind the address.
    pub fn engine(&self) -> Engine {
        match self {
            Self::Network(network) => network.engine,
            Self::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// Returns the same database at the server's own endpoint; `None` if the address names no other.
    pub fn direct(&self) -> Option<Self> {
        let Self::Network(network) = self else {
            return None;
        };
        let DirectEndpoint { host, port } = network.direct.clone()?;
        Some(Self::Network(NetworkAddress {
            host,
            port,
            direct: None,
            ..network.clone()
        }))
    }

    /// Returns the database's name: what messages call it.
    pub fn database(&self) -> &str {
        match self {
            Self::Network(network) => &network.database,
            Self::Sqlite(sqlite) => &sqlite.file,
        }
    }

    /// Returns where it stands in words: `host:port` or the path of the file.
    pub fn endpoint(&self) -> String {
        match self {
            Self::Network(network) => format!("{}:{}", network.host, network.port),
            Self::Sqlite(sqlite) => sqlite.path().display().to_string(),
        }
    }
}
