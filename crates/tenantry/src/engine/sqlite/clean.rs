//! Every file begins in the same session: what the one before it left there is taken away.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _};

/// What a file can set for its connection, at the values that a new connection of ours has ("PRAGMA
/// Statements"); what the file itself keeps, and what has no effect on SQL, is not here.
const PRAGMAS: [(&str, &str); 14] = [
    ("query_only", "OFF"),
    ("automatic_index", "ON"),
    ("case_sensitive_like", "OFF"),
    ("cell_size_check", "OFF"),
    ("count_changes", "OFF"),
    ("defer_foreign_keys", "OFF"),
    ("empty_result_callbacks", "OFF"),
    ("full_column_names", "OFF"),
    ("ignore_check_constraints", "OFF"),
    ("legacy_alter_table", "OFF"),
    ("recursive_triggers", "OFF"),
    ("reverse_unordered_selects", "OFF"),
    ("short_column_names", "ON"),
    ("writable_schema", "OFF"),
];

/// Those that SQLite does not let anybody change inside a transaction.
const PRAGMAS_OUTSIDE: [(&str, &str); 4] = [
    ("synchronous", "FULL"),
    ("temp_store", "DEFAULT"),
    ("locking_mode", "NORMAL"),
    ("cache_size", "-2000"),
];

/// Takes away what a file has set for its connection, and its temporary objects.
pub(super) fn traces(connection: &Connection) -> rusqlite::Result<()> {
    set(connection, &PRAGMAS)?;
    drop_temporary(connection)?;
    if connection.is_autocommit() {
        set(connection, &PRAGMAS_OUTSIDE)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
        keep_journal_on_disk(connection)?;
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    Ok(())
}

fn set(connection: &Connection, pragmas: &[(&str, &str)]) -> rusqlite::Result<()> {
    for (name, value) in pragmas {
        // Some answer with the new value and some do not.
        connection
            .query_row(&format!("PRAGMA {name} = {value}"), [], |_| Ok(()))
            .optional()?;
    }
    Ok(())
}

/// A journal in memory is the connection's own choice, and lost with the process.
fn keep_journal_on_disk(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    if mode.eq_ignore_ascii_case("wal") || mode.eq_ignore_ascii_case("delete") {
        return Ok(());
    }
    connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
}

/// Triggers go before what they stand on, and indexes with their table.
fn drop_temporary(connection: &Connection) -> rusqlite::Result<()> {
    const LEFT: &str = "SELECT type, name FROM sqlite_temp_schema WHERE type IN ('trigger', 'view', 'table')
        AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY type DESC";
    let left: Vec<(String, String)> = connection
        .prepare(LEFT)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (kind, name) in left {
        let name = name.replace('"', "\"\"");
        connection.execute_batch(&format!("DROP {kind} IF EXISTS temp.\"{name}\""))?;
    }
    Ok(())
}
