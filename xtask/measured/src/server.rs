//! What a server says of itself, and asking it to write out what it has in memory.

use anyhow::Context as _;
use mysql_async::prelude::Queryable as _;
use tenantry::engine::Engine;

use crate::cost::pair;
use crate::floor::{mariadb, postgres};
use crate::job::Job;

const POSTGRES: [&str; 8] = [
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "shared_buffers",
    "max_wal_size",
    "autovacuum",
    "password_encryption",
];

const MARIADB: [&str; 6] = [
    "version",
    "innodb_flush_log_at_trx_commit",
    "sync_binlog",
    "log_bin",
    "innodb_doublewrite",
    "innodb_buffer_pool_size",
];

/// Reads the version and the settings that decide what a commit costs.
pub(crate) async fn settings(job: &Job) -> anyhow::Result<Vec<(String, String)>> {
    match job.engine {
        Engine::Postgres => {
            let list: Vec<String> = POSTGRES
                .iter()
                .map(|name| format!("current_setting('{name}')"))
                .collect();
            let sql = format!(
                "SELECT {}, (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())",
                list.join(", ")
            );
            let rows = postgres::ask(job.server()?, &sql).await?;
            let row = rows.first().context("the server has no settings")?;
            Ok(named(&[&POSTGRES[..], &["tls"]].concat(), row))
        }
        Engine::MySql => {
            let list: Vec<String> = MARIADB
                .iter()
                .map(|name| format!("CAST(@@{name} AS CHAR)"))
                .collect();
            let mut connection = mariadb::connect(job.server()?).await?;
            let sql = format!("SELECT {}", list.join(", "));
            let row: mysql_async::Row = connection.query_first(sql).await?.context("no settings")?;
            let values: Vec<Option<String>> = (0..row.len()).map(|at| row.get(at)).collect();
            let mut lines = named(&MARIADB, &values);
            let plugin = "SELECT plugin FROM mysql.user WHERE user = SUBSTRING_INDEX(CURRENT_USER(), '@', 1)";
            let plugin: Option<String> = connection.query_first(plugin).await?;
            lines.push(pair("auth", plugin.as_deref().unwrap_or_default()));
            connection.disconnect().await?;
            Ok(lines)
        }
        Engine::Sqlite => {
            let connection = rusqlite::Connection::open_in_memory()?;
            let synchronous: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
            Ok(vec![
                pair("version", rusqlite::version()),
                pair("synchronous", synchronous.to_string().as_str()),
                pair("journal", "delete"),
            ])
        }
    }
}

fn named(names: &[&str], values: &[Option<String>]) -> Vec<(String, String)> {
    names
        .iter()
        .zip(values)
        .map(|(name, value)| pair(name, value.as_deref().unwrap_or("")))
        .collect()
}

/// Carries one statement out as the administrator.
pub(crate) async fn execute(job: &Job, sql: &str) -> anyhow::Result<()> {
    let server = job.server()?;
    match server.engine {
        Engine::Postgres => drop(postgres::ask(server, sql).await?),
        Engine::MySql | Engine::Sqlite => {
            let mut connection = mariadb::connect(server).await?;
            connection.query_drop(sql).await?;
            connection.disconnect().await?;
        }
    }
    Ok(())
}

/// Lets PostgreSQL write out its dirty pages; the other engines have nothing like it that takes one statement.
pub(crate) async fn settle(job: &Job) -> anyhow::Result<Vec<(String, String)>> {
    if job.engine == Engine::Postgres {
        postgres::ask(job.server()?, "CHECKPOINT").await?;
    }
    Ok(Vec::new())
}
