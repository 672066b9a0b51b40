//! Statements that SQLite refuses inside a transaction.

use std::time::Duration;

use tenantry::engine::{ApplyError, StateAfter, TakenUp};
use tenantry::history::Phase;
use tenantry::migration::{Directives, OnResume, Script, Track};
use tenantry::plan::Goal;
use tokio::task::JoinSet;

use super::{Bench, CUSTOMERS, VAT, script, track_with, unit, version};

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
async fn a_failure_outside_is_half_way_and_the_next_run_repeats_it() {
    let bench = Bench::new();
    let bad = track_with(vec![(script(CUSTOMERS), None), (outside("VACUUM nowhere"), None)]);
    let error = bench.apply(&bad).await.unwrap_err();
    assert!(
        matches!(
            error,
            ApplyError::Statement {
                step: 1,
                state: StateAfter::HalfWay { done: 0 },
                ..
            }
        ),
        "{error:?}"
    );
    let phases: Vec<Phase> = bench.history().await.rows.iter().map(|row| row.phase).collect();
    assert_eq!(phases, [Phase::Done, Phase::Running]);
    let mended = track_with(vec![(script(CUSTOMERS), None), (outside("VACUUM"), None)]);
    bench.apply(&mended).await.unwrap();
    assert_eq!(bench.history().await.current(&mended.name), Some(version(2)));
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
    let phases: Vec<Phase> = bench.history().await.rows.iter().map(|row| row.phase).collect();
    assert_eq!(phases, [Phase::Done, Phase::Running]);
}

/// Would insert rows without end.
const ENDLESS: &str = "INSERT INTO customers (name) \
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'x' FROM n";

#[tokio::test]
async fn what_may_not_be_repeated_is_ambiguous_after_a_kill() {
    let bench = Bench::new();
    let files = track_with(vec![(script(CUSTOMERS), None), (outside(ENDLESS), None)]);
    killed_in_the_second_file(&bench, &files).await;
    let short = || outside("INSERT INTO customers (name) VALUES ('x')");
    let files = track_with(vec![(script(CUSTOMERS), None), (short(), None)]);
    for _ in 0..2 {
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
    let mut again = short();
    again.directives.on_resume = OnResume::Rerun;
    let files = track_with(vec![(script(CUSTOMERS), None), (again, None)]);
    bench.apply(&files).await.unwrap();
    assert_eq!(bench.number("SELECT count(*) FROM customers"), 1);
}

#[tokio::test]
async fn what_was_cut_off_is_settled_by_the_files_own_query() {
    let has_rows = "SELECT count(*) FROM customers";
    for (query, before, after) in [
        // Not there: it runs again. There: it does not.
        (has_rows, 0, 1),
        (has_rows, 1, 1),
        // No row, NULL and a text that is no number are not true.
        ("SELECT 1 FROM customers WHERE name = 'nobody'", 1, 2),
        ("SELECT max(name) FROM customers", 1, 2),
        ("SELECT NULL", 0, 1),
        ("SELECT '1'", 0, 0),
        ("SELECT 0.5", 0, 0),
    ] {
        let bench = Bench::new();
        let files = |text: &str| {
            let mut second = outside(text);
            second.directives.verify = Some(query.to_owned());
            track_with(vec![(script(CUSTOMERS), None), (second, None)])
        };
        killed_in_the_second_file(&bench, &files(ENDLESS)).await;
        for _ in 0..before {
            bench.execute("INSERT INTO customers (name) VALUES ('x')");
        }
        let files = files("INSERT INTO customers (name) VALUES ('x')");
        let next = unit(&files, &bench.history().await, &Goal::Head);
        let mut session = bench.open().await;
        let open = session.open_statement(&next).await.unwrap();
        assert!(open.is_none(), "{query}: nobody has to decide");
        drop(session);
        let recorded = bench.apply(&files).await.unwrap();
        let how = if before == after {
            TakenUp::Adopted
        } else {
            TakenUp::Resumed
        };
        assert_eq!(recorded[0].taken_up, Some(how), "{query}");
        assert_eq!(bench.number(has_rows), after, "{query}");
        let history = bench.history().await;
        assert!(history.rows.iter().all(|row| row.phase == Phase::Done), "{query}");
    }
}

#[tokio::test]
async fn a_question_that_fails_leaves_the_step_half_way_and_the_file_as_it_is() {
    let bench = Bench::new();
    let mut second = outside(ENDLESS);
    second.directives.verify = Some("SELECT count(*) FROM nowhere".to_owned());
    let files = track_with(vec![(script(CUSTOMERS), None), (second, None)]);
    killed_in_the_second_file(&bench, &files).await;
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
