//! What a run would do: every target's history is read, nothing is locked or written.

use std::sync::Arc;

use super::control::Control;
use super::dispatch::{Seat, Tasks};
use super::drive::{Ended, Observer, drive};
use super::ended::{self};
use super::failure::Failure;
use super::lanes::machine_of;
use super::machine::{Ending, JobIndex};
use super::options::RunOptions;
use super::report::{Outcome, TargetReport};
use super::rollout::Rollout;
use super::runner::Job;
use super::target::{check_not_emptied, open_options};
use crate::code::Code;
use crate::engine;
use crate::history::History;
use crate::plan::{Plan, PlanError, plan};
use crate::target::Target;

/// What would run in one target, or why nothing may.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The target.
    pub target: Target,
    /// What would run, and the history it was planned on.
    pub planned: Result<(Plan, History), Failure>,
    /// What a run would make of it that met the same failure; `None` if there is a plan.
    pub outcome: Option<Outcome>,
    /// The history that was read where nothing may run on it; `None` if there is a plan, or if it could not be read.
    pub unplanned: Option<History>,
    /// Why the history must not be continued so; `None` if there is a plan, or another failure.
    pub refused: Option<PlanError>,
}

impl Preview {
    /// Returns the target as a run would report it that met the same failure; `None` if there is a plan.
    pub fn report(&self) -> Option<TargetReport> {
        let failure = self.planned.as_ref().err()?.clone();
        let outcome = self.outcome.unwrap_or(Outcome::Failed);
        Some(TargetReport::untried(&self.target, outcome, Some(failure)))
    }

    /// Returns the history that was read; `None` if it could not be.
    pub fn history(&self) -> Option<&History> {
        let planned = self.planned.as_ref().ok().map(|(_, history)| history);
        planned.or(self.unplanned.as_ref())
    }

    /// Returns whether a migration has begun there and is not done: it stopped half-way, or it runs now.
    pub fn is_half_way(&self) -> bool {
        let plan = self.planned.as_ref().ok().map(|(plan, _)| plan);
        plan.is_some_and(|plan| plan.steps.iter().any(|step| step.interrupted.is_some()))
    }

    /// Returns the runs that its history names on the target's track; none if it did not answer.
    pub fn runs(&self) -> impl Iterator<Item = &str> {
        let history = self.planned.as_ref().ok().map(|(_, history)| history);
        let rows = history
            .into_iter()
            .flat_map(|history| history.of_track(&self.target.track));
        rows.map(|row| row.run_id.as_str())
    }

    /// Returns whether the registry remembers another version than the history has: what a run did was not
    /// recorded. `false` if it remembers none, or the database did not answer.
    pub fn is_unrecorded(&self) -> bool {
        let known = self.target.known_version;
        let history = self.planned.as_ref().ok().map(|(_, history)| history);
        history.is_some_and(|history| known.is_some() && history.current(&self.target.track) != known)
    }
}

/// Returns whether every database answered, and none has a step to take.
pub fn is_idle(previews: &[Preview]) -> bool {
    let is_idle = |p: &Preview| matches!(&p.planned, Ok((plan, _)) if plan.steps.is_empty());
    previews.iter().all(is_idle)
}

/// Returns whether those that answered have no step to take, and at least one did; one that cannot be asked
/// tells nothing.
pub fn is_told_empty(previews: &[Preview]) -> bool {
    let is_empty = |p: &Preview| match &p.planned {
        Ok((plan, _)) => plan.steps.is_empty(),
        Err(_) => p.refused.is_none(),
    };
    previews.iter().any(|p| p.planned.is_ok()) && previews.iter().all(is_empty)
}

/// Reads every job's history, many at once, and plans on it. In the order of the jobs; targets that a stop
/// kept from being asked are missing.
pub async fn preview(jobs: Vec<Job>, options: &RunOptions, control: &Control) -> Vec<Preview> {
    let jobs: Vec<Job> = jobs.into_iter().map(|job| Job { after: None, ..job }).collect();
    let machine = machine_of(&jobs, options, &Rollout::default());
    let jobs: Vec<Arc<Job>> = jobs.into_iter().map(Arc::new).collect();
    let mut tasks = Tasks::new(|index: usize, _: Seat| {
        let (job, options) = (Arc::clone(&jobs[index]), options.clone());
        async move { ask(&job, &options).await }
    });
    let mut looks = Looks {
        jobs: &jobs,
        found: Vec::with_capacity(jobs.len()),
    };
    drive(machine, &mut tasks, &mut looks, control, None).await;
    let mut found = looks.found;
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, preview)| preview).collect()
}

/// Why there is no plan, and the history that was read all the same.
type Unplanned = (ended::Ended, Option<History>);

type Looked = Result<(Plan, History), Unplanned>;

/// What was found so far, by job.
struct Looks<'a> {
    jobs: &'a [Arc<Job>],
    found: Vec<(usize, Preview)>,
}

impl Observer<Looked> for Looks<'_> {
    fn ending(&self, _job: JobIndex, _looked: &Looked) -> Ending {
        Ending::Otherwise
    }

    fn ended(&mut self, index: JobIndex, ended: Ended<Looked>) {
        let job = &self.jobs[index];
        let (mut refused, mut unplanned) = (None, None);
        let (planned, outcome) = match ended {
            Ended::Done(Ok(planned)) => (Ok(planned), None),
            Ended::Done(Err((ended, history))) => {
                unplanned = history;
                let failure = ended::describe(&ended, &job.track);
                let outcome = ended::outcome_of(&ended);
                if let ended::Ended::Plan(error) = ended {
                    refused = Some(error);
                }
                (Err(failure), Some(outcome))
            }
            Ended::Panicked => {
                let what = "an internal error ended the look".to_owned();
                (Err(Failure::bare(Code(1008), what)), Some(Outcome::Failed))
            }
            Ended::Skipped(_) => return,
        };
        let preview = Preview {
            target: job.target.clone(),
            planned,
            outcome,
            unplanned,
            refused,
        };
        self.found.push((index, preview));
    }
}

async fn ask(job: &Job, options: &RunOptions) -> Looked {
    let options = open_options(&job.target, options, "preview");
    let unread = |error| (ended::Ended::Session(error), None);
    let mut reader = engine::read(&job.target.address, &options)
        .await
        .map_err(unread)?;
    let history = engine::history(reader.as_mut(), &options).await.map_err(unread)?;
    let planned = check_not_emptied(&job.target, &history)
        .map_err(ended::Ended::Session)
        .and_then(|()| plan(&job.track, &history, &job.goal).map_err(ended::Ended::Plan));
    match planned {
        Ok(plan) => Ok((plan, history)),
        Err(ended) => Err((ended, Some(history))),
    }
}
