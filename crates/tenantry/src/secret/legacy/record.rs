//! The forms in which platforms keep an encrypted value.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;

use super::cbc::BLOCK;

/// The longest record that is read, in bytes: 64 KiB in hex, and what stands around it.
const RECORD_MAX: usize = 256 * 1024;
/// What OpenSSL writes before the salt of a record.
const SALTED: &[u8] = b"Salted__";

/// How a platform keeps its encrypted passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Vector and ciphertext in hex, with a colon between them.
    IvHex,
    /// In hex, the first 16 bytes are the vector.
    PrefixHex,
    /// In base64, the first 16 bytes are the vector.
    PrefixBase64,
    /// As `openssl enc -aes-256-cbc -a` writes it: base64 of `Salted__`, a salt and the ciphertext.
    Salted,
    /// As Laravel's `Crypt::encryptString` writes it: base64 of a JSON object with `iv`, `value` and `mac`.
    Laravel,
    /// The same by `Crypt::encrypt`, which serializes the text first.
    LaravelSerialized,
}

/// The parts of a record.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) iv: Option<[u8; BLOCK]>,
    pub(super) salt: Option<[u8; 8]>,
    pub(super) ciphertext: Vec<u8>,
    /// What the MAC is over, and the MAC.
    signed: Option<(Vec<u8>, Vec<u8>)>,
}

/// What Laravel keeps.
#[derive(Deserialize)]
struct Payload {
    iv: String,
    value: String,
    mac: String,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::IvHex,
        Self::PrefixHex,
        Self::PrefixBase64,
        Self::Salted,
        Self::Laravel,
        Self::LaravelSerialized,
    ];

    /// Returns the word of the flag.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IvHex => "iv-hex",
            Self::PrefixHex => "prefix-hex",
            Self::PrefixBase64 => "prefix-base64",
            Self::Salted => "salted",
            Self::Laravel => "laravel",
            Self::LaravelSerialized => "laravel-serialized",
        }
    }

    /// Takes a record apart; `None` if it has not this form.
    pub(super) fn split(self, record: &str) -> Option<Parts> {
        if record.len() > RECORD_MAX {
            return None;
        }
        match self {
            Self::IvHex => {
                let (iv, ciphertext) = record.split_once(':')?;
                Some(Parts {
                    iv: Some(hex::decode(iv).ok()?.try_into().ok()?),
                    ciphertext: hex::decode(ciphertext).ok()?,
                    ..Parts::default()
                })
            }
            Self::PrefixHex => prefixed(&hex::decode(record).ok()?),
            Self::PrefixBase64 => prefixed(&base64(record)?),
            Self::Salted => salted(&base64(record)?),
            Self::Laravel | Self::LaravelSerialized => payload(&base64(record)?),
        }
    }

    /// Returns whether the record is as it was written; a form without a MAC cannot tell.
    pub(super) fn is_authentic(self, key: &[u8; 32], parts: &Parts) -> bool {
        match self {
            Self::IvHex | Self::PrefixHex | Self::PrefixBase64 | Self::Salted => true,
            Self::Laravel | Self::LaravelSerialized => {
                let Some((signed, mac)) = &parts.signed else {
                    return false;
                };
                Hmac::<Sha256>::new_from_slice(key)
                    .is_ok_and(|hmac| hmac.chain_update(signed).verify_slice(mac).is_ok())
            }
        }
    }

    /// Returns the text that was meant by what was decrypted.
    pub(super) fn text(self, plain: &str) -> Option<&str> {
        match self {
            Self::LaravelSerialized => unserialized(plain),
            Self::IvHex | Self::PrefixHex | Self::PrefixBase64 | Self::Salted | Self::Laravel => Some(plain),
        }
    }
}

fn prefixed(bytes: &[u8]) -> Option<Parts> {
    let (iv, ciphertext) = bytes.split_at_checked(BLOCK)?;
    Some(Parts {
        iv: Some(iv.try_into().ok()?),
        ciphertext: ciphertext.to_vec(),
        ..Parts::default()
    })
}

fn salted(bytes: &[u8]) -> Option<Parts> {
    let (salt, ciphertext) = bytes.strip_prefix(SALTED)?.split_at_checked(8)?;
    Some(Parts {
        salt: Some(salt.try_into().ok()?),
        ciphertext: ciphertext.to_vec(),
        ..Parts::default()
    })
}

fn payload(json: &[u8]) -> Option<Parts> {
    let payload: Payload = serde_json::from_slice(json).ok()?;
    Some(Parts {
        iv: Some(base64(&payload.iv)?.try_into().ok()?),
        ciphertext: base64(&payload.value)?,
        signed: Some((
            [payload.iv.as_bytes(), payload.value.as_bytes()].concat(),
            hex::decode(&payload.mac).ok()?,
        )),
        ..Parts::default()
    })
}

/// Reads base64 in either alphabet; OpenSSL breaks it into lines.
fn base64(text: &str) -> Option<Vec<u8>> {
    let joined: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let decoded = STANDARD_PAD_INDIFFERENT.decode(&joined);
    decoded.or_else(|_| URL_SAFE_PAD_INDIFFERENT.decode(&joined)).ok()
}

/// Returns the text of PHP's `s:<bytes>:"<text>";`.
fn unserialized(plain: &str) -> Option<&str> {
    let (length, rest) = plain.strip_prefix("s:")?.split_once(':')?;
    let text = rest.strip_prefix('"')?.strip_suffix("\";")?;
    (length.parse::<usize>().ok()? == text.len()).then_some(text)
}
