//! What a file changes in its session, as far as its statements name it.

use std::collections::BTreeSet;

use crate::engine::Engine;
use crate::migration::cursor::{Cursor, unquoted};

/// The names that a file's statements give; a called procedure may change more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionChanges {
    /// System variables that are given a value, in lower case.
    pub(crate) system: BTreeSet<String>,
    /// User variables that occur at all, without their `@`.
    pub(crate) user: BTreeSet<String>,
    /// Temporary tables that are made, unquoted, without a database before them.
    pub(crate) tables: BTreeSet<String>,
}

impl SessionChanges {
    /// Adds what one statement names.
    pub(crate) fn note(&mut self, statement: &str) {
        let cursor = Cursor::new(statement, Engine::MySql);
        self.user_variables(cursor.clone());
        self.temporary_table(Cursor::new(super::body(statement), Engine::MySql));
        self.assignments(cursor);
    }

    fn user_variables(&mut self, mut cursor: Cursor<'_>) {
        while let Some(token) = cursor.bump() {
            if token.is_symbol(cursor.text(), b'@') && !cursor.eat_symbol(b'@') {
                self.user.extend(cursor.name().map(std::borrow::Cow::into_owned));
            }
        }
    }

    fn temporary_table(&mut self, mut cursor: Cursor<'_>) {
        if !cursor.eat("CREATE") {
            return;
        }
        cursor.eat_all(&["OR", "REPLACE"]);
        if !cursor.eat_all(&["TEMPORARY", "TABLE"]) {
            return;
        }
        cursor.eat_all(&["IF", "NOT", "EXISTS"]);
        let table = cursor.qualified();
        self.tables.extend(table.map(|table| table.name.into_owned()));
    }

    /// `SET a = 1, SESSION b = 2, @@SESSION.c = 3`: every name before a `=` outside parentheses that no
    /// single `@` precedes.
    fn assignments(&mut self, mut cursor: Cursor<'_>) {
        if !cursor.eat("SET") {
            return;
        }
        let (mut depth, mut marks, mut expected) = (0_usize, 0, true);
        while let Some(token) = cursor.bump() {
            match cursor.text_of(token) {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                "," if depth == 0 => (marks, expected) = (0, true),
                "@" => marks += 1,
                "." => {}
                _ if expected && depth == 0 && marks != 1 => {
                    let mut ahead = cursor.clone();
                    ahead.eat_symbol(b':');
                    if ahead.eat_symbol(b'=') {
                        let name = unquoted(token, cursor.text());
                        self.system.extend(name.map(|name| name.to_ascii_lowercase()));
                        expected = false;
                    }
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SessionChanges;

    fn noted(statements: &[&str]) -> SessionChanges {
        let mut changes = SessionChanges::default();
        for statement in statements {
            changes.note(statement);
        }
        changes
    }

    #[test]
    fn every_assigned_variable_is_named() {
        let changes = noted(&[
            "SET SESSION a = IF(x = 1, 2, 3), @@SESSION.b := 'c = d', @u = 1, `D`=4, GLOBAL e = @@f",
            "/*!40101 SET @OLD=@@SQL_MODE, SQL_MODE='' */",
            "SELECT n INTO @taken FROM t",
        ]);
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(changes.system, all(&["a", "b", "d", "e", "sql_mode"]));
        assert_eq!(changes.user, all(&["u", "OLD", "taken"]));
    }

    #[test]
    fn temporary_tables_are_named_and_others_are_not() {
        let changes = noted(&[
            "CREATE OR REPLACE TEMPORARY TABLE `a b` (n INT)",
            "CREATE TEMPORARY TABLE IF NOT EXISTS c SELECT 1",
            "CREATE TABLE d (n INT)",
        ]);
        assert_eq!(changes.tables.into_iter().collect::<Vec<_>>(), ["a b", "c"]);
    }
}
