//! What one server says of all its databases at once.

use std::collections::HashMap;

use super::SessionError;
use super::marker::{self, Marker, Whose};
use crate::target::TrackName;

/// How many of a server's databases are tried.
pub(super) const TRIES: usize = 3;

/// A database whose history is asked for among others, and whose it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The database's name.
    pub database: &'a str,
    /// Whose it is: what its meta row must say.
    pub whose: Whose<'a>,
    /// The tenant's id; empty for the central database.
    pub tenant_id: &'a str,
}

/// What one server says of all its databases at once: the markers.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The markers of each database that has any and can be connected to, by the database's name; those that its
    /// history deserves, where the engine keeps none.
    pub markers: HashMap<String, Vec<Marker>>,
}

impl Survey {
    /// Returns the marker of a database on a track; `None` if it has none.
    pub fn marker(&self, database: &str, track: &TrackName) -> Option<&Marker> {
        marker::find(self.markers.get(database)?, track)
    }
}

/// Returns whether another database of the same server would answer no better.
pub(super) fn is_over(error: &SessionError) -> bool {
    matches!(
        error,
        SessionError::Unreachable { .. } | SessionError::Lost { .. } | SessionError::Tls { .. }
    )
}
