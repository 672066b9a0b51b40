//! A registry, the folders of its tracks, and runs over them that the registry records.

mod absent;
mod back;
mod blueprint;
mod central;
mod drive;
mod execute;
mod folders;
mod follow;
mod jobs;
mod keeper;
mod marks;
mod patience;
mod recorder;
mod rest;
mod saved;
mod shortcut;
mod stages;
mod unfinished;
mod unpassed;
mod verify;
mod warnings;

use std::fmt;
use std::time::Duration;

pub use blueprint::{behind_wave, waves_of};
pub use central::{central_target, prepare_central};
pub use folders::{Folders, UnfinishedFiles};
pub use jobs::{Selected, Tiers};
pub use marks::{Declarations, Declarer};
pub use saved::{Central, SavedPlan, Scope, UnreadablePlan};
use thiserror::Error;
pub use unfinished::Unfinished;
pub use verify::Verified;

use crate::code::Code;
use crate::direction::Direction;
use crate::migration::{ReadError, Version};
use crate::registry::{Holding, Registry, RegistryError, Standstill};
use crate::run::{Control, Preview, RunOptions, preview};
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
    /// Other runs have some of the targets.
    #[error("{} is migrating these databases right now", names_of(.0))]
    Held(Vec<Holding>),
    /// A run that nobody drives is in the way: this one was not begun.
    #[error("{run_id} {}", told_of(*.standstill))]
    Waits {
        /// The run.
        run_id: String,
        /// Why.
        standstill: Standstill,
    },
    /// Somebody left a run that another process drives; it goes on.
    #[error("left {run_id}, which goes on")]
    Left {
        /// The run.
        run_id: String,
    },
    /// The driver of a run is dead, something of it is left, and nobody takes it up.
    #[error("nobody drives {run_id} any more: {driver} is gone")]
    Abandoned {
        /// The run.
        run_id: String,
        /// Who drove it, for people.
        driver: String,
    },
    /// What was planned is not what would run now.
    #[error("{of}")]
    Replanned {
        /// The plan.
        of: PlanOf,
        /// What changed, a line each.
        changes: Vec<String>,
    },
    /// A wave of the rollout behind which something is waited for is about no tenant that there is.
    #[error("the wave `{0}` fits no tenant")]
    NobodyInWave(String),
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
    Schema(std::sync::Arc<crate::run::Failure>),
}

impl FleetError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Registry(error) | Self::NotBegun(error) => error.code(),
            Self::Held(_) => Code(4001),
            Self::Waits { .. } => Code(4015),
            Self::Left { .. } => Code(4006),
            Self::Replanned { .. } => Code(4005),
            Self::Abandoned { .. } => Code(4018),
            Self::NobodyInWave(_) => Code(1007),
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

/// A plan that no longer fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanOf {
    /// A run's, which is gone on with.
    Run {
        /// Its id.
        id: String,
    },
    /// A saved one.
    File {
        /// The run that carried it out in part, if there is one that left something over.
        begun: Option<String>,
    },
}

impl fmt::Display for PlanOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run { id } => write!(f, "what is there is not what it was when {id} was planned"),
            Self::File { begun: None } => f.write_str("the plan no longer fits"),
            Self::File { begun: Some(run) } => write!(f, "the plan was carried out in part, by {run}"),
        }
    }
}

fn told_of(standstill: Standstill) -> &'static str {
    match standstill {
        Standstill::AtGate => "waits until somebody promotes it",
        Standstill::Paused => "is paused",
        Standstill::HalfWayBack => "has lost its driver on the way back by steps, in some of these databases",
    }
}

fn names_of(holdings: &[Holding]) -> String {
    let names: Vec<&str> = holdings.iter().map(|holding| holding.run_id.as_str()).collect();
    names.join(" and ")
}

/// What a run shall do.
#[derive(Clone, Debug)]
pub struct Request {
    /// The command as it was given, without secrets; it goes to the registry.
    pub command: String,
    /// Who asks; likewise.
    pub actor: String,
    /// Why, in somebody's words; likewise.
    pub reason: Option<String>,
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
    /// Asks every selected database what would run, also where its server could tell; writes nothing.
    pub async fn preview(&self, selected: &Selected, control: &Control) -> Vec<Preview> {
        preview(selected.jobs.clone(), &self.options, control).await
    }
}

/// How long an answer of the registry is waited for when it is opened.
pub const REGISTRY_TIMEOUT: Duration = Duration::from_secs(8);
