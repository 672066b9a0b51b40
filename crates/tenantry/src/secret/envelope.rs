//! The envelope, version 1: its bytes, its text form, and the parser that refuses anything else.
//!
//! ```text
//! magic "TMC" | fmt = 1 | alg = 1 | key_id 16 | kek_nonce 12 | wrapped_dek 32 + tag 16
//!             | data_nonce 12 | ciphertext, a multiple of 64 | tag 16
//! ```

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

use crate::code::Code;
use crate::secret::KeyId;
use crate::secret::padding::{STEP, padded_len};
use crate::secret::seal::SECRET_MAX;

/// What the text form of an envelope begins with; base64url without padding follows.
pub const TEXT_PREFIX: &str = "tmc1.";

/// How many characters of the text form tell the key.
pub const HEAD_LEN: usize = TEXT_PREFIX.len() + 28;

/// The only format there is.
pub(super) const FORMAT: u8 = 1;

/// What the binary form begins with.
const MAGIC: &[u8; 3] = b"TMC";

/// AES-256-GCM, for the wrapped key and for the data. 2 is reserved for XChaCha20-Poly1305.
const ALGORITHM: u8 = 1;

/// Bytes that are not an envelope.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// They do not begin as an envelope does.
    #[error("this is not an envelope: it does not begin with TMC")]
    Magic,
    /// They are cut off, or longer than an envelope can be.
    #[error("an envelope cannot have {bytes} bytes")]
    Length {
        /// How many there are.
        bytes: usize,
    },
    /// A later version wrote them.
    #[error("envelope format {format} is not known; this version knows 1")]
    Format {
        /// The format's number.
        format: u8,
    },
    /// A later version wrote them.
    #[error("envelope algorithm {algorithm} is not known; this version knows 1, AES-256-GCM")]
    Algorithm {
        /// The algorithm's number.
        algorithm: u8,
    },
    /// The text form is not base64url behind `tmc1.`.
    #[error("the text of an envelope is `tmc1.` and base64url without padding")]
    Text,
}

impl EnvelopeError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        Code(7004)
    }
}

/// A well-formed envelope. Whether it opens, only [`open`](super::open) can tell.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    bytes: Vec<u8>,
    key_id: KeyId,
}

impl Envelope {
    /// Takes the binary form; nothing is decrypted.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let key_id = Parts::split(bytes)?.key_id;
        Ok(Self {
            bytes: bytes.to_vec(),
            key_id,
        })
    }

    /// Takes the text form.
    pub fn from_text(text: &str) -> Result<Self, EnvelopeError> {
        let encoded = text.strip_prefix(TEXT_PREFIX).ok_or(EnvelopeError::Text)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| EnvelopeError::Text)?;
        Self::parse(&bytes)
    }

    /// Returns the text form: `tmc1.` and base64url without padding.
    pub fn to_text(&self) -> String {
        format!("{TEXT_PREFIX}{}", URL_SAFE_NO_PAD.encode(&self.bytes))
    }

    /// Returns what the text form of every envelope under a key begins with: its first [`HEAD_LEN`] characters.
    ///
    /// Magic, format, algorithm and key id are 21 bytes, which are 28 characters of base64 exactly. So a database can
    /// tell by a text's beginning which key it needs.
    pub fn head_of(key_id: KeyId) -> String {
        let head = [MAGIC.as_slice(), &[FORMAT, ALGORITHM], key_id.as_bytes()].concat();
        format!("{TEXT_PREFIX}{}", URL_SAFE_NO_PAD.encode(head))
    }

    /// Returns the key that a text with this beginning needs; `None` if no envelope begins so.
    pub fn key_of_head(head: &str) -> Option<KeyId> {
        let encoded = head.strip_prefix(TEXT_PREFIX)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let id = <[u8; 16]>::try_from(check_head(&bytes).ok()?).ok()?;
        Some(KeyId::from_bytes(id))
    }

    /// Returns the binary form, as the registry holds it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the binary form and gives up the envelope.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Returns the id of the key that opens it.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("key_id", &self.key_id)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// The fields of an envelope, borrowed from its bytes.
pub(super) struct Parts<'a> {
    pub(super) key_id: KeyId,
    pub(super) kek_nonce: &'a [u8; 12],
    pub(super) wrapped_dek: &'a [u8; 32],
    pub(super) wrap_tag: &'a [u8; 16],
    pub(super) data_nonce: &'a [u8; 12],
    pub(super) ciphertext: &'a [u8],
    pub(super) tag: &'a [u8; 16],
}

impl<'a> Parts<'a> {
    /// Splits the binary form into its fields.
    pub(super) fn split(bytes: &'a [u8]) -> Result<Self, EnvelopeError> {
        let rest = check_head(bytes)?;
        let length = EnvelopeError::Length { bytes: bytes.len() };
        let parts = Self::split_body(rest).ok_or_else(|| length.clone())?;
        let steps_fit = parts.ciphertext.len().is_multiple_of(STEP) && !parts.ciphertext.is_empty();
        if !steps_fit || parts.ciphertext.len() > padded_len(SECRET_MAX) {
            return Err(length);
        }
        Ok(parts)
    }

    /// Splits what follows the algorithm; `None` if it is too short.
    fn split_body(rest: &'a [u8]) -> Option<Self> {
        let (key_id, rest) = rest.split_first_chunk()?;
        let (kek_nonce, rest) = rest.split_first_chunk()?;
        let (wrapped_dek, rest) = rest.split_first_chunk()?;
        let (wrap_tag, rest) = rest.split_first_chunk()?;
        let (data_nonce, rest) = rest.split_first_chunk()?;
        let (ciphertext, tag) = rest.split_last_chunk()?;
        Some(Self {
            key_id: KeyId::from_bytes(*key_id),
            kek_nonce,
            wrapped_dek,
            wrap_tag,
            data_nonce,
            ciphertext,
            tag,
        })
    }

    /// Joins the fields into an envelope.
    pub(super) fn join(&self) -> Envelope {
        let bytes = [
            MAGIC.as_slice(),
            &[FORMAT, ALGORITHM],
            self.key_id.as_bytes(),
            self.kek_nonce,
            self.wrapped_dek,
            self.wrap_tag,
            self.data_nonce,
            self.ciphertext,
            self.tag,
        ]
        .concat();
        Envelope {
            bytes,
            key_id: self.key_id,
        }
    }
}

/// Checks magic, format and algorithm; returns what follows them.
fn check_head(bytes: &[u8]) -> Result<&[u8], EnvelopeError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(EnvelopeError::Magic)?;
    match *rest {
        [FORMAT, ALGORITHM, ref rest @ ..] => Ok(rest),
        [FORMAT, algorithm, ..] => Err(EnvelopeError::Algorithm { algorithm }),
        [FORMAT] | [] => Err(EnvelopeError::Length { bytes: bytes.len() }),
        [format, ..] => Err(EnvelopeError::Format { format }),
    }
}
