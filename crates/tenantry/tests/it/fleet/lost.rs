//! The registry goes away: before a run, and in the middle of one.

use std::fs;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tenantry::Code;
use tenantry::fleet::FleetError;
use tenantry::run::{Control, Outcome, RunEvent, RunReport};
use tokio::sync::mpsc::unbounded_channel;

use super::{Platform, heard, up};

const FIRST: (&str, &str) = ("001_first.sql", "CREATE TABLE first (id INTEGER);\n");
const SECOND: (&str, &str) = ("002_second.sql", "CREATE TABLE second (id INTEGER);\n");

/// Starts a run, does something to the registry when every target waits, and lets the targets go on.
async fn broken_in_mid_run<T>(
    platform: &Platform,
    tenants: &[&str],
    break_it: impl FnOnce() -> T,
) -> (RunReport, T) {
    let mut locks: Vec<Connection> = Vec::new();
    for tenant in tenants {
        let connection = platform.open(tenant).await;
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        locks.push(connection);
    }
    let selected = platform.select().await;
    let (events, mut told) = unbounded_channel();
    let (request, control) = (up(), Control::default());
    let run = platform.fleet.execute(selected, &request, &control, events);
    let meddle = async {
        let started = |event: &RunEvent| matches!(event, RunEvent::TargetStarted { .. });
        heard(&mut told, tenants.len(), started).await;
        let broken = break_it();
        drop(locks);
        broken
    };
    let (report, broken) = tokio::join!(run, meddle);
    (report.unwrap(), broken)
}

fn is_all_applied(report: &RunReport, targets: usize) {
    let applied = report.targets.iter().filter(|t| t.outcome == Outcome::Applied);
    assert_eq!(applied.count(), targets, "{:?}", report.targets);
}

#[tokio::test]
async fn a_registry_that_is_removed_in_mid_run_costs_only_the_record() {
    let tenants = ["acme", "globex", "initech"];
    let platform = Platform::with(&[FIRST], &tenants).await;
    platform.write(SECOND.0, SECOND.1);
    let file = platform.central().path();
    let (report, ()) = broken_in_mid_run(&platform, &tenants, || fs::remove_file(&file).unwrap()).await;
    is_all_applied(&report, 3);
    let lost = report.unrecorded.unwrap();
    assert_eq!((lost.outcomes, lost.code), (3, Code(6009)), "{lost:?}");
    assert!(lost.reason.contains("the file is gone"), "{lost:?}");
    assert!(!file.exists(), "nobody makes it again");
}

#[tokio::test]
async fn a_registry_that_is_locked_in_mid_run_is_told_by_a_resume() {
    let platform = Platform::with(&[FIRST], &["acme", "globex"]).await;
    platform.write(SECOND.0, SECOND.1);
    let holder = Connection::open(platform.central().path()).unwrap();
    let (report, ()) = broken_in_mid_run(&platform, &["acme", "globex"], || {
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    })
    .await;
    is_all_applied(&report, 2);
    let lost = report.unrecorded.unwrap();
    assert_eq!((lost.outcomes, lost.code), (2, Code(6009)), "{lost:?}");
    assert!(lost.reason.contains("locked by another program"), "{lost:?}");

    drop(holder);
    let registry = &platform.fleet.registry;
    assert_eq!(registry.unfinished_of(&report.run_id).await.unwrap().len(), 2);
    let left = platform
        .fleet
        .unfinished(
            &report.run_id,
            tenantry::fleet::Unfinished::OfRun,
            platform.select().await,
        )
        .await
        .unwrap();
    let resumed = platform
        .run(left, tenantry::plan::Goal::Head, Some(&report.run_id))
        .await;
    assert_eq!(resumed.count(Outcome::Current), 2, "{:?}", resumed.targets);
    assert!(registry.unfinished_of(&report.run_id).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_registry_that_is_free_again_in_time_has_everything() {
    let platform = Platform::with(&[FIRST], &["acme"]).await;
    platform.write(SECOND.0, SECOND.1);
    let holder = Connection::open(platform.central().path()).unwrap();
    let free = || {
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();
        std::thread::spawn(move || {
            // Longer than an outcome waits for others, shorter than a writer waits for the file.
            std::thread::sleep(Duration::from_secs(1));
            drop(holder);
        })
    };
    let (report, freeing) = broken_in_mid_run(&platform, &["acme"], free).await;
    freeing.join().unwrap();
    assert_eq!(report.unrecorded, None);
    let recorded = platform.fleet.registry.targets_of(&report.run_id).await.unwrap();
    assert_eq!(recorded[0].outcome, Outcome::Applied);
}

#[tokio::test]
async fn a_run_that_cannot_be_recorded_is_not_begun() {
    let platform = Platform::with(&[FIRST], &["acme"]).await;
    platform.write(SECOND.0, SECOND.1);
    let holder = Connection::open(platform.central().path()).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let selected = platform.select().await;
    let (events, mut told) = unbounded_channel();
    let begun = Instant::now();
    let control = Control::default();
    let refused = platform.fleet.execute(selected, &up(), &control, events).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let error = refused.unwrap_err();
    assert!(matches!(error, FleetError::NotBegun(_)), "{error:?}");
    assert_eq!(error.code(), Code(6009));
    assert!(told.try_recv().is_err(), "no target began");
    assert_eq!(platform.versions("acme").await, [1]);
}
