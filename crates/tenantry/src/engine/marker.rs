//! The marker in a database's comment: what its history says of one track, where the whole server can read it.
//!
//! A comment is `<anybody's text> [tenantry <track> <version> <fingerprint>] …`. Pure: nothing is read or written.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::direction::Direction;
use crate::history::{History, Phase};
use crate::migration::{Checksum, Track, Version};
use crate::plan::Goal;
use crate::target::{Target, TrackName};

/// The longest comment in bytes that is read, and written with a marker.
pub(crate) const LONGEST: usize = 4096;

/// What a marker begins with.
const OPENING: &str = "[tenantry ";

/// Whose histories are meant: a marker of another database, or of another registry's, never fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whose<'a> {
    /// The registry's id.
    pub registry_id: &'a str,
    /// The database's id in it.
    pub database_id: &'a str,
}

impl<'a> Whose<'a> {
    /// Returns whose history a target's is.
    pub fn of(target: &'a Target) -> Self {
        Self {
            registry_id: &target.registry_id,
            database_id: &target.database_id,
        }
    }
}

/// A hash over whose database it is and every migration that is done on one track.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Reads 32 hexadecimal digits; `None` for anything else.
    fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// What a database's comment says of one of its tracks: that all up to a version is done, and nothing half-way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The track.
    pub track: TrackName,
    /// The newest version that is done.
    pub version: Version,
    /// What stands for everything that is done.
    pub fingerprint: Fingerprint,
}

/// Everything that is done, or shall be, on one track: what a marker says, whoever's it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    track: TrackName,
    version: Version,
    digest: [u8; 32],
}

impl Done {
    /// Returns what a history has of a track; `None` if that is nothing, or if something of it is half-way.
    pub fn of_history(track: &TrackName, history: &History) -> Option<Self> {
        let rows: Vec<_> = history.of_track(track).collect();
        if rows.iter().any(|row| row.phase != Phase::Done) {
            return None;
        }
        let done = rows
            .iter()
            .map(|row| (row.version, row.name.as_str(), row.checksum));
        Self::over(track, done)
    }

    /// Returns what a history has in which a plan for the goal is empty and warns of nothing; `None` where only
    /// the history itself can tell: the goal leads back, or the track has no such version, or no file.
    pub fn of_goal(track: &Track, goal: &Goal) -> Option<Self> {
        let last = match (goal.direction(), goal.version()) {
            (Direction::Up, last) => last,
            (Direction::Down, _) => return None,
        };
        if last.is_some_and(|version| track.find(version).is_none()) {
            return None;
        }
        let wanted = track
            .migrations
            .iter()
            .filter(|migration| last.is_none_or(|last| migration.version <= last));
        let wanted = wanted.map(|m| (m.version, m.name.as_str(), m.up.checksum));
        Self::over(&track.name, wanted)
    }

    fn over<'a>(track: &TrackName, done: impl Iterator<Item = (Version, &'a str, Checksum)>) -> Option<Self> {
        let mut hasher = Sha256::new();
        let mut newest = None;
        for (version, name, checksum) in done {
            newest = newest.max(Some(version));
            for text in [&version.to_string(), name, &checksum.to_string()] {
                take(&mut hasher, text);
            }
        }
        Some(Self {
            track: track.clone(),
            version: newest?,
            digest: hasher.finalize().into(),
        })
    }

    /// Returns the newest version in it.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the marker that says so of one database; `None` if it is not known which.
    pub fn by(&self, whose: Whose<'_>) -> Option<Marker> {
        if whose.registry_id.is_empty() || whose.database_id.is_empty() {
            return None;
        }
        let mut hasher = Sha256::new().chain_update("tenantry/marker/v1");
        for text in [whose.registry_id, whose.database_id, &self.track.to_string()] {
            take(&mut hasher, text);
        }
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(hasher.chain_update(self.digest).finalize()) {
            *to = from;
        }
        Some(Marker {
            track: self.track.clone(),
            version: self.version,
            fingerprint: Fingerprint(bytes),
        })
    }
}

/// Every text is told with its length, so that no two lists of them are the same bytes.
fn take(hasher: &mut Sha256, text: &str) {
    hasher.update((text.len() as u64).to_be_bytes());
    hasher.update(text);
}

impl Marker {
    /// Returns the marker that a history deserves; `None` if nothing of the track is done, or something of it is
    /// half-way, or if it is not known whose history it is.
    pub fn of_history(whose: Whose<'_>, track: &TrackName, history: &History) -> Option<Self> {
        Done::of_history(track, history)?.by(whose)
    }

    /// Reads what stands between the brackets; `None` unless it is exactly what we write.
    fn from_words(words: &str) -> Option<Self> {
        let mut parts = words.split(' ');
        let marker = Self {
            track: TrackName::from_text(parts.next()?)?,
            version: parts.next()?.parse().ok()?,
            fingerprint: Fingerprint::from_hex(parts.next()?)?,
        };
        (marker.to_string() == format!("{OPENING}{words}]")).then_some(marker)
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{OPENING}{} {} {}]",
            self.track, self.version, self.fingerprint
        )
    }
}

/// Takes a comment apart: everybody else's text, and our markers at its end in their order.
fn split(comment: &str) -> (&str, Vec<Marker>) {
    let mut text = comment;
    let mut markers = Vec::new();
    while let Some((before, marker)) = last_of(text) {
        text = before;
        markers.push(marker);
    }
    markers.reverse();
    (text, markers)
}

/// Takes one marker off the end; `None` if none stands there.
fn last_of(text: &str) -> Option<(&str, Marker)> {
    let inner = text.strip_suffix(']')?;
    let (before, words) = inner.rsplit_once(OPENING)?;
    let before = if before.is_empty() {
        before
    } else {
        before.strip_suffix(' ')?
    };
    Some((before, Marker::from_words(words)?))
}

/// Returns a comment without our markers: what others wrote into it, and creation's own mark.
pub(crate) fn text_of(comment: &str) -> &str {
    split(comment).0
}

/// Returns every marker at the end of a comment.
pub(crate) fn read(comment: &str) -> Vec<Marker> {
    split(comment).1
}

/// Returns the one marker of a track; `None` if there is none, or if two contradict each other.
pub(crate) fn find<'a>(markers: &'a [Marker], track: &TrackName) -> Option<&'a Marker> {
    let mut of_track = markers.iter().filter(|marker| marker.track == *track);
    let first = of_track.next()?;
    of_track.all(|other| other == first).then_some(first)
}

/// Returns a comment in which a track has this marker, or none: others' text stays exactly, other tracks' markers
/// too. `None` if that would be longer than [`LONGEST`].
pub(crate) fn with(comment: &str, track: &TrackName, marker: Option<&Marker>) -> Option<String> {
    let (text, markers) = split(comment);
    let others = markers.iter().filter(|other| other.track != *track);
    let mut written = text.to_owned();
    for marker in others.chain(marker) {
        if !written.is_empty() {
            written.push(' ');
        }
        written.push_str(&marker.to_string());
    }
    (written.len() <= LONGEST).then_some(written)
}

#[cfg(test)]
mod tests;
