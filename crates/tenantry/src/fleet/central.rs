//! The central database as a target: our own tables first, then the platform's.

use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;
use uuid::Uuid;

use super::FleetError;
use crate::engine::{self, Address, CreateError, Expects, NewDatabase, OpenOptions, SessionError};
use crate::history::History;
use crate::plan::{Goal, plan};
use crate::registry::track;
use crate::run::{Control, Job, Outcome, RunOptions, new_run_id, run};
use crate::target::{Target, TrackName};

/// How long another process may hold the central database's lock while our tables wait to be migrated.
const LOCKED_AT_MOST: Duration = Duration::from_secs(8);
/// How often two first runs at once may get into each other's way before we give up.
const TRIES: usize = 3;

/// Returns the central database as a target on one of its two tracks.
pub fn central_target(address: &Address, registry_id: &str, track: TrackName) -> Target {
    Target {
        database_id: registry_id.to_owned(),
        registry_id: registry_id.into(),
        track,
        owner: None,
        server: None,
        jurisdiction: None,
        max_parallel: None,
        known_version: None,
        known_outcome: None,
        address: address.clone(),
    }
}

/// Brings our own tables in the central database to this program's version, making them, and an SQLite
/// file, where they are missing. Returns the registry's id, and whether anything was changed.
pub async fn prepare_central(address: &Address, options: &RunOptions) -> Result<(String, bool), FleetError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let own = track(address.engine()).map_err(FleetError::from)?;
        let history = look(address, options).await?;
        let known = registry_id(&history);
        // Whoever finds nothing to do takes no lock: the platform's own migrations may hold it for long.
        let nothing = plan(&own, &history, &Goal::Head).is_ok_and(|plan| plan.steps.is_empty());
        if let (Some(id), true) = (&known, nothing) {
            return Ok((id.clone(), false));
        }
        let id = known.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
        if known.is_none() {
            make_file(address, &id).await?;
        }
        let job = Job {
            target: central_target(address, &id, TrackName::Registry),
            track: own.into(),
            goal: Goal::Head,
            after: None,
            marker: None,
        };
        let (events, _ignored) = unbounded_channel();
        let report = run(
            &new_run_id(),
            vec![job],
            RunOptions {
                lock_window: options.lock_window.min(LOCKED_AT_MOST),
                ..options.clone()
            },
            Control::default(),
            events,
        )
        .await;
        let Some(target) = report.targets.into_iter().next() else {
            continue;
        };
        match (target.outcome, target.failure) {
            (outcome, None) => return Ok((id, outcome == Outcome::Applied)),
            // Another first run chose the id: read it and go on with it.
            (Outcome::IdentityMismatch, Some(_)) if known.is_none() && tries < TRIES => {}
            (_, Some(failure)) => return Err(FleetError::Schema(failure)),
        }
    }
}

/// Reads the history of the central database; an empty one if its file is not there yet.
async fn look(address: &Address, options: &RunOptions) -> Result<History, FleetError> {
    let options = OpenOptions {
        application_name: "tenantry central".to_owned(),
        connect_timeout: options.connect_timeout.min(Duration::from_secs(8)),
        lock_timeout: options.lock_timeout,
        lock_window: options.lock_window,
        idle_timeout: options.idle_timeout,
        database_id: String::new(),
        tenant_id: String::new(),
        registry_id: String::new(),
        expects: Expects::Tables,
    };
    let mut reader = match engine::read(address, &options).await {
        Ok(reader) => reader,
        Err(SessionError::NoDatabase { .. }) if matches!(address, Address::Sqlite(_)) => {
            return Ok(History::default());
        }
        Err(error) => return Err(FleetError::Central(error)),
    };
    reader.history().await.map_err(FleetError::Central)
}

/// Returns the registry's id; `None` if our tables are not there yet.
fn registry_id(history: &History) -> Option<String> {
    let meta = history.meta.as_ref()?;
    (!meta.registry_id.is_empty()).then(|| meta.registry_id.clone())
}

/// Makes the file of a central database on SQLite; on a server the database has to be there.
async fn make_file(address: &Address, id: &str) -> Result<(), FleetError> {
    let Address::Sqlite(sqlite) = address else {
        return Ok(());
    };
    let new = NewDatabase {
        name: sqlite.file.clone(),
        login: None,
        database_id: id.to_owned(),
        tenant_id: String::new(),
        registry_id: id.to_owned(),
    };
    match engine::create_database(address, &new).await {
        // Made by somebody else in this moment; what it says of itself is read next.
        Ok(()) | Err(CreateError::Conflict { .. }) => Ok(()),
        Err(error) => Err(FleetError::Create(error)),
    }
}
