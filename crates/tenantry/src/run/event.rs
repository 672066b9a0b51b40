//! What a run tells while it goes on: one list for the terminal, NDJSON and every other observer.

use std::time::Duration;

use super::report::TargetReport;
use crate::code::Code;
use crate::engine::TakenUp;
use crate::migration::Version;
use crate::target::TrackName;

/// Something happened in a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RunEvent {
    /// The run begins.
    Started {
        /// The run.
        run_id: String,
        /// How many targets it has.
        targets: usize,
        /// How many may run at once.
        concurrency: usize,
    },
    /// A target begins.
    TargetStarted {
        /// The name that messages use.
        label: String,
        /// The track.
        track: TrackName,
    },
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
    /// A target has ended.
    TargetFinished(Box<TargetReport>),
}
