//! Our two tables in a MySQL or MariaDB database: names, layout, and every statement that reads them.

use mysql_async::{Conn, Row};

use super::error::{NO_TABLE, history_error, session_error};
use super::quote::{identifier, literal};
use super::wire::{ALL, Part, Role, Sent, send};
use crate::engine::error::SessionError;
use crate::history::{Applied, HISTORY_TABLE, History, META_TABLE, Meta, Phase};
use crate::migration::{Checksum, Version};
use crate::target::TrackName;

/// The names that our statements use, quoted.
///
/// Tables are qualified, so that a `USE` in a migration cannot lead our writes elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The database's name as an identifier.
    pub(super) quoted: String,
    /// The database's name as a literal.
    pub(super) database: String,
    /// The history table.
    pub(super) history: String,
    /// The meta table.
    pub(super) meta: String,
    /// The lock's name as a literal.
    pub(super) lock: String,
}

impl Names {
    /// Quotes the names of a database; `None` if it has a name that no database can have.
    pub(super) fn new(database: &str, lock: &str) -> Option<Self> {
        let quoted = identifier(database)?;
        Some(Self {
            database: literal(database),
            history: format!("{quoted}.`{HISTORY_TABLE}`"),
            meta: format!("{quoted}.`{META_TABLE}`"),
            lock: literal(lock),
            quoted,
        })
    }

    /// The questions for the meta row and the history rows: for every column that we write, so that one that is
    /// missing shows before anything is written.
    pub(super) fn questions(&self) -> [Part; 2] {
        [
            Part::new(
                Role::Question,
                format!(
                    "SELECT database_id, tenant_id, registry_id, epoch, format FROM {} {ALL}",
                    self.meta
                ),
            ),
            Part::new(
                Role::Question,
                format!(
                    "SELECT track, version, name, checksum, phase, attempt_id, run_id, epoch, next_stmt, \
                     total_stmts, pre_fp, DATE_FORMAT(started_at, '%Y-%m-%dT%H:%i:%s.%fZ'), \
                     DATE_FORMAT(done_at, '%Y-%m-%dT%H:%i:%s.%fZ'), duration_ms, tool_version FROM {} \
                     ORDER BY track, version {ALL}",
                    self.history
                ),
            ),
        ]
    }

    /// The statements that make both tables; each may be repeated. The history comes first, so that a
    /// meta row means that everything is there.
    pub(super) fn layout(&self) -> [Part; 2] {
        let history = format!(
            "CREATE TABLE IF NOT EXISTS {} (\
             track VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
             version BIGINT NOT NULL, \
             name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, \
             checksum CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
             phase VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
             attempt_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
             run_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
             epoch BIGINT NOT NULL, \
             next_stmt INT NOT NULL, \
             total_stmts INT NOT NULL, \
             pre_fp VARCHAR(2000) CHARACTER SET ascii COLLATE ascii_bin NULL, \
             started_at DATETIME(6) NOT NULL, \
             done_at DATETIME(6) NULL, \
             duration_ms BIGINT NOT NULL DEFAULT 0, \
             tool_version VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
             PRIMARY KEY (track, version)) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4",
            self.history
        );
        let meta = format!(
            "CREATE TABLE IF NOT EXISTS {} (\
             one TINYINT NOT NULL DEFAULT 1 PRIMARY KEY CHECK (one = 1), \
             database_id VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, \
             tenant_id VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, \
             registry_id VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, \
             epoch BIGINT NOT NULL, \
             format INT NOT NULL) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4",
            self.meta
        );
        [Part::new(Role::Own, history), Part::new(Role::Own, meta)]
    }
}

/// Reads the answers to [`Names::questions`], which begin at index `at` of a message.
///
/// Where our tables are missing the server is asked whether there are others.
pub(super) async fn take_history(
    conn: &mut Conn,
    names: &Names,
    sent: Sent,
    at: usize,
) -> Result<History, SessionError> {
    match &sent.failure {
        Some(mysql_async::Error::Server(error)) if error.code == NO_TABLE => {}
        Some(error) => return Err(history_error(error)),
        None => {
            if let Some(found) = history_in(&sent, at)? {
                return Ok(found);
            }
        }
    }
    without_meta(conn, names).await
}

/// Returns the history that the answers at index `at` give; `None` without a meta row.
fn history_in(sent: &Sent, at: usize) -> Result<Option<History>, SessionError> {
    let Some(row) = sent.rows(at).first() else {
        return Ok(None);
    };
    let rows = sent.rows(at + 1).iter().map(applied_of);
    Ok(Some(History {
        meta: Some(meta_of(row, 0)?),
        rows: rows.collect::<Result<_, _>>()?,
        occupied: false,
    }))
}

async fn without_meta(conn: &mut Conn, names: &Names) -> Result<History, SessionError> {
    let question = format!(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = {} {ALL}",
        names.database
    );
    let sent = send(conn, &[Part::new(Role::Question, question)]).await;
    if let Some(error) = &sent.failure {
        return Err(session_error(error));
    }
    let tables: Vec<String> = sent
        .rows(0)
        .iter()
        .map(|row| need(row, 0))
        .collect::<Result<_, _>>()?;
    let has = |table: &str| tables.iter().any(|name| name == table);
    if has(META_TABLE) && !has(HISTORY_TABLE) {
        return Err(damaged(format!("`{HISTORY_TABLE}` is missing")));
    }
    if has(HISTORY_TABLE)
        && let Some(begun) = rows_without_meta(conn, names).await?
    {
        return Ok(begun);
    }
    let ours = |name: &String| name == HISTORY_TABLE || name == META_TABLE;
    Ok(History {
        occupied: tables.iter().any(|name| !ours(name)),
        ..History::default()
    })
}

/// An empty history without a meta row is a beginning that was cut off; one with rows is damage, or somebody
/// else's first run, which wrote both between our two questions. That one's history is returned.
async fn rows_without_meta(conn: &mut Conn, names: &Names) -> Result<Option<History>, SessionError> {
    let question = format!("SELECT 1 FROM {} LIMIT 1", names.history);
    let sent = send(conn, &[Part::new(Role::Question, question)]).await;
    match &sent.failure {
        Some(error) => return Err(session_error(error)),
        None if sent.rows(0).is_empty() => return Ok(None),
        None => {}
    }
    let sent = send(conn, &names.questions()).await;
    if let Some(error) = &sent.failure {
        return Err(history_error(error));
    }
    let begun = history_in(&sent, 0)?;
    begun
        .map(Some)
        .ok_or_else(|| damaged(format!("it has rows, but {META_TABLE} has none")))
}

/// Reads a meta row whose columns, in the order of [`Names::questions`], begin at index `at`.
pub(super) fn meta_of(row: &Row, at: usize) -> Result<Meta, SessionError> {
    Ok(Meta {
        database_id: need(row, at)?,
        tenant_id: need(row, at + 1)?,
        registry_id: need(row, at + 2)?,
        epoch: number(row, at + 3, "epoch")?,
        format: number(row, at + 4, "format")?,
    })
}

/// Reads a history row whose columns are in the order of [`Names::questions`].
pub(super) fn applied_of(row: &Row) -> Result<Applied, SessionError> {
    let track: String = need(row, 0)?;
    let phase: String = need(row, 4)?;
    let checksum: String = need(row, 3)?;
    Ok(Applied {
        track: TrackName::from_text(&track).ok_or_else(|| unknown("track", &track))?,
        version: Version::from_number(number(row, 1, "version")?)
            .ok_or_else(|| unknown("version", "below 1"))?,
        name: need(row, 2)?,
        checksum: Checksum::from_hex(&checksum).ok_or_else(|| unknown("checksum", &checksum))?,
        phase: Phase::from_word(&phase).ok_or_else(|| unknown("phase", &phase))?,
        attempt_id: need(row, 5)?,
        run_id: need(row, 6)?,
        epoch: number(row, 7, "epoch")?,
        next_stmt: number(row, 8, "next_stmt")?,
        total_stmts: number(row, 9, "total_stmts")?,
        pre_fp: text(row, 10),
        started_at: need(row, 11)?,
        done_at: text(row, 12),
        duration_ms: number(row, 13, "duration_ms")?,
    })
}

/// Returns the text of a column; `None` for NULL.
pub(super) fn text(row: &Row, at: usize) -> Option<String> {
    row.get_opt::<Option<String>, usize>(at)?.ok().flatten()
}

fn need(row: &Row, at: usize) -> Result<String, SessionError> {
    text(row, at).ok_or_else(|| damaged(format!("column {} holds nothing readable", at + 1)))
}

fn number<T: std::str::FromStr>(row: &Row, at: usize, column: &str) -> Result<T, SessionError> {
    let text = need(row, at)?;
    text.parse().map_err(|_| unknown(column, &text))
}

fn unknown(what: &str, found: &str) -> SessionError {
    damaged(format!("`{}` is no {what}", found.escape_debug()))
}

fn damaged(reason: String) -> SessionError {
    SessionError::HistoryDamaged { reason }
}
