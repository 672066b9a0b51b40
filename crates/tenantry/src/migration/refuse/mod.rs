//! What must not run, seen before any connection is opened.

mod conditional;
mod modes;
mod outside;
mod saved;
mod savepoint;
mod scan;
mod server;
mod session;
mod settings;
mod string_rules;
mod transaction;

#[cfg(test)]
mod tests;

use self::saved::Saved;
use self::savepoint::Savepoints;
use super::cursor::Cursor;
use super::mysql_class;
use super::problem::FileProblemKind as Kind;
use super::script::Script;
use super::split::SplitErrorKind;
use crate::engine::Engine;

/// The most problems that are listed for one file: more help nobody.
const MOST: usize = 50;

/// The largest statement in bytes: 16 MiB, the packet that MariaDB takes by default (`max_allowed_packet`).
/// A statement is one message, which client and server hold several times.
const LARGEST: usize = 16 << 20;

/// Says in a file problem's words why a text cannot be split.
pub(super) fn unsplittable(kind: SplitErrorKind, engine: Engine) -> Kind {
    match kind {
        SplitErrorKind::Unclosed(what) => Kind::Unclosed(what),
        SplitErrorKind::NoDelimiter => Kind::Delimiter(String::new()),
        SplitErrorKind::UnbalancedDelimiter(delimiter) => Kind::Delimiter(delimiter),
        SplitErrorKind::HashComment => Kind::HashComment(engine),
        SplitErrorKind::ClientCommand => Kind::ClientCommand,
        SplitErrorKind::CopyFromStdin => Kind::CopyStream,
    }
}

/// Looks at every statement; adds what must not run, by byte offset.
pub(super) fn check(script: &Script, engine: Engine, problems: &mut Vec<(usize, Kind)>) {
    if let (Some(second), true) = (script.statements.get(1), script.directives.no_transaction) {
        let kind = Kind::SeveralWithoutTransaction(script.statements.len());
        problems.push((second.start as usize, kind));
    }
    let mut savepoints = Savepoints::default();
    let saved = match engine {
        Engine::MySql => Saved::of(script),
        Engine::Postgres | Engine::Sqlite => Saved::default(),
    };
    for (index, statement) in script.statements.iter().enumerate() {
        let start = statement.start as usize;
        let text = script.statement(index);
        if text.len() > LARGEST {
            problems.push((start, Kind::StatementTooLarge(text.len())));
            continue;
        }
        if engine == Engine::MySql
            && let Some(offset) = conditional::ends_elsewhere(text)
        {
            problems.push((start + offset, Kind::ConditionalComment));
            continue;
        }
        let refused = head(text, engine, script, &saved)
            .or_else(|| savepoints.refused(Cursor::new(text, engine), engine));
        problems.extend(refused.map(|kind| (start, kind)));
        scan::scan(text, engine, |offset, kind| problems.push((start + offset, kind)));
        if problems.len() >= MOST {
            problems.truncate(MOST);
            return;
        }
    }
}

/// Returns why a statement of this kind must not run; the first reason wins.
fn head(text: &str, engine: Engine, script: &Script, saved: &Saved<'_>) -> Option<Kind> {
    const ROWS: [&str; 5] = ["INSERT", "UPDATE", "DELETE", "SELECT", "REPLACE"];
    let cursor = Cursor::new(text, engine);
    if engine == Engine::MySql && cursor.clone().eat_all(&["SET", "STATEMENT"]) {
        return transaction::refused(cursor.clone(), engine)
            .or_else(|| session::refused(cursor, engine, saved))
            .or_else(|| head(mysql_class::body(text), engine, script, saved));
    }
    if cursor.at_any(&ROWS).is_some() {
        return if engine == Engine::MySql {
            server::other_database(cursor)
        } else {
            None
        };
    }
    transaction::refused(cursor.clone(), engine)
        .or_else(|| session::refused(cursor.clone(), engine, saved))
        .or_else(|| server::refused(cursor.clone(), engine))
        .or_else(|| outside::refused(cursor, engine, &script.directives))
}

/// Returns the first words of a statement, for messages: at most three, in capitals.
fn shown(words: &[&str]) -> String {
    words.join(" ").to_ascii_uppercase()
}
