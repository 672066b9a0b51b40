//! `run watch | pause | cancel | promote`: a run that another process drives, seen and steered from here.

use tenantry::fleet::{Fleet, Tiers, behind_wave, waves_of};
use tenantry::registry::{Driven, Run};
use tenantry::run::{Driver, RunStatus, Stage, Then, Wanted};

use super::super::Context;
use super::super::opened::{self, block_on};
use super::super::runs::{self, Work};
use super::super::unparsed::usage;
use super::find;
use crate::args::{Limits, Promote};
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::text;

/// Follows a run, and ends as it ends.
///
/// # Errors
/// TN-4009 for an unknown run; what the registry says.
pub(in super::super) fn watch(context: &Context, given: Option<&str>) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let limits = Limits::default();
        let fleet = opened::fleet(&project, &limits).await?;
        let run = find(&fleet, given).await?;
        let asking = runs::Asking::up(format!("run watch {}", run.id), &limits);
        runs::show(context, &project, &fleet, Work::Watch(Box::new(run)), asking)
            .await?
            .tell()
    })
}

/// Asks a run to pause.
///
/// # Errors
/// TN-4014 if it has ended; TN-4009 for an unknown run.
pub(in super::super) fn pause(context: &Context, given: &str) -> Result<Exit, CommandError> {
    steer(context, given, Wanted::Pause)
}

/// Gives a run up.
///
/// # Errors
/// As [`pause`].
pub(in super::super) fn cancel(context: &Context, given: &str, how: Wanted) -> Result<Exit, CommandError> {
    steer(context, given, how)
}

/// Refuses waves and rules that are other ones than a run began with.
///
/// # Errors
/// Exit 2 if there are any.
pub(in super::super) fn goes_on_as_it_began(run: &Run, limits: &Limits) -> Result<(), CommandError> {
    let asked = [
        ("--canary", limits.canary.is_some()),
        ("--max-failures", limits.max_failures.is_some()),
        ("--same-error", limits.same_error.is_some()),
    ];
    match asked.into_iter().find(|(_, is_asked)| *is_asked) {
        Some((flag, _)) => Err(usage(format!(
            "{flag} is for runs that begin: {} goes on with the waves and rules that it has",
            run.id
        ))
        .fact("state", "nothing ran")
        .help(format!("tenantry run show {}", run.id))),
        None => Ok(()),
    }
}

fn steer(context: &Context, given: &str, wanted: Wanted) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &Limits::default()).await?;
        let run = find(&fleet, Some(given)).await?;
        let driven = fleet.registry.want(&run.id, wanted, &Driver::this()).await?;
        let (human, status) = told(&run, wanted, &driven);
        let document = serde_json::json!({ "run": run.id, "wanted": wanted.as_str(), "status": status });
        context.answer(&text::printable(&human), &document)?;
        Ok(Exit::Done)
    })
}

fn told(run: &Run, wanted: Wanted, driven: &Driven) -> (String, &'static str) {
    let id = &run.id;
    match (driven, wanted) {
        (Driven::By(name), Wanted::Pause) => (
            format!(
                "{id} pauses: nothing new starts, what runs is finishing ({}).\nWatch:  tenantry run watch {id}",
                Driver::for_people(name)
            ),
            "running",
        ),
        (Driven::By(name), Wanted::Promote) => {
            (format!("{id} goes on ({}).", Driver::for_people(name)), "running")
        }
        (Driven::By(name), Wanted::Cancel | Wanted::CancelNow) => (
            format!(
                "{id} ends: nothing new starts ({}).\nWatch:  tenantry run watch {id}",
                Driver::for_people(name)
            ),
            "running",
        ),
        (Driven::ByNobody(_), _) => (
            format!("{id} is driven by nobody.\nGo on:  tenantry migrate resume {id}"),
            "running",
        ),
        (Driven::Over(RunStatus::Paused), _) if run.cause.as_deref() == Some("gate") => (
            format!("{id} waits at a gate, and stays there.\nGo on:  tenantry run promote {id}"),
            RunStatus::Paused.as_str(),
        ),
        (Driven::Over(RunStatus::Paused), _) => (
            format!("{id} is paused.\nGo on:  tenantry run resume {id}"),
            RunStatus::Paused.as_str(),
        ),
        (Driven::Over(status), _) => (format!("{id} is {}.", status.as_str()), status.as_str()),
    }
}

/// Says what a promotion does to a run that is driven: a gate is none of it, there nobody drives.
fn promoted(run: &Run, stage: Stage, driver: &str) -> String {
    let id = &run.id;
    let rollout = run.rollout.as_deref().unwrap_or_default();
    let waves = waves_of(rollout);
    let what = match (waves.get(stage.wave), stage.soak) {
        (Some((wave, _)), Some(soak)) if !soak.is_zero() => {
            let then = match behind_wave(rollout, stage.wave) {
                Then::GoOn => "goes on",
                Then::Pause => "stops at the gate there; promote it then once more",
            };
            format!("{id} waits no longer behind `{wave}`, and {then}")
        }
        (Some((wave, _)), _) => format!("There is nothing to promote: {id} works on `{wave}`"),
        (None, _) => format!("There is nothing to promote: {id} has no waves"),
    };
    format!("{what} ({driver}).\nWatch:  tenantry run watch {id}")
}

/// Lets a run go on that waits between two waves; drives it where nobody does.
///
/// # Errors
/// TN-4014 if it has ended; TN-4005 if the files have changed since; TN-4009 for an unknown run.
pub(in super::super) fn promote(context: &Context, asked: &Promote) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &asked.limits).await?;
        let run = find(&fleet, Some(&asked.run)).await?;
        goes_on_as_it_began(&run, &asked.limits)?;
        if asked.limits.dry_run {
            return Err(usage("a promotion lets a run go on, and shows nothing")
                .fact("state", "nothing ran")
                .help(format!("tenantry migrate resume {} --dry-run", run.id)));
        }
        let stage = fleet.registry.stage_of(&run.id).await?;
        let driven = fleet
            .registry
            .want(&run.id, Wanted::Promote, &Driver::this())
            .await?;
        if let Driven::By(name) = driven {
            let human = promoted(&run, stage, &Driver::for_people(&name));
            let document = serde_json::json!({ "run": run.id, "wanted": "promote", "status": "running" });
            context.answer(&text::printable(&human), &document)?;
            return Ok(Exit::Done);
        }
        let work = take_up(context, &project, &fleet, run).await?;
        let asking = runs::Asking::up("run promote", &asked.limits);
        runs::show(context, &project, &fleet, work, asking).await?.tell()
    })
}

/// Returns the work of going on with a run.
///
/// # Errors
/// What the registry and the files say.
pub(in super::super) async fn take_up(
    context: &Context,
    project: &crate::config::Project,
    fleet: &Fleet,
    run: Run,
) -> Result<Work, CommandError> {
    let selection = opened::selection(&crate::args::Chosen::default());
    let mut everything = fleet.select(&selection, Tiers::Both).await?;
    let first = opened::central_job(project, fleet, &mut everything)?;
    everything.begin_with(first);
    context.say(&format!("Going on with {}.", run.id));
    Ok(Work::TakeUp(Box::new(run), everything))
}
