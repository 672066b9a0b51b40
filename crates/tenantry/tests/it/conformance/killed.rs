//! A session that is killed in the middle of a statement: PostgreSQL by `pg_terminate_backend`, MySQL and
//! MariaDB by `KILL`.
//!
//! SQLite has no server that could kill a session. What can happen there is that the task or process which
//! has the file open goes away in mid-transaction, so that is what happens here: the work is dropped while
//! a statement runs. (A process that is killed is the business of the command's tests.)

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use tenantry::Code;
use tenantry::engine::{self, Address, ApplyError, Engine, NetworkAddress, OpenOptions, SessionError};
use tenantry::history::Phase::{Done, Running};
use tenantry::migration::Track;
use tenantry::plan::{Goal, plan};
use tenantry::run::{Control, Outcome, RunEvent, RunOptions, RunReport, run};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;

use super::{FIRST, job, migrate, phases, track, unit};
use crate::database::{TestDatabase, mysql, postgres};

/// Its second statement waits for whoever holds the row of `effect`, and takes a minute while `many` has
/// many rows: a defect makes a test fail late, not hang.
const SLOW: (&str, &str) = (
    "2_slow.sql",
    "CREATE TABLE extra (n int);
UPDATE effect SET n = n + 1 WHERE (SELECT count(*) FROM many a, many b, many c) > 0;
INSERT INTO extra VALUES (1);
",
);
/// How long anything here is waited for.
const LONGEST: Duration = Duration::from_mins(1);

on_every_engine_and_pooler!(
    a_session_killed_in_a_statement_is_taken_up_by_the_next,
    a_run_goes_on_after_a_session_of_it_was_killed,
    a_unit_that_is_dropped_in_a_statement_leaves_no_lock_and_no_half,
);

/// What keeps the second statement from ending.
enum Hold {
    /// A row lock: PostgreSQL.
    Client(tokio_postgres::Client, JoinSet<()>),
    /// A row lock: MySQL, MariaDB.
    Conn(Box<mysql_async::Conn>),
    /// Rows that are many: SQLite has one lock, which the migration itself needs.
    Rows,
}

fn network(database: &TestDatabase) -> &NetworkAddress {
    match &database.direct {
        Address::Network(network) => network,
        Address::Sqlite(_) => panic!("not a server"),
    }
}

impl Hold {
    async fn take(database: &TestDatabase) -> Self {
        const LOCK: &str = "BEGIN; UPDATE effect SET n = n";
        match database.engine {
            Engine::Postgres => {
                let mut tasks = JoinSet::new();
                let client = postgres(network(database), &mut tasks).await;
                client.batch_execute(LOCK).await.unwrap();
                Self::Client(client, tasks)
            }
            Engine::MySql => {
                let mut connection = mysql(network(database)).await;
                connection.query_drop(LOCK).await.unwrap();
                Self::Conn(Box::new(connection))
            }
            Engine::Sqlite => {
                let rows = vec!["(1)"; 700].join(", ");
                database.query(&format!("INSERT INTO many VALUES {rows}")).await;
                Self::Rows
            }
        }
    }

    async fn release(self, database: &TestDatabase) {
        match self {
            Self::Client(client, _tasks) => client.batch_execute("ROLLBACK").await.unwrap(),
            Self::Conn(mut connection) => connection.query_drop("ROLLBACK").await.unwrap(),
            Self::Rows => {
                database.query("DELETE FROM many WHERE rowid > 1").await;
            }
        }
    }
}

/// Asks until there is an answer, and returns it.
async fn until(database: &TestDatabase, sql: &str) -> String {
    let asking = async {
        loop {
            let found = database.one(sql).await;
            if !found.is_empty() {
                return found;
            }
        }
    };
    let waited = tokio::time::timeout(LONGEST, asking).await;
    waited.unwrap_or_else(|_| panic!("never found: {sql}"))
}

/// Kills whoever runs the second statement, and waits until it is gone; on SQLite the work is gone with it.
async fn kill<T: 'static>(database: &TestDatabase, work: &mut JoinSet<T>) {
    match &database.address {
        Address::Network(address) if address.engine == Engine::Postgres => {
            let waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
                           AND wait_event_type = 'Lock' AND application_name LIKE 'tenantry%'";
            let pid = until(database, waiting).await;
            let killed = format!("SELECT pg_terminate_backend({pid}, 10000)");
            assert_eq!(database.one(&killed).await, "t");
        }
        Address::Network(_) => {
            let waiting = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() \
                           AND info LIKE 'UPDATE effect SET n = n + 1%'";
            let id = until(database, waiting).await;
            database.query(&format!("KILL CONNECTION {id}")).await;
            let others = format!("SELECT 1 FROM information_schema.processlist WHERE id = {id}");
            until(database, &format!("SELECT 'gone' WHERE NOT EXISTS ({others})")).await;
        }
        Address::Sqlite(file) => {
            let journal = format!("{}-journal", file.path().display());
            let written = async {
                while !std::fs::exists(&journal).unwrap() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(LONGEST, written).await.unwrap();
            work.abort_all();
            let ended = work.join_next().await.unwrap();
            assert!(
                ended.is_err_and(|error| error.is_cancelled()),
                "it ended by itself"
            );
        }
    }
}

/// Returns what the work came to; `None` if it is gone.
async fn end_of<T: 'static>(mut work: JoinSet<T>) -> Option<T> {
    let ended = tokio::time::timeout(LONGEST, work.join_next()).await;
    ended.unwrap().map(Result::unwrap)
}

/// Brings a database to where the slow file is next.
async fn prepare(database: &TestDatabase) -> Track {
    let many = (
        "1_first.sql",
        &*format!(
            "{}CREATE TABLE many (n int);\nINSERT INTO many VALUES (1);\n",
            FIRST.1
        ),
    );
    let first = track(database.engine, &[many]);
    migrate(database, &first, &Goal::Head).await.unwrap();
    track(database.engine, &[many, SLOW])
}

/// Checks that everything is there once.
async fn is_there_once(database: &TestDatabase) {
    assert_eq!(phases(database).await, [(1, Done), (2, Done)]);
    assert_eq!(database.query("SELECT n FROM effect").await, [["2"]]);
    assert_eq!(database.query("SELECT n FROM extra").await, [["1"]]);
}

async fn a_session_killed_in_a_statement_is_taken_up_by_the_next(database: TestDatabase) {
    let files = prepare(&database).await;
    let hold = Hold::take(&database).await;
    let options = OpenOptions {
        lock_timeout: LONGEST,
        ..database.options()
    };
    let mut session = engine::open(&database.address, &options).await.unwrap();
    let unit = unit(plan(&files, session.history(), &Goal::Head).unwrap().steps);
    let mut work = JoinSet::new();
    work.spawn(async move { session.carry_out(&unit).await });
    kill(&database, &mut work).await;
    if let Some(ended) = end_of(work).await {
        let Err(ApplyError::Session { source, .. }) = &ended else {
            panic!("{ended:?}")
        };
        assert!(matches!(source, SessionError::Lost { .. }), "{source:?}");
    }
    hold.release(&database).await;
    let left = phases(&database).await;
    if database.engine.has_transactional_ddl() {
        assert_eq!(left, [(1, Done)]);
    } else {
        assert_eq!(left, [(1, Done), (2, Running)]);
    }
    assert_eq!(database.query("SELECT n FROM effect").await, [["1"]]);
    migrate(&database, &files, &Goal::Head).await.unwrap();
    is_there_once(&database).await;
}

/// Runs a database's files in a task; the task also returns what was told.
fn begin(database: &TestDatabase, files: Track) -> JoinSet<(RunReport, Vec<RunEvent>)> {
    let jobs = vec![job(database, "acme", &Arc::new(files))];
    let mut work = JoinSet::new();
    work.spawn(async move {
        let options = RunOptions {
            lock_timeout: LONGEST,
            ..RunOptions::default()
        };
        let (events, mut told) = unbounded_channel();
        let report = run("run_test", jobs, options, Control::default(), events).await;
        let mut heard = Vec::new();
        while let Ok(event) = told.try_recv() {
            heard.push(event);
        }
        (report, heard)
    });
    work
}

/// On a server the same run takes it up in a new session; a run that is dropped with its file is followed
/// by another.
async fn a_run_goes_on_after_a_session_of_it_was_killed(database: TestDatabase) {
    let files = prepare(&database).await;
    let hold = Hold::take(&database).await;
    let mut work = begin(&database, files.clone());
    kill(&database, &mut work).await;
    hold.release(&database).await;
    let (report, attempts) = if let Some((report, heard)) = end_of(work).await {
        let lost = |event: &&RunEvent| matches!(event, RunEvent::Retrying { code: Code(5001), .. });
        assert_eq!(heard.iter().filter(lost).count(), 1, "{heard:?}");
        (report, 2)
    } else {
        (end_of(begin(&database, files)).await.unwrap().0, 1)
    };
    let target = &report.targets[0];
    assert_eq!(
        (target.outcome, target.attempts),
        (Outcome::Applied, attempts),
        "{target:?}"
    );
    is_there_once(&database).await;
}

/// Returns when the second statement is under way.
async fn begun(database: &TestDatabase) {
    let waiting = match &database.address {
        Address::Network(address) if address.engine == Engine::Postgres => {
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
             AND wait_event_type = 'Lock' AND application_name LIKE 'tenantry%'"
        }
        Address::Network(_) => {
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE() \
             AND info LIKE 'UPDATE effect SET n = n + 1%'"
        }
        Address::Sqlite(file) => {
            let journal = format!("{}-journal", file.path().display());
            while !std::fs::exists(&journal).unwrap() {
                tokio::task::yield_now().await;
            }
            return;
        }
    };
    until(database, waiting).await;
}

/// As a program does it that waits for so long and no longer: it lets go of the call and then of the session.
async fn a_unit_that_is_dropped_in_a_statement_leaves_no_lock_and_no_half(database: TestDatabase) {
    let files = prepare(&database).await;
    let hold = Hold::take(&database).await;
    let options = OpenOptions {
        lock_timeout: Duration::from_secs(5),
        ..database.options()
    };
    let mut session = engine::open(&database.address, &options).await.unwrap();
    let unit = unit(plan(&files, session.history(), &Goal::Head).unwrap().steps);
    tokio::select! {
        ended = session.carry_out(&unit) => panic!("it ended by itself: {ended:?}"),
        waited = tokio::time::timeout(LONGEST, begun(&database)) => waited.unwrap(),
    }
    drop(session);
    // What it waited for is still there, and its lock is not.
    drop(engine::open(&database.address, &options).await.unwrap());
    let left = phases(&database).await;
    if database.engine.has_transactional_ddl() {
        assert_eq!(left, [(1, Done)]);
    } else {
        assert_eq!(left, [(1, Done), (2, Running)]);
    }
    hold.release(&database).await;
    migrate(&database, &files, &Goal::Head).await.unwrap();
    is_there_once(&database).await;
}
