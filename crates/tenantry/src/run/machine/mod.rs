//! The run as a pure state machine: what happened leads to what to do next. No input or output, no clock.
//!
//! The local runner drives it today; a workflow can drive the same machine later. Times are given, as time since
//! the run began.

mod canary;
mod halt;
mod lane;
mod login;
mod rules;
mod spec;
#[cfg(test)]
mod tests;
mod wave;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

pub use rules::{Alike, Rule};
pub(crate) use spec::{
    Action, Asked, Care, End, Ending, Gate, Input, JobIndex, JobSpec, LaneSpec, Opening, Said, Spec,
    StopRules, WaveSpec, Why,
};

use canary::Canaries;
use lane::Lane;
use login::{Admission, Logins};
use rules::Counts;
use wave::Waves;

/// How often a target whose server did not answer is tried before it is given up.
const TRIES_MAX: u8 = 5;

/// The state of a run.
#[derive(Debug)]
pub(crate) struct Machine {
    jobs: Vec<JobSpec>,
    /// How often each job was put back.
    tries: Vec<u8>,
    lanes: Vec<Lane>,
    /// How many run at once in each jurisdiction, and how many may.
    areas: Vec<Area>,
    logins: Logins,
    waves: Waves,
    canaries: Canaries,
    counts: Counts,
    /// Jobs of begun waves that wait for another, by that other.
    waiting: HashMap<JobIndex, Vec<JobIndex>>,
    /// Jobs that are tried again, by when.
    later: BTreeSet<(Duration, JobIndex)>,
    /// How each job ended, for those that wait for it; `None` if it has not.
    ends: Vec<Option<Came>>,
    running: usize,
    total: usize,
    /// The server that is asked first for its next job, so that none is favoured.
    turn: usize,
    now: Duration,
    /// Until when the registry's last word that the run is ours counts; `None` if nobody asks it.
    ours_until: Option<Duration>,
    /// Since when the registry does not answer.
    away: Option<Duration>,
    /// How long it is waited for when nothing runs any more.
    patience: Duration,
    halt: Option<End>,
    finished: bool,
}

/// How a job ended, for whoever waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Well,
    Otherwise,
}

#[derive(Clone, Copy, Debug)]
struct Area {
    limit: usize,
    running: usize,
}

impl Machine {
    /// Makes the machine of a run that has not begun.
    pub(crate) fn new(mut spec: Spec) -> Self {
        spec.settle_waves();
        let area = |limit: &usize| Area {
            limit: (*limit).max(1),
            running: 0,
        };
        Self {
            tries: vec![0; spec.jobs.len()],
            ends: vec![None; spec.jobs.len()],
            lanes: spec.lanes.iter().map(Lane::new).collect(),
            areas: spec.areas.iter().map(area).collect(),
            logins: Logins::new(&spec.logins),
            waves: Waves::new(spec.waves, (spec.wave, spec.soak), &spec.jobs),
            canaries: Canaries::new(&spec.owed),
            counts: Counts::new(spec.rules),
            waiting: HashMap::new(),
            later: BTreeSet::new(),
            running: 0,
            total: spec.total.max(1),
            turn: 0,
            now: Duration::ZERO,
            ours_until: None,
            away: None,
            patience: spec.patience,
            halt: None,
            finished: false,
            jobs: spec.jobs,
        }
    }

    /// Takes what happened at a time and returns what to do next, in order.
    pub(crate) fn step(&mut self, at: Duration, input: Input) -> Vec<Action> {
        self.now = self.now.max(at);
        let mut actions = Vec::new();
        match input {
            Input::Begin => self.enter_wave(&mut actions),
            Input::Opened(job, opening) => self.opened(job, opening),
            Input::Ended(job, ending) => self.ended(job, ending, &mut actions),
            Input::Ask(asked) => self.asked(asked, &mut actions),
            Input::Registry(said) => self.heard(said, &mut actions),
            Input::Tick => {}
        }
        self.go_on(&mut actions);
        actions
    }

    /// Returns when to come back with [`Input::Tick`] if nothing happens before; `None` if only an end leads on.
    pub(crate) fn wake(&self) -> Option<Duration> {
        if self.halt.is_some() {
            return None;
        }
        let lost = self.away.map(|since| since + self.patience);
        let fence = self.ours_until.filter(|_| self.away.is_none());
        let retry = self.later.first().map(|(at, _)| *at);
        let lanes = self.lanes.iter().filter_map(Lane::wake).min();
        let wakes = [lost, fence, retry, lanes, self.waves.soaks_until()];
        wakes.into_iter().flatten().filter(|at| *at > self.now).min()
    }

    /// Returns how many run at once at most, as it is now.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// Returns the wave that a job is in.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn wave_of(&self, job: JobIndex) -> usize {
        self.jobs[job].wave
    }

    fn enter_wave(&mut self, actions: &mut Vec<Action>) {
        let jobs = self.waves.take_jobs();
        if !jobs.is_empty() {
            actions.push(Action::WaveStarted(self.waves.current()));
        }
        for job in jobs {
            let before = self.jobs[job].after;
            match before.map(|before| (before, self.ends[before])) {
                None | Some((_, Some(Came::Well))) => self.lanes[self.jobs[job].server].push(job),
                Some((before, None)) => self.waiting.entry(before).or_default().push(job),
                Some((_, Some(Came::Otherwise))) => self.skip(job, Why::Dependency, actions),
            }
        }
    }

    fn opened(&mut self, job: JobIndex, opening: Opening) {
        let spec = &self.jobs[job];
        self.lanes[spec.server].opened(self.now, opening);
        if let Some(login) = spec.login {
            let freed = self.logins.proven(login);
            self.free(freed);
        }
    }

    fn ended(&mut self, job: JobIndex, ending: Ending, actions: &mut Vec<Action>) {
        self.leave(job);
        let lane = self.jobs[job].server;
        self.judge_login(job, ending);
        if ending != Ending::Current {
            self.waves.worked_on(self.jobs[job].wave);
            // What is waited for behind its own wave is waited for because of it.
            if let Some(former) = self.canaries.came_from.get(&job) {
                self.waves.worked_on(*former);
            }
        }
        match ending {
            Ending::Succeeded | Ending::Current => {
                self.lanes[lane].succeeded();
                if let Some(kind) = self.jobs[job].kind {
                    self.counts.succeeded();
                    self.canaries.went_well(kind);
                }
                self.settle(job, Came::Well, actions);
                for next in self.waiting.remove(&job).unwrap_or_default() {
                    self.lanes[self.jobs[next].server].push(next);
                }
            }
            // A run that stops tries nothing again.
            Ending::Crowded | Ending::Unreachable if self.halt.is_some() => {
                self.settle(job, Came::Otherwise, actions);
            }
            Ending::Crowded => self.crowded(job, actions),
            Ending::Unreachable => self.unreachable(job, actions),
            Ending::LoginRefused => {
                self.counts.failed(None);
                self.settle(job, Came::Otherwise, actions);
                self.login_refused(job, actions);
            }
            Ending::Failed(likeness) => {
                self.waves.failed();
                self.counts.failed(likeness);
                self.settle(job, Came::Otherwise, actions);
            }
            Ending::Refused => {
                self.waves.failed();
                self.settle(job, Came::Otherwise, actions);
            }
            Ending::Otherwise => self.settle(job, Came::Otherwise, actions),
        }
    }

    fn settle(&mut self, job: JobIndex, came: Came, actions: &mut Vec<Action>) {
        actions.push(Action::Settle(job));
        self.note_end(job, came, actions);
    }

    fn skip(&mut self, job: JobIndex, why: Why, actions: &mut Vec<Action>) {
        if matches!(why, Why::ServerAway { .. } | Why::LoginRefused { .. }) {
            self.waves.worked_on(self.jobs[job].wave);
        }
        actions.push(Action::Skip(job, why));
        self.note_end(job, Came::Otherwise, actions);
    }

    fn note_end(&mut self, job: JobIndex, came: Came, actions: &mut Vec<Action>) {
        self.waves.settled(self.jobs[job].wave);
        self.ends[job] = Some(came);
        if came == Came::Otherwise {
            for next in self.waiting.remove(&job).unwrap_or_default() {
                self.skip(next, Why::Dependency, actions);
            }
        }
    }

    fn crowded(&mut self, job: JobIndex, actions: &mut Vec<Action>) {
        let lane = self.jobs[job].server;
        match self.lanes[lane].crowded(self.now) {
            Some(pause) => self.again(job, pause, actions),
            None => self.settle(job, Came::Otherwise, actions),
        }
    }

    fn unreachable(&mut self, job: JobIndex, actions: &mut Vec<Action>) {
        let lane = self.jobs[job].server;
        match self.lanes[lane].unreachable(self.now) {
            // The server is watched as a whole; when it answers, this one comes first.
            Err(pause) => {
                self.lanes[lane].push_front(job);
                actions.push(Action::Again(job, pause));
            }
            Ok(pause) => {
                self.tries[job] += 1;
                if self.tries[job] >= TRIES_MAX {
                    self.settle(job, Came::Otherwise, actions);
                } else {
                    self.again(job, pause, actions);
                }
            }
        }
    }

    fn again(&mut self, job: JobIndex, pause: Duration, actions: &mut Vec<Action>) {
        self.later.insert((self.now + pause, job));
        actions.push(Action::Again(job, pause));
    }

    /// Takes in what a job's end says of its login.
    fn judge_login(&mut self, job: JobIndex, ending: Ending) {
        let Some(login) = self.jobs[job].login else { return };
        let freed = match ending {
            Ending::Succeeded | Ending::Current | Ending::Failed(_) | Ending::Refused => {
                self.logins.proven(login)
            }
            // It did not come so far: another one tries.
            Ending::Crowded | Ending::Unreachable | Ending::Otherwise => {
                self.logins.release(login).into_iter().collect()
            }
            Ending::LoginRefused => Vec::new(),
        };
        self.free(freed);
    }

    fn free(&mut self, parked: Vec<JobIndex>) {
        for job in parked {
            self.lanes[self.jobs[job].server].push_front(job);
        }
    }

    fn login_refused(&mut self, job: JobIndex, actions: &mut Vec<Action>) {
        let Some(login) = self.jobs[job].login else { return };
        match self.logins.refused(login, job) {
            login::Next::Try(next) => self.lanes[self.jobs[next].server].push_front(next),
            login::Next::GiveUp(parked) => {
                for parked in parked {
                    self.skip(parked, Why::LoginRefused { first: job }, actions);
                }
            }
        }
    }

    fn leave(&mut self, job: JobIndex) {
        let spec = &self.jobs[job];
        self.running -= 1;
        self.lanes[spec.server].leave();
        let area = self.lanes[spec.server].area;
        self.areas[area].running -= 1;
    }

    /// Returns whether the registry has said, not too long ago, that the run is ours.
    fn is_ours(&self) -> bool {
        self.away.is_none() && self.ours_until.is_none_or(|until| until > self.now)
    }

    fn go_on(&mut self, actions: &mut Vec<Action>) {
        loop {
            self.look_at_rules(actions);
            if self.halt.is_some() {
                break;
            }
            self.give_up_lanes(actions);
            self.take_up_retries();
            if self.is_ours() {
                self.start_ready(actions);
            }
            if self.running > 0 || !self.is_wave_over() || self.goes_no_further(actions) {
                break;
            }
        }
        if self.running == 0 && !self.finished && (self.halt.is_some() || self.waves.are_over()) {
            self.finished = true;
            actions.push(Action::Finish(self.halt.clone().unwrap_or(End::Completed)));
        }
    }

    fn is_wave_over(&self) -> bool {
        self.waves.is_current_over()
    }

    /// Ends a wave that is over. Returns whether the next one does not begin now.
    fn goes_no_further(&mut self, actions: &mut Vec<Action>) -> bool {
        if self.waves.is_canary() && self.is_stood_in_for(actions) {
            return false;
        }
        let wave = self.waves.current();
        let left = self.waves.leave(self.now);
        if self.waves.end(wave) {
            let until = self.waves.soaks_until().unwrap_or_default();
            actions.push(Action::WaveFinished(wave, until.saturating_sub(self.now)));
        }
        match left {
            wave::Left::Soaks | wave::Left::Over => true,
            wave::Left::Gate => {
                self.halt(End::Gate(wave), actions);
                true
            }
            wave::Left::Next => {
                self.enter_wave(actions);
                false
            }
        }
    }

    fn give_up_lanes(&mut self, actions: &mut Vec<Action>) {
        for lane in 0..self.lanes.len() {
            if !self.lanes[lane].is_given_up(self.now) {
                continue;
            }
            let mut left = self.lanes[lane].take_ready();
            left.extend(self.logins.take_parked(|job| self.jobs[job].server == lane));
            for job in left {
                self.skip(job, Why::ServerAway { server: lane }, actions);
            }
        }
    }

    fn take_up_retries(&mut self) {
        while let Some((at, job)) = self.later.first().copied()
            && at <= self.now
        {
            self.later.remove(&(at, job));
            self.lanes[self.jobs[job].server].push_front(job);
        }
    }

    fn start_ready(&mut self, actions: &mut Vec<Action>) {
        let count = self.lanes.len();
        let mut idle = 0;
        while self.running < self.total && idle < count && self.counts.lets_start(self.running) {
            let lane = self.turn % count;
            self.turn = (self.turn + 1) % count;
            match self.next_of(lane, actions) {
                Some(job) => {
                    idle = 0;
                    self.start(job, actions);
                }
                None => idle += 1,
            }
        }
    }

    fn next_of(&mut self, lane: usize, actions: &mut Vec<Action>) -> Option<JobIndex> {
        let area = self.areas[self.lanes[lane].area];
        if area.running >= area.limit || !self.lanes[lane].admits(self.now) {
            return None;
        }
        loop {
            let job = self.lanes[lane].pop()?;
            let login = self.jobs[job].login;
            match login.map_or(Admission::Go, |login| self.logins.admit(login, job)) {
                Admission::Go => return Some(job),
                Admission::Wait => {}
                Admission::Never(first) => self.skip(job, Why::LoginRefused { first }, actions),
            }
        }
    }

    fn start(&mut self, job: JobIndex, actions: &mut Vec<Action>) {
        let lane = self.jobs[job].server;
        self.lanes[lane].enter();
        let area = self.lanes[lane].area;
        self.areas[area].running += 1;
        self.running += 1;
        actions.push(Action::Start(job));
    }
}
