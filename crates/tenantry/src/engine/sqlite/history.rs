//! Reading our two tables in an SQLite file.

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::error::session_error;
use crate::engine::SessionError;
use crate::history::{Applied, FORMAT, History, Meta, Phase};
use crate::migration::{Checksum, Version};
use crate::target::TrackName;

const LOOK: &str = "SELECT
    coalesce(max(name = '_tenantry_meta'), 0),
    coalesce(max(name = '_tenantry_history'), 0),
    coalesce(max(name NOT IN ('_tenantry_meta', '_tenantry_history')), 0)
    FROM main.sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite~_%' ESCAPE '~'";

const META: &str = "SELECT * FROM main._tenantry_meta";

/// All columns in the order of the table, as the format that the meta row names has them: looking names up
/// is a large part of planning this, which every file has to do anew.
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
    let refused = |error: &rusqlite::Error| session_error(endpoint, error);
    let meta = match connection.prepare(META) {
        Ok(mut statement) => statement
            .query_row([], meta)
            .optional()
            .map_err(|e| refused(&e))?,
        Err(error) => return absent(connection, endpoint, &error),
    };
    let Some(meta) = meta else {
        return Err(damaged("`_tenantry_meta` is empty"));
    };
    if meta.format > FORMAT {
        return Err(SessionError::Unsuitable {
            endpoint: endpoint.to_owned(),
            reason: format!(
                "its tables have format {}, newer than this program's {FORMAT}",
                meta.format
            ),
        });
    }
    let mut statement = match connection.prepare(ROWS) {
        Ok(statement) => statement,
        Err(error) => return absent(connection, endpoint, &error),
    };
    let mut rows = Vec::new();
    let mut found = statement.query([]).map_err(|e| refused(&e))?;
    while let Some(row) = found.next().map_err(|e| refused(&e))? {
        rows.push(applied(row).map_err(|e| refused(&e))??);
    }
    rows.sort_by(|a: &Applied, b| (&a.track, a.version).cmp(&(&b.track, b.version)));
    Ok(Some(History {
        meta: Some(meta),
        rows,
        occupied: false,
    }))
}

/// Says why our tables could not be read: they are not there, or one of them, or something else.
fn absent(
    connection: &Connection,
    endpoint: &str,
    error: &rusqlite::Error,
) -> Result<Option<History>, SessionError> {
    let found = look(connection).map_err(|e| session_error(endpoint, &e))?;
    match (found.meta, found.history) {
        (false, false) => Ok(Some(History {
            occupied: found.others,
            ..History::default()
        })),
        (true, false) => Err(damaged("`_tenantry_history` is missing")),
        (false, true) => Err(damaged("`_tenantry_meta` is missing")),
        (true, true) if error.to_string().contains("no such table") => Ok(None),
        (true, true) => Err(session_error(endpoint, error)),
    }
}

fn damaged(reason: &str) -> SessionError {
    SessionError::HistoryDamaged {
        reason: reason.to_owned(),
    }
}

fn meta(row: &Row<'_>) -> rusqlite::Result<Meta> {
    Ok(Meta {
        database_id: row.get(1)?,
        tenant_id: row.get(2)?,
        registry_id: row.get(3)?,
        epoch: row.get(4)?,
        format: row.get(5)?,
    })
}

/// Returns a number that we never write below zero.
fn unsigned<T: TryFrom<i64>>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let number: i64 = row.get(column)?;
    T::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

fn applied(row: &Row<'_>) -> rusqlite::Result<Result<Applied, SessionError>> {
    let track: String = row.get(0)?;
    let version: i64 = row.get(1)?;
    let checksum: String = row.get(3)?;
    let phase: String = row.get(4)?;
    let bad = |what: &str| {
        Ok(Err(SessionError::HistoryDamaged {
            reason: format!("the {what} of version {version} on track `{track}` is not one of ours"),
        }))
    };
    let Some(track) = TrackName::from_text(&track) else {
        return bad("track");
    };
    let Some(known_version) = Version::from_number(version) else {
        return bad("version");
    };
    let Some(checksum) = Checksum::from_hex(&checksum) else {
        return bad("checksum");
    };
    let Some(phase) = Phase::from_word(&phase) else {
        return bad("phase");
    };
    Ok(Ok(Applied {
        track,
        version: known_version,
        name: row.get(2)?,
        checksum,
        phase,
        attempt_id: row.get(5)?,
        run_id: row.get(6)?,
        epoch: row.get(7)?,
        next_stmt: unsigned(row, 8)?,
        total_stmts: unsigned(row, 9)?,
        pre_fp: row.get(10)?,
        started_at: row.get(11)?,
        done_at: row.get(12)?,
        duration_ms: unsigned(row, 13)?,
    }))
}

/// Returns whether our tables are there by now.
pub(super) fn exists(connection: &Connection) -> rusqlite::Result<bool> {
    look(connection).map(|found| found.meta || found.history)
}
