//! Sealing a secret into an envelope and opening it again, under its binding.

use std::io;

use aes_gcm::{AeadInOut as _, Aes256Gcm, KeyInit as _};
use secrecy::{ExposeSecret as _, SecretString};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::code::Code;
use crate::secret::envelope::{Envelope, Parts};
use crate::secret::padding::{pad, strip};
use crate::secret::{Binding, Key, KeyId, KeyIds, KeyRing};

/// The longest secret in bytes; it also bounds the memory that opening an envelope takes.
pub const SECRET_MAX: usize = 64 * 1024;

/// A secret could not be sealed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SealError {
    /// It is longer than [`SECRET_MAX`].
    #[error("the secret has {bytes} bytes; at most {SECRET_MAX} can be sealed")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// The system gave no random numbers.
    #[error("no secret can be sealed without random numbers from the system")]
    Randomness(#[source] io::Error),
    /// The cipher refused its input.
    #[error("the cipher refused the secret")]
    Cipher,
}

impl SealError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        Code(7004)
    }
}

/// A secret could not be opened.
///
/// Beyond a missing key it does not say why: whoever may write to the registry but not read secrets
/// must learn nothing from the way an envelope fails.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretError {
    /// The envelope names a key that is not on the ring.
    #[error("the secret cannot be opened: it needs key {key_id}, and here are only: {here}")]
    KeyMissing {
        /// The key that is needed.
        key_id: KeyId,
        /// The keys of the ring.
        here: KeyIds,
    },
    /// It was sealed for another place or endpoint, or was changed.
    #[error("the secret cannot be opened")]
    Unavailable,
}

impl SecretError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::KeyMissing { .. } => Code(1005),
            Self::Unavailable => Code(7004),
        }
    }
}

/// The cipher's failure, which says nothing more.
struct CipherFailed;

/// The random parts of one envelope, never used for a second one.
struct Fresh {
    dek: Zeroizing<[u8; 32]>,
    kek_nonce: [u8; 12],
    data_nonce: [u8; 12],
}

impl Fresh {
    fn generate() -> Result<Self, SealError> {
        let mut fresh = Self {
            dek: Zeroizing::new([0; 32]),
            kek_nonce: [0; 12],
            data_nonce: [0; 12],
        };
        let parts: [&mut [u8]; 3] = [
            fresh.dek.as_mut_slice(),
            &mut fresh.kek_nonce,
            &mut fresh.data_nonce,
        ];
        for part in parts {
            getrandom::fill(part).map_err(|e| SealError::Randomness(e.into()))?;
        }
        Ok(fresh)
    }
}

/// Seals a secret so that only `key` opens it, and only under an equal `binding`.
///
/// Every call makes a new data key and new nonces: equal secrets give different envelopes. Passwords of
/// up to 63 bytes give envelopes of equal length. Nothing is written anywhere.
pub fn seal(key: &Key, binding: &Binding, secret: &SecretString) -> Result<Envelope, SealError> {
    seal_with(key, binding, secret, Fresh::generate()?)
}

/// Opens an envelope with the key it names, under the binding it was sealed under.
pub fn open(keys: &KeyRing, binding: &Binding, envelope: &[u8]) -> Result<SecretString, SecretError> {
    let parts = Parts::split(envelope).map_err(|_| SecretError::Unavailable)?;
    let key_id = parts.key_id;
    let key = keys.find(key_id).ok_or_else(|| SecretError::KeyMissing {
        key_id,
        here: KeyIds::of(keys),
    })?;
    open_parts(key, binding, &parts).ok_or(SecretError::Unavailable)
}

fn seal_with(
    key: &Key,
    binding: &Binding,
    secret: &SecretString,
    mut fresh: Fresh,
) -> Result<Envelope, SealError> {
    let text = secret.expose_secret().as_bytes();
    if text.len() > SECRET_MAX {
        return Err(SealError::TooLong { bytes: text.len() });
    }
    let associated = binding.associated_data(key.id());
    let mut data = pad(text);
    let tag = Lock::new(&fresh.dek, &fresh.data_nonce, &associated).encrypt(&mut data)?;
    let wrap_tag =
        Lock::new(key.expose(), &fresh.kek_nonce, &associated).encrypt(fresh.dek.as_mut_slice())?;
    let parts = Parts {
        key_id: key.id(),
        kek_nonce: &fresh.kek_nonce,
        wrapped_dek: &fresh.dek,
        wrap_tag: &wrap_tag,
        data_nonce: &fresh.data_nonce,
        ciphertext: &data,
        tag: &tag,
    };
    Ok(parts.join())
}

/// Decrypts the data key and with it the secret; `None` whatever fails.
fn open_parts(key: &Key, binding: &Binding, parts: &Parts<'_>) -> Option<SecretString> {
    let associated = binding.associated_data(parts.key_id);
    let mut dek = Zeroizing::new(*parts.wrapped_dek);
    Lock::new(key.expose(), parts.kek_nonce, &associated)
        .decrypt(dek.as_mut_slice(), parts.wrap_tag)
        .ok()?;
    let mut data = Zeroizing::new(parts.ciphertext.to_vec());
    Lock::new(&dek, parts.data_nonce, &associated)
        .decrypt(&mut data, parts.tag)
        .ok()?;
    // From a borrowed text the secret is one allocation of exact size; from a `String` it could be
    // moved into a smaller one, and the first would stay in memory.
    let text = std::str::from_utf8(strip(&data)?).ok()?;
    Some(SecretString::from(text))
}

/// AES-256-GCM with everything but the data decided.
struct Lock<'a> {
    cipher: Aes256Gcm,
    nonce: &'a [u8; 12],
    associated: &'a [u8],
}

impl<'a> Lock<'a> {
    fn new(key: &[u8; 32], nonce: &'a [u8; 12], associated: &'a [u8]) -> Self {
        Self {
            cipher: Aes256Gcm::new(key.into()),
            nonce,
            associated,
        }
    }

    /// Encrypts in place; returns the tag.
    fn encrypt(&self, data: &mut [u8]) -> Result<[u8; 16], SealError> {
        self.cipher
            .encrypt_inout_detached(self.nonce.into(), self.associated, data.into())
            .map(Into::into)
            .map_err(|_| SealError::Cipher)
    }

    /// Decrypts in place; `data` stays as it was if the tag does not fit.
    fn decrypt(&self, data: &mut [u8], tag: &[u8; 16]) -> Result<(), CipherFailed> {
        self.cipher
            .decrypt_inout_detached(self.nonce.into(), self.associated, data.into(), tag.into())
            .map_err(|_| CipherFailed)
    }
}

/// Seals with chosen random parts, for vectors that another implementation computed.
#[cfg(test)]
pub(super) fn seal_fixed(
    key: &Key,
    binding: &Binding,
    secret: &SecretString,
    (dek, kek_nonce, data_nonce): ([u8; 32], [u8; 12], [u8; 12]),
) -> Envelope {
    let fresh = Fresh {
        dek: Zeroizing::new(dek),
        kek_nonce,
        data_nonce,
    };
    seal_with(key, binding, secret, fresh).unwrap()
}
