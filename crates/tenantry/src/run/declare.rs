//! Declarations about histories: each target under its lock, many at once; no migration runs.

use std::sync::Arc;

use super::control::Control;
use super::drive::{Ended as Drove, drive};
use super::ended::{Ended, describe, outcome_of};
use super::failure::Failure;
use super::options::RunOptions;
use super::report::{Outcome, TargetReport};
use super::runner::{Job, machine_of};
use super::target::open_options;
use super::way::Way;
use crate::code::Code;
use crate::direction::Direction;
use crate::engine::{self, Amendment, ApplyError, Session, SessionError, Unit, random};
use crate::history::{Applied, Entry, History, OpenStatement, Phase};
use crate::mark::{Decision, Mark, MarkError, entries, settle};
use crate::migration::{Track, Version};
use crate::plan::Step;
use crate::target::Target;

/// How often a lost session is replaced.
const SESSIONS_MAX: usize = 5;

/// What is declared about one migration, on one target or many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Its id; rows that it adds name it.
    pub id: String,
    /// The migration.
    pub version: Version,
    /// What is declared.
    pub says: Says,
}

/// What is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// Something about the migration as a whole.
    Mark(Mark),
    /// Whether the statement took effect in which it was cut off.
    Decide {
        /// The statement, from 1.
        statement: usize,
        /// What was decided.
        decision: Decision,
        /// What was known of it when that was decided.
        evidence: String,
    },
    /// Nothing: whoever has to decide wants to see what is known.
    Look,
}

/// What became of a declaration on one target.
#[derive(Clone, Debug)]
pub struct Declared {
    /// The target.
    pub target: Target,
    /// What its history says now, or why nothing was declared there.
    pub ended: Result<Noted, Failure>,
    /// What a run would make of it that met the same failure; `None` if there is none.
    pub outcome: Option<Outcome>,
}

/// What one history says behind a declaration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// `version_name` of each row that was written or removed; empty if it said so already.
    pub changed: Vec<String>,
    /// The newest version that is done; `None` if none is.
    pub version: Option<Version>,
    /// Whether that is the newest version of its track.
    pub at_head: bool,
    /// Whether a migration is half-way there.
    pub half_way: bool,
}

impl Declared {
    /// Returns the target as a run would report it that met the same failure; `None` if there is none.
    pub fn report(&self) -> Option<TargetReport> {
        let failure = self.ended.as_ref().err()?.clone();
        let outcome = self.outcome.unwrap_or(Outcome::Failed);
        Some(TargetReport::untried(&self.target, outcome, Some(failure)))
    }
}

/// Declares something on every job's target. In the order of the jobs; targets that a stop kept from being
/// reached are missing.
///
/// Each history is read, changed and read again under its lock. Nothing is written to the registry here.
pub async fn declare(
    jobs: Vec<Job>,
    declaration: &Declaration,
    options: &RunOptions,
    control: &Control,
) -> Vec<Declared> {
    let jobs: Vec<Job> = jobs.into_iter().map(|job| Job { after: None, ..job }).collect();
    let (machine, _) = machine_of(&jobs, options);
    let jobs: Vec<Arc<Job>> = jobs.into_iter().map(Arc::new).collect();
    let mut found: Vec<(usize, Declared)> = Vec::with_capacity(jobs.len());
    let work = |index: usize| {
        let (job, declaration, options) = (Arc::clone(&jobs[index]), declaration.clone(), options.clone());
        async move { Work::new(&job, &declaration, &options).run().await }
    };
    let settle = |index: usize, ended| {
        let job = &jobs[index];
        let (ended, outcome) = match ended {
            Drove::Done(Ok(noted)) => (Ok(noted), None),
            Drove::Done(Err(Refused::Run(ended))) => {
                (Err(describe(&ended, &job.track)), Some(outcome_of(&ended)))
            }
            Drove::Done(Err(Refused::Mark(error))) => (Err(of_mark(&error, &job.track)), None),
            Drove::Done(Err(Refused::OtherEvidence(failure))) => (Err(*failure), None),
            Drove::Panicked => {
                let what = "an internal error ended the work on this target".to_owned();
                (Err(Failure::bare(Code(1008), what)), None)
            }
            Drove::Skipped => return false,
        };
        let target = job.target.clone();
        found.push((
            index,
            Declared {
                target,
                ended,
                outcome,
            },
        ));
        true
    };
    drive(machine, control, work, settle).await;
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, declared)| declared).collect()
}

/// Why nothing was declared on a target.
enum Refused {
    Run(Ended),
    Mark(MarkError),
    OtherEvidence(Box<Failure>),
}

impl From<SessionError> for Refused {
    fn from(error: SessionError) -> Self {
        Self::Run(Ended::Session(error))
    }
}

/// The work on one target.
struct Work<'a> {
    job: &'a Job,
    declaration: &'a Declaration,
    options: &'a RunOptions,
    /// What was sent and not heard of.
    in_doubt: Vec<String>,
}

impl<'a> Work<'a> {
    fn new(job: &'a Job, declaration: &'a Declaration, options: &'a RunOptions) -> Self {
        Self {
            job,
            declaration,
            options,
            in_doubt: Vec::new(),
        }
    }

    async fn run(mut self) -> Result<Noted, Refused> {
        let mut sessions = 1;
        loop {
            let refused = match self.session().await {
                Ok(changed) => return self.read_back(changed).await,
                Err(refused) => refused,
            };
            let again = match &refused {
                Refused::Run(Ended::Session(error)) => matches!(error, SessionError::Lost { .. }),
                Refused::Run(Ended::Apply(error, _)) => is_worth_another(error),
                Refused::Run(Ended::Plan(_) | Ended::Stopped | Ended::OutOfTime { .. })
                | Refused::Mark(_)
                | Refused::OtherEvidence(_) => false,
            };
            if !again || sessions >= SESSIONS_MAX {
                return Err(refused);
            }
            tokio::time::sleep(super::backoff::pause(sessions, random())).await;
            sessions += 1;
        }
    }

    /// One session: the history is read under its lock and changed. Returns the names of the rows that were.
    async fn session(&mut self) -> Result<Vec<String>, Refused> {
        let target = &self.job.target;
        let options = open_options(target, self.options, &self.declaration.id);
        let mut session = engine::open(&self.way().to(&target.address), &options).await?;
        let wanted = self.entries(session.as_mut()).await?;
        if wanted.is_empty() {
            return Ok(std::mem::take(&mut self.in_doubt));
        }
        let names = labels(&wanted, session.history(), &self.job.track);
        let amendment = Amendment {
            track: self.job.track.name.clone(),
            entries: wanted,
            mark_id: self.declaration.id.clone(),
            attempt_id: uuid::Uuid::now_v7().to_string(),
        };
        if let Err(error) = session.amend(&amendment).await {
            if matches!(
                error,
                ApplyError::Session {
                    commit_sent: true,
                    ..
                }
            ) {
                self.in_doubt = names;
            }
            return Err(Refused::Run(Ended::Apply(error, Box::new(self.unit(None)))));
        }
        Ok(names)
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
        let Some(row) = row.filter(|row| row.phase != Phase::Done) else {
            return Ok(Vec::new());
        };
        let step = self.step(&row).map_err(Refused::Mark)?;
        let unit = self.unit(Some(step));
        let open = session.open_statement(&unit).await;
        match open {
            Ok(None) => Ok(Vec::new()),
            Ok(Some(open)) => self.decided(&row, &open, unit),
            Err(error) => Err(Refused::Run(Ended::Apply(error, Box::new(unit)))),
        }
    }

    fn decided(&self, row: &Applied, open: &OpenStatement, unit: Unit) -> Result<Vec<Entry>, Refused> {
        let ambiguous = ApplyError::Ambiguous {
            step: 0,
            statement: open.statement,
            statements: open.statements,
            reason: open.reason.clone(),
            evidence: open.evidence.clone(),
        };
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
                Err(Refused::OtherEvidence(Box::new(failure)))
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
            attempt_id: uuid::Uuid::now_v7().to_string(),
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
        Ok(Noted {
            changed,
            version: history.current(name),
            at_head: history.current(name) == self.job.track.head(),
            half_way: history.of_track(name).any(|row| row.phase != Phase::Done),
        })
    }
}

/// Whether another session may find out what became of a write, or do it.
fn is_worth_another(error: &ApplyError) -> bool {
    match error {
        ApplyError::Session { source, .. } => matches!(source, SessionError::Lost { .. }),
        ApplyError::Fenced => true,
        ApplyError::Statement { .. }
        | ApplyError::Cancelled { .. }
        | ApplyError::Ambiguous { .. }
        | ApplyError::TooLong { .. }
        | ApplyError::StringRules { .. }
        | ApplyError::SessionLost { .. }
        | ApplyError::Edited { .. }
        | ApplyError::SessionChanged { .. }
        | ApplyError::NotReadBack => false,
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

/// Describes a declaration that does not fit.
fn of_mark(error: &MarkError, track: &Track) -> Failure {
    let mut failure = Failure::bare(error.code(), error.to_string());
    if matches!(error, MarkError::UnknownVersion { .. }) && !track.folder.as_os_str().is_empty() {
        failure.file = Some(track.folder.clone());
    }
    failure
}
