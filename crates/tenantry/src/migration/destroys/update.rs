//! An `UPDATE` that forgets what a column held.

use crate::migration::cursor::{Cursor, unquoted};
use crate::migration::split::{Kind, Token};

/// What a column is set to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    /// NULL or the default: what was there is taken away.
    Nothing,
    /// A text, a number, the time: another value takes its place.
    Constant,
    /// What is made of something that has a name: a column, a query, a variable.
    Derived,
}

/// Returns `UPDATE` if the statement forgets what a column held, `REPLACE` if rows give way to it, and `None`
/// otherwise. Stands behind the verb.
///
/// NULL, the default and an empty text forget the value of every row that is met, another constant only where
/// every row is met: with a WHERE it is a correction. Where WHERE says what the column held, nothing is forgotten.
pub(super) fn updated(mut cursor: Cursor<'_>) -> Option<&'static str> {
    if cursor.eat_all(&["OR", "REPLACE"]) {
        return Some("REPLACE");
    }
    if !to_set(&mut cursor) {
        return None;
    }
    forgotten(cursor)
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
fn forgotten(mut cursor: Cursor<'_>) -> Option<&'static str> {
    let assignments = assignments(&mut cursor);
    let has_where = to_where(&mut cursor) && is_choosing(cursor.clone());
    let forgotten = |assignment: &Vec<Token>| {
        let text = cursor.text();
        let equals = |token: &Token| token.is_symbol(text, b'=');
        let (columns, value) = assignment.split_at(assignment.iter().position(equals)?);
        let forgotten = match value_of(value, text) {
            Value::Nothing => !(has_where && is_told(cursor.clone(), columns)),
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

fn value_of(tokens: &[Token], text: &str) -> Value {
    let is_nothing = |at: usize, token: &Token| {
        let before = at.checked_sub(1).and_then(|at| tokens.get(at));
        let is_asked = before.is_some_and(|t| t.is(text, "IS") || t.is(text, "NOT"));
        token.is(text, "DEFAULT") || (token.is(text, "NULL") && !is_asked)
    };
    let words = || tokens.iter().enumerate();
    let is_empty = matches!(tokens, [.., last] if matches!(last.text(text), "''" | "\"\"") && last.kind == Kind::Text)
        && tokens.len() <= 2;
    let is_name = |token: &Token| matches!(token.kind, Kind::Word | Kind::Name);
    if is_empty || words().any(|(at, token)| is_nothing(at, token)) {
        Value::Nothing
    } else if words().any(|(at, token)| is_name(token) && is_column(tokens, at, text)) {
        Value::Derived
    } else {
        Value::Constant
    }
}

/// Whether a word of a value is a column, or belongs to a query: it is no function, no type and no constant.
fn is_column(tokens: &[Token], at: usize, text: &str) -> bool {
    const CONSTANTS: [&str; 18] = [
        "SELECT",
        "TRUE",
        "FALSE",
        "AS",
        "INTERVAL",
        "DATE",
        "TIME",
        "TIMESTAMP",
        "ARRAY",
        "ROW",
        "NOT",
        "CURRENT_TIMESTAMP",
        "CURRENT_DATE",
        "CURRENT_TIME",
        "LOCALTIMESTAMP",
        "LOCALTIME",
        "CURRENT_USER",
        "SESSION_USER",
    ];
    let is = |at: Option<usize>, wanted: &[u8]| {
        let token = at.and_then(|at| tokens.get(at));
        token.is_some_and(|token| wanted.iter().any(|symbol| token.is_symbol(text, *symbol)))
    };
    let before = at.checked_sub(1);
    let typed = before
        .and_then(|at| tokens.get(at))
        .is_some_and(|t| t.is(text, "AS"))
        || is(before, b":");
    let called = is(Some(at + 1), b"(");
    let constant = tokens
        .get(at)
        .is_some_and(|token| CONSTANTS.iter().any(|word| token.is(text, word)));
    !(typed || called || constant)
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

/// Whether a condition says what one of the columns held, in every row that is met: `x = 1`, `x IN (1, 2)`,
/// `x IS NULL`, alone or with AND. Stands behind WHERE.
fn is_told(mut cursor: Cursor<'_>, columns: &[Token]) -> bool {
    let text = cursor.text();
    let named: Vec<_> = columns
        .iter()
        .filter(|token| matches!(token.kind, Kind::Word | Kind::Name))
        .filter_map(|token| unquoted(*token, text))
        .collect();
    let mut depth = 0_usize;
    let mut found = false;
    let mut is_negated = false;
    while let Some(token) = cursor.bump() {
        match cursor.text_of(token) {
            "(" => depth += 1,
            ")" if depth == 0 => break,
            ")" => depth -= 1,
            ";" => break,
            _ if depth > 0 => {}
            _ if ["OR", "XOR"].iter().any(|word| token.is(text, word)) => return false,
            _ => {
                let name = unquoted(token, text);
                let is_ours = name.is_some_and(|name| named.iter().any(|n| n.eq_ignore_ascii_case(&name)));
                found |= is_ours && !is_negated && is_compared(cursor.clone());
            }
        }
        is_negated = token.is(text, "NOT") || (is_negated && !token.is(text, "AND"));
    }
    found
}

/// Whether a column is compared to what stands in the file. Stands behind its name.
fn is_compared(mut cursor: Cursor<'_>) -> bool {
    if cursor.eat_all(&["IS", "NULL"]) {
        return true;
    }
    let is_list = cursor.eat("IN") && cursor.eat_symbol(b'(');
    if !is_list && !cursor.eat_symbol(b'=') {
        return false;
    }
    cursor.eat_symbol(b'-');
    let text = cursor.text();
    let is_literal = cursor.bump().is_some_and(|token| {
        let is_word = ["TRUE", "FALSE"].iter().any(|word| token.is(text, word));
        is_word || matches!(token.kind, Kind::Text | Kind::Number)
    });
    let goes_on = cursor.peek().is_some_and(|token| {
        token.kind == Kind::Symbol && !matches!(cursor.text_of(token), "," | ")" | ";" | ":")
    });
    is_literal && !goes_on
}
