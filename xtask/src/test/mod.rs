//! `cargo xtask test` and `cargo xtask servers`: real servers, then whatever needs them.

mod environment;
mod install;
mod programs;
mod servers;
mod steps;

use std::io::IsTerminal as _;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::Context as _;

use self::servers::Servers;
use self::steps::{Outcome, Steps};
use crate::signals::Signals;
use crate::{process, say, workspace};

const NO_COMPONENT: &str = "not installed; install it with: rustup component add clippy rustfmt";

/// Runs every check and every test; with arguments only `cargo test` with these.
///
/// Returns the exit code of the tests, or 1 when only another step failed.
pub(crate) fn all(arguments: &[String], signals: &Signals) -> anyhow::Result<ExitCode> {
    let mut steps = Steps::default();
    if arguments.is_empty() {
        cargo_step(&mut steps, &["fmt", "--all", "--check"], signals)?;
        cargo_step(
            &mut steps,
            &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
            signals,
        )?;
    }
    let begun = Instant::now();
    let servers = Servers::start(signals)?;
    steps.engines(&servers, begun.elapsed());

    let begun = Instant::now();
    let status = process::run(&mut tests(arguments, &servers), signals)?;
    steps.add("cargo test", Outcome::of(status), begun.elapsed());
    drop(servers);
    Ok(steps.finish(steps::exit_code(status)))
}

/// Runs one command beside the servers; returns its exit code.
pub(crate) fn beside_servers(command: &[String], signals: &Signals) -> anyhow::Result<ExitCode> {
    let servers = Servers::start(signals)?;
    for skipped in &servers.skipped {
        say::line(&format!("servers: no {}: {}", skipped.engine, skipped.why));
    }
    let (program, arguments) = command.split_first().context("there is no command to run")?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(servers.running.iter().flat_map(environment::of));
    let status = if std::io::stdin().is_terminal() {
        process::run_in_foreground(&mut command, signals)?
    } else {
        process::run(&mut command, signals)?
    };
    Ok(steps::exit_code(status))
}

fn tests(arguments: &[String], servers: &Servers) -> Command {
    let mut command = cargo();
    command.args(["test", "--no-fail-fast"]);
    if !arguments
        .iter()
        .any(|argument| argument.starts_with("-p") || argument.starts_with("--package"))
    {
        command.arg("--workspace");
    }
    command
        .args(arguments)
        .envs(servers.running.iter().flat_map(environment::of));
    command
}

fn cargo_step(steps: &mut Steps, arguments: &[&str], signals: &Signals) -> anyhow::Result<()> {
    let name = format!("cargo {}", arguments.first().unwrap_or(&""));
    let begun = Instant::now();
    let outcome = if is_cargo_command(arguments) {
        say::line(&format!("xtask: {name}"));
        Outcome::of(process::run(cargo().args(arguments), signals)?)
    } else {
        Outcome::Skipped(NO_COMPONENT.to_owned())
    };
    steps.add(&name, outcome, begun.elapsed());
    Ok(())
}

/// Returns whether the toolchain has this command; a minimal one has neither clippy nor rustfmt.
fn is_cargo_command(arguments: &[&str]) -> bool {
    let mut command = cargo();
    command
        .args(arguments.first())
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().as_ref().is_ok_and(ExitStatus::success)
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root()).stdin(Stdio::null());
    command
}
