//! Tenantry's own path: registry, selection, run, recording. Nothing here is for the bench alone.

use std::time::Duration;

use anyhow::{Context as _, bail};
use tenantry::engine::{Address, NetworkAddress, SqliteAddress};
use tenantry::fleet::{Fleet, FleetError, Folders, REGISTRY_TIMEOUT, Request, Selected, Tiers};
use tenantry::registry::Registry;
use tenantry::run::{self, Ask, Canary, Control, Outcome, Policy, RunEvent, RunOptions, RunReport};
use tenantry::secret::read_key_file;
use tenantry::{Direction, Selection};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::cost::{Cost, pair};
use crate::job::{Central, Job, Recorder, Scenario};

/// Returns where the registry of a set is: every set has its own.
pub(crate) fn central(job: &Job) -> anyhow::Result<Address> {
    Ok(match job.central {
        Central::File => Address::Sqlite(SqliteAddress {
            folder: job.folder.clone(),
            file: format!("central-{}.db", job.set),
        }),
        Central::Server => Address::Network(NetworkAddress {
            database: format!("central_{}", job.set),
            ..job.server()?.clone()
        }),
    })
}

/// Opens a set's registry and the track.
pub(crate) async fn fleet(job: &Job) -> anyhow::Result<Fleet> {
    let registry = Registry::connect(&central(job)?, REGISTRY_TIMEOUT).await?;
    let keys = read_key_file(&job.folder.join("key"))?;
    Ok(Fleet {
        registry: registry.with_keys(keys),
        folders: Folders {
            tenant: job.migrations.clone(),
            ..Folders::default()
        },
        options: options(job),
    })
}

fn options(job: &Job) -> RunOptions {
    let usual = RunOptions::default();
    RunOptions {
        policy: Policy {
            // What is not recorded has no waves, and what is recorded is compared with it.
            canary: job.canary.map_or(usual.policy.canary, Canary::Count),
            ..usual.policy
        },
        // The floor connects to every database, too; `bench noop` measures what asking the servers saves.
        ask: Ask::Databases,
        concurrency: Some(job.concurrency),
        per_server: Some(job.concurrency),
        ..usual
    }
}

/// Carries the scenario out over every database of the set. The time is all of it, from opening the registry
/// to the run's end in it; `before_us` is what passes until the first connection may be opened, and `after_us`
/// what passes after the last one is done.
pub(crate) async fn run(job: &Job) -> anyhow::Result<Vec<(String, String)>> {
    let cost = Cost::begin()?;
    let fleet = fleet(job).await?;
    let mut selected = fleet.select(&Selection::default(), Tiers::Tenant).await?;
    for target in &mut selected.jobs {
        // The registry has the server without TLS; the row with TLS is the same set, reached otherwise.
        if let (Address::Network(address), Some(server)) = (&mut target.target.address, &job.server) {
            address.tls = server.tls.clone();
        }
    }
    let selected_after = cost.elapsed();
    let (events, mut listener) = unbounded_channel();
    let drained = async { while listener.recv().await.is_some() {} };
    let (report, ()) = tokio::join!(carry_out(&fleet, job, selected, events), drained);
    let mut lines = cost.end()?;
    let report = report?;
    let whole = cost.elapsed();
    check(job, &report)?;
    lines.push(pair("before_us", selected_after.as_micros()));
    lines.push(pair("targets_us", report.duration.as_micros()));
    lines.push(pair("around_us", around(whole, report.duration).as_micros()));
    Ok(lines)
}

async fn carry_out(
    fleet: &Fleet,
    job: &Job,
    selected: Selected,
    events: UnboundedSender<RunEvent>,
) -> Result<RunReport, FleetError> {
    let control = Control::default();
    if job.recorder == Recorder::Null {
        let options = fleet.options.clone();
        return Ok(run::run("run_unrecorded", selected.jobs, options, control, events).await);
    }
    let request = Request {
        command: "migrate tenants".to_owned(),
        actor: "bench".to_owned(),
        direction: Direction::Up,
        reverts: None,
        continues: None,
        reason: None,
    };
    fleet.execute(selected, &request, &control, events).await
}

fn around(whole: Duration, targets: Duration) -> Duration {
    whole.saturating_sub(targets)
}

/// Fails unless every database is where the scenario says.
fn check(job: &Job, report: &RunReport) -> anyhow::Result<()> {
    let wanted = match job.scenario {
        Scenario::Fresh | Scenario::One => Outcome::Applied,
        Scenario::Noop => Outcome::Current,
    };
    let done = report.targets.iter().filter(|t| t.outcome == wanted).count();
    if done == job.databases && report.targets.len() == done {
        return Ok(());
    }
    let first = report
        .targets
        .iter()
        .find(|t| t.outcome != wanted)
        .map(|t| format!("{}: {:?} {:?}", t.label, t.outcome, t.failure))
        .context("no database at all")?;
    bail!(
        "{done} of {} are {wanted:?}; the first other: {first}",
        job.databases
    )
}

/// Opens the registry and asks it how the fleet stands.
pub(crate) async fn status(job: &Job) -> anyhow::Result<Vec<(String, String)>> {
    let cost = Cost::begin()?;
    let registry = Registry::connect(&central(job)?, REGISTRY_TIMEOUT).await?;
    let status = registry.fleet_status().await?;
    let mut lines = cost.end()?;
    let databases: u64 = status.groups.iter().map(|group| group.databases).sum();
    lines.push(pair("databases", databases));
    Ok(lines)
}
