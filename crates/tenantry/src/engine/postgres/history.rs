//! Our two tables in a PostgreSQL database: how they are made, read and written.

use std::str::FromStr;

use tokio_postgres::SimpleQueryRow;

use crate::engine::SessionError;
use crate::engine::text::literal;
use crate::faults::{Seed, is_seeded};
use crate::history::{Applied, FORMAT, HISTORY_TABLE, History, META_TABLE, Meta, Phase};
use crate::migration::Checksum;
use crate::target::TrackName;

/// Makes both tables. Fails if they exist, so that two first runs cannot both go on.
///
/// The widths keep a row below the size from which PostgreSQL adds a TOAST table and its index, whose
/// file it would sync at once: a tenth of a fresh database's time. The meta table has no index for the
/// same reason; it is written under the migration lock only.
pub(super) const CREATE_TABLES: &str = "\
CREATE TABLE public._tenantry_meta ( \
 database_id varchar(64) NOT NULL, tenant_id varchar(191) NOT NULL, registry_id varchar(64) NOT NULL, \
 epoch bigint NOT NULL, format integer NOT NULL);
CREATE TABLE public._tenantry_history ( \
 track varchar(50) NOT NULL, version bigint NOT NULL, name varchar(180) NOT NULL, \
 checksum char(64) NOT NULL, phase varchar(10) NOT NULL CHECK (phase IN ('running', 'reverting', 'done')), \
 attempt_id uuid NOT NULL, run_id varchar(40) NOT NULL, epoch bigint NOT NULL, \
 next_stmt integer NOT NULL, total_stmts integer NOT NULL, pre_fp varchar(64), \
 started_at timestamptz NOT NULL, done_at timestamptz, duration_ms bigint NOT NULL, \
 tool_version varchar(20) NOT NULL, PRIMARY KEY (track, version))";

/// Whether our tables are there, and whether there is any relation that did not come with the server
/// (`FirstNormalObjectId`, 16384: "System Catalog Initial Data"). Cheap, because every fresh database is asked.
pub(super) const PROBE: &str = "\
SELECT 'probe', pg_catalog.to_regclass('public._tenantry_meta') IS NOT NULL, EXISTS ( \
 SELECT FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')), \
 pg_catalog.to_regclass('public._tenantry_history') IS NOT NULL";

/// Which of our tables are there, at one moment.
pub(super) const OURS: &str = "\
SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
 WHERE n.nspname = 'public' AND c.relname IN ('_tenantry_meta', '_tenantry_history')";

/// Whether there are relations of somebody else, not counting what an extension brought.
pub(super) const OCCUPIED: &str = "\
SELECT EXISTS ( \
 SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
 WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' \
 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relname NOT LIKE '\\_tenantry\\_%' \
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid \
 AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'e'))";

/// Reads the meta row.
pub(super) const READ_META: &str =
    "SELECT 'meta', database_id, tenant_id, registry_id, epoch, format FROM public._tenantry_meta";

/// Reads the history, every track. No function and no sorting: a fresh connection pays for every function
/// that it has to look up, and a run that finds nothing to do is mostly fresh connections. Every column that we write
/// is asked for, so that one that is missing shows before anything is written.
pub(super) const READ_HISTORY: &str = "\
SELECT 'row', track, version, name, checksum, phase, attempt_id, run_id, epoch, next_stmt, total_stmts, pre_fp, \
 started_at, done_at, duration_ms, tool_version FROM public._tenantry_history";

/// Takes the rows of [`PROBE`], [`READ_META`] and [`READ_HISTORY`] into a history; other rows are passed over.
pub(super) fn take_row(history: &mut History, row: &SimpleQueryRow) -> Result<(), SessionError> {
    match row.get(0) {
        Some("probe") => history.occupied = row.get(2) == Some("t"),
        Some("meta") => {
            let meta = meta(row).ok_or_else(|| damaged("a meta row cannot be read"))?;
            let other = history.meta.replace(meta);
            return if other.is_none() {
                Ok(())
            } else {
                Err(damaged("there are two meta rows"))
            };
        }
        Some("row") => {
            history.rows.push(applied(row)?);
        }
        _ => {}
    }
    Ok(())
}

pub(super) fn damaged(reason: &str) -> SessionError {
    SessionError::HistoryDamaged {
        reason: reason.to_owned(),
    }
}

/// Refuses one of our tables without the other, by the answers to [`OURS`].
pub(super) fn check_whole(found: &[String]) -> Result<(), SessionError> {
    let [only] = found else { return Ok(()) };
    let missing = if only == HISTORY_TABLE {
        META_TABLE
    } else {
        HISTORY_TABLE
    };
    Err(damaged(&format!("`{missing}` is missing")))
}

fn meta(row: &SimpleQueryRow) -> Option<Meta> {
    Some(Meta {
        database_id: row.get(1)?.to_owned(),
        tenant_id: row.get(2)?.to_owned(),
        registry_id: row.get(3)?.to_owned(),
        epoch: row.get(4)?.parse().ok()?,
        format: row.get(5)?.parse().ok()?,
    })
}

fn applied(row: &SimpleQueryRow) -> Result<Applied, SessionError> {
    let text = |at: usize, column: &str| row.get(at).ok_or_else(|| unreadable(column));
    Ok(Applied {
        track: TrackName::from_text(text(1, "track")?).ok_or_else(|| unreadable("track"))?,
        version: number(row, 2, "version")?,
        name: text(3, "name")?.to_owned(),
        checksum: Checksum::from_hex(text(4, "checksum")?).ok_or_else(|| unreadable("checksum"))?,
        phase: Phase::from_word(text(5, "phase")?).ok_or_else(|| unreadable("phase"))?,
        attempt_id: text(6, "attempt_id")?.to_owned(),
        run_id: text(7, "run_id")?.to_owned(),
        epoch: number(row, 8, "epoch")?,
        next_stmt: number(row, 9, "next_stmt")?,
        total_stmts: number(row, 10, "total_stmts")?,
        pre_fp: row.get(11).map(ToOwned::to_owned),
        started_at: text(12, "started_at")?.to_owned(),
        done_at: row.get(13).map(ToOwned::to_owned),
        duration_ms: number(row, 14, "duration_ms")?,
    })
}

fn number<T: FromStr>(row: &SimpleQueryRow, at: usize, column: &str) -> Result<T, SessionError> {
    let read = row.get(at).and_then(|text| text.parse().ok());
    read.ok_or_else(|| unreadable(column))
}

fn unreadable(column: &str) -> SessionError {
    damaged(&format!("a {column} in it cannot be read"))
}

/// Returns the statement that writes the meta row of a database that is new to us.
pub(super) fn insert_meta(meta: &Meta) -> String {
    format!(
        "INSERT INTO public._tenantry_meta VALUES ({}, {}, {}, {}, {FORMAT})",
        literal(&meta.database_id),
        literal(&meta.tenant_id),
        literal(&meta.registry_id),
        meta.epoch,
    )
}

/// Returns the same for a unit whose history rows read the epoch again: one row less than one, or more,
/// fails there. A plain UPDATE costs the server a third of what the other form costs.
pub(super) fn claim_for_rows(epoch: i64) -> String {
    format!(
        "UPDATE public._tenantry_meta SET epoch = {} / (epoch OPERATOR(pg_catalog.=) {epoch})::integer",
        epoch + 1
    )
}

/// Returns the statement that claims the database: it fails with a division by zero (SQLSTATE 22012) if
/// somebody else has claimed it since `epoch` was read.
pub(super) fn claim(epoch: i64) -> String {
    if is_seeded(Seed::PostgresEpochNotChecked) {
        return format!("UPDATE public._tenantry_meta SET epoch = {}", epoch + 1);
    }
    format!(
        "WITH claim AS (UPDATE public._tenantry_meta SET epoch = {} WHERE epoch = {epoch} RETURNING 1) \
         SELECT 1 / pg_catalog.count(*) FROM claim",
        epoch + 1
    )
}
