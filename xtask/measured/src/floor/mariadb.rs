//! The floor on MariaDB: `mysql_async`, one message of many statements. DDL commits by itself there.

use anyhow::Context as _;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};
use secrecy::ExposeSecret as _;
use tenantry::engine::NetworkAddress;

use super::{Work, expect_rows};

/// Does the work in one database.
pub(super) async fn work(address: &NetworkAddress, work: &Work) -> anyhow::Result<()> {
    let mut connection = connect(address).await?;
    if work.sql.is_empty() {
        let rows: Vec<i64> = connection.query(work.read).await?;
        expect_rows(rows.len(), work)?;
    } else {
        connection
            .query_drop(work.sql.as_str())
            .await
            .with_context(|| format!("in {}", address.database))?;
    }
    Ok(connection.disconnect().await?)
}

/// Connects over TCP, as the other contestant does.
pub(crate) async fn connect(address: &NetworkAddress) -> anyhow::Result<Conn> {
    let options = OptsBuilder::default()
        .ip_or_hostname(address.host.clone())
        .tcp_port(address.port)
        .prefer_socket(false)
        .user(Some(address.login.user.clone()))
        .pass(Some(address.login.password.expose_secret()))
        .db_name(Some(address.database.clone()));
    Ok(Conn::new(options).await?)
}
