//! What one server says of all its databases at once.

use std::collections::HashMap;

use super::SessionError;
use super::marker::{self, Marker};
use crate::target::TrackName;

/// How many of a server's databases are tried.
pub(super) const TRIES: usize = 3;

/// What one server says of all its databases at once: the markers, and how busy it is.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The markers of each database that has any and can be connected to, by the database's name.
    pub markers: HashMap<String, Vec<Marker>>,
    /// How many connections the server takes in all.
    pub max_connections: Option<usize>,
    /// How many sessions there are, ours included.
    pub sessions: Option<usize>,
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
