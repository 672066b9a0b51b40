//! Looks through a file for what is told.

use super::{LineEnding, Warning, WarningKind};
use crate::direction::Direction;
use crate::engine::Engine;
use crate::migration::cursor::Cursor;
use crate::migration::mysql_class::cannot_go_on;
use crate::migration::problem::around;
use crate::migration::script::Script;
use crate::migration::split::{Kind as TokenKind, Lexer};
use crate::migration::version::Version;

/// The most warnings that are listed for one file: more help nobody.
const MOST: usize = 20;

/// How much of a comment is shown, in characters.
const SHOWN: usize = 60;

/// Returns what is to be told about a file that may run; `line_endings` is what [`mixed_line_endings`] said
/// of the file as it was read.
pub(in crate::migration) fn check(
    script: &Script,
    line_endings: Option<(usize, WarningKind)>,
    engine: Engine,
    (version, direction): (Version, Direction),
) -> Vec<Warning> {
    let mut found: Vec<(usize, WarningKind)> = line_endings.into_iter().collect();
    found.extend(cr_in_string(script, engine));
    if engine == Engine::MySql {
        found.extend(lost_with_session(script));
        for (index, statement) in script.statements.iter().enumerate() {
            let start = statement.range().start;
            let text = script.statement(index);
            found.extend(several_tables(text).map(|kind| (start, kind)));
            found.extend(
                conditional_comments(text)
                    .into_iter()
                    .map(|(at, kind)| (start + at, kind)),
            );
        }
    }
    if engine == Engine::Sqlite {
        found.extend(foreign_keys_on(script));
    }
    found.sort_by_key(|(offset, _)| *offset);
    found.truncate(MOST);
    found
        .into_iter()
        .map(|(offset, kind)| {
            let (snippet, caret) = around(&script.text, offset);
            Warning {
                version,
                direction,
                path: script.path.clone(),
                place: script.place(offset),
                snippet,
                caret,
                kind,
            }
        })
        .collect()
}

/// Returns the first line that ends in another way than the first one, by its offset in the text.
pub(in crate::migration) fn mixed_line_endings(bytes: &[u8]) -> Option<(usize, WarningKind)> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut first = None;
    let mut line = 0;
    let mut at = 0;
    while let Some(found) = text.get(at..)?.iter().position(|b| matches!(b, b'\r' | b'\n')) {
        let end = at + found;
        let (here, length) = match (text.get(end), text.get(end + 1)) {
            (Some(b'\n'), _) => (LineEnding::Lf, 1),
            (_, Some(b'\n')) => (LineEnding::CrLf, 2),
            (_, _) => (LineEnding::Cr, 1),
        };
        match first {
            None => first = Some(here),
            Some(first) if first != here => {
                return Some((line, WarningKind::MixedLineEndings { first, here }));
            }
            Some(_) => {}
        }
        at = end + length;
        line = at;
    }
    None
}

/// Returns the first string with a line that ends in CRLF: with another checkout of the same file the database
/// gets another text. One is enough, since all are mended together.
fn cr_in_string(script: &Script, engine: Engine) -> Option<(usize, WarningKind)> {
    if !script.text.contains('\r') {
        return None;
    }
    script
        .statements
        .iter()
        .enumerate()
        .find_map(|(index, statement)| {
            let text = script.statement(index);
            let mut tokens = Lexer::new(text, engine).map_while(Result::ok);
            let found =
                tokens.find(|token| token.kind == TokenKind::Text && token.text(text).contains('\r'))?;
            Some((
                statement.range().start + found.start as usize,
                WarningKind::CrInString,
            ))
        })
}

/// The servers drop the tables of one statement one by one; MySQL before 8.0 and every MariaDB commit each.
fn several_tables(text: &str) -> Option<WarningKind> {
    let mut cursor = Cursor::new(text, Engine::MySql);
    if !cursor.eat("DROP") {
        return None;
    }
    cursor.eat("TEMPORARY");
    cursor.eat_any(&["TABLE", "TABLES"])?;
    let mut tables = 1;
    while let Some(token) = cursor.bump() {
        tables += usize::from(token.is_symbol(text, b','));
    }
    (tables > 1).then_some(WarningKind::SeveralTables(tables))
}

fn lost_with_session(script: &Script) -> Option<(usize, WarningKind)> {
    let (statement, kept) = cannot_go_on(script)?;
    let start = script.statements.get(statement)?.range().start;
    Some((start, WarningKind::LostWithSession(kept)))
}

/// Returns whether a statement turns foreign keys on or off; `None` if it does neither.
fn foreign_keys(text: &str) -> Option<bool> {
    let mut cursor = Cursor::new(text, Engine::Sqlite);
    let ours = cursor.eat("PRAGMA") && cursor.qualified()?.name.eq_ignore_ascii_case("foreign_keys");
    if !ours || !(cursor.eat_symbol(b'=') || cursor.eat_symbol(b'(')) {
        return None;
    }
    let value = cursor.peek().map(|token| cursor.text_of(token))?;
    let value = value.trim_matches(['\'', '"']);
    Some(
        ["on", "true", "yes", "1"]
            .iter()
            .any(|on| value.eq_ignore_ascii_case(on)),
    )
}

/// Returns the statement that turns foreign keys on for what comes behind it. The end of a bracket that
/// turned them off, as programs write it around a table that is rebuilt, says nothing.
fn foreign_keys_on(script: &Script) -> Option<(usize, WarningKind)> {
    let mut bracket = None;
    for (index, statement) in script.statements.iter().enumerate() {
        match (foreign_keys(script.statement(index)), bracket) {
            (Some(false), _) => bracket = Some(None),
            (Some(true), Some(None)) => bracket = Some(Some(statement.range().start)),
            (Some(true), _) => return Some((statement.range().start, WarningKind::ForeignKeysStayOff)),
            (None, Some(Some(start))) => return Some((start, WarningKind::ForeignKeysStayOff)),
            (None, _) => {}
        }
    }
    None
}

fn conditional_comments(text: &str) -> Vec<(usize, WarningKind)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, usize)> = None;
    for token in Lexer::new(text, Engine::MySql).map_while(Result::ok) {
        match (token.kind, open) {
            (TokenKind::CodeOpen, _) => open = Some((token.start as usize, token.end as usize)),
            (TokenKind::CodeClose, Some((start, end))) => {
                let marks = text.get(start..end).unwrap_or_default();
                let inside = text.get(end..token.start as usize).unwrap_or_default();
                found.push((start, conditional_comment(marks, inside)));
                open = None;
            }
            (_, _) => {}
        }
    }
    found
}

fn conditional_comment(marks: &str, inside: &str) -> WarningKind {
    let digits: String = marks.chars().filter(char::is_ascii_digit).collect();
    let words = inside.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text: String = words.chars().take(SHOWN).collect();
    if text.len() < words.len() {
        text.push('…');
    }
    WarningKind::ConditionalComment {
        from: digits.parse().ok(),
        text,
    }
}
