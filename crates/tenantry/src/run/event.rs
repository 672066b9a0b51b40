//! What a run tells while it goes on: one list for the terminal, NDJSON and every other observer.

use std::time::Duration;

use super::report::TargetReport;
use super::runner::Job;
use crate::code::Code;
use crate::direction::Direction;
use crate::engine::TakenUp;
use crate::migration::Version;
use crate::target::{Target, TrackName};
use crate::tenant::ServerName;

/// What a run is about, as it is told when it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The run.
    pub run_id: String,
    /// Forwards or backwards.
    pub direction: Direction,
    /// How many targets it works on.
    pub targets: usize,
    /// How many of these had ended when this process took the run up, and how many of them had failed.
    pub done: (usize, usize),
    /// How many may run at once.
    pub concurrency: usize,
    /// How many of one server may; the servers' own limits are not in it.
    pub per_server: usize,
    /// Its waves by name, each with how many targets it has; none if all are one.
    pub waves: Vec<(String, usize)>,
    /// How many targets were seen to be current before it began.
    pub current: usize,
    /// How many tenants are left out.
    pub skipped: usize,
    /// How many failures it bears; `None` bears all.
    pub max_failures: Option<usize>,
    /// How many migrations the newest files bring to a target that is behind furthest, as far as the registry knows.
    pub migrations: usize,
    /// The tracks.
    pub tracks: Vec<TrackName>,
    /// Who asked for it.
    pub actor: String,
}

impl Start {
    /// Describes a run that is known by its jobs alone.
    pub fn of(run_id: &str, jobs: &[Job]) -> Self {
        let mut tracks: Vec<TrackName> = jobs.iter().map(|job| job.target.track.clone()).collect();
        tracks.sort_unstable();
        tracks.dedup();
        Self {
            run_id: run_id.to_owned(),
            direction: jobs.first().map_or(Direction::Up, |job| job.goal.direction()),
            targets: jobs.len(),
            tracks,
            ..Self::default()
        }
    }
}

/// A target that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BegunTarget {
    /// The name that messages use.
    pub label: String,
    /// The track.
    pub track: TrackName,
    /// The database's id in the registry.
    pub database_id: String,
    /// The server; `None` for the central database.
    pub server: Option<ServerName>,
}

impl BegunTarget {
    /// Describes a target.
    pub fn of(target: &Target) -> Self {
        Self {
            label: target.label(),
            track: target.track.clone(),
            database_id: target.database_id.clone(),
            server: target.server.clone(),
        }
    }
}

/// Something happened in a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RunEvent {
    /// The run begins.
    Started(Box<Start>),
    /// Somebody else drives the run; this process shows what comes of it.
    Attached {
        /// The run.
        run_id: String,
        /// Who drives it.
        driver: String,
    },
    /// This process drives the run from now on: whoever did before is gone.
    TakenOver {
        /// The run.
        run_id: String,
        /// Who drove it before.
        from: String,
    },
    /// A wave begins.
    WaveStarted {
        /// Its name.
        wave: String,
        /// Its number, from 0.
        index: usize,
        /// How many targets it has.
        targets: usize,
    },
    /// A wave has ended.
    WaveFinished {
        /// Its name.
        wave: String,
        /// Its number, from 0.
        index: usize,
        /// How long nothing begins now.
        soak: Duration,
    },
    /// A target begins.
    TargetStarted(Box<BegunTarget>),
    /// A migration begins, or the first of several that go together.
    MigrationStarted {
        /// The target's name.
        label: String,
        /// The track.
        track: TrackName,
        /// `version_name`.
        migration: String,
    },
    /// A migration was carried out and read back.
    MigrationFinished {
        /// The target's name.
        label: String,
        /// The track.
        track: TrackName,
        /// The version.
        version: Version,
        /// How long it took on the server, in milliseconds.
        duration_ms: u64,
        /// How it was taken up; `None` if no earlier attempt had left it half-way.
        taken_up: Option<TakenUp>,
    },
    /// A statement that waits for its locks without end waits for somebody.
    Waiting {
        /// The target's name.
        label: String,
        /// For whom, in words.
        reason: String,
    },
    /// A target is tried again.
    Retrying {
        /// The target's name.
        label: String,
        /// Why: the code of the failure.
        code: Code,
        /// Why, in words.
        reason: String,
        /// How long it waits before.
        pause: Duration,
    },
    /// A migration takes long.
    Slow {
        /// The target's name.
        label: String,
        /// The track.
        track: TrackName,
        /// `version_name`.
        migration: String,
        /// For how long it has been at it.
        after: Duration,
    },
    /// A target makes room for others and is tried again: its server did not answer, or has no connection to spare.
    PutBack {
        /// The target's name.
        label: String,
        /// The track.
        track: TrackName,
        /// Why: the code of the failure.
        code: Code,
        /// Why, in words.
        reason: String,
        /// How long it waits at least.
        pause: Duration,
    },
    /// The registry does not answer: nothing new starts until it does.
    RegistryAway {
        /// Why, in words.
        reason: String,
    },
    /// The registry answers again.
    RegistryBack,
    /// A target has ended.
    TargetFinished(Box<TargetReport>),
}
