//! Big runs: the most memory they hold, and whether time per database grows with their number.

use std::path::Path;

use super::arguments::{Arguments, Subject};
use super::migrations::{self, LARGE_MIB, Migrations};
use super::program::{Answer, At, Program};
use super::samples::{Sample, Samples};
use super::settle;
use crate::say;
use crate::test::servers::Server;

const MANY_POSTGRES: usize = 1_000;
const MANY_SQLITE: usize = 10_000;
const FEW_SQLITE: usize = 100;
const POSTGRES_GOAL_MIB: f64 = 32.0;
const SQLITE_GOAL_MIB: f64 = 128.0;
/// What a big file may cost beyond itself, here and in a backend of the server.
const FILE_GOAL_MIB: f64 = 64.0;
const STATUS_GOAL_MS: f64 = 300.0;

/// What is measured at scale.
pub(super) struct Scale<'a> {
    pub(super) program: &'a Program<'a>,
    pub(super) migrations: &'a Migrations,
    pub(super) arguments: &'a Arguments,
}

impl Scale<'_> {
    /// Time per file over few and over many SQLite files, and the memory and registry of the many.
    pub(super) fn sqlite(&self) -> anyhow::Result<()> {
        let many = self.arguments.databases_or(MANY_SQLITE);
        say::answer(&format!(
            "\nScale on SQLite, {} at once, fresh",
            self.arguments.concurrency
        ));
        let mut small = Samples::new(FEW_SQLITE);
        for run in 0..self.arguments.runs {
            let (sample, _) = self.fresh(
                At::Files,
                &format!("few-files{run}"),
                FEW_SQLITE,
                &self.migrations.ten,
            )?;
            small.push(sample);
        }
        let (sample, _) = self.fresh(At::Files, "many-files", many, &self.migrations.ten)?;
        let mut large = Samples::new(many);
        large.push(sample);
        say::answer(&format!(
            "growth: {:.3} ms per file over {FEW_SQLITE} (median of {}), {:.3} over {many}: {:.2} times",
            small.wall_ms(),
            self.arguments.runs,
            large.wall_ms(),
            large.wall_ms() / small.wall_ms(),
        ));
        verdict(
            &format!("peak memory, {many} files in one run"),
            large.peak_mib(),
            SQLITE_GOAL_MIB,
            "MiB",
        );
        let status = self
            .program
            .run("status", At::Files, &["set=many-files".to_owned()])?;
        let took = Sample::of(&status).wall_ms();
        verdict(
            &format!("registry status, {many} tenants"),
            took,
            STATUS_GOAL_MS,
            "ms",
        );
        Ok(())
    }

    /// The memory of a run over many PostgreSQL databases, and of a big file, here and on the server.
    pub(super) fn postgres(&self, server: &Server) -> anyhow::Result<()> {
        let at = At::Server(server);
        let many = self.arguments.databases_or(MANY_POSTGRES);
        say::answer(&format!(
            "\nMemory on PostgreSQL, {} at once, fresh",
            self.arguments.concurrency
        ));
        let (sample, _) = self.fresh(at, "many", many, &self.migrations.ten)?;
        verdict(
            &format!("peak memory, {many} databases in one run"),
            sample.peak_mib(),
            POSTGRES_GOAL_MIB,
            "MiB",
        );

        let track = migrations::large(self.program.folder)?;
        let (_, before) = self.fresh(at, "small-file", 1, &self.migrations.ten)?;
        let (sample, after) = self.fresh(at, "large-file", 1, &track)?;
        let file = f64::from(u32::try_from(LARGE_MIB)?);
        verdict(
            &format!("peak memory, a file of {LARGE_MIB} MiB"),
            sample.peak_mib(),
            file + FILE_GOAL_MIB,
            "MiB",
        );
        let grown = after - before;
        verdict(
            "the server's largest backend, more than with small files",
            grown,
            FILE_GOAL_MIB,
            "MiB",
        );
        Ok(())
    }

    /// Creates a set of ours and migrates it; returns the run and the private memory of the largest backend.
    fn fresh(&self, at: At<'_>, set: &str, databases: usize, track: &Path) -> anyhow::Result<(Sample, f64)> {
        let arguments = [
            "who=ours".to_owned(),
            "scenario=fresh".to_owned(),
            format!("set={set}"),
            format!("databases={databases}"),
            format!("concurrency={}", self.arguments.concurrency),
            format!("migrations={}", track.display()),
        ];
        say::line(&format!("bench: creates {databases} databases"));
        self.program.run("create", at, &arguments)?;
        settle(self.program, at)?;
        let mut most = 0;
        let mut look = || {
            if let At::Server(server) = at {
                most = most.max(largest_child_kib(server.process.pid()));
            }
        };
        let answer: Answer = self.program.run_beside("run", at, &arguments, &mut look)?;
        Ok((Sample::of(&answer), f64::from(u32::try_from(most)?) / 1024.0))
    }
}

/// Returns whether the big SQLite run has to be made.
pub(super) fn needs_files(arguments: &Arguments) -> bool {
    let subjects = [Subject::Memory, Subject::Growth];
    subjects
        .iter()
        .any(|subject| arguments.subjects.contains(subject))
}

/// Returns the private memory of the process's child that has most of it, in KiB; 0 if there is none.
/// Memory that children share with the server, its buffers, does not count.
fn largest_child_kib(parent: u32) -> u64 {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let children = children.unwrap_or_default();
    children
        .split_whitespace()
        .filter_map(private_kib)
        .max()
        .unwrap_or(0)
}

fn private_kib(pid: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Prints a figure beside its goal.
pub(super) fn verdict(what: &str, value: f64, goal: f64, unit: &str) {
    let word = if value <= goal { "ok" } else { "NO" };
    say::answer(&format!("{what}: {value:.1} {unit}; goal {goal} {word}"));
}
