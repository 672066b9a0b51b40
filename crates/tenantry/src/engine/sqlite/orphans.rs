//! Rows that refer to rows which are not there: counted, because no foreign key is enforced meanwhile.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::ffi::ErrorCode;

use super::error::is;
use crate::code::Code;
use crate::engine::DatabaseError;

/// A table and the one that it refers to.
type Key = (String, String);

/// The orphans of one key.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    count: i64,
    /// The last of them; `None` in a table without rowids.
    row: Option<i64>,
}

/// How many rows break which foreign key.
#[derive(Clone, Debug, Default)]
pub(super) struct Orphans(BTreeMap<Key, Found>);

impl Orphans {
    /// Counts them in the database itself; every table with a foreign key is read.
    ///
    /// A table whose key points at columns that are not unique is passed over: SQLite cannot check it, and
    /// stops the check of all others with it.
    pub(super) fn count(connection: &Connection) -> rusqlite::Result<Self> {
        let mut found = Self::default();
        match found.add(connection, "PRAGMA main.foreign_key_check") {
            Err(error) if is_mismatch(&error) => Self::count_each(connection),
            counted => counted.map(|()| found),
        }
    }

    /// Counts table by table, where one of them stops the check of all at once.
    fn count_each(connection: &Connection) -> rusqlite::Result<Self> {
        let tables: Vec<String> = connection
            .prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table'")?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let mut all = Self::default();
        for table in tables {
            let mut found = Self::default();
            let check = format!(
                "PRAGMA main.foreign_key_check(\"{}\")",
                table.replace('"', "\"\"")
            );
            match found.add(connection, &check) {
                Ok(()) => all.0.extend(found.0),
                Err(error) if is_mismatch(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// Adds what a check finds: a row for each orphan.
    fn add(&mut self, connection: &Connection, check: &str) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(check)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let found = self.0.entry((row.get(0)?, row.get(2)?)).or_default();
            found.count += 1;
            found.row = found.row.max(row.get(1)?);
        }
        Ok(())
    }

    /// Returns what to say if there are more now than before; those that were there already count for
    /// nothing, also where their table was renamed.
    pub(super) fn grown_since(&self, before: &Self) -> Option<DatabaseError> {
        let more = self.total() - before.total();
        if more <= 0 {
            return None;
        }
        let was = |key: &Key| before.0.get(key).map_or(0, |found| found.count);
        let ((table, parent), found) = self.0.iter().find(|(key, found)| found.count > was(key))?;
        let row = found.row.map_or_else(String::new, |row| format!(" {row}"));
        Some(DatabaseError {
            message: format!("row{row} of table `{table}` refers to a row of `{parent}` that is not there"),
            code: "SQLite foreign_key_check".to_owned(),
            detail: Some(format!(
                "{} rows break a foreign key now, {} did before this file",
                self.total(),
                before.total()
            )),
            hint: Some(
                "foreign keys are not enforced while a migration runs: ON DELETE and ON UPDATE do nothing; \
                 change the rows that refer to others in the same file"
                    .to_owned(),
            ),
            class: Code(2004),
            transient: false,
        })
    }

    fn total(&self) -> i64 {
        self.0.values().map(|found| found.count).sum()
    }
}

/// Returns whether a key points at columns that are not unique; SQLite has no code for it.
fn is_mismatch(error: &rusqlite::Error) -> bool {
    is(error, ErrorCode::Unknown) && error.to_string().contains("foreign key mismatch")
}
