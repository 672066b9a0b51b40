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
    /// Counts them in the database itself. Without any foreign key this is one look at the schema.
    ///
    /// A table whose key points at columns that are not unique is passed over: SQLite cannot check it.
    pub(super) fn count(connection: &Connection) -> rusqlite::Result<Self> {
        const WITH_KEYS: &str = "SELECT name FROM main.sqlite_schema
            WHERE type = 'table' AND instr(upper(sql), 'REFERENCES') > 0";
        let tables: Vec<String> = connection
            .prepare(WITH_KEYS)?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let mut found = BTreeMap::new();
        for table in tables {
            match of_table(connection, &table) {
                Ok(keys) => found.extend(keys),
                Err(error) if is_mismatch(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self(found))
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

fn of_table(connection: &Connection, table: &str) -> rusqlite::Result<Vec<(Key, Found)>> {
    const CHECK: &str = "SELECT parent, count(*), max(rowid)
        FROM pragma_foreign_key_check(?1, 'main') GROUP BY parent";
    connection
        .prepare(CHECK)?
        .query_map([table], |row| {
            let key = (table.to_owned(), row.get(0)?);
            let found = Found {
                count: row.get(1)?,
                row: row.get(2)?,
            };
            Ok((key, found))
        })?
        .collect()
}

/// Returns whether a key points at columns that are not unique; SQLite has no code for it.
fn is_mismatch(error: &rusqlite::Error) -> bool {
    is(error, ErrorCode::Unknown) && error.to_string().contains("foreign key mismatch")
}
