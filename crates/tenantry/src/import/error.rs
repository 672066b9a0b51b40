//! Why a fleet's list is not taken in.

use thiserror::Error;

use super::field::Field;
use super::problem::{Place, Problems};
use crate::code::Code;
use crate::registry::RegistryError;
use crate::secret::LegacyError;

/// A list could not be taken in: nothing of it was written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file cannot be read.
    #[error("{file} cannot be read")]
    Read {
        /// The file.
        file: String,
        /// Why, in the system's words.
        #[source]
        source: std::io::Error,
    },
    /// The file, or the answer of a query, is longer than what is taken in at once.
    #[error("the list is too long: {} at most", limit)]
    TooLong {
        /// What is taken in at most, in words.
        limit: String,
    },
    /// The bytes are no text that is read here.
    #[error("{at} {what}")]
    Encoding {
        /// Where.
        at: Place,
        /// What about it.
        what: &'static str,
    },
    /// It is not of the form that was named.
    #[error("the list cannot be read: {}{what}", place_text(*at))]
    Malformed {
        /// Where; `None` where nobody can tell.
        at: Option<Place>,
        /// What about it.
        what: String,
    },
    /// The list lacks columns without which no row is a tenant.
    #[error("the list has no column for {}", fields_text(missing))]
    MissingColumns {
        /// The fields.
        missing: Vec<Field>,
        /// The columns that there are.
        columns: Vec<String>,
    },
    /// Two columns mean the same field.
    #[error("two columns are the field `{field}`: `{}` and `{}`", columns[0].escape_debug(), columns[1].escape_debug())]
    TwoColumns {
        /// The field.
        field: String,
        /// The columns.
        columns: [String; 2],
    },
    /// A name was mapped that the list does not have.
    #[error("the list has no column `{}`", given.escape_debug())]
    NoSuchColumn {
        /// The name.
        given: String,
        /// The columns that there are.
        columns: Vec<String>,
    },
    /// Rows are not what they must be.
    #[error("{} of the list cannot be imported", rows_text(.0))]
    Rows(Problems),
    /// Several encrypted passwords could not be read: it would be the same with all others.
    #[error("the encrypted passwords cannot be read, as in {}", places_text(places))]
    Legacy {
        /// Where they stand.
        places: Vec<Place>,
        /// What is said of each.
        #[source]
        source: LegacyError,
    },
    /// What was given as a query is none.
    #[error("the query is not one statement that begins with SELECT or WITH")]
    NoSelect,
    /// The central database refused the query.
    #[error("the central database did not carry the query out")]
    Query(#[source] RegistryError),
    /// Somebody else has written into the registry meanwhile.
    #[error("somebody else has registered some of it meanwhile")]
    Meanwhile(#[source] RegistryError),
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl ImportError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Read { .. }
            | Self::TooLong { .. }
            | Self::Encoding { .. }
            | Self::Malformed { .. }
            | Self::MissingColumns { .. }
            | Self::TwoColumns { .. }
            | Self::NoSuchColumn { .. } => Code(6020),
            Self::Rows(_) => Code(6021),
            Self::Meanwhile(_) => Code(6022),
            Self::NoSelect | Self::Query(_) => Code(6023),
            Self::Legacy { source, .. } => source.code(),
            Self::Registry(error) => error.code(),
        }
    }
}

fn place_text(at: Option<Place>) -> String {
    at.map_or_else(|| "it ".to_owned(), |at| format!("{at} "))
}

fn fields_text(fields: &[Field]) -> String {
    let words: Vec<String> = fields
        .iter()
        .map(|field| format!("`{}`", field.as_str()))
        .collect();
    words.join(", ")
}

fn rows_text(problems: &Problems) -> String {
    match problems.rows() {
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    }
}

fn places_text(places: &[Place]) -> String {
    let words: Vec<String> = places.iter().map(ToString::to_string).collect();
    words.join(", ")
}
