//! The local runner: drives the machine, owns every task, and turns panics into outcomes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{Id, JoinSet};

use super::control::{Control, Stop};
use super::event::RunEvent;
use super::failure::Failure;
use super::machine::{Action, Input, JobIndex, JobSpec, Machine};
use super::options::RunOptions;
use super::report::{Outcome, RunReport, RunStatus, TargetReport};
use super::target::{Shared, migrate};
use crate::code::Code;
use crate::engine::Engine;
use crate::migration::Track;
use crate::plan::Goal;
use crate::target::{Target, TrackName};

/// The tracks of a run, by name and engine: a fleet may mix engines.
#[derive(Clone, Debug, Default)]
pub struct Tracks(BTreeMap<(TrackName, Engine), Arc<Track>>);

impl Tracks {
    /// Adds a track; it replaces one of the same name and engine.
    pub fn insert(&mut self, track: Track) {
        self.0.insert((track.name.clone(), track.engine), Arc::new(track));
    }

    /// Returns the track for a name and engine; `None` if it was not read.
    pub fn find(&self, name: &TrackName, engine: Engine) -> Option<&Arc<Track>> {
        self.0.get(&(name.clone(), engine))
    }

    /// Returns every track.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Track>> {
        self.0.values()
    }
}

/// One target of a run.
#[derive(Clone, Debug)]
pub struct Job {
    /// The target.
    pub target: Target,
    /// Its track, in its engine's SQL.
    pub track: Arc<Track>,
    /// Where it shall come to.
    pub goal: Goal,
    /// Index of the job that must have succeeded before; `None` if it may start at once.
    pub after: Option<usize>,
}

/// Works on every job, many at once, and returns what became of each. Events go to `events`.
///
/// A job's failure is in the report. Nothing is written to the registry here.
pub async fn run(
    run_id: &str,
    jobs: Vec<Job>,
    options: RunOptions,
    control: Control,
    events: UnboundedSender<RunEvent>,
) -> RunReport {
    let begun = Instant::now();
    let (machine, concurrency) = machine_of(&jobs, &options);
    let shared = Shared {
        run_id: run_id.to_owned(),
        options,
        control,
        events,
    };
    shared.tell(RunEvent::Started {
        run_id: run_id.to_owned(),
        targets: jobs.len(),
        concurrency,
    });
    let mut runner = Runner {
        jobs,
        machine,
        shared: Arc::new(shared),
        tasks: JoinSet::new(),
        running: HashMap::new(),
        reports: Vec::new(),
    };
    runner.drive().await;
    let status = runner.status();
    RunReport {
        run_id: run_id.to_owned(),
        status,
        targets: runner.reports,
        duration: begun.elapsed(),
    }
}

/// Builds the machine: every server, and the central database, has a limit of its own.
fn machine_of(jobs: &[Job], options: &RunOptions) -> (Machine, usize) {
    let mut servers: HashMap<Option<&str>, usize> = HashMap::new();
    let mut limits = Vec::new();
    let specs = jobs
        .iter()
        .map(|job| {
            let name = job.target.server.as_ref().map(crate::tenant::ServerName::as_str);
            let server = *servers.entry(name).or_insert_with(|| {
                limits.push(options.server_limit(job.target.max_parallel));
                limits.len() - 1
            });
            JobSpec {
                server,
                after: job.after,
            }
        })
        .collect();
    let total = options.total_limit(limits.len());
    (Machine::new(specs, limits, total), total)
}

struct Runner {
    jobs: Vec<Job>,
    machine: Machine,
    shared: Arc<Shared>,
    tasks: JoinSet<TargetReport>,
    running: HashMap<Id, JobIndex>,
    reports: Vec<TargetReport>,
}

impl Runner {
    async fn drive(&mut self) {
        let mut finished = self.follow(Input::Begin);
        let mut stopping = false;
        while !finished {
            let input = tokio::select! {
                Some(joined) = self.tasks.join_next_with_id() => self.take(joined),
                () = self.shared.control.reached(Stop::Drain), if !stopping => {
                    stopping = true;
                    Input::Stop(self.shared.control.requested())
                }
            };
            finished = self.follow(input);
        }
    }

    /// Gives the machine what happened and does what it says; returns whether the run has ended.
    fn follow(&mut self, input: Input) -> bool {
        let mut finished = false;
        for action in self.machine.step(input) {
            match action {
                Action::Start(job) => self.start(job),
                Action::Skip(job) => {
                    let report = self.untried(job, Outcome::NotRun, None);
                    self.finish(report);
                }
                Action::Finish => finished = true,
            }
        }
        finished
    }

    fn start(&mut self, index: JobIndex) {
        let Some(job) = self.jobs.get(index).cloned() else {
            return;
        };
        let shared = Arc::clone(&self.shared);
        let task = self
            .tasks
            .spawn(async move { migrate(&job.target, &job.track, &job.goal, &shared).await });
        self.running.insert(task.id(), index);
    }

    fn take(&mut self, joined: Result<(Id, TargetReport), tokio::task::JoinError>) -> Input {
        let (id, report) = match joined {
            Ok((id, report)) => (id, Some(report)),
            Err(error) => (error.id(), None),
        };
        let index = self.running.remove(&id).unwrap_or_default();
        // A panic in one target's task is a bug of ours, and that target's outcome; the others go on.
        let report = report.unwrap_or_else(|| {
            let what = "an internal error ended the work on this target".to_owned();
            self.untried(index, Outcome::Failed, Some(Failure::bare(Code(1001), what)))
        });
        let succeeded = report.outcome.is_success();
        self.finish(report);
        if succeeded {
            Input::Succeeded(index)
        } else {
            Input::Failed(index)
        }
    }

    fn untried(&self, index: JobIndex, outcome: Outcome, failure: Option<Failure>) -> TargetReport {
        let job = &self.jobs[index];
        let target = &job.target;
        TargetReport {
            database_id: target.database_id.clone(),
            track: job.track.name.clone(),
            label: target.label(),
            owner: target.owner.clone(),
            server: target.server.clone(),
            database: target.address.database().to_owned(),
            outcome,
            from: None,
            to: None,
            migrations: Vec::new(),
            failure,
            attempts: 0,
            duration: std::time::Duration::ZERO,
        }
    }

    fn finish(&mut self, report: TargetReport) {
        self.shared
            .tell(RunEvent::TargetFinished(Box::new(report.clone())));
        self.reports.push(report);
    }

    fn status(&self) -> RunStatus {
        if self.shared.control.requested() != Stop::No {
            let all_done = self
                .reports
                .iter()
                .all(|r| !matches!(r.outcome, Outcome::NotRun | Outcome::Cancelled));
            return if all_done {
                RunStatus::Completed
            } else {
                RunStatus::Interrupted
            };
        }
        let central_failed = self
            .reports
            .iter()
            .any(|r| r.owner.is_none() && r.outcome.is_failure())
            && self.reports.len() > 1;
        if central_failed {
            RunStatus::Stopped
        } else {
            RunStatus::Completed
        }
    }
}
