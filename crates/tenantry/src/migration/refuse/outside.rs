//! Statements that cannot run in a transaction, and those that need a rule for being interrupted.

use crate::engine::Engine;
use crate::migration::cursor::Cursor;
use crate::migration::problem::FileProblemKind as Kind;
use crate::migration::script::{Directives, OnResume};

/// Returns the refusal of a statement that the file's directives do not fit.
pub(super) fn refused(cursor: Cursor<'_>, engine: Engine, directives: &Directives) -> Option<Kind> {
    if engine == Engine::Postgres && hides_half_an_index(cursor.clone()) {
        return Some(Kind::ConcurrentlyIfNotExists);
    }
    if engine == Engine::MySql {
        let unruled = cursor.at("TRUNCATE") && directives.on_resume != OnResume::Rerun;
        return unruled.then_some(Kind::TruncateWithoutRule);
    }
    if directives.no_transaction {
        return None;
    }
    let statement = if engine == Engine::Sqlite {
        sqlite(cursor)
    } else {
        postgres(cursor)
    };
    statement.map(Kind::NeedsNoTransaction)
}

fn hides_half_an_index(mut cursor: Cursor<'_>) -> bool {
    cursor.eat("CREATE") && {
        cursor.eat("UNIQUE");
        cursor.eat_all(&["INDEX", "CONCURRENTLY", "IF", "NOT", "EXISTS"])
    }
}

/// The statements that PostgreSQL checks with `PreventInTransactionBlock`.
fn postgres(mut cursor: Cursor<'_>) -> Option<&'static str> {
    match cursor.eat_any(&["CREATE", "DROP", "ALTER", "REINDEX", "VACUUM"])? {
        "CREATE" => {
            cursor.eat("UNIQUE");
            match cursor.eat_any(&["INDEX", "DATABASE", "TABLESPACE", "SUBSCRIPTION"])? {
                "INDEX" => cursor.at("CONCURRENTLY").then_some("CREATE INDEX CONCURRENTLY"),
                "DATABASE" => Some("CREATE DATABASE"),
                "TABLESPACE" => Some("CREATE TABLESPACE"),
                _ => Some("CREATE SUBSCRIPTION"),
            }
        }
        "DROP" => match cursor.eat_any(&["INDEX", "TABLESPACE", "SUBSCRIPTION"])? {
            "INDEX" => cursor.at("CONCURRENTLY").then_some("DROP INDEX CONCURRENTLY"),
            "TABLESPACE" => Some("DROP TABLESPACE"),
            _ => Some("DROP SUBSCRIPTION"),
        },
        "ALTER" => postgres_alter(cursor),
        "REINDEX" => postgres_reindex(cursor),
        _ => Some("VACUUM"),
    }
}

fn postgres_alter(mut cursor: Cursor<'_>) -> Option<&'static str> {
    if cursor.at("SYSTEM") {
        return Some("ALTER SYSTEM");
    }
    let detaches = cursor.eat("TABLE")
        && cursor.skip_past("DETACH")
        && cursor.eat("PARTITION")
        && cursor.qualified().is_some()
        && cursor.at("CONCURRENTLY");
    detaches.then_some("DETACH PARTITION CONCURRENTLY")
}

fn postgres_reindex(mut cursor: Cursor<'_>) -> Option<&'static str> {
    if cursor.eat_symbol(b'(') {
        while !cursor.eat_symbol(b')') {
            if cursor.at("CONCURRENTLY") {
                return Some("REINDEX CONCURRENTLY");
            }
            cursor.bump()?;
        }
    }
    let whole = cursor.eat_any(&["INDEX", "TABLE", "SCHEMA", "DATABASE", "SYSTEM"])?;
    if cursor.at("CONCURRENTLY") {
        return Some("REINDEX CONCURRENTLY");
    }
    match whole {
        "SCHEMA" => Some("REINDEX SCHEMA"),
        "DATABASE" => Some("REINDEX DATABASE"),
        "SYSTEM" => Some("REINDEX SYSTEM"),
        _ => None,
    }
}

fn sqlite(mut cursor: Cursor<'_>) -> Option<&'static str> {
    if cursor.at("VACUUM") {
        return Some("VACUUM");
    }
    if !cursor.eat("PRAGMA") {
        return None;
    }
    let pragma = cursor.qualified()?.name;
    let refused = ["PRAGMA journal_mode", "PRAGMA synchronous"];
    refused.into_iter().find(|r| {
        r.split_once(' ')
            .is_some_and(|(_, name)| pragma.eq_ignore_ascii_case(name))
    })
}
