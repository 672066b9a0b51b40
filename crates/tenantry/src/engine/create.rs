//! What every engine needs to create a database, and how that can fail.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::{Login, SessionError};
use crate::code::Code;

/// A database to create.
#[derive(Clone, Debug)]
pub struct NewDatabase {
    /// Its name; for SQLite the name of the file.
    pub name: String,
    /// The role that shall own it; `None` where the engine has no roles.
    pub login: Option<Login>,
    /// Its id in the registry, which is written into it.
    pub database_id: String,
    /// The tenant's id, likewise where the engine writes it at once.
    pub tenant_id: String,
    /// The registry's id, likewise.
    pub registry_id: String,
}

/// A database could not be created.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CreateError {
    /// There is one of that name already, and it is not the one we began to create. It stays as it is.
    #[error("{what} `{name}` exists at {endpoint} and is not ours: {reason}")]
    Conflict {
        /// What it is: `database`, `role`, `user`, `file`.
        what: &'static str,
        /// Its name.
        name: String,
        /// `host:port` or folder.
        endpoint: String,
        /// How that is known.
        reason: String,
    },
    /// Somebody else was creating the same database all the while; the same call continues later.
    #[error("somebody else is creating `{database}` at {endpoint}; waited {} s for it", waited.as_secs())]
    Busy {
        /// The database.
        database: String,
        /// `host:port`.
        endpoint: String,
        /// How long we waited.
        waited: Duration,
    },
    /// The login or the process may not create databases there.
    #[error("no right to create `{database}` at {endpoint}: {reason}")]
    Denied {
        /// The database.
        database: String,
        /// `host:port` or folder.
        endpoint: String,
        /// The refusal in the server's or the system's words.
        reason: String,
    },
    /// The new database could not be worked with.
    #[error("the new database cannot be set up")]
    Session(#[source] SessionError),
    /// The file could not be made.
    #[error("cannot create {}", path.display())]
    Io {
        /// The file or the folder.
        path: PathBuf,
        /// Why, in the system's words.
        #[source]
        source: std::io::Error,
    },
}

impl CreateError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Conflict { .. } => Code(6008),
            Self::Busy { .. } => Code(4001),
            Self::Denied { .. } | Self::Io { .. } => Code(5004),
            Self::Session(source) => source.code(),
        }
    }
}
