//! From what a platform calls its key to the 32 bytes that AES takes.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use md5::Md5;
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use super::cbc::BLOCK;
use super::record::{Parts, Profile};
use crate::code::Code;

/// The length of a key in bytes.
const KEY: usize = 32;
/// Node's defaults of `crypto.scryptSync`: N = 2^14, r = 8, p = 1.
const SCRYPT: (u8, u32, u32) = (14, 8, 1);

/// What a platform's key is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// 32 bytes as they are.
    Raw,
    /// 32 bytes in hex.
    Hex,
    /// 32 bytes in base64, with or without `base64:` before it.
    Base64,
    /// SHA-256 over a passphrase.
    Sha256,
    /// scrypt over a passphrase and a salt, with the defaults of Node.
    Scrypt,
    /// A passphrase of at most 32 bytes, filled up with zero bytes.
    ZeroPadded,
    /// OpenSSL's `EVP_BytesToKey` with MD5.
    EvpMd5,
    /// OpenSSL's `EVP_BytesToKey` with SHA-256.
    EvpSha256,
}

impl KeyForm {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Raw,
        Self::Hex,
        Self::Base64,
        Self::Sha256,
        Self::Scrypt,
        Self::ZeroPadded,
        Self::EvpMd5,
        Self::EvpSha256,
    ];

    /// Returns the word of the flag.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Hex => "hex",
            Self::Base64 => "base64",
            Self::Sha256 => "sha256",
            Self::Scrypt => "scrypt",
            Self::ZeroPadded => "zero-padded",
            Self::EvpMd5 => "evp-md5",
            Self::EvpSha256 => "evp-sha256",
        }
    }
}

/// What was given is no key of that form.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LegacyKeyError {
    /// It has another length than the form.
    #[error("{given} bytes came as the legacy key; the form `{}` takes {needs}", form.as_str())]
    Length {
        /// The form.
        form: KeyForm,
        /// How many bytes came, without a line ending.
        given: usize,
        /// What the form takes, in words.
        needs: &'static str,
    },
    /// The form needs a salt, and there is none.
    #[error("the key form `{}` needs a salt", .0.as_str())]
    NoSalt(KeyForm),
    /// The salt is not used by the form, or has a length that it does not take.
    #[error("the key form `{}` takes no such salt", .0.as_str())]
    Salt(KeyForm),
    /// Records with a salt of their own need a passphrase.
    #[error("records of the profile `{}` hold a salt: the key form is `evp-md5` or `evp-sha256`", .0.as_str())]
    NoPassphrase(Profile),
}

impl LegacyKeyError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        Code(7010)
    }
}

/// The hash of a derivation.
#[derive(Clone, Copy)]
pub(super) enum EvpHash {
    Md5,
    Sha256,
}

/// What opens records.
pub(super) enum LegacyKey {
    Ready(Zeroizing<[u8; KEY]>),
    /// Each record has its own key, made with its salt.
    Passphrase(EvpHash, Zeroizing<Vec<u8>>),
}

impl LegacyKey {
    pub(super) fn read(
        profile: Profile,
        form: KeyForm,
        given: &[u8],
        salt: Option<&[u8]>,
    ) -> Result<Self, LegacyKeyError> {
        let plain = without_line_ending(form, given);
        let evp = match form {
            KeyForm::EvpMd5 => Some(EvpHash::Md5),
            KeyForm::EvpSha256 => Some(EvpHash::Sha256),
            KeyForm::Raw
            | KeyForm::Hex
            | KeyForm::Base64
            | KeyForm::Sha256
            | KeyForm::Scrypt
            | KeyForm::ZeroPadded => None,
        };
        if plain.is_empty() {
            return Err(length(form, 0));
        }
        match (profile, evp) {
            (Profile::Salted, None) => return Err(LegacyKeyError::NoPassphrase(profile)),
            (Profile::Salted, Some(_)) if salt.is_some() => return Err(LegacyKeyError::Salt(form)),
            (Profile::Salted, Some(hash)) => {
                return Ok(Self::Passphrase(hash, Zeroizing::new(plain.to_vec())));
            }
            (_, Some(hash)) => {
                // PKCS5_SALT_LEN: the derivation takes eight bytes or none.
                if salt.is_some_and(|salt| salt.len() != 8) {
                    return Err(LegacyKeyError::Salt(form));
                }
                return Ok(Self::Ready(derived(hash, plain, salt.unwrap_or_default()).0));
            }
            (_, None) => {}
        }
        if salt.is_some() && form != KeyForm::Scrypt {
            return Err(LegacyKeyError::Salt(form));
        }
        ready(form, plain, salt).map(Self::Ready)
    }

    /// Returns key and initialisation vector of a record; `None` if the record lacks what they are made from.
    pub(super) fn for_record(&self, parts: &Parts) -> Option<(Zeroizing<[u8; KEY]>, [u8; BLOCK])> {
        match self {
            Self::Ready(key) => Some((key.clone(), parts.iv?)),
            Self::Passphrase(hash, passphrase) => Some(derived(*hash, passphrase, &parts.salt?)),
        }
    }
}

fn ready(form: KeyForm, plain: &[u8], salt: Option<&[u8]>) -> Result<Zeroizing<[u8; KEY]>, LegacyKeyError> {
    let mut key = Zeroizing::new([0; KEY]);
    let bytes: Zeroizing<Vec<u8>> = match form {
        KeyForm::Raw => Zeroizing::new(plain.to_vec()),
        KeyForm::Hex => Zeroizing::new(hex::decode(plain).map_err(|_| length(form, plain.len()))?),
        KeyForm::Base64 => Zeroizing::new(base64(plain).ok_or_else(|| length(form, plain.len()))?),
        KeyForm::Sha256 => Zeroizing::new(Sha256::digest(plain).to_vec()),
        KeyForm::ZeroPadded if plain.len() <= KEY => {
            let mut filled = Zeroizing::new(plain.to_vec());
            filled.resize(KEY, 0);
            filled
        }
        KeyForm::Scrypt => {
            let salt = salt.ok_or(LegacyKeyError::NoSalt(form))?;
            let (log_n, r, p) = SCRYPT;
            let params = scrypt::Params::new(log_n, r, p).map_err(|_| LegacyKeyError::Salt(form))?;
            let done = scrypt::scrypt(plain, salt, &params, key.as_mut_slice());
            done.map_err(|_| LegacyKeyError::Salt(form))?;
            return Ok(key);
        }
        KeyForm::ZeroPadded | KeyForm::EvpMd5 | KeyForm::EvpSha256 => {
            return Err(length(form, plain.len()));
        }
    };
    if bytes.len() != KEY {
        return Err(length(form, plain.len()));
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

/// `EVP_BytesToKey` with one round (OpenSSL's manual): hashes are chained until there is enough for key and vector.
fn derived(hash: EvpHash, passphrase: &[u8], salt: &[u8]) -> (Zeroizing<[u8; KEY]>, [u8; BLOCK]) {
    let mut made: Zeroizing<Vec<u8>> = Zeroizing::new(Vec::with_capacity(KEY + BLOCK + KEY));
    let mut last: Zeroizing<Vec<u8>> = Zeroizing::default();
    while made.len() < KEY + BLOCK {
        let input: [&[u8]; 3] = [&last, passphrase, salt];
        last = match hash {
            EvpHash::Md5 => chained::<Md5>(input),
            EvpHash::Sha256 => chained::<Sha256>(input),
        };
        made.extend_from_slice(&last);
    }
    let (mut key, mut iv) = (Zeroizing::new([0; KEY]), [0; BLOCK]);
    key.copy_from_slice(&made[..KEY]);
    iv.copy_from_slice(&made[KEY..KEY + BLOCK]);
    (key, iv)
}

fn chained<D: Digest>(input: [&[u8]; 3]) -> Zeroizing<Vec<u8>> {
    let mut digest = D::new();
    for part in input {
        digest.update(part);
    }
    Zeroizing::new(digest.finalize().to_vec())
}

fn base64(plain: &[u8]) -> Option<Vec<u8>> {
    let text = plain.strip_prefix(b"base64:").unwrap_or(plain);
    let decoded = STANDARD_PAD_INDIFFERENT.decode(text);
    decoded.or_else(|_| URL_SAFE_PAD_INDIFFERENT.decode(text)).ok()
}

/// A text in a file ends with a line ending that is none of it; 32 raw bytes may end with any byte.
fn without_line_ending(form: KeyForm, given: &[u8]) -> &[u8] {
    if form == KeyForm::Raw && given.len() == KEY {
        return given;
    }
    let given = given.strip_suffix(b"\n").unwrap_or(given);
    given.strip_suffix(b"\r").unwrap_or(given)
}

fn length(form: KeyForm, given: usize) -> LegacyKeyError {
    let needs = match form {
        KeyForm::Raw => "32; `zero-padded`, `sha256` and `scrypt` take others",
        KeyForm::Hex => "32 bytes in 64 hex digits",
        KeyForm::Base64 => "32 bytes in base64",
        KeyForm::ZeroPadded => "1 to 32",
        KeyForm::Sha256 | KeyForm::Scrypt | KeyForm::EvpMd5 | KeyForm::EvpSha256 => "a passphrase",
    };
    LegacyKeyError::Length { form, given, needs }
}
