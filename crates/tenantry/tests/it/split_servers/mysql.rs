//! MariaDB prepares one statement from a text and refuses two, and its general log shows each text.
//!
//! A statement that is prepared is parsed as the server parses all of them, and not carried out: ten thousand
//! scripts make no tables. Those without a delimiter of the client's are also carried out whole.

use std::fs;

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use tenantry::engine::Engine;
use tokio::task::JoinSet;

use super::{Cut, assert_logged, log_of, network, shares};
use crate::database::{TestDatabase, fresh, mysql};

/// Returns how many statements the server found in a text.
async fn answered(connection: &mut Conn, text: &str) -> u64 {
    let before = questions(connection).await;
    connection
        .query_drop(text)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    // The second look counts itself.
    questions(connection).await - before - 1
}

/// Returns how many statements the session has sent, each one of a text for itself.
async fn questions(connection: &mut Conn) -> u64 {
    let row: Option<(String, u64)> = connection
        .query_first("SHOW SESSION STATUS LIKE 'Questions'")
        .await
        .unwrap();
    row.unwrap().1
}

/// Lets the server parse one statement.
async fn prepare(connection: &mut Conn, text: &str) -> mysql_async::Result<()> {
    let statement = connection.prep(text).await?;
    connection.close(statement).await
}

/// Checks scripts on one connection; returns the log's entries for their statements.
async fn check_all(database: &TestDatabase, share: Vec<Cut>) -> Vec<String> {
    let mut connection = mysql(network(database)).await;
    let id = connection.id();
    assert_eq!(answered(&mut connection, "SELECT 1; DO 1; SELECT 2").await, 3);
    for not_one in ["SELECT 1; SELECT 2", ""] {
        let refused = prepare(&mut connection, not_one).await;
        assert!(refused.is_err(), "{not_one:?}");
    }
    // A table that is a file less to write.
    let begin = "SET default_storage_engine = MEMORY; CREATE TABLE base (a VARCHAR(99))";
    assert_eq!(answered(&mut connection, begin).await, 2);
    let mut entries = Vec::new();
    for cut in share {
        // One statement is all there is to see in one.
        if cut.ranges.len() > 1 && !cut.text.contains("DELIMITER") {
            let end = cut.ranges.last().map_or(0, |range| range.end);
            connection.query_drop("DROP TABLE base").await.unwrap();
            let found = answered(&mut connection, &cut.text[..end]).await;
            assert_eq!(found, cut.ranges.len() as u64, "{}", cut.text);
        }
        for statement in cut.statements() {
            prepare(&mut connection, statement)
                .await
                .unwrap_or_else(|error| panic!("{error}\n{statement}"));
            entries.push(format!("{id} Prepare\t{statement}\n"));
        }
    }
    entries
}

/// The server finds one statement in each of ours and, where no delimiter of the client's is in it, as many
/// in a script as we do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_cuts_where_we_cut() {
    let mut work = JoinSet::new();
    for share in shares(Engine::MySql) {
        let Some(database) = fresh(Engine::MySql).await else {
            return;
        };
        work.spawn(async move { check_all(&database, share).await });
    }
    let logged = work.join_all().await;
    let log = fs::read_to_string(log_of(Engine::MySql)).unwrap();
    for entries in &logged {
        assert_logged(&log, entries);
    }
}
