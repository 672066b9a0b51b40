//! `migrate resume`: what a run did not bring to its goal, and who became active since.

use std::collections::HashSet;

use tenantry::fleet::{Fleet, Selected, Tiers, Unfinished};
use tenantry::plan::Goal;
use tenantry::registry::{Run, RunTarget};
use tenantry::run::{Outcome, RunStatus};
use tenantry::{Direction, TrackName};

use super::Context;
use super::again::Again;
use super::opened::{self, block_on, tier_word};
use super::run;
use super::runs::{self, Asking};
use super::unparsed::usage;
use crate::args::{Chosen, Limits};
use crate::config::Project;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::text;

/// Finishes what a run did not: targets that failed or were not reached.
///
/// # Errors
/// TN-4009 for an unknown run; exit 40 for a run that went back, with the rollback that finishes it.
pub(super) fn resume(
    context: &Context,
    given: Option<&str>,
    chosen: &Chosen,
    limits: &Limits,
) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, limits).await?;
        let mut everything = fleet.select(&opened::selection(chosen), Tiers::Both).await?;
        let first = opened::central_job(&project, &fleet, &mut everything)?;
        everything.begin_with(first);
        let open = match given {
            Some(id) => Some(named(&fleet, id, everything).await?),
            None => newest_open(&fleet, &everything).await?,
        };
        let Some((found, mut selected)) = open else {
            let nothing = serde_json::json!({ "resumed": null, "targets": 0 });
            return runs::no_run(
                context,
                limits,
                "There is no run yet: nothing to resume.",
                &nothing,
            );
        };
        let is_open = matches!(found.status, None | Some(RunStatus::Paused));
        if found.direction == Direction::Down && is_open && limits.dry_run {
            return Err(usage(format!(
                "{} goes back, and only runs forwards are looked at before",
                found.id
            ))
            .fact("state", "nothing ran")
            .help(format!("tenantry run show {} --all", found.id)));
        }
        let is_way_back = found.direction == Direction::Down && found.status.is_none();
        // What would run is what is left of it, whoever looks.
        if is_way_back || (found.status == Some(RunStatus::Paused) && !limits.dry_run) {
            run::goes_on_as_it_began(&found, limits)?;
            if !chosen.is_everything() {
                return Err(all_or_nothing(&found));
            }
            return go_on_with(context, &project, &fleet, found, limits).await;
        }
        let goal = found.goal.clone().unwrap_or_default();
        if selected.is_settled() {
            return tell_nothing_left(context, limits, (&found, &selected));
        }
        selected.aim(&goal)?;
        if let Goal::UpTo(version) = goal {
            context.say(&format!("{} goes up to {version}, as it was told.", found.id));
        }
        let asking =
            Asking::up(format!("migrate resume {}", found.id), limits).continuing(found.first_of_chain());
        runs::carry_out(context, &project, &fleet, selected, asking).await
    })
}

/// Says that nothing is left of a run, or only tenants that are not active.
fn tell_nothing_left(
    context: &Context,
    limits: &Limits,
    (found, selected): (&Run, &Selected),
) -> Result<Exit, CommandError> {
    let inactive: Vec<&str> = selected.left_out.iter().map(|t| t.label.as_str()).collect();
    let nothing = serde_json::json!({ "resumed": found.id, "targets": 0, "skipped": inactive });
    let said = if inactive.is_empty() {
        format!("Nothing is left of {}.", found.id)
    } else {
        format!(
            "Nothing is left of {} but tenants that are not active: {}.",
            found.id,
            text::names(inactive)
        )
    };
    runs::no_run(context, limits, &said, &nothing)
}

fn all_or_nothing(found: &Run) -> CommandError {
    let refused = usage(format!("{} goes on with all that is left of it", found.id))
        .fact("state", "nothing ran")
        .help(goes_on(found));
    match found.direction {
        Direction::Up => refused.help(format!(
            "tenantry run cancel {}  and then the resume of some",
            found.id
        )),
        Direction::Down => refused.help(format!("give it up:  tenantry run cancel {}", found.id)),
    }
}

/// Returns the command that lets a run go on which nobody drives.
fn goes_on(found: &Run) -> String {
    let verb = if found.cause.as_deref() == Some("gate") {
        "promote"
    } else {
        "resume"
    };
    format!("tenantry run {verb} {}", found.id)
}

/// Goes on with a run that is paused, or that lost its driver on its way back, under its own id.
///
/// # Errors
/// TN-4015 if it waits at a gate: somebody promotes it.
async fn go_on_with(
    context: &Context,
    project: &Project,
    fleet: &Fleet,
    found: Run,
    limits: &Limits,
) -> Result<Exit, CommandError> {
    if found.cause.as_deref() == Some("gate") {
        let title = format!("{} waits until somebody promotes it", found.id);
        return Err(CommandError::new(Exit::Refused, title)
            .code(tenantry::Code(4015))
            .fact("state", "nothing ran")
            .help(format!("tenantry run promote {}", found.id))
            .help(format!("tenantry run cancel {}", found.id)));
    }
    let asking = Asking::up(format!("migrate resume {}", found.id), limits);
    let work = run::take_up(context, project, fleet, found).await?;
    runs::show(context, project, fleet, work, asking).await?.tell()
}

/// Returns a run that was named, and what is left of it.
///
/// # Errors
/// TN-4009 for an unknown run; TN-4010 for one that went backwards and left something over.
async fn named(fleet: &Fleet, id: &str, everything: Selected) -> Result<(Run, Selected), CommandError> {
    let found = fleet.registry.find_run(id).await?;
    if found.direction == Direction::Down {
        if let None | Some(RunStatus::Paused) = found.status {
            return Ok((found, Selected::default()));
        }
        let left = fleet.registry.unfinished_of(&found.id).await?;
        if left.iter().all(|row| row.outcome == Outcome::Skipped) {
            return Ok((found, Selected::default()));
        }
        return Err(went_back(fleet, &found).await?);
    }
    let tiers = tiers_of(fleet, &found).await?;
    let selected = fleet.unfinished(&found, tiers, everything).await?;
    Ok((found, selected))
}

/// Returns the newest run forwards that left something over in what was selected, and that; or else the newest one whose
/// rest is of tenants that are not active, or the newest run forwards, with whatever the registry does not know as current.
/// `None` if there is none.
///
/// # Errors
/// TN-4010 if a newer run backwards left something over: it is finished first.
async fn newest_open(fleet: &Fleet, everything: &Selected) -> Result<Option<(Run, Selected)>, CommandError> {
    let mut before: Option<Run> = None;
    let mut inactive = None;
    while let Some(left) = fleet.registry.left_over_before(before.as_ref()).await? {
        if left.run.direction == Direction::Down {
            if !has_any(everything, &left.targets) {
                before = Some(left.run);
                continue;
            }
            return Err(went_back(fleet, &left.run).await?);
        }
        let selected = with_skipped(fleet, &left.run, (left.targets, everything)).await?;
        if !selected.is_settled() {
            return Ok(Some((left.run, selected)));
        }
        before = Some(left.run.clone());
        if !selected.left_out.is_empty() {
            inactive = inactive.or(Some((left.run, selected)));
        }
    }
    let Some(newest) = fleet.registry.latest_run_up().await? else {
        return Ok(None);
    };
    let selected = with_skipped(fleet, &newest, (Vec::new(), everything)).await?;
    if selected.is_settled() && inactive.is_some() {
        return Ok(inactive);
    }
    Ok(Some((newest, selected)))
}

/// Returns whether one of these targets can be worked on now: its tenant is active, and was asked for.
fn has_any(everything: &Selected, rows: &[RunTarget]) -> bool {
    let failures = everything.failures().map(|target| target.database_id.as_str());
    let jobs = everything.jobs.iter().map(|job| job.target.database_id.as_str());
    let there: HashSet<&str> = jobs.chain(failures).collect();
    rows.iter().any(|row| there.contains(row.database_id.as_str()))
}

/// Returns what there is of a run's rest, with those who were not active in it.
async fn with_skipped(
    fleet: &Fleet,
    run: &Run,
    (mut rows, everything): (Vec<RunTarget>, &Selected),
) -> Result<Selected, CommandError> {
    let tiers = tiers_of(fleet, run).await?;
    rows.extend(fleet.skipped_in(run, tiers, everything).await?);
    Ok(fleet.among(rows, scope_of(run), everything.clone()).await?)
}

/// Returns which databases a run was about, by the command that began its chain.
async fn tiers_of(fleet: &Fleet, run: &Run) -> Result<Tiers, CommandError> {
    let first = fleet.registry.find_run(run.first_of_chain()).await?;
    let word = first.command.split(' ').nth(1);
    let tiers = [Tiers::Products, Tiers::Both];
    let is_meant = |tiers: &Tiers| word == Some(tier_word(*tiers));
    Ok(tiers.into_iter().find(is_meant).unwrap_or(Tiers::Tenant))
}

/// What other runs left over was not told to stop where this one was.
fn scope_of(run: &Run) -> Unfinished {
    match run.goal.clone().unwrap_or_default() {
        Goal::Head => Unfinished::Anywhere,
        Goal::UpTo(_) | Goal::BackSteps(_) | Goal::BackTo(_) | Goal::BackRuns(_) | Goal::BackVersions(_) => {
            Unfinished::OfRun
        }
    }
}

/// Returns the commands that go on with what the newest unfinished run left over.
///
/// # Errors
/// What the registry says.
pub(super) async fn go_on(fleet: &Fleet) -> Result<Vec<String>, CommandError> {
    if !fleet.registry.has_unfinished_way_back().await? {
        return Ok(vec![Again::Resume.blind()]);
    }
    match fleet.registry.left_over_before(None).await? {
        Some(left) if left.run.direction == Direction::Down => rollbacks(fleet, &left.run).await,
        Some(_) | None => Ok(vec![Again::Resume.blind()]),
    }
}

/// Says which rollback finishes a run that went backwards.
async fn went_back(fleet: &Fleet, found: &Run) -> Result<CommandError, CommandError> {
    let title = format!(
        "{} went backwards and left something over, which is to be finished first",
        found.id
    );
    let refused = CommandError::new(Exit::Refused, title)
        .code(tenantry::Code(4010))
        .fact("state", "nothing ran");
    let commands = rollbacks(fleet, found).await?;
    let refused = commands.into_iter().fold(refused, CommandError::help);
    let instead = match found.status {
        None | Some(RunStatus::Paused) => format!("or give it up:  tenantry run cancel {}", found.id),
        Some(_) => format!(
            "or go forwards again:  tenantry migrate {}",
            forwards(fleet, found).await?
        ),
    };
    Ok(refused.help(instead))
}

/// Returns the word of the command that brings forwards what a run took back.
async fn forwards(fleet: &Fleet, found: &Run) -> Result<&'static str, CommandError> {
    let targets = fleet.registry.targets_of(&found.id).await?;
    let has = |is_it: fn(&TrackName) -> bool| targets.iter().any(|target| is_it(&target.track));
    let has_central = has(|track| *track == TrackName::Central);
    let has_products = has(|track| matches!(track, TrackName::Product(_)));
    let has_shared = has(|track| *track == TrackName::Tenant);
    Ok(match (has_central, has_shared, has_products) {
        (true, false, false) => "central",
        (false, true, false) => "all-tenants",
        (false, false, true) => "products",
        (_, _, _) => "all",
    })
}

/// Returns the rollbacks that finish a run that went backwards.
pub(super) async fn rollbacks(fleet: &Fleet, found: &Run) -> Result<Vec<String>, CommandError> {
    let again = Again::Rollback {
        command: found.command.clone(),
        goal: found.goal.clone().unwrap_or_default(),
    };
    let is_open = matches!(found.status, None | Some(RunStatus::Paused));
    let is_at_gate = found.status == Some(RunStatus::Paused) && found.cause.as_deref() == Some("gate");
    if is_open && (is_at_gate || matches!(found.goal, Some(Goal::BackSteps(_)))) {
        return Ok(vec![goes_on(found)]);
    }
    if found.finished_at.is_none() {
        // Its process died: the registry does not know how many steps were taken where.
        return Ok(vec![again.blind()]);
    }
    let targets = fleet.registry.targets_of(&found.id).await?;
    Ok(again.commands(&found.id, &targets))
}
