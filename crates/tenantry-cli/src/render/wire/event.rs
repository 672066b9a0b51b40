//! The events of a run as JSON.

use serde::Serialize;
use tenantry::engine::TakenUp;
use tenantry::run::RunEvent;

use super::{Target, millis};
use crate::clock::Utc;
use crate::render::tally::Tally;

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
    /// A database is made on its server, or what is there of it is continued.
    #[serde(rename = "database.creating")]
    DatabaseCreating {
        target: String,
        database: String,
        server: String,
    },
    /// What a creation is at, and for how long.
    #[serde(rename = "creation.progress")]
    CreationProgress {
        target: String,
        step: String,
        elapsed_ms: u64,
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
    /// A statement waits for somebody's lock, as long as it takes.
    #[serde(rename = "target.waiting")]
    Waiting { target: String, reason: String },
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
        #[serde(skip_serializing_if = "Option::is_none")]
        taken_up: Option<&'static str>,
    },
}

impl Event {
    /// Converts an event of the library; `None` for one that this version does not show.
    pub(crate) fn of(event: &RunEvent) -> Option<Self> {
        Some(match event {
            RunEvent::Started(start) => Self::RunStarted {
                run: start.run_id.clone(),
                targets: start.targets,
                concurrency: start.concurrency,
            },
            RunEvent::TargetStarted(begun) => Self::TargetStarted {
                target: begun.label.clone(),
                track: begun.track.to_string(),
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
                taken_up,
            } => Self::MigrationFinished {
                target: label.clone(),
                track: track.to_string(),
                version: version.to_string(),
                duration_ms: *duration_ms,
                taken_up: taken_up.map(TakenUp::as_str),
            },
            RunEvent::Waiting { label, reason } => Self::Waiting {
                target: label.clone(),
                reason: reason.clone(),
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
            RunEvent::Attached { .. }
            | RunEvent::TakenOver { .. }
            | RunEvent::WaveStarted { .. }
            | RunEvent::WaveFinished { .. }
            | RunEvent::Slow { .. }
            | RunEvent::PutBack { .. }
            | RunEvent::RegistryAway { .. }
            | RunEvent::RegistryBack
            | _ => return None,
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
