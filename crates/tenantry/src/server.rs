//! Database servers: where databases can stand and how to get in as administrator.

use std::fmt;

use crate::engine::{Engine, Login, Place};
use crate::target::TrackName;
use crate::tenant::{Jurisdiction, NameError, ServerName};

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

/// The word for tenants' shared databases in what a server accepts; no product is meant by it.
const SHARED: &str = "tenant";

/// Which new databases a server takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    /// On which tracks; `None` is on any.
    pub accepts: Option<Vec<TrackName>>,
    /// How many it has room for; `None` is no limit.
    pub capacity: Option<usize>,
    /// Since when it takes none any more, in microseconds since 1970-01-01 UTC; `None` takes them.
    pub drains_since: Option<i64>,
}

/// Why a server takes no new database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// It is being drained.
    Drains,
    /// It has as many as it has room for, or more.
    Full {
        /// How many it has.
        databases: usize,
        /// How many it has room for.
        capacity: usize,
    },
    /// It takes others.
    Accepts(Vec<TrackName>),
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drains => f.write_str("is being drained"),
            Self::Full { databases, capacity } => {
                write!(f, "has no room: {databases} of {capacity} databases")
            }
            Self::Accepts(tracks) => {
                let words: Vec<String> = tracks.iter().map(Intake::word).collect();
                write!(f, "takes {} only", words.join(", "))
            }
        }
    }
}

impl Intake {
    /// Reads a word for what a server accepts: `tenant` for the shared databases of tenants, or a product type.
    ///
    /// # Errors
    /// What [`ProductType`](crate::ProductType) says of a word that is none.
    pub fn track(word: &str) -> Result<TrackName, NameError> {
        if word == SHARED {
            return Ok(TrackName::Tenant);
        }
        word.parse().map(TrackName::Product)
    }

    /// Returns the word for the databases of a track.
    pub fn word(track: &TrackName) -> String {
        match track {
            TrackName::Product(product) => product.to_string(),
            TrackName::Tenant | TrackName::Central | TrackName::Registry => SHARED.to_owned(),
        }
    }

    /// Returns why a server that has so many databases takes no further one; `None` if it takes it.
    pub fn refuses(&self, track: &TrackName, databases: usize) -> Option<NoRoom> {
        if self.drains_since.is_some() {
            return Some(NoRoom::Drains);
        }
        let others = self.accepts.as_ref().filter(|accepted| !accepted.contains(track));
        if let Some(accepted) = others {
            return Some(NoRoom::Accepts(accepted.clone()));
        }
        let full = self.capacity.filter(|capacity| databases >= *capacity);
        full.map(|capacity| NoRoom::Full { databases, capacity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_takes_what_it_accepts_until_it_is_full_or_drained() {
        let kira = TrackName::Product("kira".parse().unwrap());
        let words = |word: &str| Intake::word(&Intake::track(word).unwrap());
        assert_eq!((words("tenant"), words("kira")), ("tenant".into(), "kira".into()));
        let intake = Intake {
            accepts: Some(vec![TrackName::Tenant]),
            capacity: Some(2),
            drains_since: None,
        };
        assert_eq!(intake.refuses(&TrackName::Tenant, 1), None);
        let full = intake.refuses(&TrackName::Tenant, 3).unwrap();
        assert_eq!(full.to_string(), "has no room: 3 of 2 databases");
        assert_eq!(intake.refuses(&kira, 0).unwrap().to_string(), "takes tenant only");
        let drained = Intake {
            drains_since: Some(1),
            ..Intake::default()
        };
        assert_eq!(drained.refuses(&kira, 0), Some(NoRoom::Drains));
        assert_eq!(Intake::default().refuses(&kira, usize::MAX), None);
    }
}
