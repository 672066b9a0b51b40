//! What in a file runs, and may not do what its author thinks: told, never refused.

mod check;

#[cfg(test)]
mod tests;

pub(super) use check::{check, mixed_line_endings};

use std::path::PathBuf;

use super::Migration;
use super::mysql_class::Kept;
use super::script::Place;
use super::version::Version;
use crate::code::Code;
use crate::direction::Direction;
use crate::target::TrackName;

/// Something in a file that runs, and may not do what its author thinks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The migration's version.
    pub version: Version,
    /// Which of its files it is: the way forwards or the way back.
    pub direction: Direction,
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub place: Place,
    /// The line of that place, cut to at most 200 characters around it, control characters escaped.
    pub snippet: String,
    /// The column of the place within the snippet, in characters from 1.
    pub caret: usize,
    /// What it is.
    pub kind: WarningKind,
}

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnding {
    /// A line feed, as on Unix.
    Lf,
    /// A carriage return and a line feed, as on Windows.
    CrLf,
    /// A carriage return alone.
    Cr,
}

impl LineEnding {
    /// Returns the name that editors use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lf => "LF",
            Self::CrLf => "CRLF",
            Self::Cr => "CR",
        }
    }
}

/// What a warning is about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WarningKind {
    /// MySQL, MariaDB: a comment that the server executes.
    #[error("this comment is executed{}: {text}", from_version(*.from))]
    ConditionalComment {
        /// The lowest server version that executes it, as the comment writes it; `None` for every one.
        from: Option<u32>,
        /// What is executed, cut to 60 characters.
        text: String,
    },
    /// MySQL, MariaDB: several tables are dropped, each by itself.
    #[error("{0} tables are dropped one after the other; an interruption leaves some of them")]
    SeveralTables(usize),
    /// Lines end in different ways.
    #[error("lines end in different ways: {} at first, {} here", .first.as_str(), .here.as_str())]
    MixedLineEndings {
        /// The ending of the first line.
        first: LineEnding,
        /// The ending of this line.
        here: LineEnding,
    },
    /// MySQL, MariaDB: what a statement keeps in its session is gone if a later one fails.
    #[error("{0} goes with its session: a failure behind it leaves a file that cannot go on half-way")]
    LostWithSession(Kept),
    /// A string goes over lines that end in CRLF.
    #[error("this string goes over lines that end in CRLF: the CR is data, and no checksum tells it")]
    CrInString,
    /// A file has another name than the one it was applied under; nothing else differs.
    #[error("applied as {applied}, and renamed since")]
    Renamed {
        /// `version_name` in the history.
        applied: String,
        /// The track.
        track: TrackName,
    },
    /// SQLite: foreign keys are turned on, and stay off.
    #[error("PRAGMA foreign_keys has no effect in a migration: foreign keys are not enforced while it runs")]
    ForeignKeysStayOff,
}

/// Adds a warning to others, unless it is among them already.
pub(crate) fn add(found: &mut Vec<Warning>, warning: &Warning) {
    if !found.contains(warning) {
        found.push(warning.clone());
    }
}

/// Writes `80013` as servers name themselves: ` from 8.0.13`.
fn from_version(from: Option<u32>) -> String {
    from.map_or_else(String::new, |n| {
        format!(" from {}.{}.{} on", n / 10_000, n / 100 % 100, n % 100)
    })
}

impl Warning {
    /// Says that a history has a migration under another name.
    pub(crate) fn renamed(track: &TrackName, migration: &Migration, name: &str) -> Self {
        let (version, script) = (migration.version, &migration.up);
        let (applied, track) = (format!("{version}_{name}"), track.clone());
        Self {
            version,
            direction: Direction::Up,
            path: script.path.clone(),
            place: script.place(0),
            snippet: String::new(),
            caret: 1,
            kind: WarningKind::Renamed { applied, track },
        }
    }

    /// Returns whether it is about the whole file: its place is the beginning then, and there is no snippet.
    pub fn is_about_the_file(&self) -> bool {
        matches!(self.kind, WarningKind::Renamed { .. })
    }

    /// Returns the stable code.
    pub fn code(&self) -> Code {
        Code(match self.kind {
            WarningKind::ConditionalComment { .. } => 3101,
            WarningKind::SeveralTables(_) => 3102,
            WarningKind::MixedLineEndings { .. } => 3103,
            WarningKind::ForeignKeysStayOff => 3104,
            WarningKind::LostWithSession(_) => 3105,
            WarningKind::CrInString => 3106,
            WarningKind::Renamed { .. } => 3107,
        })
    }

    /// Returns the one thing to do.
    pub fn help(&self) -> String {
        let WarningKind::Renamed { track, .. } = &self.kind else {
            return self.advice().to_owned();
        };
        let whom = match track {
            TrackName::Registry | TrackName::Central => "--central".to_owned(),
            TrackName::Tenant => "--all-tenants".to_owned(),
            TrackName::Product(product) => format!("--product {product}"),
        };
        let command = format!("tenantry migrate mark {} --accept-edit {whom}", self.version);
        format!("{}:  {command} --reason \"renamed\"", self.advice())
    }

    fn advice(&self) -> &'static str {
        match self.kind {
            WarningKind::ConditionalComment { .. } => {
                "write it as a statement if it is to run, as a plain comment if it is not"
            }
            WarningKind::SeveralTables(_) => "give each table a DROP TABLE of its own",
            WarningKind::LostWithSession(_) => {
                "split the file: what needs it comes into one file with it, CREATE, ALTER and DROP into another one"
            }
            WarningKind::MixedLineEndings { .. } => {
                "save the file with one kind of line ending; its checksum stays the same"
            }
            WarningKind::CrInString => {
                "save the file with LF line endings, its checksum stays the same; write a CR that is meant as the \
                 engine's escape or function"
            }
            WarningKind::Renamed { .. } => {
                "give the file its name back, or let the histories take the new one over"
            }
            WarningKind::ForeignKeysStayOff => {
                "remove the line, and write down what ON DELETE and ON UPDATE would do: DELETE and UPDATE of the \
                 rows that refer to others"
            }
        }
    }
}
