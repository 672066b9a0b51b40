//! One running server, and what the engines have in common in starting it.

use std::fs::{self, File};
use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::signal::Signal;

use super::Engine;
use super::account::Account;
use super::folder::mark;
use crate::process::{Interrupted, LOOK_AGAIN, Running};
use crate::signals::Signals;
use crate::test::programs;

/// How long a server may take until it answers.
const START: Duration = Duration::from_mins(1);
/// How many lines of a server's log an error shows.
const LOG_LINES: usize = 20;

/// A running server; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    /// Its engine.
    pub(crate) engine: Engine,
    /// The port on 127.0.0.1.
    pub(crate) port: u16,
    /// The superuser, who has a password.
    pub(crate) user: &'static str,
    /// The file that holds the password and nothing else.
    pub(crate) password_file: PathBuf,
    /// Its log, every statement included.
    pub(crate) log: PathBuf,
    /// The authority that signed its certificate; `None` when it has no TLS.
    pub(crate) ca: Option<PathBuf>,
    /// Its data folder.
    pub(crate) data: PathBuf,
    /// The folder of its programs.
    pub(crate) bin: PathBuf,
    /// Whom it runs as; `None` is ourselves.
    pub(crate) account: Option<Account>,
    /// The process, which ends with this value.
    pub(crate) process: Running,
}

/// How to start a server process, and where it says what is wrong.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// The program.
    pub(crate) program: &'a Path,
    /// Its arguments; never a password.
    pub(crate) arguments: Vec<String>,
    /// The server's own folder.
    pub(crate) folder: &'a Path,
    /// Where its stdout and stderr go.
    pub(crate) log: &'a Path,
    /// Whom it runs as; `None` is ourselves.
    pub(crate) account: Option<Account>,
    /// The signal that ends it at once.
    pub(crate) stop: Signal,
}

impl Launch<'_> {
    /// Starts the process and waits until `is_ready`; a server that ends before that is an error.
    pub(crate) fn start(&self, signals: &Signals, is_ready: &dyn Fn(u32) -> bool) -> anyhow::Result<Running> {
        let mut process = Running::start(&mut self.command()?, self.stop)?;
        mark(self.folder, process.pid())?;
        let deadline = Instant::now() + START;
        while !is_ready(process.pid()) {
            if let Some(signal) = signals.arrived() {
                return Err(Interrupted(signal).into());
            }
            if let Some(status) = process.ended()? {
                anyhow::bail!(
                    "{} ended with {status}:\n{}",
                    self.program.display(),
                    self.end_of_log()
                );
            }
            if Instant::now() > deadline {
                let waited = START.as_secs();
                anyhow::bail!(
                    "{} does not answer after {waited} s:\n{}",
                    self.program.display(),
                    self.end_of_log()
                );
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(process)
    }

    fn command(&self) -> anyhow::Result<Command> {
        // Should we be killed outright, the kernel ends the server: it is the one who sees our death.
        let mut command = match programs::find("setpriv") {
            Some(setpriv) => {
                let mut command = unprivileged(&setpriv, self.folder, self.account);
                command
                    .args(["--pdeathsig", self.stop.as_str(), "--"])
                    .arg(self.program);
                command
            }
            None => unprivileged(self.program, self.folder, self.account),
        };
        let log = File::options().create(true).append(true).open(self.log)?;
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }

    fn end_of_log(&self) -> String {
        let text = fs::read_to_string(self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(LOG_LINES)..)
            .unwrap_or_default()
            .join("\n")
    }
}

/// Returns a command that runs as `account` in `folder`, without our environment.
pub(crate) fn unprivileged(program: &Path, folder: &Path, account: Option<Account>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("LC_ALL", "C")
        .env("TMPDIR", folder)
        .current_dir(folder)
        .stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    if let Some(account) = account {
        account.apply_to(&mut command);
    }
    command
}

/// Tries to start a server, on another port each time: a free port may be taken before the server has it.
pub(crate) fn on_free_port<T>(start: impl Fn(u16) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let mut result = start(free_port()?);
    for _ in 0..2 {
        match result {
            Ok(_) => break,
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(_) => result = start(free_port()?),
        }
    }
    result
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")
        .context("there is no free port on 127.0.0.1")?
        .local_addr()?
        .port())
}

/// Returns a fresh password: 24 random bytes as hexadecimal digits.
pub(crate) fn random_password() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 24];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|d| char::from_digit(d.into(), 16))
        .collect())
}
