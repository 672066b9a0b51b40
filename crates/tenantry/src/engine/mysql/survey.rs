//! One connection for a whole server: the histories of many databases, read so that no text of their owners runs.
//!
//! A tenant owns its database, and we ask as the administrator. `SELECT` would open whatever has the table's name: a
//! view runs its functions with our rights. `HANDLER` opens tables and nothing else ("HANDLER Statement").

use std::time::Duration;

use mysql_async::{Conn, Error, Row};

use super::connect::{Dial, connect};
use super::error::{ends_connection, session_error};
use super::tables::{Names, applied_of, meta_of};
use super::wire::{Part, Role, Sent, send, send_within};
use super::{Server, clean};
use crate::engine::identity::check_whose;
use crate::engine::{Asked, Marker, NetworkAddress, OpenOptions, SessionError, Survey};
use crate::history::{HISTORY_COLUMNS, History, META_COLUMNS};

/// How long all of it may take behind the login, and how much longer for each database.
const PATIENCE: Duration = Duration::from_secs(5);
const EACH: Duration = Duration::from_millis(3);

/// How many databases are asked about in one message.
const AT_ONCE: usize = 50;

/// How many connections are opened at most: who answers without end takes one away.
const CONNECTIONS: usize = 3;

/// What is longer, in bytes of memory (some 2,500 migrations) or in rows, is no history that has to be read here.
const ANSWER_MAX: usize = 2 << 20;
const ROWS_MAX: usize = 10_000;

/// Nobody's lock is waited for, nobody's computed column either, and what is not committed is not read. MySQL waits for
/// a second at least, and knows no such limit for a `HANDLER`.
const HURRY: &str = "SET SESSION lock_wait_timeout = 1 \
                     /*M!100301 , lock_wait_timeout = 0, max_statement_time = 0.5 */";
const COMMITTED: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// A database and its quoted names.
type Named<'a> = (&'a Asked<'a>, Names);

/// Reads the histories of these databases as the administrator, and returns the markers that they deserve.
///
/// Who cannot be read is missing, and keeps nobody else from being read. Locks and writes nothing.
pub(crate) async fn survey(server: &NetworkAddress, asked: &[Asked<'_>], options: &OpenOptions) -> Survey {
    let named: Vec<Named<'_>> = asked
        .iter()
        .filter_map(|asked| Some((asked, Names::new(asked.database, "")?)))
        .collect();
    let mut survey = Survey::default();
    let each = EACH.saturating_mul(u32::try_from(named.len()).unwrap_or(u32::MAX));
    let asking = ask_all(server, &named, options, &mut survey);
    match tokio::time::timeout(options.connect_timeout + PATIENCE + each, asking).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a server did not tell its histories"),
        Err(_) => tracing::debug!("a server took too long to tell its histories"),
    }
    survey
}

async fn ask_all(
    server: &NetworkAddress,
    mut left: &[Named<'_>],
    options: &OpenOptions,
    survey: &mut Survey,
) -> Result<(), SessionError> {
    for _ in 0..CONNECTIONS {
        let mut conn = enter(server, options).await?;
        let mut next = Next::Asks;
        while next == Next::Asks && !left.is_empty() {
            let (batch, _) = left.split_at(left.len().min(AT_ONCE));
            let asked;
            (asked, next) = ask(&mut conn, batch, survey).await;
            left = left.get(asked..).unwrap_or_default();
        }
        if left.is_empty() {
            break;
        }
    }
    Ok(())
}

/// Connects to no database in particular, and refuses a server that must not be written to: what stands there may be
/// older than what was said.
async fn enter(server: &NetworkAddress, options: &OpenOptions) -> Result<Conn, SessionError> {
    let dial = Dial {
        database: None,
        ..Dial::to(server, &options.application_name, options.connect_timeout)
    };
    let mut conn = connect(dial).await?;
    let mut parts = clean::settings(options);
    parts.extend([HURRY, COMMITTED].map(|sql| Part::new(Role::Own, sql)));
    let facts = parts.len();
    parts.push(Server::question());
    let sent = send(&mut conn, &parts).await;
    Server::from_answer(&sent, facts, server)?;
    Ok(conn)
}

/// What can be done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// It takes the next question.
    Asks,
    /// It is of no use any more.
    Leaves,
}

/// How many statements one database takes.
const STEPS: usize = 6;

/// Each table is closed at once: while it is open, its owner cannot change it.
fn questions(names: &Names) -> [Part; STEPS] {
    [
        format!("HANDLER {} OPEN AS m", names.meta),
        "HANDLER m READ FIRST LIMIT 2".to_owned(),
        "HANDLER m CLOSE".to_owned(),
        format!("HANDLER {} OPEN AS h", names.history),
        format!("HANDLER h READ FIRST LIMIT {ROWS_MAX}"),
        "HANDLER h CLOSE".to_owned(),
    ]
    .map(|sql| Part::new(Role::Question, sql))
}

/// Asks about some databases in one message, up to the first that cannot be read; returns how many need not be asked
/// about again.
async fn ask(conn: &mut Conn, batch: &[Named<'_>], survey: &mut Survey) -> (usize, Next) {
    let parts: Vec<Part> = batch.iter().flat_map(|(_, names)| questions(names)).collect();
    let sent = send_within(conn, &parts, ANSWER_MAX).await;
    let whole = sent.answers.len() / STEPS;
    for (index, (asked, _)) in batch.iter().take(whole).enumerate() {
        if let Some(markers) = markers_of(asked, &sent, index * STEPS) {
            survey.markers.insert(asked.database.to_owned(), markers);
        }
    }
    let Some(error) = &sent.failure else {
        return (batch.len(), Next::Asks);
    };
    let database = batch.get(whole).map(|(asked, _)| asked.database);
    tracing::debug!(database, error = %session_error(error), "a history was not read");
    let next = match error {
        Error::Server(said) if !ends_connection(said) => close(conn, sent.answers.len() % STEPS).await,
        Error::Server(_) | Error::Driver(_) | Error::Io(_) | Error::Other(_) | Error::Url(_) => Next::Leaves,
    };
    (whole + 1, next)
}

/// Closes the table that stays open where the step that failed is not the opening.
async fn close(conn: &mut Conn, failed: usize) -> Next {
    let close = match failed {
        0 | 3 => return Next::Asks,
        1 => "HANDLER m CLOSE",
        4 => "HANDLER h CLOSE",
        _ => return Next::Leaves,
    };
    match send(conn, &[Part::new(Role::Own, close)]).await.failure {
        None => Next::Asks,
        Some(_) => Next::Leaves,
    }
}

/// Returns what the history in the answers at index `at` deserves; `None` if it is not exactly one of ours, of this
/// database.
fn markers_of(asked: &Asked<'_>, sent: &Sent, at: usize) -> Option<Vec<Marker>> {
    let [meta] = sent.rows(at + 1) else {
        return None;
    };
    let rows = sent.rows(at + 4);
    let is_ours =
        has_columns(meta, &META_COLUMNS) && rows.iter().all(|row| has_columns(row, &HISTORY_COLUMNS));
    if !is_ours || rows.len() >= ROWS_MAX {
        return None;
    }
    let mut history = History {
        meta: Some(meta_of(meta, 1).ok()?),
        rows: rows.iter().map(applied_of).collect::<Result<_, _>>().ok()?,
        occupied: false,
    };
    history
        .rows
        .sort_by(|one, other| (&one.track, one.version).cmp(&(&other.track, other.version)));
    check_whose(&history, asked.whose, asked.tenant_id).ok()?;
    let mut tracks: Vec<_> = history.rows.iter().map(|row| &row.track).collect();
    tracks.dedup();
    let markers = tracks
        .into_iter()
        .filter_map(|track| Marker::of_history(asked.whose, track, &history));
    Some(markers.collect())
}

/// Returns whether a table looks as it was made; what looks otherwise is not understood here.
fn has_columns(row: &Row, expected: &[&str]) -> bool {
    let columns = row.columns_ref();
    columns.len() == expected.len()
        && columns
            .iter()
            .zip(expected)
            .all(|(column, name)| column.name_ref() == name.as_bytes())
}
