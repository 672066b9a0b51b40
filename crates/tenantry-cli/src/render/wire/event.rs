//! The events of a run as JSON.

use serde::Serialize;
use tenantry::engine::TakenUp;
use tenantry::run::{RunEvent, RunReport, Then};

use super::started::Started;
use super::{Target, millis};
use crate::clock::Utc;
use crate::render::again::{Again, Turn};
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
    RunStarted(Box<Started>),
    /// Another process drives the run.
    #[serde(rename = "run.attached")]
    Attached { run: String, driver: String },
    /// This process drives the run from now on.
    #[serde(rename = "run.taken_over")]
    TakenOver { run: String, from: String },
    /// The run waits for somebody who lets it go on.
    #[serde(rename = "run.paused")]
    Paused {
        run: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
        not_run: usize,
    },
    /// A wave begins.
    #[serde(rename = "wave.started")]
    WaveStarted {
        wave: String,
        index: usize,
        targets: usize,
    },
    /// A wave has ended.
    #[serde(rename = "wave.finished")]
    WaveFinished {
        wave: String,
        index: usize,
        soak_ms: u64,
        then: &'static str,
    },
    /// The registry does not answer.
    #[serde(rename = "registry.away")]
    RegistryAway { reason: String },
    /// It answers again.
    #[serde(rename = "registry.back")]
    RegistryBack {},
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
        rate_per_s: f64,
        eta_s: Option<u64>,
    },
    /// A target begins.
    #[serde(rename = "target.started")]
    TargetStarted {
        target: String,
        track: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        server: Option<String>,
    },
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
        /// Whether others go first meanwhile.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        put_back: bool,
    },
    /// A migration takes long.
    #[serde(rename = "target.slow")]
    Slow {
        target: String,
        track: String,
        migration: String,
        after_ms: u64,
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
            RunEvent::Started(start) => Self::RunStarted(Box::new(Started::of(start))),
            RunEvent::Attached { run_id, driver } => Self::Attached {
                run: run_id.clone(),
                driver: driver.clone(),
            },
            RunEvent::TakenOver { run_id, from } => Self::TakenOver {
                run: run_id.clone(),
                from: from.clone(),
            },
            RunEvent::WaveStarted { wave, index, targets } => Self::WaveStarted {
                wave: wave.clone(),
                index: *index,
                targets: *targets,
            },
            RunEvent::WaveFinished {
                wave,
                index,
                soak,
                then,
            } => Self::WaveFinished {
                wave: wave.clone(),
                index: *index,
                soak_ms: millis(*soak),
                then: match then {
                    Then::GoOn => "go_on",
                    Then::Pause => "pause",
                },
            },
            RunEvent::RegistryAway { reason } => Self::RegistryAway {
                reason: reason.clone(),
            },
            RunEvent::RegistryBack => Self::RegistryBack {},
            RunEvent::TargetStarted(_)
            | RunEvent::TargetFinished(_)
            | RunEvent::MigrationStarted { .. }
            | RunEvent::MigrationFinished { .. }
            | RunEvent::Waiting { .. }
            | RunEvent::Retrying { .. }
            | RunEvent::PutBack { .. }
            | RunEvent::Slow { .. }
            | _ => return Self::of_target(event),
        })
    }

    fn of_target(event: &RunEvent) -> Option<Self> {
        Some(match event {
            RunEvent::TargetStarted(begun) => Self::TargetStarted {
                target: begun.label.clone(),
                track: begun.track.to_string(),
                server: begun.server.as_ref().map(ToString::to_string),
            },
            RunEvent::Waiting { label, reason } => Self::Waiting {
                target: label.clone(),
                reason: reason.clone(),
            },
            RunEvent::Retrying { .. } | RunEvent::PutBack { .. } => Self::of_again(Again::of(event)?),
            RunEvent::Slow {
                label,
                track,
                migration,
                after,
            } => Self::Slow {
                target: label.clone(),
                track: track.to_string(),
                migration: migration.clone(),
                after_ms: millis(*after),
            },
            RunEvent::TargetFinished(target) => Self::TargetFinished(Box::new(Target::of(target))),
            RunEvent::MigrationStarted { .. }
            | RunEvent::MigrationFinished { .. }
            | RunEvent::Started(_)
            | RunEvent::Attached { .. }
            | RunEvent::TakenOver { .. }
            | RunEvent::WaveStarted { .. }
            | RunEvent::WaveFinished { .. }
            | RunEvent::RegistryAway { .. }
            | RunEvent::RegistryBack
            | _ => return Self::of_migration(event),
        })
    }

    fn of_again(again: Again<'_>) -> Self {
        Self::Retrying {
            target: again.label.to_owned(),
            code: again.code.to_string(),
            reason: again.reason.to_owned(),
            pause_ms: millis(again.pause),
            put_back: again.turn == Turn::GivenUp,
        }
    }

    fn of_migration(event: &RunEvent) -> Option<Self> {
        match event {
            RunEvent::MigrationStarted {
                label,
                track,
                migration,
            } => Some(Self::MigrationStarted {
                target: label.clone(),
                track: track.to_string(),
                migration: migration.clone(),
            }),
            RunEvent::MigrationFinished {
                label,
                track,
                version,
                duration_ms,
                taken_up,
            } => Some(Self::MigrationFinished {
                target: label.clone(),
                track: track.to_string(),
                version: version.to_string(),
                duration_ms: *duration_ms,
                taken_up: taken_up.map(TakenUp::as_str),
            }),
            RunEvent::Started(_)
            | RunEvent::Attached { .. }
            | RunEvent::TakenOver { .. }
            | RunEvent::WaveStarted { .. }
            | RunEvent::WaveFinished { .. }
            | RunEvent::RegistryAway { .. }
            | RunEvent::RegistryBack
            | RunEvent::TargetStarted(_)
            | RunEvent::TargetFinished(_)
            | RunEvent::Waiting { .. }
            | RunEvent::Retrying { .. }
            | RunEvent::PutBack { .. }
            | RunEvent::Slow { .. }
            | _ => None,
        }
    }

    /// Says that a run waits for somebody.
    pub(crate) fn paused(report: &RunReport) -> Self {
        Self::Paused {
            run: report.run_id.clone(),
            cause: report.cause.as_ref().map(tenantry::run::Cause::word),
            not_run: report.not_run().count(),
        }
    }

    /// Says how far a run is.
    pub(crate) fn progress(tally: &Tally, now: std::time::Instant) -> Self {
        Self::Progress {
            done: tally.done,
            total: tally.total,
            failed: tally.failed,
            running: tally.running.len(),
            rate_per_s: (tally.rate(now) * 10.0).round() / 10.0,
            eta_s: tally.left(now).map(|left| left.as_secs()),
        }
    }
}
