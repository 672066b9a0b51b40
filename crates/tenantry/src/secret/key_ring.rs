//! The keys of one installation: the first encrypts, all of them decrypt.

use crate::secret::{Key, KeyId};

/// One key to seal with and any number of older keys that still open what they sealed.
#[derive(Debug)]
pub struct KeyRing {
    active: Key,
    older: Vec<Key>,
}

impl KeyRing {
    /// Makes a ring of one key.
    pub fn new(active: Key) -> Self {
        Self {
            active,
            older: Vec::new(),
        }
    }

    /// Adds a key that opens envelopes but seals none.
    #[must_use]
    pub fn with_older(mut self, key: Key) -> Self {
        self.older.push(key);
        self
    }

    /// Returns the key that seals.
    pub fn active(&self) -> &Key {
        &self.active
    }

    /// Returns the key of that id; `None` if it is not on the ring.
    pub fn find(&self, id: KeyId) -> Option<&Key> {
        self.keys().find(|key| key.id() == id)
    }

    /// Returns the ids of all keys, the active one first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.keys().map(Key::id)
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.active).chain(&self.older)
    }
}

impl From<Key> for KeyRing {
    fn from(key: Key) -> Self {
        Self::new(key)
    }
}
