//! What a run is made of, as the registry keeps it: its files, its waves and its rules, as text.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::time::Duration;

use super::jobs::Selected;
use crate::direction::Direction;
use crate::migration::{Track, Version};
use crate::plan::Goal;
use crate::registry::{RunPlan, RunTarget};
use crate::run::{Before, Job, Reach, Rollout, Stage, TargetState, Then, Wave, WaveKind};
use crate::target::TrackName;

/// How much of a checksum tells files apart for people, in hexadecimal digits.
const CHECKSUM_DIGITS: usize = 16;

/// The files of a run.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) direction: String,
    pub(super) goal: String,
    pub(super) tracks: Vec<PlannedTrack>,
}

/// The files of one track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlannedTrack {
    pub(super) track: String,
    pub(super) engine: String,
    /// Version, name and checksum of each migration, and the checksum of the way back.
    pub(super) migrations: Vec<(String, String, String)>,
}

/// Writes down what the files of a selection are.
pub(super) fn plan_of(selected: &Selected, direction: Direction) -> RunPlan {
    let plan = Plan {
        direction: direction.to_string(),
        goal: selected.goal.to_string(),
        tracks: tracks_of(selected.jobs.iter()),
    };
    // Made of strings alone, it can always be written.
    let text = serde_json::to_string(&plan).unwrap_or_default();
    let hash = hex::encode(Sha256::digest(&text));
    RunPlan { text, hash }
}

/// Writes down the files of every track that there are jobs on.
pub(super) fn tracks_of<'a>(jobs: impl Iterator<Item = &'a Job>) -> Vec<PlannedTrack> {
    let mut tracks: Vec<&Track> = jobs.map(|job| job.track.as_ref()).collect();
    tracks.sort_unstable_by_key(|track| (track.name.to_string(), track.engine));
    tracks.dedup_by_key(|track| (track.name.clone(), track.engine));
    tracks.into_iter().map(planned).collect()
}

fn planned(track: &Track) -> PlannedTrack {
    let migration = |m: &std::sync::Arc<crate::migration::Migration>| {
        let mut checksum = m.up.checksum.to_string();
        checksum.truncate(CHECKSUM_DIGITS);
        if let Some(down) = &m.down {
            let mut back = down.checksum.to_string();
            back.truncate(CHECKSUM_DIGITS);
            checksum = format!("{checksum} {back}");
        }
        (m.version.to_string(), m.label(), checksum)
    };
    PlannedTrack {
        track: track.name.to_string(),
        engine: track.engine.to_string(),
        migrations: track.migrations.iter().map(migration).collect(),
    }
}

impl Plan {
    /// Returns what is otherwise in the files now than in those of a plan, a line each, of the tracks that both have; empty
    /// if nothing is, or if one of the texts is no plan.
    pub(super) fn changes(planned: &str, now: &str) -> Vec<String> {
        let (Some(planned), Some(now)) = (Self::read(planned), Self::read(now)) else {
            return Vec::new();
        };
        if planned.direction == Direction::Down.to_string() {
            // What came later is not among what is taken back.
            let pairs = common(&planned.tracks, &now.tracks);
            return pairs.flat_map(|(before, after)| before.edits(after)).collect();
        }
        changes_of(&planned.tracks, &now.tracks)
    }

    /// Reads a plan; `None` for a text that is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Keeps the tracks that a condition holds for, by name and engine.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        self.tracks.retain(|track| keep(&track.track, &track.engine));
    }

    /// Returns whether it has one of the tracks of another plan.
    pub(super) fn has_track_of(&self, other: &Self) -> bool {
        let mut ours = self.tracks.iter();
        ours.any(|track| other.tracks.iter().any(|there| there.is_same(track)))
    }

    /// Returns whether all that another plan does on the tracks of tenants is done by this one, with the same files: the way
    /// forwards up to its version, or the same way back.
    pub(super) fn covers(&self, other: &Self) -> bool {
        if self.direction != other.direction {
            return false;
        }
        if self.direction == Direction::Down.to_string() && self.goal != other.goal {
            return false;
        }
        let (ours, theirs) = (self.on_the_way(), other.on_the_way());
        let has = |wanted: &PlannedTrack| {
            let mut same = ours.iter().filter(|track| track.is_same(wanted));
            same.any(|track| wanted.migrations.iter().all(|m| track.migrations.contains(m)))
        };
        !theirs.is_empty() && theirs.iter().all(has)
    }

    /// Returns the tenants' tracks, each with the migrations as far as the goal lets it come.
    fn on_the_way(&self) -> Vec<PlannedTrack> {
        let last = match Goal::from_text(&self.goal) {
            Some(Goal::UpTo(last)) => Some(last),
            Some(_) | None => None,
        };
        let is_before = |version: &str| match (last, version.parse::<Version>()) {
            (Some(last), Ok(version)) => version <= last,
            (None, _) | (_, Err(_)) => true,
        };
        let tenants = self.tracks.iter();
        let tenants = tenants.filter(|track| track.track != TrackName::Central.to_string());
        let cut = |track: &PlannedTrack| PlannedTrack {
            migrations: track
                .migrations
                .iter()
                .filter(|m| is_before(&m.0))
                .cloned()
                .collect(),
            ..track.clone()
        };
        tenants.map(cut).collect()
    }
}

/// Returns what is otherwise in the files of tracks than it was planned, a line each, of the tracks that both have.
pub(super) fn changes_of(planned: &[PlannedTrack], now: &[PlannedTrack]) -> Vec<String> {
    let pairs = common(planned, now);
    pairs.flat_map(|(before, after)| before.changes(after)).collect()
}

/// Returns the tracks that both have.
fn common<'a>(
    planned: &'a [PlannedTrack],
    now: &'a [PlannedTrack],
) -> impl Iterator<Item = (&'a PlannedTrack, &'a PlannedTrack)> {
    planned.iter().filter_map(|before| {
        now.iter()
            .find(|after| after.is_same(before))
            .map(|after| (before, after))
    })
}

impl PlannedTrack {
    /// Returns whether it is the same track, whatever is in it.
    fn is_same(&self, other: &Self) -> bool {
        self.track == other.track && self.engine == other.engine
    }

    fn find(&self, version: &str) -> Option<&(String, String, String)> {
        self.migrations.iter().find(|m| m.0 == version)
    }

    fn changes(&self, now: &Self) -> Vec<String> {
        let added = now
            .migrations
            .iter()
            .filter(|(version, _, _)| self.find(version).is_none());
        let added = added.map(|(_, label, _)| format!("{label} is new on the track {}", self.track));
        self.edits(now).into_iter().chain(added).collect()
    }

    fn edits(&self, now: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for (version, label, checksum) in &self.migrations {
            match now.find(version) {
                None => changes.push(format!("{label} is gone from the track {}", self.track)),
                Some((_, _, present)) if present != checksum => {
                    changes.push(format!(
                        "{label} was edited (track {}, {})",
                        self.track, self.engine
                    ));
                }
                Some((_, present, _)) if present != label => {
                    changes.push(format!("{label} is {present} now"));
                }
                Some(_) => {}
            }
        }
        changes
    }
}

/// The waves and rules of a run.
#[derive(Serialize, Deserialize)]
struct Kept {
    waves: Vec<KeptWave>,
    /// Whether somebody named one tenant.
    #[serde(default)]
    is_of_one: bool,
    max_failures: Option<usize>,
    same_error: Option<usize>,
}

#[derive(Serialize, Deserialize)]
struct KeptWave {
    name: String,
    kind: String,
    then: String,
    soak_ms: u64,
    targets: usize,
    /// Whether it was to be waited behind it whatever was left to do in it.
    #[serde(default)]
    was_worked_on: bool,
}

/// Writes down the waves and rules of a run, and about whom it is.
pub(super) fn rollout_text(rollout: &Rollout, reach: Reach) -> String {
    let wave = |(number, wave): (usize, &Wave)| KeptWave {
        name: wave.name.clone(),
        kind: match wave.kind {
            WaveKind::Usual => "usual",
            WaveKind::Canary => "canary",
        }
        .to_owned(),
        then: match wave.then {
            Then::GoOn => "go_on",
            Then::Pause => "pause",
        }
        .to_owned(),
        soak_ms: u64::try_from(wave.soak.as_millis()).unwrap_or(u64::MAX),
        targets: rollout.places.iter().filter(|place| place.wave == number).count(),
        was_worked_on: wave.was_worked_on,
    };
    let kept = Kept {
        waves: rollout.waves.iter().enumerate().map(wave).collect(),
        is_of_one: reach == Reach::One,
        max_failures: rollout.max_failures,
        same_error: rollout.same_error,
    };
    serde_json::to_string(&kept).unwrap_or_default()
}

/// Reads the waves and rules of a run that this process goes on with, without places. A text that nobody wrote gives none,
/// and bears no failure.
pub(super) fn rollout_from(text: &str, stage: Stage, targets: &[RunTarget]) -> Rollout {
    let Ok(kept) = serde_json::from_str::<Kept>(text) else {
        return Rollout {
            stage,
            max_failures: Some(0),
            ..Rollout::default()
        };
    };
    let mut before = Before::default();
    for target in targets.iter().filter(|target| target.state == TargetState::Ended) {
        let failure = target.outcome.is_failure().then(|| target.detail().0).flatten();
        before.count((&target.track, target.wave), target.outcome, failure.as_ref());
    }
    let waves = kept.waves.into_iter().enumerate().map(|(number, kept)| Wave {
        name: kept.name,
        kind: if kept.kind == "canary" {
            WaveKind::Canary
        } else {
            WaveKind::Usual
        },
        then: if kept.then == "pause" {
            Then::Pause
        } else {
            Then::GoOn
        },
        soak: Duration::from_millis(kept.soak_ms),
        failed_before: before.failed_in(number),
        was_worked_on: kept.was_worked_on,
    });
    Rollout {
        waves: waves.collect(),
        stage,
        owed: Vec::new(),
        places: Vec::new(),
        max_failures: kept.max_failures,
        same_error: kept.same_error,
        failed_before: before.failed,
        succeeded_before: before.succeeded,
        alike_before: before.alike,
    }
}

/// Returns about whom a run was; several for a text that nobody wrote.
pub(super) fn reach_of(text: &str) -> Reach {
    let kept = serde_json::from_str::<Kept>(text);
    if kept.is_ok_and(|kept| kept.is_of_one) {
        return Reach::One;
    }
    Reach::Several
}

/// Returns the names of a run's waves, each with how many targets it has; none for a text that nobody wrote.
pub fn waves_of(text: &str) -> Vec<(String, usize)> {
    let kept = serde_json::from_str::<Kept>(text).ok();
    let waves = kept.into_iter().flat_map(|kept| kept.waves);
    waves.map(|wave| (wave.name, wave.targets)).collect()
}

/// Returns what comes behind a wave of a run, by its number; the next one if there is no such wave.
pub fn behind_wave(text: &str, wave: usize) -> Then {
    let waves = rollout_from(text, Stage::default(), &[]).waves;
    waves.get(wave).map(|wave| wave.then).unwrap_or_default()
}
