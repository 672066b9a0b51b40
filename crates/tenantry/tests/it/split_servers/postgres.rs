//! PostgreSQL counts the statements of a message, and `log_statement` shows each message.

use std::fs;

use futures_util::future::join_all;
use tenantry::engine::Engine;
use tokio::task::JoinSet;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::{Cut, assert_logged, log_of, network, shares};
use crate::database::{TestDatabase, fresh, postgres};

/// Returns how many statements the server found in a message.
async fn completed(client: &Client, text: &str) -> usize {
    let messages = client
        .simple_query(text)
        .await
        .unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    let ends = messages
        .iter()
        .filter(|m| matches!(m, SimpleQueryMessage::CommandComplete(_)));
    ends.count()
}

/// Sends a script as a whole, statement by statement, and what is left of it without them: all of it before
/// the first answer is read.
async fn check(client: &Client, cut: &Cut) {
    let alone = format!("SELECT 1{}", cut.gaps());
    let mut texts = vec!["BEGIN", &cut.text, "ROLLBACK; BEGIN"];
    let mut expected = vec![1, cut.ranges.len(), 2];
    texts.extend(cut.statements());
    texts.extend([&alone, "ROLLBACK"]);
    expected.resize(texts.len(), 1);
    let found = join_all(texts.iter().map(|text| completed(client, text))).await;
    assert_eq!(found, expected, "{texts:#?}");
}

/// Checks scripts on one connection; returns the log's entries for their statements.
async fn check_all(database: &TestDatabase, share: Vec<Cut>) -> Vec<String> {
    let mut tasks = JoinSet::new();
    let client = postgres(network(database), &mut tasks).await;
    let name = &network(database).database;
    let mut entries = Vec::new();
    for cut in share {
        check(&client, &cut).await;
        let logged = |sql: &str| format!("@{name} LOG:  statement: {}\n", sql.replace('\n', "\n\t"));
        entries.extend(cut.statements().map(logged));
    }
    entries
}

/// The server finds as many statements in a script as we do, one in each of ours, and none between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_cuts_where_we_cut() {
    let mut work = JoinSet::new();
    for share in shares(Engine::Postgres) {
        let Some(database) = fresh(Engine::Postgres).await else {
            return;
        };
        work.spawn(async move { check_all(&database, share).await });
    }
    let logged = work.join_all().await;
    // Other tests have databases in other encodings, whose statements the server logs as they came.
    let log = fs::read(log_of(Engine::Postgres)).unwrap();
    let log = String::from_utf8_lossy(&log);
    for entries in &logged {
        assert_logged(&log, entries);
    }
}
