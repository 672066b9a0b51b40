//! Statements that reach beyond the database: files, other databases, the server itself.

use crate::engine::Engine;
use crate::migration::cursor::Cursor;
use crate::migration::mysql_class;
use crate::migration::problem::FileProblemKind as Kind;
use crate::migration::split::Kind as TokenKind;

/// Returns the refusal of a statement that reaches beyond the database.
pub(super) fn refused(mut cursor: Cursor<'_>, engine: Engine) -> Option<Kind> {
    if cursor.at("USE") {
        return Some(Kind::OtherDatabase("USE".to_owned()));
    }
    if cursor.eat_all(&["DROP", "DATABASE"]) {
        return Some(Kind::ServerWide("DROP DATABASE".to_owned()));
    }
    match engine {
        Engine::Postgres => cursor.eat("COPY").then(|| copy(cursor)).flatten(),
        Engine::MySql => mysql(cursor),
        Engine::Sqlite => sqlite(cursor),
    }
}

fn copy(mut cursor: Cursor<'_>) -> Option<Kind> {
    let words = ["COPY … FROM", "COPY … TO"];
    let direction = words.get(cursor.skip_past_any(&["FROM", "TO"])?)?;
    if cursor.at_any(&["STDIN", "STDOUT"]).is_some() {
        return Some(Kind::CopyStream);
    }
    let what = if cursor.at("PROGRAM") { "PROGRAM" } else { "a file" };
    Some(Kind::ServerFiles(format!("{direction} {what}")))
}

fn mysql(cursor: Cursor<'_>) -> Option<Kind> {
    let whole = |words: &str| Some(Kind::ServerWide(words.to_owned()));
    let mut ahead = cursor.clone();
    let refused = match ahead
        .eat_any(&[
            "LOAD", "DROP", "CREATE", "SHUTDOWN", "RESTART", "KILL", "FLUSH", "SET",
        ])
        .unwrap_or("")
    {
        "LOAD" => ahead
            .at_any(&["DATA", "XML"])
            .map(|what| Kind::ServerFiles(format!("LOAD {what}"))),
        "DROP" if ahead.at("SCHEMA") => whole("DROP SCHEMA"),
        "CREATE" => {
            ahead.eat_all(&["OR", "REPLACE"]);
            ahead
                .at_any(&["DATABASE", "SCHEMA"])
                .map(|what| Kind::OtherDatabase(format!("CREATE {what}")))
        }
        word @ ("SHUTDOWN" | "RESTART" | "KILL") => whole(word),
        "FLUSH" if locks_all(ahead.clone()) => whole("FLUSH … WITH READ LOCK"),
        "SET" => global_scope(ahead).map(|scope| Kind::ServerWide(format!("SET {scope}"))),
        _ => None,
    };
    refused.or_else(|| {
        mysql_class::other_database(cursor).map(|name| Kind::OtherDatabase(format!("`{name}.…`")))
    })
}

fn locks_all(mut cursor: Cursor<'_>) -> bool {
    while cursor.skip_past("WITH") {
        if cursor.eat_all(&["READ", "LOCK"]) {
            return true;
        }
    }
    false
}

/// Returns the scope if a `SET` changes a variable of the whole server.
fn global_scope(mut cursor: Cursor<'_>) -> Option<&'static str> {
    const SCOPES: [&str; 3] = ["GLOBAL", "PERSIST", "PERSIST_ONLY"];
    let mut before = ",".to_owned();
    loop {
        if let Some(scope) = cursor.at_any(&SCOPES) {
            let mut ahead = cursor.clone();
            ahead.bump();
            let assigned = before == ","
                || (before == "@"
                    && ahead.eat_symbol(b'.')
                    && ahead.name().is_some()
                    && ahead.eat_symbol(b'='));
            if assigned {
                return Some(scope);
            }
        }
        let token = cursor.bump()?;
        before.clear();
        if token.kind == TokenKind::Symbol {
            before.push_str(cursor.text_of(token));
        }
    }
}

fn sqlite(mut cursor: Cursor<'_>) -> Option<Kind> {
    match cursor.eat_any(&["ATTACH", "DETACH", "VACUUM"])? {
        "VACUUM" => cursor
            .skip_past("INTO")
            .then(|| Kind::ServerFiles("VACUUM INTO".to_owned())),
        word => Some(Kind::ServerFiles(word.to_owned())),
    }
}
