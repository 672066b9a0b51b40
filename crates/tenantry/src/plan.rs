//! Migrations and history to what would run. Pure: no input or output, no clock, no async.
//!
//! `plan`, `status`, `--dry-run` and the runner all call it; nothing else decides.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use crate::code::Code;
use crate::direction::Direction;
use crate::history::{Applied, History, Phase};
use crate::migration::{Checksum, Migration, Script, Track, Version, Warning};

/// Where a plan shall lead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Goal {
    /// Apply everything pending.
    #[default]
    Head,
    /// Apply what is pending up to and including a version.
    UpTo(Version),
    /// Revert the newest `n` applied migrations.
    BackSteps(usize),
    /// Revert everything newer than a version; `None` for everything.
    BackTo(Option<Version>),
    /// Revert what these runs applied: one, and those that went on with it.
    BackRuns(Vec<String>),
    /// Revert these versions, where they are still applied, and nothing else: what a look found and a
    /// person may have confirmed.
    BackVersions(Vec<Version>),
}

impl Goal {
    /// Returns which way it leads.
    pub fn direction(&self) -> Direction {
        match self {
            Self::Head | Self::UpTo(_) => Direction::Up,
            Self::BackSteps(_) | Self::BackTo(_) | Self::BackRuns(_) | Self::BackVersions(_) => {
                Direction::Down
            }
        }
    }

    /// Returns the version that it names; `None` if it names none.
    pub fn version(&self) -> Option<Version> {
        match self {
            Self::UpTo(version) => Some(*version),
            Self::BackTo(version) => *version,
            Self::Head | Self::BackSteps(_) | Self::BackRuns(_) | Self::BackVersions(_) => None,
        }
    }

    /// Reads what [`fmt::Display`] writes, as the registry keeps it; `None` for any other text.
    pub fn from_text(text: &str) -> Option<Self> {
        match text.split_once(' ').unwrap_or((text, "")) {
            ("head", "") => Some(Self::Head),
            ("up_to", version) => version.parse().ok().map(Self::UpTo),
            ("back_steps", steps) => steps.parse().ok().map(Self::BackSteps),
            ("back_to", "nothing") => Some(Self::BackTo(None)),
            ("back_to", version) => version.parse().ok().map(|version| Self::BackTo(Some(version))),
            ("back_versions", "") => Some(Self::BackVersions(Vec::new())),
            ("back_versions", versions) => {
                let read: Result<Vec<Version>, _> = versions.split(' ').map(str::parse).collect();
                read.ok().map(Self::BackVersions)
            }
            ("back_runs", runs) => Some(Self::BackRuns(runs.split(' ').map(str::to_owned).collect())),
            _ => None,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("head"),
            Self::UpTo(version) => write!(f, "up_to {version}"),
            Self::BackSteps(steps) => write!(f, "back_steps {steps}"),
            Self::BackTo(Some(version)) => write!(f, "back_to {version}"),
            Self::BackTo(None) => f.write_str("back_to nothing"),
            Self::BackRuns(runs) => write!(f, "back_runs {}", runs.join(" ")),
            Self::BackVersions(versions) => {
                let words: Vec<String> = versions.iter().map(ToString::to_string).collect();
                write!(f, "back_versions {}", words.join(" "))
            }
        }
    }
}

/// One migration to carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The migration.
    pub migration: Arc<Migration>,
    /// Which of its scripts.
    pub direction: Direction,
    /// The history row of an earlier attempt that did not finish, if there is one.
    pub interrupted: Option<Applied>,
}

impl Step {
    /// Returns the script to run: `up`, or `down` for a revert.
    ///
    /// A plan never holds a revert without a way back, so `up` stands in only for a step made by hand.
    pub fn script(&self) -> &Script {
        match (self.direction, &self.migration.down) {
            (Direction::Down, Some(down)) => down,
            (Direction::Up | Direction::Down, _) => &self.migration.up,
        }
    }
}

/// What would run in one database. Writes nothing by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The newest version that is done; `None` in a fresh database.
    pub current: Option<Version>,
    /// The migrations in the order of work; empty if there is nothing to do.
    pub steps: Vec<Step>,
    /// Whether nothing was ever applied to the database.
    pub fresh: bool,
    /// What the history says otherwise than the files, and what stops nothing.
    pub warnings: Vec<Warning>,
}

impl Plan {
    /// Returns the goal that leads to this plan and never beyond it: a way back names its versions, so
    /// that it takes back no others when it is planned anew on a history that has changed since. A goal
    /// forwards stays as it is.
    pub fn fixed(&self, goal: &Goal) -> Goal {
        match goal.direction() {
            Direction::Up => goal.clone(),
            Direction::Down => {
                Goal::BackVersions(self.steps.iter().map(|step| step.migration.version).collect())
            }
        }
    }
}

/// Why a database must not be touched with these files.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// An applied file was edited.
    #[error("{label} was edited after it was applied")]
    Modified {
        /// `version_name`.
        label: String,
        /// Its version.
        version: Version,
        /// The checksum in the history.
        applied: Checksum,
        /// The checksum of the file.
        file: Checksum,
        /// When it was applied.
        applied_at: String,
        /// The run that applied it.
        run_id: String,
    },
    /// An applied file is there and holds no statement any more.
    #[error("applied, and emptied since: {}", files.join(", "))]
    Emptied {
        /// The name of each.
        files: Vec<String>,
    },
    /// The file of a way back is there and holds no statement.
    #[error("no way back is written in: {}", files.join(", "))]
    EmptyWayBack {
        /// The name of each.
        files: Vec<String>,
    },
    /// An applied file is gone.
    #[error("{} applied and not in the folder: {}", count_are(labels.len()), labels.join(", "))]
    Missing {
        /// `version_name` of each.
        labels: Vec<String>,
    },
    /// Files are older than what was applied.
    #[error(
        "{} older than what is applied ({newest}): {}", count_are(labels.len()), labels.join(", ")
    )]
    OutOfOrder {
        /// `version_name` of each.
        labels: Vec<String>,
        /// The newest applied version.
        newest: Version,
    },
    /// The database is at a version that this folder does not know yet.
    #[error("the database is ahead: it is at {newest}, the folder ends at {}", head_text(*head))]
    Ahead {
        /// The newest applied version.
        newest: Version,
        /// The folder's newest version.
        head: Option<Version>,
    },
    /// There are tables but no history.
    #[error("there are tables but no migration history")]
    Occupied,
    /// A migration has no `.down.sql`.
    #[error("{} no way back: {}", count_have(labels.len()), labels.join(", "))]
    NoWayBack {
        /// `version_name` of each.
        labels: Vec<String>,
    },
    /// The goal names a version that the track does not have.
    #[error("there is no migration {version} on this track")]
    UnknownVersion {
        /// The version asked for.
        version: Version,
    },
    /// Newer migrations would stay above what is taken back, and could then never be followed by it again.
    #[error("{} applied above it and would stay: {}", count_are(labels.len()), labels.join(", "))]
    Beneath {
        /// `version_name` of each that would stay, newest first.
        labels: Vec<String>,
        /// The run that applied the newest of them.
        run_id: String,
        /// The newest applied version below everything that is taken back; `None` if there is none.
        below: Option<Version>,
        /// How many migrations are applied above `below`.
        depth: usize,
    },
    /// A migration is half-way, so nothing can be reverted before it is finished.
    #[error("{label} is half-way; finish it before going back")]
    HalfWay {
        /// `version_name`.
        label: String,
    },
}

fn count_have(n: usize) -> String {
    if n == 1 {
        "1 migration has".to_owned()
    } else {
        format!("{n} migrations have")
    }
}

pub(crate) fn count_are(n: usize) -> String {
    if n == 1 {
        "1 migration is".to_owned()
    } else {
        format!("{n} migrations are")
    }
}

fn head_text(head: Option<Version>) -> String {
    head.map_or_else(|| "nothing".to_owned(), |v| v.to_string())
}

impl PlanError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Modified { .. } | Self::Emptied { .. } => Code(3001),
            Self::Missing { .. } => Code(3002),
            Self::OutOfOrder { .. } => Code(3003),
            Self::NoWayBack { .. } | Self::EmptyWayBack { .. } => Code(3005),
            Self::Occupied => Code(3006),
            Self::Ahead { .. } => Code(3007),
            Self::UnknownVersion { .. } => Code(4008),
            Self::HalfWay { .. } => Code(3010),
            Self::Beneath { .. } => Code(3060),
        }
    }
}

/// Returns what would have to run to bring a database with this history to the goal.
///
/// Nothing to do is an empty plan. An error means that nothing of the plan may run.
pub fn plan(track: &Track, history: &History, goal: &Goal) -> Result<Plan, PlanError> {
    if history.meta.is_none() && history.occupied {
        return Err(PlanError::Occupied);
    }
    check_known(track, history)?;
    let steps = match goal {
        Goal::Head => pending(track, history, None)?,
        Goal::UpTo(version) => {
            check_version(track, *version)?;
            pending(track, history, Some(*version))?
        }
        Goal::BackSteps(_) | Goal::BackTo(_) | Goal::BackRuns(_) | Goal::BackVersions(_) => {
            reverts(track, history, goal)?
        }
    };
    Ok(Plan {
        current: history.current(&track.name),
        steps,
        fresh: history.meta.is_none(),
        warnings: renamed(track, history),
    })
}

/// Refuses a version that the track does not have. A track without files has nothing to do, whatever the
/// version: `migrate all --to` must not stop at a platform without migrations of its own.
fn check_version(track: &Track, version: Version) -> Result<(), PlanError> {
    if track.migrations.is_empty() || track.find(version).is_some() {
        return Ok(());
    }
    Err(PlanError::UnknownVersion { version })
}

/// Checks that every applied migration is in the folder, unedited.
fn check_known(track: &Track, history: &History) -> Result<(), PlanError> {
    let mut missing = Vec::new();
    for row in history.of_track(&track.name) {
        let Some(migration) = track.find(row.version) else {
            missing.push(row);
            continue;
        };
        // A row that is still running may have been mended behind what ran; the engine compares the rest.
        if row.phase == Phase::Done && migration.up.checksum != row.checksum {
            return Err(PlanError::Modified {
                label: migration.label(),
                version: row.version,
                applied: row.checksum,
                file: migration.up.checksum,
                applied_at: row.done_at.clone().unwrap_or_default(),
                run_id: row.run_id.clone(),
            });
        }
    }
    let Some(newest) = missing.iter().map(|row| row.version).max() else {
        return Ok(());
    };
    let files = unfinished(track, missing.iter().map(|row| row.version), Direction::Up);
    if !files.is_empty() {
        return Err(PlanError::Emptied { files });
    }
    if track.head().is_none_or(|head| newest > head) {
        return Err(PlanError::Ahead {
            newest,
            head: track.head(),
        });
    }
    let labels = missing
        .iter()
        .map(|row| format!("{}_{}", row.version, row.name))
        .collect();
    Err(PlanError::Missing { labels })
}

/// Tells of the files that have another name than the one they were applied under: the version and the content
/// say which migration it is, so they run as before.
fn renamed(track: &Track, history: &History) -> Vec<Warning> {
    let done = history
        .of_track(&track.name)
        .filter(|row| row.phase == Phase::Done);
    done.filter_map(|row| {
        let migration = track.find(row.version)?;
        (migration.name != row.name).then(|| Warning::renamed(&track.name, migration, &row.name))
    })
    .collect()
}

/// Returns the names of the files without a statement that some versions have for a direction.
pub(crate) fn unfinished(
    track: &Track,
    versions: impl Iterator<Item = Version>,
    direction: Direction,
) -> Vec<String> {
    let versions: Vec<Version> = versions.collect();
    let named = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?.to_owned();
        let version = name.split('_').next()?.parse().ok()?;
        let is_down = name.ends_with(".down.sql");
        (versions.contains(&version) && is_down == (direction == Direction::Down)).then_some(name)
    };
    track.unfinished.iter().filter_map(named).collect()
}

fn pending(track: &Track, history: &History, last: Option<Version>) -> Result<Vec<Step>, PlanError> {
    let newest = history.current(&track.name);
    let mut steps = Vec::new();
    let mut late = Vec::new();
    for migration in &track.migrations {
        let row = history.find(&track.name, migration.version);
        match row.map(|row| row.phase) {
            Some(Phase::Done) => continue,
            Some(Phase::Reverting) => {
                steps.push(step(migration, Direction::Down, row));
                // Beyond the goal the way back is finished, and that is all.
                if last.is_none_or(|last| migration.version <= last) {
                    steps.push(step(migration, Direction::Up, None));
                }
                continue;
            }
            Some(Phase::Running) | None => {}
        }
        if row.is_none() && newest.is_some_and(|newest| migration.version < newest) {
            late.push(migration.label());
        }
        if last.is_some_and(|last| migration.version > last) {
            continue;
        }
        steps.push(step(migration, Direction::Up, row));
    }
    match newest {
        Some(newest) if !late.is_empty() => Err(PlanError::OutOfOrder { labels: late, newest }),
        Some(_) | None => Ok(steps),
    }
}

fn step(migration: &Arc<Migration>, direction: Direction, interrupted: Option<&Applied>) -> Step {
    Step {
        migration: Arc::clone(migration),
        direction,
        interrupted: interrupted.cloned(),
    }
}

/// Returns the rows that a goal takes back, newest first.
fn taken_back<'a>(track: &Track, history: &'a History, goal: &Goal) -> Result<Vec<&'a Applied>, PlanError> {
    let mut rows: Vec<&Applied> = history.of_track(&track.name).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.version));
    let mut chosen = rows.clone();
    match goal {
        Goal::Head | Goal::UpTo(_) => chosen.clear(),
        Goal::BackSteps(n) => chosen.truncate(*n),
        Goal::BackTo(Some(version)) => {
            check_version(track, *version)?;
            chosen.retain(|row| row.version > *version);
        }
        Goal::BackTo(None) => {}
        Goal::BackRuns(runs) => chosen.retain(|row| runs.contains(&row.run_id)),
        Goal::BackVersions(versions) => chosen.retain(|row| versions.contains(&row.version)),
    }
    check_on_top(&rows, &chosen)?;
    Ok(chosen)
}

/// Refuses to take back what stands beneath something that would stay. Both are sorted, newest first.
fn check_on_top(rows: &[&Applied], chosen: &[&Applied]) -> Result<(), PlanError> {
    let Some(oldest) = chosen.last().map(|row| row.version) else {
        return Ok(());
    };
    let above = rows.iter().filter(|row| row.version >= oldest);
    let staying: Vec<&&Applied> = above
        .clone()
        .filter(|row| !chosen.iter().any(|c| c.version == row.version))
        .collect();
    let Some(newest) = staying.first() else {
        return Ok(());
    };
    Err(PlanError::Beneath {
        labels: staying
            .iter()
            .map(|row| format!("{}_{}", row.version, row.name))
            .collect(),
        run_id: newest.run_id.clone(),
        below: rows
            .iter()
            .map(|row| row.version)
            .find(|version| *version < oldest),
        depth: above.count(),
    })
}

fn reverts(track: &Track, history: &History, goal: &Goal) -> Result<Vec<Step>, PlanError> {
    let chosen = taken_back(track, history, goal)?;
    let mut steps = Vec::new();
    let mut no_way_back = Vec::new();
    for row in chosen {
        let Some(migration) = track.find(row.version) else {
            continue;
        };
        if row.phase == Phase::Running {
            return Err(PlanError::HalfWay {
                label: migration.label(),
            });
        }
        if migration.down.is_none() {
            let files = unfinished(track, std::iter::once(row.version), Direction::Down);
            if !files.is_empty() {
                return Err(PlanError::EmptyWayBack { files });
            }
            no_way_back.push(migration.label());
        }
        steps.push(step(
            migration,
            Direction::Down,
            (row.phase == Phase::Reverting).then_some(row),
        ));
    }
    if no_way_back.is_empty() {
        Ok(steps)
    } else {
        Err(PlanError::NoWayBack { labels: no_way_back })
    }
}

#[cfg(test)]
mod tests;
