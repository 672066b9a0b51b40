//! Throwaway poolers, `PgBouncer` in transaction mode, in front of the throwaway PostgreSQL server.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;

use super::Setting;
use super::account::Account;
use super::certificates::Certificates;
use super::folder::write_private;
use super::server::{Launch, Server, on_free_port};
use crate::process::Running;
use crate::signals::Signals;

/// The poolers: name, server connections for each database and role, and further settings.
const POOLERS: [(&str, usize, &str); 4] = [
    ("1", 1, ""),
    ("2", 2, ""),
    ("20", 20, ""),
    ("lenient", 2, "ignore_startup_parameters = options\n"),
];

/// What every pooler gets. Databases and roles come and go while tests run, so each is asked for at the server.
const SETTINGS: &str = "\
listen_addr = 127.0.0.1
unix_socket_dir =
pool_mode = transaction
auth_type = scram-sha-256
auth_query = SELECT usename, passwd FROM pg_catalog.pg_shadow WHERE usename = $1
max_client_conn = 500
admin_users = postgres
server_idle_timeout = 10
";

/// A running pooler; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Pooler {
    /// Its name among the poolers.
    pub(crate) name: &'static str,
    /// The port on 127.0.0.1.
    pub(crate) port: u16,
    /// The process, which ends with this value.
    _process: Running,
}

/// Starts every pooler in front of `server`.
pub(crate) fn start(
    program: &Path,
    server: &Server,
    setting: &Setting<'_>,
    signals: &Signals,
) -> anyhow::Result<Vec<Pooler>> {
    let all = POOLERS.into_iter();
    all.map(|(name, size, more)| {
        let own = format!("default_pool_size = {size}\n{more}");
        start_one(program, server, setting, (name, &own), signals)
    })
    .collect()
}

fn start_one(
    program: &Path,
    server: &Server,
    setting: &Setting<'_>,
    (name, own): (&'static str, &str),
    signals: &Signals,
) -> anyhow::Result<Pooler> {
    // It refuses to run as root, and its package makes no user of its own.
    let account = Account::for_server("postgres")?;
    let home = setting.folder.private(&format!("pgbouncer-{name}"), account)?;
    let (config, users, log) = (home.join("config"), home.join("users"), home.join("log"));
    let password = fs::read_to_string(&server.password_file)?;
    let tls = tls_settings(setting.certificates, &home, account)?;
    write_private(&users, &format!("\"{}\" \"{password}\"\n", server.user), account)?;
    let launch = Launch {
        program,
        arguments: vec![config.display().to_string()],
        folder: &home,
        log: &log,
        account,
        stop: Signal::SIGTERM,
    };
    let (port, process) = on_free_port(|port| {
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\n{SETTINGS}{own}{tls}listen_port = {port}\n\
             auth_user = {}\nauth_file = {}\n",
            server.port,
            server.user,
            users.display()
        );
        write_private(&config, &text, account)?;
        Ok((port, launch.start(signals, &|pid| is_ready(&log, pid))?))
    })?;
    Ok(Pooler {
        name,
        port,
        _process: process,
    })
}

/// A client that asks for TLS gets it.
fn tls_settings(
    certificates: Option<&Certificates>,
    home: &Path,
    account: Option<Account>,
) -> anyhow::Result<String> {
    let Some(certificates) = certificates else {
        return Ok(String::new());
    };
    let own = certificates.copy_to(home, account)?;
    Ok(format!(
        "client_tls_sslmode = allow\nclient_tls_cert_file = {}\nclient_tls_key_file = {}\n",
        own.certificate.display(),
        own.key.display()
    ))
}

/// Returns whether the pooler has said in its log that it takes connections: with a port that is taken it ends
/// before.
fn is_ready(log: &Path, pid: u32) -> bool {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.contains(&format!("[{pid}] LOG process up"))
}
