//! Writes a run's outcomes into the registry as they come, and passes its events on.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep_until};

use crate::registry::{Registry, RegistryError, RunTarget};
use crate::run::{RunEvent, RunStatus, Unrecorded};

/// How many outcomes are written without waiting for more.
const BATCH: usize = 256;
/// How long an outcome may wait for others to be written with it. Each transaction costs the central
/// database a sync; what a killed run did not record is in the histories.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long an event may wait for others to be passed on with it: too short to be seen, and a run of
/// thousands a second does not wake its listener for each.
const GLANCE: Duration = Duration::from_millis(10);
/// How long a registry that failed is left alone.
const RECOVERY: Duration = Duration::from_secs(2);

/// Outcomes that the registry did not take.
pub(super) struct NotRecorded {
    /// How many.
    pub(super) outcomes: usize,
    /// Why the last try failed.
    pub(super) error: RegistryError,
}

impl From<NotRecorded> for Unrecorded {
    fn from(not: NotRecorded) -> Self {
        let mut reason = not.error.to_string();
        let mut next = std::error::Error::source(&not.error);
        while let Some(cause) = next {
            reason = format!("{reason}: {cause}");
            next = cause.source();
        }
        Self {
            outcomes: not.outcomes,
            code: not.error.code(),
            reason,
        }
    }
}

/// The outcomes that are not in the registry yet.
#[derive(Default)]
pub(super) struct Waiting {
    outcomes: Vec<RunTarget>,
    /// Why the last write failed; `None` if it went through.
    error: Option<RegistryError>,
}

impl Waiting {
    /// Writes what still waits, and that the run has ended, in one transaction. A registry that has just
    /// failed is not asked again.
    pub(super) async fn finish(
        self,
        registry: &Registry,
        run_id: &str,
        status: RunStatus,
    ) -> Result<(), NotRecorded> {
        let written = match self.error {
            None => registry.finish_run(run_id, status, &self.outcomes).await,
            Some(error) => Err(error),
        };
        written.map_err(|error| NotRecorded {
            outcomes: self.outcomes.len(),
            error,
        })
    }

    /// Takes the end of a write in; what was not written waits again. Returns whether it was written.
    fn settle(&mut self, (batch, written): (Vec<RunTarget>, Result<(), RegistryError>)) -> bool {
        let Err(error) = written else {
            self.error = None;
            return true;
        };
        tracing::error!(%error, "outcomes could not be recorded");
        self.error = Some(error);
        self.outcomes.splice(0..0, batch);
        false
    }
}

/// Takes a run's events until the run ends. Every event is passed on within 10 ms, also while the registry is
/// slow; outcomes are written together, a fast run's in few transactions. The histories in the databases
/// stay right without the registry: the run is not stopped, and what was not written is tried again.
/// Returns what waits at the end.
pub(super) async fn record(
    registry: &Registry,
    run_id: &str,
    mut from: UnboundedReceiver<RunEvent>,
    to: UnboundedSender<RunEvent>,
) -> Waiting {
    let mut kept = Waiting::default();
    let mut due = Instant::now();
    let mut passing = Vec::new();
    let mut glance = due;
    // At most one at a time: a target's newest outcome must be written last.
    let mut in_flight = FuturesUnordered::new();
    loop {
        tokio::select! {
            event = from.recv() => {
                let Some(event) = event else { break };
                if let RunEvent::TargetFinished(report) = &event {
                    match kept.outcomes.len() {
                        0 => due = Instant::now() + PATIENCE,
                        BATCH => due = Instant::now(),
                        _ => {}
                    }
                    kept.outcomes.push(RunTarget::reported(report));
                }
                if passing.is_empty() {
                    glance = Instant::now() + GLANCE;
                }
                passing.push(event);
            }
            () = sleep_until(glance), if !passing.is_empty() => pass_on(&mut passing, &to),
            Some(ended) = in_flight.next(), if !in_flight.is_empty() => {
                let pause = if kept.settle(ended) { PATIENCE } else { RECOVERY };
                due = Instant::now() + pause;
            }
            () = sleep_until(due), if in_flight.is_empty() && !kept.outcomes.is_empty() => {
                in_flight.push(write(registry, run_id, std::mem::take(&mut kept.outcomes)));
            }
        }
    }
    pass_on(&mut passing, &to);
    if let Some(ended) = in_flight.next().await {
        kept.settle(ended);
    }
    kept
}

fn pass_on(events: &mut Vec<RunEvent>, to: &UnboundedSender<RunEvent>) {
    for event in events.drain(..) {
        // Without a listener the run goes on all the same.
        drop(to.send(event));
    }
}

async fn write(
    registry: &Registry,
    run_id: &str,
    batch: Vec<RunTarget>,
) -> (Vec<RunTarget>, Result<(), RegistryError>) {
    let written = registry.record(run_id, &batch).await;
    (batch, written)
}
