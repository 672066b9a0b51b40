//! Short hashes: of a statement whose effect cannot be seen, which a decision is bound to, and of what an intent is about.

use sha2::{Digest as _, Sha256};

use crate::migration::Script;
use crate::plan::Step;

/// How many bytes of the hash are shown: enough that no two cases of one fleet are taken for one another.
const BYTES: usize = 6;

/// How much of an attempt's id all attempts of a run have in common, `xxxxxxxx-xxxx`.
const OF_RUN: usize = 13;

/// Returns the hash over a step's statement, the run that left it open, and what is known beside it, as 12 hexadecimal
/// digits. What one run left on many targets looks alike; what the next one leaves does not.
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
    let attempt = step.interrupted.as_ref().map(|row| row.attempt_id.as_str());
    let run = attempt.map(|id| id.get(..OF_RUN).unwrap_or(id));
    for part in own.into_iter().chain(run).chain(known.iter().copied()) {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    hex::encode(hasher.finalize().get(..BYTES).unwrap_or_default())
}

/// Names the whole SQL of a file in an intent, as 16 hexadecimal digits; directives around it do not count.
pub(super) fn digest(script: &Script) -> String {
    let digest = hex::encode(Sha256::digest(whole(script)));
    digest.get(..16).unwrap_or_default().to_owned()
}

/// Returns the text from a file's first statement to its last.
pub(super) fn whole(script: &Script) -> &str {
    let start = script.statements.first().map_or(0, |s| s.range().start);
    let end = script.statements.last().map_or(0, |s| s.range().end);
    script.text.get(start..end).unwrap_or_default()
}
