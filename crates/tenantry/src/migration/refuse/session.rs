//! Statements that change the session for whatever runs after the migration.

use std::borrow::Cow;

use super::saved::Saved;
use super::settings::{Setting, Target, settings};
use super::{shown, string_rules};
use crate::engine::Engine;
use crate::migration::cursor::{Cursor, unquoted};
use crate::migration::problem::FileProblemKind as Kind;

/// Settings that decide whose rights a statement has and which object a name means.
const GUARDED: [&str; 3] = ["search_path", "role", "session_authorization"];

/// Returns the refusal of a statement that changes the session.
pub(super) fn refused(cursor: Cursor<'_>, engine: Engine, saved: &Saved<'_>) -> Option<Kind> {
    match engine {
        Engine::Postgres => postgres(cursor),
        Engine::MySql => mysql(cursor, saved),
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
    let mut ahead = cursor.clone();
    if !local && (cursor.eat_all(&["SESSION", "AUTHORIZATION"]) || ahead.eat_all(&["SESSION", "SESSION"])) {
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

fn mysql(cursor: Cursor<'_>, saved: &Saved<'_>) -> Option<Kind> {
    if !cursor.at("SET") {
        return own_user(cursor).map(|words| Kind::SessionChange(words.to_owned()));
    }
    let text = cursor.text();
    let is_first = |item: &Setting, word| item.value.first().is_some_and(|first| first.is(text, word));
    let items = settings(cursor.clone());
    let mut words = items.iter().filter(|item| item.target == Target::Words);
    let refused = words.find_map(|item| {
        let found = ["ROLE", "PASSWORD"].into_iter().find(|word| is_first(item, word));
        found.map(|word| Kind::SessionChange(format!("SET {word}")))
    });
    refused.or_else(|| string_rules::refused(cursor, saved))
}

/// Returns the words of a statement about the user that migrations log in as.
fn own_user(mut cursor: Cursor<'_>) -> Option<&'static str> {
    let verb = cursor.eat_any(&["ALTER", "DROP", "RENAME"])?;
    if !cursor.eat("USER") {
        return None;
    }
    while let Some(token) = cursor.bump() {
        let called = token.is(cursor.text(), "USER") && cursor.clone().eat_symbol(b'(');
        if called || token.is(cursor.text(), "CURRENT_USER") {
            return Some(match verb {
                "DROP" => "DROP USER CURRENT_USER",
                "RENAME" => "RENAME USER CURRENT_USER",
                _ => "ALTER USER CURRENT_USER",
            });
        }
    }
    None
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

#[cfg(test)]
mod tests {
    use super::refused;
    use crate::engine::Engine;
    use crate::migration::cursor::Cursor;
    use crate::migration::problem::FileProblemKind as Kind;
    use crate::migration::refuse::saved::Saved;

    fn said(statement: &str) -> Option<String> {
        let cursor = Cursor::new(statement, Engine::MySql);
        match refused(cursor, Engine::MySql, &Saved::default()) {
            Some(Kind::SessionChange(what)) => Some(what),
            _ => None,
        }
    }

    #[test]
    fn the_user_that_migrations_log_in_as_is_left_alone() {
        for (statement, words) in [
            ("SET PASSWORD = PASSWORD('x')", "SET PASSWORD"),
            ("SET PASSWORD FOR CURRENT_USER() = 'x'", "SET PASSWORD"),
            ("/*!50000 SET PASSWORD FOR 'a'@'b' = 'x' */", "SET PASSWORD"),
            ("SET @a = 1, PASSWORD = 'x'", "SET PASSWORD"),
            ("SET PASSWORD TO RANDOM", "SET PASSWORD"),
            ("SET @a = 1, ROLE none", "SET ROLE"),
            (
                "ALTER USER CURRENT_USER() IDENTIFIED BY 'x'",
                "ALTER USER CURRENT_USER",
            ),
            (
                "ALTER USER IF EXISTS a@b, USER () IDENTIFIED BY 'x'",
                "ALTER USER CURRENT_USER",
            ),
            ("RENAME USER CURRENT_USER TO a", "RENAME USER CURRENT_USER"),
            ("DROP USER CURRENT_USER", "DROP USER CURRENT_USER"),
        ] {
            assert_eq!(said(statement).as_deref(), Some(words), "{statement}");
        }
        for statement in [
            "SET @password = 1, @@session.sql_notes = 0",
            "ALTER USER 'current_user'@'user' IDENTIFIED BY 'CURRENT_USER()'",
            "CREATE USER a@b IDENTIFIED BY 'x'",
            "GRANT SELECT ON t TO a@b",
        ] {
            assert_eq!(said(statement), None, "{statement}");
        }
    }
}
