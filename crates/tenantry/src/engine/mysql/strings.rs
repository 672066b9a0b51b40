//! How the server reads strings: a file is cut into statements before that is known.
//!
//! Under another reading one statement can hide in another's string, and would run unseen.

use super::checkpoint::left;
use crate::engine::error::{ApplyError, StateAfter};
use crate::engine::session::Unit;
use crate::migration::read_differently;

/// Asks for the modes that a file may meet: behind each file the session takes the server's own again.
pub(super) const MODES: &str = "CONCAT_WS(',', @@GLOBAL.sql_mode, @@SESSION.sql_mode)";

/// How the server reads strings ("Server SQL Modes").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strings {
    /// A backslash holds the byte behind it, as files are cut.
    Usual,
    /// What stands in double quotes is a name, in which a backslash is nothing special.
    AnsiQuotes,
    /// A backslash is nothing special anywhere.
    NoBackslashEscapes,
}

impl Strings {
    /// Reads the answer to [`MODES`]; a server that says none reads as usual.
    pub(super) fn from_text(modes: Option<&str>) -> Self {
        let has = |mode: &str| {
            let mut named = modes.unwrap_or_default().split(',');
            named.any(|named| named.eq_ignore_ascii_case(mode))
        };
        if has("NO_BACKSLASH_ESCAPES") {
            Self::NoBackslashEscapes
        } else if has("ANSI_QUOTES") {
            Self::AnsiQuotes
        } else {
            Self::Usual
        }
    }

    /// Refuses a unit with a string that the server ends elsewhere, before anything of it is sent. Writes
    /// nothing.
    pub(super) fn check(self, unit: &Unit) -> Result<(), ApplyError> {
        let (quotes, mode): (&[u8], _) = match self {
            Self::Usual => return Ok(()),
            Self::AnsiQuotes => (b"\"", "ANSI_QUOTES"),
            Self::NoBackslashEscapes => (b"'\"", "NO_BACKSLASH_ESCAPES"),
        };
        for (index, step) in unit.steps.iter().enumerate() {
            let script = step.script();
            let done = step.interrupted.as_ref().map_or(0, |row| row.next_stmt);
            let moved = |at: usize| Some((at, read_differently(script.statement(at), quotes)?));
            if let Some((statement, inside)) = (done..script.statements.len()).find_map(moved) {
                let start = script.statements.get(statement).map_or(0, |s| s.range().start);
                return Err(ApplyError::StringRules {
                    step: index,
                    statement,
                    statements: script.statements.len(),
                    offset: start + inside,
                    mode,
                    state: step.interrupted.as_ref().map_or(StateAfter::RolledBack, left),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Strings;

    #[test]
    fn the_mode_that_changes_more_counts() {
        for (modes, expected) in [
            (None, Strings::Usual),
            (Some(""), Strings::Usual),
            (Some("STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION"), Strings::Usual),
            (Some("REAL_AS_FLOAT,ANSI_QUOTES,ANSI"), Strings::AnsiQuotes),
            (
                Some("ANSI_QUOTES,NO_BACKSLASH_ESCAPES"),
                Strings::NoBackslashEscapes,
            ),
        ] {
            assert_eq!(Strings::from_text(modes), expected, "{modes:?}");
        }
    }
}
