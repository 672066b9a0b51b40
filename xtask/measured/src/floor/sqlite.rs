//! The floor on SQLite: rusqlite in as many threads as the concurrency says.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::anyhow;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::{Work, expect_rows};
use crate::cost::Cost;
use crate::job::Job;

/// Works on every file of the set.
pub(crate) fn run(job: &Job) -> anyhow::Result<Vec<(String, String)>> {
    let cost = Cost::begin()?;
    let work = Work::of(job)?;
    let next = AtomicUsize::new(0);
    let worker = || -> anyhow::Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= job.databases {
                return Ok(());
            }
            let connection = Connection::open(job.file(number).path())?;
            // As the other contestant does: the bundled build turns foreign keys on.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
            in_file(&connection, &work)?;
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..job.concurrency).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().map_err(|_panic| anyhow!("a worker panicked"))?)
    })?;
    cost.end()
}

fn in_file(connection: &Connection, work: &Work) -> anyhow::Result<()> {
    if !work.sql.is_empty() {
        return Ok(connection.execute_batch(&work.sql)?);
    }
    let mut statement = connection.prepare(work.read)?;
    let mut rows = statement.query([])?;
    let mut found = 0;
    while rows.next()?.is_some() {
        found += 1;
    }
    expect_rows(found, work)
}
