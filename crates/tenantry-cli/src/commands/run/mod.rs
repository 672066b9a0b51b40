//! `run …`: looks at runs, follows them, and steers them from outside.

mod list;
mod show;
mod steer;

pub(super) use list::list;
pub(super) use show::{Detail, show};
pub(super) use steer::{cancel, goes_on_as_it_began, pause, promote, take_up, watch};

use tenantry::Direction;
use tenantry::fleet::Fleet;
use tenantry::registry::{Driven, Run, Which};
use tenantry::run::{Driver, Outcome, RunStatus};

use super::resume::rollbacks;

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
    // A new database's own run is looked for by its id, as `run list` does not show it either.
    let newest = fleet
        .registry
        .runs(Which::OverTheFleet, 1)
        .await?
        .into_iter()
        .next();
    newest.ok_or_else(|| {
        CommandError::new(Exit::NotFound, "there is no run yet")
            .code(tenantry::Code(4009))
            .fact("state", "nothing ran")
            .help("tenantry migrate all-tenants")
    })
}

/// A run, and whether somebody drives it.
#[derive(Debug)]
struct Seen {
    run: Run,
    driven: Driven,
}

/// Looks whether somebody drives a run that has not ended; one of which nothing is left is completed by that.
///
/// # Errors
/// What the registry says.
async fn see(fleet: &Fleet, run: Run) -> Result<Seen, CommandError> {
    if let Some(status) = run.status {
        let driven = Driven::Over(status);
        return Ok(Seen { run, driven });
    }
    let driven = fleet.registry.look_after(&run.id, &Driver::this()).await?;
    let run = match driven {
        Driven::Over(_) => fleet.registry.find_run(&run.id).await?,
        Driven::By(_) | Driven::ByNobody(_) => run,
    };
    Ok(Seen { run, driven })
}

impl Seen {
    /// Returns the word for how it stands: one whose driver is dead was interrupted.
    fn status(&self) -> &'static str {
        match self.driven {
            Driven::By(_) => "running",
            Driven::ByNobody(_) => RunStatus::Interrupted.as_str(),
            Driven::Over(status) => status.as_str(),
        }
    }

    /// Returns why it ended early, in one word; `None` if it did not.
    fn cause(&self) -> Option<&str> {
        match self.driven {
            Driven::ByNobody(_) => Some("driver_gone"),
            Driven::By(_) | Driven::Over(_) => self.run.cause.as_deref(),
        }
    }

    /// Returns the commands that try again what an ended run did not bring to its goal; none if nothing is left of it, also
    /// by what later runs of its chain did.
    async fn again(&self, fleet: &Fleet) -> Result<Vec<String>, CommandError> {
        let left = fleet.registry.unfinished_of(&self.run.id).await?;
        let is_done = left.iter().all(|row| row.outcome == Outcome::Skipped);
        if self.run.is_creation() || is_done {
            return Ok(Vec::new());
        }
        match self.run.direction {
            Direction::Up => Ok(vec![format!("tenantry migrate resume {}", self.run.id)]),
            Direction::Down => rollbacks(fleet, &self.run).await,
        }
    }

    /// Returns whether it waits until somebody promotes it.
    fn is_at_gate(&self) -> bool {
        self.driven == Driven::Over(RunStatus::Paused) && self.run.cause.as_deref() == Some("gate")
    }

    /// Says in a few words how it stands, and why.
    fn standing(&self) -> String {
        let word = self.status();
        match self.cause() {
            Some("gate") => format!("{word} at a gate"),
            Some("driver_gone") => format!("{word}: driver gone"),
            Some(cause) if cause.starts_with("max_failures") => format!("{word}: too many failures"),
            Some(cause) if cause.starts_with("same_error") => format!("{word}: the first failed alike"),
            Some("no_canary") => format!("{word}: no canary could be tried"),
            Some("canary") => format!("{word}: the canary failed"),
            Some("registry_lost") => format!("{word}: the registry was away"),
            Some(_) | None => word.to_owned(),
        }
    }

    /// Returns the commands that go on with it where its driver is dead; none otherwise, and for a creation, which the
    /// same command continues.
    async fn go_on(&self, fleet: &Fleet) -> Result<Vec<String>, CommandError> {
        match (&self.driven, self.run.direction) {
            (Driven::ByNobody(_), _) if self.run.is_creation() => Ok(Vec::new()),
            (Driven::ByNobody(_), Direction::Up) => {
                Ok(vec![format!("tenantry migrate resume {}", self.run.id)])
            }
            (Driven::ByNobody(_), Direction::Down) => rollbacks(fleet, &self.run).await,
            (Driven::By(_) | Driven::Over(_), _) => Ok(Vec::new()),
        }
    }
}
