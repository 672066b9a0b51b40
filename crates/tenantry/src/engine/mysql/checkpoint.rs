//! The `pre_fp` column of a row in progress: what a later attempt needs in order to go on.
//!
//! Format: `v1:<open>:<texts>`. `<open>` is `-` if no statement is open, `?` if one is whose effect
//! cannot be seen, otherwise the fingerprints of the objects that the open statement names, as they were
//! before it, and how they were taken: `<look>/<object>.<object>`. `<texts>` is a hash over the texts of the statements that have run, and of
//! the open one: 32 hexadecimal digits.

use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::fingerprint::{Fingerprints, Lasting};
use crate::engine::error::StateAfter;
use crate::history::Applied;
use crate::migration::{Checksum, Script};

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
    pub(super) fn seen(before: &Fingerprints) -> Self {
        let text = before.to_text();
        if text.len() > OPEN_MAX || before.lasting == Lasting::No {
            return Self::Unseen;
        }
        Self::Seen(text)
    }
}

/// Writes the column of one row after another without reading the statements before it each time.
#[derive(Debug, Default)]
pub(super) struct Columns(Mutex<Option<Hashed>>);

impl Columns {
    /// Writes the column for a script of which `next` statements have run.
    pub(super) fn write(&self, script: &Script, next: usize, open: &Open) -> String {
        let (word, statements) = match open {
            Open::Nothing => ("-", next),
            Open::Unseen => ("?", next + 1),
            Open::Seen(fingerprints) => (fingerprints.as_str(), next + 1),
        };
        format!("v1:{word}:{}", self.hash(script, statements))
    }

    fn hash(&self, script: &Script, statements: usize) -> String {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |hashed: &Hashed| hashed.script == script.checksum && hashed.statements <= statements;
        let hashed = kept.take().filter(fits).unwrap_or_else(|| Hashed {
            script: script.checksum,
            statements: 0,
            hasher: Sha256::new(),
        });
        kept.insert(hashed.until(script, statements)).word()
    }
}

/// The first statements of a script, hashed. A checksum stands for the text of all of them.
#[derive(Debug)]
struct Hashed {
    script: Checksum,
    statements: usize,
    hasher: Sha256,
}

impl Hashed {
    /// Line endings do not count here either.
    fn until(mut self, script: &Script, statements: usize) -> Self {
        for index in self.statements..statements {
            let text = script.statement(index).replace("\r\n", "\n").replace('\r', "\n");
            self.hasher.update(text.len().to_be_bytes());
            self.hasher.update(text);
        }
        self.statements = statements;
        self
    }

    fn word(&self) -> String {
        let hash = self.hasher.clone().finalize();
        hex::encode(hash.get(..16).unwrap_or_default())
    }
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
    (Columns::default().hash(script, hashed) == texts).then_some(open)
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

#[cfg(test)]
mod tests {
    use super::{Columns, Open, read};
    use crate::engine::Engine;
    use crate::migration::Track;
    use crate::target::TrackName;

    #[test]
    fn a_column_is_the_same_whatever_was_written_before_it() {
        let texts = [
            ("1_a.sql", "SELECT 1;\r\nSELECT 2;\nSELECT 3;\n"),
            ("2_b.sql", "SELECT 1;\n"),
        ];
        let track = Track::from_files(TrackName::Tenant, Engine::MySql, &texts).unwrap();
        let one = |step: usize| &track.migrations[step].up;
        let columns = Columns::default();
        for (step, next) in [(0, 0), (0, 1), (0, 1), (0, 3), (0, 2), (1, 1), (0, 3)] {
            let column = columns.write(one(step), next, &Open::Nothing);
            assert_eq!(column, Columns::default().write(one(step), next, &Open::Nothing));
            assert_eq!(read(&column, one(step), next), Some(Open::Nothing));
        }
        let column = columns.write(one(0), 2, &Open::Unseen);
        assert_eq!(read(&column, one(0), 2), Some(Open::Unseen));
        assert_eq!(read(&column, one(0), 1), None);
    }
}
