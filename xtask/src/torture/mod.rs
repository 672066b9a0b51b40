//! `cargo xtask torture`: the whole of what `cargo xtask test` does a share of, with one table at the end.
//!
//! The rows themselves are tests of the command; each prints a line when it has come to its end, in the form that
//! `table.rs` reads.

mod arguments;
mod table;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Context as _;

use self::arguments::{Arguments, Program, Row};
use self::table::Table;
use crate::process;
use crate::say;
use crate::signals::Signals;
use crate::test::servers::{Durability, Engine, Servers};
use crate::test::{cargo, environment};
use crate::workspace;

/// Does what was asked for, prints the table, and returns 1 when something was violated or, where CI=true, skipped.
pub(crate) fn run(given: &[String], signals: &Signals) -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse(given)?;
    say::line("torture: builds the tests");
    for program in Program::ALL {
        if arguments.rows.iter().any(|row| row.program == program) {
            let built = process::run(test(program).arg("--no-run"), signals)?;
            anyhow::ensure!(built.success(), "the tests cannot be built");
        }
    }
    let servers = Servers::start(&Engine::ALL, Durability::Fast, signals)?;
    for skipped in &servers.skipped {
        say::line(&format!("torture: no {}: {}", skipped.what, skipped.why));
    }
    let folder = workspace::root().join("target/torture");
    fs::create_dir_all(&folder)?;
    let mut table = Table::default();
    for row in &arguments.rows {
        table.add(row.name, &carry_out(row, &arguments, &servers, signals, &folder)?);
    }
    say::answer(&table.to_string());
    let skip_fails = std::env::var_os("CI").is_some_and(|value| value == "true");
    let is_bad = table.has_violations() || (skip_fails && table.has_skips());
    Ok(if is_bad {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Runs the tests of one row; returns what they printed, which is also kept in the folder.
fn carry_out(
    row: &Row,
    arguments: &Arguments,
    servers: &Servers,
    signals: &Signals,
    folder: &Path,
) -> anyhow::Result<String> {
    let begun = Instant::now();
    let log = folder.join(format!("{}.log", row.name));
    say::line(&format!(
        "torture: {}: {}; it says more in {}",
        row.name,
        row.what,
        log.display()
    ));
    let said = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut command = test(row.program);
    command
        .args(["--", "--nocapture", "--test-threads", row.at_once])
        .args(row.filters)
        .env("TENANTRY_TORTURE", arguments.how_often())
        .envs(environment::of(servers))
        .stdout(said.try_clone()?)
        .stderr(said);
    if let Some(seed) = arguments.seed {
        command.env("TENANTRY_TEST_SEED", seed.to_string());
    }
    let status = process::run(&mut command, signals)?;
    let mut said = lossy(&log)?;
    if !status.success() {
        said.push_str("torture failed\n");
    }
    say::line(&format!(
        "torture: {}: {} after {:.1} s",
        row.name,
        if status.success() { "good" } else { "VIOLATED" },
        begun.elapsed().as_secs_f64()
    ));
    Ok(said)
}

fn lossy(log: &PathBuf) -> anyhow::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(log)?).into_owned())
}

/// Returns a program of the command's tests.
fn test(program: Program) -> Command {
    let mut command = cargo();
    command.args(["test", "--quiet", "--package", "tenantry-cli"]);
    command.args(match program {
        Program::Cli => &["--test", "cli"][..],
        Program::Faults => &["--features", "faults", "--test", "faults"],
    });
    command
}
