//! Files on disk to migrations: read, parse, split, refuse, checksum. No connection is opened here.

mod checksum;
mod cursor;
mod destroys;
mod directive;
pub mod mysql_class;
pub(crate) mod postgres_class;
pub(crate) mod postgres_session;
mod problem;
mod read;
mod refuse;
mod script;
mod split;
mod text;
mod version;
mod warning;

pub use checksum::Checksum;
pub use destroys::{Destruction, destroys_data};
pub use problem::{FileProblem, FileProblemKind};
pub use read::ReadError;
pub use script::{Directives, OnResume, Place, Script, Statement};
pub(crate) use split::read_differently;
pub use split::{Opened, SplitError, SplitErrorKind, split};
pub use version::{Version, VersionError};
pub(crate) use warning::add;
pub use warning::{LineEnding, Warning, WarningKind};

use std::path::PathBuf;
use std::sync::Arc;

use crate::engine::Engine;
use crate::target::TrackName;

/// One numbered change, for one engine.
#[derive(Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its number; unique in its track.
    pub version: Version,
    /// Its name: the file's name between the version and the ending.
    pub name: String,
    /// The way forwards.
    pub up: Script,
    /// The way back, if there is a `.down.sql`.
    pub down: Option<Script>,
}

impl Migration {
    /// Returns `version_name`, as messages show it.
    pub fn label(&self) -> String {
        format!("{}_{}", self.version, self.name)
    }
}

/// An ordered folder of migrations as one engine sees it: versions ascend, none occurs twice.
#[derive(Clone, Debug)]
pub struct Track {
    /// Its name.
    pub name: TrackName,
    /// The engine whose SQL the scripts are.
    pub engine: Engine,
    /// The folder it was read from; empty for a track in the binary.
    pub folder: PathBuf,
    /// The migrations, oldest first.
    pub migrations: Vec<Arc<Migration>>,
    /// What is to be told about their files, by version.
    pub warnings: Vec<Warning>,
    /// The files without a statement that were left out, by path; empty unless [`Self::read_finished`] read
    /// it.
    pub unfinished: Vec<PathBuf>,
}

impl Track {
    /// Returns the newest version; `None` for an empty track.
    pub fn head(&self) -> Option<Version> {
        self.migrations.last().map(|m| m.version)
    }

    /// Returns the migration of a version; `None` if the track has none.
    pub fn find(&self, version: Version) -> Option<&Arc<Migration>> {
        let at = self
            .migrations
            .binary_search_by_key(&version, |m| m.version)
            .ok()?;
        self.migrations.get(at)
    }
}
