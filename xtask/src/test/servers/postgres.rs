//! A throwaway PostgreSQL server.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use nix::sys::signal::Signal;

use super::account::Account;
use super::certificates::Certificates;
use super::folder::write_private;
use super::server::{Launch, Server, on_free_port, random_password, unprivileged};
use super::{Durability, Engine, Setting};
use crate::process::run_quietly;
use crate::signals::Signals;
use crate::test::programs::PostgresPrograms;

/// Our settings, included by the server's own file, so that a server restarted on the folder has them.
const CONFIG: &str = "tenantry.conf";

/// What every server gets.
const SETTINGS: &str = "\
listen_addresses = '127.0.0.1'
max_connections = 200
log_line_prefix = '%m [%p] %u@%d '
";

/// Fast because nothing is to outlive a crash of the machine, and talkative.
const FAST: &str = "\
shared_buffers = '128MB'
fsync = off
full_page_writes = off
synchronous_commit = off
log_statement = 'all'
";

/// Durable, and quiet: no checkpoint or vacuum by the clock, which would fall on one contestant by chance.
const DURABLE: &str = "\
shared_buffers = '1GB'
max_wal_size = '4GB'
checkpoint_timeout = '1h'
autovacuum = off
fsync = on
full_page_writes = on
synchronous_commit = on
";

/// Makes a data folder and starts a server on it.
pub(crate) fn start(
    programs: &PostgresPrograms,
    setting: &Setting<'_>,
    signals: &Signals,
) -> anyhow::Result<Server> {
    let account = Account::for_server("postgres")?;
    let home = setting.folder.private("postgres", account)?;
    let (data, log, password_file) = (home.join("data"), home.join("log"), home.join("password"));
    write_private(&password_file, &random_password()?, account)?;
    initialise(programs, &home, account)?;
    let tls = tls_settings(setting.certificates, &home, account)?;
    let durability = match setting.durability {
        Durability::Fast => FAST,
        Durability::Durable => DURABLE,
    };

    let launch = Launch {
        program: &programs.bin.join("postgres"),
        arguments: vec!["-D".to_owned(), data.display().to_string()],
        folder: &home,
        log: &log,
        account,
        stop: Signal::SIGQUIT,
    };
    let (port, process) = on_free_port(|port| {
        let place = format!("port = {port}\nunix_socket_directories = '{}'\n", home.display());
        write_private(
            &data.join(CONFIG),
            &format!("{SETTINGS}{durability}{place}{tls}"),
            account,
        )?;
        Ok((port, launch.start(signals, &|pid| is_ready(&data, pid))?))
    })?;
    Ok(Server {
        engine: Engine::Postgres,
        port,
        user: "postgres",
        password_file,
        log,
        ca: setting.certificates.map(|certificates| certificates.ca.clone()),
        data,
        bin: programs.bin.clone(),
        account,
        process,
    })
}

fn initialise(programs: &PostgresPrograms, home: &Path, account: Option<Account>) -> anyhow::Result<()> {
    let mut initdb = unprivileged(&programs.bin.join("initdb"), home, account);
    initdb.args(["-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
    initdb.args(["--auth-host=scram-sha-256", "--auth-local=trust"]);
    initdb
        .arg("--pwfile")
        .arg(home.join("password"))
        .arg("-D")
        .arg(home.join("data"));
    run_quietly(&mut initdb)?;
    let mut file = OpenOptions::new()
        .append(true)
        .open(home.join("data/postgresql.conf"))?;
    Ok(writeln!(file, "include '{CONFIG}'")?)
}

fn tls_settings(
    certificates: Option<&Certificates>,
    home: &Path,
    account: Option<Account>,
) -> anyhow::Result<String> {
    let mut settings = String::new();
    if let Some(certificates) = certificates {
        let own = certificates.copy_to(home, account)?;
        writeln!(settings, "ssl = on")?;
        writeln!(settings, "ssl_cert_file = '{}'", own.certificate.display())?;
        writeln!(settings, "ssl_key_file = '{}'", own.key.display())?;
    }
    Ok(settings)
}

/// Returns whether the server has said in its pid file that it takes connections: line 1 is the pid, line 8
/// the state, as `pg_ctl` reads it.
fn is_ready(data: &Path, pid: u32) -> bool {
    let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(&pid.to_string()) && lines.nth(6) == Some("ready")
}
