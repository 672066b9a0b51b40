//! A run over many targets: jobs in, events out, a report at the end.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::control::{Control, Stop};
use super::dispatch::{PutBack, Tasks};
use super::drive::{Ended, Observer, Word, drive};
use super::event::{BegunTarget, RunEvent, Start};
use super::failure::Failure;
use super::lanes::machine_of;
use super::machine::{End, Ending, JobIndex, Why};
use super::meaning::ending_of;
use super::options::RunOptions;
use super::report::{Cause, Outcome, RunReport, RunStatus, TargetReport};
use super::rollout::Rollout;
use super::target::{Shared, migrate};
use crate::code::Code;
use crate::direction::Direction;
use crate::engine::{Engine, Marker};
use crate::migration::{Track, Warning, add};
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
    /// The marker of its goal, where the database's comment had it a moment ago; `None` if it had another, or if nobody
    /// looked. Only saves a question.
    pub marker: Option<Box<Marker>>,
}

impl Job {
    /// Returns whether a tenant's database is not known to be where a way forwards leads it.
    pub(crate) fn is_behind(&self) -> bool {
        let end = match self.goal {
            Goal::Head => self.track.migrations.last().map(|m| m.version),
            Goal::UpTo(version) => Some(version),
            Goal::BackSteps(_) | Goal::BackTo(_) | Goal::BackRuns(_) | Goal::BackVersions(_) => None,
        };
        let target = &self.target;
        let lacks = |end| target.known_version.is_none_or(|known| known < end);
        let has_failed = target.known_outcome.is_some_and(|outcome| !outcome.is_success());
        target.owner.is_some() && end.is_some_and(|end| lacks(end) || has_failed)
    }
}

/// What a run is made of.
#[derive(Debug)]
pub(crate) struct Conduct {
    /// The run's id.
    pub(crate) run_id: String,
    /// Its targets.
    pub(crate) jobs: Vec<Job>,
    /// How it goes over them.
    pub(crate) rollout: Rollout,
    /// Limits and clocks.
    pub(crate) options: RunOptions,
    /// What is told when it begins.
    pub(crate) start: Start,
    /// What the registry says about the run; `None` if nobody asks it.
    pub(crate) said: Option<UnboundedReceiver<Word>>,
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
    let conduct = Conduct {
        run_id: run_id.to_owned(),
        rollout: Rollout::default(),
        options,
        start: Start::of(run_id, &jobs),
        jobs,
        said: None,
    };
    conduct_run(conduct, control, events).await.0
}

/// Carries a run out as [`run`] does, in its waves and within its rules. Returns its targets, too, for whoever goes on with
/// them.
pub(crate) async fn conduct_run(
    conduct: Conduct,
    control: Control,
    events: UnboundedSender<RunEvent>,
) -> (RunReport, Arc<Vec<Job>>) {
    let begun = Instant::now();
    let machine = machine_of(&conduct.jobs, &conduct.options, &conduct.rollout);
    let direction = conduct
        .jobs
        .first()
        .map_or(Direction::Up, |job| job.goal.direction());
    let shared = Arc::new(Shared {
        run_id: conduct.run_id,
        options: conduct.options,
        control,
        events,
    });
    shared.tell(RunEvent::Started(Box::new(Start {
        concurrency: machine.total(),
        per_server: shared.options.server_limit(None),
        at_first: conduct.rollout.at_first(),
        expected: conduct.rollout.expected(),
        ..conduct.start
    })));
    let jobs = Arc::new(conduct.jobs);
    let mut tasks = Tasks::new(|index: usize, seat| {
        let (jobs, shared) = (Arc::clone(&jobs), Arc::clone(&shared));
        let begun = BegunTarget {
            expected_ms: conduct.rollout.place_of(index).expected_ms,
            ..BegunTarget::of(&jobs[index].target)
        };
        async move { migrate(&jobs[index], &shared, &seat, begun).await }
    });
    let mut course = Course {
        jobs: &jobs,
        shared: &shared,
        rollout: &conduct.rollout,
        targets: Vec::with_capacity(jobs.len()),
        warnings: Vec::new(),
        away: HashMap::new(),
        failures: Vec::new(),
    };
    let end = drive(machine, &mut tasks, &mut course, &shared.control, conduct.said).await;
    let (targets, warnings) = (course.targets, course.warnings);
    let status = status(&end, &targets, &shared.control);
    let early = cause(&end, &conduct.rollout).filter(|_| status != RunStatus::Completed);
    let report = RunReport {
        run_id: shared.run_id.clone(),
        direction,
        status,
        targets,
        duration: begun.elapsed(),
        warnings,
        unrecorded: None,
        cause: early,
    };
    drop(tasks);
    (report, jobs)
}

/// With so many failures that are unlike each other, sharing more saves nothing.
const FAILURES_SHARED: usize = 32;

/// The course of a run, as it is told and kept.
struct Course<'a> {
    jobs: &'a [Job],
    shared: &'a Shared,
    rollout: &'a Rollout,
    targets: Vec<TargetReport>,
    warnings: Vec<Warning>,
    /// Why servers do not answer, by the name of the server.
    away: HashMap<String, Failure>,
    /// The first failures that are unlike each other: many targets have one of them.
    failures: Vec<Arc<Failure>>,
}

impl Course<'_> {
    fn target(&self, job: JobIndex) -> &Target {
        &self.jobs[job].target
    }

    fn skipped(&self, job: JobIndex, why: Why) -> TargetReport {
        let target = self.target(job);
        let (outcome, failure) = match why {
            Why::Stopped | Why::TakenOver | Why::Dependency => (Outcome::NotRun, None),
            Why::ServerAway { .. } => {
                let seen = self.away.get(server_of(target));
                let what = "its server does not answer".to_owned();
                let failure = seen.cloned().unwrap_or_else(|| Failure::bare(Code(5001), what));
                (Outcome::Unreachable, Some(failure))
            }
            Why::LoginRefused { first } => {
                let seen = self
                    .targets
                    .iter()
                    .find(|t| t.database_id == self.target(first).database_id);
                let what = "its login was refused to others and is not tried again".to_owned();
                let seen = seen.and_then(|target| target.failure.as_deref().cloned());
                let failure = seen.unwrap_or_else(|| Failure::bare(Code(5002), what));
                (Outcome::AuthFailed, Some(failure))
            }
        };
        TargetReport::untried(target, outcome, failure)
    }

    /// Lets a report share its failure with an earlier one that is the same.
    fn sharing(&mut self, mut report: TargetReport) -> TargetReport {
        if let Some(failure) = &mut report.failure {
            match self.failures.iter().find(|known| *known == failure) {
                Some(known) => *failure = Arc::clone(known),
                None if self.failures.len() < FAILURES_SHARED => self.failures.push(Arc::clone(failure)),
                None => {}
            }
        }
        report
    }

    fn wave_name(&self, wave: usize) -> Option<String> {
        self.rollout.waves.get(wave).map(|wave| wave.name.clone())
    }
}

fn server_of(target: &Target) -> &str {
    target.server.as_ref().map_or("", |server| server.as_str())
}

impl Observer<(TargetReport, Vec<Warning>)> for Course<'_> {
    fn ending(&self, _job: JobIndex, (report, _): &(TargetReport, Vec<Warning>)) -> Ending {
        ending_of(report)
    }

    fn ended(&mut self, job: JobIndex, ended: Ended<(TargetReport, Vec<Warning>)>) {
        let is_ours = !matches!(ended, Ended::Skipped(Why::TakenOver));
        let report = match ended {
            Ended::Done((report, told)) => {
                for warning in &told {
                    add(&mut self.warnings, warning);
                }
                report
            }
            Ended::Skipped(why) => self.skipped(job, why),
            Ended::Panicked => {
                let what = "an internal error ended the work on this target".to_owned();
                let failure = Failure::bare(Code(1008), what);
                TargetReport::untried(self.target(job), Outcome::Failed, Some(failure))
            }
        };
        let report = self.sharing(report);
        if is_ours {
            self.shared
                .tell(RunEvent::TargetFinished(Box::new(report.clone())));
        }
        self.targets.push(report);
    }

    fn again(&mut self, job: JobIndex, why: &PutBack, pause: Duration) {
        let target = &self.jobs[job].target;
        self.away
            .insert(server_of(target).to_owned(), why.failure.clone());
        self.shared.tell(RunEvent::PutBack {
            label: target.label(),
            track: target.track.clone(),
            code: why.failure.code,
            reason: why.reason.clone(),
            pause,
        });
    }

    fn wave_started(&mut self, wave: usize) {
        if let Some(name) = self.wave_name(wave) {
            let places = self.rollout.places.iter();
            let targets = places.filter(|place| place.wave == wave).count();
            self.shared.tell(RunEvent::WaveStarted {
                wave: name,
                index: wave,
                targets,
            });
        }
    }

    fn wave_finished(&mut self, wave: usize, soak: Duration) {
        if let Some(name) = self.wave_name(wave) {
            let over = self.rollout.waves.get(wave);
            self.shared.tell(RunEvent::WaveFinished {
                wave: name,
                index: wave,
                soak,
                then: over.map(|wave| wave.then).unwrap_or_default(),
            });
        }
    }
}

/// Returns why a run ended early.
fn cause(end: &End, rollout: &Rollout) -> Option<Cause> {
    match end {
        End::Completed | End::Interrupted | End::Cancelled => None,
        End::Gate(wave) => {
            let name = rollout.waves.get(*wave).map(|wave| wave.name.clone());
            Some(Cause::Gate {
                wave: name.unwrap_or_default(),
                next: wave + 1,
            })
        }
        End::Paused => Some(Cause::Asked),
        End::Stopped(rule) => Some(Cause::Rule(*rule)),
        End::RegistryLost => Some(Cause::RegistryLost),
        End::Fenced => Some(Cause::TakenOver),
    }
}

/// Returns the word for how a run ended. One that was asked to stop and had nothing left to stop is complete.
fn status(end: &End, targets: &[TargetReport], control: &Control) -> RunStatus {
    let unfinished = |t: &TargetReport| matches!(t.outcome, Outcome::NotRun | Outcome::Cancelled);
    let is_cut_short = targets
        .iter()
        .any(|t| unfinished(t) || t.outcome == Outcome::Interrupted);
    let central_failed = targets
        .iter()
        .any(|t| t.owner.is_none() && t.outcome.is_failure());
    match end {
        End::Stopped(_) | End::RegistryLost => RunStatus::Stopped,
        End::Gate(_) => RunStatus::Paused,
        End::Paused if is_cut_short => RunStatus::Paused,
        End::Cancelled if is_cut_short => RunStatus::Cancelled,
        End::Interrupted | End::Fenced if is_cut_short => RunStatus::Interrupted,
        End::Completed | End::Paused | End::Cancelled | End::Interrupted | End::Fenced => {
            if control.requested() == Stop::No && central_failed && targets.iter().any(unfinished) {
                RunStatus::Stopped
            } else {
                RunStatus::Completed
            }
        }
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
            failure: failure.map(Arc::new),
            attempts: 0,
            duration: Duration::ZERO,
        }
    }
}
