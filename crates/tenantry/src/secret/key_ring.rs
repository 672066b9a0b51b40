//! The keys of one installation: the first encrypts, all of them decrypt.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::code::Code;
use crate::secret::{Key, KeyError, KeyId};

/// How many keys a ring has at most.
const KEYS_MAX: usize = 32;

/// The length of a key that is given raw, and therefore alone.
const RAW_LEN: usize = 32;

/// One key to seal with and any number of older keys that still open what they sealed.
#[derive(Debug)]
pub struct KeyRing {
    active: Key,
    older: Vec<Key>,
}

/// What was given as a ring is none.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RingError {
    /// The only key, or the first of them, is none.
    #[error(transparent)]
    Only(KeyError),
    /// One of several is none.
    #[error("key {number} of the ring is none")]
    Key {
        /// Which one, from 1.
        number: usize,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// A key stands there twice.
    #[error("key {id} stands in the ring twice")]
    Twice {
        /// The key.
        id: KeyId,
    },
    /// There are more than a ring has.
    #[error("the ring has {keys} keys; at most {KEYS_MAX} are read")]
    TooMany {
        /// How many there are.
        keys: usize,
    },
}

impl RingError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        Code(1005)
    }
}

impl KeyRing {
    /// Makes a ring of one key.
    pub fn new(active: Key) -> Self {
        Self {
            active,
            older: Vec::new(),
        }
    }

    /// Reads a ring: one key in hex or base64 on each line, or behind each comma, the active one first. 32 raw bytes are
    /// a ring of that one key.
    ///
    /// One line ending may follow the last key. The caller wipes `given`.
    ///
    /// # Errors
    /// [`RingError`] names the key by its place and length, never by a byte of it.
    pub fn parse(given: &[u8]) -> Result<Self, RingError> {
        let parts = parts(given);
        if given.len() != RAW_LEN && parts.len() > KEYS_MAX {
            return Err(RingError::TooMany { keys: parts.len() });
        }
        if given.len() == RAW_LEN || parts.len() == 1 {
            return Key::parse(given).map(Self::new).map_err(RingError::Only);
        }
        let mut ring: Option<Self> = None;
        for (at, part) in parts.iter().enumerate() {
            let number = at + 1;
            let key = listed(part).map_err(|source| RingError::Key { number, source })?;
            ring = Some(match ring {
                None => Self::new(key),
                Some(ring) if ring.find(key.id()).is_some() => {
                    return Err(RingError::Twice { id: key.id() });
                }
                Some(ring) => ring.with_older(key),
            });
        }
        ring.ok_or(RingError::Only(KeyError::Form { bytes: given.len() }))
    }

    /// Adds a key that opens envelopes but seals none.
    #[must_use]
    pub fn with_older(mut self, key: Key) -> Self {
        self.older.push(key);
        self
    }

    /// Puts a new key before all others: it seals from now on, and the others still open.
    #[must_use]
    pub fn with_active(self, key: Key) -> Self {
        let mut older = vec![self.active];
        older.extend(self.older);
        Self { active: key, older }
    }

    /// Takes a key off the ring; `None` if it was the only one. Nothing changes if it is not there.
    #[must_use]
    pub fn without(self, id: KeyId) -> Option<Self> {
        let mut left = std::iter::once(self.active)
            .chain(self.older)
            .filter(|key| key.id() != id);
        let active = left.next()?;
        Some(Self {
            active,
            older: left.collect(),
        })
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

    /// Returns whether another key may be added.
    pub fn has_room(&self) -> bool {
        self.older.len() + 1 < KEYS_MAX
    }

    /// Returns the ring as text, to be written to a key file and nowhere else.
    #[cfg(unix)]
    pub(super) fn to_text(&self) -> Zeroizing<String> {
        // Room for everything at once: a growing text would leave copies behind that nobody wipes.
        let mut text = Zeroizing::new(String::with_capacity(KEYS_MAX * (2 * RAW_LEN + 1)));
        for key in self.keys() {
            text.push_str(&key.to_hex());
            text.push('\n');
        }
        text
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

/// Key ids in a row, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyIds(Vec<KeyId>);

impl KeyIds {
    /// Takes the ids of a ring.
    pub fn of(ring: &KeyRing) -> Self {
        Self(ring.ids().collect())
    }
}

impl fmt::Display for KeyIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&ids.join(", "))
    }
}

/// Splits a list at its commas and line ends, without the ending of the last line.
fn parts(given: &[u8]) -> Vec<&[u8]> {
    let list = given.strip_suffix(b"\n").unwrap_or(given);
    list.split(|byte| matches!(byte, b'\n' | b',')).collect()
}

/// Reads one of several keys: as a part of a list 32 bytes are no raw key, since raw bytes could hold a separator.
fn listed(part: &[u8]) -> Result<Key, KeyError> {
    let part = part.strip_suffix(b"\r").unwrap_or(part);
    if part.len() == RAW_LEN {
        return Err(KeyError::Form { bytes: part.len() });
    }
    Key::parse(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(given: &[u8]) -> Result<Vec<KeyId>, RingError> {
        KeyRing::parse(given).map(|ring| ring.ids().collect())
    }

    #[test]
    fn a_ring_is_a_list_of_keys_and_one_raw_key_is_a_ring() {
        let (one, two) = (Key::generate().unwrap(), Key::generate().unwrap());
        let (first, second) = (one.to_hex(), two.to_hex());
        for separator in [",", "\n", "\r\n"] {
            for ending in ["", "\n"] {
                let text = format!("{}{separator}{}{ending}", *first, *second);
                assert_eq!(
                    ids(text.as_bytes()).unwrap(),
                    [one.id(), two.id()],
                    "{separator:?}"
                );
            }
        }
        assert_eq!(ids(one.expose()).unwrap(), [one.id()]);
        // Its bytes could be anything, separators too.
        assert_eq!(ids(&[b','; 32]).unwrap().len(), 1);
        let ring = KeyRing::new(two).with_active(one);
        assert_eq!(
            ids(ring.to_text().as_bytes()).unwrap(),
            ring.ids().collect::<Vec<_>>()
        );
    }

    #[test]
    fn what_is_no_ring_is_refused_by_place_and_length_and_never_shown() {
        let key = Key::generate().unwrap().to_hex();
        let said = |given: &str| ids(given.as_bytes()).unwrap_err();
        let bad = said(&format!("{},hunter2-canary", *key));
        assert!(matches!(bad, RingError::Key { number: 2, .. }), "{bad:?}");
        assert!(!format!("{bad:?} {bad}").contains("hunter2"), "{bad:?}");
        for list in [
            format!("{0},{0}", *key),
            format!("{},", *key),
            format!("{}\n\n", *key),
            format!("{},{}", *key, "r".repeat(32)),
            vec![key.as_str(); 40].join(","),
        ] {
            assert_eq!(said(&list).code(), Code(1005), "{list}");
        }
        let raw_with_newline = [&[0xee; 32][..], b"\n"].concat();
        assert!(matches!(
            ids(&raw_with_newline),
            Err(RingError::Only(KeyError::Form { bytes: 33 }))
        ));
    }

    #[test]
    fn a_key_that_is_taken_off_leaves_the_others_in_their_order() {
        let keys: Vec<Key> = (0..3).map(|_| Key::generate().unwrap()).collect();
        let [one, two, three] = <[Key; 3]>::try_from(keys).unwrap();
        let (first, second, third) = (one.id(), two.id(), three.id());
        let ring = KeyRing::new(one).with_older(two).with_older(three);
        let ring = ring.without(second).unwrap();
        assert_eq!(ring.ids().collect::<Vec<_>>(), [first, third]);
        assert!(ring.without(first).unwrap().without(third).is_none());
    }
}
