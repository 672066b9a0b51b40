//! The floor on PostgreSQL: tokio-postgres, one simple-query message.

use std::sync::Arc;

use anyhow::Context as _;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::ExposeSecret as _;
use tenantry::engine::{NetworkAddress, Tls};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, Connection, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Work, expect_rows};

/// Rows of a simple query, every value as text.
type Rows = Vec<Vec<Option<String>>>;

/// Does the work in one database.
pub(super) async fn work(
    address: &NetworkAddress,
    tls: Option<&MakeRustlsConnect>,
    work: &Work,
) -> anyhow::Result<()> {
    let sql = if work.sql.is_empty() { work.read } else { &work.sql };
    let rows = send(address, tls, sql)
        .await
        .with_context(|| format!("in {}", address.database))?;
    if work.sql.is_empty() {
        expect_rows(rows.len(), work)?;
    }
    Ok(())
}

/// Sends one message and returns its rows.
pub(crate) async fn ask(address: &NetworkAddress, sql: &str) -> anyhow::Result<Rows> {
    send(address, tls(address)?.as_ref(), sql).await
}

async fn send(address: &NetworkAddress, tls: Option<&MakeRustlsConnect>, sql: &str) -> anyhow::Result<Rows> {
    let mut config = Config::new();
    config
        .host(&address.host)
        .port(address.port)
        .user(&address.login.user)
        .password(address.login.password.expose_secret())
        .dbname(&address.database);
    if let Some(tls) = tls {
        let (client, connection) = config.ssl_mode(SslMode::Require).connect(tls.clone()).await?;
        exchange(client, connection, sql).await
    } else {
        let (client, connection) = config.ssl_mode(SslMode::Disable).connect(NoTls).await?;
        exchange(client, connection, sql).await
    }
}

async fn exchange<S, T>(client: Client, connection: Connection<S, T>, sql: &str) -> anyhow::Result<Rows>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    // The client goes with the block, which closes the connection.
    let asked = async move { client.simple_query(sql).await };
    let (answer, closed) = tokio::join!(asked, connection);
    let mut rows = Vec::new();
    for message in answer? {
        if let SimpleQueryMessage::Row(row) = message {
            rows.push((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect());
        }
    }
    closed?;
    Ok(rows)
}

/// Returns the one TLS configuration for all connections; `None` without TLS.
pub(super) fn tls(address: &NetworkAddress) -> anyhow::Result<Option<MakeRustlsConnect>> {
    let Tls::VerifyFull { ca_pem: Some(pem) } = &address.tls else {
        return Ok(None);
    };
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(MakeRustlsConnect::new(config)))
}
