//! The SQL of our two tables in an SQLite file.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::error::session_error;
use crate::direction::Direction;
use crate::engine::{OpenOptions, SessionError, Unit};
use crate::history::{Applied, FORMAT, History, Meta, Phase};
use crate::migration::{Checksum, Version};
use crate::plan::Step;
use crate::target::TrackName;

/// Both tables. STRICT: a person with the `sqlite3` program cannot put a text where a number belongs.
const CREATE: &str = "
CREATE TABLE _tenantry_meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    database_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    registry_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    format INTEGER NOT NULL
) STRICT;
CREATE TABLE _tenantry_history (
    track TEXT NOT NULL,
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    phase TEXT NOT NULL CHECK (phase IN ('running', 'reverting', 'done')),
    attempt_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    next_stmt INTEGER NOT NULL,
    total_stmts INTEGER NOT NULL,
    pre_fp TEXT,
    started_at TEXT NOT NULL,
    done_at TEXT,
    duration_ms INTEGER NOT NULL,
    tool_version TEXT NOT NULL,
    PRIMARY KEY (track, version)
) STRICT;";

const LOOK: &str = "SELECT
    coalesce(max(name = '_tenantry_meta'), 0),
    coalesce(max(name = '_tenantry_history'), 0),
    coalesce(max(name NOT IN ('_tenantry_meta', '_tenantry_history')), 0)
    FROM main.sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite~_%' ESCAPE '~'";

const ROWS: &str = "SELECT track, version, name, checksum, phase, attempt_id, run_id, epoch, next_stmt,
    total_stmts, pre_fp, started_at, done_at, duration_ms
    FROM main._tenantry_history ORDER BY track, version";

/// `started_at` is reckoned back from now, which saves a statement.
const WRITE: &str = "INSERT INTO main._tenantry_history (track, version, name, checksum, phase, attempt_id,
    run_id, epoch, next_stmt, total_stmts, started_at, done_at, duration_ms, tool_version)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, iif(?5 = 'done', ?9, 0), ?9,
        strftime('%Y-%m-%dT%H:%M:%fZ', 'now', format('-%.3f seconds', ?10 / 1000.0)),
        iif(?5 = 'done', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), NULL), ?10, ?11)
    ON CONFLICT (track, version) DO UPDATE SET name = excluded.name, checksum = excluded.checksum,
        phase = excluded.phase, attempt_id = excluded.attempt_id, run_id = excluded.run_id,
        epoch = excluded.epoch, next_stmt = excluded.next_stmt, total_stmts = excluded.total_stmts,
        started_at = excluded.started_at, done_at = excluded.done_at,
        duration_ms = excluded.duration_ms, tool_version = excluded.tool_version
    WHERE phase = 'running'";

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
    let refused = |error: &rusqlite::Error| session_error(endpoint, error);
    let found = look(connection).map_err(|e| refused(&e))?;
    match (found.meta, found.history) {
        (false, false) => {
            return Ok(History {
                occupied: found.others,
                ..History::default()
            });
        }
        (true, false) => return Err(damaged("`_tenantry_history` is missing")),
        (false, true) => return Err(damaged("`_tenantry_meta` is missing")),
        (true, true) => {}
    }
    let meta = meta(connection).map_err(|e| refused(&e))?;
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
    let mut rows = Vec::new();
    let mut statement = connection.prepare(ROWS).map_err(|e| refused(&e))?;
    let mut found = statement.query([]).map_err(|e| refused(&e))?;
    while let Some(row) = found.next().map_err(|e| refused(&e))? {
        rows.push(applied(row).map_err(|e| refused(&e))??);
    }
    Ok(History {
        meta: Some(meta),
        rows,
        occupied: false,
    })
}

fn damaged(reason: &str) -> SessionError {
    SessionError::HistoryDamaged {
        reason: reason.to_owned(),
    }
}

fn meta(connection: &Connection) -> rusqlite::Result<Option<Meta>> {
    const META: &str = "SELECT database_id, tenant_id, registry_id, epoch, format FROM main._tenantry_meta";
    connection
        .query_row(META, [], |row| {
            Ok(Meta {
                database_id: row.get(0)?,
                tenant_id: row.get(1)?,
                registry_id: row.get(2)?,
                epoch: row.get(3)?,
                format: row.get(4)?,
            })
        })
        .optional()
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

/// Checks whose database it is. An expected id that is empty is not known yet, and checks nothing.
pub(super) fn check_identity(history: &History, options: &OpenOptions) -> Result<(), SessionError> {
    let Some(meta) = &history.meta else {
        return Ok(());
    };
    let pairs = [
        (&options.database_id, &meta.database_id),
        (&options.registry_id, &meta.registry_id),
    ];
    for (expected, found) in pairs {
        // A database that was only created carries no registry's id before its first migration.
        if !expected.is_empty() && !found.is_empty() && expected != found {
            return Err(SessionError::IdentityMismatch {
                expected: expected.clone(),
                found: found.clone(),
            });
        }
    }
    Ok(())
}

/// Returns whether our tables are there by now.
pub(super) fn exists(connection: &Connection) -> rusqlite::Result<bool> {
    look(connection).map(|found| found.meta || found.history)
}

/// Makes both tables, with the one row that says whose database it is.
pub(super) fn create(connection: &Connection, meta: &Meta) -> rusqlite::Result<()> {
    connection.execute_batch(CREATE)?;
    connection.execute(
        "INSERT INTO main._tenantry_meta VALUES (1, ?1, ?2, ?3, ?4, ?5)",
        params![
            meta.database_id,
            meta.tenant_id,
            meta.registry_id,
            meta.epoch,
            meta.format
        ],
    )?;
    Ok(())
}

/// Raises the epoch by one; returns `false` if it is not the one that we know.
pub(super) fn claim(connection: &Connection, known: i64, options: &OpenOptions) -> rusqlite::Result<bool> {
    let changed = connection.execute(
        "UPDATE main._tenantry_meta SET epoch = epoch + 1,
            tenant_id = iif(?2 = '', tenant_id, ?2), registry_id = iif(?3 = '', registry_id, ?3)
        WHERE one = 1 AND epoch = ?1",
        params![known, options.tenant_id, options.registry_id],
    )?;
    Ok(changed == 1)
}

/// Returns whether the epoch is still this one.
pub(super) fn holds(connection: &Connection, epoch: i64) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT count(*) = 1 FROM main._tenantry_meta WHERE epoch = ?1",
        [epoch],
        |row| row.get(0),
    )
}

/// Writes the row of one migration on its way forwards; returns `false` if it was done before.
pub(super) fn write(
    connection: &Connection,
    (unit, step): (&Unit, &Step),
    (phase, epoch): (Phase, i64),
    duration_ms: u64,
) -> rusqlite::Result<bool> {
    let migration = &step.migration;
    let statements = i64::try_from(migration.up.statements.len()).unwrap_or(i64::MAX);
    let changed = connection.prepare_cached(WRITE)?.execute(params![
        unit.track.to_string(),
        migration.version.number(),
        migration.name,
        migration.up.checksum.to_string(),
        phase.as_str(),
        unit.attempt_id,
        unit.run_id,
        epoch,
        statements,
        i64::try_from(duration_ms).unwrap_or(i64::MAX),
        env!("CARGO_PKG_VERSION"),
    ])?;
    Ok(changed == 1)
}

/// Marks the row of a migration whose way back runs outside a transaction; `false` if there is no row.
pub(super) fn mark_reverting(connection: &Connection, unit: &Unit, step: &Step) -> rusqlite::Result<bool> {
    let changed = connection.execute(
        "UPDATE main._tenantry_history SET phase = 'reverting', attempt_id = ?3, run_id = ?4
        WHERE track = ?1 AND version = ?2",
        params![
            unit.track.to_string(),
            step.migration.version.number(),
            unit.attempt_id,
            unit.run_id
        ],
    )?;
    Ok(changed == 1)
}

/// Deletes the row of a reverted migration; returns `false` if there is none.
pub(super) fn delete(connection: &Connection, unit: &Unit, step: &Step) -> rusqlite::Result<bool> {
    let changed = connection.execute(
        "DELETE FROM main._tenantry_history WHERE track = ?1 AND version = ?2",
        params![unit.track.to_string(), step.migration.version.number()],
    )?;
    Ok(changed == 1)
}

/// Returns whether the history shows a step of this attempt as it should: done, or gone for a revert.
pub(super) fn shows(connection: &Connection, unit: &Unit, step: &Step) -> rusqlite::Result<bool> {
    let row: Option<(String, String)> = connection
        .prepare_cached(
            "SELECT phase, attempt_id FROM main._tenantry_history WHERE track = ?1 AND version = ?2",
        )?
        .query_row(
            params![unit.track.to_string(), step.migration.version.number()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let ours = row
        .as_ref()
        .map(|(phase, attempt)| phase == Phase::Done.as_str() && *attempt == unit.attempt_id);
    Ok(match step.direction {
        Direction::Up => ours == Some(true),
        // A unit may take a half-way migration back and apply it again.
        Direction::Down => ours != Some(false),
    })
}
