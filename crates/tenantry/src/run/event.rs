//! What a run tells while it goes on: one list for the terminal, NDJSON and every other observer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::report::TargetReport;
use super::rollout::Then;
use super::runner::Job;
use crate::code::Code;
use crate::direction::Direction;
use crate::engine::TakenUp;
use crate::migration::Version;
use crate::plan::Goal;
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
    /// How many of these may as long as all that have ended failed alike; `None` if that is no matter.
    pub at_first: Option<usize>,
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
    /// What the files bring to the target that is behind furthest, as far as the registry knows, track after track; empty
    /// backwards.
    pub migrations: Vec<Version>,
    /// Its targets by server, in the order of the names.
    pub servers: Vec<OnServer>,
    /// How long its targets are expected to take, one after the other.
    pub expected: Expected,
    /// The tracks.
    pub tracks: Vec<TrackName>,
    /// Who asked for it.
    pub actor: String,
}

/// The targets of a run on one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnServer {
    /// The server; `None` for the central database.
    pub server: Option<ServerName>,
    /// How many targets it has.
    pub targets: usize,
    /// How many of these had ended when this process took the run up, and how many of them had failed.
    pub done: (usize, usize),
}

/// How long targets are expected to take, by what they took when they were changed last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Of how many it is known.
    pub targets: usize,
    /// How long these take together, in milliseconds.
    pub ms: u64,
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
            migrations: pending(jobs),
            servers: on_servers(jobs),
            ..Self::default()
        }
    }
}

/// Returns what the target that is behind furthest lacks, on each track.
fn pending(jobs: &[Job]) -> Vec<Version> {
    let mut furthest: BTreeMap<&TrackName, &Job> = BTreeMap::new();
    for job in jobs.iter().filter(|job| job.goal.direction() == Direction::Up) {
        let behind = furthest.entry(&job.target.track).or_insert(job);
        if job.target.known_version < behind.target.known_version {
            *behind = job;
        }
    }
    let lacks = |job: &&Job, version: Version| match job.goal {
        Goal::UpTo(last) => version <= last && Some(version) > job.target.known_version,
        Goal::Head => Some(version) > job.target.known_version,
        Goal::BackSteps(_) | Goal::BackTo(_) | Goal::BackRuns(_) | Goal::BackVersions(_) => false,
    };
    let lacking = furthest.values().flat_map(|job| {
        let versions = job.track.migrations.iter().map(|migration| migration.version);
        versions.filter(|version| lacks(job, *version))
    });
    lacking.collect()
}

fn on_servers(jobs: &[Job]) -> Vec<OnServer> {
    let mut counts: BTreeMap<Option<&ServerName>, usize> = BTreeMap::new();
    for job in jobs {
        *counts.entry(job.target.server.as_ref()).or_default() += 1;
    }
    let servers = counts.into_iter().map(|(server, targets)| OnServer {
        server: server.cloned(),
        targets,
        done: (0, 0),
    });
    servers.collect()
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
    /// How long it is expected to take, in milliseconds; 0 if unknown.
    pub expected_ms: u64,
}

impl BegunTarget {
    /// Describes a target.
    pub fn of(target: &Target) -> Self {
        Self {
            label: target.label(),
            track: target.track.clone(),
            database_id: target.database_id.clone(),
            server: target.server.clone(),
            expected_ms: 0,
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
        /// What comes behind it.
        then: Then,
    },
    /// A target begins, or goes on after it was put back.
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
