//! The engines themselves cut generated scripts where we cut them, and their logs show our bytes.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;

use mysql_async::prelude::Queryable as _;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::{Batch, Connection};
use tenantry::engine::{Address, Engine, NetworkAddress};
use tenantry::migration::{Statement, split};
use tokio::task::JoinSet;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::database::{TestDatabase, fresh, mysql, postgres};
use crate::generated::script;

/// A script and where we cut it.
struct Cut {
    text: String,
    ranges: Vec<Range<usize>>,
}

impl Cut {
    fn statements(&self) -> impl Iterator<Item = &str> {
        self.ranges.iter().map(|range| &self.text[range.clone()])
    }

    /// Returns what stands around the statements: white space, comments and delimiters.
    fn gaps(&self) -> String {
        let starts = self.ranges.iter().map(|range| range.start);
        let ends = std::iter::once(0).chain(self.ranges.iter().map(|range| range.end));
        ends.zip(starts.chain([self.text.len()]))
            .map(|(end, start)| &self.text[end..start])
            .collect()
    }
}

/// Makes scripts, the same ones each time, and cuts them.
fn scripts(engine: Engine, count: usize) -> Vec<Cut> {
    let mut runner = TestRunner::deterministic();
    let strategy = script(engine);
    let mut one = || {
        let text = strategy.new_tree(&mut runner).unwrap().current().text;
        let found = split(&text, engine).unwrap();
        Cut {
            ranges: found.iter().map(Statement::range).collect(),
            text,
        }
    };
    (0..count).map(|_| one()).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "xtask says in the environment where the logs are"
)]
fn log_of(engine: Engine) -> PathBuf {
    let name = match engine {
        Engine::Postgres => "TENANTRY_TEST_POSTGRES_LOG",
        Engine::MySql => "TENANTRY_TEST_MARIADB_LOG",
        Engine::Sqlite => panic!("SQLite has no log"),
    };
    PathBuf::from(std::env::var(name).unwrap())
}

fn network(database: &TestDatabase) -> &NetworkAddress {
    match &database.address {
        Address::Network(network) => network,
        Address::Sqlite(_) => panic!("not a server"),
    }
}

/// Checks that a log holds these entries in this order, whatever stands between them.
fn assert_logged(log: &str, entries: &[String]) {
    let mut rest = log;
    for entry in entries {
        let at = rest.find(entry.as_str());
        rest = at.map_or_else(
            || panic!("not logged, or not in order: {entry}"),
            |at| &rest[at + entry.len()..],
        );
    }
}

/// Returns the bytes of the first statement that SQLite takes from a text; `None` if it sees none in it.
fn taken(connection: &Connection, text: &str) -> Option<String> {
    let mut batch = Batch::new(connection, text);
    let mut statement = batch.next().unwrap_or_else(|error| panic!("{error}\n{text}"))?;
    let taken = statement.expanded_sql();
    let mut rows = statement.raw_query();
    while rows.next().unwrap().is_some() {}
    taken
}

/// SQLite takes one statement after the other from a text and tells its bytes: ours are in them, and
/// nothing else that is a statement.
#[test]
fn sqlite_cuts_where_we_cut() {
    for cut in scripts(Engine::Sqlite, 10_000) {
        let connection = Connection::open_in_memory().unwrap();
        let mut begin = 0;
        for range in &cut.ranges {
            let taken_here = taken(&connection, &cut.text[begin..]).unwrap();
            assert!(cut.text[begin..].starts_with(&taken_here), "{taken_here}");
            let end = begin + taken_here.len();
            let (statement, text) = (&cut.text[range.clone()], &cut.text);
            assert!(
                begin <= range.start && range.end <= end,
                "{taken_here}\nis not\n{statement}"
            );
            for gap in [
                &text[begin..range.start],
                text[range.end..end].trim_end_matches(';'),
            ] {
                assert_eq!(taken(&connection, gap), None, "a part of {taken_here}");
            }
            begin = end;
        }
        assert_eq!(taken(&connection, &cut.text[begin..]), None);
    }
}

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

/// The server finds as many statements in a script as we do, one in each of ours, and none between them.
#[tokio::test]
async fn postgres_cuts_where_we_cut() {
    let Some(database) = fresh(Engine::Postgres).await else {
        return;
    };
    let mut tasks = JoinSet::new();
    let client = postgres(network(&database), &mut tasks).await;
    let mut sent = Vec::new();
    for cut in scripts(Engine::Postgres, 2_000) {
        client.batch_execute("BEGIN").await.unwrap();
        assert_eq!(
            completed(&client, &cut.text).await,
            cut.ranges.len(),
            "{}",
            cut.text
        );
        client.batch_execute("ROLLBACK; BEGIN").await.unwrap();
        for statement in cut.statements() {
            assert_eq!(completed(&client, statement).await, 1, "{statement}");
            sent.push(statement.to_owned());
        }
        let alone = format!("SELECT 1{}", cut.gaps());
        assert_eq!(completed(&client, &alone).await, 1, "{:?}", cut.gaps());
        client.batch_execute("ROLLBACK").await.unwrap();
    }
    let name = &network(&database).database;
    let log = fs::read_to_string(log_of(Engine::Postgres)).unwrap();
    let entries: Vec<String> = sent
        .iter()
        .map(|sql| format!("@{name} LOG:  statement: {}\n", sql.replace('\n', "\n\t")))
        .collect();
    assert_logged(&log, &entries);
}

/// Returns how many statements the server found in a text.
async fn answered(connection: &mut mysql_async::Conn, text: &str) -> u64 {
    let before = questions(connection).await;
    connection
        .query_drop(text)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    // The second look counts itself.
    questions(connection).await - before - 1
}

/// Returns how many statements the session has sent, each one of a text for itself.
async fn questions(connection: &mut mysql_async::Conn) -> u64 {
    let row: Option<(String, u64)> = connection
        .query_first("SHOW SESSION STATUS LIKE 'Questions'")
        .await
        .unwrap();
    row.unwrap().1
}

/// The server finds one statement in each of ours and, where no delimiter of the client's is in it, as many
/// in a script as we do.
#[tokio::test]
async fn mariadb_cuts_where_we_cut() {
    let Some(database) = fresh(Engine::MySql).await else {
        return;
    };
    let name = &network(&database).database;
    let mut connection = mysql(network(&database)).await;
    let id = connection.id();
    assert_eq!(answered(&mut connection, "SELECT 1; DO 1; SELECT 2").await, 3);
    let anew = format!("DROP DATABASE `{name}`; CREATE DATABASE `{name}`; USE `{name}`");
    let mut entries = Vec::new();
    for cut in scripts(Engine::MySql, 200) {
        answered(&mut connection, &anew).await;
        if !cut.text.contains("DELIMITER") {
            let end = cut.ranges.last().map_or(0, |range| range.end);
            let found = answered(&mut connection, &cut.text[..end]).await;
            assert_eq!(found, cut.ranges.len() as u64, "{}", cut.text);
            answered(&mut connection, &anew).await;
        }
        for statement in cut.statements() {
            assert_eq!(answered(&mut connection, statement).await, 1, "{statement}");
            entries.push(format!("{id} Query\t{statement}\n"));
        }
    }
    assert_logged(&fs::read_to_string(log_of(Engine::MySql)).unwrap(), &entries);
}
