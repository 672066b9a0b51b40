//! A throwaway MariaDB server.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::account::Account;
use super::certificates::Certificates;
use super::folder::write_private;
use super::server::{Launch, Server, on_free_port, random_password, unprivileged};
use super::{Durability, Engine, Setting};
use crate::process::run_quietly;
use crate::signals::Signals;
use crate::test::programs::MariaDbPrograms;

/// What every server gets.
const SETTINGS: &str = "\
[mariadbd]
skip-networking = 0
bind-address = 127.0.0.1
max-connections = 200
innodb-fast-shutdown = 2
";

/// Fast because nothing is to outlive a crash of the machine, and talkative.
const FAST: &str = "\
innodb-buffer-pool-size = 128M
innodb-flush-log-at-trx-commit = 0
general-log = 1
";

/// Durable, and quiet.
const DURABLE: &str = "\
innodb-buffer-pool-size = 1G
innodb-flush-log-at-trx-commit = 1
";

/// Makes a data folder and starts a server on it.
pub(crate) fn start(
    programs: &MariaDbPrograms,
    setting: &Setting<'_>,
    signals: &Signals,
) -> anyhow::Result<Server> {
    let account = Account::for_server("mysql")?;
    let home = setting.folder.private("mariadb", account)?;
    setting.folder.private("mariadb/temporary", account)?;
    let (data, log, password_file) = (home.join("data"), home.join("log"), home.join("password"));
    let password = random_password()?;
    write_private(&password_file, &password, account)?;
    initialise(programs, &home, account)?;
    let first_words = home.join("first.sql");
    write_private(&first_words, &only_root(&password), account)?;
    let tls = tls_settings(setting.certificates, &home, account)?;
    let durability = match setting.durability {
        Durability::Fast => FAST,
        Durability::Durable => DURABLE,
    };

    let config = home.join("my.cnf");
    let launch = Launch {
        program: &programs.server,
        arguments: vec![
            format!("--defaults-file={}", config.display()),
            // Run before the first connection is taken: nobody meets a root without a password.
            format!("--init-file={}", first_words.display()),
        ],
        folder: &home,
        log: &home.join("errors"),
        account,
        stop: Signal::SIGQUIT,
    };
    let (port, process) = on_free_port(|port| {
        let text = format!("{SETTINGS}{durability}{}{tls}", place(&home, port));
        write_private(&config, &text, account)?;
        Ok((port, launch.start(signals, &|_| greets(port))?))
    })?;
    fs::remove_file(first_words)?;
    let bin = programs.server.parent().unwrap_or(Path::new("/")).to_path_buf();
    Ok(Server {
        engine: Engine::MariaDb,
        port,
        user: "root",
        password_file,
        log,
        ca: setting.certificates.map(|certificates| certificates.ca.clone()),
        data,
        bin,
        account,
        process,
    })
}

fn initialise(programs: &MariaDbPrograms, home: &Path, account: Option<Account>) -> anyhow::Result<()> {
    let mut install = unprivileged(&programs.install, home, account);
    install.args([
        "--no-defaults",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
    ]);
    install.arg(format!("--datadir={}", home.join("data").display()));
    run_quietly(&mut install)
}

/// Returns the statements that leave one way in: root from this machine, with the password.
fn only_root(password: &str) -> String {
    // The server reads such a file line by line. Account management fails on a row that is not there.
    format!(
        "DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys' AND Host NOT IN ('localhost', '127.0.0.1');\n\
         FLUSH PRIVILEGES;\n\
         ALTER USER root@localhost IDENTIFIED BY '{password}';\n\
         ALTER USER root@127.0.0.1 IDENTIFIED BY '{password}';\n"
    )
}

/// Each server has its own folder for temporary tables: one that starts removes what it finds there, though another
/// server be using it.
fn place(home: &Path, port: u16) -> String {
    let home = home.display();
    format!(
        "port = {port}\ndatadir = {home}/data\ntmpdir = {home}/temporary\nsocket = {home}/socket\npid-file = {home}/pid\n\
         general-log-file = {home}/log\n"
    )
}

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
        "ssl-cert = {}\nssl-key = {}\n",
        own.certificate.display(),
        own.key.display()
    ))
}

/// Returns whether a server on this port sends its greeting, whose fifth byte is the protocol's version, 10.
fn greets(port: u16) -> bool {
    let greeting = || -> std::io::Result<[u8; 5]> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut start = [0; 5];
        stream.read_exact(&mut start)?;
        Ok(start)
    };
    greeting().is_ok_and(|start| start.ends_with(&[10]))
}
