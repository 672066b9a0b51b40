//! Pools with fewer connections than there are deployers.

use std::sync::Arc;
use std::time::Duration;

use tenantry::plan::Goal;
use tenantry::run::{Outcome, RunOptions};
use tokio::task::JoinSet;

use super::{EFFECT, ONE, TWO, carried_out};
use crate::conformance::run_on;
use crate::database::pooled;
use crate::postgres_outside::{Other, to_head, track};

#[tokio::test]
async fn several_deployers_apply_each_file_once() {
    for pooler in ["1", "2", "20"] {
        let Some(database) = pooled(pooler).await else {
            return;
        };
        let (database, track) = (Arc::new(database), Arc::new(track(&[EFFECT, ONE, TWO])));
        let mut deployers = JoinSet::new();
        for _ in 0..3 {
            let (database, track) = (Arc::clone(&database), Arc::clone(&track));
            deployers.spawn(async move { to_head(&database, &track).await.unwrap().len() });
        }
        let applied = deployers.join_all().await;
        assert!(applied.iter().sum::<usize>() <= 3, "{applied:?}");
        let rows = database.one("SELECT string_agg(n::text, ' ') FROM effect").await;
        assert_eq!(rows, "1 2", "{pooler}");
    }
}

#[tokio::test]
async fn tenants_with_one_connection_each_go_there_and_back() {
    const BACK: (&str, &str) = ("2_one.down.sql", "DELETE FROM effect;\n");
    let Some(first) = pooled("1").await else { return };
    let mut all = vec![first];
    for _ in 0..3 {
        let other = all[0].another().await;
        all.push(other);
    }
    let files = track(&[EFFECT, ONE, BACK]);
    for outcome in [Outcome::Applied, Outcome::Current] {
        let report = run_on(&all, files.clone()).await;
        assert_eq!(report.count(outcome), 4, "{:?}", report.targets);
    }
    let back = carried_out(&all[0], files, Goal::BackSteps(1), RunOptions::default()).await;
    assert_eq!(back.outcome, Outcome::Applied, "{back:?}");
    for (database, rows) in all.iter().zip(["0", "1", "1", "1"]) {
        assert_eq!(database.one("SELECT count(*) FROM effect").await, rows);
    }
}

#[tokio::test]
async fn whoever_is_in_the_way_is_named_through_a_pooler_too() {
    let Some(database) = pooled("20").await else {
        return;
    };
    to_head(&database, &track(&[EFFECT, ONE])).await.unwrap();
    let other = Other::connect(&database).await;
    other.run("BEGIN; UPDATE effect SET n = n").await;
    let pid = other.run("SELECT pg_backend_pid()").await;
    let options = RunOptions {
        lock_timeout: Duration::from_secs(6),
        lock_window: Duration::from_secs(6),
        ..RunOptions::default()
    };
    let update = ("3_update.sql", "UPDATE effect SET n = n + 1;\n");
    let report = carried_out(&database, track(&[EFFECT, ONE, update]), Goal::Head, options).await;
    assert_eq!(report.outcome, Outcome::Blocked, "{report:?}");
    let holders = report.failure.unwrap().holders.clone();
    let named: Vec<String> = holders.iter().map(|holder| holder.pid.to_string()).collect();
    assert_eq!(named, [pid]);
}
