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

/// The longest name for people, in characters.
const NAME_MAX: usize = 200;

/// Refuses a name for people that would be no name, or would draw over what stands around it.
pub(super) fn check_name(what: &'static str, text: &str) -> Result<(), RegistryError> {
    if text.chars().count() > NAME_MAX {
        return Err(RegistryError::TooLong { what, max: NAME_MAX });
    }
    check_plain(what, text)
}

/// Refuses a key that a person gives, by the rules of [`check_key`] and of names.
pub(super) fn check_given_key(what: &'static str, text: &str) -> Result<(), RegistryError> {
    check_key(what, text)?;
    check_plain(what, text)
}

fn check_plain(what: &'static str, text: &str) -> Result<(), RegistryError> {
    let unfit = |rule| Err(RegistryError::Unfit { what, rule });
    if text.trim().is_empty() {
        return unfit("is empty");
    }
    if text.trim().len() < text.len() {
        return unfit("begins or ends with white space");
    }
    if text
        .chars()
        .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
    {
        return unfit("holds a control character or a line break");
    }
    // Unicode Standard Annex 9, 2.1 to 2.4: embeddings, overrides and isolates.
    if text
        .chars()
        .any(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    {
        return unfit("holds a character that turns the direction of the text around it");
    }
    Ok(())
}

/// Returns at most `max` characters of a text.
pub(super) fn shorten(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_none_or_draws_over_others_is_refused() {
        let long = "x".repeat(201);
        for bad in [
            "",
            " ",
            " Acme",
            "Ac\u{1b}[31mme",
            "Ac\nme",
            "Ac\u{202e}me",
            "\u{2066}Acme",
            &long,
        ] {
            assert!(check_name("name", bad).is_err(), "{bad:?}");
        }
        for good in ["Acme Ltd", "Łódź & Söhne", "株式会社", "شركة", &"ł".repeat(200)] {
            assert!(check_name("name", good).is_ok(), "{good:?}");
        }
        assert!(check_given_key("external id", &"x".repeat(192)).is_err());
    }
}
