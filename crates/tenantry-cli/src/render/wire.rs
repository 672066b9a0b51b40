//! Events and reports as JSON: the fields that scripts rely on.

use serde::Serialize;
use tenantry::engine::StateAfter;
use tenantry::run::{Failure, Outcome, RunEvent, RunReport, TargetReport};

use super::failure::{groups, short};
use super::tally::Tally;
use super::text;
use crate::clock::Utc;
use crate::exit::Exit;

/// The version of these fields; it grows when one changes its meaning.
const UI: &str = "1.0";

/// A number of a stream and the event that has it.
#[derive(Debug, Serialize)]
pub(crate) struct Numbered<'a, T> {
    pub(crate) seq: u64,
    pub(crate) ts: String,
    #[serde(flatten)]
    pub(crate) event: &'a T,
}

impl<'a, T> Numbered<'a, T> {
    /// Numbers an event that happened now.
    pub(crate) fn now(seq: u64, event: &'a T) -> Self {
        let ts = Utc::now().rfc3339();
        Self { seq, ts, event }
    }
}

/// The first line of a stream.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "version")]
pub(crate) struct VersionLine {
    ui: &'static str,
    tenantry: &'static str,
}

impl VersionLine {
    /// Returns the line of this build.
    pub(crate) fn new() -> Self {
        Self {
            ui: UI,
            tenantry: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// An event of a stream.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
pub(crate) enum Event {
    /// The run begins.
    #[serde(rename = "run.started")]
    RunStarted {
        run: String,
        targets: usize,
        concurrency: usize,
    },
    /// How far it is.
    #[serde(rename = "run.progress")]
    Progress {
        done: usize,
        total: usize,
        failed: usize,
        running: usize,
        eta_s: Option<u64>,
    },
    /// A target begins.
    #[serde(rename = "target.started")]
    TargetStarted { target: String, track: String },
    /// A target is tried again.
    #[serde(rename = "target.retrying")]
    Retrying {
        target: String,
        code: String,
        reason: String,
        pause_ms: u64,
    },
    /// A target has ended.
    #[serde(rename = "target.finished")]
    TargetFinished(Box<Target>),
    /// A migration begins.
    #[serde(rename = "migration.started")]
    MigrationStarted {
        target: String,
        track: String,
        migration: String,
    },
    /// A migration was carried out.
    #[serde(rename = "migration.finished")]
    MigrationFinished {
        target: String,
        track: String,
        version: String,
        duration_ms: u64,
    },
}

impl Event {
    /// Converts an event of the library; `None` for one that this version does not show.
    pub(crate) fn of(event: &RunEvent) -> Option<Self> {
        Some(match event {
            RunEvent::Started {
                run_id,
                targets,
                concurrency,
            } => Self::RunStarted {
                run: run_id.clone(),
                targets: *targets,
                concurrency: *concurrency,
            },
            RunEvent::TargetStarted { label, track } => Self::TargetStarted {
                target: label.clone(),
                track: track.to_string(),
            },
            RunEvent::MigrationStarted {
                label,
                track,
                migration,
            } => Self::MigrationStarted {
                target: label.clone(),
                track: track.to_string(),
                migration: migration.clone(),
            },
            RunEvent::MigrationFinished {
                label,
                track,
                version,
                duration_ms,
            } => Self::MigrationFinished {
                target: label.clone(),
                track: track.to_string(),
                version: version.to_string(),
                duration_ms: *duration_ms,
            },
            RunEvent::Retrying {
                label,
                code,
                reason,
                pause,
            } => Self::Retrying {
                target: label.clone(),
                code: code.to_string(),
                reason: reason.clone(),
                pause_ms: millis(*pause),
            },
            RunEvent::TargetFinished(target) => Self::TargetFinished(Box::new(Target::of(target))),
            _ => return None,
        })
    }

    /// Says how far a run is.
    pub(crate) fn progress(tally: &Tally, now: std::time::Instant) -> Self {
        Self::Progress {
            done: tally.done,
            total: tally.total,
            failed: tally.failed,
            running: tally.running.len(),
            eta_s: tally.left(now).map(|left| left.as_secs()),
        }
    }
}

/// What became of a target.
#[derive(Debug, Serialize)]
pub(crate) struct Target {
    #[serde(rename = "target")]
    label: String,
    tenant: Option<String>,
    track: String,
    server: Option<String>,
    database: String,
    status: &'static str,
    from: Option<String>,
    to: Option<String>,
    migrations: Vec<String>,
    attempts: usize,
    duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Error>,
}

impl Target {
    /// Converts a target's report.
    pub(crate) fn of(target: &TargetReport) -> Self {
        let version = |version: &tenantry::migration::Version| version.to_string();
        Self {
            label: target.label.clone(),
            tenant: target.owner.as_ref().map(|owner| owner.slug.to_string()),
            track: target.track.to_string(),
            server: target.server.as_ref().map(ToString::to_string),
            database: target.database.clone(),
            status: target.outcome.as_str(),
            from: target.from.as_ref().map(version),
            to: target.to.as_ref().map(version),
            migrations: target.migrations.iter().map(|m| version(&m.version)).collect(),
            attempts: target.attempts,
            duration_ms: millis(target.duration),
            error: target.failure.as_ref().map(Error::of),
        }
    }
}

/// Why a target is not where it should be.
#[derive(Debug, Serialize)]
struct Error {
    code: String,
    title: String,
    message: String,
    migration: Option<String>,
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    statement: Option<usize>,
    statements: Option<usize>,
    database_code: Option<String>,
    database_message: Option<String>,
    state_after: &'static str,
    statements_in_place: Option<usize>,
}

impl Error {
    fn of(failure: &Failure) -> Self {
        let (state_after, statements_in_place) = match failure.state {
            StateAfter::RolledBack => ("rolled_back", None),
            StateAfter::HalfWay { done } => ("half_way", Some(done)),
            StateAfter::Ambiguous => ("ambiguous", None),
            StateAfter::Unknown => ("unknown", None),
        };
        Self {
            code: failure.code.to_string(),
            title: short(failure),
            message: failure.what.clone(),
            migration: failure.migration.clone(),
            file: failure.file.as_ref().map(|file| text::path(file)),
            line: failure.place.map(|place| place.line),
            column: failure.place.map(|place| place.column),
            statement: failure.statement.map(|(statement, _)| statement),
            statements: failure.statement.map(|(_, statements)| statements),
            database_code: failure.database.as_ref().map(|error| error.code.clone()),
            database_message: failure.database.as_ref().map(|error| error.message.clone()),
            state_after,
            statements_in_place,
        }
    }
}

/// How a run ended: the last line of a stream, and all of `--json`.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "run.finished")]
pub(crate) struct Finished {
    run: String,
    status: &'static str,
    exit_code: u8,
    ok: usize,
    applied: usize,
    current: usize,
    failed: usize,
    skipped: usize,
    not_run: usize,
    elapsed_ms: u64,
    failures: Vec<Failures>,
    help: Vec<String>,
    /// The targets that are not where they should be; only with `--json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    targets: Option<Vec<Target>>,
}

/// Targets that failed in the same way.
#[derive(Debug, Serialize)]
struct Failures {
    code: String,
    title: String,
    count: usize,
    targets: Vec<String>,
}

impl Finished {
    /// Converts a report.
    pub(crate) fn of(report: &RunReport, exit: Exit) -> Self {
        let failures = groups(report).into_iter().map(|group| Failures {
            code: group.failure.code.to_string(),
            title: short(group.failure),
            count: group.targets.len(),
            targets: group.labels().map(str::to_owned).collect(),
        });
        let help = if matches!(exit, Exit::Done | Exit::Empty) {
            Vec::new()
        } else {
            vec![format!("tenantry migrate resume {}", report.run_id)]
        };
        Self {
            run: report.run_id.clone(),
            status: report.status.as_str(),
            exit_code: exit.code(),
            ok: report.success().count(),
            applied: report.count(Outcome::Applied),
            current: report.count(Outcome::Current),
            failed: report.failed().count(),
            skipped: report.count(Outcome::Skipped),
            not_run: report.not_run().count(),
            elapsed_ms: millis(report.duration),
            failures: failures.collect(),
            help,
            targets: None,
        }
    }

    /// Adds the targets that are not where they should be.
    pub(crate) fn with_targets(mut self, report: &RunReport) -> Self {
        let others = report
            .targets
            .iter()
            .filter(|target| !target.outcome.is_success());
        self.targets = Some(others.map(Target::of).collect());
        self
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
