//! What a value of a fleet's list is, and how lists of other platforms call it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::selection::nearest;
use crate::tenant::ProductType;

/// What a value of a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The tenant's id, or the product database's.
    Id,
    /// The tenant's short name.
    Slug,
    /// The tenant's name for people.
    Name,
    /// The host names that lead to the tenant.
    Domain,
    /// The tenant's id in another system.
    ExternalId,
    /// The legal area that the databases stand in.
    Jurisdiction,
    /// Where the tenant or the product stands in its life.
    Status,
    /// The name of a registered server.
    Server,
    /// The server's host.
    DbHost,
    /// The server's port.
    DbPort,
    /// The database's name.
    DbName,
    /// The tenant's own role.
    DbUsername,
    /// Its password.
    DbPassword,
    /// A product's type.
    Type,
    /// The tenant's products.
    Products,
}

impl Field {
    /// All fields, in the order in which the documentation lists them.
    pub const ALL: [Self; 15] = [
        Self::Id,
        Self::Slug,
        Self::Name,
        Self::Domain,
        Self::ExternalId,
        Self::Jurisdiction,
        Self::Status,
        Self::Server,
        Self::DbHost,
        Self::DbPort,
        Self::DbName,
        Self::DbUsername,
        Self::DbPassword,
        Self::Type,
        Self::Products,
    ];

    /// Returns the name of the field.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Slug => "slug",
            Self::Name => "name",
            Self::Domain => "domain",
            Self::ExternalId => "external_id",
            Self::Jurisdiction => "jurisdiction",
            Self::Status => "status",
            Self::Server => "server",
            Self::DbHost => "db_host",
            Self::DbPort => "db_port",
            Self::DbName => "db_name",
            Self::DbUsername => "db_username",
            Self::DbPassword => "db_password",
            Self::Type => "type",
            Self::Products => "products",
        }
    }

    /// Reads a name in any of the usual spellings: `db_name`, `dbName`, `DB-NAME`; `None` for another word.
    fn spelt(name: &str) -> Option<Self> {
        let plain = |text: &str| -> String {
            let letters = text.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
            letters.map(|c| c.to_ascii_lowercase()).collect()
        };
        let given = plain(name);
        Self::ALL.into_iter().find(|field| plain(field.as_str()) == given)
    }
}

/// Where a value goes: to the tenant, or to one of its products.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The product; `None` for the tenant.
    pub product: Option<ProductType>,
    /// What it is there.
    pub field: Field,
}

impl Slot {
    /// Reads `db_name` or, for a product, `kira.db_name`, in any of the usual spellings; `None` for anything else.
    fn spelt(name: &str) -> Option<Self> {
        let Some((product, field)) = name.split_once('.') else {
            let field = Field::spelt(name)?;
            return Some(Self { product: None, field });
        };
        let field = Field::spelt(field).filter(|field| !matches!(field, Field::Products | Field::Type))?;
        let product = Some(product.parse().ok()?);
        Some(Self { product, field })
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(product) = &self.product {
            write!(f, "{product}.")?;
        }
        f.write_str(self.field.as_str())
    }
}

/// A word that no field has.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("there is no field `{}`{}", given.escape_debug(), suggestion(given))]
pub struct UnknownField {
    /// The word as given.
    pub given: String,
}

fn suggestion(given: &str) -> String {
    let near = nearest(given, Field::ALL.iter().map(|field| field.as_str()));
    match near.first() {
        Some(near) => format!(", did you mean `{near}`?"),
        None => String::new(),
    }
}

impl FromStr for Slot {
    type Err = UnknownField;

    fn from_str(given: &str) -> Result<Self, UnknownField> {
        Self::spelt(given).ok_or_else(|| UnknownField {
            given: given.to_owned(),
        })
    }
}

/// How a list calls the fields.
///
/// A name that was mapped means what it was mapped to and nothing else, and a field that something was mapped to is
/// taken from nowhere else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<(String, Slot)>);

impl Names {
    /// Takes pairs of their name and our field.
    pub fn new(mapped: Vec<(String, Slot)>) -> Self {
        Self(mapped)
    }

    /// Returns where the values of a name go; `None` for a name that means nothing to us.
    pub(super) fn slot(&self, name: &str) -> Option<Slot> {
        if let Some((_, slot)) = self.0.iter().find(|(theirs, _)| theirs == name) {
            return Some(slot.clone());
        }
        let slot = Slot::spelt(name)?;
        let is_mapped = self.0.iter().any(|(_, mapped)| *mapped == slot);
        (!is_mapped).then_some(slot)
    }

    /// Returns the first mapped name that is not among those that came; `None` if all did.
    pub(super) fn unused(&self, came: impl Fn(&str) -> bool) -> Option<&str> {
        let mut theirs = self.0.iter().map(|(theirs, _)| theirs.as_str());
        theirs.find(|theirs| !came(theirs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(text: &str) -> Slot {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_is_understood_in_any_of_the_usual_spellings() {
        for name in ["db_name", "dbName", "DB_NAME", "db-name", "DbName"] {
            assert_eq!(slot(name).field, Field::DbName, "{name}");
        }
        let kira = slot("kira.dbHost");
        assert_eq!(kira.to_string(), "kira.db_host");
        for bad in [
            "",
            "database",
            "kira.",
            "kira.products",
            "Kira.db_name",
            "a.b.db_name",
        ] {
            assert!(bad.parse::<Slot>().is_err(), "{bad}");
        }
        let error = "db_pasword".parse::<Slot>().unwrap_err();
        assert!(
            error.to_string().contains("did you mean `db_password`?"),
            "{error}"
        );
    }

    #[test]
    fn a_mapped_name_means_one_thing_and_its_field_comes_from_nowhere_else() {
        let names = Names::new(vec![("company".to_owned(), slot("name"))]);
        assert_eq!(names.slot("company"), Some(slot("name")));
        assert_eq!(names.slot("name"), None);
        assert_eq!(names.slot("slug"), Some(slot("slug")));
        assert_eq!(names.unused(|name| name == "x"), Some("company"));
        assert_eq!(names.unused(|name| name == "company"), None);
    }
}
