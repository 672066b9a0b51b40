//! What was done, how it went and how long it took: the summary at the end of `cargo xtask test`.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use super::servers::Servers;
use crate::say;

/// How a step went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As it should.
    Passed,
    /// It found something.
    Failed,
    /// It did not run, and why.
    Skipped(String),
}

impl Outcome {
    /// Returns the outcome of a command.
    pub(crate) fn of(status: ExitStatus) -> Self {
        if status.success() {
            Self::Passed
        } else {
            Self::Failed
        }
    }
}

/// The steps so far.
#[derive(Debug)]
pub(crate) struct Steps {
    begun: Instant,
    done: Vec<(String, Outcome, Duration)>,
}

impl Default for Steps {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            done: Vec::new(),
        }
    }
}

impl Steps {
    /// Notes a step.
    pub(crate) fn add(&mut self, name: &str, outcome: Outcome, took: Duration) {
        self.done.push((name.to_owned(), outcome, took));
    }

    /// Notes which servers and poolers run and what is skipped.
    pub(crate) fn engines(&mut self, servers: &Servers, took: Duration) {
        for server in &servers.running {
            let tls = if server.ca.is_some() {
                ""
            } else {
                ", without TLS: there is no openssl program"
            };
            let name = format!("{} on 127.0.0.1:{}{tls}", server.engine, server.port);
            self.add(&name, Outcome::Passed, took);
        }
        for pooler in &servers.poolers {
            let name = format!("PgBouncer `{}` on 127.0.0.1:{}", pooler.name, pooler.port);
            self.add(&name, Outcome::Passed, took);
        }
        for skipped in &servers.skipped {
            self.add(
                &skipped.what.to_string(),
                Outcome::Skipped(skipped.why.clone()),
                took,
            );
        }
    }

    /// Prints the summary; returns `tests` unless those passed and something else did not.
    ///
    /// Where CI=true, what is skipped has failed.
    pub(crate) fn finish(self, tests: ExitCode) -> ExitCode {
        let skip_fails = std::env::var_os("CI").is_some_and(|value| value == "true");
        say::line("");
        for (name, outcome, took) in &self.done {
            let seconds = took.as_secs_f64();
            match outcome {
                Outcome::Passed => say::line(&format!("  passed   {seconds:>7.1} s  {name}")),
                Outcome::Failed => say::line(&format!("  FAILED   {seconds:>7.1} s  {name}")),
                Outcome::Skipped(why) => say::line(&format!("  SKIPPED              {name}: {why}")),
            }
        }
        say::line(&format!(
            "  all in   {:>7.1} s",
            self.begun.elapsed().as_secs_f64()
        ));
        let is_failure = |outcome: &Outcome| match outcome {
            Outcome::Passed => false,
            Outcome::Failed => true,
            Outcome::Skipped(_) => skip_fails,
        };
        let has_failed = self.done.iter().any(|(_, outcome, _)| is_failure(outcome));
        if tests == ExitCode::SUCCESS && has_failed {
            ExitCode::FAILURE
        } else {
            tests
        }
    }
}

/// Returns the exit code of a command, or 128 plus the signal that ended it.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
