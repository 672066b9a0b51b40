//! What is known of one target over all its attempts: what was done, and what may have been. Pure.

use std::collections::{BTreeSet, HashSet};

use crate::direction::Direction;
use crate::engine::{ApplyError, Recorded, StateAfter, Unit};
use crate::history::{Applied, History, Phase};
use crate::migration::Version;
use crate::target::TrackName;

/// What is known of a target.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// The attempts that led forwards: the row of a way back that was given up carries its attempt too.
    attempt_ids: HashSet<String>,
    /// The newest version when the history was first read.
    from: Option<Version>,
    /// What was done when the history was last read; `None` before it was.
    seen: Option<BTreeSet<Version>>,
    /// What was carried out, in order, and which way it led.
    recorded: Vec<(Direction, Recorded)>,
    /// What was taken back with a COMMIT whose answer was lost: its rows tell by being gone.
    in_doubt: Vec<Version>,
    /// What is there of a migration that is not done, since the history was last read.
    left: Option<Left>,
}

/// What is there of a migration that is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// Its `version_name`.
    pub(super) migration: String,
    /// What is known of it; never that nothing is there.
    pub(super) state: StateAfter,
}

impl Account {
    /// Notes an attempt of ours; the rows of one that leads forwards count as done by us.
    pub(super) fn begin(&mut self, attempt_id: &str, direction: Direction) {
        if direction == Direction::Up {
            self.attempt_ids.insert(attempt_id.to_owned());
        }
    }

    /// Takes a history in; what an attempt of ours wrote and never heard of counts as done by us.
    pub(super) fn see(&mut self, track: &TrackName, history: &History) {
        for row in history.of_track(track) {
            let ours = row.phase == Phase::Done && self.attempt_ids.contains(&row.attempt_id);
            let up = |(direction, r): &(Direction, Recorded)| {
                *direction == Direction::Up && r.version == row.version
            };
            if ours && !self.recorded.iter().any(up) {
                let recorded = Recorded {
                    version: row.version,
                    duration_ms: row.duration_ms,
                    taken_up: None,
                };
                self.recorded.push((Direction::Up, recorded));
            }
        }
        for version in std::mem::take(&mut self.in_doubt) {
            if history.find(track, version).is_none() {
                // How long it took stood in the answer.
                let recorded = Recorded {
                    version,
                    duration_ms: 0,
                    taken_up: None,
                };
                self.recorded.push((Direction::Down, recorded));
            }
        }
        let is_done = |row: &&Applied| row.phase == Phase::Done;
        let done: BTreeSet<Version> = history
            .of_track(track)
            .filter(is_done)
            .map(|row| row.version)
            .collect();
        if self.seen.is_none() {
            self.from = done.last().copied();
        }
        self.seen = Some(done);
        let open = history.of_track(track).find(|row| !is_done(row));
        let known = self.left.take();
        self.left = open.map(|row| {
            let migration = format!("{}_{}", row.version, row.name);
            // Whoever left it knows more than its row tells here.
            let state = known.filter(|left| left.migration == migration);
            Left {
                state: state.map_or(StateAfter::Unknown, |left| left.state),
                migration,
            }
        });
    }

    /// Remembers what a unit that failed has left, and what it may have taken back: a revert leaves no row that could
    /// carry our attempt.
    pub(super) fn fail(&mut self, error: &ApplyError, unit: &Unit) {
        let (step, state) = left_by(error);
        if let (Some(step), false) = (unit.steps.get(step), state == StateAfter::RolledBack) {
            self.left = Some(Left {
                migration: step.migration.label(),
                state,
            });
        }
        let is_in_doubt = matches!(
            error,
            ApplyError::Session {
                commit_sent: true,
                ..
            }
        );
        if is_in_doubt && unit.direction == Direction::Down {
            self.in_doubt = unit.steps.iter().map(|step| step.migration.version).collect();
        }
    }

    /// Takes in what a unit has done.
    pub(super) fn finish(&mut self, direction: Direction, recorded: Vec<Recorded>) {
        self.left = None;
        self.recorded
            .extend(recorded.into_iter().map(|done| (direction, done)));
    }

    /// Returns whether nothing was carried out.
    pub(super) fn is_empty(&self) -> bool {
        self.recorded.is_empty()
    }

    /// Returns what is there of a migration that is not done, as far as it is known.
    pub(super) fn left(&self) -> Option<&Left> {
        self.left.as_ref()
    }

    /// Returns the newest version when the history was first read; `None` if none was done, or if it was not read.
    pub(super) fn from(&self) -> Option<Version> {
        self.from
    }

    /// Returns the newest version now.
    pub(super) fn to(&self) -> Option<Version> {
        let mut done = self.seen.clone()?;
        for (direction, recorded) in &self.recorded {
            match direction {
                Direction::Up => done.insert(recorded.version),
                Direction::Down => done.remove(&recorded.version),
            };
        }
        done.last().copied()
    }

    /// Returns what was carried out, in order.
    pub(super) fn into_recorded(self) -> Vec<Recorded> {
        self.recorded.into_iter().map(|(_, recorded)| recorded).collect()
    }
}

/// Returns which step an error is about, and what is there of it.
fn left_by(error: &ApplyError) -> (usize, StateAfter) {
    match error {
        ApplyError::Statement { step, state, .. }
        | ApplyError::Cancelled { step, state }
        | ApplyError::Edited { step, state, .. }
        | ApplyError::SessionChanged { step, state, .. }
        | ApplyError::TooLong { step, state, .. }
        | ApplyError::StringRules { step, state, .. } => (*step, *state),
        ApplyError::Ambiguous { step, .. } => (*step, StateAfter::Ambiguous),
        ApplyError::SessionLost { step, done, .. } => (*step, StateAfter::SessionLost { done: *done }),
        ApplyError::Session {
            commit_sent: true, ..
        }
        | ApplyError::NotReadBack => (0, StateAfter::Unknown),
        // Another session has the history now.
        ApplyError::Fenced | ApplyError::Session { .. } => (0, StateAfter::RolledBack),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, SessionError};
    use crate::migration::Track;
    use crate::plan::{Goal, plan};

    fn track() -> Track {
        let files = [("1_a.sql", "CREATE TABLE a (n INT)")];
        Track::from_files(TrackName::Tenant, Engine::Postgres, &files).unwrap()
    }

    fn unit(track: &Track) -> Unit {
        Unit {
            track: TrackName::Tenant,
            direction: Direction::Up,
            steps: plan(track, &History::default(), &Goal::Head).unwrap().steps,
            run_id: "run".to_owned(),
            attempt_id: "attempt".to_owned(),
        }
    }

    fn unheard() -> ApplyError {
        let reason = "closed".to_owned();
        ApplyError::Session {
            commit_sent: true,
            source: SessionError::Lost { reason },
        }
    }

    #[test]
    fn what_a_lost_commit_left_is_not_known_until_the_history_is_read() {
        let track = track();
        let mut account = Account::default();
        account.see(&track.name, &History::default());
        account.fail(&ApplyError::Fenced, &unit(&track));
        assert_eq!(account.left(), None);
        account.fail(&unheard(), &unit(&track));
        let left = Left {
            migration: "1_a".to_owned(),
            state: StateAfter::Unknown,
        };
        assert_eq!(account.left(), Some(&left));
        account.see(&track.name, &History::default());
        assert_eq!(account.left(), None);
    }

    #[test]
    fn the_row_of_a_way_back_that_was_given_up_is_nothing_we_applied() {
        let track = track();
        let migration = track.migrations.first().unwrap();
        let done = |attempt_id: &str| History {
            rows: vec![Applied {
                track: track.name.clone(),
                version: migration.version,
                name: migration.name.clone(),
                checksum: migration.up.checksum,
                phase: Phase::Done,
                attempt_id: attempt_id.to_owned(),
                run_id: "run".to_owned(),
                epoch: 1,
                next_stmt: 1,
                total_stmts: 1,
                pre_fp: None,
                started_at: String::new(),
                done_at: None,
                duration_ms: 0,
            }],
            ..History::default()
        };
        for (direction, applied) in [(Direction::Down, 0), (Direction::Up, 1)] {
            let mut account = Account::default();
            account.see(&track.name, &done("another"));
            account.begin("ours", direction);
            account.see(&track.name, &done("ours"));
            assert_eq!(account.into_recorded().len(), applied, "{direction}");
        }
    }
}
