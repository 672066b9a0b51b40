//! What is known of a statement whose effect cannot be seen, as a short hash that a decision is bound to.

use sha2::{Digest as _, Sha256};

use crate::plan::Step;

/// How many bytes of the hash are shown: enough that no two cases of one fleet are taken for one another.
const BYTES: usize = 6;

/// Returns the hash over a step's statement and what is known beside it, as 12 hexadecimal digits.
pub(super) fn evidence(step: &Step, statement: usize, known: &[&str]) -> String {
    let mut hasher = Sha256::new();
    let number = step.migration.version.to_string();
    let (direction, index) = (step.direction.to_string(), statement.to_string());
    let own = [
        number.as_str(),
        &direction,
        &index,
        step.script().statement(statement),
    ];
    for part in own.into_iter().chain(known.iter().copied()) {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    hex::encode(hasher.finalize().get(..BYTES).unwrap_or_default())
}
