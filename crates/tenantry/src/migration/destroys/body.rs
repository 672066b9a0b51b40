//! Destruction that a statement's own words do not show: in bodies, in calls, in strings of SQL.

use std::borrow::Cow;

use super::update::updated;
use super::{altered, created, dropped, told};
use crate::engine::Engine;
use crate::migration::cursor::Cursor;
use crate::migration::split::{Kind, Token};

/// How deep strings in strings are looked into.
const DEEPEST: usize = 4;

/// Returns what the text that a statement runs does, or the statement's own word where that text cannot be
/// seen; `None` if it runs no other text, or one in which nothing is destroyed.
pub(super) fn hidden(mut cursor: Cursor<'_>, engine: Engine) -> Option<&'static str> {
    if engine == Engine::Sqlite {
        return None;
    }
    if engine == Engine::MySql && is_compound(&cursor) {
        return scan(cursor, engine, 0);
    }
    match cursor.eat_any(&["CALL", "DO", "PREPARE", "EXECUTE", "BEGIN", "SET"])? {
        "CALL" => Some("CALL"),
        "DO" if engine == Engine::Postgres => block(cursor),
        // A function is called for what it does.
        "DO" => Some("DO"),
        "PREPARE" if engine == Engine::MySql => prepared(cursor),
        // PREPARE showed it already.
        "EXECUTE" if !cursor.at("IMMEDIATE") => None,
        "EXECUTE" => executed(cursor, engine),
        "SET" => set_for(cursor, engine),
        _ => scan(cursor, engine, 0),
    }
}

/// Whether a statement of MariaDB holds others: a condition, a loop, anything with a label.
fn is_compound(cursor: &Cursor<'_>) -> bool {
    let mut ahead = cursor.clone();
    let verb = ahead.eat_any(&["IF", "WHILE", "FOR", "CASE", "LOOP", "REPEAT"]);
    verb.is_some() || (ahead.name().is_some() && ahead.eat_symbol(b':'))
}

/// MariaDB's `SET STATEMENT name = value FOR statement`. Stands behind the verb.
fn set_for(mut cursor: Cursor<'_>, engine: Engine) -> Option<&'static str> {
    (cursor.eat("STATEMENT") && cursor.skip_past("FOR"))
        .then(|| told(cursor, engine))
        .flatten()
}

/// A PostgreSQL `DO` block, before or behind its language.
fn block(mut cursor: Cursor<'_>) -> Option<&'static str> {
    let mut found = None;
    while let Some(token) = cursor.bump() {
        if token.kind == Kind::Text {
            let body = unquoted(cursor.text_of(token));
            found = found.or(scan(Cursor::new(&body, Engine::Postgres), Engine::Postgres, 0));
        } else if token.is(cursor.text(), "LANGUAGE") && cursor.eat_any(&["plpgsql", "sql"]).is_none() {
            // Another language's text says nothing to us.
            return Some("DO");
        }
    }
    found
}

/// `PREPARE name FROM 'text'` or `FROM @variable`.
fn prepared(mut cursor: Cursor<'_>) -> Option<&'static str> {
    cursor.skip_past("FROM");
    let token = cursor.peek()?;
    if token.kind == Kind::Text {
        return scan(cursor, Engine::MySql, 0);
    }
    Some("PREPARE")
}

/// Stands behind the verb.
fn executed(mut cursor: Cursor<'_>, engine: Engine) -> Option<&'static str> {
    cursor.eat("IMMEDIATE");
    if cursor.at_any(&["FUNCTION", "PROCEDURE", "ON"]).is_some() {
        return None;
    }
    let mut ahead = cursor.clone();
    let formats = ahead.eat_any(&["format", "CONCAT"]).is_some() && ahead.eat_symbol(b'(');
    let first = if formats { ahead.peek() } else { cursor.peek() };
    if first.is_some_and(|token| token.kind == Kind::Text) {
        return scan(cursor, engine, 1);
    }
    Some("EXECUTE")
}

/// Looks at every place of a text where a statement could begin, and into its strings.
pub(super) fn scan(mut cursor: Cursor<'_>, engine: Engine, depth: usize) -> Option<&'static str> {
    let mut before = None;
    loop {
        let found = begun(cursor.clone(), before, (engine, depth));
        if found.is_some() {
            return found;
        }
        let token = cursor.bump()?;
        if token.kind == Kind::Text && depth < DEEPEST {
            let inner = unquoted(cursor.text_of(token));
            let found = scan(Cursor::new(&inner, engine), engine, depth + 1);
            if found.is_some() {
                return found;
            }
        }
        before = Some((cursor.text(), token));
    }
}

/// Returns what the statement that may begin here destroys.
fn begun(
    mut cursor: Cursor<'_>,
    before: Option<(&str, Token)>,
    (engine, depth): (Engine, usize),
) -> Option<&'static str> {
    match cursor.eat_any(&[
        "DROP", "TRUNCATE", "DELETE", "UPDATE", "REPLACE", "ALTER", "CALL", "EXECUTE", "PREPARE", "CREATE",
        "SET",
    ])? {
        "DROP" => dropped(cursor.clone()).or_else(|| unfinished(&cursor, depth)),
        "ALTER" => altered(cursor, engine),
        "CALL" => Some("CALL"),
        "EXECUTE" => executed(cursor, engine),
        "PREPARE" if engine == Engine::MySql => prepared(cursor),
        "CREATE" if engine == Engine::MySql => created::created(cursor, engine),
        "PREPARE" | "CREATE" => None,
        "SET" => set_for(cursor, engine),
        // `WHEN MATCHED THEN DELETE`.
        "DELETE" if is_behind(before, &["THEN"]) => Some("DELETE"),
        // `WHILE … DO DELETE`: only PostgreSQL has `ON CONFLICT DO UPDATE`.
        _ if engine != Engine::MySql && is_behind(before, &["DO"]) => None,
        // `ON DELETE`, `BEFORE TRUNCATE OR DELETE`, `GRANT SELECT, DELETE ON`.
        _ if is_named_only(before, &cursor) => None,
        "UPDATE" => updated(cursor),
        "REPLACE" => cursor.at("INTO").then_some("REPLACE"),
        "DELETE" if engine == Engine::Postgres => cursor.at("FROM").then_some("DELETE"),
        "DELETE" => cursor.peek().is_some().then_some("DELETE"),
        _ => cursor.peek().is_some().then_some("TRUNCATE"),
    }
}

/// A verb that is put together with what is not in the string: `'DROP ' || kind`, `'DROP %s'`.
fn unfinished(cursor: &Cursor<'_>, depth: usize) -> Option<&'static str> {
    let open = cursor.peek().is_none_or(|token| token.kind == Kind::Symbol);
    (depth > 0 && open).then_some("DROP")
}

/// Whether the verb names an event, a right, a lock, a function or a part of another statement here.
fn is_named_only(before: Option<(&str, Token)>, after: &Cursor<'_>) -> bool {
    let led = is_behind(before, &["ON", "BEFORE", "AFTER", "OR", "FOR"])
        || before.is_some_and(|(text, token)| token.is_symbol(text, b','));
    let text = after.text();
    let followed = after
        .peek()
        .is_some_and(|token| token.is(text, "ON") || token.is(text, "OR") || token.kind == Kind::Symbol);
    led || followed
}

fn is_behind(before: Option<(&str, Token)>, words: &[&str]) -> bool {
    before.is_some_and(|(text, token)| words.iter().any(|word| token.is(text, word)))
}

/// Returns what is between a string's quotes, of whatever kind.
fn unquoted(raw: &str) -> Cow<'_, str> {
    let Some(open) = raw.find(['\'', '"', '$']) else {
        return Cow::Borrowed(raw);
    };
    let rest = raw.get(open..).unwrap_or_default();
    if rest.starts_with('$') {
        let tag = rest
            .get(1..)
            .and_then(|tail| tail.find('$'))
            .map_or(1, |at| at + 2);
        return Cow::Borrowed(rest.get(tag..rest.len().saturating_sub(tag)).unwrap_or_default());
    }
    let quote = rest.get(..1).unwrap_or_default();
    let inner = rest.get(1..rest.len().saturating_sub(1)).unwrap_or_default();
    Cow::Owned(inner.replace(&quote.repeat(2), quote))
}
