//! What is refused wherever it stands in a statement, outside strings and comments.

use crate::engine::Engine;
use crate::migration::cursor::{Cursor, unquoted};
use crate::migration::problem::FileProblemKind as Kind;
use crate::migration::split::{Kind as TokenKind, Token};
use crate::migration::text::is_invisible;

/// Our own tables in every database.
const OWN: [&str; 2] = ["_tenantry_history", "_tenantry_meta"];

/// Calls that let go of locks, by the word that they begin with or are.
const UNLOCKING: [(Engine, &str); 5] = [
    (Engine::Postgres, "pg_advisory_unlock"),
    (Engine::Postgres, "pg_advisory_unlock_shared"),
    (Engine::Postgres, "pg_advisory_unlock_all"),
    (Engine::MySql, "release_lock"),
    (Engine::MySql, "release_all_locks"),
];

/// Calls that read or write files of the server.
const FILES: [(Engine, &str); 12] = [
    (Engine::Postgres, "lo_import"),
    (Engine::Postgres, "lo_export"),
    (Engine::Postgres, "pg_read_file"),
    (Engine::Postgres, "pg_read_binary_file"),
    (Engine::Postgres, "pg_ls_dir"),
    (Engine::Postgres, "pg_stat_file"),
    (Engine::Postgres, "pg_file_write"),
    (Engine::Postgres, "pg_logdir_ls"),
    (Engine::MySql, "load_file"),
    (Engine::Sqlite, "load_extension"),
    (Engine::Sqlite, "readfile"),
    (Engine::Sqlite, "writefile"),
];

/// Goes over every token of a statement and reports what must not run, by byte offset in it.
pub(super) fn scan(text: &str, engine: Engine, mut report: impl FnMut(usize, Kind)) {
    let mut cursor = Cursor::new(text, engine);
    let defines = defines_routine(cursor.clone());
    let mut previous: Option<Token> = None;
    while let Some(token) = cursor.bump() {
        let found = match token.kind {
            TokenKind::Word | TokenKind::Name => {
                let into = previous.is_some_and(|p| p.is(text, "INTO"));
                word(token, text).or_else(|| (into && !defines).then(|| file_of(token, text)).flatten())
            }
            TokenKind::Symbol => symbol(token, text, engine, previous.filter(|_| !defines)),
            TokenKind::Number
            | TokenKind::Text
            | TokenKind::LineComment
            | TokenKind::CodeOpen
            | TokenKind::CodeClose
            | TokenKind::Delimiter => None,
        };
        if let Some((offset, kind)) = found {
            report(offset, kind);
        }
        previous = Some(token);
    }
}

/// A routine's body runs when it is called, not now.
fn defines_routine(mut cursor: Cursor<'_>) -> bool {
    const ROUTINES: [&str; 4] = ["FUNCTION", "PROCEDURE", "TRIGGER", "EVENT"];
    const OTHERS: [&str; 5] = ["TABLE", "VIEW", "INDEX", "SELECT", "AS"];
    if !cursor.eat("CREATE") {
        return false;
    }
    while cursor.at_any(&OTHERS).is_none() {
        if cursor.at_any(&ROUTINES).is_some() {
            return true;
        }
        if cursor.bump().is_none() {
            break;
        }
    }
    false
}

fn word(token: Token, text: &str) -> Option<(usize, Kind)> {
    let raw = token.text(text);
    if token.kind == TokenKind::Word
        && !raw.is_ascii()
        && let Some((at, hidden)) = raw.char_indices().find(|(_, c)| is_invisible(*c))
    {
        return Some((token.start as usize + at, Kind::Invisible(hidden)));
    }
    let inner = raw.trim_matches(['"', '`', '[', ']']);
    let own = OWN.iter().find(|own| inner.eq_ignore_ascii_case(own))?;
    Some((token.start as usize, Kind::OwnTable((*own).to_owned())))
}

fn file_of(token: Token, text: &str) -> Option<(usize, Kind)> {
    let word = ["OUTFILE", "DUMPFILE"].into_iter().find(|w| token.is(text, w))?;
    Some((token.start as usize, Kind::ServerFiles(format!("INTO {word}"))))
}

/// Looks at `(` for the call before it, and at `{` for a placeholder.
fn symbol(token: Token, text: &str, engine: Engine, previous: Option<Token>) -> Option<(usize, Kind)> {
    if token.is_symbol(text, b'{') {
        return placeholder(token.start as usize, text);
    }
    if !token.is_symbol(text, b'(') {
        return None;
    }
    let called = previous?;
    let name = unquoted(called, text)?;
    let is_in = |list: &[(Engine, &str)]| {
        list.iter()
            .any(|(e, n)| *e == engine && name.eq_ignore_ascii_case(n))
    };
    let shown = format!("{}()", name.to_ascii_lowercase());
    if is_in(&UNLOCKING) {
        return Some((called.start as usize, Kind::Unlock(shown)));
    }
    is_in(&FILES).then_some((called.start as usize, Kind::ServerFiles(shown)))
}

fn placeholder(brace: usize, text: &str) -> Option<(usize, Kind)> {
    let before = brace.checked_sub(1).and_then(|at| text.as_bytes().get(at));
    let dollar = before == Some(&b'$');
    let double = text.as_bytes().get(brace + 1) == Some(&b'{');
    if !dollar && !double {
        return None;
    }
    let start = if dollar { brace - 1 } else { brace };
    let rest = text.get(start..)?;
    let closing = if dollar { "}" } else { "}}" };
    let line = rest.lines().next().unwrap_or("");
    let end = line.find(closing).map_or(line.len(), |at| at + closing.len());
    let shown: String = line.get(..end).unwrap_or(line).chars().take(60).collect();
    Some((start, Kind::Placeholder(shown)))
}
