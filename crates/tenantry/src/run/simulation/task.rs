//! The work on one target, from the session to the outcome: what `run/target.rs` and the engines do.

use super::event::{Answer, Call, Event, Look, MS, Message, Micros, Note, Pid, S, SessionKey};
use super::fleet::Protocol;
use super::store::TargetKey;
use super::world::World;
use super::{Defect, Ending, Input, JobIndex, Outcome, Stop, TargetState};

/// How often a lock that somebody has is asked for.
const POLL: Micros = 500 * MS;
/// How long it is waited for.
const LOCK_WINDOW: Micros = 5 * 60 * S;
/// How often a lost session is replaced before the target is given up.
const SESSIONS_MAX: u8 = 5;

/// The work on one target.
#[derive(Debug)]
pub(super) struct Task {
    target: TargetKey,
    /// Tells its present question apart from earlier ones.
    number: u64,
    pub(super) phase: Phase,
    pub(super) session: Option<SessionKey>,
    opening_since: Micros,
    epoch: u64,
    look: Look,
    /// The version whose end it has not heard of.
    sent: Option<u8>,
    has_applied: bool,
    lost: u8,
    waited: Micros,
}

/// What it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A session with the lock.
    Opens,
    /// The end of a pause.
    Pauses,
    /// The end of a version, in one transaction.
    Whole,
    /// That an intent is written.
    Intends,
    /// The end of a statement.
    Executes,
    /// That a version is recorded.
    Records,
    /// Its run, which has put it back.
    Parked,
}

impl World {
    /// Begins with a target, or goes on with one that was put back.
    pub(super) fn begin_task(&mut self, pid: Pid, job: JobIndex) {
        let Some(driving) = self.driving(pid) else { return };
        let target = driving.jobs[job];
        driving.tasks.entry(job).or_insert(Task {
            target,
            number: 0,
            phase: Phase::Opens,
            session: None,
            opening_since: 0,
            epoch: 0,
            look: Look::default(),
            sent: None,
            has_applied: false,
            lost: 0,
            waited: 0,
        });
        self.note_state(pid, job, TargetState::Leased);
        self.open_session(pid, job);
    }

    fn task(&mut self, pid: Pid, job: JobIndex) -> Option<&mut Task> {
        self.driving(pid)?.tasks.get_mut(&job)
    }

    fn open_session(&mut self, pid: Pid, job: JobIndex) {
        let now = self.now;
        let Some(target) = self.task(pid, job).map(|task| task.target) else {
            return;
        };
        let session = self.new_session(target);
        if let Some(task) = self.task(pid, job) {
            (task.session, task.opening_since) = (Some(session), now);
        }
        self.tell(pid, job, Phase::Opens, Message::Open);
    }

    fn tell(&mut self, pid: Pid, job: JobIndex, phase: Phase, message: Message) {
        let Some(task) = self.task(pid, job) else { return };
        task.phase = phase;
        task.number += 1;
        let Some(session) = task.session else { return };
        let call = Call {
            pid,
            job,
            number: task.number,
            target: task.target,
            session,
        };
        self.call(call, message);
    }

    /// A database has answered, or is given up.
    pub(super) fn on_result(&mut self, pid: Pid, job: JobIndex, number: u64, answer: Answer) {
        let Some(task) = self.task(pid, job).filter(|task| task.number == number) else {
            return;
        };
        match answer {
            Answer::Opened { epoch, look } => {
                (task.epoch, task.look) = (epoch, look);
                // What was sent and not heard of is settled by the history.
                let is_settled = task.sent.take().is_some_and(|sent| look.applied > sent);
                task.has_applied |= is_settled;
                let took = self.now - self.task(pid, job).map_or(0, |task| task.opening_since);
                let opening = crate::run::machine::Opening {
                    took: std::time::Duration::from_micros(took),
                    connections: None,
                };
                self.feed(pid, Input::Opened(job, opening));
                self.next_version(pid, job);
            }
            Answer::Locked => self.wait_for_lock(pid, job),
            Answer::Done => self.done(pid, job),
            Answer::Failed => {
                let likeness = u64::from(task.look.applied);
                self.end_task(pid, job, Outcome::Failed, Ending::Failed(Some(likeness)));
            }
            Answer::Fenced => {
                self.drop_session(pid, job);
                self.wait_for_lock(pid, job);
            }
            Answer::Crowded => self.put_back(pid, job, Ending::Crowded),
            Answer::Unreachable => self.put_back(pid, job, Ending::Unreachable),
            Answer::LoginRefused => {
                self.end_task(pid, job, Outcome::AuthFailed, Ending::LoginRefused);
            }
            Answer::Lost => self.lost_session(pid, job),
        }
    }

    /// Begins with the next version, or ends.
    fn next_version(&mut self, pid: Pid, job: JobIndex) {
        let Some(driving) = self.driving(pid) else { return };
        let (versions, stop) = (driving.versions, driving.stop);
        let Some(task) = driving.tasks.get_mut(&job) else {
            return;
        };
        let (version, epoch, look) = (task.look.applied, task.epoch, task.look);
        let target = task.target as usize;
        if version > versions {
            return self.end_task(pid, job, Outcome::Ahead, Ending::Refused);
        }
        if version == versions {
            let outcome = if task.has_applied {
                Outcome::Applied
            } else {
                Outcome::Current
            };
            let ending = if outcome == Outcome::Current {
                Ending::Current
            } else {
                Ending::Succeeded
            };
            return self.end_task(pid, job, outcome, ending);
        }
        if stop == Stop::Cancel {
            return self.end_task(pid, job, Outcome::Cancelled, Ending::Otherwise);
        }
        task.sent = Some(version);
        let protocol = self.fleet.targets[target].protocol;
        self.note_state(pid, job, TargetState::Running);
        match protocol {
            Protocol::Whole => self.tell(pid, job, Phase::Whole, Message::Whole { version, epoch }),
            Protocol::Stepwise if look.has_intent && look.has_effect => {
                self.tell(pid, job, Phase::Records, Message::Record { version, epoch });
            }
            Protocol::Stepwise => self.tell(pid, job, Phase::Intends, Message::Intent { epoch }),
        }
        if self.settings.defect == Some(Defect::NotReadBack) && version + 1 == versions {
            self.end_task(pid, job, Outcome::Applied, Ending::Succeeded);
        }
    }

    /// What was asked of the database is done.
    fn done(&mut self, pid: Pid, job: JobIndex) {
        let Some(task) = self.task(pid, job) else { return };
        let (version, epoch) = (task.look.applied, task.epoch);
        match task.phase {
            Phase::Intends => self.tell(pid, job, Phase::Executes, Message::Statement { version }),
            Phase::Executes => self.tell(pid, job, Phase::Records, Message::Record { version, epoch }),
            Phase::Whole | Phase::Records => {
                (task.has_applied, task.sent, task.waited) = (true, None, 0);
                task.look = Look {
                    applied: version + 1,
                    ..Look::default()
                };
                self.next_version(pid, job);
            }
            Phase::Opens | Phase::Pauses | Phase::Parked => {}
        }
    }

    fn wait_for_lock(&mut self, pid: Pid, job: JobIndex) {
        let Some(driving) = self.driving(pid) else { return };
        let stop = driving.stop;
        let Some(task) = driving.tasks.get_mut(&job) else {
            return;
        };
        task.session = None;
        task.waited += POLL;
        if stop == Stop::Cancel {
            self.end_task(pid, job, Outcome::Cancelled, Ending::Otherwise);
        } else if task.waited > LOCK_WINDOW {
            self.end_task(pid, job, Outcome::Blocked, Ending::Failed(None));
        } else {
            self.pause_task(pid, job, POLL);
        }
    }

    fn lost_session(&mut self, pid: Pid, job: JobIndex) {
        self.drop_session(pid, job);
        let Some(driving) = self.driving(pid) else { return };
        let stop = driving.stop;
        let Some(task) = driving.tasks.get_mut(&job) else {
            return;
        };
        task.lost += 1;
        let lost = task.lost;
        if lost >= SESSIONS_MAX || stop == Stop::Cancel {
            return self.end_task(pid, job, Outcome::Interrupted, Ending::Otherwise);
        }
        let longest = POLL << lost;
        let pause = self.random.between(longest / 2, longest);
        self.pause_task(pid, job, pause);
    }

    fn pause_task(&mut self, pid: Pid, job: JobIndex, pause: Micros) {
        let after = self.processes[pid].real(pause);
        let Some(task) = self.task(pid, job) else { return };
        task.phase = Phase::Pauses;
        task.number += 1;
        let note = Note::Again(job, task.number);
        self.at(self.now + after, Event::Process(pid, note));
    }

    pub(super) fn on_again(&mut self, pid: Pid, job: JobIndex, number: u64) {
        if self.task(pid, job).is_some_and(|task| task.number == number) {
            self.open_session(pid, job);
        }
    }

    /// The server, not the target, is in trouble: the run decides when it is tried again.
    fn put_back(&mut self, pid: Pid, job: JobIndex, ending: Ending) {
        let Some(task) = self.task(pid, job) else { return };
        (task.phase, task.session) = (Phase::Parked, None);
        task.number += 1;
        self.job_ended(pid, job, (None, ending));
    }

    fn drop_session(&mut self, pid: Pid, job: JobIndex) {
        if let Some(session) = self.task(pid, job).and_then(|task| task.session.take()) {
            self.leave(pid, session);
        }
    }

    fn end_task(&mut self, pid: Pid, job: JobIndex, outcome: Outcome, ending: Ending) {
        self.drop_session(pid, job);
        let Some(driving) = self.driving(pid) else { return };
        driving.tasks.remove(&job);
        self.job_ended(pid, job, (Some(outcome), ending));
    }

    /// Running statements are cancelled: whoever waits ends now, the others before their next version.
    pub(super) fn cancel_tasks(&mut self, pid: Pid) {
        let Some(driving) = self.driving(pid) else { return };
        let pausing = driving
            .tasks
            .iter()
            .filter(|(_, task)| task.phase == Phase::Pauses);
        let pausing: Vec<JobIndex> = pausing.map(|(job, _)| *job).collect();
        for job in pausing {
            self.end_task(pid, job, Outcome::Cancelled, Ending::Otherwise);
        }
    }

    /// Something comes to a process that is dead.
    pub(super) fn comes_too_late(&mut self, note: &Note) {
        self.figures.late += u64::from(matches!(note, Note::Reply(..) | Note::Result(..)));
    }
}
