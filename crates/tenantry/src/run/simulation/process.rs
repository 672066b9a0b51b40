//! A process that begins a run, joins one or goes on with one: what `fleet/execute.rs` and `fleet/follow.rs` do.

use std::time::Duration;

use super::driving::Driving;
use super::event::{Errand, Event, Line, MS, Micros, Note, Pid, Reply, Request, S, Ticket, WhenHeld};
use super::store::{Begun, Claimed, Driven, Refused, Row, RunKey, Wish};
use super::world::World;
use super::{Reach, Refusal, Standing};

/// How often a run that others hold up looks whether it may begin.
const LOOK_AGAIN: Micros = S;
/// How often the registry is asked whether a run that is followed goes on.
const LOOK: Micros = 500 * MS;
/// How long a registry that does not answer is waited for.
pub(super) const WINDOW: Micros = 60 * S;

/// A process.
#[derive(Debug)]
pub(super) struct Process {
    begun: Micros,
    /// How long its machine slept; its clock did, too.
    pub(super) slept: Micros,
    /// By how many millionths its clock is fast, counted from a clock that is too slow by 10,000.
    pace: u64,
    pub(super) host: u64,
    /// Until when it is frozen.
    pub(super) frozen_until: Micros,
    pub(super) cut_from_registry: Micros,
    /// Until when it does not reach a server.
    cut: Vec<(usize, Micros)>,
    numbers: [u64; 3],
    waits_for: [Option<u64>; 3],
    /// The run that it asked for last.
    wished: RunKey,
    /// When it asked for a run last, by its own clock.
    pub(super) asked: Duration,
    pub(super) errand: Errand,
    pub(super) doing: Doing,
}

/// Where a process is.
#[derive(Debug)]
pub(super) enum Doing {
    /// It asks whether it may begin, or go on with a run.
    Begins,
    /// It asks for what is left of a run that it was given.
    Reads(RunKey, i64),
    /// Somebody else drives the run; since when the registry is silent.
    Follows(RunKey, Option<Micros>),
    /// It drives a run.
    Drives(Box<Driving>),
    /// It has ended.
    Over,
}

const FRACTION: u64 = 1_000_000;

impl Process {
    pub(super) fn is_dead(&self) -> bool {
        matches!(self.doing, Doing::Over)
    }

    /// Returns until when it does not reach a server.
    pub(super) fn cut_from(&self, server: usize) -> Micros {
        let cuts = self.cut.iter().filter(|(of, _)| *of == server);
        cuts.map(|(_, until)| *until).max().unwrap_or(0)
    }

    pub(super) fn cut(&mut self, server: usize, until: Micros) {
        self.cut.push((server, until));
    }

    /// It goes on, and reaches everybody.
    pub(super) fn heal(&mut self, now: Micros) {
        self.frozen_until = self.frozen_until.min(now);
        self.cut_from_registry = self.cut_from_registry.min(now);
        self.cut.clear();
    }

    /// Returns the time by its own clock.
    pub(super) fn clock(&self, now: Micros) -> Duration {
        let awake = now.saturating_sub(self.begun + self.slept);
        Duration::from_micros(awake * (FRACTION - 10_000 + self.pace) / FRACTION)
    }

    /// Returns how long a time by its clock is.
    pub(super) fn real(&self, own: Micros) -> Micros {
        own * FRACTION / (FRACTION - 10_000 + self.pace) + 1
    }

    pub(super) fn ticket(&mut self, pid: Pid, line: Line) -> Ticket {
        let index = line as usize;
        self.numbers[index] += 1;
        self.waits_for[index] = Some(self.numbers[index]);
        Ticket {
            pid,
            line,
            number: self.numbers[index],
        }
    }

    /// Returns whether an answer is one that is still waited for.
    fn hears(&mut self, ticket: Ticket) -> bool {
        let waits_for = &mut self.waits_for[ticket.line as usize];
        let is_waited_for = *waits_for == Some(ticket.number);
        if is_waited_for {
            *waits_for = None;
        }
        is_waited_for
    }
}

impl World {
    pub(super) fn launch(&mut self, errand: Errand) {
        let process = Process {
            begun: self.now,
            slept: 0,
            pace: self.random.below(20_000),
            host: self.random.below(3),
            frozen_until: 0,
            cut_from_registry: 0,
            cut: Vec::new(),
            numbers: [0; 3],
            waits_for: [None; 3],
            wished: 0,
            asked: Duration::ZERO,
            errand,
            doing: Doing::Begins,
        };
        self.processes.push(process);
        self.figures.drivers += 1;
        self.go_on(self.processes.len() - 1);
    }

    /// Something comes to a process, or is due in it.
    pub(super) fn on_note(&mut self, pid: Pid, note: Note) {
        let process = &mut self.processes[pid];
        if process.is_dead() {
            return self.comes_too_late(&note);
        }
        if process.frozen_until > self.now {
            let thaws = process.frozen_until;
            return self.at(thaws, Event::Process(pid, note));
        }
        match note {
            Note::Reply(ticket, reply) => {
                if process.hears(ticket) {
                    self.heard(pid, ticket.line, *reply);
                }
            }
            Note::GoOn => self.go_on(pid),
            Note::Result(job, number, answer) => self.on_result(pid, job, number, answer),
            Note::Again(job, number) => self.on_again(pid, job, number),
            Note::Wake(at) => self.on_wake(pid, at),
            Note::Keep => self.keep(pid),
            Note::Write(at) => self.on_write(pid, at),
        }
    }

    fn heard(&mut self, pid: Pid, line: Line, reply: Reply) {
        match line {
            Line::Errand => self.on_errand(pid, reply),
            Line::Keeper => self.on_kept(pid, &reply),
            Line::Recorder => self.on_recorded(pid, &reply),
        }
    }

    /// Asks the registry what comes next.
    fn go_on(&mut self, pid: Pid) {
        let now = self.now;
        let process = &mut self.processes[pid];
        if matches!(process.doing, Doing::Begins) {
            process.asked = process.clock(now);
        }
        let process = &self.processes[pid];
        let request = match &process.doing {
            Doing::Begins => match process.errand.take_up {
                Some(run) => Request::Claim(run),
                None => Request::Begin(self.wish(pid)),
            },
            Doing::Reads(run, _) => Request::Rest(*run),
            Doing::Follows(run, _) => Request::Driven(*run),
            Doing::Drives(_) | Doing::Over => return,
        };
        self.ask(pid, Line::Errand, request);
    }

    fn wish(&mut self, pid: Pid) -> Wish {
        self.runs_begun += 1;
        self.processes[pid].wished = self.runs_begun;
        let errand = &self.processes[pid].errand;
        self.rollouts.insert(self.runs_begun, errand.rollout);
        let rollout = &self.fleet.rollouts[errand.rollout];
        let targets = errand.targets.iter();
        Wish {
            run: self.runs_begun,
            plan: errand.plan,
            reach: Reach::Several,
            continues: None,
            rows: targets
                .map(|target| Row::pending(*target, rollout.wave_of(*target)))
                .collect(),
        }
    }

    fn on_errand(&mut self, pid: Pid, reply: Reply) {
        match reply {
            Reply::Begun(begun) => self.on_begun(pid, &begun),
            Reply::Claimed(Ok(Claimed::Given(epoch))) => {
                let run = self.processes[pid].errand.take_up.unwrap_or_default();
                self.enter(pid, Doing::Reads(run, epoch));
            }
            Reply::Claimed(Ok(Claimed::Held(_))) => self.held_up(pid),
            Reply::Claimed(Err(Refused::By(Refusal::Held))) => {
                let run = self.processes[pid].errand.take_up.unwrap_or_default();
                self.enter(pid, Doing::Follows(run, None));
            }
            Reply::Rest(Some((stage, rows))) => self.take_rest(pid, stage, &rows),
            Reply::Driven(driven) => self.on_driven(pid, driven),
            Reply::Away if self.waits_for_registry(pid) => self.pause(pid, LOOK),
            Reply::Claimed(Err(_)) | Reply::Rest(None) | Reply::Away => self.leave_world(pid),
            Reply::Heard(_) | Reply::Written(_) => {}
        }
    }

    fn on_begun(&mut self, pid: Pid, begun: &Begun) {
        match begun {
            Begun::New => {
                let run = self.processes[pid].wished;
                self.drive_whole(pid, run);
            }
            Begun::Taken(run, epoch) => self.enter(pid, Doing::Reads(*run, *epoch)),
            Begun::Attached(run) => {
                self.figures.attached += 1;
                self.enter(pid, Doing::Follows(*run, None));
            }
            Begun::Held(_) => self.held_up(pid),
            Begun::Waits(_) if self.is_faulty() => self.leave_world(pid),
            // Somebody does what the message says.
            Begun::Waits(run) => {
                if let Some(kept) = self.store.runs.get(run) {
                    self.processes[pid].errand.plan = kept.plan;
                }
                self.processes[pid].errand.take_up = Some(*run);
                self.go_on(pid);
            }
        }
    }

    /// Other runs have some of the targets.
    fn held_up(&mut self, pid: Pid) {
        match self.processes[pid].errand.when_held {
            WhenHeld::Wait => self.pause(pid, LOOK_AGAIN),
            WhenHeld::Refuse => self.leave_world(pid),
        }
    }

    fn enter(&mut self, pid: Pid, doing: Doing) {
        self.processes[pid].doing = doing;
        self.go_on(pid);
    }

    fn pause(&mut self, pid: Pid, pause: Micros) {
        let after = self.processes[pid].real(pause);
        self.at(self.now + after, Event::Process(pid, Note::GoOn));
    }

    fn on_driven(&mut self, pid: Pid, driven: Result<Driven, Refused>) {
        let Doing::Follows(run, silent) = &mut self.processes[pid].doing else {
            return;
        };
        if driven.is_ok() {
            *silent = None;
        }
        let run = *run;
        match driven {
            Ok(Driven::BySomebody) => self.pause(pid, LOOK),
            Ok(Driven::ByNobody) => self.enter(pid, Doing::Begins),
            // A run that a restored registry does not know is an error, as one without an answer is.
            Err(_) if self.waits_for_registry(pid) => self.pause(pid, LOOK),
            Ok(Driven::Over(_)) | Err(_) => {
                let is_over = |standing: Standing| standing != Standing::Running;
                let kept = self.store.runs.get(&run);
                self.figures.followed += u64::from(kept.is_some_and(|kept| is_over(kept.lease.standing)));
                self.leave_world(pid);
            }
        }
    }

    /// Returns whether a follower goes on waiting for a registry that does not answer.
    fn waits_for_registry(&mut self, pid: Pid) -> bool {
        let now = self.now;
        let Doing::Follows(_, silent) = &mut self.processes[pid].doing else {
            return false;
        };
        let since = *silent.get_or_insert(now);
        now - since < WINDOW
    }

    /// A process ends by itself, or dies.
    pub(super) fn leave_world(&mut self, pid: Pid) {
        let doing = std::mem::replace(&mut self.processes[pid].doing, Doing::Over);
        if let Doing::Drives(driving) = doing {
            for session in driving.sessions() {
                self.leave(pid, session);
            }
        }
    }
}
