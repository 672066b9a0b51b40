//! `cargo xtask test` and `cargo xtask servers`: real servers, then whatever needs them.

pub(crate) mod environment;
mod install;
mod programs;
pub(crate) mod servers;
mod steps;

use std::io::IsTerminal as _;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::Context as _;

use self::servers::{Durability, Engine, Servers};
use self::steps::{Outcome, Steps};
use crate::signals::Signals;
use crate::{process, say, tidy, workspace};

const NO_COMPONENT: &str = "not installed; install it with: rustup component add clippy rustfmt";

/// Runs every check and every test; with arguments only `cargo test` with these.
///
/// Returns the exit code of the tests, or 1 when only another step failed.
pub(crate) fn all(arguments: &[String], signals: &Signals) -> anyhow::Result<ExitCode> {
    let mut steps = Steps::default();
    if arguments.is_empty() {
        checks(&mut steps, signals)?;
    }
    let begun = Instant::now();
    let servers = Servers::start(&Engine::ALL, Durability::Fast, signals)?;
    steps.engines(&servers, begun.elapsed());

    // Before the other tests, so that the binary that stays behind is the usual one.
    if arguments.is_empty() {
        let begun = Instant::now();
        let status = process::run(&mut faults(&servers), signals)?;
        steps.add("cargo test, with faults", Outcome::of(status), begun.elapsed());
    }
    let begun = Instant::now();
    let mut all = tests(arguments, &servers);
    if arguments.is_empty() {
        all.args(["--", "--skip", UNDER_FIRE]);
    }
    let status = process::run(&mut all, signals)?;
    steps.add("cargo test", Outcome::of(status), begun.elapsed());
    if arguments.is_empty() {
        for (name, mut command) in [
            ("cargo test, under fire", under_fire(&servers)),
            ("cargo test, alone", alone(&servers)),
        ] {
            let begun = Instant::now();
            let status = process::run(&mut command, signals)?;
            steps.add(name, Outcome::of(status), begun.elapsed());
        }
    }
    drop(servers);
    Ok(steps.finish(steps::exit_code(status)))
}

fn checks(steps: &mut Steps, signals: &Signals) -> anyhow::Result<()> {
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    let clippy_with_faults = [
        "clippy",
        "--package=tenantry",
        "--package=tenantry-cli",
        "--all-targets",
        "--features=tenantry-cli/faults",
        "--",
        "-D",
        "warnings",
    ];
    cargo_step(steps, &["fmt", "--all", "--check"], signals)?;
    cargo_step(steps, &clippy, signals)?;
    cargo_step(steps, &clippy_with_faults, signals)?;
    let begun = Instant::now();
    say::line("xtask: tidy");
    let outcome = if tidy::run()? == ExitCode::SUCCESS {
        Outcome::Passed
    } else {
        Outcome::Failed
    };
    steps.add("tidy", outcome, begun.elapsed());
    Ok(())
}

/// Runs one command beside the servers; returns its exit code.
pub(crate) fn beside_servers(command: &[String], signals: &Signals) -> anyhow::Result<ExitCode> {
    let servers = Servers::start(&Engine::ALL, Durability::Fast, signals)?;
    for skipped in &servers.skipped {
        say::line(&format!("servers: no {}: {}", skipped.what, skipped.why));
    }
    let (program, arguments) = command.split_first().context("there is no command to run")?;
    let mut command = Command::new(program);
    command.args(arguments).envs(environment::of(&servers));
    let status = if std::io::stdin().is_terminal() {
        process::run_in_foreground(&mut command, signals)?
    } else {
        process::run(&mut command, signals)?
    };
    Ok(steps::exit_code(status))
}

/// The build in which deployers die at every step, and in which defects are seeded that must be caught.
fn faults(servers: &Servers) -> Command {
    let mut command = cargo();
    command
        .args([
            "test",
            "--package=tenantry-cli",
            "--features=faults",
            "--test=faults",
        ])
        .envs(environment::of(servers));
    command
}

/// The tests that need the machine for themselves: others beside them would miss their times.
const UNDER_FIRE: &str = "kill::";

/// Those of them that measure, or have a whole server stand on a disk: nothing at all beside them.
const ALONE: [&str; 2] = ["kill::disk::", "kill::queue::"];

fn under_fire(servers: &Servers) -> Command {
    let mut command = cargo();
    command
        .args(["test", "--workspace", "--test=cli", "--", UNDER_FIRE])
        .args(ALONE.iter().flat_map(|name| ["--skip", name]))
        .envs(environment::of(servers));
    command
}

fn alone(servers: &Servers) -> Command {
    let mut command = cargo();
    command
        .args(["test", "--workspace", "--test=cli", "--", "--test-threads=1"])
        .args(ALONE)
        .envs(environment::of(servers));
    command
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
    command.args(arguments).envs(environment::of(servers));
    command
}

fn cargo_step(steps: &mut Steps, arguments: &[&str], signals: &Signals) -> anyhow::Result<()> {
    let with = if arguments.iter().any(|word| word.starts_with("--features")) {
        ", with faults"
    } else {
        ""
    };
    let name = format!("cargo {}{with}", arguments.first().unwrap_or(&""));
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

/// Returns the cargo that started us, in the workspace's folder.
///
/// It does not inherit what cargo told us about our own package: build scripts that watch those variables
/// (that of ring does) would run again, and all that depends on them be compiled again, each time that
/// cargo is called from here after having been called by hand.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root()).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_about_our_package) {
            command.env_remove(name);
        }
    }
    command
}

fn is_about_our_package(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_"]
        .iter()
        .any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_told_where_things_are_and_nothing_about_our_package() {
        assert!(is_about_our_package("CARGO_MANIFEST_DIR"));
        assert!(is_about_our_package("CARGO_PKG_VERSION"));
        assert!(!is_about_our_package("CARGO_TARGET_DIR"));
        assert!(!is_about_our_package("CARGO_HOME"));
    }
}
