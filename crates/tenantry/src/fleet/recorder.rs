//! Writes a run's outcomes into the registry as they come, and passes its events on.

use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep_until};

use crate::registry::{Registry, RegistryError, RunTarget};
use crate::run::RunEvent;

/// How many outcomes go into one transaction at most.
const BATCH: usize = 256;
/// How long an outcome may wait for others to be written with it. Each transaction costs the central
/// database a sync; what a killed run did not record is in the histories.
const PATIENCE: Duration = Duration::from_millis(250);

/// Takes a run's events until the run ends. Every event is passed on at once; outcomes are written
/// together, a fast run's in few transactions.
pub(super) async fn record(
    registry: &Registry,
    run_id: &str,
    mut from: UnboundedReceiver<RunEvent>,
    to: UnboundedSender<RunEvent>,
) -> Result<(), RegistryError> {
    let mut waiting: Vec<RunTarget> = Vec::new();
    let mut due = Instant::now();
    let mut failed = None;
    loop {
        let event = tokio::select! {
            event = from.recv() => event,
            () = sleep_until(due), if !waiting.is_empty() => {
                failed = write(registry, run_id, &mut waiting).await.or(failed);
                continue;
            }
        };
        let Some(event) = event else { break };
        if let RunEvent::TargetFinished(report) = &event {
            if waiting.is_empty() {
                due = Instant::now() + PATIENCE;
            }
            waiting.push(RunTarget::reported(report));
        }
        // Without a listener the run goes on all the same.
        drop(to.send(event));
        if waiting.len() >= BATCH {
            failed = write(registry, run_id, &mut waiting).await.or(failed);
        }
    }
    failed = write(registry, run_id, &mut waiting).await.or(failed);
    failed.map_or(Ok(()), Err)
}

/// Writes what waits, and returns why that failed. The histories in the databases stay right without the
/// registry: the run is not stopped.
async fn write(registry: &Registry, run_id: &str, waiting: &mut Vec<RunTarget>) -> Option<RegistryError> {
    let error = registry.record(run_id, &std::mem::take(waiting)).await.err()?;
    tracing::error!(%error, "outcomes could not be recorded");
    Some(error)
}
