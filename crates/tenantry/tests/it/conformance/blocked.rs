//! A statement that waits for somebody's lock gives way, tries again, and at last names who is in its way.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use tenantry::engine::{Address, Certainty, Engine, Hidden, NetworkAddress};
use tenantry::mark::Mark;
use tenantry::migration::Track;
use tenantry::plan::Goal;
use tenantry::run::{
    Control, Declaration, Declared, Outcome, RunEvent, RunOptions, RunReport, RunStatus, Says, Stop, Watch,
    declare, run,
};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;

use super::{FIRST, job, migrate, track};
use crate::database::{TestDatabase, mysql, postgres};

/// Waits for every transaction that has looked at the table.
const ALTER: (&str, &str) = ("2_alter.sql", "ALTER TABLE effect ADD COLUMN m int;\n");
/// Waits for nobody.
const MORE: (&str, &str) = ("2_more.sql", "CREATE TABLE more (n int);\n");
/// Waits for every transaction that has changed the row.
const UPDATE: (&str, &str) = ("2_update.sql", "UPDATE effect SET n = n + 1;\n");

on_every_engine!(
    whoever_reads_a_table_that_is_to_be_altered_is_named,
    whoever_has_changed_a_row_is_named,
    whoever_keeps_our_tables_from_being_read_is_named,
    whoever_keeps_our_tables_from_being_written_is_named,
    an_intent_that_waits_gives_way_and_is_told,
    whoever_keeps_a_mark_from_being_written_is_named,
    whoever_has_the_migration_lock_is_told_while_it_is_waited_for,
    a_stop_between_two_attempts_is_a_stop,
);

/// A session of the application in an open transaction.
enum Application {
    Client(tokio_postgres::Client, JoinSet<()>),
    Conn(Box<mysql_async::Conn>),
    File(rusqlite::Connection),
}

fn network(address: &Address) -> &NetworkAddress {
    match address {
        Address::Network(network) => network,
        Address::Sqlite(_) => panic!("not a server"),
    }
}

impl Application {
    /// Begins a transaction with a statement; returns the session's id, where it has one.
    async fn begin(database: &TestDatabase, statement: &str) -> (Self, Option<i64>) {
        match database.engine {
            Engine::Postgres => {
                let mut tasks = JoinSet::new();
                let client = postgres(network(&database.direct), &mut tasks).await;
                client
                    .batch_execute(&format!("SET application_name = 'shop'; BEGIN; {statement}"))
                    .await
                    .unwrap();
                let row = client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap();
                let id = i64::from(row.get::<_, i32>(0));
                (Self::Client(client, tasks), Some(id))
            }
            Engine::MySql => {
                let mut connection = mysql(network(&database.direct)).await;
                connection.query_drop("BEGIN").await.unwrap();
                connection.query_drop(statement).await.unwrap();
                let id = i64::from(connection.id());
                (Self::Conn(Box::new(connection)), Some(id))
            }
            Engine::Sqlite => {
                let Address::Sqlite(file) = &database.address else {
                    panic!("not a file")
                };
                let connection = rusqlite::Connection::open(file.path()).unwrap();
                connection.execute_batch("BEGIN IMMEDIATE").unwrap();
                // The system tells processes, and on Linux only.
                let process = i64::from(std::process::id());
                (
                    Self::File(connection),
                    cfg!(target_os = "linux").then_some(process),
                )
            }
        }
    }

    async fn end(self) {
        match self {
            Self::Client(client, _tasks) => client.batch_execute("ROLLBACK").await.unwrap(),
            Self::Conn(mut connection) => connection.query_drop("ROLLBACK").await.unwrap(),
            Self::File(connection) => connection.execute_batch("ROLLBACK").unwrap(),
        }
    }
}

/// Brings the database to the head, or gives up after a wait; also returns what the retries said.
///
/// Two looks from another connection fall into the wait, and a busy machine may take a second for one.
async fn run_for_a_short_time(database: &TestDatabase, files: Track) -> (RunReport, Vec<String>) {
    let options = RunOptions {
        lock_timeout: Duration::from_secs(5),
        lock_window: Duration::from_secs(5),
        ..RunOptions::default()
    };
    let jobs = vec![job(database, "acme", &Arc::new(files))];
    let (events, mut told) = unbounded_channel();
    let report = run("run_test", jobs, options, Control::default(), events).await;
    let mut said = Vec::new();
    while let Ok(event) = told.try_recv() {
        if let RunEvent::Retrying { reason, .. } = event {
            said.push(reason);
        }
    }
    (report, said)
}

async fn somebody_is_named(
    database: TestDatabase,
    statement: &str,
    file: (&str, &str),
    certainty: Certainty,
) {
    migrate(&database, &track(database.engine, &[FIRST]), &Goal::Head)
        .await
        .unwrap();
    let (application, id) = Application::begin(&database, statement).await;
    let files = track(database.engine, &[FIRST, file]);
    let (report, said) = run_for_a_short_time(&database, files.clone()).await;
    let target = &report.targets[0];
    assert_eq!(target.outcome, Outcome::Blocked, "{target:?}");
    let holders = &target.failure.as_ref().unwrap().holders;
    let seen: Vec<(i64, Certainty)> = holders.iter().map(|h| (h.pid, h.certainty)).collect();
    let wanted: Vec<(i64, Certainty)> = id.map(|id| (id, certainty)).into_iter().collect();
    assert_eq!(seen, wanted, "{target:?} {said:?}");
    if let Some(holder) = holders.first() {
        // Where it connects from, and whether it is alive: it waits for its application.
        let (from, state) = match database.engine {
            Engine::Postgres => ("127.0.0.1:", "idle in transaction"),
            // Its name or its address, as the server has looked it up.
            Engine::MySql => (":", "Sleep"),
            Engine::Sqlite => ("/", ""),
        };
        assert!(holder.from.contains(from), "{holder:?}");
        let has_time = holder.since.len() == "2026-03-14T09:30:00Z".len() && holder.since.ends_with('Z');
        assert!(has_time, "{holder:?}");
        match &database.direct {
            Address::Network(network) => assert_eq!(holder.user, network.login.user, "{holder:?}"),
            // The system tells programs, and whose they are.
            Address::Sqlite(_) => assert!(!holder.user.is_empty(), "{holder:?}"),
        }
        match database.engine {
            Engine::Postgres => assert_eq!(holder.application, "shop", "{holder:?}"),
            // Kept by the server's performance schema alone, which is off here.
            Engine::MySql => {}
            Engine::Sqlite => assert!(!holder.application.is_empty(), "{holder:?}"),
        }
        assert_eq!(holder.hidden, None, "{holder:?}");
        assert!(
            holder.state.contains(state) && !holder.state.is_empty(),
            "{holder:?}"
        );
    }
    application.end().await;
    let (report, _) = run_for_a_short_time(&database, files).await;
    assert_eq!(report.targets[0].outcome, Outcome::Applied, "{report:?}");
}

/// Makes an account of its own for the database, as each tenant has one, and leads us there with it.
async fn with_account_of_its_own(database: &mut TestDatabase) -> String {
    let Address::Network(network) = &mut database.address else {
        panic!("not a server")
    };
    let (name, user) = (network.database.clone(), format!("{}_role", network.database));
    let statements = match network.engine {
        // It logs in as the administrator does: another test looks for passwords in the server's log.
        Engine::Postgres => vec![
            format!("CREATE ROLE {user} LOGIN"),
            format!(
                "UPDATE pg_authid SET rolpassword = (SELECT rolpassword FROM pg_authid WHERE rolname = \
                 current_user) WHERE rolname = '{user}'"
            ),
            format!("ALTER DATABASE {name} OWNER TO {user}"),
        ],
        Engine::MySql | Engine::Sqlite => {
            network.login.password = "sesame".to_owned().into();
            vec![
                format!("CREATE USER {user} IDENTIFIED BY 'sesame'"),
                format!("GRANT ALL ON {name}.* TO {user}"),
            ]
        }
    };
    network.login.user.clone_from(&user);
    for statement in statements {
        database.query(&statement).await;
    }
    user
}

#[tokio::test]
async fn what_the_account_may_not_see_is_told_with_the_right_that_shows_it() {
    for (engine, right, certainty) in [
        (Engine::Postgres, "pg_read_all_stats", Certainty::Holds),
        (Engine::MySql, "PROCESS", Certainty::Hidden),
    ] {
        let Some(mut database) = crate::database::fresh(engine).await else {
            return;
        };
        let account = with_account_of_its_own(&mut database).await;
        migrate(&database, &track(engine, &[FIRST]), &Goal::Head)
            .await
            .unwrap();
        let (application, id) = Application::begin(&database, "SELECT * FROM effect").await;
        let files = track(engine, &[FIRST, ALTER]);
        let (report, said) = run_for_a_short_time(&database, files).await;
        let failure = report.targets[0].failure.as_ref().unwrap();
        let [holder] = failure.holders.as_slice() else {
            panic!("{failure:?} {said:?}");
        };
        assert_eq!(holder.certainty, certainty, "{holder:?}");
        assert_eq!(
            holder.hidden,
            Some(Hidden {
                account,
                right: right.into()
            }),
            "{holder:?}"
        );
        assert!(
            holder.state.is_empty() && holder.statement.is_empty(),
            "{holder:?}"
        );
        if certainty == Certainty::Holds {
            assert_eq!(Some(holder.pid), id, "{holder:?}");
        }
        application.end().await;
    }
}

/// The connection that has a named lock is no secret, whoever may see what it does.
#[tokio::test]
async fn whoever_has_the_migration_lock_is_named_to_an_account_that_may_not_see_it() {
    let Some(mut database) = crate::database::fresh(Engine::MySql).await else {
        return;
    };
    let holder = tenantry::engine::open(&database.address, &database.options())
        .await
        .unwrap();
    let lock =
        "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()";
    let id = database.one(lock).await;
    with_account_of_its_own(&mut database).await;
    let (report, _) = run_for_a_short_time(&database, track(Engine::MySql, &[FIRST])).await;
    let failure = report.targets[0].failure.as_ref().unwrap();
    let [seen] = failure.holders.as_slice() else {
        panic!("{failure:?}");
    };
    assert_eq!((seen.certainty, seen.pid.to_string()), (Certainty::Holds, id));
    assert!(seen.hidden.is_some(), "{seen:?}");
    drop(holder);
}

async fn whoever_reads_a_table_that_is_to_be_altered_is_named(database: TestDatabase) {
    let certainty = match database.engine {
        Engine::MySql => Certainty::MayHold,
        Engine::Postgres | Engine::Sqlite => Certainty::Holds,
    };
    somebody_is_named(database, "SELECT * FROM effect", ALTER, certainty).await;
}

async fn whoever_has_changed_a_row_is_named(database: TestDatabase) {
    somebody_is_named(database, "UPDATE effect SET n = n", UPDATE, Certainty::Holds).await;
}

async fn whoever_keeps_our_tables_from_being_read_is_named(database: TestDatabase) {
    let (statement, certainty) = match database.engine {
        Engine::MySql => ("LOCK TABLES _tenantry_history WRITE", Certainty::MayHold),
        Engine::Postgres | Engine::Sqlite => (
            "LOCK TABLE public._tenantry_history IN ACCESS EXCLUSIVE MODE",
            Certainty::Holds,
        ),
    };
    somebody_is_named(database, statement, ALTER, certainty).await;
}

async fn whoever_keeps_our_tables_from_being_written_is_named(database: TestDatabase) {
    let statement = "SELECT * FROM _tenantry_meta FOR UPDATE";
    somebody_is_named(database, statement, UPDATE, Certainty::Holds).await;
}

/// Where a statement cannot be taken back, its intent is written first; that gives way as any other statement does.
async fn an_intent_that_waits_gives_way_and_is_told(database: TestDatabase) {
    migrate(&database, &track(database.engine, &[FIRST]), &Goal::Head)
        .await
        .unwrap();
    let statement = "SELECT * FROM _tenantry_meta FOR UPDATE";
    let (application, _) = Application::begin(&database, statement).await;
    let options = RunOptions {
        lock_timeout: Duration::from_secs(1),
        lock_window: Duration::from_secs(6),
        ..RunOptions::default()
    };
    let files = Arc::new(track(database.engine, &[FIRST, MORE]));
    let (events, mut told) = unbounded_channel();
    let jobs = vec![job(&database, "acme", &files)];
    let report = run("run_test", jobs, options, Control::default(), events).await;
    let target = &report.targets[0];
    assert_eq!(target.outcome, Outcome::Blocked, "{target:?}");
    assert!(target.duration < Duration::from_secs(20), "{target:?}");
    let mut said = 0;
    while let Ok(event) = told.try_recv() {
        said += usize::from(matches!(
            event,
            RunEvent::Retrying { .. } | RunEvent::Waiting { .. }
        ));
    }
    assert!(said > 0, "{target:?}");
    application.end().await;
}

/// Takes the first migration out of the history, or gives up after a wait; also returns what was told of waits.
async fn take_out_for_a_short_time(database: &TestDatabase) -> (Declared, Vec<String>) {
    let options = RunOptions {
        lock_timeout: Duration::from_secs(5),
        lock_window: Duration::from_secs(5),
        ..RunOptions::default()
    };
    let declaration = Declaration {
        id: "mark_test".to_owned(),
        version: "1".parse().unwrap(),
        says: Says::Mark(Mark::RolledBack),
        decided: HashSet::new(),
    };
    let (events, mut told) = unbounded_channel();
    let watch = Watch {
        control: Control::default(),
        events,
    };
    let files = Arc::new(track(database.engine, &[FIRST]));
    let jobs = vec![job(database, "acme", &files)];
    let mut declared = declare(jobs, &declaration, &options, &watch).await;
    let mut said = Vec::new();
    while let Ok(event) = told.try_recv() {
        if let RunEvent::Waiting { reason, .. } = event {
            said.push(reason);
        }
    }
    (declared.remove(0), said)
}

async fn whoever_keeps_a_mark_from_being_written_is_named(database: TestDatabase) {
    migrate(&database, &track(database.engine, &[FIRST]), &Goal::Head)
        .await
        .unwrap();
    let statement = "SELECT * FROM _tenantry_meta FOR UPDATE";
    let (application, id) = Application::begin(&database, statement).await;
    let (declared, said) = take_out_for_a_short_time(&database).await;
    let failure = declared.ended.unwrap_err();
    assert_eq!(declared.outcome, Some(Outcome::Blocked), "{failure:?}");
    let seen: Vec<i64> = failure.holders.iter().map(|holder| holder.pid).collect();
    assert_eq!(seen, id.into_iter().collect::<Vec<_>>(), "{failure:?} {said:?}");
    if let Some(id) = id {
        assert!(
            said.iter().any(|said| said.contains(&format!("pid {id}"))),
            "{said:?}"
        );
    }
    assert_eq!(database.one("SELECT count(*) FROM _tenantry_history").await, "1");
    application.end().await;
    let (declared, _) = take_out_for_a_short_time(&database).await;
    assert_eq!(declared.ended.unwrap().changed, ["1_first"]);
    assert_eq!(database.one("SELECT count(*) FROM _tenantry_history").await, "0");
}

async fn whoever_has_the_migration_lock_is_told_while_it_is_waited_for(database: TestDatabase) {
    let holder = tenantry::engine::open(&database.address, &database.options())
        .await
        .unwrap();
    let files = Arc::new(track(database.engine, &[FIRST]));
    let (events, mut told) = unbounded_channel();
    let mut running = JoinSet::new();
    running.spawn(run(
        "run_test",
        vec![job(&database, "acme", &files)],
        RunOptions::default(),
        Control::default(),
        events,
    ));
    let reason = loop {
        let event = told.recv().await.unwrap();
        if let RunEvent::Waiting { label, reason } = event {
            assert_eq!(label, "acme");
            break reason;
        }
        assert!(!matches!(event, RunEvent::TargetFinished(_)), "{event:?}");
    };
    assert!(
        reason.starts_with("waits for the migration lock; in the way: pid "),
        "{reason}"
    );
    drop(holder);
    let report = running.join_next().await.unwrap().unwrap();
    assert_eq!(report.targets[0].outcome, Outcome::Applied, "{report:?}");
    let mut again = 0;
    while let Ok(event) = told.try_recv() {
        again += usize::from(matches!(event, RunEvent::Waiting { .. }));
    }
    assert_eq!(again, 0, "it is told once");
}

/// What had gone wrong before it was to be tried again does not hide that somebody stopped it.
async fn a_stop_between_two_attempts_is_a_stop(database: TestDatabase) {
    migrate(&database, &track(database.engine, &[FIRST]), &Goal::Head)
        .await
        .unwrap();
    let (application, _) = Application::begin(&database, "SELECT * FROM _tenantry_meta FOR UPDATE").await;
    let files = Arc::new(track(database.engine, &[FIRST, UPDATE]));
    let options = RunOptions {
        lock_timeout: Duration::from_millis(300),
        ..RunOptions::default()
    };
    let (events, mut told) = unbounded_channel();
    let control = Control::default();
    let jobs = vec![job(&database, "acme", &files)];
    let stopping = async {
        // An SQLite file is waited for before anything begins.
        loop {
            let event = told.recv().await.unwrap();
            if matches!(event, RunEvent::Retrying { .. } | RunEvent::Waiting { .. }) {
                break;
            }
            assert!(!matches!(event, RunEvent::TargetFinished(_)), "{event:?}");
        }
        control.stop(Stop::Cancel);
    };
    let (report, ()) = tokio::join!(run("run_test", jobs, options, control.clone(), events), stopping);
    assert_eq!(report.status, RunStatus::Interrupted);
    assert_eq!(report.targets[0].outcome, Outcome::Cancelled, "{report:?}");
    application.end().await;
    assert_eq!(database.one("SELECT count(*) FROM _tenantry_history").await, "1");
}

/// A statement that leaves nothing to look at has run, and only this session knows it.
#[tokio::test]
async fn what_was_seen_to_succeed_is_recorded_although_our_tables_are_locked() {
    let postgres = (
        "CREATE PROCEDURE slow() LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO effect VALUES (2); PERFORM pg_sleep(1.5); END $$;\n",
        "-- tenantry: no-transaction\nCALL slow();\n",
        "LOCK TABLE public._tenantry_history IN ACCESS EXCLUSIVE MODE",
    );
    let mariadb = |call| {
        let procedure = "CREATE PROCEDURE slow() BEGIN INSERT INTO effect VALUES (2); DO SLEEP(1.5); END;\n";
        (procedure, call, "SELECT * FROM _tenantry_history FOR UPDATE")
    };
    let replaces =
        "CREATE OR REPLACE TABLE slow AS SELECT SLEEP(1.5) AS n;\nINSERT INTO effect VALUES (2);\n";
    let keeps = "CREATE TEMPORARY TABLE kept AS SELECT 2 AS n;\nCREATE TABLE slow AS SELECT SLEEP(1.5) AS n;\n\
                 INSERT INTO effect SELECT n FROM kept;\n";
    for (engine, (procedure, call, lock)) in [
        (Engine::Postgres, postgres),
        (Engine::MySql, mariadb("CALL slow();\n")),
        // Leaves nothing to look at.
        (Engine::MySql, mariadb(replaces)),
        // What another session could not go on without.
        (Engine::MySql, mariadb(keeps)),
    ] {
        let Some(database) = crate::database::fresh(engine).await else {
            return;
        };
        let before = [FIRST, ("2_procedure.sql", procedure)];
        migrate(&database, &track(engine, &before), &Goal::Head)
            .await
            .unwrap();
        let files = Arc::new(track(engine, &[before[0], before[1], ("3_call.sql", call)]));
        let options = RunOptions {
            lock_timeout: Duration::from_secs(1),
            ..RunOptions::default()
        };
        let (events, _unheard) = unbounded_channel();
        let jobs = vec![job(&database, "acme", &files)];
        let mut running = JoinSet::new();
        running.spawn(run("run_test", jobs, options, Control::default(), events));
        let begun = "SELECT count(*) FROM _tenantry_history WHERE version = 3";
        while database.one(begun).await != "1" {}
        let (application, _) = Application::begin(&database, lock).await;
        // The statement ends, and its row is tried at least twice.
        tokio::time::sleep(Duration::from_secs(5)).await;
        application.end().await;
        let report = running.join_next().await.unwrap().unwrap();
        let target = &report.targets[0];
        assert_eq!(
            (target.outcome, target.attempts),
            (Outcome::Applied, 1),
            "{call} {target:?}"
        );
        assert_eq!(database.one("SELECT count(*) FROM effect").await, "2", "{call}");
    }
}

#[tokio::test]
async fn an_index_that_waits_without_end_tells_for_whom() {
    let Some(database) = crate::database::fresh(Engine::Postgres).await else {
        return;
    };
    migrate(&database, &track(database.engine, &[FIRST]), &Goal::Head)
        .await
        .unwrap();
    let reads = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT * FROM effect";
    let (application, id) = Application::begin(&database, reads).await;
    let index = "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY effect_n ON effect (n);\n";
    let files = track(database.engine, &[FIRST, ("2_index.sql", index)]);
    let options = RunOptions {
        // A look is due four times in it.
        progress_timeout: Duration::from_secs(4),
        ..RunOptions::default()
    };
    let (events, mut told) = unbounded_channel();
    let jobs = vec![job(&database, "acme", &Arc::new(files))];
    let mut running = JoinSet::new();
    running.spawn(run("run_test", jobs, options, Control::default(), events));
    let reason = loop {
        let event = told.recv().await.unwrap();
        if let RunEvent::Waiting { label, reason } = event {
            assert_eq!(label, "acme");
            break reason;
        }
        assert!(!matches!(event, RunEvent::TargetFinished(_)), "{event:?}");
    };
    let expect = format!("waits for another session; in the way: pid {}", id.unwrap());
    assert!(reason.starts_with(&expect), "{reason}");
    application.end().await;
    let report = running.join_next().await.unwrap().unwrap();
    assert_eq!(report.targets[0].outcome, Outcome::Applied, "{report:?}");
}
