//! Database passwords at rest: the envelope that holds one, bound to its row and endpoint, and the
//! key that opens it.

mod binding;
mod envelope;
mod key;
#[cfg(unix)]
mod key_file;
mod key_ring;
mod padding;
mod seal;

pub use binding::{Binding, Endpoint};
pub use envelope::{Envelope, EnvelopeError, TEXT_PREFIX};
pub use key::{Key, KeyError, KeyId};
#[cfg(unix)]
pub use key_file::{KeyFileError, read_key_file, write_key_file};
pub use key_ring::KeyRing;
pub use seal::{SECRET_MAX, SealError, SecretError, open, seal};

#[cfg(test)]
mod tests;
