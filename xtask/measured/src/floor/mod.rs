//! The floor: the least that a program can do with the same driver, the same SQL and the same concurrency.
//!
//! For each database: connect, send everything as one message in one transaction (where the engine has that),
//! with a history table and its rows, close. No registry, no lock, no check, no reading back.

pub(crate) mod mariadb;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::bail;
use tenantry::engine::Engine;
use tenantry::migration::Migration;
use tokio::task::JoinSet;

use crate::cost::Cost;
use crate::job::{Contestant, Job, Scenario};

/// How the floor makes its history table, on every engine.
const CREATE: &str = "CREATE TABLE history (version BIGINT PRIMARY KEY, name VARCHAR(200) NOT NULL, \
    checksum CHAR(64) NOT NULL, applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)";

/// How a history is read: the floor's own, or ours where it is our databases that are asked.
fn read(contestant: Contestant, engine: Engine) -> &'static str {
    match (contestant, engine) {
        (Contestant::Floor, _) => "SELECT version FROM history",
        (Contestant::Ours, Engine::Postgres) => "SELECT version FROM public._tenantry_history",
        (Contestant::Ours, Engine::MySql | Engine::Sqlite) => "SELECT version FROM _tenantry_history",
    }
}

/// What the floor does in each database.
struct Work {
    /// The SQL, all of it; empty if nothing is to be done.
    sql: String,
    /// The SQL that reads the history where nothing is to be done.
    read: &'static str,
    /// How many rows the history must have where it is read.
    rows: usize,
}

impl Work {
    fn of(job: &Job) -> anyhow::Result<Self> {
        let migrations = job.track()?.migrations;
        let rows = migrations.len();
        let of = |migrations: &[Arc<Migration>]| match job.engine {
            Engine::Postgres | Engine::Sqlite => in_one_transaction(migrations),
            Engine::MySql => one_by_one(migrations),
        };
        let sql = match job.scenario {
            Scenario::Fresh => format!("{CREATE};\n{}", of(&migrations)),
            Scenario::One => of(migrations.last_chunk::<1>().map_or(&[][..], |last| last)),
            Scenario::Noop => String::new(),
        };
        let sql = match (job.engine, job.scenario) {
            (_, Scenario::Noop) | (Engine::MySql, _) => sql,
            (Engine::Postgres, _) => format!("BEGIN;\n{sql};\nCOMMIT"),
            (Engine::Sqlite, _) => format!("BEGIN IMMEDIATE;\n{sql};\nCOMMIT"),
        };
        let read = read(job.contestant, job.engine);
        Ok(Self { sql, read, rows })
    }
}

fn row(migration: &Migration) -> String {
    let checksum = migration.up.checksum.to_string();
    format!(
        "({}, '{}', '{checksum}')",
        migration.version.number(),
        migration.name
    )
}

/// Every file, then all rows at once.
fn in_one_transaction(migrations: &[Arc<Migration>]) -> String {
    let files: Vec<String> = migrations.iter().map(|m| format!("{}\n;\n", m.up.text)).collect();
    let rows: Vec<String> = migrations.iter().map(|m| row(m)).collect();
    format!(
        "{}INSERT INTO history (version, name, checksum) VALUES {}",
        files.concat(),
        rows.join(", ")
    )
}

/// Every migration followed by its row: what DDL has committed must not be forgotten.
fn one_by_one(migrations: &[Arc<Migration>]) -> String {
    let mut sql = Vec::new();
    for migration in migrations {
        let script = &migration.up;
        sql.extend((0..script.statements.len()).map(|number| script.statement(number).to_owned()));
        sql.push(format!(
            "INSERT INTO history (version, name, checksum) VALUES {}",
            row(migration)
        ));
    }
    sql.join(";\n")
}

/// Works on every database of the set, `concurrency` at once.
pub(crate) async fn run(job: &Job) -> anyhow::Result<Vec<(String, String)>> {
    let cost = Cost::begin()?;
    let work = Arc::new(Work::of(job)?);
    let addresses = (0..job.databases).map(|number| job.address(number));
    let addresses: Arc<Vec<_>> = Arc::new(addresses.collect::<anyhow::Result<_>>()?);
    let tls = Arc::new(postgres::tls(job.server()?)?);
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..job.concurrency {
        let (work, addresses) = (Arc::clone(&work), Arc::clone(&addresses));
        let (tls, next) = (Arc::clone(&tls), Arc::clone(&next));
        workers.spawn(async move {
            while let Some(address) = addresses.get(next.fetch_add(1, Ordering::Relaxed)) {
                match address.engine {
                    Engine::Postgres => postgres::work(address, tls.as_ref().as_ref(), &work).await?,
                    Engine::MySql | Engine::Sqlite => mariadb::work(address, &work).await?,
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended??;
    }
    cost.end()
}

fn expect_rows(found: usize, work: &Work) -> anyhow::Result<()> {
    if found != work.rows {
        bail!("the history has {found} rows, not {}", work.rows);
    }
    Ok(())
}
