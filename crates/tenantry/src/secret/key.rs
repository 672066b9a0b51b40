//! The key that opens envelopes: 32 bytes that are never shown, and the id that names them.

use std::fmt;
use std::io;

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::code::Code;

/// The length of a key in bytes.
const KEY_LEN: usize = 32;

/// What is hashed before the key to make its id, so that the hash serves nothing else.
const ID_DOMAIN: &[u8] = b"tenantry/key-id/v1";

/// The alphabets and paddings that a key in base64 may come in.
const BASE64: [GeneralPurpose; 2] = [STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT];

/// The public name of a key, derived from the key alone; it gives nothing of the key away.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 16]);

/// A text is no key's id.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("a key's id has 32 hex digits")]
pub struct NoKeyId;

impl std::str::FromStr for KeyId {
    type Err = NoKeyId;

    fn from_str(text: &str) -> Result<Self, NoKeyId> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map_err(|_| NoKeyId)?;
        Ok(Self(id))
    }
}

impl KeyId {
    /// Takes an id out of an envelope.
    pub(super) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the id's bytes, as envelopes hold them.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A key could not be read or made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is not 32 bytes in one of the forms we read.
    #[error("the key has {bytes} bytes; 32 raw bytes, or 32 bytes in hex or base64, are needed")]
    Form {
        /// How many bytes came, a line ending included.
        bytes: usize,
    },
    /// All its bytes are zero: a placeholder, not a key.
    #[error("the key is nothing but zeros")]
    Zeros,
    /// The system gave no random numbers.
    #[error("no key can be made without random numbers from the system")]
    Randomness(#[source] io::Error),
}

impl KeyError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        Code(1005)
    }
}

/// A key of 32 bytes, wiped from memory when dropped; `Debug` shows its id only.
pub struct Key {
    bytes: SecretBox<[u8; KEY_LEN]>,
    id: KeyId,
}

impl Key {
    /// Reads a key: 32 raw bytes, or 32 bytes in hex (either case) or base64 (standard or URL-safe,
    /// padded or not).
    ///
    /// One line ending may follow hex and base64. Anything of 32 bytes is taken as raw bytes. The caller
    /// wipes `given`.
    pub fn parse(given: &[u8]) -> Result<Self, KeyError> {
        let decoded = match given.len() {
            KEY_LEN => <[u8; KEY_LEN]>::try_from(given).ok().map(Zeroizing::new),
            _ => decode(without_line_ending(given)),
        };
        match decoded {
            Some(bytes) => Self::from_bytes(&bytes),
            None => Err(KeyError::Form { bytes: given.len() }),
        }
    }

    /// Makes a new key from the system's random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|e| KeyError::Randomness(e.into()))?;
        Self::from_bytes(&bytes)
    }

    /// Returns the key's public name: the first 16 bytes of SHA-256 over `tenantry/key-id/v1` and the key.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the key in lower-case hex, to be written to a key file and nowhere else.
    #[cfg(unix)]
    pub(super) fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.expose()))
    }

    /// Returns the key itself.
    pub(super) fn expose(&self) -> &[u8; KEY_LEN] {
        self.bytes.expose_secret()
    }

    fn from_bytes(bytes: &[u8; KEY_LEN]) -> Result<Self, KeyError> {
        if bytes.iter().all(|&byte| byte == 0) {
            return Err(KeyError::Zeros);
        }
        let digest = Zeroizing::new(<[u8; 32]>::from(
            Sha256::new()
                .chain_update(ID_DOMAIN)
                .chain_update(bytes)
                .finalize(),
        ));
        let mut id = [0; 16];
        id.iter_mut()
            .zip(digest.iter())
            .for_each(|(to, from)| *to = *from);
        // Filled in place on the heap: a moved array would leave a copy on the stack.
        let bytes = SecretBox::init_with_mut(|to: &mut [u8; KEY_LEN]| to.copy_from_slice(bytes));
        Ok(Self { bytes, id: KeyId(id) })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Returns the text without one line ending.
fn without_line_ending(given: &[u8]) -> &[u8] {
    let line = given.strip_suffix(b"\n").unwrap_or(given);
    line.strip_suffix(b"\r")
        .filter(|_| line.len() < given.len())
        .unwrap_or(line)
}

/// Decodes hex or base64 of exactly 32 bytes; `None` for anything else.
fn decode(line: &[u8]) -> Option<Zeroizing<[u8; KEY_LEN]>> {
    let mut key = Zeroizing::new([0; KEY_LEN]);
    match line.len() {
        64 => hex::decode_to_slice(line, key.as_mut_slice()).ok()?,
        43 | 44 => {
            let decoded = BASE64
                .iter()
                .find_map(|alphabet| alphabet.decode(line).ok())
                .map(Zeroizing::new)?;
            *key = <[u8; KEY_LEN]>::try_from(decoded.as_slice()).ok()?;
        }
        _ => return None,
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "fbefbefbefbefbefbefbefbefbefbefbfffefdfcfbfaf9f8f7f6f5f4f3f2f1f0";

    fn id_of(given: impl AsRef<[u8]>) -> KeyId {
        Key::parse(given.as_ref()).unwrap().id()
    }

    #[test]
    fn one_key_has_one_id_in_every_form() {
        let raw = hex::decode(HEX).unwrap();
        let standard = STANDARD_PAD_INDIFFERENT.encode(&raw);
        let url_safe = URL_SAFE_PAD_INDIFFERENT.encode(&raw);
        assert!(standard.contains('+') && standard.contains('/') && url_safe.contains('-'));
        let expected = id_of(&raw);
        for text in [HEX, &HEX.to_uppercase(), &standard, &url_safe] {
            for form in [text, text.trim_end_matches('=')] {
                for ending in ["", "\n", "\r\n"] {
                    assert_eq!(id_of(format!("{form}{ending}")), expected, "{form:?} {ending:?}");
                }
            }
        }
    }

    #[test]
    fn a_key_id_is_the_beginning_of_a_hash_under_its_own_name() {
        let mut text = b"tenantry/key-id/v1".to_vec();
        text.extend_from_slice(&[7; 32]);
        let digest = hex::encode(Sha256::digest(&text));
        assert_eq!(id_of([7; 32]).to_string(), digest[..32]);
    }

    #[test]
    fn anything_else_is_refused_by_its_length_and_never_shown() {
        let passphrase = "correct horse battery staple";
        let raw_with_newline = [&[0xee; 32][..], b"\n"].concat();
        let two_newlines = format!("{HEX}\n\n");
        let not_hex = HEX.replace('0', "g");
        let bare_return = format!("{HEX}\r");
        let long = "A".repeat(45);
        let thirty_three_bytes = "A".repeat(44);
        let refused: [&[u8]; 10] = [
            b"",
            b"x",
            &[0xee; 31],
            &raw_with_newline,
            passphrase.as_bytes(),
            two_newlines.as_bytes(),
            not_hex.as_bytes(),
            bare_return.as_bytes(),
            long.as_bytes(),
            thirty_three_bytes.as_bytes(),
        ];
        for given in refused {
            let error = Key::parse(given).unwrap_err();
            assert_eq!(error.code(), Code(1005));
            assert_eq!(
                error.to_string(),
                format!(
                    "the key has {} bytes; 32 raw bytes, or 32 bytes in hex or base64, are needed",
                    given.len()
                )
            );
        }
    }

    #[test]
    fn a_key_of_zeros_is_refused_in_every_form() {
        let hex = "0".repeat(64);
        let base64 = "A".repeat(43);
        for given in [&[0; 32], hex.as_bytes(), base64.as_bytes()] {
            assert!(matches!(Key::parse(given), Err(KeyError::Zeros)));
        }
    }

    #[test]
    fn generated_keys_differ_and_survive_their_hex() {
        let (one, two) = (Key::generate().unwrap(), Key::generate().unwrap());
        assert_ne!(one.id(), two.id());
        assert_eq!(id_of(one.to_hex().as_bytes()), one.id());
    }
}
