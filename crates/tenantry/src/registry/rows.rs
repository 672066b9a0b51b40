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
pub(crate) fn check_name(what: &'static str, text: &str) -> Result<(), RegistryError> {
    if text.chars().count() > NAME_MAX {
        return Err(RegistryError::TooLong { what, max: NAME_MAX });
    }
    check_plain(what, text)
}

/// Refuses a key that a person gives, by the rules of [`check_key`] and of names.
pub(crate) fn check_given_key(what: &'static str, text: &str) -> Result<(), RegistryError> {
    check_key(what, text)?;
    // In a selection a `*` stands for any text, and a comma between two names.
    if text.contains(['*', ',']) {
        return Err(RegistryError::Unfit {
            what,
            rule: "holds `*` or a comma, which mean something else where tenants are selected",
        });
    }
    if text.chars().any(is_joiner) {
        return Err(RegistryError::Unfit {
            what,
            rule: "holds a character that cannot be seen",
        });
    }
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
    if has_invisible(text) {
        return unfit("holds a character that cannot be seen");
    }
    Ok(())
}

fn has_invisible(text: &str) -> bool {
    let mut before = None;
    text.chars().any(|c| {
        // Persian words and emoji are spelt with them.
        if is_joiner(c) {
            return !before.is_some_and(|b: char| !b.is_ascii() && !b.is_whitespace());
        }
        before = Some(c);
        is_invisible(c)
    })
}

/// Zero-width joiners and the selectors of a variant.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// Whether a character takes no place, or only an empty one: two names that look alike would be two.
///
/// Unicode 16, `DerivedCoreProperties.txt`: `Default_Ignorable_Code_Point`, with the blank Braille pattern and
/// the format characters that are not in it.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
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

    #[test]
    fn what_cannot_be_seen_or_means_something_to_a_selection_is_refused() {
        for bad in [
            "\u{200d}",
            "a\u{200b}b",
            "a\u{ad}b",
            "\u{feff}a",
            "a\u{3164}",
            "\u{e0041}a",
        ] {
            assert!(check_name("name", bad).is_err(), "{bad:?}");
            assert!(check_given_key("external id", bad).is_err(), "{bad:?}");
        }
        for good in ["می\u{200c}خواهم", "❤\u{fe0f}\u{200d}🔥"] {
            assert!(check_name("name", good).is_ok(), "{good:?}");
            assert!(check_given_key("external id", good).is_err(), "{good:?}");
        }
        for bad in ["*", "x*", "x,y"] {
            assert!(check_given_key("external id", bad).is_err(), "{bad:?}");
            assert!(check_name("name", bad).is_ok(), "{bad:?}");
        }
        assert!(check_given_key("external id", "crm-42/ü").is_ok());
    }
}
