//! Statements that SQLite refuses inside a transaction.

use std::time::Duration;

use tenantry::Code;
use tenantry::engine::{ApplyError, StateAfter, TakenUp};
use tenantry::history::Phase;
use tenantry::migration::{Directives, OnResume, Script, Track};
use tenantry::plan::Goal;
use tokio::task::JoinSet;

use super::{Bench, CUSTOMERS, VAT, carry_out, script, track, track_with, unit, version};

fn outside(text: &str) -> Script {
    Script {
        directives: Directives {
            no_transaction: true,
            ..Directives::default()
        },
        ..script(text)
    }
}

#[tokio::test]
async fn vacuum_runs_between_two_transactions() {
    let bench = Bench::new();
    let three = track_with(vec![
        (script(CUSTOMERS), None),
        (outside("VACUUM"), None),
        (script(VAT), None),
    ]);
    bench.apply(&three).await.unwrap();
    let history = bench.history().await;
    assert!(history.rows.iter().all(|row| row.phase == Phase::Done));
    assert_eq!(history.current(&three.name), Some(version(3)));
}

#[tokio::test]
async fn a_failure_outside_that_did_nothing_leaves_no_row_and_the_mended_file_just_runs() {
    for bad in [
        "VACUUM nowhere",
        "INSERT INTO customers (nme) VALUES ('x')",
        "INSERT INTO customers VALUES (1, NULL)",
    ] {
        let bench = Bench::new();
        let files = |text: &str| track_with(vec![(script(CUSTOMERS), None), (outside(text), None)]);
        let error = bench.apply(&files(bad)).await.unwrap_err();
        let ApplyError::Statement { step, state, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!((step, state), (1, StateAfter::RolledBack), "{bad}");
        assert_eq!(bench.phases().await, [Phase::Done], "{bad}");
        let mended = files("INSERT INTO customers (name) VALUES ('x')");
        bench.apply(&mended).await.unwrap();
        assert_eq!(bench.history().await.current(&mended.name), Some(version(2)));
        assert_eq!(bench.number("SELECT count(*) FROM customers"), 1);
    }
}

#[tokio::test]
async fn a_failed_statement_that_keeps_rows_is_half_way() {
    let bench = Bench::new();
    let or_fail = "INSERT OR FAIL INTO customers VALUES (1, 'a'), (1, 'b')";
    let files = track_with(vec![(script(CUSTOMERS), None), (outside(or_fail), None)]);
    let error = bench.apply(&files).await.unwrap_err();
    let ApplyError::Statement { state, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(state, StateAfter::HalfWay { done: 0 });
    assert_eq!(bench.number("SELECT count(*) FROM customers"), 1);
    assert_eq!(bench.phases().await, [Phase::Done, Phase::Running]);
    let error = bench.apply(&files).await.unwrap_err();
    assert!(matches!(error, ApplyError::Ambiguous { .. }), "{error:?}");
}

#[tokio::test]
async fn a_way_back_that_fails_outside_leaves_the_migration_applied_and_its_run() {
    let bench = Bench::new();
    let files = |back: &str| track_with(vec![(script(CUSTOMERS), Some(outside(back)))]);
    bench.apply(&files("VACUUM")).await.unwrap();
    let before = bench.history().await;
    let mut session = bench.open().await;
    let bad = files("DELETE FROM custmers");
    let goal = Goal::BackSteps(1);
    let error = carry_out(session.as_mut(), &bad, &goal).await.unwrap_err();
    let ApplyError::Statement { state, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(state, StateAfter::RolledBack);
    drop(session);
    let after = bench.history().await;
    assert_eq!(bench.phases().await, [Phase::Done]);
    assert_eq!(after.rows[0].run_id, before.rows[0].run_id);
    assert_eq!(after.rows[0].pre_fp, None);
}

#[tokio::test]
async fn vacuum_into_another_file_is_refused() {
    let bench = Bench::new();
    let copy = bench.folder.path().join("copy.db");
    let sql = format!("VACUUM INTO '{}'", copy.display());
    let error = bench.apply(&track_with(vec![(outside(&sql), None)])).await;
    assert!(matches!(error, Err(ApplyError::Statement { .. })), "{error:?}");
    assert!(!copy.exists());
}

/// Runs until the intent of the second file is written, and dies there.
async fn killed_in_the_second_file(bench: &Bench, files: &Track) {
    let mut session = bench.open().await;
    let unit = unit(files, session.history(), &Goal::Head);
    let mut task = JoinSet::new();
    task.spawn(async move { session.carry_out(&unit).await });
    let intent = async {
        while bench.history().await.rows.len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), intent)
        .await
        .unwrap();
    task.abort_all();
    while task.join_next().await.is_some() {}
    assert_eq!(bench.phases().await, [Phase::Done, Phase::Running]);
}

/// The first file: with it the second inserts rows without end.
const FIRST: &str = "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL); \
    CREATE TABLE wanted (rows INTEGER); INSERT INTO wanted VALUES (1000000000000)";

/// Inserts as many rows as are wanted.
const MANY: &str = "INSERT INTO customers (name) WITH RECURSIVE n (i) AS \
    (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < (SELECT rows FROM wanted)) SELECT 'x' FROM n";

/// The two files, the second with a query or without.
fn many(query: Option<&str>) -> Track {
    let mut second = outside(MANY);
    second.directives.verify = query.map(str::to_owned);
    track_with(vec![(script(FIRST), None), (second, None)])
}

/// The second file was cut off, and would insert one row now.
async fn cut_off(query: Option<&str>) -> Bench {
    let bench = Bench::new();
    killed_in_the_second_file(&bench, &many(query)).await;
    bench.execute("UPDATE wanted SET rows = 1");
    bench
}

#[tokio::test]
async fn what_may_not_be_repeated_is_ambiguous_after_a_kill() {
    let bench = cut_off(None).await;
    // Without the directive the statement is the same, and so is the doubt.
    let inside = track_with(vec![(script(FIRST), None), (script(MANY), None)]);
    for files in [many(None), many(None), inside] {
        let error = bench.apply(&files).await.unwrap_err();
        assert!(
            matches!(
                error,
                ApplyError::Ambiguous {
                    step: 0,
                    statement: 0,
                    ..
                }
            ),
            "{error:?}"
        );
    }
    assert_eq!(bench.number("SELECT count(*) FROM customers"), 0);
    let mut again = outside(MANY);
    again.directives.on_resume = OnResume::Rerun;
    let files = track_with(vec![(script(FIRST), None), (again, None)]);
    bench.apply(&files).await.unwrap();
    assert_eq!(bench.number("SELECT count(*) FROM customers"), 1);
}

#[tokio::test]
async fn another_statement_is_not_taken_for_the_one_that_was_cut_off() {
    let bench = cut_off(None).await;
    let mut other = outside("INSERT INTO customers (name) VALUES ('y')");
    // The query of the new text says nothing about the old one.
    other.directives.verify = Some("SELECT 1".to_owned());
    let files = track_with(vec![(script(FIRST), None), (other, None)]);
    let error = bench.apply(&files).await.unwrap_err();
    let half_way = StateAfter::HalfWay { done: 0 };
    assert!(
        matches!(error, ApplyError::Edited { state, .. } if state == half_way),
        "{error:?}"
    );
    let next = unit(&files, &bench.history().await, &Goal::Head);
    let mut session = bench.open().await;
    let looked = session.open_statement(&next).await;
    assert!(matches!(looked, Err(ApplyError::Edited { .. })), "{looked:?}");
    drop(session);
    assert_eq!(bench.number("SELECT count(*) FROM customers"), 0);
    assert_eq!(bench.phases().await, [Phase::Done, Phase::Running]);
    // The query may come later.
    bench
        .apply(&many(Some("SELECT count(*) FROM customers")))
        .await
        .unwrap();
    assert_eq!(bench.number("SELECT count(*) FROM customers"), 1);
    let history = bench.history().await;
    assert!(history.rows.iter().all(|row| row.pre_fp.is_none()));
}

#[tokio::test]
async fn what_was_cut_off_is_settled_by_the_files_own_query() {
    let has_rows = "SELECT count(*) FROM customers";
    for (query, before, how) in [
        (has_rows, 0, TakenUp::Resumed),
        (has_rows, 1, TakenUp::Adopted),
        ("SELECT '1'", 0, TakenUp::Adopted),
        ("SELECT 0.5", 0, TakenUp::Adopted),
        // A text is the number that it begins with.
        ("SELECT '2026-03-14'", 0, TakenUp::Adopted),
    ] {
        let bench = cut_off(Some(query)).await;
        for _ in 0..before {
            bench.execute("INSERT INTO customers (name) VALUES ('y')");
        }
        let files = many(Some(query));
        let next = unit(&files, &bench.history().await, &Goal::Head);
        let mut session = bench.open().await;
        let open = session.open_statement(&next).await.unwrap();
        assert!(open.is_none(), "{query}: nobody has to decide");
        drop(session);
        let recorded = bench.apply(&files).await.unwrap();
        assert_eq!(recorded[0].taken_up, Some(how), "{query}");
        let ran = i64::from(how == TakenUp::Resumed);
        assert_eq!(bench.number(has_rows), before + ran, "{query}");
        assert_eq!(bench.phases().await, [Phase::Done, Phase::Done], "{query}");
    }
}

#[tokio::test]
async fn a_query_that_is_not_true_behind_the_statement_is_a_failure() {
    for query in [
        // No row, NULL, and a text that is no number.
        "SELECT 1 FROM customers WHERE name = 'nobody'",
        "SELECT NULL",
        "SELECT max(name) FROM customers",
        "SELECT 'nan'",
        "SELECT 0",
    ] {
        let bench = cut_off(Some(query)).await;
        let fresh = Bench::new();
        fresh.apply(&track(&[FIRST])).await.unwrap();
        fresh.execute("UPDATE wanted SET rows = 1");
        for bench in [bench, fresh] {
            let error = bench.apply(&many(Some(query))).await.unwrap_err();
            let ApplyError::Statement { state, source, .. } = error else {
                panic!("{query}: {error:?}");
            };
            assert_eq!(
                (state, source.class),
                (StateAfter::HalfWay { done: 0 }, Code(2007)),
                "{query}"
            );
            assert_eq!(bench.phases().await, [Phase::Done, Phase::Running], "{query}");
            assert_eq!(bench.number("SELECT count(*) FROM customers"), 1, "{query}");
        }
    }
}

#[tokio::test]
async fn a_question_that_fails_leaves_the_step_half_way_and_the_file_as_it_is() {
    let query = Some("SELECT count(*) FROM nowhere");
    let (bench, files) = (cut_off(query).await, many(query));
    let before = std::fs::read(bench.path()).unwrap();
    let error = bench.apply(&files).await.unwrap_err();
    let ApplyError::Statement { state, source, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(state, StateAfter::HalfWay { done: 0 });
    assert!(source.message.contains("nowhere"), "{source:?}");
    assert_eq!(std::fs::read(bench.path()).unwrap(), before);
}

/// Counts for a while without needing a lock that a reader has.
const LONG: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000000) \
    SELECT count(*) FROM n";

#[tokio::test]
async fn what_ran_outside_is_there_whatever_becomes_of_its_row() {
    let bench = Bench::new();
    let files = track_with(vec![(script(CUSTOMERS), None), (outside(LONG), None)]);
    let mut session = bench.open().await;
    let unit = unit(&files, session.history(), &Goal::Head);
    let mut task = JoinSet::new();
    task.spawn(async move { session.carry_out(&unit).await });
    while bench.history().await.rows.len() < 2 {
        tokio::task::yield_now().await;
    }
    bench.execute("ALTER TABLE _tenantry_history RENAME TO elsewhere");
    let ended = task.join_next().await.unwrap().unwrap();
    assert!(
        matches!(
            ended,
            Err(ApplyError::Session {
                commit_sent: true,
                ..
            })
        ),
        "{ended:?}"
    );
}

#[tokio::test]
async fn the_row_of_what_ran_outside_waits_for_a_reader_and_nothing_runs_twice() {
    let mut bench = Bench::new();
    bench.options.lock_timeout = Duration::from_millis(50);
    let files = track_with(vec![(script(CUSTOMERS), None), (outside(LONG), None)]);
    let mut session = bench.open().await;
    let unit = unit(&files, session.history(), &Goal::Head);
    let (address, options) = (bench.address(), bench.options.clone());
    let mut task = JoinSet::new();
    let attempt_id = unit.attempt_id.clone();
    task.spawn(async move { session.carry_out(&unit).await.map(|_| ()) });
    let connection = rusqlite::Connection::open(bench.path()).unwrap();
    while bench.history().await.rows.len() < 2 {
        tokio::task::yield_now().await;
    }
    connection
        .execute_batch("BEGIN; SELECT * FROM customers")
        .unwrap();
    // Long enough for several tries; how many there are does not matter.
    let early = tokio::time::timeout(Duration::from_secs(3), task.join_next()).await;
    assert!(early.is_err(), "it did not wait for the reader: {early:?}");
    drop(connection);
    task.join_next().await.unwrap().unwrap().unwrap();
    let mut reader = tenantry::engine::read(&address, &options).await.unwrap();
    let history = reader.history().await.unwrap();
    let written: Vec<(Phase, &str)> = history
        .rows
        .iter()
        .map(|row| (row.phase, row.attempt_id.as_str()))
        .collect();
    assert_eq!(written, [(Phase::Done, attempt_id.as_str()); 2]);
}
