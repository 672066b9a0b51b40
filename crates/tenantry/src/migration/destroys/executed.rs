//! SQL that a statement puts together and runs: only what stands whole in the file can be judged.

use super::body::{self, DEEPEST};
use super::quoted::{is_plain, unquoted};
use super::{altered, dropped};
use crate::engine::Engine;
use crate::migration::cursor::Cursor;
use crate::migration::split::{Kind, Token};

/// Returns what the text that `EXECUTE` runs does, `EXECUTE` where it cannot be seen whole, and `None` where
/// the word names a right or a trigger's function, or runs what `PREPARE` has shown. Stands behind the word.
pub(super) fn executed(mut cursor: Cursor<'_>, engine: Engine, depth: usize) -> Option<&'static str> {
    if engine == Engine::MySql {
        return cursor
            .eat("IMMEDIATE")
            .then(|| run(&cursor, engine, (depth, "EXECUTE")))
            .flatten();
    }
    let mut ahead = cursor.clone();
    let names_function = ahead.eat_any(&["FUNCTION", "PROCEDURE"]).is_some() && ahead.qualified().is_some();
    if cursor.at("ON") || (names_function && ahead.eat_symbol(b'(')) {
        return None;
    }
    run(&cursor, engine, (depth, "EXECUTE"))
}

/// MariaDB's `PREPARE name FROM text`. Stands behind the verb.
pub(super) fn prepared(mut cursor: Cursor<'_>, depth: usize) -> Option<&'static str> {
    cursor.skip_past("FROM");
    run(&cursor, Engine::MySql, (depth, "PREPARE"))
}

/// Returns what a text does that is run, or the word of what runs it unless all of it can be seen: it is one
/// plain string, or PostgreSQL's `format` fills names and values into a statement that loses nothing.
fn run(cursor: &Cursor<'_>, engine: Engine, (depth, word): (usize, &'static str)) -> Option<&'static str> {
    if depth >= DEEPEST {
        return Some(word);
    }
    let parts = expression(cursor.clone());
    let pattern = formatted(&parts, cursor).filter(|_| engine == Engine::Postgres);
    let is_seen = match (parts.as_slice(), &pattern) {
        ([only], _) => is_seen_whole(cursor.text_of(*only), only.kind, engine),
        (_, Some(pattern)) => pattern.is_only_names && is_harmless(&pattern.text),
        (_, None) => false,
    };
    let named = pattern.and_then(|pattern| within(&pattern.text, engine, depth));
    let texts = || parts.iter().filter(|part| part.kind == Kind::Text);
    named
        .or_else(|| texts().find_map(|text| within(&unquoted(cursor.text_of(*text)), engine, depth)))
        .or((!is_seen).then_some(word))
}

fn within(text: &str, engine: Engine, depth: usize) -> Option<&'static str> {
    body::scan(Cursor::new(text, engine), engine, depth + 1)
}

/// Returns the tokens of the expression that is run.
fn expression(mut cursor: Cursor<'_>) -> Vec<Token> {
    const ENDS: [&str; 3] = ["INTO", "USING", "LOOP"];
    let mut found = Vec::new();
    let mut depth = 0_usize;
    while let Some(token) = cursor.peek() {
        match cursor.text_of(token) {
            "(" => depth += 1,
            ")" if depth > 0 => depth -= 1,
            ")" | ";" => break,
            _ if depth == 0 && cursor.at_any(&ENDS).is_some() => break,
            _ => {}
        }
        found.push(token);
        cursor.bump();
    }
    found
}

/// Whether a token is a string that is run as it stands. A block in it would have strings of its own.
fn is_seen_whole(raw: &str, kind: Kind, engine: Engine) -> bool {
    kind == Kind::Text && is_plain(raw) && !Cursor::new(&unquoted(raw), engine).at("DO")
}

/// What `format` is given, filled in.
struct Pattern {
    text: String,
    /// Whether names and values are all that is filled in.
    is_only_names: bool,
}

/// Returns the statement that `format('…', …)` makes; `None` if the tokens are something else.
fn formatted(parts: &[Token], cursor: &Cursor<'_>) -> Option<Pattern> {
    let [format, open, first, next, ..] = parts else {
        return None;
    };
    let of = |token: &Token| cursor.text_of(*token);
    let is_call = format.is(cursor.text(), "format") && of(open) == "(" && first.kind == Kind::Text;
    let is_pattern = is_plain(of(first)) && matches!(of(next), "," | ")");
    let mut depth = 0_usize;
    let closes = |part: &Token| {
        match of(part) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    };
    let ends_here = parts.iter().skip(1).position(closes) == Some(parts.len() - 2);
    (is_call && is_pattern && ends_here).then(|| filled(&unquoted(of(first))))
}

/// Fills a name in for `%I` and a value for `%L`.
fn filled(pattern: &str) -> Pattern {
    let mut found = Pattern {
        text: String::new(),
        is_only_names: true,
    };
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('%') {
        let is_option = |c: char| c.is_ascii_digit() || matches!(c, '$' | '-' | '*');
        let mut left = after.trim_start_matches(is_option).chars();
        let (filling, is_name) = match left.next() {
            Some('%') => ("%", true),
            Some('I') => ("\"%I\"", true),
            Some('L') => ("'%L'", true),
            Some(_) | None => ("\"%s\"", false),
        };
        found.text.push_str(before);
        found.text.push_str(filling);
        found.is_only_names &= is_name;
        rest = left.as_str();
    }
    found.text.push_str(rest);
    found
}

/// Whether a statement loses nothing whatever its names are. A name may be filled in that reads as a verb, so
/// every verb must stand there.
fn is_harmless(text: &str) -> bool {
    const MADE: [&str; 7] = [
        "INDEX",
        "UNIQUE",
        "SEQUENCE",
        "EXTENSION",
        "VIEW",
        "POLICY",
        "SCHEMA",
    ];
    const DROPPED: [&str; 5] = ["INDEX", "TRIGGER", "SEQUENCE", "RULE", "POLICY"];
    let mut cursor = Cursor::new(text, Engine::Postgres);
    if text.trim_end_matches([';', ' ', '\n']).contains(';') {
        return false;
    }
    match cursor.eat_any(&["GRANT", "REVOKE", "COMMENT", "CREATE", "DROP", "ALTER"]) {
        Some("CREATE") => cursor.at_any(&MADE).is_some(),
        Some("DROP") => cursor.at_any(&DROPPED).is_some() && dropped(cursor).is_none(),
        Some("ALTER") => altered::only_adds(cursor),
        Some(_) => true,
        None => false,
    }
}
