//! One SQL file in memory: its text, its statements by byte range, its directives.

use std::ops::Range;
use std::path::PathBuf;

use super::Checksum;

/// A place in a file, as editors count it: from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Place {
    /// Returns the place of a byte offset in a text; past the end it is the end.
    pub fn in_text(text: &str, offset: usize) -> Self {
        let before = text.get(..text.floor_char_boundary(offset)).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let column = before.get(line_start..).map_or(0, |l| l.chars().count()) + 1;
        Self { line, column }
    }
}

/// One statement of a script: the bytes from its first token to its last, without the delimiter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Where it stands in the script's text; `u32` because a file is at most 64 MiB.
    pub start: u32,
    /// Where it ends, exclusive.
    pub end: u32,
}

impl Statement {
    /// Returns its byte range in the script's text.
    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// What to do with a statement that was interrupted and whose effect cannot be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnResume {
    /// Ask: the target becomes `ambiguous`.
    #[default]
    Ask,
    /// Run it again: the author says that it may be repeated (`-- tenantry: resume rerun`).
    Rerun,
}

/// What the comments at the top of a file ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// `-- tenantry: no-transaction`: the one statement cannot run inside a transaction.
    pub no_transaction: bool,
    /// `-- tenantry: verify SELECT …`: a query that is true once the migration took effect.
    pub verify: Option<String>,
    /// `-- tenantry: resume rerun`.
    pub on_resume: OnResume,
}

/// One SQL file.
#[derive(Debug, PartialEq, Eq)]
pub struct Script {
    /// The file's path, as messages show it.
    pub path: PathBuf,
    /// The text without a byte order mark; CRLF as in the file, a lone CR as LF.
    pub text: String,
    /// The checksum over the normalised text.
    pub checksum: Checksum,
    /// The statements in order. Never empty.
    pub statements: Vec<Statement>,
    /// What the comments at the top ask for.
    pub directives: Directives,
    /// Whether a run carries it out in a session that no other migration shares, because the engine cannot take away
    /// what it may leave there.
    pub own_session: bool,
}

impl Script {
    /// Returns the text of a statement; empty if there is no such statement.
    pub fn statement(&self, index: usize) -> &str {
        self.statements
            .get(index)
            .and_then(|s| self.text.get(s.range()))
            .unwrap_or("")
    }

    /// Returns the place of a byte offset.
    pub fn place(&self, offset: usize) -> Place {
        Place::in_text(&self.text, offset)
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_place_counts_characters_not_bytes() {
        assert_eq!(Place::in_text("é x\nyz", 3), Place { line: 1, column: 3 });
        assert_eq!(Place::in_text("é x\nyz", 6), Place { line: 2, column: 2 });
        assert_eq!(Place::in_text("ab", 99), Place { line: 1, column: 3 });
    }
}
