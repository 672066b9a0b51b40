//! A deployer or a pool that goes away in mid-run.

use std::sync::Arc;

use tenantry::engine::{Address, NetworkAddress};
use tenantry::plan::Goal;
use tenantry::run::{Outcome, RunOptions};
use tokio::task::JoinSet;

use super::{EFFECT, NO_LOCK, ONE, carried_out, until_one_waits};
use crate::database::{TestDatabase, pooled, query};
use crate::postgres_outside::{Other, to_head, track};

/// Waits for whoever has the row.
const UPDATE: (&str, &str) = (
    "3_update.sql",
    "CREATE TABLE extra (n int);\nUPDATE effect SET n = n + 1;\n",
);

/// Begins to carry the waiting file out; the other one holds the row.
async fn begin(database: &Arc<TestDatabase>, other: &Other) -> JoinSet<tenantry::run::TargetReport> {
    to_head(database, &track(&[EFFECT, ONE])).await.unwrap();
    other.run("BEGIN; UPDATE effect SET n = n").await;
    let mut work = JoinSet::new();
    let shared = Arc::clone(database);
    work.spawn(async move {
        let options = RunOptions {
            lock_timeout: std::time::Duration::from_mins(1),
            ..RunOptions::default()
        };
        carried_out(&shared, track(&[EFFECT, ONE, UPDATE]), Goal::Head, options).await
    });
    // In its own transaction the other one sees the sessions as they were.
    until_one_waits(&Other::connect(database).await).await;
    work
}

async fn is_there_once(database: &TestDatabase) {
    assert_eq!(database.query("SELECT n FROM effect").await, [["2"]]);
    assert_eq!(database.one("SELECT count(*) FROM _tenantry_history").await, "3");
}

#[tokio::test]
async fn a_deployer_that_vanishes_in_mid_run_leaves_no_lock() {
    for pooler in ["1", "2", "20"] {
        let Some(database) = pooled(pooler).await else {
            return;
        };
        let database = Arc::new(database);
        let other = Other::connect(&database).await;
        let mut work = begin(&database, &other).await;
        work.abort_all();
        assert!(work.join_next().await.unwrap().is_err(), "it ended by itself");
        // The row is still locked: the session in between must notice by itself.
        other.until(NO_LOCK).await;
        other.run("ROLLBACK").await;
        to_head(&database, &track(&[EFFECT, ONE, UPDATE])).await.unwrap();
        is_there_once(&database).await;
    }
}

/// Gives the pooler itself a command.
async fn tell_pooler(database: &TestDatabase, command: &str) {
    let Address::Network(at) = &database.address else {
        panic!("PostgreSQL is a network engine")
    };
    let admin = Address::Network(NetworkAddress {
        database: "pgbouncer".to_owned(),
        ..at.clone()
    });
    query(&admin, &format!("{command} {}", at.database)).await;
}

#[tokio::test]
async fn a_connection_that_the_pooler_cuts_is_lost_and_the_run_goes_on() {
    let Some(database) = pooled("20").await else {
        return;
    };
    let database = Arc::new(database);
    let other = Other::connect(&database).await;
    let mut work = begin(&database, &other).await;
    tell_pooler(&database, "KILL").await;
    other.until(NO_LOCK).await;
    other.run("ROLLBACK").await;
    tell_pooler(&database, "RESUME").await;
    let report = work.join_next().await.unwrap().unwrap();
    assert_eq!(
        (report.outcome, report.attempts > 1),
        (Outcome::Applied, true),
        "{report:?}"
    );
    is_there_once(&database).await;
}
