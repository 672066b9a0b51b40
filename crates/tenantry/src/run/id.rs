//! The ids of runs and marks.

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
    use super::{new_mark_id, new_run_id};

    #[test]
    fn a_run_id_is_short_and_new() {
        let (a, b) = (new_run_id(), new_run_id());
        assert_eq!(a.len(), 12);
        assert_ne!(a, b);
        assert!(new_mark_id().starts_with("mark_"));
    }
}
