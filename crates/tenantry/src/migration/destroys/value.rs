//! What an `UPDATE` sets a column to.

use super::quoted::unquoted;
use crate::migration::split::{Kind, Token};

/// What a column is set to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// NULL, the default or an empty text: what was there is taken away.
    Nothing,
    /// A text, a number, the time, a variable of MySQL's: another value takes its place.
    Constant,
    /// What is made of something that has a name: a column, a query, a variable of PostgreSQL's.
    Derived,
}

/// Returns what the tokens of a value are.
pub(super) fn value_of(tokens: &[Token], text: &str) -> Value {
    let words = || tokens.iter().enumerate();
    let is_name = |token: &Token| matches!(token.kind, Kind::Word | Kind::Name);
    let mut texts = tokens.iter().filter(|token| is_text(**token, text)).peekable();
    if words().any(|(at, _)| is_nothing(tokens, at, text)) {
        Value::Nothing
    } else if words().any(|(at, token)| is_name(token) && is_column(tokens, at, text)) {
        Value::Derived
    } else if texts.peek().is_some() && texts.all(|token| unquoted(token.text(text)).is_empty()) {
        Value::Nothing
    } else {
        Value::Constant
    }
}

/// SQLite takes a name that it does not know for a text, and none is empty.
fn is_text(token: Token, text: &str) -> bool {
    token.kind == Kind::Text || (token.kind == Kind::Name && token.text(text) == "\"\"")
}

/// `NULL`, `DEFAULT`, and MySQL's `\N`; but not `IS NULL`.
fn is_nothing(tokens: &[Token], at: usize, text: &str) -> bool {
    let Some(token) = tokens.get(at) else {
        return false;
    };
    let before = at.checked_sub(1).and_then(|at| tokens.get(at));
    let is_asked = before.is_some_and(|t| t.is(text, "IS") || t.is(text, "NOT"));
    let is_escape = before.is_some_and(|t| t.is_symbol(text, b'\\'));
    token.is(text, "DEFAULT")
        || (token.is(text, "NULL") && !is_asked)
        || (is_escape && token.text(text) == "N")
}

/// Whether a word of a value is a column, or belongs to a query: it is no function, no type, no variable of
/// MySQL's and no constant.
fn is_column(tokens: &[Token], at: usize, text: &str) -> bool {
    const CONSTANTS: [&str; 27] = [
        "SELECT",
        "TRUE",
        "FALSE",
        "AS",
        "INTERVAL",
        "DATE",
        "TIME",
        "TIMESTAMP",
        "ARRAY",
        "ROW",
        "NOT",
        "CURRENT_TIMESTAMP",
        "CURRENT_DATE",
        "CURRENT_TIME",
        "LOCALTIMESTAMP",
        "LOCALTIME",
        "CURRENT_USER",
        "SESSION_USER",
        "CHARACTER",
        "CHARSET",
        "SET",
        "USING",
        "COLLATE",
        "VARYING",
        "PRECISION",
        "WITHOUT",
        "ZONE",
    ];
    let Some(token) = tokens.get(at) else {
        return false;
    };
    let is_called = tokens.get(at + 1).is_some_and(|next| next.is_symbol(text, b'('));
    let is_variable = at
        .checked_sub(1)
        .and_then(|at| tokens.get(at))
        .is_some_and(|before| before.is_symbol(text, b'@'));
    let is_constant = CONSTANTS.iter().any(|word| token.is(text, word));
    !(is_called
        || is_variable
        || is_constant
        || is_text(*token, text)
        || is_type(tokens, at, text)
        || is_prefix(tokens, at, text))
}

/// Whether a word says of what type, character set or collation a value is: `::text`, `AS pg_catalog.text`.
fn is_type(tokens: &[Token], at: usize, text: &str) -> bool {
    const BEFORE: [&str; 5] = ["AS", "COLLATE", "USING", "CHARSET", "SET"];
    let Some(before) = at.checked_sub(1).and_then(|at| tokens.get(at)) else {
        return false;
    };
    if before.is_symbol(text, b'.') {
        return at.checked_sub(2).is_some_and(|at| is_type(tokens, at, text));
    }
    before.is_symbol(text, b':') || BEFORE.iter().any(|word| before.is(text, word))
}

/// Whether a word belongs to the text behind it: `N''`, `text ''`, `U&''`, `_utf8mb4 x''`.
fn is_prefix(tokens: &[Token], at: usize, text: &str) -> bool {
    let is_text = |at: usize| tokens.get(at).is_some_and(|next| next.kind == Kind::Text);
    let word = tokens.get(at).map_or("", |token| token.text(text));
    let is_unicode = word.eq_ignore_ascii_case("U")
        && tokens.get(at + 1).is_some_and(|next| next.is_symbol(text, b'&'))
        && is_text(at + 2);
    is_text(at + 1) || is_unicode || (word.starts_with('_') && is_text(at + 2))
}
