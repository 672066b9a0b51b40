//! Where a MySQL statement is read differently by a server with other rules for strings.

use super::Lexer;
use super::dialect::{Escape, Quote};
use super::quoted;
use super::token::Kind;
use crate::engine::Engine;

/// Returns the offset of the first string in one of these quotes that would end elsewhere if a backslash in it
/// were nothing special; `None` if every one ends at the same place either way.
///
/// `NO_BACKSLASH_ESCAPES` and `ANSI_QUOTES` in "Server SQL Modes" of the MySQL manual.
pub(crate) fn read_differently(statement: &str, quotes: &[u8]) -> Option<usize> {
    let bytes = statement.as_bytes();
    let mut strings = Lexer::new(statement, Engine::MySql)
        .map_while(Result::ok)
        .filter(|token| token.kind == Kind::Text);
    let moved = strings.find(|token| {
        let start = token.start as usize;
        let open = bytes.get(start).filter(|open| quotes.contains(*open));
        open.is_some_and(|open| {
            let plain = Quote {
                open: *open,
                close: *open,
                kind: Kind::Text,
                escape: Escape::Doubled,
            };
            quoted::quotation(bytes, start + 1, &plain) != Some(token.end as usize)
        })
    });
    moved.map(|token| token.start as usize)
}

#[cfg(test)]
mod tests {
    use super::read_differently;

    #[test]
    fn a_string_is_read_differently_where_a_backslash_holds_its_quote() {
        for (statement, quotes, expected) in [
            (r"SELECT 'C:\'', b'", "'", Some(7)),
            (r"SELECT 'C:\dir\\', 'a''b'", "'\"", None),
            (r"SELECT '\\\'x'", "'", Some(7)),
            (r#"SELECT 'a', "b\"c""#, "'", None),
            (r#"SELECT 'a', "b\"c""#, "\"", Some(12)),
            (r#"SELECT "it\'s", 'say \"x\"'"#, "'\"", None),
            (r"SELECT 1 -- it\'s", "'", None),
            (r"SELECT \N, `a\`, 'b'", "'", None),
            (r"SELECT 'x\''; SELECT 'y'", "'", Some(7)),
        ] {
            assert_eq!(
                read_differently(statement, quotes.as_bytes()),
                expected,
                "{statement}"
            );
        }
    }
}
