//! Rows on their way into a registry, as SQL that every engine takes.

use std::fmt::Write as _;

use anyhow::Context as _;
use mysql_async::prelude::Queryable as _;
use tenantry::engine::{Address, Engine, NetworkAddress};

use crate::floor::{mariadb, postgres};

/// Where the SQL goes.
pub(crate) enum Sink {
    Postgres(Box<NetworkAddress>),
    MariaDb(mysql_async::Conn),
    Sqlite(rusqlite::Connection),
}

impl Sink {
    /// Opens the database that the registry is in.
    pub(crate) async fn open(central: &Address) -> anyhow::Result<Self> {
        Ok(match central {
            Address::Sqlite(file) => Self::Sqlite(rusqlite::Connection::open(file.path())?),
            Address::Network(network) if network.engine == Engine::Postgres => {
                Self::Postgres(Box::new(network.clone()))
            }
            Address::Network(network) => Self::MariaDb(mariadb::connect(network).await?),
        })
    }

    /// Carries statements out.
    pub(crate) async fn execute(&mut self, sql: &str) -> anyhow::Result<()> {
        let begin: String = sql.chars().take(60).collect();
        self.send(sql).await.with_context(|| format!("at {begin} …"))
    }

    async fn send(&mut self, sql: &str) -> anyhow::Result<()> {
        match self {
            Self::Postgres(address) => drop(postgres::ask(address, sql).await?),
            Self::MariaDb(connection) => connection.query_drop(sql).await?,
            Self::Sqlite(connection) => connection.execute_batch(sql)?,
        }
        Ok(())
    }

    /// Lets the planner count, as it has in a registry that has grown for years.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        match &self {
            Self::Postgres(_) => self.send("VACUUM ANALYZE").await,
            Self::MariaDb(_) => {
                let tables = "tenantry_tenants, tenantry_databases, tenantry_run_targets, tenantry_domains";
                self.send(&format!("ANALYZE TABLE {tables}")).await
            }
            Self::Sqlite(_) => Ok(()),
        }
    }
}

/// An INSERT of many rows.
pub(crate) struct Rows(pub(crate) String);

impl Rows {
    /// Begins with the table and its columns.
    pub(crate) fn of(table: &str) -> Self {
        Self(format!("INSERT INTO {table} VALUES"))
    }

    /// Adds the values of a row.
    pub(crate) fn add(&mut self, values: &str) {
        let comma = if self.0.ends_with(')') { "," } else { "" };
        let written = write!(self.0, "{comma} ({values})");
        debug_assert!(written.is_ok(), "a string takes every text");
    }
}
