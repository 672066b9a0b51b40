//! Where in a script a refused statement is wrong, as far as the server says.

use mysql_async::ServerError;

use crate::migration::Script;

/// A place in a script, and the error in words that end where the statement ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Located {
    /// Bytes from the beginning of the script.
    pub(super) offset: usize,
    /// Whether the server pointed there.
    pub(super) exact: bool,
    /// The error.
    pub(super) error: ServerError,
}

/// Finds the text that the server quotes: `near '…' at line n`, cut off after 80 bytes.
///
/// What it quotes goes beyond the statement into the rest of our message; that part is left out.
pub(super) fn locate(script: &Script, statement: usize, error: &ServerError) -> Located {
    let start = script.statements.get(statement).map_or(0, |s| s.start as usize);
    let text = script.statement(statement);
    let Some((before, near, after)) = quoted(&error.message) else {
        return Located {
            offset: start,
            exact: false,
            error: error.clone(),
        };
    };
    let line = after
        .trim_start_matches("' at line ")
        .parse::<usize>()
        .unwrap_or(1);
    let found = find(text, near, line);
    let at = found.unwrap_or(0);
    let inside = text.get(at..).unwrap_or("");
    let shown = if found.is_some() && near.len() > inside.len() {
        inside
    } else {
        near
    };
    Located {
        offset: start + at,
        exact: found.is_some(),
        error: ServerError {
            code: error.code,
            message: format!("{before}{shown}{after}"),
            state: error.state.clone(),
        },
    }
}

/// Splits a message at the text it quotes; the quoted text may hold anything.
fn quoted(message: &str) -> Option<(&str, &str, &str)> {
    let begin = message.find("near '")? + "near '".len();
    let end = message.rfind("' at line ")?;
    Some((
        message.get(..begin)?,
        message.get(begin..end)?,
        message.get(end..)?,
    ))
}

/// Returns where the statement goes on as quoted, at or behind the given line if possible.
fn find(text: &str, near: &str, line: usize) -> Option<usize> {
    let fits = |at: usize| {
        let rest = text.get(at..).unwrap_or("");
        // Only the statement's very end may be followed by text that is not its own.
        rest.starts_with(near)
            || near
                .strip_prefix(rest)
                .is_some_and(|more| more.starts_with("\n;"))
    };
    let places = || (0..=text.len()).filter(|at| text.is_char_boundary(*at) && fits(*at));
    if near.is_empty() {
        return Some(text.len());
    }
    let line_start = text
        .match_indices('\n')
        .nth(line.saturating_sub(2))
        .filter(|_| line > 1)
        .map_or(0, |(at, _)| at + 1);
    places().find(|at| *at >= line_start).or_else(|| places().next())
}
