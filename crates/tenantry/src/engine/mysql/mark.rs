//! The `pre_fp` column of a row in progress: what a later attempt needs in order to go on.
//!
//! Format: `v1:<open>:<texts>`. `<open>` is `-` if no statement is open, `?` if one is whose effect
//! cannot be seen, otherwise the fingerprints of the objects that the open statement names, as they were
//! before it, joined by dots. `<texts>` is a hash over the texts of the statements that have run, and of
//! the open one: 32 hexadecimal digits.

use sha2::{Digest as _, Sha256};

use crate::engine::error::StateAfter;
use crate::history::Applied;
use crate::migration::Script;

/// Longer ones do not fit the column; such a statement is handled like one that cannot be seen.
const OPEN_MAX: usize = 1900;

/// Whether a statement has begun without having reached its checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// None has.
    Nothing,
    /// One has, and what it does cannot be seen.
    Unseen,
    /// One has, and its objects looked like this before.
    Seen(String),
}

impl Open {
    /// Makes the intent for a statement whose objects look like this.
    pub(super) fn seen(fingerprints: String) -> Self {
        if fingerprints.len() > OPEN_MAX {
            return Self::Unseen;
        }
        Self::Seen(fingerprints)
    }
}

/// Writes the column for a script of which `next` statements have run.
pub(super) fn write(script: &Script, next: usize, open: &Open) -> String {
    let (word, hashed) = match open {
        Open::Nothing => ("-", next),
        Open::Unseen => ("?", next + 1),
        Open::Seen(fingerprints) => (fingerprints.as_str(), next + 1),
    };
    format!("v1:{word}:{}", hash(script, hashed))
}

/// Reads the column; `None` if it is not ours, or if the statements it stands for were edited.
pub(super) fn read(column: &str, script: &Script, next: usize) -> Option<Open> {
    let (word, texts) = column.strip_prefix("v1:")?.split_once(':')?;
    let open = match word {
        "-" => Open::Nothing,
        "?" => Open::Unseen,
        seen => Open::Seen(seen.to_owned()),
    };
    let hashed = next + usize::from(open != Open::Nothing);
    (hash(script, hashed) == texts).then_some(open)
}

/// Returns what a row in progress says that its attempt left, whatever has become of the file.
pub(super) fn left(row: &Applied) -> StateAfter {
    let column = row.pre_fp.as_deref().unwrap_or_default();
    match column.strip_prefix("v1:").and_then(|rest| rest.split(':').next()) {
        Some("-") => StateAfter::HalfWay { done: row.next_stmt },
        Some("?") => StateAfter::Ambiguous,
        Some(_) | None => StateAfter::Unknown,
    }
}

/// Line endings do not count here either.
fn hash(script: &Script, statements: usize) -> String {
    let mut hasher = Sha256::new();
    for index in 0..statements {
        let text = script.statement(index).replace("\r\n", "\n").replace('\r', "\n");
        hasher.update(text.len().to_be_bytes());
        hasher.update(text);
    }
    hex::encode(hasher.finalize().get(..16).unwrap_or_default())
}
