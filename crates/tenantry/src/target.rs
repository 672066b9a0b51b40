//! A target: one database on one track, which is what a run works on.

use std::fmt;
use std::sync::Arc;

use crate::engine::Address;
use crate::migration::Version;
use crate::run::Outcome;
use crate::tenant::{Jurisdiction, ProductType, ServerName, Slug, TenantId};

/// The name of an ordered folder of migrations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrackName {
    /// Our own registry tables, shipped in the binary.
    Registry,
    /// The platform's tables in the central database.
    Central,
    /// Every tenant's shared database.
    Tenant,
    /// One product's databases.
    Product(ProductType),
}

impl TrackName {
    /// Reads what `Display` writes; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "tenantry" => Some(Self::Registry),
            "central" => Some(Self::Central),
            "tenant" => Some(Self::Tenant),
            other => other.strip_prefix("product:")?.parse().ok().map(Self::Product),
        }
    }
}

impl fmt::Display for TrackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry => f.write_str("tenantry"),
            Self::Central => f.write_str("central"),
            Self::Tenant => f.write_str("tenant"),
            Self::Product(product) => write!(f, "product:{product}"),
        }
    }
}

/// The tenant that a target belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its id.
    pub id: TenantId,
    /// Its slug.
    pub slug: Slug,
    /// Its name for people.
    pub name: String,
}

/// One database on one track.
#[derive(Clone, Debug)]
pub struct Target {
    /// The database's id in the registry, which `_tenantry_meta` must carry too.
    pub database_id: String,
    /// The registry's own id, likewise.
    pub registry_id: Arc<str>,
    /// The track whose migrations belong into it.
    pub track: TrackName,
    /// The tenant it belongs to; `None` for the central database.
    pub owner: Option<Arc<Owner>>,
    /// The server it stands on; `None` for the central database.
    pub server: Option<ServerName>,
    /// The jurisdiction of that server; `None` for the central database.
    pub jurisdiction: Option<Jurisdiction>,
    /// How many targets of that server may run at once, always; `None` leaves it to the run.
    pub max_parallel: Option<usize>,
    /// The newest version that the registry knows in it; `None` if it knows of none.
    pub known_version: Option<Version>,
    /// What became of its last run, as the registry knows; `None` if it knows of none.
    pub known_outcome: Option<Outcome>,
    /// How to reach it.
    pub address: Address,
}

/// A database by its id, and its track: what tells targets apart.
pub(crate) type TargetKey<'a> = (&'a str, &'a TrackName);

impl Target {
    /// Returns what tells it apart from all others.
    pub(crate) fn key(&self) -> TargetKey<'_> {
        (&self.database_id, &self.track)
    }

    /// Returns the name that messages use: the tenant's slug, `slug/product`, or `central`.
    pub fn label(&self) -> String {
        match (&self.owner, &self.track) {
            (Some(owner), TrackName::Product(product)) => format!("{}/{product}", owner.slug),
            (Some(owner), _) => owner.slug.to_string(),
            (None, _) => "central".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TrackName;

    #[test]
    fn a_track_name_survives_its_text() {
        for text in ["tenantry", "central", "tenant", "product:kira"] {
            assert_eq!(
                TrackName::from_text(text).map(|t| t.to_string()).as_deref(),
                Some(text)
            );
        }
        assert_eq!(TrackName::from_text("product:"), None);
        assert_eq!(TrackName::from_text("other"), None);
    }
}
