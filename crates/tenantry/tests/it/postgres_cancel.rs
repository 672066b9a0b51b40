//! A statement that is stopped on PostgreSQL: at the server and through poolers, in the clear and over TLS.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tenantry::Code;
use tenantry::engine::{Address, Engine, Tls};
use tenantry::migration::Track;
use tenantry::run::{Control, Outcome, RunOptions, Stop, TargetReport, run};
use tokio::sync::mpsc::unbounded_channel;

use crate::conformance::job;
use crate::database::{TestDatabase, fresh, pooled, query};
use crate::postgres_outside::{Other, to_head, track};

const EFFECT: (&str, &str) = ("1_effect.sql", "CREATE TABLE effect (n int);\n");
const SLOW: (&str, &str) = (
    "2_slow.sql",
    "INSERT INTO effect VALUES (1);\nSELECT pg_sleep(60);\n",
);

/// Much less than after how long a server is given up that does not answer a request to cancel.
const SOON: Duration = Duration::from_secs(6);

const SLEEPING: &str = "SELECT count(*) FROM pg_stat_activity \
 WHERE datname = current_database() AND wait_event = 'PgSleep'";
/// True when no session of ours is in the database; one that says goodbye is still there for a moment.
const GONE: &str = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity \
 WHERE datname = current_database() AND application_name LIKE 'tenantry%' AND state <> 'idle')";

/// Reaches the same database over TLS; `None`, printed, if the servers have no certificate.
fn over_tls(mut database: TestDatabase) -> Option<TestDatabase> {
    let Some(file) = std::env::var_os("TENANTRY_TEST_POSTGRES_CA_FILE") else {
        println!("skipped: TENANTRY_TEST_POSTGRES_CA_FILE is not set");
        return None;
    };
    if let Address::Network(at) = &mut database.address {
        at.tls = Tls::VerifyFull {
            ca_pem: Some(std::fs::read_to_string(file).unwrap().into()),
        };
    }
    Some(database)
}

/// Returns every way to a server that there is.
async fn ways() -> Vec<(String, TestDatabase)> {
    let mut ways = Vec::new();
    for way in ["server", "1", "2", "20", "LENIENT"] {
        for kind in ["in the clear", "over TLS"] {
            let database = match way {
                "server" => fresh(Engine::Postgres).await,
                pooler => pooled(pooler).await,
            };
            let database = match kind {
                "over TLS" => database.and_then(over_tls),
                _ => database,
            };
            ways.extend(database.map(|database| (format!("{way} {kind}"), database)));
        }
    }
    ways
}

/// Carries files out, and stops as soon as they sleep if there is a `stop`.
async fn carried_out(
    database: &TestDatabase,
    files: Track,
    options: RunOptions,
    stop: Option<Stop>,
) -> (TargetReport, Duration) {
    let control = Control::default();
    let (events, _unheard) = unbounded_channel();
    let jobs = vec![job(database, "acme", &Arc::new(files))];
    let stopping = async {
        while let Some(stop) = stop {
            if database.one(SLEEPING).await == "1" {
                control.stop(stop);
                break;
            }
        }
        Instant::now()
    };
    let running = run("run_test", jobs, options, control.clone(), events);
    let (mut report, begun) = tokio::join!(running, stopping);
    (report.targets.remove(0), begun.elapsed())
}

/// The server is rid of our statement and of what it did, and other clients are served.
async fn is_as_before(database: &TestDatabase, way: &str) {
    Other::connect(database).await.until(GONE).await;
    assert_eq!(database.one("SELECT count(*) FROM effect").await, "0", "{way}");
    let mut next = database.address.clone();
    if let Address::Network(at) = &mut next {
        at.tls = Tls::Disable;
    }
    assert_eq!(query(&next, "SELECT 1").await, [["1"]], "{way}");
}

#[tokio::test]
async fn a_cancel_stops_the_statement_every_time() {
    for (way, database) in ways().await {
        to_head(&database, &track(&[EFFECT])).await.unwrap();
        for _ in 0..10 {
            let (files, options) = (track(&[EFFECT, SLOW]), RunOptions::default());
            let (target, took) = carried_out(&database, files, options, Some(Stop::Cancel)).await;
            assert_eq!(target.outcome, Outcome::Cancelled, "{way}: {target:?}");
            let code = target.failure.as_ref().map(|failure| failure.code);
            assert_ne!(code, Some(Code(5001)), "{way}: {target:?}");
            assert!(took < SOON, "{way}: {took:?} {target:?}");
            is_as_before(&database, &way).await;
        }
    }
}

#[tokio::test]
async fn a_target_whose_time_is_up_is_told_as_that() {
    for (way, database) in ways().await {
        to_head(&database, &track(&[EFFECT])).await.unwrap();
        let options = RunOptions {
            target_timeout: Some(Duration::from_secs(1)),
            ..RunOptions::default()
        };
        let begun = Instant::now();
        let (target, _) = carried_out(&database, track(&[EFFECT, SLOW]), options, None).await;
        assert_eq!(target.outcome, Outcome::Failed, "{way}: {target:?}");
        assert_eq!(
            target.failure.as_ref().unwrap().code,
            Code(4013),
            "{way}: {target:?}"
        );
        assert!(begun.elapsed() < SOON, "{way}: {target:?}");
        is_as_before(&database, &way).await;
    }
}
