//! Writes a run's outcomes into the registry as they come, and passes its events on.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::registry::{Registry, RegistryError, RunTarget};
use crate::run::RunEvent;

/// How many outcomes go into one transaction at most.
const BATCH: usize = 256;

/// Takes a run's events until the run ends. Outcomes that came while the last batch was being written go
/// together, so that a fast run costs few transactions and a slow one is recorded at once.
pub(super) async fn record(
    registry: &Registry,
    run_id: &str,
    mut from: UnboundedReceiver<RunEvent>,
    to: UnboundedSender<RunEvent>,
) -> Result<(), RegistryError> {
    let mut events = Vec::with_capacity(BATCH);
    let mut failed = None;
    while from.recv_many(&mut events, BATCH).await > 0 {
        let mut outcomes = Vec::new();
        for event in events.drain(..) {
            if let RunEvent::TargetFinished(report) = &event {
                outcomes.push(RunTarget::reported(report));
            }
            // Without a listener the run goes on all the same.
            drop(to.send(event));
        }
        // The histories in the databases stay right without the registry: the run is not stopped.
        if let Err(error) = registry.record(run_id, &outcomes).await {
            tracing::error!(%error, "outcomes could not be recorded");
            failed = Some(error);
        }
    }
    failed.map_or(Ok(()), Err)
}
