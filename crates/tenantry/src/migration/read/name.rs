//! File names: `<version>_<name>[.<engine>][.down].sql`.

use crate::direction::Direction;
use crate::engine::Engine;
use crate::migration::problem::FileProblemKind as Kind;
use crate::migration::version::{Version, VersionError};

/// The longest file name in bytes: with room for the endings that backup programs add.
const LONGEST: usize = 200;

/// The longest name in letters that the histories of all engines hold: PostgreSQL's column has room for 180.
const LONGEST_NAME: usize = 180;

/// What a file's name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileName {
    pub(super) version: Version,
    /// `<version>_<name>` as it is written.
    pub(super) stem: String,
    /// The engine that the file is for; `None` for every engine without a file of its own.
    pub(super) engine: Option<Engine>,
    pub(super) direction: Direction,
}

impl FileName {
    /// Returns the name between the version and the endings.
    pub(super) fn name(&self) -> &str {
        self.stem.split_once('_').map_or("", |(_, name)| name)
    }
}

/// Returns whether a file is none of our business: hidden, or not SQL.
pub(super) fn is_ignored(name: &str) -> bool {
    let ending = name.len().checked_sub(4).and_then(|at| name.as_bytes().get(at..));
    name.starts_with('.') || !ending.is_some_and(|e| e.eq_ignore_ascii_case(b".sql"))
}

/// Reads the name of a file that is not ignored.
pub(super) fn parse(file: &str) -> Result<FileName, Kind> {
    if file.len() > LONGEST || file.chars().any(char::is_control) {
        return Err(Kind::NameUnprintable);
    }
    let base = file.strip_suffix(".sql").ok_or(Kind::FileName)?;
    let (base, direction) = match base.strip_suffix(".down") {
        Some(base) => (base, Direction::Down),
        None => (base, Direction::Up),
    };
    let (stem, engine) = match base.rsplit_once('.') {
        Some((stem, word)) => (stem, Some(engine(word).ok_or(Kind::FileName)?)),
        None => (base, None),
    };
    let (number, name) = stem.split_once('_').ok_or(Kind::FileName)?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if name.is_empty() || !name.bytes().all(fits) {
        return Err(Kind::FileName);
    }
    if name.len() > LONGEST_NAME {
        return Err(Kind::NameTooLong(name.len()));
    }
    Ok(FileName {
        version: version(number)?,
        stem: stem.to_owned(),
        engine,
        direction,
    })
}

fn engine(word: &str) -> Option<Engine> {
    Engine::ALL.into_iter().find(|e| e.as_str() == word)
}

/// A number that is out of range is told apart from what was never meant as a number.
fn version(number: &str) -> Result<Version, Kind> {
    let digits = number.strip_prefix(['-', '+']).unwrap_or(number);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Kind::FileName);
    }
    number
        .parse()
        .map_err(|error: VersionError| Kind::VersionOutOfRange(error))
}
