//! A run that is cancelled: whatever was left to do is told, and nothing of it is green.

use tenantry::engine::Engine;
use tenantry::plan::Goal;
use tenantry::run::{Control, Outcome, RunEvent, RunOptions, RunReport, RunStatus, Stop, run};
use tokio::sync::mpsc::unbounded_channel;

use super::half_way::job;
use super::{Platform, heard, up};
use crate::database::fresh;

const FIRST: (&str, &str) = ("001_first.sql", "CREATE TABLE first (id INTEGER);\n");
const SECOND: (&str, &str) = ("002_second.sql", "CREATE TABLE second (id INTEGER);\n");
const THIRD: (&str, &str) = ("003_third.sql", "CREATE TABLE third (id INTEGER);\n");

/// Runs, and cancels when the kind of event has come.
async fn cancelled_at(platform: &Platform, kind: impl Fn(&RunEvent) -> bool) -> RunReport {
    let mut selected = platform.select().await;
    selected.aim(&Goal::Head).unwrap();
    let (events, mut told) = unbounded_channel();
    let (request, control) = (up(), Control::default());
    let run = platform.fleet.execute(selected, &request, &control, events);
    let cancel = async {
        heard(&mut told, 1, kind).await;
        control.stop(Stop::Cancel);
    };
    let (report, ()) = tokio::join!(run, cancel);
    report.unwrap()
}

#[tokio::test]
async fn a_cancel_while_the_lock_is_waited_for_leaves_nothing_green() {
    let platform = Platform::with(&[FIRST], &["acme"]).await;
    platform.write(SECOND.0, SECOND.1);
    let holder = platform.open("acme").await;
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let started = |event: &RunEvent| matches!(event, RunEvent::TargetStarted { .. });
    let report = cancelled_at(&platform, started).await;
    assert_eq!(report.status, RunStatus::Interrupted);
    assert_eq!(
        report.targets[0].outcome,
        Outcome::Cancelled,
        "{:?}",
        report.targets
    );
    drop(holder);
    assert_eq!(platform.versions("acme").await, [1]);
}

/// A reader keeps the COMMIT of the first of two migrations waiting, and the cancel comes then.
#[tokio::test]
async fn a_cancel_during_commit_does_not_end_green() {
    let platform = Platform::with(&[FIRST], &["acme"]).await;
    platform.write(SECOND.0, SECOND.1);
    platform.write(THIRD.0, THIRD.1);
    let reader = platform.open("acme").await;
    let mode: String = reader
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "delete", "in WAL mode no reader keeps a COMMIT waiting");
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM _tenantry_history;")
        .unwrap();
    let begun = |event: &RunEvent| matches!(event, RunEvent::MigrationStarted { .. });
    let report = cancelled_at(&platform, begun).await;
    let acme = &report.targets[0];
    assert_eq!(report.status, RunStatus::Interrupted);
    assert_eq!(acme.outcome, Outcome::Cancelled, "{acme:?}");
    assert!(acme.migrations.is_empty(), "{acme:?}");
    drop(reader);
    assert_eq!(platform.versions("acme").await, [1]);
}

/// The first of two migrations ends well although its statement was cancelled: nothing is half-way, and the
/// second was not done.
#[tokio::test]
async fn a_cancel_that_a_statement_survives_does_not_end_green() {
    let Some(database) = fresh(Engine::Postgres).await else {
        return;
    };
    let first = [("1_first.sql", "CREATE TABLE first (id INTEGER);\n")];
    let (events, _unheard) = unbounded_channel();
    let (options, control) = (RunOptions::default(), Control::default());
    let jobs = vec![job(&database, &first, Goal::Head)];
    run("run_first000", jobs, options.clone(), control.clone(), events).await;

    let swallowing = "DO $$ BEGIN PERFORM pg_sleep(60);\n\
                      EXCEPTION WHEN query_canceled THEN NULL; END $$;\n";
    let files = [first[0], ("2_slow.sql", swallowing), THIRD];
    let jobs = vec![job(&database, &files, Goal::Head)];
    let sleeping = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event = 'PgSleep'";
    let stopping = async {
        while database.one(sleeping).await != "1" {
            tokio::task::yield_now().await;
        }
        control.stop(Stop::Cancel);
    };
    let (events, _unheard) = unbounded_channel();
    let running = run("run_second00", jobs, options, control.clone(), events);
    let (report, ()) = tokio::join!(running, stopping);
    let target = &report.targets[0];
    assert_eq!(report.status, RunStatus::Interrupted);
    assert_eq!(target.outcome, Outcome::Cancelled, "{target:?}");
    assert_eq!(target.migrations.len(), 1, "{target:?}");
    assert_eq!(target.to, "2".parse().ok(), "{target:?}");
}
