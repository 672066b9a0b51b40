//! Writing our two tables in an SQLite file, and looking at what was written.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::direction::Direction;
use crate::engine::evidence::digest;
use crate::engine::{Amendment, OpenOptions, Unit};
use crate::history::{Entry, Meta, Phase};
use crate::plan::Step;

/// Both tables. STRICT: a person with the `sqlite3` program cannot put a text where a number belongs.
/// WITHOUT ROWID: a row costs one page, not a second one for its index.
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
) STRICT, WITHOUT ROWID;";

/// Writes the row of what is done. `started_at` is reckoned back from now, which saves a statement. Short,
/// because every file has to plan it anew.
const DONE: &str = "INSERT INTO main._tenantry_history (track, version, name, checksum, phase, attempt_id,
    run_id, epoch, next_stmt, total_stmts, duration_ms, tool_version, started_at, done_at)
    VALUES (?1, ?2, ?3, ?4, 'done', ?5, ?6, ?7, ?8, ?8, ?9, ?10,
        strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?11), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
    ON CONFLICT (track, version) DO NOTHING";

/// As [`DONE`], over the row of an intent.
const DONE_AFTER_INTENT: &str = "INSERT INTO main._tenantry_history (track, version, name, checksum, phase,
    attempt_id, run_id, epoch, next_stmt, total_stmts, duration_ms, tool_version, started_at, done_at)
    VALUES (?1, ?2, ?3, ?4, 'done', ?5, ?6, ?7, ?8, ?8, ?9, ?10,
        strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?11), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
    ON CONFLICT (track, version) DO UPDATE SET name = excluded.name, checksum = excluded.checksum,
        phase = excluded.phase, attempt_id = excluded.attempt_id, run_id = excluded.run_id,
        epoch = excluded.epoch, next_stmt = excluded.next_stmt, total_stmts = excluded.total_stmts,
        started_at = excluded.started_at, done_at = excluded.done_at,
        duration_ms = excluded.duration_ms, tool_version = excluded.tool_version, pre_fp = NULL
    WHERE phase = 'running'";

/// Writes the row of what is about to run outside a transaction.
const INTENT: &str = "INSERT INTO main._tenantry_history (track, version, name, checksum, phase, attempt_id,
    run_id, epoch, next_stmt, total_stmts, duration_ms, tool_version, started_at, pre_fp)
    VALUES (?1, ?2, ?3, ?4, 'running', ?5, ?6, ?7, 0, ?8, ?9, ?10,
        strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?11), ?12)
    ON CONFLICT (track, version) DO UPDATE SET name = excluded.name, checksum = excluded.checksum,
        attempt_id = excluded.attempt_id, run_id = excluded.run_id, epoch = excluded.epoch, next_stmt = 0,
        total_stmts = excluded.total_stmts, started_at = excluded.started_at,
        tool_version = excluded.tool_version, pre_fp = excluded.pre_fp
    WHERE phase = 'running'";

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

/// Writes the row of what is about to run outside a transaction; returns `false` if it was done before.
pub(super) fn intend(
    connection: &Connection,
    unit: &Unit,
    step: &Step,
    epoch: i64,
) -> rusqlite::Result<bool> {
    let statement = digest(step.script());
    write(connection, INTENT, (unit, step), (epoch, 0), Some(&statement))
}

/// Writes the row of what is done; returns `false` if it was done before.
pub(super) fn finish(
    connection: &Connection,
    (unit, step): (&Unit, &Step),
    epoch: i64,
    duration_ms: u64,
) -> rusqlite::Result<bool> {
    let has_intent = step.interrupted.is_some() || step.script().directives.no_transaction;
    let sql = if has_intent { DONE_AFTER_INTENT } else { DONE };
    write(connection, sql, (unit, step), (epoch, duration_ms), None)
}

fn write(
    connection: &Connection,
    sql: &str,
    (unit, step): (&Unit, &Step),
    (epoch, duration_ms): (i64, u64),
    intent: Option<&str>,
) -> rusqlite::Result<bool> {
    let migration = &step.migration;
    let statements = i64::try_from(migration.up.statements.len()).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(sql)?;
    let common = params![
        unit.track.to_string(),
        migration.version.number(),
        migration.name,
        migration.up.checksum.to_string(),
        unit.attempt_id,
        unit.run_id,
        epoch,
        statements,
        i64::try_from(duration_ms).unwrap_or(i64::MAX),
        env!("CARGO_PKG_VERSION"),
        format!("-{}.{:03} seconds", duration_ms / 1000, duration_ms % 1000),
    ];
    for (at, value) in (1..).zip(common) {
        statement.raw_bind_parameter(at, value)?;
    }
    if let Some(intent) = intent {
        statement.raw_bind_parameter(common.len() + 1, intent)?;
    }
    Ok(statement.raw_execute()? == 1)
}

/// Marks the row of a migration whose way back runs outside a transaction; `false` if there is no row. Its run stays:
/// going back by run looks for the one that applied.
pub(super) fn mark_reverting(connection: &Connection, unit: &Unit, step: &Step) -> rusqlite::Result<bool> {
    let changed = connection.execute(
        "UPDATE main._tenantry_history SET phase = 'reverting', attempt_id = ?3, pre_fp = ?4
        WHERE track = ?1 AND version = ?2",
        params![
            unit.track.to_string(),
            step.migration.version.number(),
            unit.attempt_id,
            digest(step.script()),
        ],
    )?;
    Ok(changed == 1)
}

/// Takes back the intent of an attempt that did nothing; returns `false` if there is none of this attempt.
pub(super) fn withdraw(connection: &Connection, unit: &Unit, step: &Step) -> rusqlite::Result<bool> {
    let sql = match step.direction {
        Direction::Up => {
            "DELETE FROM main._tenantry_history
            WHERE track = ?1 AND version = ?2 AND attempt_id = ?3 AND phase = 'running'"
        }
        Direction::Down => {
            "UPDATE main._tenantry_history SET phase = 'done', pre_fp = NULL
            WHERE track = ?1 AND version = ?2 AND attempt_id = ?3 AND phase = 'reverting'"
        }
    };
    let version = step.migration.version.number();
    let changed = connection.execute(sql, params![unit.track.to_string(), version, unit.attempt_id])?;
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

/// Writes what somebody has declared of a row; returns `false` if the row is not as it was thought to be. When it
/// was done stays, if it was.
pub(super) fn amend(
    connection: &Connection,
    (amendment, entry): (&Amendment, &Entry),
    epoch: i64,
) -> rusqlite::Result<bool> {
    let track = amendment.track.to_string();
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let changed = match entry {
        Entry::Add(row) => connection.execute(
            DONE,
            params![
                track,
                row.version.number(),
                row.name,
                row.checksum.to_string(),
                amendment.attempt_id,
                amendment.mark_id,
                epoch,
                count(row.total_stmts),
                0,
                env!("CARGO_PKG_VERSION"),
                "-0 seconds",
            ],
        )?,
        Entry::Change(row) => connection.execute(
            "UPDATE main._tenantry_history SET name = ?3, checksum = ?4, phase = ?5, epoch = ?6, next_stmt = ?7,
                total_stmts = ?8, pre_fp = ?9, done_at = iif(?5 = 'done', coalesce(done_at,
                strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), done_at)
            WHERE track = ?1 AND version = ?2",
            params![
                track,
                row.version.number(),
                row.name,
                row.checksum.to_string(),
                row.phase.as_str(),
                epoch,
                count(row.next_stmt),
                count(row.total_stmts),
                row.pre_fp,
            ],
        )?,
        Entry::Remove(version) => connection.execute(
            "DELETE FROM main._tenantry_history WHERE track = ?1 AND version = ?2",
            params![track, version.number()],
        )?,
    };
    Ok(changed == 1)
}
