//! Reading checked values out of rows: a word that we never write is an error, never a guess.

use super::RegistryError;
use crate::code::Code;
use crate::migration::Version;
use crate::run::Outcome;

/// The longest text, in characters, that a key column takes on every engine.
pub(super) const KEY_MAX: usize = 191;

/// One row, as an error about it names it.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) table: &'static str,
    pub(super) id: &'a str,
}

impl Row<'_> {
    /// Passes a value that could be read, or says which column could not.
    pub(super) fn read<T>(self, column: &'static str, value: Option<T>) -> Result<T, RegistryError> {
        value.ok_or_else(|| RegistryError::Damaged {
            table: self.table,
            row: self.id.to_owned(),
            column,
        })
    }

    /// Reads a column that may be NULL with `parse`.
    pub(super) fn read_opt<T, U>(
        self,
        column: &'static str,
        value: Option<T>,
        parse: impl FnOnce(T) -> Option<U>,
    ) -> Result<Option<U>, RegistryError> {
        value.map(|v| self.read(column, parse(v))).transpose()
    }

    pub(super) fn version(
        self,
        column: &'static str,
        value: Option<i64>,
    ) -> Result<Option<Version>, RegistryError> {
        self.read_opt(column, value, Version::from_number)
    }

    pub(super) fn code(self, value: Option<i32>) -> Result<Option<Code>, RegistryError> {
        self.read_opt("error_code", value, |n| u16::try_from(n).ok().map(Code))
    }

    pub(super) fn outcome(self, value: Option<&str>) -> Result<Option<Outcome>, RegistryError> {
        self.read_opt("outcome", value, Outcome::from_word)
    }
}

/// Refuses a text that a key column would not take whole on every engine.
pub(super) fn check_key(what: &'static str, text: &str) -> Result<(), RegistryError> {
    if text.chars().count() > KEY_MAX {
        return Err(RegistryError::TooLong { what, max: KEY_MAX });
    }
    Ok(())
}

/// Returns at most `max` characters of a text.
pub(super) fn shorten(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}
