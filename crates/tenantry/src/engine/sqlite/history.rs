//! Reading our two tables in an SQLite file.

use rusqlite::types::FromSql;
use rusqlite::{Connection, Row, Statement};

use super::error::{foreign_program, statement_error};
use crate::engine::SessionError;
use crate::history::{
    Applied, FORMAT, HISTORY_COLUMNS, HISTORY_TABLE, History, META_COLUMNS, META_TABLE, Meta, Phase,
};
use crate::migration::{Checksum, Version};
use crate::target::TrackName;

const LOOK: &str = "SELECT
    coalesce(max(name = '_tenantry_meta'), 0),
    coalesce(max(name = '_tenantry_history'), 0),
    coalesce(max(name NOT IN ('_tenantry_meta', '_tenantry_history')), 0)
    FROM main.sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite~_%' ESCAPE '~'";

/// Its last value is whether there is a trigger on one of our tables: asked here, it is no statement of its own.
const META: &str = "SELECT *, EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'trigger'
    AND tbl_name COLLATE NOCASE IN ('_tenantry_meta', '_tenantry_history')) FROM main._tenantry_meta";

/// All columns in the order of the table, as the format that the meta row names has them: looking names up
/// is a large part of planning this, which every file has to do anew. Columns behind them are somebody else's.
const ROWS: &str = "SELECT * FROM main._tenantry_history";

/// Which of our tables a file has, and whether it has others.
struct Found {
    meta: bool,
    history: bool,
    others: bool,
}

fn look(connection: &Connection) -> rusqlite::Result<Found> {
    connection.query_row(LOOK, [], |row| {
        Ok(Found {
            meta: row.get(0)?,
            history: row.get(1)?,
            others: row.get(2)?,
        })
    })
}

/// Reads both tables; an absent history if ours are not there. The caller's transaction makes it one
/// snapshot.
pub(super) fn read(connection: &Connection, endpoint: &str) -> Result<History, SessionError> {
    // Preparing a statement takes no snapshot yet: somebody else's first run may have made the tables since.
    for _ in 0..2 {
        if let Some(history) = read_once(connection, endpoint)? {
            return Ok(history);
        }
    }
    Err(damaged("our tables come and go"))
}

/// The same; `None` if the tables came while it looked.
fn read_once(connection: &Connection, endpoint: &str) -> Result<Option<History>, SessionError> {
    let refused = |error: &rusqlite::Error| statement_error(connection, endpoint, error);
    let meta = match connection.prepare(META) {
        Ok(statement) => read_meta(connection, endpoint, statement)?,
        Err(error) => return absent(connection, endpoint, &error),
    };
    let mut statement = match connection.prepare(ROWS) {
        Ok(statement) => statement,
        Err(error) => return absent(connection, endpoint, &error),
    };
    check_columns(&statement, HISTORY_TABLE, &HISTORY_COLUMNS)?;
    let mut rows = Vec::new();
    let mut found = statement.query([]).map_err(|e| refused(&e))?;
    while let Some(row) = found.next().map_err(|e| refused(&e))? {
        rows.push(applied(row)?);
    }
    rows.sort_by(|a: &Applied, b| (&a.track, a.version).cmp(&(&b.track, b.version)));
    Ok(Some(History {
        meta: Some(meta),
        rows,
        occupied: false,
    }))
}

/// Reads the meta row; refuses a newer format, and triggers on our tables.
fn read_meta(
    connection: &Connection,
    endpoint: &str,
    mut statement: Statement<'_>,
) -> Result<Meta, SessionError> {
    let refused = |error: &rusqlite::Error| statement_error(connection, endpoint, error);
    check_columns(&statement, META_TABLE, &META_COLUMNS)?;
    let last = statement.column_count().saturating_sub(1);
    let mut rows = statement.query([]).map_err(|e| refused(&e))?;
    let Some(row) = rows.next().map_err(|e| refused(&e))? else {
        return Err(damaged("`_tenantry_meta` is empty"));
    };
    let meta = meta(row)?;
    if meta.format > FORMAT {
        return Err(SessionError::Unsuitable {
            endpoint: endpoint.to_owned(),
            reason: format!(
                "its tables have format {}, newer than this program's {FORMAT}",
                meta.format
            ),
        });
    }
    if row.get(last).map_err(|e| refused(&e))? {
        return Err(foreign_program(connection));
    }
    Ok(meta)
}

/// Says why our tables could not be read: they are not there, or one of them, or something else.
fn absent(
    connection: &Connection,
    endpoint: &str,
    error: &rusqlite::Error,
) -> Result<Option<History>, SessionError> {
    let found = look(connection).map_err(|e| statement_error(connection, endpoint, &e))?;
    match (found.meta, found.history) {
        (false, false) => Ok(Some(History {
            occupied: found.others,
            ..History::default()
        })),
        (true, false) => Err(damaged("`_tenantry_history` is missing")),
        (false, true) => Err(damaged("`_tenantry_meta` is missing")),
        (true, true) if error.to_string().contains("no such table") => Ok(None),
        (true, true) => Err(statement_error(connection, endpoint, error)),
    }
}

fn damaged(reason: &str) -> SessionError {
    SessionError::HistoryDamaged {
        reason: reason.to_owned(),
    }
}

/// Refuses a table that lacks one of our columns, or has it elsewhere.
fn check_columns(statement: &Statement<'_>, table: &str, columns: &[&str]) -> Result<(), SessionError> {
    let is_there =
        |(at, column): &(usize, &&str)| statement.column_name(*at).is_ok_and(|name| name == **column);
    match columns.iter().enumerate().find(|column| !is_there(column)) {
        None => Ok(()),
        Some((_, column)) => Err(damaged(&format!(
            "`{table}` does not have the column `{column}` in its place"
        ))),
    }
}

fn meta(row: &Row<'_>) -> Result<Meta, SessionError> {
    Ok(Meta {
        database_id: value(row, 1, &META_COLUMNS)?,
        tenant_id: value(row, 2, &META_COLUMNS)?,
        registry_id: value(row, 3, &META_COLUMNS)?,
        epoch: value(row, 4, &META_COLUMNS)?,
        format: value(row, 5, &META_COLUMNS)?,
    })
}

/// Returns the value of a column of ours; one of another kind is damage.
fn value<T: FromSql>(row: &Row<'_>, at: usize, columns: &[&str]) -> Result<T, SessionError> {
    row.get(at).map_err(|_| unreadable(at, columns))
}

fn unreadable(at: usize, columns: &[&str]) -> SessionError {
    let column = columns.get(at).copied().unwrap_or_default();
    damaged(&format!("a value of `{column}` cannot be read"))
}

/// Returns a number that we never write below zero.
fn unsigned<T: TryFrom<i64>>(row: &Row<'_>, at: usize) -> Result<T, SessionError> {
    let number: i64 = value(row, at, &HISTORY_COLUMNS)?;
    T::try_from(number).map_err(|_| unreadable(at, &HISTORY_COLUMNS))
}

fn applied(row: &Row<'_>) -> Result<Applied, SessionError> {
    let text = |at| value::<String>(row, at, &HISTORY_COLUMNS);
    let (track, checksum, phase) = (text(0)?, text(3)?, text(4)?);
    let version: i64 = value(row, 1, &HISTORY_COLUMNS)?;
    let bad = |what: &str| {
        damaged(&format!(
            "the {what} of version {version} on track `{track}` is not one of ours"
        ))
    };
    Ok(Applied {
        track: TrackName::from_text(&track).ok_or_else(|| bad("track"))?,
        version: Version::from_number(version).ok_or_else(|| bad("version"))?,
        name: text(2)?,
        checksum: Checksum::from_hex(&checksum).ok_or_else(|| bad("checksum"))?,
        phase: Phase::from_word(&phase).ok_or_else(|| bad("phase"))?,
        attempt_id: text(5)?,
        run_id: text(6)?,
        epoch: value(row, 7, &HISTORY_COLUMNS)?,
        next_stmt: unsigned(row, 8)?,
        total_stmts: unsigned(row, 9)?,
        pre_fp: value(row, 10, &HISTORY_COLUMNS)?,
        started_at: text(11)?,
        done_at: value(row, 12, &HISTORY_COLUMNS)?,
        duration_ms: unsigned(row, 13)?,
    })
}

/// Returns whether our tables are there by now.
pub(super) fn exists(connection: &Connection) -> rusqlite::Result<bool> {
    look(connection).map(|found| found.meta || found.history)
}
