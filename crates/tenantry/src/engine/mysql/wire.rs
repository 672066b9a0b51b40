//! One message of several statements to the server, with one answer each.

use mysql_async::consts::StatusFlags;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, DriverError, Error, QueryResult, Row, TextProtocol, Value};

/// What a statement of a message is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Ours: transaction control and settings.
    Own,
    /// A write to our tables.
    Write,
    /// Fails with [`super::error::GUARD_SAYS_NO`] unless the write before it found its row.
    Guard,
    /// A statement of the migration, by its index in the script.
    Work(usize),
    /// A question that may be refused because an object is not there; only at the end of a message.
    Probe,
    /// A question of ours.
    Question,
}

/// No such table, routine, trigger, event or sequence, and a table that is no view ("Server Error Message
/// Reference").
const ABSENT_OBJECT: [u16; 6] = [1146, 1305, 1360, 1539, 1347, 4091];

/// What ends a question of ours: without a limit of its own the session's `sql_select_limit` would hold, which
/// a file or a procedure can set to 0, and nothing would be asked.
pub(super) const ALL: &str = "LIMIT 18446744073709551615";

/// A statement of a message.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Its text, without a delimiter.
    pub(super) sql: String,
    /// What it is there for.
    pub(super) role: Role,
}

impl Part {
    /// Makes a part.
    pub(super) fn new(role: Role, sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            role,
        }
    }

    /// Returns whether it begins a transaction of ours.
    pub(super) fn begins(&self) -> bool {
        self.sql == "START TRANSACTION"
    }

    /// Returns whether it commits what stands before it.
    pub(super) fn commits(&self) -> bool {
        self.sql == "COMMIT"
    }
}

/// What the server says to one statement.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Its rows; those of the migration's own statements are not kept.
    pub(super) rows: Vec<Row>,
    /// The server's state behind a statement without rows.
    pub(super) status: StatusFlags,
}

/// The answers to a message, up to the statement that failed.
#[derive(Debug)]
pub(super) struct Sent {
    /// One answer for each statement that succeeded.
    pub(super) answers: Vec<Answer>,
    /// Why the statement behind them failed; what follows it in the message did not run.
    pub(super) failure: Option<Error>,
}

impl Sent {
    /// Returns the rows of the statement at an index; empty if it has none.
    pub(super) fn rows(&self, at: usize) -> &[Row] {
        self.answers.get(at).map_or(&[], |answer| &answer.rows)
    }
}

/// How many results a message may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Results {
    /// One for each statement: with more, a statement that nobody saw stands in another.
    OneEach,
    /// Any number, as a `CALL` gives.
    Any,
}

/// The error where a message has more results than statements: what each of them did is not known.
#[derive(Debug, thiserror::Error)]
#[error("the server saw more statements in a message than were sent in it")]
pub(super) struct MoreResults;

/// The error where an answer is longer than was asked for: what follows it was not read, so that the connection is of
/// no use any more.
#[derive(Debug, thiserror::Error)]
#[error("an answer is longer than {0} bytes")]
struct TooLong(usize);

/// Sends statements as one message and reads every answer.
///
/// Each statement must give exactly one result; more are the error [`MoreResults`].
pub(super) async fn send(conn: &mut Conn, parts: &[Part]) -> Sent {
    sent(conn, parts, Results::OneEach, usize::MAX).await
}

/// Sends as [`send`] does, to whoever may answer anything: an answer that takes more than `most` bytes ends the
/// connection, and no more than that and one row is held of it.
pub(super) async fn send_within(conn: &mut Conn, parts: &[Part], most: usize) -> Sent {
    sent(conn, parts, Results::OneEach, most).await
}

/// Sends one statement that may give any number of results (`CALL`) and reads them all.
pub(super) async fn send_alone(conn: &mut Conn, part: &[Part; 1]) -> Sent {
    sent(conn, part, Results::Any, usize::MAX).await
}

async fn sent(conn: &mut Conn, parts: &[Part], results: Results, most: usize) -> Sent {
    let mut answers = Vec::with_capacity(parts.len());
    let mut failure = exchange(conn, parts, &mut answers, most).await.err();
    if failure.is_none() {
        failure = rest(conn, results).await.err();
    }
    // Only these say that an object is absent; a lock or a KILL says nothing about it.
    let absent = matches!(&failure, Some(Error::Server(error)) if ABSENT_OBJECT.contains(&error.code));
    let role = parts.get(answers.len()).map(|part| part.role);
    if absent && role == Some(Role::Probe) {
        answers.push(Answer::default());
        return Sent {
            answers,
            failure: None,
        };
    }
    Sent { answers, failure }
}

async fn exchange(
    conn: &mut Conn,
    parts: &[Part],
    answers: &mut Vec<Answer>,
    most: usize,
) -> Result<(), Error> {
    let texts: Vec<&str> = parts.iter().map(|part| part.sql.as_str()).collect();
    // The line break ends a comment that a statement may end with.
    drop(conn.query_iter(texts.join("\n;")).await?);
    for part in parts {
        let status = conn
            .last_ok_packet()
            .map(mysql_async::OkPacket::status_flags)
            .unwrap_or_default();
        // The driver hides the flags while a result is being read, so each result is taken up anew.
        let mut result: QueryResult<'_, '_, TextProtocol> = QueryResult::new(&mut *conn);
        let Some(columns) = result.columns() else {
            // A refusal is kept as the next result; without one the server owes us an answer.
            result.next().await?;
            return Err(DriverError::PacketOutOfOrder.into());
        };
        let mut answer = Answer::default();
        if columns.is_empty() {
            answer.status = status;
        }
        let mut room = most;
        while let Some(row) = result.next().await? {
            if !matches!(part.role, Role::Work(_)) {
                room = room
                    .checked_sub(bytes_of(&row))
                    .ok_or_else(|| Error::Other(Box::new(TooLong(most))))?;
                answer.rows.push(row);
            }
        }
        answers.push(answer);
    }
    Ok(())
}

/// Returns how many bytes of memory the values of a row take, also where there are many empty ones.
fn bytes_of(row: &Row) -> usize {
    let texts = (0..row.len()).filter_map(|at| match row.as_ref(at)? {
        Value::Bytes(bytes) => Some(bytes.len()),
        Value::NULL
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Float(_)
        | Value::Double(_)
        | Value::Date(..)
        | Value::Time(..) => None,
    });
    row.len() * size_of::<Value>() + texts.sum::<usize>()
}

/// Reads what comes behind the last statement's result.
async fn rest(conn: &mut Conn, results: Results) -> Result<(), Error> {
    let rest: QueryResult<'_, '_, TextProtocol> = QueryResult::new(conn);
    let more = rest.columns().is_some();
    let ended = rest.drop_result().await;
    match (results, ended) {
        (Results::OneEach, Ok(())) if more => Err(Error::Other(Box::new(MoreResults))),
        // It refused a statement that is none of the message's.
        (Results::OneEach, Err(Error::Server(_))) => Err(Error::Other(Box::new(MoreResults))),
        (Results::OneEach | Results::Any, ended) => ended,
    }
}
