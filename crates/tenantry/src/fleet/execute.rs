//! Begins a run, or joins the one that is under way: one process drives, the others show what comes of it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep};

use super::blueprint::{Plan, plan_of, reach_of, rollout_text};
use super::drive::Drive;
use super::follow::Followed;
use super::rest::{ended_badly, remaining};
use super::{Fleet, FleetError, PlanOf, Request, Selected};
use crate::direction::Direction;
use crate::faults::{Seed, is_seeded};
use crate::plan::Goal;
use crate::registry::{Begun, Claimed, Holding, NewRun, Run, RunPlan, RunTarget};
use crate::run::{
    Canary, Control, Driver, Job, Outcome, Policy, Reach, Rollout, RunEvent, RunReport, Start, Stop,
    TargetReport, TargetState, Unpassed, WaveRule, WhenHeld, new_run_id,
};
use crate::target::TrackName;
use crate::tenant::Tenant;

/// How often a run that others hold up looks whether it may begin.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Fleet {
    /// Carries out what was selected and records it: the run before it begins, every outcome as it comes.
    ///
    /// Databases that are at their goal by their server's word are not connected to, unless [`crate::run::Ask::Databases`].
    ///
    /// Where another process drives a run of the same plan over these targets, this one follows it, takes it over if that
    /// process dies, and returns its report. A product database whose tenant's shared one was left out for a failure is not
    /// run, as if that had failed in the run. A target's failure is in the report. If the registry goes away in mid-run,
    /// nothing new starts until it is back; the targets' own histories stay right, and [`RunReport::unrecorded`] says how
    /// many outcomes it does not have.
    ///
    /// # Errors
    /// [`FleetError::NotBegun`] if the run could not be written down before it begins: nothing ran then.
    /// [`FleetError::NobodyInWave`] for a wave of the rollout that is relied on and is about nobody.
    /// [`FleetError::Waits`] if a run that is paused, or that lost its driver on its way back by steps, has some of the targets;
    /// [`FleetError::Held`] if others that somebody drives have; [`FleetError::Left`] if a stop was asked for while
    /// another process drives.
    pub async fn execute(
        &self,
        mut selected: Selected,
        request: &Request,
        control: &Control,
        events: UnboundedSender<RunEvent>,
    ) -> Result<RunReport, FleetError> {
        // Also of tracks on which nothing is left to do: whoever starts the same a moment later follows this run.
        let plan = plan_of(&selected, request.direction);
        self.fix_steps(&mut selected, control).await;
        selected.hold_back_products();
        self.shorten(&mut selected).await;
        if self.is_of_one(&selected, request.continues.as_deref()).await? {
            selected.reach = Reach::One;
        }
        let driver = Driver::this();
        let mut has_followed = false;
        loop {
            // Anew behind every wait: what was waited for may have come to a gate.
            let rollout = self
                .rollout_of(
                    &selected,
                    (&plan, request.direction),
                    request.continues.as_deref(),
                )
                .await?;
            let new = self.new_run(&selected, request, (plan.clone(), &rollout));
            let asked = Instant::now();
            let begun = match self.registry.begin_run(&new, &driver).await {
                Ok(begun) => begun,
                // What it followed may have done much.
                Err(error) if has_followed => return Err(error.into()),
                Err(error) => return Err(FleetError::NotBegun(error)),
            };
            match begun {
                Begun::New(epoch) => {
                    if is_seeded(Seed::RegistryAppliedInAdvance) {
                        self.registry
                            .record(&new.id, epoch, &as_applied(&new.targets))
                            .await?;
                    }
                    let drive = Self::whole(&new, (epoch, asked), selected, rollout);
                    // The registry has its targets now.
                    drop(new);
                    return Box::pin(self.drive(drive, control, &events)).await;
                }
                Begun::Taken { run_id, epoch, from } => {
                    tell_of_takeover(&run_id, &from, &events);
                    drop(new);
                    let drive = self.rest((&run_id, None), (epoch, asked), selected).await?;
                    return Box::pin(self.drive(drive, control, &events)).await;
                }
                Begun::Attached { run_id, driver } => {
                    has_followed = true;
                    match Box::pin(self.follow(&run_id, &driver, control, &events)).await? {
                        Followed::Over(report) => return Ok(*report),
                        Followed::Left => return Err(FleetError::Left { run_id }),
                        // Whoever begins first now takes it over.
                        Followed::Abandoned => {}
                    }
                }
                Begun::Waits { run_id, standstill } => {
                    return Err(FleetError::Waits { run_id, standstill });
                }
                Begun::Held(holdings) => self.wait_for(holdings, control).await?,
            }
        }
    }

    /// Looks how far each target goes back by steps, unless somebody has: whoever takes the run up must not count anew.
    async fn fix_steps(&self, selected: &mut Selected, control: &Control) {
        let is_counted = |job: &Job| matches!(job.goal, Goal::BackSteps(_));
        if selected.jobs.iter().any(is_counted) {
            let previews = self.preview(selected, control).await;
            // A stop came before these.
            let seen: HashSet<_> = previews.iter().map(|preview| preview.target.key()).collect();
            let unseen = selected
                .jobs
                .iter()
                .filter(|job| !seen.contains(&job.target.key()));
            let unseen = unseen.map(|job| TargetReport::untried(&job.target, Outcome::NotRun, None));
            selected.left_out.extend(unseen);
            selected.hold_to(&previews);
        }
    }

    /// Waits a moment for runs that have some of the targets.
    ///
    /// # Errors
    /// [`FleetError::Held`] unless they are to be waited for.
    async fn wait_for(&self, holdings: Vec<Holding>, control: &Control) -> Result<(), FleetError> {
        match self.options.when_held {
            WhenHeld::Wait if control.requested() == Stop::No => {
                sleep(LOOK_AGAIN).await;
                Ok(())
            }
            WhenHeld::Wait | WhenHeld::Refuse => Err(FleetError::Held(holdings)),
        }
    }

    /// Goes on with a run that is paused, or whose driver is dead; follows one that somebody drives. `everything` is what
    /// there is, from which the run's remaining targets are taken.
    ///
    /// # Errors
    /// [`FleetError::Replanned`] if the files have changed since; [`FleetError::Held`] if other runs have some of what is
    /// left; what [`Fleet::execute`] says.
    pub async fn take_up(
        &self,
        run: &Run,
        everything: Selected,
        control: &Control,
        events: UnboundedSender<RunEvent>,
    ) -> Result<RunReport, FleetError> {
        let mut everything = everything;
        let targets = self.registry.targets_of(&run.id).await?;
        let open = remaining(&targets);
        everything.drop_behind(&ended_badly(&targets));
        everything.retain(|job| open.contains(&job.target.key()));
        // Other tracks need not have the version that it leads to.
        everything.aim(&run.goal.clone().unwrap_or_default())?;
        refuse_other_files(run, &plan_of(&everything, run.direction))?;
        self.go_on_with(run, everything, control, &events).await
    }

    /// Refuses to go back with what a later run has changed: what somebody confirmed is not what is there.
    async fn refuse_changed(&self, run: &Run) -> Result<(), FleetError> {
        let Some((by, label)) = self.registry.changed_since(run).await? else {
            return Ok(());
        };
        Err(FleetError::Replanned {
            of: PlanOf::Run { id: run.id.clone() },
            changes: vec![format!("{by} has changed {label} since")],
        })
    }

    /// Drives what is left of a run as soon as nobody else does, and shows it until then.
    pub(super) async fn go_on_with(
        &self,
        run: &Run,
        selected: Selected,
        control: &Control,
        events: &UnboundedSender<RunEvent>,
    ) -> Result<RunReport, FleetError> {
        let driver = Driver::this();
        loop {
            // What was waited for may have changed them.
            if run.direction == Direction::Down {
                self.refuse_changed(run).await?;
            }
            let asked = Instant::now();
            match self.registry.claim_run(&run.id, Some(run.epoch), &driver).await {
                Ok(Claimed::Given { epoch, from }) => {
                    if let Some(from) = from {
                        tell_of_takeover(&run.id, &from, events);
                    }
                    let drive = self.rest((&run.id, Some(run)), (epoch, asked), selected).await?;
                    return Box::pin(self.drive(drive, control, events)).await;
                }
                Ok(Claimed::Held(holdings)) => self.wait_for(holdings, control).await?,
                Ok(Claimed::Waits { run_id, standstill }) => {
                    return Err(FleetError::Waits { run_id, standstill });
                }
                Err(crate::registry::RegistryError::Driven { driver, .. }) => {
                    match Box::pin(self.follow(&run.id, &driver, control, events)).await? {
                        Followed::Over(report) => return Ok(*report),
                        Followed::Left => {
                            let run_id = run.id.clone();
                            return Err(FleetError::Left { run_id });
                        }
                        Followed::Abandoned => {}
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Shows a run that is under way, or has ended, and returns its report. Drives nothing.
    ///
    /// # Errors
    /// [`FleetError::Left`] if a stop was asked for before it ended; [`FleetError::Abandoned`] if its driver is dead and
    /// nobody takes it up within seconds; what the registry says.
    pub async fn watch(
        &self,
        run: &Run,
        control: &Control,
        events: UnboundedSender<RunEvent>,
    ) -> Result<RunReport, FleetError> {
        loop {
            let driver = run.driver.clone().unwrap_or_default();
            match Box::pin(self.follow(&run.id, &driver, control, &events)).await? {
                Followed::Over(report) => return Ok(*report),
                Followed::Left => {
                    return Err(FleetError::Left {
                        run_id: run.id.clone(),
                    });
                }
                Followed::Abandoned => tokio::select! {
                    found = self.wait_for_driver(&run.id) => found?,
                    () = control.reached(Stop::Drain) => {
                        return Err(FleetError::Left { run_id: run.id.clone() });
                    }
                },
            }
        }
    }

    /// Puts the jobs into waves; what took long before goes first. Where a run goes on with another one, what that one
    /// brought to its goal shows that the migration is no failure by itself.
    async fn rollout_of(
        &self,
        selected: &Selected,
        (plan, direction): (&RunPlan, Direction),
        continues: Option<&str>,
    ) -> Result<Rollout, FleetError> {
        let durations = self.durations_of(&selected.jobs).await?;
        let policy = &self.options.policy;
        let mut unpassed = Unpassed::default();
        // Whoever names one tenant means that one, and waits for no others.
        let is_alone = selected.reach == Reach::One;
        if policy.waves.iter().any(WaveRule::is_relied_on) && !is_alone {
            self.check_waves(selected).await?;
            unpassed = self.unpassed(&selected.jobs, (plan, direction)).await?;
        }
        let alone = Policy {
            canary: Canary::Count(0),
            waves: Vec::new(),
            ..policy.clone()
        };
        let policy = if is_alone { &alone } else { policy };
        let mut rollout = policy.rollout(&selected.jobs, &durations, &unpassed);
        if let Some(first) = continues {
            rollout.succeeded_before = self.registry.applied_in_chain(first).await?;
        }
        Ok(rollout)
    }

    /// Returns whether a run that is gone on with, the first of its chain, was about one tenant that somebody named, and all
    /// that is selected is that tenant's.
    async fn is_of_one(&self, selected: &Selected, continues: Option<&str>) -> Result<bool, FleetError> {
        let Some(first) = continues else {
            return Ok(false);
        };
        let run = self.registry.find_run(first).await?;
        if reach_of(run.rollout.as_deref().unwrap_or_default()) == Reach::Several {
            return Ok(false);
        }
        let targets = self.registry.targets_of(first).await?;
        let named: HashSet<_> = targets.iter().map(|t| t.label.split('/').next()).collect();
        let mut owners = selected.jobs.iter().filter_map(|job| job.target.owner.as_ref());
        Ok(owners.all(|owner| named.contains(&Some(owner.slug.as_str()))))
    }

    /// Refuses a wave that nobody is in although something is waited for behind it: the run would go on without that.
    async fn check_waves(&self, selected: &Selected) -> Result<(), FleetError> {
        let waves = self.options.policy.waves.iter();
        for rule in waves.filter(|rule| rule.is_relied_on()) {
            let mut owners = selected.jobs.iter().filter_map(|job| job.target.owner.as_ref());
            let is_here = owners.any(|owner| rule.fits(&owner.slug, &owner.id));
            let fits = |tenant: &Tenant| rule.fits(&tenant.slug, &tenant.id);
            if !is_here && !self.registry.has_tenant(fits).await? {
                return Err(FleetError::NobodyInWave(rule.name.clone()));
            }
        }
        Ok(())
    }

    /// Returns how long the databases took when they were changed last, by their ids, in milliseconds; of one alone nobody
    /// wants to know.
    pub(super) async fn durations_of(&self, jobs: &[Job]) -> Result<HashMap<String, u64>, FleetError> {
        let mut durations = HashMap::new();
        if jobs.len() > 1 {
            let tracks: HashSet<&TrackName> = jobs.iter().map(|job| &job.target.track).collect();
            for track in tracks {
                durations.extend(self.registry.durations(track).await?);
            }
        }
        Ok(durations)
    }

    fn new_run(
        &self,
        selected: &Selected,
        request: &Request,
        (plan, rollout): (RunPlan, &Rollout),
    ) -> NewRun {
        let servers: HashSet<_> = selected.jobs.iter().map(|job| &job.target.server).collect();
        let place = |job: usize| rollout.places.get(job).map_or(0, |place| place.wave);
        let jobs = selected.jobs.iter().enumerate();
        let mut targets: Vec<RunTarget> = jobs
            .map(|(index, job)| RunTarget {
                goal: fixed_goal(job),
                ..RunTarget::not_run(&job.target, place(index))
            })
            .collect();
        targets.extend(selected.left_out.iter().map(RunTarget::reported));
        NewRun {
            id: new_run_id(),
            command: request.command.clone(),
            direction: request.direction,
            reverts: request.reverts.clone(),
            goal: selected.goal.clone(),
            reach: selected.reach,
            continues: request.continues.clone(),
            actor: request.actor.clone(),
            reason: request.reason.clone(),
            plan,
            rollout: rollout_text(rollout, selected.reach),
            concurrency: self.options.total_limit(servers.len()),
            targets,
            found_current: selected.settled.len(),
        }
    }

    /// A run that this process drives from its beginning.
    fn whole(new: &NewRun, (epoch, asked): (i64, Instant), selected: Selected, rollout: Rollout) -> Drive {
        let start = Start {
            direction: new.direction,
            waves: named(&rollout),
            skipped: selected
                .left_out
                .iter()
                .filter(|t| t.outcome == Outcome::Skipped)
                .count(),
            current: new.found_current,
            max_failures: rollout.max_failures,
            actor: new.actor.clone(),
            ..Start::of(&new.id, &selected.jobs)
        };
        Drive {
            run_id: new.id.clone(),
            epoch,
            asked,
            direction: new.direction,
            jobs: selected.jobs,
            rollout,
            start,
            left_out: selected.left_out,
            settled: selected.settled,
            has_begun: false,
        }
    }
}

fn tell_of_takeover(run_id: &str, from: &str, events: &UnboundedSender<RunEvent>) {
    drop(events.send(RunEvent::TakenOver {
        run_id: run_id.to_owned(),
        from: Driver::for_people(from),
    }));
}

/// Returns where a target goes that a look has been taken at before; `None` for a goal that is every target's.
fn fixed_goal(job: &Job) -> Option<Goal> {
    match &job.goal {
        Goal::BackVersions(_) => Some(job.goal.clone()),
        Goal::Head | Goal::UpTo(_) | Goal::BackSteps(_) | Goal::BackTo(_) | Goal::BackRuns(_) => None,
    }
}

fn named(rollout: &Rollout) -> Vec<(String, usize)> {
    let of = |wave: usize| rollout.places.iter().filter(|place| place.wave == wave).count();
    let waves = rollout.waves.iter().enumerate();
    waves
        .map(|(number, wave)| (wave.name.clone(), of(number)))
        .collect()
}

/// Refuses files that are not those of the run. Tracks on which nothing is left do not count.
fn refuse_other_files(run: &Run, now: &RunPlan) -> Result<(), FleetError> {
    let changes = Plan::changes(&run.plan.text, &now.text);
    if changes.is_empty() {
        return Ok(());
    }
    Err(FleetError::Replanned {
        of: PlanOf::Run { id: run.id.clone() },
        changes,
    })
}

/// Returns targets as if all had gone well, for the defect that says so before anything ran.
fn as_applied(targets: &[RunTarget]) -> Vec<RunTarget> {
    let applied = |target: &RunTarget| {
        let mut target = target.clone();
        (target.outcome, target.state) = (Outcome::Applied, TargetState::Ended);
        target
    };
    targets.iter().map(applied).collect()
}
