//! A process that drives a run: the machine, and what `run/drive.rs` and `fleet/drive.rs` do around it.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{self, Tally};
use super::event::{Event, Micros, Note, Pid, S, SessionKey};
use super::fleet::versions;
use super::keeper::Keeper;
use super::process::{Doing, Process};
use super::recorder::Recorder;
use super::store::{Ending as RunEnding, Row, RunKey, TargetKey};
use super::task::{Phase, Task};
use super::world::World;
use super::{
    Action, Asked, Care, End, Ending, Input, JobIndex, JobSpec, LaneSpec, Machine, Outcome, RunStatus, Said,
    Spec, Stage, Stop, TargetState, Why,
};

/// For so long a driver may rely on what the registry has forgotten since: for the time that its word counts.
const FORGOTTEN: Micros = 21 * S;

/// A run and what a process does of it.
#[derive(Debug)]
pub(super) struct Driving {
    pub(super) run: RunKey,
    pub(super) epoch: i64,
    pub(super) versions: u8,
    pub(super) jobs: Vec<TargetKey>,
    /// For each wave how much may go wrong in it.
    cares: Vec<Care>,
    machine: Machine,
    /// When it is looked at next, if nothing happens before.
    wakes_at: Option<Micros>,
    pub(super) stop: Stop,
    end: End,
    pub(super) keeper: Keeper,
    pub(super) recorder: Recorder,
    pub(super) tasks: BTreeMap<JobIndex, Task>,
    held: BTreeMap<JobIndex, Outcome>,
    reported: BTreeSet<Reported>,
    tally: Tally,
    pub(super) finished: Option<End>,
    pub(super) finishes_until: Option<Micros>,
}

/// What the outcomes of a run tell about its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reported {
    CutShort,
}

impl Driving {
    /// Returns the sessions that are open, or on their way.
    pub(super) fn sessions(&self) -> Vec<SessionKey> {
        self.tasks.values().filter_map(|task| task.session).collect()
    }

    /// Returns how the run ends in the registry, as `status` in `run/runner.rs` does.
    pub(super) fn ending(&self, end: &End) -> RunEnding {
        let is_cut_short = self.reported.contains(&Reported::CutShort);
        let status = match end {
            End::Stopped(_) | End::RegistryLost => RunStatus::Stopped,
            End::Gate(_) => RunStatus::Paused,
            End::Paused if is_cut_short => RunStatus::Paused,
            End::Cancelled if is_cut_short => RunStatus::Cancelled,
            End::Interrupted | End::Fenced if is_cut_short => RunStatus::Interrupted,
            End::Completed | End::Paused | End::Cancelled | End::Interrupted | End::Fenced => {
                RunStatus::Completed
            }
        };
        let stage = match end {
            End::Gate(wave) => Some(Stage {
                wave: wave + 1,
                soak: None,
            }),
            End::Completed
            | End::Paused
            | End::Stopped(_)
            | End::Interrupted
            | End::Cancelled
            | End::RegistryLost
            | End::Fenced => None,
        };
        RunEnding { status, stage }
    }
}

impl World {
    /// A process drives a run from its beginning.
    pub(super) fn drive_whole(&mut self, pid: Pid, run: RunKey) {
        let rollout = self.processes[pid].errand.rollout;
        let targets = self.processes[pid].errand.targets.clone();
        let waves = &self.fleet.rollouts[rollout];
        let rows: Vec<Row> = targets
            .into_iter()
            .map(|target| Row::pending(target, waves.wave_of(target)))
            .collect();
        self.drive(pid, (run, 1), Stage::default(), &rows);
    }

    /// A process drives what is left of a run.
    pub(super) fn take_rest(&mut self, pid: Pid, mut stage: Stage, rows: &[Row]) {
        if self.settings.defect == Some(super::Defect::SoakForgotten) {
            stage.soak = Some(std::time::Duration::ZERO);
        }
        if let Doing::Reads(run, epoch) = self.processes[pid].doing {
            self.drive(pid, (run, epoch), stage, rows);
        }
    }

    fn drive(&mut self, pid: Pid, (run, epoch): (RunKey, i64), stage: Stage, rows: &[Row]) {
        let rollout = self.rollouts.get(&run).copied().unwrap_or(0);
        let held = self.held_back(rows);
        let open: Vec<Row> = rows
            .iter()
            .filter(|row| row.state != TargetState::Ended && !held.contains(&row.target))
            .copied()
            .collect();
        let mut spec = self.spec(rollout, stage, rows, &open);
        if epoch > 1 {
            for wave in &mut spec.waves {
                wave.was_worked_on = true;
            }
        }
        let tally = self.tally(&spec, rows);
        let plan = self.processes[pid].errand.plan;
        let asked = self.processes[pid].asked;
        let driving = Driving {
            run,
            epoch,
            versions: versions(plan),
            cares: spec.waves.iter().map(|wave| wave.care).collect(),
            jobs: open.iter().map(|row| row.target).collect(),
            machine: Machine::new(spec),
            wakes_at: None,
            stop: Stop::No,
            end: End::Completed,
            keeper: Keeper::new(asked),
            recorder: Recorder::default(),
            tasks: BTreeMap::new(),
            held: BTreeMap::new(),
            reported: BTreeSet::new(),
            tally,
            finished: None,
            finishes_until: None,
        };
        self.figures.targets += driving.jobs.len() as u64;
        self.processes[pid].doing = Doing::Drives(Box::new(driving));
        let ago = self.processes[pid].clock(self.now).saturating_sub(asked);
        self.say(pid, Said::Ours { ago });
        self.feed(pid, Input::Begin);
        self.keep_later(pid);
    }

    /// Returns the kinds of a run's first targets of which none has gone well yet.
    fn owed_by(&self, rows: &[Row]) -> Vec<usize> {
        let kind = |row: &Row| self.fleet.targets[row.target as usize].protocol as usize;
        let first = rows.iter().filter(|row| row.wave == 0);
        let mut owed: BTreeSet<usize> = first.map(kind).collect();
        for row in rows.iter().filter(|row| row.outcome.is_success()) {
            owed.remove(&kind(row));
        }
        owed.into_iter().collect()
    }

    /// Returns the targets that wait, directly or not, for one that did not end well.
    fn held_back(&self, rows: &[Row]) -> BTreeSet<TargetKey> {
        let mut held = BTreeSet::new();
        // Whoever waits has the greater number.
        for row in rows {
            let Some(before) = self.fleet.targets[row.target as usize].after else {
                continue;
            };
            if held.contains(&before) || check::ended_badly(rows, before) {
                held.insert(row.target);
            }
        }
        held
    }

    fn spec(&self, rollout: usize, stage: Stage, rows: &[Row], open: &[Row]) -> Spec {
        let rollout = &self.fleet.rollouts[rollout];
        let mut waves = rollout.waves.clone();
        let mut rules = rollout.rules.clone();
        for row in check::failures(rows) {
            rules.failed_before += 1;
            if let Some(wave) = waves.get_mut(row.wave as usize) {
                wave.failed_before += 1;
            }
        }
        if rules.failed_before > 0 {
            rules.alike_before = super::Alike::Not;
        }
        rules.succeeded_before = rows.iter().filter(|row| row.outcome.is_success()).count();
        let job = |row: &Row| {
            let nature = &self.fleet.targets[row.target as usize];
            let index = |after: TargetKey| open.binary_search_by_key(&after, |row| row.target).ok();
            JobSpec {
                server: nature.server,
                after: nature.after.and_then(index),
                login: self.fleet.logins.then_some(nature.server),
                wave: row.wave as usize,
                kind: Some(nature.protocol as usize),
                expected_ms: nature.takes / 1_000,
            }
        };
        let lane = |limit: &usize| LaneSpec {
            limit: *limit,
            most: *limit,
            area: 0,
        };
        let mut spec = Spec {
            jobs: open.iter().map(job).collect(),
            lanes: self.fleet.servers.iter().map(lane).collect(),
            areas: vec![usize::MAX],
            logins: if self.fleet.logins {
                vec![2; self.fleet.servers.len()]
            } else {
                Vec::new()
            },
            waves,
            wave: stage.wave,
            soak: stage.soak,
            owed: self.owed_by(rows),
            rules,
            total: self.fleet.total,
            patience: std::time::Duration::from_micros(super::process::WINDOW),
        };
        spec.settle_waves();
        spec
    }

    fn tally(&self, spec: &Spec, rows: &[Row]) -> Tally {
        let canary = |wave: &super::WaveSpec| wave.care == Care::Canary && wave.failed_before > 0;
        Tally {
            rules: spec.rules.clone(),
            lanes: self.fleet.servers.iter().map(|limit| (*limit, 0)).collect(),
            total: spec.total,
            failed: spec.rules.failed_before,
            // The first ones to end are known only to whoever drove the run then.
            has_succeeded: rows.iter().any(|row| row.state == TargetState::Ended),
            canary_failed: spec.waves.iter().any(canary),
            likenesses: Vec::new(),
        }
    }

    pub(super) fn driving(&mut self, pid: Pid) -> Option<&mut Driving> {
        match &mut self.processes[pid] {
            Process {
                doing: Doing::Drives(driving),
                ..
            } => Some(driving),
            Process {
                doing: Doing::Begins | Doing::Reads(..) | Doing::Follows(..) | Doing::Over,
                ..
            } => None,
        }
    }

    /// Tells the machine what happened, and does what it says.
    pub(super) fn feed(&mut self, pid: Pid, input: Input) {
        let clock = self.processes[pid].clock(self.now);
        let Some(driving) = self.driving(pid) else { return };
        if driving.finished.is_some() {
            return;
        }
        let actions = driving.machine.step(clock, input);
        for action in actions {
            self.carry_out(pid, action);
        }
        self.schedule_wake(pid);
        if self
            .driving(pid)
            .is_some_and(|driving| driving.finished.is_some())
        {
            self.finish(pid);
        }
    }

    fn schedule_wake(&mut self, pid: Pid) {
        let now = self.now;
        let process = &mut self.processes[pid];
        let clock = process.clock(now);
        let Doing::Drives(driving) = &mut process.doing else {
            return;
        };
        let Some(at) = driving.machine.wake() else { return };
        let own = u64::try_from(at.saturating_sub(clock).as_micros()).unwrap_or(u64::MAX);
        let is_due = driving.wakes_at.is_some_and(|wakes| wakes > now);
        let wakes_at = now + process.real(own);
        let Doing::Drives(driving) = &mut process.doing else {
            return;
        };
        if is_due && driving.wakes_at.is_some_and(|earlier| earlier <= wakes_at) {
            return;
        }
        driving.wakes_at = Some(wakes_at);
        self.at(wakes_at, Event::Process(pid, Note::Wake(wakes_at)));
    }

    pub(super) fn on_wake(&mut self, pid: Pid, at: Micros) {
        let Some(driving) = self.driving(pid) else { return };
        if driving.wakes_at == Some(at) {
            driving.wakes_at = None;
            self.feed(pid, Input::Tick);
        }
    }

    fn carry_out(&mut self, pid: Pid, action: Action) {
        match action {
            Action::Start(job) => self.start(pid, job),
            Action::Settle(job) => {
                let held = self.driving(pid).and_then(|driving| driving.held.remove(&job));
                match held {
                    Some(outcome) => self.report(pid, job, outcome),
                    None => self.let_go(pid, job, Why::Stopped),
                }
            }
            Action::Skip(job, why) => self.let_go(pid, job, why),
            Action::Again(job, _) => self.note_state(pid, job, TargetState::RetryWait),
            Action::WaveStarted(wave) => self.note_wave(pid, wave, None),
            Action::WaveFinished(wave, soak) => self.note_wave(pid, wave, Some(soak)),
            Action::Finish(end) => {
                if let Some(driving) = self.driving(pid) {
                    driving.finished = Some(end);
                }
            }
        }
    }

    fn start(&mut self, pid: Pid, job: JobIndex) {
        let Some(driving) = self.driving(pid) else { return };
        let (run, epoch, target) = (driving.run, driving.epoch, driving.jobs[job]);
        let wave = driving.machine.wave_of(job);
        let lane = self.fleet.targets[target as usize].server;
        let is_awake = self.processes[pid].slept == 0;
        let is_restored = self.restored_at.is_some_and(|at| self.now < at + FORGOTTEN);
        let Some(driving) = self.driving(pid) else { return };
        let started = driving.tally.start(lane);
        self.check(started);
        // A clock that slept cannot tell that the lease is over, and a registry that forgot a renewal gave it away early.
        if is_awake && !is_restored {
            let started = self.owners.started(run, epoch, pid);
            self.check(started);
        }
        let kept = self.store.runs.get(&run);
        let rows = kept.map(|kept| kept.rows.as_slice()).unwrap_or_default();
        let behind = match self.fleet.targets[target as usize].after {
            Some(before) if check::ended_badly(rows, before) => Err(format!(
                "run {run}: target {target} starts, and {before} did not end well"
            )),
            Some(_) | None => Ok(()),
        };
        self.check(behind);
        let specs = self.rollouts.get(&run).map(|index| &self.fleet.rollouts[*index]);
        let soaked = specs.map_or(Ok(()), |rollout| {
            self.soaks.started((run, wave), &rollout.waves, self.now)
        });
        self.check(soaked);
        self.begin_task(pid, job);
    }

    /// Lets a job end that does not begin, or not again.
    fn let_go(&mut self, pid: Pid, job: JobIndex, why: Why) {
        let Some(driving) = self.driving(pid) else { return };
        let parked = driving.tasks.get(&job).filter(|task| task.phase == Phase::Parked);
        let outcome = if parked.is_some() {
            driving.tasks.remove(&job);
            Outcome::Unreachable
        } else {
            match why {
                Why::Stopped | Why::TakenOver | Why::Dependency => Outcome::NotRun,
                Why::ServerAway { .. } => Outcome::Unreachable,
                Why::LoginRefused { .. } => Outcome::AuthFailed,
            }
        };
        self.report(pid, job, outcome);
    }

    /// What became of a job stands.
    fn report(&mut self, pid: Pid, job: JobIndex, outcome: Outcome) {
        let Some(driving) = self.driving(pid) else { return };
        let cut_short = [Outcome::NotRun, Outcome::Cancelled, Outcome::Interrupted];
        if cut_short.contains(&outcome) {
            driving.reported.insert(Reported::CutShort);
        }
        self.note_outcome(pid, job, outcome);
    }

    /// A job's work has ended, or is put back.
    pub(super) fn job_ended(&mut self, pid: Pid, job: JobIndex, ended: (Option<Outcome>, Ending)) {
        let Some(driving) = self.driving(pid) else { return };
        let target = driving.jobs[job];
        let lane = self.fleet.targets[target as usize].server;
        let Some(driving) = self.driving(pid) else { return };
        let (outcome, ending) = ended;
        let (run, epoch, wave) = (driving.run, driving.epoch, driving.machine.wave_of(job));
        let care = driving.cares.get(wave).copied().unwrap_or_default();
        driving.tally.end(lane, ending, care);
        if let Some(outcome) = outcome {
            driving.held.insert(job, outcome);
        }
        if self.owners.has(run, epoch) && ending != Ending::Current {
            self.soaks.ended((run, wave), self.now);
        }
        self.feed(pid, Input::Ended(job, ending));
    }

    /// Asks the run for an end, as `Control` does.
    pub(super) fn control(&mut self, pid: Pid, stop: Stop, end: End) {
        let Some(driving) = self.driving(pid) else { return };
        driving.stop = driving.stop.max(stop);
        if end.outranks(&driving.end) {
            driving.end = end.clone();
            self.feed(pid, Input::Ask(Asked::Stop(end)));
        }
        if stop == Stop::Cancel {
            self.cancel_tasks(pid);
        }
    }

    /// Tells the machine what the registry says.
    pub(super) fn say(&mut self, pid: Pid, said: Said) {
        if self.settings.defect != Some(super::Defect::FenceIgnored) {
            self.feed(pid, Input::Registry(said));
        }
    }

    /// The run is recorded as ended, or cannot be.
    pub(super) fn drove(&mut self, pid: Pid) {
        let Some(driving) = self.driving(pid) else { return };
        let run = driving.run;
        if driving.finished == Some(End::Fenced) {
            self.figures.fenced += 1;
            self.processes[pid].errand.take_up = Some(run);
            self.processes[pid].doing = Doing::Follows(run, None);
            self.at(self.now + S / 2, Event::Process(pid, Note::GoOn));
        } else {
            self.leave_world(pid);
        }
    }
}
