//! A database that the registry knows as migrated, and that was emptied or replaced since, is not filled.

use std::sync::Arc;

use tenantry::engine::Engine;
use tenantry::migration::{Track, Version};
use tenantry::plan::Goal;
use tenantry::run::{Control, Job, Outcome, RunOptions, TargetReport, preview, run};
use tenantry::{Target, TrackName};
use tokio::sync::mpsc::unbounded_channel;

use crate::database::{TestDatabase, fresh};

const FILES: [(&str, &str); 1] = [("1_first.sql", "CREATE TABLE effect (n int NOT NULL);\n")];

fn job(database: &TestDatabase, known_version: Option<Version>) -> Job {
    let track = Track::from_files(TrackName::Tenant, database.engine, &FILES).unwrap();
    Job {
        target: Target {
            database_id: database.id.clone(),
            registry_id: "registry".into(),
            track: TrackName::Tenant,
            owner: None,
            server: None,
            jurisdiction: None,
            max_parallel: None,
            known_version,
            known_outcome: None,
            address: database.address.clone(),
        },
        track: Arc::new(track),
        goal: Goal::Head,
        after: None,
        marker: None,
    }
}

async fn once(job: Job) -> TargetReport {
    let (events, _listener) = unbounded_channel();
    let report = run(
        "run_test",
        vec![job],
        RunOptions::default(),
        Control::default(),
        events,
    );
    report.await.targets.remove(0)
}

/// Migrates, empties the database, and runs as a registry that knows version 1 would.
async fn emptied_is_refused(engine: Engine) {
    let Some(database) = fresh(engine).await else {
        return;
    };
    let known = Version::from_number(1);
    assert_eq!(once(job(&database, None)).await.outcome, Outcome::Applied);
    assert_eq!(once(job(&database, known)).await.outcome, Outcome::Current);
    assert_eq!(once(job(&database, None)).await.outcome, Outcome::Current);
    for table in ["effect", "_tenantry_history", "_tenantry_meta"] {
        database.query(&format!("DROP TABLE {table}")).await;
    }
    let report = once(job(&database, known)).await;
    assert_eq!(report.outcome, Outcome::IdentityMismatch, "{report:?}");
    let failure = report.failure.unwrap();
    assert_eq!(failure.code.to_string(), "TN-6007", "{failure:?}");
    assert!(failure.what.contains("emptied or replaced"), "{failure:?}");
    // A plan says the same.
    let shown = preview(
        vec![job(&database, known)],
        &RunOptions::default(),
        &Control::default(),
    )
    .await
    .remove(0);
    assert_eq!(shown.planned.unwrap_err().code.to_string(), "TN-6007");
    // Nothing was made in it, so that it is fresh for somebody who knows no version.
    assert_eq!(once(job(&database, None)).await.outcome, Outcome::Applied);
}

#[tokio::test]
async fn an_emptied_postgres_database_is_not_filled() {
    emptied_is_refused(Engine::Postgres).await;
}

#[tokio::test]
async fn an_emptied_mariadb_database_is_not_filled() {
    emptied_is_refused(Engine::MySql).await;
}

#[tokio::test]
async fn an_emptied_sqlite_file_is_not_filled() {
    emptied_is_refused(Engine::Sqlite).await;
}
