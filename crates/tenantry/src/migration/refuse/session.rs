//! Statements that change the session for whatever runs after the migration.

use std::borrow::Cow;

use super::shown;
use crate::engine::Engine;
use crate::migration::cursor::{Cursor, unquoted};
use crate::migration::problem::FileProblemKind as Kind;
use crate::migration::split::Kind as TokenKind;

/// Settings that decide whose rights a statement has and which object a name means.
const GUARDED: [&str; 3] = ["search_path", "role", "session_authorization"];

/// Modes that change where a MySQL string ends ("Server SQL Modes").
const STRING_MODES: [&str; 7] = [
    "NO_BACKSLASH_ESCAPES",
    "ANSI",
    "DB2",
    "MAXDB",
    "MSSQL",
    "ORACLE",
    "POSTGRESQL",
];

/// Returns the refusal of a statement that changes the session.
pub(super) fn refused(cursor: Cursor<'_>, engine: Engine) -> Option<Kind> {
    match engine {
        Engine::Postgres => postgres(cursor),
        Engine::MySql => mysql(cursor),
        Engine::Sqlite => None,
    }
}

fn postgres(mut cursor: Cursor<'_>) -> Option<Kind> {
    match cursor.eat_any(&["SET", "RESET", "DISCARD", "LISTEN", "UNLISTEN"])? {
        "SET" => postgres_set(cursor),
        "RESET" => {
            let name = cursor.name()?;
            let guarded =
                name.eq_ignore_ascii_case("all") || is_guarded(&name) || is_session_user(&name, &cursor);
            guarded.then(|| Kind::SessionChange(shown(&["RESET", &name])))
        }
        word => Some(Kind::SessionChange(word.to_owned())),
    }
}

/// Harmless settings, as `pg_dump` writes them, are left alone.
fn postgres_set(mut cursor: Cursor<'_>) -> Option<Kind> {
    let local = cursor.eat("LOCAL");
    if !local && cursor.eat_all(&["SESSION", "AUTHORIZATION"]) {
        return Some(Kind::SessionChange("SET SESSION AUTHORIZATION".to_owned()));
    }
    cursor.eat("SESSION");
    let name = cursor.name()?;
    if name.eq_ignore_ascii_case("standard_conforming_strings") {
        cursor.bump();
        let value = value(&mut cursor)?;
        let on = ["on", "true", "yes", "1", "default"]
            .iter()
            .any(|v| value.eq_ignore_ascii_case(v));
        return (!on).then_some(Kind::StringRules("SET standard_conforming_strings = off"));
    }
    let guarded = is_guarded(&name) || name.eq_ignore_ascii_case("schema");
    (guarded && !local).then(|| Kind::SessionChange(format!("SET {name}")))
}

fn is_guarded(name: &str) -> bool {
    GUARDED.iter().any(|g| name.eq_ignore_ascii_case(g))
}

fn is_session_user(name: &str, after: &Cursor<'_>) -> bool {
    name.eq_ignore_ascii_case("session") && after.at("AUTHORIZATION")
}

/// Returns the next token without the quotes of a string.
fn value<'a>(cursor: &mut Cursor<'a>) -> Option<Cow<'a, str>> {
    let token = cursor.peek()?;
    let text = cursor.text_of(token);
    cursor.bump();
    Some(Cow::Borrowed(text.trim_matches('\'')))
}

fn mysql(mut cursor: Cursor<'_>) -> Option<Kind> {
    if !cursor.eat("SET") {
        return None;
    }
    if cursor.at("ROLE") {
        return Some(Kind::SessionChange("SET ROLE".to_owned()));
    }
    (assigns(cursor.clone(), "SQL_MODE") && names_string_mode(cursor))
        .then_some(Kind::StringRules("this SET sql_mode"))
}

fn names_string_mode(mut cursor: Cursor<'_>) -> bool {
    while let Some(token) = cursor.bump() {
        let text = cursor.text_of(token);
        let mut modes = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let changes = |m: &str| {
            m.eq_ignore_ascii_case("ANSI_QUOTES") || STRING_MODES.iter().any(|s| m.eq_ignore_ascii_case(s))
        };
        if token.kind != TokenKind::Symbol && modes.any(changes) {
            return true;
        }
    }
    false
}

/// Returns whether a MySQL `SET` gives a system variable a value; reading it does not count.
pub(super) fn assigns(mut cursor: Cursor<'_>, variable: &str) -> bool {
    let mut marks = 0;
    while let Some(token) = cursor.bump() {
        let mut ahead = cursor.clone();
        let named = unquoted(token, cursor.text()).is_some_and(|name| name.eq_ignore_ascii_case(variable));
        if named
            && marks != 1
            && (ahead.eat_symbol(b'=') || (ahead.eat_symbol(b':') && ahead.eat_symbol(b'=')))
        {
            return true;
        }
        marks = if cursor.text_of(token) == "@" {
            marks + 1
        } else {
            0
        };
    }
    false
}
