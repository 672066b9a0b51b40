//! What a server's administrator does to a database that is there: lets nobody in, lets them in again, drops it.

use std::path::PathBuf;

use thiserror::Error;

use super::{Login, SessionError};
use crate::code::Code;

/// A database of ours that is there, or was.
#[derive(Clone, Debug)]
pub struct Existing {
    /// Its name; for SQLite the name of the file.
    pub name: String,
    /// The role that it is reached as; `None` where the engine has no roles.
    pub login: Option<Login>,
    /// Its id in the registry.
    pub database_id: String,
}

/// Whether a database's role may connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may.
    Open,
    /// It may not, and its sessions are ended.
    Closed,
}

/// What became of a database that was to be dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Whether it was there; otherwise it was gone already.
    pub was_there: bool,
    /// Why its role stays on the server; `None` if it is gone too, or the engine has none.
    pub role_stays: Option<String>,
}

/// A database could not be closed, opened or dropped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AdministerError {
    /// What has the name is not known to be ours. It stays as it is.
    #[error("{what} `{name}` at {endpoint} is not known to be ours: {reason}")]
    NotOurs {
        /// What it is: `database`, `file`, `role`, `user`.
        what: &'static str,
        /// Its name.
        name: String,
        /// `host:port` or folder.
        endpoint: String,
        /// How that is known.
        reason: String,
    },
    /// The administrator's login may not do it.
    #[error("no right to do this to `{name}` at {endpoint}: {reason}")]
    Denied {
        /// The database or the role.
        name: String,
        /// `host:port` or folder.
        endpoint: String,
        /// The refusal in the server's words.
        reason: String,
    },
    /// It was dropped, and is there all the same.
    #[error("`{name}` at {endpoint} is still there")]
    StillThere {
        /// The database.
        name: String,
        /// `host:port` or folder.
        endpoint: String,
    },
    /// The server could not be asked.
    #[error("the server cannot be worked with")]
    Session(#[source] SessionError),
    /// The file could not be removed.
    #[error("cannot remove {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why, in the system's words.
        #[source]
        source: std::io::Error,
    },
}

impl AdministerError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::NotOurs { .. } => Code(6008),
            Self::Denied { .. } | Self::Io { .. } => Code(5004),
            Self::StillThere { .. } => Code(6025),
            Self::Session(source) => source.code(),
        }
    }
}

/// Returns the mark of a database: what its comment says, or ends with, if it is ours.
pub(super) fn mark_of(database_id: &str) -> String {
    format!("tenantry:{database_id}")
}
