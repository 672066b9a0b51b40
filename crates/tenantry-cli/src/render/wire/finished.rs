//! How a run ended, as JSON.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use tenantry::engine::Recorded;
use tenantry::run::{Cause, Outcome, RunReport, TargetReport};

use super::{Target, millis};
use crate::render::failure::groups;
use crate::render::summary::help;
use crate::render::{Ending, Invocation, Told, text};

/// How a run ended: the last line of a stream, and all of `--json`.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "run.finished")]
pub(crate) struct Finished<'a> {
    /// Left out where there was nothing to run.
    #[serde(skip_serializing_if = "String::is_empty")]
    run: String,
    status: &'static str,
    /// Why it ended early; left out if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    exit_code: u8,
    ok: usize,
    applied: usize,
    current: usize,
    failed: usize,
    skipped: usize,
    not_run: usize,
    elapsed_ms: u64,
    failures: Vec<Failures>,
    /// What an earlier attempt had left half-way, and was brought to its end; left out if there was nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    taken_up: Vec<TakenUp>,
    /// What may not do what its author thinks, in the files that were to run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Told>,
    help: Vec<String>,
    /// What the registry does not have of the run; left out if it has everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    unrecorded: Option<Missing>,
    /// The targets that are not where they should be; only with `--json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    targets: Option<Others<'a>>,
}

/// Targets, each of which is converted when it is written: there may be very many.
#[derive(Debug)]
struct Others<'a>(Cow<'a, [TargetReport]>);

impl Serialize for Others<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let others = self.0.iter().filter(|target| !target.outcome.is_success());
        to.collect_seq(others.map(Target::of))
    }
}

/// Targets that failed in the same way.
#[derive(Debug, Serialize)]
struct Failures {
    code: String,
    title: String,
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    /// The first of them.
    targets: Vec<String>,
    /// How many there are besides.
    more: usize,
}

/// How many targets of a failure are named; each has an event of its own.
const NAMED: usize = 5;

/// A migration that was found half-way.
#[derive(Debug, Serialize)]
struct TakenUp {
    target: String,
    track: String,
    version: String,
    how: &'static str,
}

impl TakenUp {
    fn all(report: &RunReport) -> Vec<Self> {
        let of = |target: &TargetReport, recorded: &Recorded| {
            Some(Self {
                target: target.label.clone(),
                track: target.track.to_string(),
                version: recorded.version.to_string(),
                how: recorded.taken_up?.as_str(),
            })
        };
        let targets = report.targets.iter();
        let all = targets.flat_map(|target| target.migrations.iter().filter_map(move |one| of(target, one)));
        all.collect()
    }
}

/// Outcomes that the registry did not take.
#[derive(Debug, Serialize)]
struct Missing {
    outcomes: usize,
    code: String,
    reason: String,
}

impl<'a> Finished<'a> {
    /// Converts the end of a run.
    pub(crate) fn of(ending: &Ending<'_>, invocation: &Invocation) -> Self {
        let (report, exit) = (ending.report, ending.exit);
        let failures = groups(report).into_iter().map(|group| Failures {
            code: group.failure.code.to_string(),
            title: group.short(),
            count: group.targets.len(),
            file: group.failure.file.as_ref().map(|file| text::path(file)),
            line: group.failure.place.map(|place| place.line),
            targets: group.labels().take(NAMED).map(str::to_owned).collect(),
            more: group.targets.len().saturating_sub(NAMED),
        });
        let help = help(ending);
        let help = help.iter().map(|line| invocation.fill(line)).collect();
        Self {
            run: report.run_id.clone(),
            status: report.status.as_str(),
            cause: report.cause.as_ref().map(Cause::word),
            exit_code: exit.code(),
            ok: report.success().count(),
            applied: report.count(Outcome::Applied),
            current: report.count(Outcome::Current),
            failed: report.failed().count(),
            skipped: report.count(Outcome::Skipped),
            not_run: report.not_run().count(),
            elapsed_ms: millis(report.duration),
            failures: failures.collect(),
            taken_up: TakenUp::all(report),
            warnings: ending.warnings.to_vec(),
            help,
            unrecorded: report.unrecorded.as_ref().map(|unrecorded| Missing {
                outcomes: unrecorded.outcomes,
                code: unrecorded.code.to_string(),
                reason: unrecorded.reason.clone(),
            }),
            targets: None,
        }
    }

    /// Adds those of the run's targets that are not where they should be.
    pub(crate) fn with_targets(self, all: impl Into<Cow<'a, [TargetReport]>>) -> Self {
        Self {
            targets: Some(Others(all.into())),
            ..self
        }
    }
}
