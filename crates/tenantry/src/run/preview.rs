//! What a run would do: every target's history is read, nothing is locked or written.

use std::sync::Arc;

use super::control::Control;
use super::drive::{Ended, drive};
use super::failure::Failure;
use super::options::RunOptions;
use super::runner::{Job, machine_of};
use super::target::{check_not_emptied, open_options};
use crate::code::Code;
use crate::engine;
use crate::history::History;
use crate::plan::{Plan, plan};
use crate::target::Target;

/// What would run in one target, or why nothing may.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The target.
    pub target: Target,
    /// What would run, and the history it was planned on.
    pub planned: Result<(Plan, History), Failure>,
}

/// Reads every job's history, many at once, and plans on it. In the order of the jobs; targets that a stop
/// kept from being asked are missing.
pub async fn preview(jobs: Vec<Job>, options: &RunOptions, control: &Control) -> Vec<Preview> {
    let jobs: Vec<Job> = jobs.into_iter().map(|job| Job { after: None, ..job }).collect();
    let (machine, _) = machine_of(&jobs, options);
    let jobs: Vec<Arc<Job>> = jobs.into_iter().map(Arc::new).collect();
    let mut found: Vec<(usize, Preview)> = Vec::with_capacity(jobs.len());
    let work = |index: usize| {
        let (job, options) = (Arc::clone(&jobs[index]), options.clone());
        async move { look(&job, &options).await }
    };
    let settle = |index: usize, ended| {
        let planned = match ended {
            Ended::Done(planned) => planned,
            Ended::Panicked => Err(Failure::bare(
                Code(1008),
                "an internal error ended the look".to_owned(),
            )),
            Ended::Skipped => return false,
        };
        found.push((
            index,
            Preview {
                target: jobs[index].target.clone(),
                planned,
            },
        ));
        true
    };
    drive(machine, control, work, settle).await;
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, preview)| preview).collect()
}

async fn look(job: &Job, options: &RunOptions) -> Result<(Plan, History), Failure> {
    let options = open_options(&job.target, options, "preview");
    let mut reader = engine::read(&job.target.address, &options)
        .await
        .map_err(|error| Failure::of_session(&error))?;
    let history = reader
        .history()
        .await
        .map_err(|error| Failure::of_session(&error))?;
    check_not_emptied(&job.target, &history).map_err(|error| Failure::of_session(&error))?;
    let plan = plan(&job.track, &history, &job.goal).map_err(|error| Failure::of_plan(&error, &job.track))?;
    Ok((plan, history))
}
