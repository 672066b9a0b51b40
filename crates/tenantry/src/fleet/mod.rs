//! A registry, the folders of its tracks, and runs over them that the registry records.

mod back;
mod central;
mod folders;
mod jobs;
mod marks;
mod recorder;
mod warnings;

use std::collections::HashSet;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

pub use central::{central_target, prepare_central};
pub use folders::{Folders, UnfinishedFiles};
pub use jobs::{Selected, Tiers};
pub use marks::{Declarations, Declarer};

use crate::code::Code;
use crate::direction::Direction;
use crate::faults::{Point, Seed, is_seeded, point};
use crate::migration::{ReadError, Version};
use crate::registry::{NewRun, Registry, RegistryError, RunTarget};
use crate::run::{
    Control, Outcome, Preview, RunEvent, RunOptions, RunReport, Unrecorded, new_run_id, preview, run,
};
use crate::target::TrackName;
use crate::tenant::ProductType;

/// A run could not be carried on at all.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FleetError {
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The run could not be written into the registry, so that it was not begun.
    #[error("the run could not be recorded, so nothing ran")]
    NotBegun(#[source] RegistryError),
    /// A bug of ours ended the run; every target's own history is right.
    #[error("an internal error ended the run: {0}")]
    Broken(String),
    /// A track's files must not run.
    #[error(transparent)]
    Files(#[from] ReadError),
    /// The goal names a version that a track does not have.
    #[error("there is no migration {version} on the track {track}")]
    UnknownVersion {
        /// The version asked for.
        version: Version,
        /// The track.
        track: TrackName,
        /// Versions of that track that may have been meant, at most three.
        nearest: Vec<String>,
    },
    /// There is no track for a product.
    #[error("there is no product `{product}`")]
    UnknownProduct {
        /// The product as given.
        product: ProductType,
        /// Those that there are.
        known: Vec<ProductType>,
    },
    /// The central database could not be prepared.
    #[error("the central database could not be prepared")]
    Central(#[source] crate::engine::SessionError),
    /// The central database's file could not be made.
    #[error("the central database could not be created")]
    Create(#[source] crate::engine::CreateError),
    /// Our own tables in the central database could not be migrated.
    #[error("the registry's tables could not be migrated: {}", .0.what)]
    Schema(Box<crate::run::Failure>),
}

impl FleetError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Registry(error) | Self::NotBegun(error) => error.code(),
            Self::Broken(_) => Code(1008),
            Self::Files(error) => error.code(),
            Self::UnknownVersion { .. } => Code(4008),
            Self::UnknownProduct { .. } => Code(6005),
            Self::Central(error) => error.code(),
            Self::Create(error) => error.code(),
            Self::Schema(failure) => failure.code,
        }
    }
}

/// What a run shall do.
#[derive(Clone, Debug)]
pub struct Request {
    /// The command as it was given, without secrets; it goes to the registry.
    pub command: String,
    /// Who asks; likewise.
    pub actor: String,
    /// Forwards or backwards.
    pub direction: Direction,
    /// The run that is taken back: the first of its chain.
    pub reverts: Option<String>,
    /// The run whose work this one goes on with: the first of its chain.
    pub continues: Option<String>,
}

/// A registry with the folders of its tracks and the settings of its runs.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// The registry.
    pub registry: Registry,
    /// Where the tracks are.
    pub folders: Folders,
    /// How runs go.
    pub options: RunOptions,
}

impl Fleet {
    /// Carries out what was selected and records it: the run before it begins, every outcome as it comes.
    ///
    /// A product database whose tenant's shared one was left out for a failure is not run, as if that had
    /// failed in the run. A target's failure is in the report. If the registry goes away in mid-run, the targets' own
    /// histories stay right, and [`RunReport::unrecorded`] says how many outcomes it does not have.
    ///
    /// # Errors
    /// [`FleetError::NotBegun`] if the run could not be written down before it begins: nothing ran then.
    pub async fn execute(
        &self,
        mut selected: Selected,
        request: &Request,
        control: &Control,
        events: UnboundedSender<RunEvent>,
    ) -> Result<RunReport, FleetError> {
        selected.hold_back_products();
        let id = new_run_id();
        let mut rows: Vec<RunTarget> = selected
            .jobs
            .iter()
            .map(|job| RunTarget::not_run(&job.target))
            .collect();
        rows.extend(selected.left_out.iter().map(RunTarget::reported));
        let new = NewRun {
            id: id.clone(),
            command: request.command.clone(),
            direction: request.direction,
            reverts: request.reverts.clone(),
            goal: selected.goal.clone(),
            continues: request.continues.clone(),
            actor: request.actor.clone(),
            targets: rows,
        };
        self.registry
            .begin_run(&new)
            .await
            .map_err(FleetError::NotBegun)?;
        point(Point::RegistryRunBegun);
        if is_seeded(Seed::RegistryAppliedInAdvance) {
            self.registry.record(&id, &as_applied(&new.targets)).await?;
        }
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let (jobs, options, control) = (selected.jobs, self.options.clone(), control.clone());
        let (run_id, registry) = (id.clone(), self.registry.clone());
        let running = async move { run(&run_id, jobs, options, control, sender).await };
        let run_id = id.clone();
        let recording = async move { recorder::record(&registry, &run_id, receiver, events).await };
        let (report, waiting) = tokio::join!(in_task(running), in_task(recording));
        let (mut report, waiting) = (report?, waiting?);
        let recorded = waiting.finish(&self.registry, &id, report.status).await;
        report.unrecorded = recorded.err().map(Unrecorded::from);
        // Without any job the run itself cannot tell.
        report.direction = request.direction;
        report.targets.extend(selected.left_out);
        Ok(report)
    }

    /// Asks every selected database what would run; writes nothing.
    pub async fn preview(&self, selected: &Selected, control: &Control) -> Vec<Preview> {
        preview(selected.jobs.clone(), &self.options, control).await
    }

    /// Keeps of a selection what a run did not bring to its goal; with [`Unfinished::Anywhere`] also every
    /// database that the registry does not know as current, whichever run failed on it.
    ///
    /// # Errors
    /// What the registry says.
    pub async fn unfinished(
        &self,
        run_id: &str,
        scope: Unfinished,
        selected: Selected,
    ) -> Result<Selected, FleetError> {
        let rows = self.registry.unfinished_of(run_id).await?;
        self.among(rows, scope, selected).await
    }

    /// Keeps of a selection what is named in `rows`; with [`Unfinished::Anywhere`] also every database that
    /// the registry does not know as current.
    ///
    /// # Errors
    /// What the registry says.
    pub async fn among(
        &self,
        rows: Vec<RunTarget>,
        scope: Unfinished,
        mut selected: Selected,
    ) -> Result<Selected, FleetError> {
        let mut keys: HashSet<(String, String)> = rows
            .into_iter()
            .map(|row| (row.database_id, row.track.to_string()))
            .collect();
        if scope == Unfinished::Anywhere {
            let status = self.registry.fleet_status().await?;
            keys.extend(
                status
                    .not_current
                    .into_iter()
                    .map(|t| (t.database_id, t.track.to_string())),
            );
        }
        let keep = |id: &str, track: &TrackName| keys.contains(&(id.to_owned(), track.to_string()));
        selected.retain(|job| keep(&job.target.database_id, &job.target.track));
        selected
            .left_out
            .retain(|report| keep(&report.database_id, &report.track));
        Ok(selected)
    }
}

/// Returns targets as if all had gone well, for the defect that says so before anything ran.
fn as_applied(targets: &[RunTarget]) -> Vec<RunTarget> {
    let applied = |target: &RunTarget| RunTarget {
        outcome: Outcome::Applied,
        ..target.clone()
    };
    targets.iter().map(applied).collect()
}

/// Carries a future out in a task of its own, which ends if this call is dropped. Tasks wake one another
/// cheaply; the caller's thread would be woken for every target.
async fn in_task<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, FleetError> {
    let mut tasks = JoinSet::new();
    tasks.spawn(work);
    match tasks.join_next().await {
        Some(Ok(done)) => Ok(done),
        Some(Err(error)) => Err(FleetError::Broken(error.to_string())),
        None => Err(FleetError::Broken("it has no end".to_owned())),
    }
}

/// What [`Fleet::unfinished`] looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// One run only.
    OfRun,
    /// That run, and whatever the registry does not know as current.
    Anywhere,
}

/// How long an answer of the registry is waited for when it is opened.
pub const REGISTRY_TIMEOUT: Duration = Duration::from_secs(8);
