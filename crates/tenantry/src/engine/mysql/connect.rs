//! Opens a connection from explicit fields: no environment, no option file, no connection string.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mysql_async::{Conn, Error, IoError, Opts, OptsBuilder, SslOpts};
use secrecy::ExposeSecret as _;

use super::error::{open_error, tls_error};
use crate::engine::address::{Login, NetworkAddress, Tls};
use crate::engine::error::SessionError;
use crate::engine::poll::opening_limit;

/// The longest packet we send or take: a migration file is at most 64 MiB.
const PACKET_MAX: usize = (64 << 20) + 4096;

/// Where a connection goes and who asks for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dial<'a> {
    /// Host name or IP address.
    pub(super) host: &'a str,
    /// Port.
    pub(super) port: u16,
    /// How it is protected.
    pub(super) tls: &'a Tls,
    /// The database to start in; `None` for none.
    pub(super) database: Option<&'a str>,
    /// The login.
    pub(super) login: &'a Login,
    /// What the server shows as the program's name.
    pub(super) program: &'a str,
    /// How long dialling and logging in may take together.
    pub(super) timeout: Duration,
}

impl<'a> Dial<'a> {
    /// Makes the dial of a database's address.
    pub(super) fn to(address: &'a NetworkAddress, program: &'a str, timeout: Duration) -> Self {
        Self {
            host: &address.host,
            port: address.port,
            tls: &address.tls,
            database: Some(&address.database),
            login: &address.login,
            program,
            timeout,
        }
    }

    /// Returns `host:port`.
    pub(super) fn endpoint(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// Dials, protects the connection and logs in.
///
/// The driver announces LOCAL INFILE; without a handler it closes the connection when a server asks for
/// a file. It asks the server nothing of its own behind the login.
pub(super) async fn connect(dial: Dial<'_>) -> Result<Conn, SessionError> {
    let fail = |error| {
        open_error(
            error,
            dial.endpoint(),
            &dial.login.user,
            dial.database.unwrap_or(""),
        )
    };
    match attempt(dial, None).await? {
        Ok(conn) => Ok(conn),
        Err(error) => match (dial.tls, presented_name(&error)) {
            // The driver cannot leave out the name alone, so it is told to expect the certificate's own.
            (Tls::VerifyCa { .. }, Some(name)) => attempt(dial, Some(name)).await?.map_err(fail),
            (Tls::VerifyCa { .. } | Tls::VerifyFull { .. } | Tls::Require | Tls::Disable, _) => {
                Err(fail(error))
            }
        },
    }
}

async fn attempt(dial: Dial<'_>, expected: Option<String>) -> Result<Result<Conn, Error>, SessionError> {
    let opts = options(dial, expected)?;
    tokio::time::timeout(opening_limit(dial.timeout), Conn::new(opts))
        .await
        .map_err(|_| SessionError::Unreachable {
            endpoint: dial.endpoint(),
            source: std::io::ErrorKind::TimedOut.into(),
        })
}

fn options(dial: Dial<'_>, expected: Option<String>) -> Result<Opts, SessionError> {
    let base = shared(dial.tls, expected).map_err(|reason| SessionError::Tls {
        endpoint: dial.endpoint(),
        reason,
    })?;
    Ok(OptsBuilder::from_opts(base)
        .ip_or_hostname(dial.host)
        .tcp_port(dial.port)
        .user(Some(&dial.login.user))
        .pass(Some(dial.login.password.expose_secret()))
        .db_name(dial.database)
        .tcp_nodelay(true)
        .tcp_keepalive(Some(Duration::from_secs(30)))
        .prefer_socket(false)
        .enable_cleartext_plugin(false)
        .secure_auth(true)
        // Both given, so that the driver does not ask the server for them; its limit rides in our first
        // question.
        .max_allowed_packet(Some(PACKET_MAX))
        .wait_timeout(Some(120))
        .stmt_cache_size(0)
        .connect_attribute("program_name", dial.program)
        .into())
}

/// Returns the first name that a certificate for another name carries.
fn presented_name(error: &Error) -> Option<String> {
    let Error::Io(IoError::Io(io)) = error else {
        return None;
    };
    let Some(rustls::Error::InvalidCertificate(rustls::CertificateError::NotValidForNameContext {
        presented,
        ..
    })) = tls_error(io)
    else {
        return None;
    };
    // Written as `DnsName("db.example")` or `IpAddress(192.0.2.1)`.
    let inside = presented.first()?.split_once('(')?.1.strip_suffix(')')?;
    Some(inside.trim_matches('"').replace("*.", "any."))
}

/// What makes two connections share one TLS configuration.
#[derive(Clone, PartialEq, Eq)]
struct Shape {
    tls: Tls,
    expected: Option<String>,
}

/// The driver builds its TLS configuration once for every `Opts` and its clones, so one is kept for each
/// way to protect a connection: certificates are read once, and sessions can be resumed.
static SHARED: Mutex<Vec<(Shape, Opts)>> = Mutex::new(Vec::new());

/// More ways to protect a connection than this are not kept.
const SHARED_MAX: usize = 256;

fn shared(tls: &Tls, expected: Option<String>) -> Result<Opts, String> {
    let shape = Shape {
        tls: tls.clone(),
        expected,
    };
    let mut kept = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, opts)) = kept.iter().find(|(known, _)| *known == shape) {
        return Ok(opts.clone());
    }
    let opts: Opts = OptsBuilder::default()
        .ssl_opts(ssl_options(tls, shape.expected.clone())?)
        .into();
    if kept.len() >= SHARED_MAX {
        kept.clear();
    }
    kept.push((shape, opts.clone()));
    Ok(opts)
}

fn ssl_options(tls: &Tls, expected: Option<String>) -> Result<Option<SslOpts>, String> {
    let with_roots = |ca_pem: &str| {
        SslOpts::default()
            .with_root_certs(vec![ca_pem.as_bytes().to_vec().into()])
            .with_disable_built_in_roots(true)
    };
    Ok(Some(match tls {
        Tls::Disable => return Ok(None),
        Tls::Require => SslOpts::default().with_danger_accept_invalid_certs(true),
        Tls::VerifyFull { ca_pem: Some(pem) } => with_roots(pem),
        Tls::VerifyFull { ca_pem: None } => system_roots()?,
        Tls::VerifyCa { ca_pem } => with_roots(ca_pem).with_danger_tls_hostname_override(expected),
    }))
}

/// Returns options that trust what the system trusts; roots that cannot be read are left out.
fn system_roots() -> Result<SslOpts, String> {
    let loaded = rustls_native_certs::load_native_certs();
    let usable = |cert: &rustls::pki_types::CertificateDer<'static>| {
        rustls::RootCertStore::empty().add(cert.clone()).is_ok()
    };
    let roots: Vec<_> = loaded
        .certs
        .into_iter()
        .filter(usable)
        .map(|cert| cert.as_ref().to_vec().into())
        .collect();
    if roots.is_empty() {
        return Err("the system has no certificate authorities".to_owned());
    }
    Ok(SslOpts::default()
        .with_root_certs(roots)
        .with_disable_built_in_roots(true))
}
