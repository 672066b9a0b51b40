//! Destruction that a statement's own words do not show: in bodies, in calls, in strings of SQL.

use super::altered::altered;
use super::executed::{executed, prepared};
use super::quoted::{is_plain, unquoted};
use super::routine::Routine;
use super::update::{updated, upserted};
use super::{created, dropped, told};
use crate::engine::Engine;
use crate::migration::cursor::{Cursor, unquoted as name_of};
use crate::migration::split::{Kind, Token};

/// How deep strings in strings are looked into.
pub(super) const DEEPEST: usize = 4;

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
        "PREPARE" if engine == Engine::MySql => prepared(cursor, 0),
        // PREPARE showed it already.
        "EXECUTE" if engine == Engine::Postgres => None,
        "EXECUTE" => executed(cursor, engine, 0),
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

/// Returns the function of PostgreSQL's that a statement calls to take a large object away, or to change what is in
/// it ("Large Objects").
pub(super) fn large_object(mut cursor: Cursor<'_>) -> Option<&'static str> {
    while cursor.peek().is_some() {
        let found = changes_object(cursor.clone());
        if found.is_some() {
            return found;
        }
        cursor.bump();
    }
    None
}

fn changes_object(mut cursor: Cursor<'_>) -> Option<&'static str> {
    const FUNCTIONS: [&str; 4] = ["lo_unlink", "lo_truncate", "lo_put", "lowrite"];
    let token = cursor.bump()?;
    let name = match token.kind {
        Kind::Word => name_of(token, cursor.text())?.to_ascii_lowercase(),
        Kind::Name => name_of(token, cursor.text())?.into_owned(),
        Kind::Number
        | Kind::Text
        | Kind::LineComment
        | Kind::CodeOpen
        | Kind::CodeClose
        | Kind::Delimiter
        | Kind::Symbol => return None,
    };
    let name = name.strip_suffix("64").unwrap_or(&name);
    let found = FUNCTIONS.into_iter().find(|function| *function == name);
    found.filter(|_| cursor.eat_symbol(b'('))
}

/// MariaDB's `SET STATEMENT name = value FOR statement`. Stands behind the verb.
fn set_for(mut cursor: Cursor<'_>, engine: Engine) -> Option<&'static str> {
    (cursor.eat("STATEMENT") && cursor.skip_past("FOR"))
        .then(|| told(cursor, engine))
        .flatten()
}

/// A PostgreSQL `DO` block, before or behind its language. Another language's text says nothing to us, nor does
/// one with escapes.
fn block(mut cursor: Cursor<'_>) -> Option<&'static str> {
    let mut body = None;
    while let Some(token) = cursor.bump() {
        let is_language = token.is(cursor.text(), "LANGUAGE");
        let raw = cursor.text_of(token);
        if is_language && cursor.eat_any(&["plpgsql", "sql"]).is_some() {
            continue;
        }
        if body.is_some() || token.kind != Kind::Text || !is_plain(raw) {
            return Some("DO");
        }
        body = Some(unquoted(raw));
    }
    scan(Cursor::new(&body?, Engine::Postgres), Engine::Postgres, 0)
}

/// Looks at every place of a text where a statement could begin, and into its strings.
pub(super) fn scan(mut cursor: Cursor<'_>, engine: Engine, depth: usize) -> Option<&'static str> {
    let mut before = None;
    loop {
        let mut found = begun(cursor.clone(), before, (engine, depth));
        if found.is_none() && engine == Engine::Postgres {
            found = changes_object(cursor.clone());
        }
        if found.is_some() {
            return found;
        }
        let token = cursor.bump()?;
        // The others run no string but those of EXECUTE and PREPARE.
        if engine == Engine::Postgres && token.kind == Kind::Text && depth < DEEPEST {
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
        "DROP" => dropped(cursor),
        "ALTER" => altered(cursor, engine),
        "CALL" => Some("CALL"),
        "EXECUTE" => executed(cursor, engine, depth),
        "PREPARE" if engine == Engine::MySql => prepared(cursor, depth),
        "CREATE" if engine == Engine::MySql => created::replaced(cursor, engine),
        // Its body is a string, and the strings are looked into.
        "CREATE" if engine == Engine::Postgres => Routine::read(cursor, engine)?.unseen(),
        "PREPARE" | "CREATE" => None,
        "SET" => set_for(cursor, engine),
        // `ON CONFLICT DO UPDATE`, `ON DUPLICATE KEY UPDATE`: only in MySQL DO begins statements.
        "UPDATE" if engine != Engine::MySql && is_behind(before, &["DO"]) => upserted(cursor),
        "UPDATE" if is_behind(before, &["KEY"]) => upserted(cursor),
        // `WHEN MATCHED THEN DELETE`.
        "DELETE" if is_behind(before, &["THEN"]) => Some("DELETE"),
        "REPLACE" if cursor.at("INTO") => Some("REPLACE"),
        "UPDATE" if cursor.eat_all(&["OR", "REPLACE"]) => Some("REPLACE"),
        // `ON DELETE`, `BEFORE TRUNCATE OR DELETE`, `GRANT SELECT, DELETE ON`.
        _ if is_named_only(before, &cursor) => None,
        "UPDATE" => updated(cursor),
        "REPLACE" => (engine == Engine::MySql && cursor.peek().is_some()).then_some("REPLACE"),
        "DELETE" if engine == Engine::Postgres => cursor.at("FROM").then_some("DELETE"),
        "DELETE" => cursor.peek().is_some().then_some("DELETE"),
        _ => cursor.peek().is_some().then_some("TRUNCATE"),
    }
}

/// Whether the verb names an event, a right, a lock, a function or a part of another statement here.
fn is_named_only(before: Option<(&str, Token)>, after: &Cursor<'_>) -> bool {
    let led = is_behind(before, &["ON", "BEFORE", "AFTER", "OR"])
        || before.is_some_and(|(text, token)| token.is_symbol(text, b','))
        || (is_behind(before, &["FOR"]) && locks(after.clone()));
    let text = after.text();
    let followed = after
        .peek()
        .is_some_and(|token| token.is(text, "ON") || token.is(text, "OR") || token.kind == Kind::Symbol);
    led || followed
}

/// Whether the words behind `FOR UPDATE` belong to a lock on rows: behind `OPEN c FOR` stands a statement.
fn locks(mut after: Cursor<'_>) -> bool {
    after.eat_any(&["OF", "NOWAIT", "SKIP", "WAIT"]).is_some() && !after.at("SET")
}

fn is_behind(before: Option<(&str, Token)>, words: &[&str]) -> bool {
    before.is_some_and(|(text, token)| words.iter().any(|word| token.is(text, word)))
}
