//! What one database says was applied: the rows of `_tenantry_history` and the one of `_tenantry_meta`.

use crate::migration::{Checksum, Version};
use crate::target::TrackName;

/// The history table's name in every target.
pub const HISTORY_TABLE: &str = "_tenantry_history";
/// The meta table's name in every target.
pub const META_TABLE: &str = "_tenantry_meta";
/// The layout of both tables that this build writes.
pub const FORMAT: i64 = 1;

/// The meta table's columns in their order. PostgreSQL's has no `one`, the key that keeps it at one row.
pub(crate) const META_COLUMNS: [&str; 6] = [
    "one",
    "database_id",
    "tenant_id",
    "registry_id",
    "epoch",
    "format",
];
/// The history table's columns in their order, the same on every engine.
pub(crate) const HISTORY_COLUMNS: [&str; 15] = [
    "track",
    "version",
    "name",
    "checksum",
    "phase",
    "attempt_id",
    "run_id",
    "epoch",
    "next_stmt",
    "total_stmts",
    "pre_fp",
    "started_at",
    "done_at",
    "duration_ms",
    "tool_version",
];

/// How far a migration has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Begun and not finished: a statement checkpoint or an intent.
    Running,
    /// A revert has begun and not finished (engines without transactional DDL).
    Reverting,
    /// Done.
    Done,
}

impl Phase {
    /// Returns the word in the `phase` column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Reverting => "reverting",
            Self::Done => "done",
        }
    }

    /// Reads the `phase` column; `None` for a word we never write.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "running" => Some(Self::Running),
            "reverting" => Some(Self::Reverting),
            "done" => Some(Self::Done),
            _ => None,
        }
    }
}

/// One row of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The track.
    pub track: TrackName,
    /// The migration's version.
    pub version: Version,
    /// Its name when it was applied.
    pub name: String,
    /// The checksum of its file when it was applied.
    pub checksum: Checksum,
    /// How far it has come.
    pub phase: Phase,
    /// The attempt that wrote the row.
    pub attempt_id: String,
    /// The run it belonged to.
    pub run_id: String,
    /// The claim it was written under.
    pub epoch: i64,
    /// The next statement to run; equal to `total_stmts` when done.
    pub next_stmt: usize,
    /// How many statements the file had.
    pub total_stmts: usize,
    /// The fingerprint taken before the statement in progress; `None` when none is.
    pub pre_fp: Option<String>,
    /// When it began, by the server's clock, as the server writes it.
    pub started_at: String,
    /// When it was done; `None` while running.
    pub done_at: Option<String>,
    /// How long it took on the server, in milliseconds.
    pub duration_ms: u64,
}

/// One change of a history that no migration makes: a person has declared it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A row that was not there. Claim, times and tool are the writer's.
    Add(Applied),
    /// A row that is there, with what it shall say now; when it began and was done stays.
    Change(Applied),
    /// The row of a version goes.
    Remove(Version),
}

/// The statement in which a half-way migration was cut off, where its effect cannot be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenStatement {
    /// Its index in the script.
    pub statement: usize,
    /// How many statements the script has.
    pub statements: usize,
    /// Why it cannot be seen what it did.
    pub reason: String,
    /// What is known of it, as a short hash: databases with the same have the same to decide.
    pub evidence: String,
    /// What the row says if it took effect.
    pub if_applied: Settled,
    /// What the row says if it did not.
    pub if_not_applied: Settled,
}

/// How far a half-way migration is once somebody has decided about its open statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Nothing of it is in place.
    Untouched,
    /// All of it is.
    Whole,
    /// Its first statements are, and none is open.
    Behind {
        /// How many.
        next: usize,
        /// What the engine keeps of them.
        pre_fp: String,
    },
}

/// The one row of `_tenantry_meta`: whose database this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The database's id in its registry.
    pub database_id: String,
    /// The tenant's id; empty for the central database.
    pub tenant_id: String,
    /// The registry's id.
    pub registry_id: String,
    /// The newest claim.
    pub epoch: i64,
    /// The layout of our tables.
    pub format: i64,
}

/// Everything one database says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Whose database it is; `None` if our tables are not there.
    pub meta: Option<Meta>,
    /// The rows of every track, ascending by track and version.
    pub rows: Vec<Applied>,
    /// Whether there are tables of somebody else; only asked when ours are missing.
    pub occupied: bool,
}

impl History {
    /// Returns what is wrong with it that no row shows by itself; `None` if nothing is. Columns that somebody added to
    /// our tables are no damage: nobody reads them.
    pub(crate) fn damage(&self) -> Option<String> {
        // The highest number could not be raised any more.
        let is_claim = |epoch: i64| (0..i64::MAX).contains(&epoch);
        if let Some(meta) = self.meta.as_ref().filter(|meta| !is_claim(meta.epoch)) {
            return Some(format!(
                "the epoch {} in `{META_TABLE}` is not one of ours",
                meta.epoch
            ));
        }
        if let Some(row) = self.rows.iter().find(|row| !is_claim(row.epoch)) {
            let (version, epoch) = (row.version, row.epoch);
            return Some(format!(
                "the epoch {epoch} of version {version} is not one of ours"
            ));
        }
        let twice = self.rows.array_windows().find_map(|[one, next]| {
            let same = (&one.track, one.version) == (&next.track, next.version);
            same.then_some(one)
        })?;
        Some(format!(
            "version {} on track `{}` is there twice",
            twice.version, twice.track
        ))
    }

    /// Returns the rows of one track, ascending by version.
    pub fn of_track(&self, track: &TrackName) -> impl Iterator<Item = &Applied> {
        self.rows.iter().filter(move |row| row.track == *track)
    }

    /// Returns the newest version that is done on a track; `None` if there is none.
    pub fn current(&self, track: &TrackName) -> Option<Version> {
        self.of_track(track)
            .filter(|row| row.phase == Phase::Done)
            .map(|row| row.version)
            .max()
    }

    /// Returns the row of a version on a track.
    pub fn find(&self, track: &TrackName, version: Version) -> Option<&Applied> {
        self.of_track(track).find(|row| row.version == version)
    }
}
