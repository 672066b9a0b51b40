//! The program that is measured: building it, starting it, reading its answer.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;

use crate::process::{self, Interrupted, Running};
use crate::signals::Signals;
use crate::test::servers::{Engine, Server};
use crate::{test, workspace};

/// How often we look whether it has ended: seldom, to leave the cores to it.
const LOOK: Duration = Duration::from_millis(20);

/// Where databases are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At<'a> {
    /// On a server.
    Server(&'a Server),
    /// On a server, reached with TLS.
    ServerWithTls(&'a Server),
    /// In files.
    Files,
}

/// What it answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer(HashMap<String, String>);

impl Answer {
    /// Returns a value; empty when there is none.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    /// Returns a value that is a number; 0 when there is none.
    pub(crate) fn number(&self, key: &str) -> u64 {
        self.text(key).parse().unwrap_or(0)
    }

    fn read(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Self(
            pairs
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        )
    }
}

/// The program, and the folder it works in.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    path: PathBuf,
    /// Registries, SQLite files, migrations.
    pub(crate) folder: &'a Path,
    /// What ends the bench.
    pub(crate) signals: &'a Signals,
}

impl<'a> Program<'a> {
    /// Builds it, optimised.
    pub(crate) fn build(folder: &'a Path, signals: &'a Signals) -> anyhow::Result<Self> {
        Ok(Self {
            path: release("measured", signals)?,
            folder,
            signals,
        })
    }

    /// Runs a task with `key=value` arguments and returns its answer; its failure is an error.
    pub(crate) fn run(&self, task: &str, at: At<'_>, arguments: &[String]) -> anyhow::Result<Answer> {
        self.run_beside(task, at, arguments, &mut || ())
    }

    /// Runs a task, and `beside` again and again while it runs.
    pub(crate) fn run_beside(
        &self,
        task: &str,
        at: At<'_>,
        arguments: &[String],
        beside: &mut dyn FnMut(),
    ) -> anyhow::Result<Answer> {
        let mut command = Command::new(&self.path);
        command
            .arg(task)
            .arg(format!("folder={}", self.folder.display()))
            .args(place(at)?)
            .args(arguments);
        self.answer_of(&mut command, task, beside)
    }

    /// Runs a whole command in `folder`, stdout and stderr into these files, and returns what it cost; `code` is its
    /// exit code. The first word is the program.
    pub(crate) fn command(
        &self,
        folder: &Path,
        [output, errors]: [&Path; 2],
        words: &[&OsStr],
    ) -> anyhow::Result<Answer> {
        let mut command = Command::new(&self.path);
        command.arg("command").args([folder, output, errors]).args(words);
        self.answer_of(&mut command, "command", &mut || ())
    }

    fn answer_of(
        &self,
        command: &mut Command,
        task: &str,
        beside: &mut dyn FnMut(),
    ) -> anyhow::Result<Answer> {
        let answer = self.folder.join("answer");
        command.stdin(Stdio::null()).stdout(File::create(&answer)?);
        let mut running = Running::start(command, Signal::SIGTERM)?;
        let status = loop {
            if let Some(status) = running.ended()? {
                break status;
            }
            if let Some(signal) = self.signals.arrived() {
                return Err(Interrupted(signal).into());
            }
            beside();
            thread::sleep(LOOK);
        };
        if !status.success() {
            bail!("measured {task} ended with {status}");
        }
        Ok(Answer::read(&fs::read_to_string(answer)?))
    }
}

/// Builds a program of the workspace as it is shipped, and returns where it is.
///
/// Both packages are built whichever is asked for: built one by one, they would compile their common
/// dependencies twice, with different features.
pub(crate) fn release(program: &str, signals: &Signals) -> anyhow::Result<PathBuf> {
    let mut cargo = test::cargo();
    cargo.args(["build", "--release", "--quiet"]);
    cargo.args(["--package", "measured", "--package", "tenantry-cli"]);
    let status = process::run(&mut cargo, signals)?;
    if !status.success() {
        bail!("cargo build ended with {status}");
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    Ok(workspace::root().join(target).join("release").join(program))
}

fn place(at: At<'_>) -> anyhow::Result<Vec<String>> {
    let (server, ca) = match at {
        At::Files => return Ok(vec!["engine=sqlite".to_owned()]),
        At::Server(server) => (server, None),
        At::ServerWithTls(server) => (server, Some(server.ca.as_ref().context("the server has no TLS")?)),
    };
    let engine = match server.engine {
        Engine::Postgres => "postgres",
        Engine::MariaDb => "mariadb",
    };
    let mut arguments = vec![
        format!("engine={engine}"),
        format!("port={}", server.port),
        format!("user={}", server.user),
        format!("password-file={}", server.password_file.display()),
    ];
    arguments.extend(ca.map(|ca| format!("ca={}", ca.display())));
    Ok(arguments)
}
