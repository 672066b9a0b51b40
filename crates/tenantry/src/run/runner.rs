//! A run over many targets: jobs in, events out, a report at the end.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::control::{Control, Stop};
use super::drive::{Ended, drive};
use super::event::RunEvent;
use super::failure::Failure;
use super::machine::{JobSpec, Machine};
use super::options::RunOptions;
use super::report::{Outcome, RunReport, RunStatus, TargetReport};
use super::target::{Shared, migrate};
use crate::code::Code;
use crate::direction::Direction;
use crate::engine::Engine;
use crate::migration::{Track, Warning, add};
use crate::plan::Goal;
use crate::target::{Target, TrackName};
use crate::tenant::ServerName;

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

    /// Returns every track, by name and engine.
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
    let direction = jobs.first().map_or(Direction::Up, |job| job.goal.direction());
    let shared = Arc::new(Shared {
        run_id: run_id.to_owned(),
        options,
        control,
        events,
    });
    shared.tell(RunEvent::Started {
        run_id: run_id.to_owned(),
        targets: jobs.len(),
        concurrency,
    });
    let jobs: Vec<Arc<Job>> = jobs.into_iter().map(Arc::new).collect();
    let mut targets = Vec::with_capacity(jobs.len());
    let mut warnings = Vec::new();
    let work = |index: usize| {
        let (job, shared) = (Arc::clone(&jobs[index]), Arc::clone(&shared));
        async move { migrate(&job.target, &job.track, &job.goal, &shared).await }
    };
    let settle = |index: usize, ended: Ended<(TargetReport, Vec<Warning>)>| {
        let report = match ended {
            Ended::Done((report, told)) => {
                for warning in &told {
                    add(&mut warnings, warning);
                }
                report
            }
            Ended::Skipped => TargetReport::untried(&jobs[index].target, Outcome::NotRun, None),
            Ended::Panicked => {
                let what = "an internal error ended the work on this target".to_owned();
                let failure = Failure::bare(Code(1008), what);
                TargetReport::untried(&jobs[index].target, Outcome::Failed, Some(failure))
            }
        };
        let success = report.outcome.is_success();
        shared.tell(RunEvent::TargetFinished(Box::new(report.clone())));
        targets.push(report);
        success
    };
    drive(machine, &shared.control, work, settle).await;
    let status = status(&targets, &shared.control);
    RunReport {
        run_id: run_id.to_owned(),
        direction,
        status,
        targets,
        duration: begun.elapsed(),
        warnings,
        unrecorded: None,
    }
}

/// Builds the machine: every server, and the central database, has a limit of its own.
pub(super) fn machine_of(jobs: &[Job], options: &RunOptions) -> (Machine, usize) {
    let mut servers: HashMap<Option<&ServerName>, usize> = HashMap::new();
    let mut limits = Vec::new();
    let specs = jobs
        .iter()
        .map(|job| {
            let server = *servers.entry(job.target.server.as_ref()).or_insert_with(|| {
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

fn status(targets: &[TargetReport], control: &Control) -> RunStatus {
    let unfinished = |t: &TargetReport| matches!(t.outcome, Outcome::NotRun | Outcome::Cancelled);
    let cut_short = |t: &TargetReport| unfinished(t) || t.outcome == Outcome::Interrupted;
    if control.requested() != Stop::No && targets.iter().any(cut_short) {
        return RunStatus::Interrupted;
    }
    let central_failed = targets
        .iter()
        .any(|t| t.owner.is_none() && t.outcome.is_failure());
    if central_failed && targets.iter().any(unfinished) {
        RunStatus::Stopped
    } else {
        RunStatus::Completed
    }
}

impl TargetReport {
    /// Reports a target that no session was opened for.
    pub(crate) fn untried(target: &Target, outcome: Outcome, failure: Option<Failure>) -> Self {
        Self {
            database_id: target.database_id.clone(),
            track: target.track.clone(),
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
            duration: Duration::ZERO,
        }
    }
}
