//! Reads passwords that existing platforms encrypted with AES-256-CBC. Pure, for imports alone: nothing is ever written
//! in these forms, and nothing that the registry keeps is read by them.
//!
//! CBC without a MAC lets whoever can write a record change what comes out of it. So every way in which a record can fail
//! is one and the same error, and what does open is checked like any other input from outside.

mod cbc;
mod key;
mod record;
#[cfg(test)]
mod tests;

use std::fmt;

use secrecy::SecretString;
use thiserror::Error;
use zeroize::Zeroizing;

pub use key::{KeyForm, LegacyKeyError};
pub use record::Profile;

use self::key::LegacyKey;
use super::SECRET_MAX;
use crate::code::Code;

/// A record could not be read, for whatever reason: what it is must not be learnt from the way it fails.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LegacyError {
    /// The profile or the key is another one, or the record was changed.
    #[error("the encrypted password cannot be read with this profile and key")]
    Unreadable,
}

impl LegacyError {
    /// Returns the stable code.
    pub fn code(self) -> Code {
        Code(7010)
    }
}

/// Reads the records of one platform: their form, and the key. `Debug` shows the form only.
pub struct Legacy {
    profile: Profile,
    key: LegacyKey,
}

impl fmt::Debug for Legacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Legacy({})", self.profile.as_str())
    }
}

impl Legacy {
    /// Makes a reader. `given` is what the platform's key is made from, as it stands in a file: one line ending behind it
    /// does not belong to it. The caller wipes it.
    ///
    /// # Errors
    /// [`LegacyKeyError`] if it is no key of that form, if the form needs a salt that is not there, or if the profile has
    /// its own way to a key.
    pub fn new(
        profile: Profile,
        form: KeyForm,
        given: &[u8],
        salt: Option<&[u8]>,
    ) -> Result<Self, LegacyKeyError> {
        let key = LegacyKey::read(profile, form, given, salt)?;
        Ok(Self { profile, key })
    }

    /// Opens a record; a MAC, where the form has one, is verified before anything is decrypted.
    ///
    /// # Errors
    /// [`LegacyError::Unreadable`], and it also if what comes out is empty, longer than [`SECRET_MAX`], no UTF-8, or
    /// holds a control character.
    pub fn open(&self, record: &str) -> Result<SecretString, LegacyError> {
        let opened = self.open_parts(record).ok_or(LegacyError::Unreadable)?;
        Ok(SecretString::from(opened.as_str()))
    }

    fn open_parts(&self, record: &str) -> Option<Zeroizing<String>> {
        let parts = self.profile.split(record)?;
        let (key, iv) = self.key.for_record(&parts)?;
        if !self.profile.is_authentic(&key, &parts) {
            return None;
        }
        let plain = cbc::decrypt(&key, &iv, &parts.ciphertext)?;
        let text = self.profile.text(&plain)?;
        let is_fit = !text.is_empty() && text.len() <= SECRET_MAX && !text.chars().any(char::is_control);
        is_fit.then(|| Zeroizing::new(text.to_owned()))
    }
}
