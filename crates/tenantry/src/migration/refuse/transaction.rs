//! Statements that begin, end or leave the transaction that a migration runs in.

use super::shown;
use crate::engine::Engine;
use crate::migration::cursor::Cursor;
use crate::migration::problem::FileProblemKind as Kind;

/// Returns the refusal of a statement that controls transactions.
pub(super) fn refused(mut cursor: Cursor<'_>, engine: Engine) -> Option<Kind> {
    let words = match engine {
        Engine::Postgres => postgres(&mut cursor),
        Engine::MySql => mysql(&mut cursor),
        Engine::Sqlite => sqlite(&mut cursor),
    };
    words.map(|words| Kind::TransactionControl(shown(&words)))
}

fn postgres(cursor: &mut Cursor<'_>) -> Option<Vec<&'static str>> {
    match cursor.eat_any(&[
        "BEGIN", "START", "COMMIT", "END", "ABORT", "ROLLBACK", "PREPARE", "SET",
    ])? {
        "ROLLBACK" => rollback(cursor),
        "START" | "PREPARE" if !cursor.at("TRANSACTION") => None,
        "START" => Some(vec!["START", "TRANSACTION"]),
        "PREPARE" => Some(vec!["PREPARE", "TRANSACTION"]),
        "SET" => {
            cursor.eat_any(&["LOCAL", "SESSION"]);
            Some(vec!["SET", cursor.at_any(&["TRANSACTION", "CHARACTERISTICS"])?])
        }
        word => Some(vec![word]),
    }
}

fn sqlite(cursor: &mut Cursor<'_>) -> Option<Vec<&'static str>> {
    match cursor.eat_any(&["BEGIN", "COMMIT", "END", "ROLLBACK"])? {
        "ROLLBACK" => rollback(cursor),
        word => Some(vec![word]),
    }
}

/// `ROLLBACK TO SAVEPOINT` stays inside the transaction.
fn rollback(cursor: &mut Cursor<'_>) -> Option<Vec<&'static str>> {
    cursor.eat_any(&["WORK", "TRANSACTION"]);
    (!cursor.at("TO")).then(|| vec!["ROLLBACK"])
}

/// On MySQL a savepoint ends with the checkpoint after its statement, and locked tables would include ours.
fn mysql(cursor: &mut Cursor<'_>) -> Option<Vec<&'static str>> {
    const FIRST: [&str; 10] = [
        "BEGIN",
        "START",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT",
        "RELEASE",
        "LOCK",
        "UNLOCK",
        "XA",
        "SET",
    ];
    match cursor.eat_any(&FIRST)? {
        "BEGIN" if cursor.at("NOT") => None,
        "START" => cursor.at("TRANSACTION").then(|| vec!["START", "TRANSACTION"]),
        "LOCK" => Some(vec!["LOCK", cursor.at_any(&["TABLES", "TABLE"])?]),
        "UNLOCK" => Some(vec!["UNLOCK", cursor.at_any(&["TABLES", "TABLE"])?]),
        "RELEASE" => cursor.at("SAVEPOINT").then(|| vec!["RELEASE", "SAVEPOINT"]),
        "SET" => mysql_set(cursor),
        word => Some(vec![word]),
    }
}

/// Variables that say how the session's transactions are ("Server System Variables"), under the names of MySQL
/// 5.7, MySQL 8.0 and MariaDB.
const VARIABLES: [&str; 6] = [
    "autocommit",
    "completion_type",
    "transaction_isolation",
    "transaction_read_only",
    "tx_isolation",
    "tx_read_only",
];

fn mysql_set(cursor: &mut Cursor<'_>) -> Option<Vec<&'static str>> {
    let mut ahead = cursor.clone();
    ahead.eat_any(&["GLOBAL", "SESSION", "LOCAL"]);
    if ahead.at("TRANSACTION") {
        return Some(vec!["SET", "TRANSACTION"]);
    }
    let assigned = VARIABLES
        .into_iter()
        .find(|name| super::session::assigns(cursor.clone(), name));
    assigned.map(|name| vec!["SET", name])
}
