//! The run as a pure state machine: what happened leads to what to do next. No input or output, no clock.
//!
//! The local runner drives it today; a workflow can drive the same machine later.

use std::collections::{HashMap, VecDeque};

use super::control::Stop;

/// Index of a job in its run.
pub(super) type JobIndex = usize;

/// What the machine knows of a job.
#[derive(Clone, Debug)]
pub(super) struct JobSpec {
    /// Which limit it counts against: the index of its server.
    pub(super) server: usize,
    /// The job that must have succeeded before.
    pub(super) after: Option<JobIndex>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The run begins.
    Begin,
    /// A job ended where it should.
    Succeeded(JobIndex),
    /// A job ended elsewhere.
    Failed(JobIndex),
    /// Somebody asked for a stop.
    Stop(Stop),
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Start a job.
    Start(JobIndex),
    /// Report a job as not run.
    Skip(JobIndex),
    /// Everything has ended.
    Finish,
}

/// The state of a run.
#[derive(Debug)]
pub(super) struct Machine {
    jobs: Vec<JobSpec>,
    servers: Vec<Server>,
    /// Jobs that wait for another, by that other.
    waiting: HashMap<JobIndex, Vec<JobIndex>>,
    running: usize,
    total_limit: usize,
    /// The server that is asked first for its next job, so that none is favoured.
    turn: usize,
    stop: Stop,
    finished: bool,
}

#[derive(Debug)]
struct Server {
    limit: usize,
    running: usize,
    ready: VecDeque<JobIndex>,
}

impl Machine {
    /// Makes the machine of a run that has not begun. `server_limits` are indexed by `JobSpec::server`.
    pub(super) fn new(jobs: Vec<JobSpec>, server_limits: Vec<usize>, total_limit: usize) -> Self {
        let mut servers: Vec<Server> = server_limits
            .into_iter()
            .map(|limit| Server {
                limit: limit.max(1),
                running: 0,
                ready: VecDeque::new(),
            })
            .collect();
        let mut waiting: HashMap<JobIndex, Vec<JobIndex>> = HashMap::new();
        for (index, job) in jobs.iter().enumerate() {
            match job.after {
                Some(before) => waiting.entry(before).or_default().push(index),
                None => servers[job.server].ready.push_back(index),
            }
        }
        Self {
            jobs,
            servers,
            waiting,
            running: 0,
            total_limit: total_limit.max(1),
            turn: 0,
            stop: Stop::No,
            finished: false,
        }
    }

    /// Takes what happened and returns what to do next, in order.
    pub(super) fn step(&mut self, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Begin => {}
            Input::Succeeded(job) => {
                self.leave(job);
                for next in self.waiting.remove(&job).unwrap_or_default() {
                    self.servers[self.jobs[next].server].ready.push_back(next);
                }
            }
            Input::Failed(job) => {
                self.leave(job);
                self.skip_dependents(job, &mut actions);
            }
            Input::Stop(stop) => self.stop = self.stop.max(stop),
        }
        if self.stop == Stop::No {
            self.start_ready(&mut actions);
        } else {
            self.skip_all(&mut actions);
        }
        if self.running == 0 && !self.finished {
            self.finished = true;
            actions.push(Action::Finish);
        }
        actions
    }

    fn leave(&mut self, job: JobIndex) {
        self.running -= 1;
        self.servers[self.jobs[job].server].running -= 1;
    }

    fn start_ready(&mut self, actions: &mut Vec<Action>) {
        let count = self.servers.len();
        let mut idle = 0;
        while self.running < self.total_limit && idle < count {
            let server = &mut self.servers[self.turn % count];
            self.turn = (self.turn + 1) % count;
            if server.running >= server.limit {
                idle += 1;
                continue;
            }
            let Some(job) = server.ready.pop_front() else {
                idle += 1;
                continue;
            };
            idle = 0;
            server.running += 1;
            self.running += 1;
            actions.push(Action::Start(job));
        }
    }

    fn skip_dependents(&mut self, job: JobIndex, actions: &mut Vec<Action>) {
        for next in self.waiting.remove(&job).unwrap_or_default() {
            actions.push(Action::Skip(next));
            self.skip_dependents(next, actions);
        }
    }

    fn skip_all(&mut self, actions: &mut Vec<Action>) {
        let mut left: Vec<JobIndex> = self
            .servers
            .iter_mut()
            .flat_map(|s| std::mem::take(&mut s.ready))
            .collect();
        left.extend(std::mem::take(&mut self.waiting).into_values().flatten());
        left.sort_unstable();
        actions.extend(left.into_iter().map(Action::Skip));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(server: usize, after: Option<JobIndex>) -> JobSpec {
        JobSpec { server, after }
    }

    fn starts(actions: &[Action]) -> Vec<JobIndex> {
        actions
            .iter()
            .filter_map(|a| if let Action::Start(j) = a { Some(*j) } else { None })
            .collect()
    }

    #[test]
    fn limits_hold_per_server_and_in_all() {
        let jobs = (0..10).map(|i| job(i % 2, None)).collect();
        let mut machine = Machine::new(jobs, vec![2, 3], 4);
        assert_eq!(starts(&machine.step(Input::Begin)).len(), 4);
        let next = starts(&machine.step(Input::Succeeded(0)));
        assert_eq!(next.len(), 1);
    }

    #[test]
    fn a_full_server_does_not_hold_up_another() {
        let jobs = vec![job(0, None), job(0, None), job(0, None), job(1, None)];
        let mut machine = Machine::new(jobs, vec![1, 1], 10);
        assert_eq!(starts(&machine.step(Input::Begin)), vec![0, 3]);
    }

    #[test]
    fn what_depends_on_a_failure_is_not_run() {
        let jobs = vec![job(0, None), job(0, Some(0)), job(0, Some(1)), job(0, None)];
        let mut machine = Machine::new(jobs, vec![1], 1);
        assert_eq!(starts(&machine.step(Input::Begin)), vec![0]);
        let actions = machine.step(Input::Failed(0));
        assert_eq!(actions, vec![Action::Skip(1), Action::Skip(2), Action::Start(3)]);
        assert_eq!(machine.step(Input::Succeeded(3)), vec![Action::Finish]);
    }

    #[test]
    fn a_stop_lets_running_jobs_finish_and_starts_none() {
        let jobs = vec![job(0, None), job(0, None), job(0, Some(0))];
        let mut machine = Machine::new(jobs, vec![1], 1);
        machine.step(Input::Begin);
        assert_eq!(
            machine.step(Input::Stop(Stop::Drain)),
            vec![Action::Skip(1), Action::Skip(2)]
        );
        assert_eq!(machine.step(Input::Succeeded(0)), vec![Action::Finish]);
    }

    #[test]
    fn a_run_without_jobs_finishes_at_once() {
        assert_eq!(
            Machine::new(Vec::new(), Vec::new(), 5).step(Input::Begin),
            vec![Action::Finish]
        );
    }

    proptest::proptest! {
        /// Whatever the jobs, limits and failures: every job is started or skipped exactly once, limits
        /// hold, order holds, and the run finishes exactly once.
        #[test]
        fn every_job_ends_once_within_the_limits(
            specs in proptest::collection::vec((0..3usize, proptest::option::of(0..40usize)), 0..40),
            limits in proptest::collection::vec(1..4usize, 3),
            total in 1..6usize,
            fail in proptest::collection::vec(proptest::bool::ANY, 40),
            stop_at in proptest::option::of(0..60usize),
        ) {
            let jobs: Vec<JobSpec> = specs
                .iter()
                .enumerate()
                .map(|(i, (server, after))| job(*server, after.filter(|a| *a < i)))
                .collect();
            let count = jobs.len();
            let mut machine = Machine::new(jobs.clone(), limits.clone(), total);
            let mut running: Vec<JobIndex> = Vec::new();
            let mut ended = vec![None; count];
            let mut finished = 0;
            let mut inputs = VecDeque::from([Input::Begin]);
            let mut steps = 0;
            loop {
                if stop_at == Some(steps) {
                    inputs.push_back(Input::Stop(Stop::Drain));
                }
                steps += 1;
                let input = match inputs.pop_front() {
                    Some(input) => input,
                    None => match running.pop() {
                        None => break,
                        Some(job) if fail[job] => { ended[job] = Some(false); Input::Failed(job) }
                        Some(job) => { ended[job] = Some(true); Input::Succeeded(job) }
                    },
                };
                for action in machine.step(input) {
                    match action {
                        Action::Start(job) => {
                            proptest::prop_assert!(ended[job].is_none() && !running.contains(&job));
                            if let Some(before) = jobs[job].after {
                                proptest::prop_assert_eq!(ended[before], Some(true));
                            }
                            running.push(job);
                        }
                        Action::Skip(job) => {
                            proptest::prop_assert!(ended[job].is_none());
                            ended[job] = Some(false);
                        }
                        Action::Finish => finished += 1,
                    }
                }
                proptest::prop_assert!(running.len() <= total);
                for (server, limit) in limits.iter().enumerate() {
                    proptest::prop_assert!(running.iter().filter(|j| jobs[**j].server == server).count() <= *limit);
                }
            }
            proptest::prop_assert_eq!(finished, 1);
            proptest::prop_assert!(ended.iter().all(Option::is_some));
        }
    }
}
