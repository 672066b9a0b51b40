//! What became of each target, and of the run.

use std::sync::Arc;
use std::time::Duration;

use super::failure::Failure;
use super::machine::Rule;
use crate::code::Code;
use crate::direction::Direction;
use crate::engine::Recorded;
use crate::migration::{Version, Warning};
use crate::target::{Owner, TrackName};
use crate::tenant::ServerName;

/// What became of one target: a closed list, in JSON and in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Migrated, and read back from its history.
    Applied,
    /// Nothing was pending.
    Current,
    /// A statement failed, or the history must not be continued.
    Failed,
    /// Half-way; the next run resumes by itself.
    Interrupted,
    /// Half-way, and no run goes on by itself; needs a decision.
    Ambiguous,
    /// Somebody else held a lock for the whole window.
    Blocked,
    /// The server did not answer.
    Unreachable,
    /// The server refused the login.
    AuthFailed,
    /// The database belongs to somebody else.
    IdentityMismatch,
    /// The database has newer migrations than this folder.
    Ahead,
    /// An applied file was edited.
    Modified,
    /// The database is gone.
    TargetGone,
    /// Left out on purpose.
    Skipped,
    /// Not started, because the run stopped or what it depends on failed.
    NotRun,
    /// Stopped on request; nothing of the migration in progress is there.
    Cancelled,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 15] = [
        Self::Applied,
        Self::Current,
        Self::Failed,
        Self::Interrupted,
        Self::Ambiguous,
        Self::Blocked,
        Self::Unreachable,
        Self::AuthFailed,
        Self::IdentityMismatch,
        Self::Ahead,
        Self::Modified,
        Self::TargetGone,
        Self::Skipped,
        Self::NotRun,
        Self::Cancelled,
    ];

    /// Returns the word used in JSON and in the registry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Current => "current",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Ambiguous => "ambiguous",
            Self::Blocked => "blocked",
            Self::Unreachable => "unreachable",
            Self::AuthFailed => "auth_failed",
            Self::IdentityMismatch => "identity_mismatch",
            Self::Ahead => "ahead",
            Self::Modified => "modified",
            Self::TargetGone => "target_gone",
            Self::Skipped => "skipped",
            Self::NotRun => "not_run",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the word that [`Self::as_str`] gives; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }

    /// Returns whether the target is where it should be.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Applied | Self::Current)
    }

    /// Returns whether the target was tried and is not where it should be.
    pub fn is_failure(self) -> bool {
        !self.is_success() && !matches!(self, Self::Skipped | Self::NotRun | Self::Cancelled)
    }
}

/// What became of one target.
#[derive(Clone, Debug)]
pub struct TargetReport {
    /// The database's id in the registry.
    pub database_id: String,
    /// The track.
    pub track: TrackName,
    /// The name that messages use: `acme`, `acme/kira`, `central`.
    pub label: String,
    /// The tenant; `None` for the central database.
    pub owner: Option<Arc<Owner>>,
    /// The server; `None` for the central database.
    pub server: Option<ServerName>,
    /// The database's name; empty if it is not known.
    pub database: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The version it was at before; `None` if empty, or if it could not be asked.
    pub from: Option<Version>,
    /// The version it is at now; `None` if empty, or if it could not be asked.
    pub to: Option<Version>,
    /// The migrations that were carried out, in order.
    pub migrations: Vec<Recorded>,
    /// Why it is not where it should be. Those that fail alike share it.
    pub failure: Option<Arc<Failure>>,
    /// How many times it was tried.
    pub attempts: usize,
    /// How long it took, waiting included.
    pub duration: Duration,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStatus {
    /// Every target was tried.
    Completed,
    /// Stopped on request before every target was tried, or running ones were cancelled.
    Interrupted,
    /// A rule stopped it, or a target failed that everything else depends on.
    Stopped,
    /// It waits for somebody who lets it go on.
    Paused,
    /// Somebody gave it up.
    Cancelled,
}

impl RunStatus {
    /// Returns the word used in JSON and in the registry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Interrupted => "interrupted",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the word that [`Self::as_str`] gives; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [
            Self::Completed,
            Self::Interrupted,
            Self::Stopped,
            Self::Paused,
            Self::Cancelled,
        ];
        all.into_iter().find(|status| status.as_str() == word)
    }
}

/// Why a run ended before every target was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A rule was broken.
    Rule(Rule),
    /// A wave is over behind which a person promotes the run.
    Gate {
        /// Its name.
        wave: String,
        /// The number of the one that comes next, from 0.
        next: usize,
    },
    /// Somebody asked for a pause.
    Asked,
    /// The registry did not come back.
    RegistryLost,
    /// Somebody else has taken the run over.
    TakenOver,
}

impl Cause {
    /// Returns the word, and the number of a rule, used in JSON and in the registry.
    pub fn word(&self) -> String {
        match self {
            Self::Rule(rule) => rule.word(),
            Self::Gate { .. } => "gate".to_owned(),
            Self::Asked => "asked".to_owned(),
            Self::RegistryLost => "registry_lost".to_owned(),
            Self::TakenOver => "taken_over".to_owned(),
        }
    }
}

/// What became of a run: every target by name.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// The run.
    pub run_id: String,
    /// Forwards or backwards.
    pub direction: Direction,
    /// How it ended.
    pub status: RunStatus,
    /// Every target, in the order in which they ended.
    pub targets: Vec<TargetReport>,
    /// How long it took.
    pub duration: Duration,
    /// What the histories say otherwise than the files; each once, however many targets it is about.
    pub warnings: Vec<Warning>,
    /// What the registry does not have of this run; `None` if it has everything, or if it was not told.
    pub unrecorded: Option<Unrecorded>,
    /// Why it ended early; `None` if it did not, or if a signal asked for it.
    pub cause: Option<Cause>,
}

/// What the registry does not have of a run, because it failed in the middle of it. The databases' own
/// histories are right all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unrecorded {
    /// How many targets' outcomes it does not have; 0 if it only does not know that the run has ended.
    pub outcomes: usize,
    /// The stable code of the registry's error.
    pub code: Code,
    /// The registry's error with its causes, in one line.
    pub reason: String,
}

impl RunReport {
    /// Returns the targets that are where they should be.
    pub fn success(&self) -> impl Iterator<Item = &TargetReport> {
        self.targets.iter().filter(|t| t.outcome.is_success())
    }

    /// Returns the targets that were tried and are not where they should be.
    pub fn failed(&self) -> impl Iterator<Item = &TargetReport> {
        self.targets.iter().filter(|t| t.outcome.is_failure())
    }

    /// Returns the targets that were not started or were cancelled.
    pub fn not_run(&self) -> impl Iterator<Item = &TargetReport> {
        self.targets
            .iter()
            .filter(|t| matches!(t.outcome, Outcome::NotRun | Outcome::Cancelled))
    }

    /// Returns how many targets had an outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.targets.iter().filter(|t| t.outcome == outcome).count()
    }
}
