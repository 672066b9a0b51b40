//! Database servers: where databases can stand and how to get in as administrator.

use crate::engine::{Engine, Login, Place};
use crate::tenant::{Jurisdiction, ServerName};

/// How many targets of one server run at once unless a run or the server says otherwise.
pub const DEFAULT_PER_SERVER: usize = 5;

/// A database server of the registry.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its permanent id (UUIDv7).
    pub id: String,
    /// Its name, unique.
    pub name: ServerName,
    /// What it runs.
    pub engine: Engine,
    /// Where it stands.
    pub jurisdiction: Jurisdiction,
    /// Host and port, or the folder of SQLite files.
    pub place: Place,
    /// The administrator's login, which creates databases; `None` for SQLite.
    pub admin: Option<Login>,
    /// How many of its targets may run at once, always; `None` leaves it to the run.
    pub max_parallel: Option<usize>,
}
