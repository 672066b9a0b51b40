//! Several tenants in one run: what one of them does is its own affair.

use tenantry::history::Phase::{Done, Running};
use tenantry::plan::Goal;
use tenantry::run::{Outcome, RunStatus};

use super::{FIRST, migrate, phases, run_on, track};
use crate::database::TestDatabase;

/// Fails in its second statement where a tenant has the same number twice.
const UNIQUE: (&str, &str) = (
    "2_unique.sql",
    "CREATE TABLE extra (n int);\nCREATE UNIQUE INDEX one_each ON effect (n);\nINSERT INTO effect VALUES (2);\n",
);
/// Which of the tenants has such rows: not the last, so that others begin behind it.
const SICK: usize = 1;

on_every_engine_and_pooler!(one_failing_tenant_stops_no_other, every_tenant_may_fail_by_itself);

/// Makes tenants at the first version.
async fn tenants(first: TestDatabase, count: usize) -> Vec<TestDatabase> {
    let mut all = vec![first];
    while all.len() < count {
        all.push(all[0].another().await);
    }
    for database in &all {
        let track = track(database.engine, &[FIRST]);
        migrate(database, &track, &Goal::Head).await.unwrap();
    }
    all
}

/// Returns how a tenant ends whose second statement of three fails, and its history then.
fn failed(database: &TestDatabase) -> (Outcome, Vec<(i64, tenantry::history::Phase)>) {
    if database.engine.has_transactional_ddl() {
        (Outcome::Failed, vec![(1, Done)])
    } else {
        (Outcome::Interrupted, vec![(1, Done), (2, Running)])
    }
}

async fn one_failing_tenant_stops_no_other(database: TestDatabase) {
    let all = tenants(database, 5).await;
    let files = track(all[0].engine, &[FIRST, UNIQUE]);
    all[SICK].query("INSERT INTO effect VALUES (1)").await;
    let report = run_on(&all, files.clone()).await;
    assert_eq!(report.status, RunStatus::Completed);
    assert_eq!(report.count(Outcome::Applied), 4, "{:?}", report.targets);
    let sick = report.targets.iter().find(|t| t.label == "tenant1").unwrap();
    let failure = sick.failure.as_ref().unwrap();
    assert_eq!(failure.code.to_string(), "TN-2003");
    assert_eq!((sick.outcome, phases(&all[SICK]).await), failed(&all[SICK]));
    assert_eq!(all[SICK].one("SELECT count(*) FROM effect").await, "2");
    for (at, healthy) in all.iter().enumerate().filter(|(at, _)| *at != SICK) {
        assert_eq!(phases(healthy).await, [(1, Done), (2, Done)], "tenant{at}");
        assert_eq!(
            healthy.one("SELECT count(*) FROM effect").await,
            "2",
            "tenant{at}"
        );
    }

    all[SICK].query("DELETE FROM effect").await;
    let report = run_on(&all, files).await;
    let counts = [Outcome::Applied, Outcome::Current].map(|outcome| report.count(outcome));
    assert_eq!(counts, [1, 4], "{:?}", report.targets);
    assert_eq!(all[SICK].one("SELECT count(*) FROM effect").await, "1");
    assert_eq!(all[SICK].one("SELECT count(*) FROM extra").await, "0");
}

async fn every_tenant_may_fail_by_itself(database: TestDatabase) {
    let all = tenants(database, 3).await;
    for sick in &all {
        sick.query("INSERT INTO effect VALUES (1)").await;
    }
    let report = run_on(&all, track(all[0].engine, &[FIRST, UNIQUE])).await;
    assert_eq!(report.status, RunStatus::Completed);
    for target in &report.targets {
        assert_eq!(target.outcome, failed(&all[0]).0, "{target:?}");
        assert!(target.failure.is_some(), "{target:?}");
    }
    assert_eq!(report.targets.len(), all.len());
}
