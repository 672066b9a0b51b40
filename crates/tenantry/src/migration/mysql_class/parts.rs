//! Which columns and indexes a statement adds to its table and takes from it.

use std::collections::BTreeSet;

use crate::engine::Engine;
use crate::migration::cursor::Cursor;

/// Names that a statement adds and takes away, in lower case.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    come: BTreeSet<String>,
    gone: BTreeSet<String>,
}

impl Names {
    /// Returns whether the names that are there now are those that the statement leaves behind.
    pub(crate) fn fit(&self, now: &BTreeSet<String>) -> bool {
        let is_there = |name: &String| name == VERSIONING || now.contains(name);
        self.come.iter().all(is_there) && self.gone.difference(&self.come).all(|name| !now.contains(name))
    }

    fn is_empty(&self) -> bool {
        self.come.is_empty() && self.gone.is_empty()
    }
}

/// What one statement does to the parts of its table, as far as it names them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Its columns.
    pub(crate) columns: Names,
    /// Its indexes.
    pub(crate) indexes: Names,
}

impl Parts {
    /// Reads `ALTER TABLE`, `CREATE INDEX` and `DROP INDEX`; nothing for any other statement.
    pub(crate) fn of(statement: &str) -> Self {
        let mut parts = Self::default();
        let mut cursor = Cursor::new(super::body(statement), Engine::MySql);
        match cursor.eat_any(&["ALTER", "CREATE", "DROP"]) {
            Some("ALTER") => parts.alter(cursor),
            Some("CREATE") => {
                cursor.eat_all(&["OR", "REPLACE"]);
                cursor.eat_any(&["UNIQUE", "FULLTEXT", "SPATIAL"]);
                if cursor.eat("INDEX") {
                    parts.indexes.come.extend(guarded_name(&mut cursor));
                }
            }
            Some(_) if cursor.eat("INDEX") => parts.indexes.gone.extend(guarded_name(&mut cursor)),
            Some(_) | None => {}
        }
        parts
    }

    /// Returns whether no part is named.
    pub(crate) fn is_empty(&self) -> bool {
        self.columns.is_empty() && self.indexes.is_empty()
    }

    /// Returns whether a column is taken away and one of its name comes: the table may look as before, and its
    /// rows do not.
    pub(crate) fn replace_columns(&self) -> bool {
        !self.columns.come.is_disjoint(&self.columns.gone)
    }

    fn alter(&mut self, mut cursor: Cursor<'_>) {
        while cursor.eat_any(&["ONLINE", "IGNORE"]).is_some() {}
        if !cursor.eat("TABLE") {
            return;
        }
        cursor.eat_all(&["IF", "EXISTS"]);
        if cursor.qualified().is_none() {
            return;
        }
        if cursor.eat("WAIT") {
            cursor.bump();
        }
        cursor.eat("NOWAIT");
        loop {
            self.action(cursor.clone());
            if !to_next_action(&mut cursor) {
                return;
            }
        }
    }

    fn action(&mut self, mut cursor: Cursor<'_>) {
        match cursor.eat_any(&["ADD", "DROP", "CHANGE", "RENAME"]) {
            Some("ADD") => self.add(cursor),
            Some("DROP") => self.drop(cursor),
            Some("CHANGE") => {
                cursor.eat("COLUMN");
                let old = guarded_name(&mut cursor);
                let new = name(&mut cursor);
                self.columns.renamed(old, new);
            }
            Some(_) => self.rename(cursor),
            None => {}
        }
    }

    fn rename(&mut self, mut cursor: Cursor<'_>) {
        let Some(what) = cursor.eat_any(&["COLUMN", "INDEX", "KEY"]) else {
            return;
        };
        let old = guarded_name(&mut cursor);
        cursor.eat("TO");
        let new = name(&mut cursor);
        let names = if what == "COLUMN" {
            &mut self.columns
        } else {
            &mut self.indexes
        };
        names.renamed(old, new);
    }

    fn add(&mut self, mut cursor: Cursor<'_>) {
        const OTHERS: [&str; 6] = ["CONSTRAINT", "FOREIGN", "CHECK", "PARTITION", "PERIOD", "PRIMARY"];
        if cursor.eat_all(&["SYSTEM", "VERSIONING"]) {
            self.columns.come.insert(VERSIONING.to_owned());
            return;
        }
        if cursor.at_any(&OTHERS).is_some() {
            return;
        }
        let special = cursor.eat_any(&["UNIQUE", "FULLTEXT", "SPATIAL"]).is_some();
        if cursor.eat_any(&["INDEX", "KEY"]).is_some() || special {
            self.indexes.come.extend(guarded_name(&mut cursor));
            return;
        }
        cursor.eat("COLUMN");
        cursor.eat_all(&["IF", "NOT", "EXISTS"]);
        if !cursor.eat_symbol(b'(') {
            self.columns.come.extend(name(&mut cursor));
            return;
        }
        loop {
            self.columns.come.extend(name(&mut cursor));
            if !to_next_action(&mut cursor) {
                return;
            }
        }
    }

    fn drop(&mut self, mut cursor: Cursor<'_>) {
        const OTHERS: [&str; 6] = ["CONSTRAINT", "FOREIGN", "CHECK", "PARTITION", "PERIOD", "PRIMARY"];
        if cursor.eat_all(&["SYSTEM", "VERSIONING"]) {
            self.columns.gone.insert(VERSIONING.to_owned());
        } else if cursor.eat_any(&["INDEX", "KEY"]).is_some() {
            self.indexes.gone.extend(guarded_name(&mut cursor));
        } else if cursor.at_any(&OTHERS).is_none() {
            cursor.eat("COLUMN");
            self.columns.gone.extend(guarded_name(&mut cursor));
        }
    }
}

/// What stands for the old rows of a table with system versioning; no column can be called so.
const VERSIONING: &str = "system versioning";

impl Names {
    fn renamed(&mut self, old: Option<String>, new: Option<String>) {
        if old != new {
            self.gone.extend(old);
            self.come.extend(new);
        }
    }
}

fn guarded_name(cursor: &mut Cursor<'_>) -> Option<String> {
    cursor.eat_all(&["IF", "NOT", "EXISTS"]);
    cursor.eat_all(&["IF", "EXISTS"]);
    name(cursor)
}

fn name(cursor: &mut Cursor<'_>) -> Option<String> {
    cursor.name().map(|name| name.to_lowercase())
}

/// Steps past the next comma of this depth; returns whether there was one.
fn to_next_action(cursor: &mut Cursor<'_>) -> bool {
    let mut depth = 0_usize;
    while let Some(token) = cursor.bump() {
        match cursor.text_of(token) {
            "(" => depth += 1,
            ")" if depth == 0 => return false,
            ")" => depth -= 1,
            "," if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn columns_and_indexes_are_told_apart() {
        let parts = Parts::of(
            "ALTER ONLINE TABLE IF EXISTS d.t WAIT 5 ADD COLUMN IF NOT EXISTS `A b` DECIMAL(3, 2), DROP c, \
             ADD UNIQUE KEY u (x, y), DROP INDEX i, ADD (e INT, f INT), DROP PRIMARY KEY, DROP FOREIGN KEY k, \
             RENAME COLUMN g TO h, RENAME INDEX j TO l, CHANGE m M INT, ADD INDEX (z), ADD CONSTRAINT n CHECK (1)",
        );
        assert_eq!(parts.columns.come, set(&["a b", "e", "f", "h"]));
        assert_eq!(parts.columns.gone, set(&["c", "g"]));
        assert_eq!(parts.indexes.come, set(&["u", "l"]));
        assert_eq!(parts.indexes.gone, set(&["i", "j"]));
        assert!(!parts.replace_columns());
        let index = Parts::of("CREATE OR REPLACE UNIQUE INDEX IF NOT EXISTS I ON t (a)");
        assert_eq!(index.indexes.come, set(&["i"]));
        let index = Parts::of("SET STATEMENT lock_wait_timeout = 1 FOR DROP INDEX IF EXISTS I ON t");
        assert_eq!(index.indexes.gone, set(&["i"]));
        assert!(Parts::of("ALTER SEQUENCE s RESTART").is_empty());
        assert!(Parts::of("CREATE TABLE t (a INT)").is_empty());
    }

    #[test]
    fn a_column_that_goes_and_comes_is_seen() {
        for text in [
            "ALTER TABLE c DROP a, CHANGE b a INT, ADD b INT",
            "ALTER TABLE p CHANGE lon lat DOUBLE AFTER id, CHANGE lat lon DOUBLE",
            "ALTER TABLE t DROP COLUMN token, ADD COLUMN Token INT",
            "ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a",
            "ALTER TABLE t DROP SYSTEM VERSIONING, ADD SYSTEM VERSIONING",
        ] {
            assert!(Parts::of(text).replace_columns(), "{text}");
        }
        for text in [
            "ALTER TABLE t DROP a, ADD b INT",
            "ALTER TABLE t CHANGE a a BIGINT",
            "ALTER TABLE t DROP INDEX a, ADD INDEX a (b)",
        ] {
            assert!(!Parts::of(text).replace_columns(), "{text}");
        }
    }

    #[test]
    fn names_fit_when_all_that_comes_is_there_and_all_that_goes_is_not() {
        let parts = Parts::of("ALTER TABLE t ADD a INT, DROP b, RENAME COLUMN c TO d");
        assert!(parts.columns.fit(&set(&["id", "a", "d"])));
        assert!(!parts.columns.fit(&set(&["id", "d"])));
        let versioned = Parts::of("ALTER TABLE t ADD SYSTEM VERSIONING");
        assert!(versioned.columns.fit(&set(&["id"])));
        assert!(!parts.columns.fit(&set(&["id", "a", "b", "d"])));
    }
}
