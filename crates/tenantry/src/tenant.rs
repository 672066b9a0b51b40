//! Tenants, their products and their jurisdictions: plain values with checked spellings.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::domain::Domain;

/// The longest slug in bytes.
///
/// `tenant_{id}_shared` with a 32-digit id leaves room in every engine; a template with `{slug}` must
/// still fit PostgreSQL's 63 bytes.
pub const SLUG_MAX: usize = 40;

/// A name that does not follow its rule.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{what} `{}` {rule}", given.escape_debug())]
pub struct NameError {
    /// What was being named: `slug`, `product type`, `jurisdiction`, `server name`, `domain`.
    pub what: &'static str,
    /// The text as given.
    pub given: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

/// Checks a name that we make: lower-case letters, digits and `separator`, beginning with a letter.
fn check_name<'a>(what: &'static str, given: &'a str, separators: &[u8]) -> Result<&'a str, NameError> {
    let fail = |rule| {
        Err(NameError {
            what,
            given: given.to_owned(),
            rule,
        })
    };
    let bytes = given.as_bytes();
    match bytes.first() {
        None => return fail("is empty"),
        Some(first) if !first.is_ascii_lowercase() => return fail("must begin with a letter a-z"),
        Some(_) => {}
    }
    if bytes.len() > SLUG_MAX {
        return fail("is longer than 40 bytes");
    }
    let allowed = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || separators.contains(b);
    if !bytes.iter().all(allowed) {
        return fail("may hold only a-z, 0-9 and a hyphen or underscore");
    }
    if bytes.last().is_some_and(|b| separators.contains(b)) {
        return fail("must end with a letter or digit");
    }
    Ok(given)
}

macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $separators:expr) => {
        $(#[$doc])*
        ///
        /// Clones share the text: a fleet has few of them, and every target names one.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(given: &str) -> Result<Self, NameError> {
                check_name($what, given, $separators).map(|name| Self(name.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_name!(
    /// The short name of a tenant, unique in the registry: `acme`.
    Slug, "slug", b"-_"
);
checked_name!(
    /// A kind of product that a tenant can have, named by its track's folder: `kira`.
    ProductType, "product type", b"-_"
);
checked_name!(
    /// The legal area that a tenant's databases must not leave: `uk`, `eu`.
    Jurisdiction, "jurisdiction", b"-_"
);
checked_name!(
    /// The name of a database server in the registry: `eu-db-1`.
    ServerName, "server name", b"-_"
);

/// A tenant's permanent id: a UUIDv7 for tenants we make, any text for imported ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(String);

impl TenantId {
    /// Makes a new id (UUIDv7: ids of later tenants sort later).
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }

    /// Takes an id as it is, from the registry or from an import.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the id without its hyphens, as database names use it.
    pub fn compact(&self) -> String {
        self.0.replace('-', "")
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a tenant stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TenantStatus {
    /// Being created; the same `tenant create` continues it.
    Provisioning,
    /// In use: runs migrate it.
    Active,
    /// Taken offline: runs skip it and say so.
    Suspended,
    /// Taken offline; its databases are dropped when its grace is over.
    Deleting,
}

impl TenantStatus {
    /// Returns the word used in the registry, in JSON and on the terminal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleting => "deleting",
        }
    }

    /// Reads the word that [`Self::as_str`] gives; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Provisioning, Self::Active, Self::Suspended, Self::Deleting]
            .into_iter()
            .find(|s| s.as_str() == word)
    }
}

/// A customer of the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// The permanent id.
    pub id: TenantId,
    /// The short name, unique.
    pub slug: Slug,
    /// The name for people.
    pub name: String,
    /// Where its databases must stand.
    pub jurisdiction: Jurisdiction,
    /// Where it stands in its life.
    pub status: TenantStatus,
    /// Its id in another system, if it has one.
    pub external_id: Option<String>,
    /// The host names that lead to it.
    pub domains: Vec<Domain>,
    /// When it was created, in microseconds since 1970-01-01 UTC.
    pub created_at: i64,
}

impl Tenant {
    /// Returns whether this is exactly its id, its slug or its external id: the names that commands take.
    pub fn has_name(&self, name: &str) -> bool {
        self.id.as_str() == name || self.slug.as_str() == name || self.external_id.as_deref() == Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_we_make_follow_one_rule() {
        for good in ["acme", "a", "acme-2", "acme_test", &"a".repeat(40)] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
        let too_long = "a".repeat(41);
        for bad in [
            "", "2acme", "Acme", "acme-", "ac me", "acme;", "é", "a\nb", "../a", &too_long,
        ] {
            assert!(bad.parse::<Slug>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_refused_name_is_shown_with_control_characters_escaped() {
        let error = "a\u{1b}[31m".parse::<Slug>().unwrap_err();
        assert!(!error.to_string().contains('\u{1b}'));
    }

    #[test]
    fn a_compact_id_has_no_hyphens() {
        let id = TenantId::generate();
        assert_eq!(id.compact().len(), 32);
    }
}
