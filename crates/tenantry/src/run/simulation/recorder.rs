//! Writes where a run's targets are: what `fleet/recorder.rs` does.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::{Event, Line, MS, Micros, Note, Pid, Reply, Request, S};
use super::process::WINDOW;
use super::store::{Refused, Row};
use super::world::World;
use super::{Defect, JobIndex, Outcome, Said, Stage, Stop, TargetState};

const BATCH: usize = 256;
const PATIENCE: Micros = 250 * MS;
const UNDER_WAY: Micros = S;
const RECOVERY: Micros = 2 * S;

/// What is not in the registry yet.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    outcomes: Vec<Row>,
    /// Where the run is among its waves, and until when nothing begins behind it, by the process's clock.
    reached: Option<(usize, Option<Duration>)>,
    under_way: BTreeMap<JobIndex, (Row, Noted)>,
    is_taken_over: bool,
    /// What is being written.
    in_flight: Option<Batch>,
    /// When something is due to be written.
    due: Option<Micros>,
}

/// What is written at once.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    reached: Option<(usize, Option<Duration>)>,
    rows: Vec<Row>,
}

/// Whether the registry knows where a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noted {
    Yes,
    No,
}

impl Recorder {
    fn has_news(&self) -> bool {
        let is_news = |(_, noted): &(Row, Noted)| *noted == Noted::No;
        !self.outcomes.is_empty() || self.reached.is_some() || self.under_way.values().any(is_news)
    }

    fn batch(&mut self) -> Batch {
        let mut rows = std::mem::take(&mut self.outcomes);
        for (row, noted) in self.under_way.values_mut() {
            if std::mem::replace(noted, Noted::Yes) == Noted::No {
                rows.push(*row);
            }
        }
        let reached = self.reached.take();
        Batch { reached, rows }
    }

    fn take_back(&mut self, batch: Batch) {
        self.reached = self.reached.or(batch.reached);
        let is_outcome = |row: &Row| matches!(row.state, TargetState::Ended | TargetState::Pending);
        self.outcomes
            .splice(0..0, batch.rows.into_iter().filter(is_outcome));
        for (_, noted) in self.under_way.values_mut() {
            *noted = Noted::No;
        }
    }
}

fn stage((wave, soaks_until): (usize, Option<Duration>), clock: Duration) -> Stage {
    let soak = soaks_until.map(|until| until.saturating_sub(clock));
    Stage { wave, soak }
}

impl World {
    /// A wave begins, or has ended.
    pub(super) fn note_wave(&mut self, pid: Pid, wave: usize, soak: Option<Duration>) {
        let clock = self.processes[pid].clock(self.now);
        let Some(driving) = self.driving(pid) else { return };
        driving.recorder.reached = Some((wave, soak.map(|soak| clock + soak)));
        self.write_within(pid, UNDER_WAY);
    }

    /// A target is where it was not before.
    pub(super) fn note_state(&mut self, pid: Pid, job: JobIndex, state: TargetState) {
        let Some(driving) = self.driving(pid) else { return };
        let row = Row {
            state,
            ..Row::pending(driving.jobs[job], 0)
        };
        let under_way = &mut driving.recorder.under_way;
        let is_begun = under_way.contains_key(&job);
        let is_there = under_way.get(&job).is_some_and(|(row, _)| row.state == state);
        if !is_there && (is_begun || state == TargetState::Leased) {
            under_way.insert(job, (row, Noted::No));
        }
        self.write_within(pid, UNDER_WAY);
    }

    /// A target has ended.
    pub(super) fn note_outcome(&mut self, pid: Pid, job: JobIndex, outcome: Outcome) {
        let Some(driving) = self.driving(pid) else { return };
        let state = if outcome == Outcome::NotRun {
            TargetState::Pending
        } else {
            TargetState::Ended
        };
        driving.recorder.under_way.remove(&job);
        driving.recorder.outcomes.push(Row {
            state,
            outcome,
            ..Row::pending(driving.jobs[job], 0)
        });
        let is_much = driving.recorder.outcomes.len() > BATCH;
        self.write_within(pid, if is_much { 0 } else { PATIENCE });
    }

    fn write_within(&mut self, pid: Pid, own: Micros) {
        let at = self.now + self.processes[pid].real(own);
        let Some(driving) = self.driving(pid) else { return };
        if driving.recorder.due.is_none_or(|due| at < due) {
            driving.recorder.due = Some(at);
            self.at(at, Event::Process(pid, Note::Write(at)));
        }
    }

    /// Something is due to be written.
    pub(super) fn on_write(&mut self, pid: Pid, at: Micros) {
        let Some(driving) = self.driving(pid) else { return };
        if driving.finished.is_some() {
            return self.finish(pid);
        }
        let clock = self.processes[pid].clock(self.now);
        let Some(driving) = self.driving(pid) else { return };
        let (run, epoch) = (driving.run, driving.epoch);
        let recorder = &mut driving.recorder;
        if recorder.due != Some(at) || recorder.in_flight.is_some() || recorder.is_taken_over {
            return;
        }
        recorder.due = None;
        if recorder.has_news() {
            let batch = recorder.batch();
            recorder.in_flight = Some(batch.clone());
            let reached = batch.reached.map(|reached| stage(reached, clock));
            self.ask(
                pid,
                Line::Recorder,
                Request::Record(run, epoch, reached, batch.rows),
            );
        }
    }

    /// The registry has answered, or not.
    pub(super) fn on_recorded(&mut self, pid: Pid, reply: &Reply) {
        let obeys = self.settings.defect != Some(Defect::FenceIgnored);
        let Some(driving) = self.driving(pid) else { return };
        let Some(batch) = driving.recorder.in_flight.take() else {
            return self.on_finished(pid, reply);
        };
        let is_written = match reply {
            Reply::Written(Ok(())) => true,
            Reply::Written(Err(Refused::By(_))) if obeys => {
                if let Some(driving) = self.driving(pid) {
                    driving.recorder.is_taken_over = true;
                }
                self.say(pid, Said::TakenOver);
                false
            }
            Reply::Written(Err(_))
            | Reply::Away
            | Reply::Begun(_)
            | Reply::Claimed(_)
            | Reply::Rest(_)
            | Reply::Heard(_)
            | Reply::Driven(_) => {
                driving.recorder.take_back(batch);
                self.say(pid, Said::Away);
                false
            }
        };
        self.go_on_writing(pid, if is_written { PATIENCE } else { RECOVERY });
    }

    fn go_on_writing(&mut self, pid: Pid, pause: Micros) {
        let Some(driving) = self.driving(pid) else { return };
        if driving.finished.is_some() {
            return self.finish(pid);
        }
        driving.recorder.due = None;
        if driving.recorder.has_news() {
            self.write_within(pid, pause);
        }
    }

    /// Writes what still waits, and that the run has ended.
    pub(super) fn finish(&mut self, pid: Pid) {
        let window = self.now + self.processes[pid].real(WINDOW);
        let clock = self.processes[pid].clock(self.now);
        let Some(driving) = self.driving(pid) else { return };
        if driving.recorder.in_flight.is_some() {
            return;
        }
        if driving.recorder.is_taken_over {
            return self.drove(pid);
        }
        let Some(end) = driving.finished.clone() else {
            return;
        };
        driving.finishes_until.get_or_insert(window);
        let mut ending = driving.ending(&end);
        let reached = driving.recorder.reached.map(|reached| stage(reached, clock));
        ending.stage = ending.stage.or(reached);
        let request = Request::Finish(
            driving.run,
            driving.epoch,
            ending,
            driving.recorder.outcomes.clone(),
        );
        self.ask(pid, Line::Recorder, request);
    }

    fn on_finished(&mut self, pid: Pid, reply: &Reply) {
        let recovery = self.processes[pid].real(RECOVERY);
        let again = self.now + recovery;
        let Some(driving) = self.driving(pid) else { return };
        let is_late = driving.finishes_until.is_some_and(|until| again >= until);
        let is_settled = matches!(reply, Reply::Written(Ok(()) | Err(Refused::By(_))));
        if is_settled || is_late || driving.stop != Stop::No {
            return self.drove(pid);
        }
        self.at(again, Event::Process(pid, Note::Write(again)));
    }
}
