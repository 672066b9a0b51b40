//! What a person declares about a history, and the rows that make it so. Pure: nothing is read or written.

use std::sync::Arc;

use thiserror::Error;

use crate::code::Code;
use crate::direction::Direction;
use crate::history::{Applied, Entry, History, OpenStatement, Phase, Settled};
use crate::migration::{Migration, Track, Version};
use crate::plan::{count_are, unfinished};

/// What is declared about one migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It is in place, whoever did it.
    Applied(Older),
    /// Nothing of it is in place any more.
    RolledBack,
    /// What was applied counts as what its file says now, and goes by the name that it has now.
    AcceptEdit,
    /// Its file is gone for good.
    Forget,
}

/// What becomes of older migrations that the history does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Older {
    /// There must be none.
    Refused,
    /// They are declared with it.
    Included,
}

/// What is declared about the statement in which a half-way migration was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It took effect.
    Applied,
    /// It did not.
    NotApplied,
}

impl Mark {
    /// Returns the word that the registry and JSON use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied(_) => "applied",
            Self::RolledBack => "rolled_back",
            Self::AcceptEdit => "accept_edit",
            Self::Forget => "forget",
        }
    }
}

impl Decision {
    /// Returns the word that the registry and JSON use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "statement_applied",
            Self::NotApplied => "statement_not_applied",
        }
    }
}

/// Why a declaration does not fit a history.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum MarkError {
    /// The track does not have the version.
    #[error("there is no migration {version} on this track")]
    UnknownVersion {
        /// The version asked for.
        version: Version,
    },
    /// Nothing can be in place in a database without a table.
    #[error("the database has no table, so nothing can have been applied to it")]
    Empty,
    /// Older migrations would be left behind, and could then never run.
    #[error("{} older and not recorded: {}", count_are(labels.len()), labels.join(", "))]
    OlderLeft {
        /// `version_name` of each.
        labels: Vec<String>,
    },
    /// Newer migrations would stay above it, and it could then never run again.
    #[error("{} recorded above it and would stay: {}", count_are(labels.len()), labels.join(", "))]
    NewerLeft {
        /// `version_name` of each, newest first.
        labels: Vec<String>,
    },
    /// Its file is there, so that a run would carry it out again.
    #[error("the file of {version} is in the folder")]
    FileIsThere {
        /// The version asked for.
        version: Version,
    },
    /// It was not finished, so that nobody can say which text it has.
    #[error("{label} is half-way")]
    HalfWay {
        /// `version_name`.
        label: String,
    },
}

impl MarkError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::UnknownVersion { .. } => Code(4008),
            Self::Empty
            | Self::OlderLeft { .. }
            | Self::NewerLeft { .. }
            | Self::FileIsThere { .. }
            | Self::HalfWay { .. } => Code(4011),
        }
    }
}

/// Returns what has to be written so that a history says what is declared of a version.
///
/// Empty if it says so already, or does not know a version that is to be gone or accepted. An error means that
/// nothing may be written.
pub fn entries(
    track: &Track,
    history: &History,
    version: Version,
    mark: Mark,
) -> Result<Vec<Entry>, MarkError> {
    let row = history.find(&track.name, version);
    match (mark, row) {
        (Mark::Applied(older), _) => applied(track, history, version, older),
        (Mark::RolledBack | Mark::AcceptEdit | Mark::Forget, None) => Ok(Vec::new()),
        (Mark::RolledBack, Some(_)) => {
            find(track, version)?;
            refuse_newer(track, history, version)?;
            Ok(vec![Entry::Remove(version)])
        }
        (Mark::AcceptEdit, Some(row)) => accepted(find(track, version)?, row),
        (Mark::Forget, Some(_)) => {
            let is_emptied = !unfinished(track, std::iter::once(version), Direction::Up).is_empty();
            if is_emptied || track.find(version).is_some() {
                return Err(MarkError::FileIsThere { version });
            }
            Ok(vec![Entry::Remove(version)])
        }
    }
}

/// Returns what has to be written so that the open statement of a half-way migration is settled.
pub fn settle(row: &Applied, open: &OpenStatement, decision: Decision) -> Entry {
    let settled = match decision {
        Decision::Applied => &open.if_applied,
        Decision::NotApplied => &open.if_not_applied,
    };
    let done = |row: &Applied| {
        Entry::Change(Applied {
            phase: Phase::Done,
            next_stmt: row.total_stmts,
            pre_fp: None,
            ..row.clone()
        })
    };
    match (settled, row.phase) {
        (Settled::Behind { next, pre_fp }, _) => Entry::Change(Applied {
            next_stmt: *next,
            pre_fp: Some(pre_fp.clone()),
            ..row.clone()
        }),
        // What a way back has done wholly is gone, and what it has not touched is still there.
        (Settled::Whole, Phase::Running | Phase::Done) | (Settled::Untouched, Phase::Reverting) => done(row),
        (Settled::Untouched, Phase::Running | Phase::Done) | (Settled::Whole, Phase::Reverting) => {
            Entry::Remove(row.version)
        }
    }
}

/// Returns whether a history agrees with a decision about a statement, counted from 1, that is not open any more.
///
/// It does not tell that somebody decided: what a run did by itself looks the same.
pub fn agrees(row: Option<&Applied>, statement: usize, decision: Decision) -> bool {
    let is_behind = match row {
        None => false,
        Some(row) => row.phase == Phase::Done || row.next_stmt >= statement,
    };
    is_behind == (decision == Decision::Applied)
}

/// Returns whether a history says what an entry writes.
pub fn is_written(track: &Track, history: &History, entry: &Entry) -> bool {
    let said = |row: &Applied| {
        let what = (row.name.clone(), row.checksum);
        (row.phase, row.next_stmt, what, row.pre_fp.clone())
    };
    match entry {
        Entry::Add(row) | Entry::Change(row) => {
            let found = history.find(&track.name, row.version);
            found.is_some_and(|found| said(found) == said(row))
        }
        Entry::Remove(version) => history.find(&track.name, *version).is_none(),
    }
}

/// A migration that was half-way when something was declared about it as a whole.
///
/// What it left in the database stays as it is: a declaration changes the history alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WasHalfWay {
    /// `version_name`, as the history had it.
    pub migration: String,
    /// Which way it was going.
    pub direction: Direction,
    /// The statement that it had come to, from 1.
    pub statement: usize,
    /// How many statements its script had.
    pub statements: usize,
}

/// Returns what was half-way among the rows that entries change or remove.
pub fn half_way(track: &Track, history: &History, entries: &[Entry]) -> Vec<WasHalfWay> {
    let was = |entry: &Entry| {
        let version = match entry {
            Entry::Change(row) => row.version,
            Entry::Remove(version) => *version,
            Entry::Add(_) => return None,
        };
        let row = history.find(&track.name, version)?;
        let direction = match row.phase {
            Phase::Done => return None,
            Phase::Running => Direction::Up,
            Phase::Reverting => Direction::Down,
        };
        Some(WasHalfWay {
            migration: format!("{}_{}", row.version, row.name),
            direction,
            statement: (row.next_stmt + 1).min(row.total_stmts),
            statements: row.total_stmts,
        })
    };
    entries.iter().filter_map(was).collect()
}

/// Returns whether a version is one that a track or a history has, a file without a statement included.
pub fn is_known(track: &Track, history: &History, version: Version) -> bool {
    track.find(version).is_some()
        || history.find(&track.name, version).is_some()
        || !unfinished(track, std::iter::once(version), Direction::Up).is_empty()
}

fn find(track: &Track, version: Version) -> Result<&Arc<Migration>, MarkError> {
    track.find(version).ok_or(MarkError::UnknownVersion { version })
}

fn applied(
    track: &Track,
    history: &History,
    version: Version,
    older: Older,
) -> Result<Vec<Entry>, MarkError> {
    let wanted = find(track, version)?;
    if history.meta.is_none() && !history.occupied {
        return Err(MarkError::Empty);
    }
    let row = history.find(&track.name, version);
    let unrecorded = || {
        let older = track.migrations.iter().filter(|m| m.version < version);
        older.filter(|m| history.find(&track.name, m.version).is_none())
    };
    let mut entries = Vec::new();
    match older {
        Older::Included => entries.extend(unrecorded().map(|m| Entry::Add(in_place(track, m, None)))),
        Older::Refused if row.is_none() && unrecorded().next().is_some() => {
            let labels = unrecorded().map(|m| m.label()).collect();
            return Err(MarkError::OlderLeft { labels });
        }
        Older::Refused => {}
    }
    match row {
        None => entries.push(Entry::Add(in_place(track, wanted, None))),
        Some(row) if row.phase != Phase::Done => {
            entries.push(Entry::Change(in_place(track, wanted, Some(row))));
        }
        Some(_) => {}
    }
    Ok(entries)
}

/// Returns the row of a migration that is in place. One that a run began stays that run's.
fn in_place(track: &Track, migration: &Migration, row: Option<&Applied>) -> Applied {
    let statements = migration.up.statements.len();
    Applied {
        track: track.name.clone(),
        version: migration.version,
        name: migration.name.clone(),
        checksum: migration.up.checksum,
        phase: Phase::Done,
        attempt_id: String::new(),
        run_id: row.map(|row| row.run_id.clone()).unwrap_or_default(),
        epoch: 0,
        next_stmt: statements,
        total_stmts: statements,
        pre_fp: None,
        started_at: String::new(),
        done_at: None,
        duration_ms: 0,
    }
}

fn refuse_newer(track: &Track, history: &History, version: Version) -> Result<(), MarkError> {
    let mut newer: Vec<&Applied> = history.of_track(&track.name).collect();
    newer.retain(|row| row.version > version);
    newer.sort_by_key(|row| std::cmp::Reverse(row.version));
    if newer.is_empty() {
        return Ok(());
    }
    let label = |row: &&Applied| format!("{}_{}", row.version, row.name);
    Err(MarkError::NewerLeft {
        labels: newer.iter().map(label).collect(),
    })
}

fn accepted(migration: &Migration, row: &Applied) -> Result<Vec<Entry>, MarkError> {
    if row.phase != Phase::Done {
        return Err(MarkError::HalfWay {
            label: migration.label(),
        });
    }
    if row.checksum == migration.up.checksum && row.name == migration.name {
        return Ok(Vec::new());
    }
    let statements = migration.up.statements.len();
    Ok(vec![Entry::Change(Applied {
        name: migration.name.clone(),
        checksum: migration.up.checksum,
        next_stmt: statements,
        total_stmts: statements,
        ..row.clone()
    })])
}

#[cfg(test)]
mod tests;
