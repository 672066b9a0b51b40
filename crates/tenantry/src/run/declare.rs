//! Declarations about histories: each target under its lock, many at once; no migration runs.

use std::sync::Arc;
use std::time::Instant;

use super::attend::{Attendance, attend_to};
use super::control::Stop;
use super::declaration::{Declaration, Declared, Noted, Says, Watch};
use super::dispatch::{Seat, Tasks};
use super::drive::{Ended as Drove, Observer, drive};
use super::ended::{Ended, describe, outcome_of};
use super::event::{BegunTarget, RunEvent, Start};
use super::failure::Failure;
use super::id::new_attempt_id;
use super::lanes::machine_of;
use super::machine::{Ending, JobIndex};
use super::options::RunOptions;
use super::refused::Refused;
use super::report::{Outcome, TargetReport};
use super::rollout::Rollout;
use super::runner::Job;
use super::target::{open_options, waits_for_lock};
use super::watch::{Watching, words};
use super::way::Way;
use crate::code::Code;
use crate::direction::Direction;
use crate::engine::{self, Amendment, ApplyError, Holder, Session, SessionError, StateAfter, Unit, random};
use crate::history::{Applied, Entry, History, OpenStatement, Phase};
use crate::mark::{MarkError, WasHalfWay, agrees, entries, half_way, is_known, is_written, settle};
use crate::migration::Track;
use crate::plan::{Goal, Step, plan};

/// How often a lost session is replaced.
const SESSIONS_MAX: usize = 5;

/// Declares something on every job's target. In the order of the jobs; targets that a stop kept from being
/// reached are missing.
///
/// Each history is read, changed and read again under its lock. Nothing is written to the registry here.
pub async fn declare(
    jobs: Vec<Job>,
    declaration: &Declaration,
    options: &RunOptions,
    watch: &Watch,
) -> Vec<Declared> {
    let jobs: Vec<Job> = jobs.into_iter().map(|job| Job { after: None, ..job }).collect();
    let machine = machine_of(&jobs, options, &Rollout::default());
    watch.tell(RunEvent::Started(Box::new(Start {
        concurrency: machine.total(),
        ..Start::of(&declaration.id, &jobs)
    })));
    let jobs: Vec<Arc<Job>> = jobs.into_iter().map(Arc::new).collect();
    let declaration = Arc::new(declaration.clone());
    let mut tasks = Tasks::new(|index: usize, _: Seat| {
        let (job, declaration) = (Arc::clone(&jobs[index]), Arc::clone(&declaration));
        let (options, watch) = (options.clone(), watch.clone());
        async move { Work::new(&job, &declaration, &options, &watch).run().await }
    });
    let mut noted = Noting {
        jobs: &jobs,
        watch,
        found: Vec::with_capacity(jobs.len()),
    };
    drive(machine, &mut tasks, &mut noted, &watch.control, None).await;
    let mut found = noted.found;
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, declared)| declared).collect()
}

/// What was declared so far, by job.
struct Noting<'a> {
    jobs: &'a [Arc<Job>],
    watch: &'a Watch,
    found: Vec<(usize, Declared)>,
}

impl Observer<Declared> for Noting<'_> {
    fn ending(&self, _job: JobIndex, _declared: &Declared) -> Ending {
        Ending::Otherwise
    }

    fn ended(&mut self, index: JobIndex, ended: Drove<Declared>) {
        let job = &self.jobs[index];
        let declared = match ended {
            Drove::Done(declared) => declared,
            Drove::Panicked => {
                let what = "an internal error ended the work on this target".to_owned();
                declared(job, Err(Refused::Told(Box::new(Failure::bare(Code(1008), what)))))
            }
            Drove::Skipped(_) => return,
        };
        let report = TargetReport::untried(&job.target, Outcome::Current, None);
        let report = declared.report().unwrap_or(report);
        self.watch.tell(RunEvent::TargetFinished(Box::new(report)));
        self.found.push((index, declared));
    }
}

fn declared(job: &Job, ended: Result<Noted, Refused>) -> Declared {
    let (ended, outcome) = match ended {
        Ok(noted) => (Ok(noted), None),
        Err(refused) => {
            let outcome = refused.outcome();
            (Err(refused.described(&job.track)), outcome)
        }
    };
    Declared {
        target: job.target.clone(),
        ended,
        outcome,
        unknown: false,
    }
}

/// The work on one target.
struct Work<'a> {
    job: &'a Job,
    declaration: &'a Declaration,
    options: &'a RunOptions,
    watch: &'a Watch,
    /// What was sent and not read back.
    in_doubt: Vec<Entry>,
    /// The names of the rows that the server said it has changed.
    written: Option<Vec<String>>,
    /// What was half-way when that was sent.
    was_half_way: Vec<WasHalfWay>,
    /// Whether neither the history nor the track has the migration.
    unknown: bool,
}

impl<'a> Work<'a> {
    fn new(job: &'a Job, declaration: &'a Declaration, options: &'a RunOptions, watch: &'a Watch) -> Self {
        Self {
            job,
            declaration,
            options,
            watch,
            in_doubt: Vec::new(),
            written: None,
            was_half_way: Vec::new(),
            unknown: false,
        }
    }

    /// Returns how it ended.
    async fn run(mut self) -> Declared {
        let begun = BegunTarget::of(&self.job.target);
        self.watch.tell(RunEvent::TargetStarted(Box::new(begun)));
        let ended = self.try_until_settled().await;
        let mut declared = Declared {
            unknown: self.unknown,
            ..declared(self.job, ended)
        };
        if let Err(failure) = &mut declared.ended
            && !self.in_doubt.is_empty()
        {
            failure.state = StateAfter::Unknown;
        }
        declared
    }

    async fn try_until_settled(&mut self) -> Result<Noted, Refused> {
        let (mut sessions, begun) = (1, Instant::now());
        loop {
            let refused = match self.declare_and_read_back().await {
                Ok(noted) => return Ok(noted),
                Err(refused) => refused,
            };
            let waits = refused.is_locked_out() && begun.elapsed() < self.options.lock_window;
            if !waits && (!refused.is_worth_another() || sessions >= SESSIONS_MAX) {
                return Err(refused);
            }
            tokio::select! {
                () = tokio::time::sleep(super::backoff::pause(sessions, random())) => {}
                () = self.watch.control.reached(Stop::Cancel) => return Err(refused),
            }
            sessions += usize::from(!waits);
        }
    }

    async fn declare_and_read_back(&mut self) -> Result<Noted, Refused> {
        // What others did since then says nothing about it.
        let changed = match self.written.clone() {
            Some(changed) => changed,
            None => self.session().await?,
        };
        self.read_back(changed).await
    }

    /// One session: the history is read under its lock and changed. Returns the names of the rows that were.
    async fn session(&mut self) -> Result<Vec<String>, Refused> {
        let target = &self.job.target;
        let options = open_options(target, self.options, &self.declaration.id);
        let address = self.way().to(&target.address);
        let hears = |holders: &[Holder]| self.watch.tell(waits_for_lock(target, holders));
        let mut session = tokio::select! {
            opened = engine::open_and_tell(&address, &options, &hears) => opened?,
            () = self.watch.control.reached(Stop::Cancel) => return Err(Refused::Run(Ended::Stopped)),
        };
        let (track, history) = (&self.job.track, session.history());
        self.unknown = !is_known(track, history, self.declaration.version);
        let is_there = |entry: &Entry| is_written(track, history, entry);
        if !self.in_doubt.is_empty() && self.in_doubt.iter().all(is_there) {
            return Ok(labels(&self.in_doubt, history, track));
        }
        self.in_doubt.clear();
        let wanted = self.entries(session.as_mut()).await?;
        if let Says::Mark(_) = self.declaration.says {
            self.was_half_way = half_way(track, session.history(), &wanted);
        }
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let names = labels(&wanted, session.history(), track);
        let amendment = Amendment {
            track: track.name.clone(),
            entries: wanted,
            mark_id: self.declaration.id.clone(),
            attempt_id: new_attempt_id(&self.declaration.id),
        };
        let amended = self.amend(session.as_mut(), &amendment).await;
        let may_be_there = matches!(
            &amended,
            Ok(())
                | Err(ApplyError::Session {
                    commit_sent: true,
                    ..
                } | ApplyError::Cancelled {
                    state: StateAfter::Unknown,
                    ..
                })
        );
        if may_be_there {
            self.in_doubt = amendment.entries;
        }
        if let Err(error) = amended {
            return Err(Refused::Run(Ended::Apply(error, Box::new(self.unit(None)))));
        }
        self.written = Some(names.clone());
        Ok(names)
    }

    /// Writes; whoever keeps our tables locked is told, and named by the error.
    async fn amend(&self, session: &mut dyn Session, amendment: &Amendment) -> Result<(), ApplyError> {
        let (watch, target) = (self.watch, &self.job.target);
        let waiting = |holders: &[Holder]| {
            watch.tell(RunEvent::Waiting {
                label: target.label(),
                reason: format!("waits for another session{}", words(holders)),
            });
        };
        let with = Attendance {
            control: &watch.control,
            watching: Watching {
                lock_timeout: Some(self.options.lock_timeout),
                progress_timeout: self.options.progress_timeout,
            },
            deadline: None,
            tell: &waiting,
        };
        let sides = (session.canceller(), session.onlooker());
        let mut in_the_way = Vec::new();
        let mut amended = attend_to(session.amend(amendment), sides, with, &mut in_the_way).await;
        if let Err(ApplyError::Session {
            source: SessionError::LockTimeout { holders, .. },
            ..
        }) = &mut amended
            && holders.is_empty()
        {
            *holders = in_the_way;
        }
        amended
    }

    /// A statement outside a transaction is looked at under the lock of a session.
    fn way(&self) -> Way {
        let migration = self.job.track.find(self.declaration.version);
        match (&self.declaration.says, migration) {
            (Says::Decide { .. } | Says::Look, Some(migration)) => {
                Way::of_migration(&self.job.target.address, migration)
            }
            (_, _) => Way::Given,
        }
    }

    async fn entries(&self, session: &mut dyn Session) -> Result<Vec<Entry>, Refused> {
        let (track, version) = (&self.job.track, self.declaration.version);
        if let Says::Mark(mark) = self.declaration.says {
            return entries(track, session.history(), version, mark).map_err(Refused::Mark);
        }
        let row = session.history().find(&track.name, version).cloned();
        let Some(row) = row.clone().filter(|row| row.phase != Phase::Done) else {
            return self.nothing_open(row.as_ref());
        };
        let step = self.step(&row).map_err(Refused::Mark)?;
        let unit = self.unit(Some(step));
        let open = session.open_statement(&unit).await;
        match open {
            Ok(None) => self.nothing_open(Some(&row)),
            Ok(Some(open)) => self.decided(&row, &open, unit),
            Err(error) => Err(Refused::Run(Ended::Apply(error, Box::new(unit)))),
        }
    }

    /// No statement is open: only what was decided before and still is so may be said again.
    fn nothing_open(&self, row: Option<&Applied>) -> Result<Vec<Entry>, Refused> {
        let Says::Decide {
            statement, decision, ..
        } = &self.declaration.says
        else {
            return Ok(Vec::new());
        };
        let target = &self.job.target;
        let of_target = (target.database_id.clone(), target.track.to_string());
        if self.declaration.decided.contains(&of_target) && agrees(row, *statement, *decision) {
            return Ok(Vec::new());
        }
        let version = self.declaration.version;
        let label = match (self.job.track.find(version), row) {
            (Some(migration), _) => migration.label(),
            (None, Some(row)) => format!("{version}_{}", row.name),
            (None, None) => version.to_string(),
        };
        let what = format!("statement {statement} of {label} is not open: nothing is to be decided about it");
        Err(Refused::Told(Box::new(Failure {
            migration: Some(label),
            ..Failure::bare(Code(4012), what)
        })))
    }

    fn decided(&self, row: &Applied, open: &OpenStatement, unit: Unit) -> Result<Vec<Entry>, Refused> {
        let ambiguous = ambiguous(open);
        match &self.declaration.says {
            Says::Decide {
                statement,
                decision,
                evidence,
            } if *statement == open.statement + 1 && *evidence == open.evidence => {
                Ok(vec![settle(row, open, *decision)])
            }
            Says::Decide { .. } => {
                let failure = Failure {
                    code: Code(4012),
                    what: "it is not what the decision was made about".to_owned(),
                    ..Failure::of_apply(&ambiguous, &unit)
                };
                Err(Refused::Told(Box::new(failure)))
            }
            Says::Look | Says::Mark(_) => Err(Refused::Run(Ended::Apply(ambiguous, Box::new(unit)))),
        }
    }

    fn step(&self, row: &Applied) -> Result<Step, MarkError> {
        let version = row.version;
        let migration = self.job.track.find(version);
        let migration = migration.ok_or(MarkError::UnknownVersion { version })?;
        let direction = match row.phase {
            Phase::Reverting => Direction::Down,
            Phase::Running | Phase::Done => Direction::Up,
        };
        Ok(Step {
            migration: Arc::clone(migration),
            direction,
            interrupted: Some(row.clone()),
        })
    }

    fn unit(&self, step: Option<Step>) -> Unit {
        Unit {
            track: self.job.track.name.clone(),
            direction: step.as_ref().map_or(Direction::Up, |step| step.direction),
            steps: step.into_iter().collect(),
            run_id: self.declaration.id.clone(),
            attempt_id: new_attempt_id(&self.declaration.id),
        }
    }

    /// Green means green: the history is read once more, and what was declared must be in it.
    async fn read_back(&self, changed: Vec<String>) -> Result<Noted, Refused> {
        let target = &self.job.target;
        let options = open_options(target, self.options, &self.declaration.id);
        let mut reader = engine::read(&target.address, &options).await?;
        let history = engine::history(reader.as_mut(), &options).await?;
        if let Says::Mark(mark) = self.declaration.says {
            let left = entries(&self.job.track, &history, self.declaration.version, mark);
            if !left.map_err(Refused::Mark)?.is_empty() {
                let unit = Box::new(self.unit(None));
                return Err(Refused::Run(Ended::Apply(ApplyError::NotReadBack, unit)));
            }
        }
        let name = &self.job.track.name;
        let (outcome, in_the_way) = self.next_run(&history).await;
        Ok(Noted {
            changed,
            was_half_way: self.was_half_way.clone(),
            version: history.current(name),
            half_way: history.of_track(name).any(|row| row.phase != Phase::Done),
            outcome,
            in_the_way,
        })
    }

    /// Returns what a run would make of a target with this history, and what would be in its way.
    async fn next_run(&self, history: &History) -> (Outcome, Option<Failure>) {
        let track = &self.job.track;
        let plan = match plan(track, history, &Goal::Head) {
            Ok(plan) => plan,
            Err(error) => {
                let ended = Ended::Plan(error);
                return (outcome_of(&ended), Some(describe(&ended, track)));
            }
        };
        if plan.steps.is_empty() {
            return (Outcome::Current, None);
        }
        let Some(begun) = plan.steps.into_iter().find(|step| step.interrupted.is_some()) else {
            return (Outcome::NotRun, None);
        };
        match self.look_at(begun).await {
            Some(ended) => (outcome_of(&ended), Some(describe(&ended, track))),
            None => (Outcome::Interrupted, None),
        }
    }

    /// Returns why a half-way migration does not go on by itself; `None` if it does, or if nobody can tell now.
    async fn look_at(&self, step: Step) -> Option<Ended> {
        let target = &self.job.target;
        let options = open_options(target, self.options, &self.declaration.id);
        let way = Way::of_migration(&target.address, &step.migration);
        let mut session = engine::open(&way.to(&target.address), &options).await.ok()?;
        let unit = self.unit(Some(step));
        let error = match session.open_statement(&unit).await {
            Ok(open) => ambiguous(&open?),
            Err(ApplyError::Session { .. }) => return None,
            Err(error) => error,
        };
        Some(Ended::Apply(error, Box::new(unit)))
    }
}

/// Returns the error of a run that meets an open statement.
fn ambiguous(open: &OpenStatement) -> ApplyError {
    ApplyError::Ambiguous {
        step: 0,
        statement: open.statement,
        statements: open.statements,
        reason: open.reason.clone(),
        evidence: open.evidence.clone(),
    }
}

/// Returns the names of what the entries are about, as the history or the folder has them.
fn labels(entries: &[Entry], history: &History, track: &Track) -> Vec<String> {
    let label = |entry: &Entry| match entry {
        Entry::Add(row) | Entry::Change(row) => format!("{}_{}", row.version, row.name),
        Entry::Remove(version) => {
            let row = history.find(&track.name, *version);
            row.map_or_else(|| version.to_string(), |row| format!("{version}_{}", row.name))
        }
    };
    entries.iter().map(label).collect()
}
