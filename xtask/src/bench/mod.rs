//! `cargo xtask bench`: ours against the floor, in one run, alternating.
//!
//! What is measured is a program of its own, `xtask/measured`, one process for one run over one set of
//! databases: so its time, CPU time and peak memory are that run's. It is a package of its own because it
//! needs the library and the drivers, which no other task waits for.

mod arguments;
mod engine;
mod import;
mod keys;
mod many;
mod migrations;
mod noop;
mod program;
mod project;
mod recording;
mod samples;
mod scale;
mod start;
mod status;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;

use self::arguments::{Arguments, Subject};
use self::engine::Contest;
use self::migrations::Migrations;
use self::program::{At, Program};
use self::scale::Scale;
use crate::say;
use crate::signals::Signals;
use crate::test::servers::{Durability, Engine, Server, Servers};

/// Measures what was asked for. Its exit code is 0 whatever the figures are: they say more on a quiet
/// machine, and a test that depends on time is no test.
pub(crate) fn run(given: &[String], signals: &Signals) -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse(given)?;
    let folder = tempfile::Builder::new().prefix("tenantry-bench-").tempdir()?;
    let migrations = Migrations::copy_to(&folder.path().join("migrations"))?;
    say::line("bench: builds what is measured");
    let program = Program::build(folder.path(), signals)?;
    let servers = Servers::start(&arguments.engines(), Durability::Durable, signals)?;
    for skipped in &servers.skipped {
        say::line(&format!("bench: no {}: {}", skipped.what, skipped.why));
    }
    machine(folder.path());
    let scale = Scale {
        program: &program,
        migrations: &migrations,
        arguments: &arguments,
    };
    for subject in &arguments.subjects {
        match subject {
            Subject::Server(engine) => {
                if let Some(server) = of(&servers, *engine) {
                    contest(&scale, At::Server(server))?;
                }
            }
            Subject::Sqlite => contest(&scale, At::Files)?,
            Subject::Start => start::start(signals)?,
            Subject::Memory => {
                if let Some(server) = of(&servers, Engine::Postgres) {
                    scale.postgres(server)?;
                }
            }
            Subject::Growth => {}
            Subject::Status => status::status(&scale, &servers.running)?,
            Subject::Keys => keys::keys(&scale, &servers.running)?,
            Subject::Recording => recording::recording(&scale, of(&servers, Engine::Postgres))?,
            Subject::Import => import::import(&scale, of(&servers, Engine::Postgres))?,
            Subject::Many => many::many(&scale)?,
            Subject::Noop => noop::noop(&scale, of(&servers, arguments.engine))?,
        }
    }
    if scale::needs_files(&arguments) {
        scale.sqlite()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn contest(scale: &Scale<'_>, at: At<'_>) -> anyhow::Result<()> {
    let contest = Contest {
        program: scale.program,
        migrations: scale.migrations,
        arguments: scale.arguments,
        at,
    };
    contest.hold()
}

fn of(servers: &Servers, engine: Engine) -> Option<&Server> {
    servers.running.iter().find(|server| server.engine == engine)
}

/// Lets server and system write out what creating databases left in memory, so that no run pays for it.
///
/// Not between runs: a checkpoint over hundreds of databases takes minutes, and the server is set up so that
/// none begins by itself.
fn settle(program: &Program<'_>, at: At<'_>) -> anyhow::Result<()> {
    say::line("bench: lets the server write everything out");
    program.run("settle", at, &[])?;
    Command::new("sync").status()?;
    Ok(())
}

/// Prints what the machine is and how busy, for whoever compares figures.
fn machine(folder: &Path) {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next().unwrap_or("unknown");
    let files = Command::new("stat").args(["-f", "-c", "%T"]).arg(folder).output();
    let files = files.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    say::answer(&format!(
        "{cores} cores, {model}; load {load}; databases on {}; loopback",
        files.unwrap_or_default()
    ));
}
