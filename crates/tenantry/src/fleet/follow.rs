//! Follows a run that another process drives: its events and its report, from the registry.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep};

use super::blueprint::rollout_from;
use super::stages::Stages;
use super::{Fleet, FleetError, waves_of};
use crate::registry::{Driven, RegistryError, Run, RunTarget};
use crate::run::{
    BegunTarget, Cause, Control, Driver, Outcome, Rule, RunEvent, RunReport, RunStatus, Stage, Start, Stop,
    TargetReport, TargetState,
};
use crate::selection::Selection;
use crate::target::{Owner, TrackName};

/// How often the registry is asked what is new.
const LOOK: Duration = Duration::from_millis(500);

/// How long whoever watches a run waits for another driver: those that follow it take it up at once.
const TAKEN_UP_WITHIN: Duration = Duration::from_secs(5);

/// Tenants by the names that messages use, and the names of databases by their ids.
struct Names {
    owners: HashMap<String, Arc<Owner>>,
    databases: HashMap<String, String>,
}

/// How following a run ended.
pub(super) enum Followed {
    /// The run has ended.
    Over(Box<RunReport>),
    /// Nobody drives it any more.
    Abandoned,
    /// A stop was asked for; the run goes on without us.
    Left,
}

impl Fleet {
    /// Shows what another process makes of a run. A registry that does not answer is waited for as long as its window.
    pub(super) async fn follow(
        &self,
        run_id: &str,
        driver: &str,
        control: &Control,
        events: &UnboundedSender<RunEvent>,
    ) -> Result<Followed, FleetError> {
        let this = Driver::this();
        let names = self.names(run_id).await?;
        let run = self.registry.find_run(run_id).await?;
        let tell = |event: RunEvent| drop(events.send(event));
        tell(RunEvent::Attached {
            run_id: run_id.to_owned(),
            driver: Driver::for_people(driver),
        });
        let servers = self.registry.servers_of(run_id).await?;
        tell(RunEvent::Started(Box::new(Start {
            servers,
            ..start_of(&run)
        })));
        let mut stages = Stages::of(&run);
        let mut seen = 0;
        let mut silent: Option<Instant> = None;
        loop {
            let looked = self.look(&run, &this, (&mut seen, &mut stages, &names)).await;
            let (news, stands) = match looked {
                Ok(looked) => {
                    if silent.take().is_some() {
                        tell(RunEvent::RegistryBack);
                    }
                    looked
                }
                Err(error) => {
                    let since = *silent.get_or_insert_with(|| {
                        let reason = error.to_string();
                        tell(RunEvent::RegistryAway { reason });
                        Instant::now()
                    });
                    if since.elapsed() >= self.options.registry_window {
                        return Err(error.into());
                    }
                    sleep(LOOK).await;
                    continue;
                }
            };
            news.into_iter().for_each(tell);
            match stands {
                Driven::Over(_) => return Ok(Followed::Over(Box::new(self.report_of(run_id).await?))),
                Driven::ByNobody(_) => return Ok(Followed::Abandoned),
                Driven::By(_) => {}
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                () = control.reached(Stop::Drain) => return Ok(Followed::Left),
            }
        }
    }

    /// Waits until somebody drives a run again, or it is over.
    ///
    /// # Errors
    /// [`FleetError::Abandoned`] if nobody takes it up.
    pub(super) async fn wait_for_driver(&self, run_id: &str) -> Result<(), FleetError> {
        let since = Instant::now();
        loop {
            sleep(LOOK).await;
            match self.registry.look_after(run_id, &Driver::this()).await? {
                Driven::By(_) | Driven::Over(_) => return Ok(()),
                Driven::ByNobody(driver) if since.elapsed() >= TAKEN_UP_WITHIN => {
                    return Err(FleetError::Abandoned {
                        run_id: run_id.to_owned(),
                        driver: Driver::for_people(&driver),
                    });
                }
                Driven::ByNobody(_) => {}
            }
        }
    }

    /// Asks who drives the run, which wave it is in, and then what is new: in this order nothing is overlooked at the end.
    async fn look(
        &self,
        run: &Run,
        this: &Driver,
        (seen, stages, names): (&mut i64, &mut Stages, &Names),
    ) -> Result<(Vec<RunEvent>, Driven), RegistryError> {
        let driven = self.registry.look_after(&run.id, this).await?;
        let stage = if stages.are_none() {
            Stage::default()
        } else {
            self.registry.reached_stage_of(&run.id).await?
        };
        let (changes, newest) = self.registry.changes_of(&run.id, *seen).await?;
        *seen = newest;
        let targets = changes.iter();
        let targets = targets.filter_map(|target| Some((target.wave, event_of(target, names)?)));
        let mut news = stages.look(stage, targets.collect());
        if let Driven::Over(_) = driven {
            news.extend(stages.end());
        }
        Ok((news, driven))
    }

    /// Returns the report of a run that has ended, as the registry has it.
    pub async fn report_of(&self, run_id: &str) -> Result<RunReport, FleetError> {
        let run = self.registry.find_run(run_id).await?;
        let names = self.names(run_id).await?;
        let targets = self.registry.targets_of(run_id).await?;
        let taken = run.finished_at.map_or(0, |end| (end - run.started_at).max(0));
        Ok(RunReport {
            direction: run.direction,
            status: run.status.unwrap_or(RunStatus::Interrupted),
            targets: targets.iter().map(|target| report_of(target, &names)).collect(),
            duration: Duration::from_micros(taken.unsigned_abs()),
            warnings: Vec::new(),
            unrecorded: None,
            cause: cause_of(&run),
            run_id: run.id,
        })
    }

    /// Returns what the rows of a run do not say of their targets.
    async fn names(&self, run_id: &str) -> Result<Names, FleetError> {
        let databases = self.registry.database_names(run_id).await?;
        let tenants = self.registry.tenants(&Selection::default()).await?;
        let owner = |tenant: crate::tenant::Tenant| {
            let slug = tenant.slug.to_string();
            let owner = Arc::new(Owner {
                id: tenant.id,
                slug: tenant.slug,
                name: tenant.name,
            });
            (slug, owner)
        };
        let owners = tenants.into_iter().map(owner).collect();
        Ok(Names { owners, databases })
    }
}

/// Describes a run as the registry has it.
fn start_of(run: &Run) -> Start {
    let targets: u64 = run.counts.values().sum();
    let has_begun = run.counts.keys().any(|outcome| *outcome != Outcome::NotRun);
    let rollout = rollout_from(run.rollout.as_deref().unwrap_or_default(), Stage::default(), &[]);
    Start {
        run_id: run.id.clone(),
        direction: run.direction,
        targets: usize::try_from(targets).unwrap_or(usize::MAX),
        concurrency: run.concurrency,
        at_first: rollout.at_first().filter(|_| !has_begun),
        waves: run.rollout.as_deref().map(waves_of).unwrap_or_default(),
        current: usize::try_from(run.found_current).unwrap_or(usize::MAX),
        actor: run.actor.clone(),
        ..Start::default()
    }
}

fn event_of(target: &RunTarget, names: &Names) -> Option<RunEvent> {
    match target.state {
        TargetState::Pending | TargetState::RetryWait => None,
        TargetState::Leased | TargetState::Running => {
            let begun = BegunTarget {
                label: target.label.clone(),
                track: target.track.clone(),
                database_id: target.database_id.clone(),
                server: target.server.as_deref().and_then(|name| name.parse().ok()),
                expected_ms: 0,
            };
            Some(RunEvent::TargetStarted(Box::new(begun)))
        }
        TargetState::Ended => Some(RunEvent::TargetFinished(Box::new(report_of(target, names)))),
    }
}

/// Turns a row into the report that it was written from.
fn report_of(target: &RunTarget, names: &Names) -> TargetReport {
    let (failure, migrations) = target.detail();
    let slug = target.label.split('/').next().unwrap_or_default();
    let owner = match target.track {
        TrackName::Central | TrackName::Registry => None,
        TrackName::Tenant | TrackName::Product(_) => names.owners.get(slug).cloned(),
    };
    TargetReport {
        database_id: target.database_id.clone(),
        track: target.track.clone(),
        label: target.label.clone(),
        owner,
        server: target.server.as_deref().and_then(|name| name.parse().ok()),
        // One that was deleted since has none any more.
        database: names
            .databases
            .get(&target.database_id)
            .cloned()
            .unwrap_or_default(),
        outcome: target.outcome,
        from: target.from_version,
        to: target.to_version,
        migrations,
        failure: failure.map(Arc::new),
        attempts: target.attempts,
        duration: Duration::from_millis(target.duration_ms),
    }
}

/// Reads why a run ended early.
fn cause_of(run: &Run) -> Option<Cause> {
    let word = run.cause.as_deref()?;
    match word {
        "gate" => {
            let waves = run.rollout.as_deref().map(waves_of).unwrap_or_default();
            let over = run.wave.checked_sub(1).and_then(|wave| waves.get(wave));
            Some(Cause::Gate {
                wave: over.map(|(name, _)| name.clone()).unwrap_or_default(),
                next: run.wave,
            })
        }
        "asked" => Some(Cause::Asked),
        "registry_lost" => Some(Cause::RegistryLost),
        "taken_over" => Some(Cause::TakenOver),
        rule => Rule::from_word(rule).map(Cause::Rule),
    }
}
