//! The registry goes away: before a run, and in the middle of one.

use std::fs;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tenantry::Code;
use tenantry::engine::{Address, Engine};
use tenantry::fleet::FleetError;
use tenantry::run::{Control, Outcome, RunEvent, RunReport};
use tokio::sync::mpsc::unbounded_channel;

use super::{Platform, heard, up};
use crate::database::{fresh, query, server};

const FIRST: (&str, &str) = ("001_first.sql", "CREATE TABLE first (id INTEGER);\n");
const SECOND: (&str, &str) = ("002_second.sql", "CREATE TABLE second (id INTEGER);\n");

/// Starts a run, does something to the registry when every target waits, and lets the targets go on.
async fn broken_in_mid_run<T>(
    platform: &Platform,
    tenants: &[&str],
    break_it: impl Future<Output = T>,
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
        let broken = break_it.await;
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
    let (report, ()) =
        broken_in_mid_run(&platform, &tenants, async { fs::remove_file(&file).unwrap() }).await;
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
    let (report, ()) = broken_in_mid_run(&platform, &["acme", "globex"], async {
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
    let found = registry.find_run(&report.run_id).await.unwrap();
    let left = platform
        .fleet
        .unfinished(&found, tenantry::fleet::Tiers::Tenant, platform.select().await)
        .await
        .unwrap();
    let resumed = platform
        .run(left, tenantry::plan::Goal::Head, Some(&report.run_id))
        .await;
    assert_eq!(resumed.count(Outcome::Current), 2, "{:?}", resumed.targets);
    assert!(registry.unfinished_of(&report.run_id).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_throws_us_out_in_mid_run_costs_only_the_record() {
    let (Some(central), Some(server)) = (fresh(Engine::Postgres).await, server(Engine::Postgres)) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let platform = Platform::on(central.address.clone(), folder, &[FIRST], &["acme", "globex"]).await;
    platform.write(SECOND.0, SECOND.1);
    let name = central.address.database();
    let admin = Address::Network(server.address(Engine::Postgres, "postgres"));
    let close = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false");
    let cut = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    let breaking = async {
        query(&admin, &close).await;
        query(&admin, &cut).await;
    };
    let (report, ()) = Box::pin(broken_in_mid_run(&platform, &["acme", "globex"], breaking)).await;
    is_all_applied(&report, 2);
    let lost = report.unrecorded.unwrap();
    assert_eq!(lost.outcomes, 2, "{lost:?}");
    assert!(
        lost.reason.contains("not currently accepting connections"),
        "{lost:?}"
    );
}

#[tokio::test]
async fn a_registry_that_is_free_again_in_time_has_everything() {
    let platform = Platform::with(&[FIRST], &["acme"]).await;
    platform.write(SECOND.0, SECOND.1);
    let (central, acme) = (platform.central().path(), platform.open("acme").await);
    acme.execute_batch("BEGIN IMMEDIATE").unwrap();
    let selected = platform.select().await;
    let (events, mut told) = unbounded_channel();
    let (request, control) = (up(), Control::default());
    let run = platform.fleet.execute(selected, &request, &control, events);
    let meddle = async {
        heard(&mut told, 1, |event| {
            matches!(event, RunEvent::TargetStarted { .. })
        })
        .await;
        let holder = Connection::open(central).unwrap();
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();
        drop(acme);
        heard(&mut told, 1, |event| matches!(event, RunEvent::TargetFinished(_))).await;
    };
    let (report, ()) = tokio::join!(run, meddle);
    let report = report.unwrap();
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
