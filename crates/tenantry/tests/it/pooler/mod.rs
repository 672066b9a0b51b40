//! PostgreSQL behind a pooler in transaction mode: what the cases of every engine do not look at.

mod killed;
mod outside;
mod settings;
mod small;

use tenantry::engine::{Address, DirectEndpoint};
use tenantry::migration::Track;
use tenantry::plan::Goal;
use tenantry::run::{Control, Job, RunOptions, TargetReport, run};

use crate::conformance::job;
use crate::database::{TestDatabase, query};
use crate::postgres_outside::Other;

const EFFECT: (&str, &str) = ("1_effect.sql", "CREATE TABLE effect (n int);\n");
const ONE: (&str, &str) = ("2_one.sql", "INSERT INTO effect VALUES (1);\n");
const TWO: (&str, &str) = ("3_two.sql", "INSERT INTO effect VALUES (2);\n");

/// True while nobody holds or awaits an advisory lock in the database.
const NO_LOCK: &str = "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' \
 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";

/// Names the server's own endpoint, at this port or at the right one.
fn with_direct(mut database: TestDatabase, port: Option<u16>) -> TestDatabase {
    if let (Address::Network(address), Address::Network(server)) = (&mut database.address, &database.direct) {
        address.direct = Some(DirectEndpoint {
            host: server.host.clone(),
            port: port.unwrap_or(server.port),
        });
    }
    database
}

/// Asks through the pooler, as the next client of its connections.
async fn through(database: &TestDatabase, sql: &str) -> Vec<Vec<String>> {
    query(&database.address, sql).await
}

/// Brings one database to the goal in a run.
async fn carried_out(database: &TestDatabase, files: Track, goal: Goal, options: RunOptions) -> TargetReport {
    let job = Job {
        goal,
        ..job(database, "acme", &files.into())
    };
    let (events, _unheard) = tokio::sync::mpsc::unbounded_channel();
    let mut report = run("run_test", vec![job], options, Control::default(), events).await;
    report.targets.remove(0)
}

/// Waits until a statement of ours waits for a lock.
async fn until_one_waits(other: &Other) {
    other
        .until(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
             AND wait_event_type = 'Lock' AND application_name LIKE 'tenantry%')",
        )
        .await;
}
