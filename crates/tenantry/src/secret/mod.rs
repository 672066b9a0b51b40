//! Database passwords at rest: the envelope that holds one, bound to its row and endpoint, and the
//! key that opens it.

mod binding;
mod envelope;
mod key;
#[cfg(unix)]
mod key_file;
mod key_ring;
mod legacy;
mod padding;
#[cfg(unix)]
mod ring_file;
mod seal;

pub use binding::{Binding, Endpoint};
pub use envelope::{Envelope, EnvelopeError, HEAD_LEN, TEXT_PREFIX};
pub use key::{Key, KeyError, KeyId, NoKeyId};
#[cfg(unix)]
pub use key_file::{KeyFileError, read_key_file, read_secret_file, write_key_file};
pub use key_ring::{KeyIds, KeyRing, RingError};
pub use legacy::{KeyForm, Legacy, LegacyError, LegacyKeyError, Profile};
#[cfg(unix)]
pub use ring_file::{add_key_to_file, remove_key_from_file};
pub use seal::{SECRET_MAX, SealError, SecretError, open, seal};

#[cfg(test)]
mod tests;
