//! Drives a run that is this process's: lease, targets, records, report.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::follow::Followed;
use super::keeper::Keeper;
use super::recorder::{Closed, Recorder};
use super::{Fleet, FleetError, Selected};
use crate::direction::Direction;
use crate::registry::{RegistryError, RunEnd};
use crate::run::{
    Cause, Conduct, Control, Job, Rollout, RunEvent, RunReport, Stage, Start, Stop, TargetReport, Unrecorded,
    Word, conduct_run,
};

/// A run and what this process does of it.
pub(super) struct Drive {
    pub(super) run_id: String,
    pub(super) epoch: i64,
    /// When the registry was asked for it.
    pub(super) asked: Instant,
    pub(super) direction: Direction,
    pub(super) jobs: Vec<Job>,
    pub(super) rollout: Rollout,
    pub(super) start: Start,
    /// Who is reported and not worked on.
    pub(super) left_out: Vec<TargetReport>,
    /// Who is current by its server's word: the registry knows it already, and is not told again.
    pub(super) settled: Vec<TargetReport>,
    /// Whether another process has done a part of it, which only the registry knows.
    pub(super) has_begun: bool,
}

impl Fleet {
    /// Carries out what is left of a run, and returns the report of the whole of it.
    pub(super) async fn drive(
        &self,
        drive: Drive,
        control: &Control,
        events: &UnboundedSender<RunEvent>,
    ) -> Result<RunReport, FleetError> {
        let (sender, receiver) = unbounded_channel();
        let (said, hears) = unbounded_channel();
        // It is ours from the start, and not for ever: nobody may renew it before this process stands still.
        let _heard = said.send(Word::Ours { asked: drive.asked }).is_ok();
        let (keeper, recorder) = self.attendants(&drive, control, (said, events));
        let conduct = Conduct {
            run_id: drive.run_id.clone(),
            jobs: drive.jobs,
            rollout: drive.rollout,
            options: self.options.clone(),
            start: drive.start,
            said: Some(hears),
        };
        // It ends with this call, whichever way that ends.
        let mut keeping = JoinSet::new();
        keeping.spawn(keeper.keep(drive.asked));
        let running = conduct_run(conduct, control.clone(), sender);
        let listener = events.clone();
        let recording = async move {
            let waiting = recorder.record(receiver, listener).await;
            (recorder, waiting)
        };
        let (ran, kept) = tokio::join!(in_task(running), in_task(recording));
        let ((mut report, jobs), (recorder, waiting)) = (ran?, kept?);
        report.direction = drive.direction;
        let end = end_of(&report);
        let written = recorder.finish(waiting, &end, self.options.registry_window).await;
        drop(keeping);
        if matches!(written, Ok(Closed::ByAnother)) || report.cause == Some(Cause::TakenOver) {
            let selected = Selected {
                jobs: Arc::unwrap_or_clone(jobs),
                ..Selected::default()
            };
            return self.after_fence(&drive.run_id, selected, control, events).await;
        }
        drop(jobs);
        report.unrecorded = written.err().map(Unrecorded::from);
        if drive.has_begun && report.unrecorded.is_none() {
            let whole = self.report_of(&drive.run_id).await?;
            return Ok(RunReport {
                warnings: report.warnings,
                duration: report.duration,
                ..whole
            });
        }
        report.targets.splice(0..0, drive.settled);
        report.targets.extend(drive.left_out);
        Ok(report)
    }

    /// Returns who keeps the run for this process, and who writes down what comes of it.
    fn attendants(
        &self,
        drive: &Drive,
        control: &Control,
        (said, events): (UnboundedSender<Word>, &UnboundedSender<RunEvent>),
    ) -> (Keeper, Recorder) {
        let doubt = Arc::new(AtomicBool::new(false));
        let keeper = Keeper {
            registry: self.registry.clone(),
            run_id: drive.run_id.clone(),
            epoch: drive.epoch,
            control: control.clone(),
            said: said.clone(),
            doubt: Arc::clone(&doubt),
            events: events.clone(),
        };
        let recorder = Recorder {
            registry: self.registry.clone(),
            run_id: drive.run_id.clone(),
            epoch: drive.epoch,
            control: control.clone(),
            said,
            doubt,
        };
        (keeper, recorder)
    }

    /// Shows what the process makes of the run that took it over, and takes it up again if that one dies.
    async fn after_fence(
        &self,
        run_id: &str,
        selected: Selected,
        control: &Control,
        events: &UnboundedSender<RunEvent>,
    ) -> Result<RunReport, FleetError> {
        // What stopped this process's part of the run stops no watching.
        let watching = Control::default();
        let run = self.registry.find_run(run_id).await?;
        let followed = tokio::select! {
            followed = self.follow(run_id, run.driver.as_deref().unwrap_or_default(), &watching, events) => followed?,
            () = control.asked_to_leave() => Followed::Left,
        };
        match followed {
            Followed::Over(report) => Ok(*report),
            Followed::Abandoned if control.requested() == Stop::No => {
                control.begin_anew();
                match self.go_on_with(&run, selected, control, events).await {
                    Err(FleetError::Registry(RegistryError::RunOver { .. })) => self.report_of(run_id).await,
                    gone_on => gone_on,
                }
            }
            Followed::Left | Followed::Abandoned => Err(FleetError::Left {
                run_id: run_id.to_owned(),
            }),
        }
    }
}

/// Returns how a run ends in the registry.
fn end_of(report: &RunReport) -> RunEnd {
    let stage = match &report.cause {
        Some(Cause::Gate { next, .. }) => Some(Stage {
            wave: *next,
            soak: None,
        }),
        Some(Cause::Rule(_) | Cause::Asked | Cause::RegistryLost | Cause::TakenOver) | None => None,
    };
    RunEnd {
        status: report.status,
        cause: report.cause.as_ref().map(Cause::word),
        stage,
    }
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
