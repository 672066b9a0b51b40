//! Whether the WHERE of an `UPDATE` says what a column held.

use std::borrow::Cow;

use crate::migration::cursor::{Cursor, unquoted};
use crate::migration::split::{Kind, Token};

/// What stands between UPDATE and SET.
pub(super) struct Tables<'a> {
    /// Every word, names of other tables too.
    words: Vec<Cow<'a, str>>,
    /// How the first table is called in the rest of the statement.
    first: Option<Cow<'a, str>>,
}

impl<'a> Tables<'a> {
    /// Reads them. Stands behind the verb.
    pub(super) fn read(mut cursor: Cursor<'a>) -> Self {
        let mut words = Vec::new();
        let mut ahead = cursor.clone();
        while let Some(token) = ahead.bump()
            && !token.is(ahead.text(), "SET")
            && ahead.text_of(token) != ";"
        {
            words.extend(unquoted(token, ahead.text()));
        }
        if cursor.eat("OR") {
            cursor.bump();
        }
        while cursor.eat_any(&["LOW_PRIORITY", "IGNORE", "ONLY"]).is_some() {}
        let table = cursor.qualified().map(|table| table.name);
        cursor.eat_symbol(b'*');
        let is_renamed = cursor.eat("AS") || !cursor.at("SET");
        let alias = is_renamed.then(|| cursor.name()).flatten();
        let first = alias.or(table);
        Self { words, first }
    }
}

/// A column that is given a value.
struct Column<'a> {
    table: Option<Cow<'a, str>>,
    name: Cow<'a, str>,
}

impl<'a> Column<'a> {
    /// Reads `x`, `a.x`, `x[1]` and each of `(x, y)`.
    fn read_all(tokens: &[Token], text: &'a str) -> Vec<Self> {
        let items = tokens.split(|token| token.is_symbol(text, b','));
        items.filter_map(|item| Self::read(item, text)).collect()
    }

    fn read(tokens: &[Token], text: &'a str) -> Option<Self> {
        let mut tokens = tokens.iter().skip_while(|token| token.is_symbol(text, b'('));
        let name = unquoted(*tokens.next()?, text)?;
        let mut found = Self { table: None, name };
        while tokens.next().is_some_and(|token| token.is_symbol(text, b'.')) {
            let name = unquoted(*tokens.next()?, text)?;
            found = Self {
                table: Some(found.name),
                name,
            };
        }
        Some(found)
    }

    /// Whether it is a column of a table that the statement names, not a part of a column.
    fn is_of(&self, tables: &Tables<'_>) -> bool {
        let table = self.table.as_ref();
        table.is_none_or(|table| tables.words.contains(table))
    }

    /// Steps over this column's name; `false` if another stands there.
    fn is_next(&self, cursor: &mut Cursor<'_>, tables: &Tables<'_>) -> bool {
        let Some(found) = cursor.qualified() else {
            return false;
        };
        let table = self.table.as_ref().or(tables.first.as_ref());
        let is_same = found.before.is_none_or(|before| table == Some(&before));
        is_same && found.name.eq_ignore_ascii_case(&self.name)
    }
}

/// Whether a condition says what each of the columns held, in every row that is met: `x = 1`, `x IN (1, 2)`,
/// `x IS NULL`, alone or with AND. Stands behind WHERE.
pub(super) fn is_told(cursor: &Cursor<'_>, columns: &[Token], tables: &Tables<'_>) -> bool {
    let columns = Column::read_all(columns, cursor.text());
    let is_told = |column: &Column<'_>| column.is_of(tables) && says(cursor.clone(), column, tables);
    !columns.is_empty() && columns.iter().all(is_told)
}

fn says(mut cursor: Cursor<'_>, column: &Column<'_>, tables: &Tables<'_>) -> bool {
    let text = cursor.text();
    let mut depth = 0_usize;
    let (mut found, mut is_first, mut is_between) = (false, true, false);
    while let Some(token) = cursor.peek() {
        let raw = cursor.text_of(token);
        if depth == 0 {
            // `||` is OR to MySQL.
            if cursor.at_any(&["OR", "XOR"]).is_some() || raw == "|" {
                return false;
            }
            if matches!(raw, ")" | ";") {
                break;
            }
            let mut ahead = cursor.clone();
            found |= is_first && column.is_next(&mut ahead, tables) && is_compared(ahead);
        }
        match raw {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ if token.is(text, "CASE") => depth += 1,
            _ if token.is(text, "END") => depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_and = token.is(text, "AND");
        is_first = is_and && !is_between;
        is_between = token.is(text, "BETWEEN") || (is_between && !is_and);
        cursor.bump();
    }
    found
}

/// Whether a column is compared to what stands in the file, and nothing is made of the answer. Stands behind its
/// name.
fn is_compared(mut cursor: Cursor<'_>) -> bool {
    let is_literal = if cursor.eat("IN") {
        cursor.eat_symbol(b'(') && literals(&mut cursor)
    } else {
        cursor.eat_all(&["IS", "NULL"]) || (cursor.eat_symbol(b'=') && literal(&mut cursor))
    };
    let ends = |token| matches!(cursor.text_of(token), ")" | ";");
    let goes_on = ["AND", "RETURNING", "ORDER", "LIMIT"];
    is_literal && (cursor.at_any(&goes_on).is_some() || cursor.peek().is_none_or(ends))
}

/// Steps over `1, 2)`.
fn literals(cursor: &mut Cursor<'_>) -> bool {
    while literal(cursor) {
        if !cursor.eat_symbol(b',') {
            return cursor.eat_symbol(b')');
        }
    }
    false
}

/// Steps over a text, a number or a truth value, with PostgreSQL's `::type`.
fn literal(cursor: &mut Cursor<'_>) -> bool {
    let is_negative = cursor.eat_symbol(b'-');
    let is_truth = cursor.eat_any(&["TRUE", "FALSE"]).is_some();
    let kind = cursor.peek().map(|token| token.kind);
    let is_value = kind == Some(Kind::Number) || (kind == Some(Kind::Text) && !is_negative);
    if !is_truth && is_value {
        cursor.bump();
    }
    while cursor.eat_symbol(b':') {
        if !cursor.eat_symbol(b':') || cursor.qualified().is_none() {
            return false;
        }
        cursor.eat_any(&["VARYING", "PRECISION"]);
        if cursor.eat_symbol(b'(') {
            while cursor.peek().is_some() && !cursor.eat_symbol(b')') {
                cursor.bump();
            }
        }
    }
    is_truth || is_value
}
