//! From jobs and options to a machine: which servers, jurisdictions and logins there are, and their limits.

use std::collections::HashMap;

use super::machine::{JobSpec, LaneSpec, Machine, Spec};
use super::options::RunOptions;
use super::rollout::Rollout;
use super::runner::Job;
use crate::engine::{Address, Engine};
use crate::tenant::{Jurisdiction, ServerName};

/// Builds the machine: every server, and the central database, has a limit of its own.
pub(super) fn machine_of(jobs: &[Job], options: &RunOptions, rollout: &Rollout) -> Machine {
    let mut lanes = Lanes::new(options);
    let logins = Logins::of(jobs);
    let specs: Vec<JobSpec> = jobs
        .iter()
        .enumerate()
        .map(|(index, job)| {
            let place = rollout.place_of(index);
            JobSpec {
                server: lanes.of(job),
                after: job.after,
                login: logins.of_job(index),
                wave: place.wave,
                kind: job
                    .target
                    .owner
                    .as_ref()
                    .map(|_| kind_of(job.target.address.engine())),
                expected_ms: place.expected_ms,
            }
        })
        .collect();
    Machine::new(Spec {
        total: options.total_limit(lanes.specs.len()),
        jobs: specs,
        lanes: lanes.specs,
        areas: lanes.areas,
        logins: vec![TRIES; logins.count],
        waves: rollout.wave_specs(),
        wave: rollout.stage.wave,
        soak: rollout.stage.soak,
        owed: rollout.owed.iter().copied().map(kind_of).collect(),
        rules: rollout.rules(),
        patience: options.registry_window,
    })
}

fn kind_of(engine: Engine) -> usize {
    match engine {
        Engine::Postgres => 0,
        Engine::MySql => 1,
        Engine::Sqlite => 2,
    }
}

/// The servers of a run, in the order in which they come up.
struct Lanes<'a> {
    options: &'a RunOptions,
    by_name: HashMap<Option<&'a ServerName>, usize>,
    by_area: HashMap<Option<&'a str>, usize>,
    specs: Vec<LaneSpec>,
    areas: Vec<usize>,
}

impl<'a> Lanes<'a> {
    fn new(options: &'a RunOptions) -> Self {
        Self {
            options,
            by_name: HashMap::new(),
            by_area: HashMap::new(),
            specs: Vec::new(),
            areas: Vec::new(),
        }
    }

    fn of(&mut self, job: &'a Job) -> usize {
        let target = &job.target;
        if let Some(lane) = self.by_name.get(&target.server.as_ref()) {
            return *lane;
        }
        let lane = self.specs.len();
        let area = self.area_of(job);
        self.by_name.insert(target.server.as_ref(), lane);
        self.specs.push(LaneSpec {
            limit: self.options.server_limit(target.max_parallel),
            most: target.max_parallel.unwrap_or(usize::MAX),
            area,
        });
        lane
    }

    fn area_of(&mut self, job: &'a Job) -> usize {
        let name = job.target.jurisdiction.as_ref().map(Jurisdiction::as_str);
        let count = self.areas.len();
        let area = *self.by_area.entry(name).or_insert(count);
        if area == count {
            self.areas
                .push(self.options.per_jurisdiction.unwrap_or(usize::MAX));
        }
        area
    }
}

/// How often jobs may try a login that they share: the question to their server may have been the first of two times.
const TRIES: u8 = 1;

/// Logins that several jobs share.
struct Logins {
    of_job: HashMap<usize, usize>,
    count: usize,
}

impl Logins {
    fn of(jobs: &[Job]) -> Self {
        let mut by_login: HashMap<(Option<&ServerName>, &str), Vec<usize>> = HashMap::new();
        for (index, job) in jobs.iter().enumerate() {
            if let Address::Network(address) = &job.target.address {
                let key = (job.target.server.as_ref(), address.login.user.as_str());
                by_login.entry(key).or_default().push(index);
            }
        }
        let mut shared: Vec<Vec<usize>> = by_login.into_values().filter(|jobs| jobs.len() > 1).collect();
        shared.sort_unstable();
        let count = shared.len();
        let numbered = shared.into_iter().enumerate();
        let of_job = numbered
            .flat_map(|(login, jobs)| jobs.into_iter().map(move |job| (job, login)))
            .collect();
        Self { of_job, count }
    }

    fn of_job(&self, job: usize) -> Option<usize> {
        self.of_job.get(&job).copied()
    }
}
