//! `run …`: looks at runs, follows them, and steers them from outside.

mod list;
mod show;
mod steer;

pub(super) use list::list;
pub(super) use show::{Detail, show};
pub(super) use steer::{cancel, pause, promote, take_up, watch};

use tenantry::fleet::Fleet;
use tenantry::registry::{Run, Which};

use crate::exit::Exit;
use crate::failure::CommandError;

/// Returns a run by its id or the beginning of it; the newest one if none is given.
///
/// # Errors
/// TN-4009 for an unknown one, or if there is none yet.
async fn find(fleet: &Fleet, given: Option<&str>) -> Result<Run, CommandError> {
    if let Some(given) = given {
        return Ok(fleet.registry.find_run(given).await?);
    }
    let newest = fleet.registry.runs(Which::All, 1).await?.into_iter().next();
    newest.ok_or_else(|| {
        CommandError::new(Exit::NotFound, "there is no run yet")
            .code(tenantry::Code(4009))
            .fact("state", "nothing ran")
            .help("tenantry migrate all-tenants")
    })
}

/// Says in one word how a run stands, and why.
fn standing(run: &Run) -> String {
    let word = run.status.map_or("running", tenantry::run::RunStatus::as_str);
    match run.cause.as_deref() {
        Some("gate") => format!("{word} at a gate"),
        Some(cause) if cause.starts_with("max_failures") => format!("{word}: too many failures"),
        Some(cause) if cause.starts_with("same_error") => format!("{word}: the first failed alike"),
        Some("canary") => format!("{word}: the canary failed"),
        Some("registry_lost") => format!("{word}: the registry was away"),
        Some(_) | None => word.to_owned(),
    }
}
