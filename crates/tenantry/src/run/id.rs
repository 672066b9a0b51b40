//! The ids of runs, marks and attempts.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Digits and letters that nobody mistakes for one another (Crockford's base 32).
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// How many letters follow the word.
const ID_LETTERS: u32 = 8;

/// Makes a run's id, short enough to be read out: `run_` and 40 bits, most of them random.
pub fn new_run_id() -> String {
    new_id("run_")
}

/// Makes a mark's id in the same form: `mark_` and 40 bits.
pub fn new_mark_id() -> String {
    new_id("mark_")
}

/// Makes the id of an attempt on one target: a UUID of one's own making (RFC 9562, 5.8), the same in its first 48 bits for
/// all attempts of a run, so that what one run left half-way on many targets can be decided at once, and nothing else.
pub(super) fn new_attempt_id(run_id: &str) -> String {
    let mut bytes = Uuid::now_v7().into_bytes();
    for (byte, of_run) in bytes.iter_mut().zip(Sha256::digest(run_id)).take(6) {
        *byte = of_run;
    }
    Uuid::new_v8(bytes).to_string()
}

fn new_id(word: &str) -> String {
    let tail = Uuid::now_v7().as_u128();
    let letters = (0..ID_LETTERS).map(|i| {
        let index = (tail >> (5 * i)) & 31;
        usize::try_from(index)
            .ok()
            .and_then(|index| LETTERS.get(index))
            .map_or('0', |letter| char::from(*letter))
    });
    std::iter::once(word.to_owned())
        .chain(letters.map(String::from))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{new_attempt_id, new_mark_id, new_run_id};

    #[test]
    fn a_run_id_is_short_and_new() {
        let (a, b) = (new_run_id(), new_run_id());
        assert_eq!(a.len(), 12);
        assert_ne!(a, b);
        assert!(new_mark_id().starts_with("mark_"));
    }

    #[test]
    fn the_attempts_of_a_run_begin_alike() {
        let (a, b) = (new_attempt_id("run_a"), new_attempt_id("run_a"));
        assert_ne!(a, b);
        assert_eq!(a.get(..13), b.get(..13));
        assert_ne!(a.get(..13), new_attempt_id("run_b").get(..13));
    }
}
