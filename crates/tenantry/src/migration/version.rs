//! The number of a migration.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A migration's number: `YYYYMMDDHHMMSS` or a count, 1 to 2^63 - 1. `001` and `1` are the same version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(i64);

/// A text that is no version.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{}` is not a version: a number from 1 to 9223372036854775807 is", .0.escape_debug())]
pub struct VersionError(pub String);

impl Version {
    /// Takes a number; `None` unless it is at least 1.
    pub fn from_number(number: i64) -> Option<Self> {
        (number >= 1).then_some(Self(number))
    }

    /// Returns the number.
    pub fn number(self) -> i64 {
        self.0
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let fail = || VersionError(text.to_owned());
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(fail());
        }
        text.parse().ok().and_then(Self::from_number).ok_or_else(fail)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad_integral(true, "", &self.0.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn padding_does_not_make_another_version() {
        assert_eq!("001".parse::<Version>(), "1".parse::<Version>());
    }

    #[test]
    fn only_positive_63_bit_numbers_are_versions() {
        for bad in ["", "0", "000", "-1", "+1", "9223372036854775808", "1a", " 1"] {
            assert!(bad.parse::<Version>().is_err(), "{bad:?}");
        }
        assert!("9223372036854775807".parse::<Version>().is_ok());
    }
}
