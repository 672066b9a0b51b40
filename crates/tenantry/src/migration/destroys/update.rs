//! An `UPDATE` that forgets what a column held.

use super::told::{Tables, is_told};
use super::value::{Value, value_of};
use crate::migration::cursor::Cursor;
use crate::migration::split::{Kind, Token};

/// Returns `UPDATE` if the statement forgets what a column held, `REPLACE` if rows give way to it, and `None`
/// otherwise. Stands behind the verb.
///
/// NULL, the default and an empty text forget the value of every row that is met, another constant only where
/// every row is met: with a WHERE it is a correction. Where WHERE says what the column held, nothing is forgotten.
pub(super) fn updated(mut cursor: Cursor<'_>) -> Option<&'static str> {
    if cursor.eat_all(&["OR", "REPLACE"]) {
        return Some("REPLACE");
    }
    let tables = Tables::read(cursor.clone());
    if !to_set(&mut cursor) {
        return None;
    }
    forgotten(cursor, &tables)
}

/// Returns `UPDATE` if rows that an `INSERT` finds in its way forget what a column held. Stands behind the verb.
pub(super) fn upserted(mut cursor: Cursor<'_>) -> Option<&'static str> {
    cursor.eat("SET");
    let text = cursor.text();
    let assignments = assignments(&mut cursor);
    let forgets = |assignment: &Vec<Token>| value_of(after_equals(assignment, text), text) == Value::Nothing;
    assignments.iter().any(forgets).then_some("UPDATE")
}

/// Stands behind SET.
fn forgotten(mut cursor: Cursor<'_>, tables: &Tables<'_>) -> Option<&'static str> {
    let assignments = assignments(&mut cursor);
    let has_where = to_where(&mut cursor) && is_choosing(cursor.clone());
    let forgotten = |assignment: &Vec<Token>| {
        let text = cursor.text();
        let equals = |token: &Token| token.is_symbol(text, b'=');
        let (columns, value) = assignment.split_at(assignment.iter().position(equals)?);
        let forgotten = match value_of(value, text) {
            Value::Nothing => !(has_where && is_told(&cursor, columns, tables)),
            Value::Constant => !has_where,
            Value::Derived => false,
        };
        forgotten.then_some("UPDATE")
    };
    assignments.iter().find_map(forgotten)
}

fn after_equals<'a>(assignment: &'a [Token], text: &str) -> &'a [Token] {
    let equals = assignment.iter().position(|token| token.is_symbol(text, b'='));
    equals.map_or(&[], |at| assignment.get(at + 1..).unwrap_or_default())
}

/// Steps behind SET; `false` if none follows in this statement, as behind `FOR UPDATE`.
fn to_set(cursor: &mut Cursor<'_>) -> bool {
    while let Some(token) = cursor.bump() {
        if token.is(cursor.text(), "SET") {
            return true;
        }
        if cursor.text_of(token) == ";" {
            return false;
        }
    }
    false
}

/// Returns the tokens of each of `a = 1, (b, c) = (2, 3)`; stands before what ends them.
fn assignments(cursor: &mut Cursor<'_>) -> Vec<Vec<Token>> {
    const ENDS: [&str; 6] = ["WHERE", "FROM", "RETURNING", "ORDER", "LIMIT", "WHEN"];
    let mut found = vec![Vec::new()];
    let mut depth = 0_usize;
    while let Some(token) = cursor.peek() {
        let text = cursor.text_of(token);
        // The parenthesis is that of the query which holds the statement.
        if depth == 0 && (cursor.at_any(&ENDS).is_some() || matches!(text, ")" | ";")) {
            break;
        }
        cursor.bump();
        match text {
            "," if depth == 0 => {
                found.push(Vec::new());
                continue;
            }
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            // The WHEN in a CASE is not that of a MERGE.
            _ if token.is(cursor.text(), "CASE") => depth += 1,
            _ if token.is(cursor.text(), "END") => depth = depth.saturating_sub(1),
            _ => {}
        }
        if let Some(last) = found.last_mut() {
            last.push(token);
        }
    }
    found
}

/// Steps behind WHERE; `false` if the statement has none.
fn to_where(cursor: &mut Cursor<'_>) -> bool {
    let mut depth = 0_usize;
    while let Some(token) = cursor.bump() {
        match cursor.text_of(token) {
            "(" => depth += 1,
            ")" if depth == 0 => return false,
            ")" => depth -= 1,
            ";" => return false,
            _ if depth == 0 && token.is(cursor.text(), "WHERE") => return true,
            _ => {}
        }
    }
    false
}

/// Whether a condition names anything: `WHERE 1` and `WHERE true` meet every row. Stands behind WHERE.
fn is_choosing(mut cursor: Cursor<'_>) -> bool {
    const ALWAYS: [&str; 2] = ["TRUE", "NOT"];
    while let Some(token) = cursor.bump() {
        if cursor.text_of(token) == ";" {
            return false;
        }
        let is_name = matches!(token.kind, Kind::Word | Kind::Name);
        if is_name && !ALWAYS.iter().any(|word| token.is(cursor.text(), word)) {
            return true;
        }
    }
    false
}
