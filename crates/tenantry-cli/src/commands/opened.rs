//! The project's fleet: configuration, registry and key, opened for a command.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use tenantry::fleet::{Fleet, Folders, REGISTRY_TIMEOUT, Selected, Tiers, UnfinishedFiles, central_target};
use tenantry::registry::{ChangedBy, Registry};
use tenantry::run::Job;
use tenantry::secret::KeyRing;
use tenantry::{Pattern, Selection, TrackName};

use crate::args::{Chosen, Limits};
use crate::config::{Environment, Project};
use crate::exit::Exit;
use crate::failure::CommandError;

/// How long work that nobody waits for any more may take to end.
const AT_THE_END: Duration = Duration::from_secs(1);

/// Runs asynchronous work on this thread and tokio's.
///
/// # Errors
/// What the work says; exit 1 if the system gives no threads.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            CommandError::new(Exit::Internal, "no threads can be started")
                .code(tenantry::Code(1008))
                .fact("cause", error.to_string())
                .fact("state", "nothing ran")
        })?;
    let done = runtime.block_on(work);
    // A thread that still waits for a file would keep the process for as long.
    runtime.shutdown_timeout(AT_THE_END);
    done
}

/// Opens the registry of the project, with its keys where there are any.
///
/// # Errors
/// As [`fleet`].
pub(super) async fn registry(project: &Project) -> Result<Registry, CommandError> {
    let keys = keys(project)?;
    let registry = Registry::connect(&project.settings.central()?.address, REGISTRY_TIMEOUT).await?;
    let registry = match keys {
        Some(keys) => registry.with_keys(keys),
        None => registry,
    };
    Ok(registry
        .bound_to(project.settings.jurisdictions.clone())
        .changed_by(ChangedBy {
            actor: actor(&project.environment),
            ..ChangedBy::default()
        }))
}

/// Opens the registry of the project, and what its runs need.
///
/// # Errors
/// Exit 31 if the central database does not answer, TN-1002 if it is not migrated, TN-1005 for a bad key.
pub(super) async fn fleet(project: &Project, limits: &Limits) -> Result<Fleet, CommandError> {
    let registry = registry(project).await?;
    let options = project.settings.run_with(limits);
    Ok(Fleet {
        registry,
        folders: folders(project),
        options,
    })
}

/// Opens the registry of the project for a change, for a reason that the audit keeps.
///
/// # Errors
/// As [`fleet`].
pub(super) async fn fleet_because(project: &Project, reason: Option<&str>) -> Result<Fleet, CommandError> {
    let mut fleet = fleet(project, &Limits::default()).await?;
    fleet.registry = fleet.registry.changed_by(ChangedBy {
        actor: actor(&project.environment),
        reason: reason.map(str::to_owned),
        ..ChangedBy::default()
    });
    Ok(fleet)
}

/// Opens the registry of the project for a look or for going back: files that hold no statement yet are
/// left out.
///
/// # Errors
/// As [`fleet`].
pub(super) async fn fleet_as_finished(project: &Project, limits: &Limits) -> Result<Fleet, CommandError> {
    let mut fleet = fleet(project, limits).await?;
    fleet.folders.unfinished = UnfinishedFiles::LeftOut;
    Ok(fleet)
}

/// Returns the job of the platform's own tables in the central database.
///
/// # Errors
/// TN-1003 if no central database is configured; a file that must not run.
pub(super) fn central_job(
    project: &Project,
    fleet: &Fleet,
    selected: &mut Selected,
) -> Result<Job, CommandError> {
    let address = &project.settings.central()?.address;
    let target = central_target(address, fleet.registry.registry_id(), TrackName::Central);
    Ok(fleet.job(selected, target)?)
}

/// Adds the central database to what is looked at, if the platform has migrations of its own for it.
///
/// # Errors
/// As [`central_job`].
pub(super) fn add_central(
    project: &Project,
    fleet: &Fleet,
    selected: &mut Selected,
) -> Result<(), CommandError> {
    let job = central_job(project, fleet, selected)?;
    if !job.track.migrations.is_empty() {
        selected.jobs.push(job);
    }
    Ok(())
}

/// Returns where the project's tracks are.
pub(super) fn folders(project: &Project) -> Folders {
    let folders = &project.settings.folders;
    // The usual place needs no folder where the platform has no tables of its own there.
    let usual = project.folder.join("migrations/central");
    let absent = folders.central == usual && !usual.exists();
    Folders {
        central: if absent {
            PathBuf::new()
        } else {
            folders.central.clone()
        },
        tenant: folders.tenant.clone(),
        products: folders.products.clone(),
        unfinished: UnfinishedFiles::Refused,
    }
}

/// Reads the keys. A key file that is simply not there is no error: a fleet of files needs none, and whoever
/// needs one says so.
fn keys(project: &Project) -> Result<Option<KeyRing>, CommandError> {
    if project.settings.key.is_absent() {
        return Ok(None);
    }
    project.settings.key.read(&project.environment).map(Some)
}

/// Returns the flags' choice as the library's.
pub(super) fn selection(chosen: &Chosen) -> Selection {
    Selection {
        ids: Vec::new(),
        only: chosen.chosen().map(Pattern::new).collect(),
        except: chosen.except.iter().map(Pattern::new).collect(),
        jurisdictions: chosen.jurisdiction.clone(),
        servers: chosen.server.clone(),
        products: chosen.product.clone(),
    }
}

/// Which databases `migrate all-tenants`, `products` and `all` are about.
pub(super) const fn tier_word(tiers: Tiers) -> &'static str {
    match tiers {
        Tiers::Tenant => "all-tenants",
        Tiers::Products => "products",
        Tiers::Both => "all",
    }
}

/// Returns who gives the command, for the registry: the user's name, or `unknown`.
pub(super) fn actor(environment: &Environment) -> String {
    let find = |name| environment.find(name).map(|(value, _)| value.to_owned());
    find("TENANTRY_ACTOR")
        .or_else(|| find("USER"))
        .or_else(|| find("LOGNAME"))
        .unwrap_or_else(|| "unknown".to_owned())
}
