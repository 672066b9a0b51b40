//! `migrate tenant | all-tenants | products | central | all | resume`: runs forwards.

use std::collections::HashSet;

use tenantry::fleet::{Fleet, Selected, Tiers, Unfinished, prepare_central};
use tenantry::plan::Goal;
use tenantry::registry::{Run, RunTarget};
use tenantry::run::{Outcome, RunStatus};
use tenantry::{Direction, Pattern, Selection, Target, TenantStatus, TrackName};

use super::Context;
use super::again::Again;
use super::opened::{self, block_on, tier_word};
use super::run;
use super::runs::{self, Asking};
use super::unparsed::usage;
use crate::args::{Ahead, Chosen, Limits};
use crate::config::Project;
use crate::exit::Exit;
use crate::failure::CommandError;

/// Migrates one tenant's shared database.
///
/// # Errors
/// TN-6002 for an unknown tenant, TN-6013 for one without a database.
pub(super) fn tenant(context: &Context, tenant: &str, ahead: &Ahead) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &ahead.limits).await?;
        let found = fleet.registry.find_tenant(tenant).await?;
        let mut selected = fleet.select(&Selection::of(&found), Tiers::Tenant).await?;
        if found.status != TenantStatus::Active {
            return Err(not_active(&found));
        }
        aim(&mut selected, ahead)?;
        let asking = Asking::up(format!("migrate tenant {}", found.slug), &ahead.limits);
        runs::carry_out(context, &project, &fleet, selected, asking).await
    })
}

/// Migrates many databases: the shared ones, the products', or the central one and then both.
///
/// # Errors
/// TN-4003 if nothing is selected: then the central database is not migrated either. TN-6013 if a named tenant is not active; what the registry says.
pub(super) fn many(
    context: &Context,
    chosen: &Chosen,
    ahead: &Ahead,
    tiers: Tiers,
) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        if tiers == Tiers::Both && !ahead.limits.dry_run {
            prepare_central(&project.settings.central()?.address, &project.settings.run).await?;
        }
        let fleet = opened::fleet(&project, &ahead.limits).await?;
        let selection = opened::selection(chosen);
        let mut selected = fleet.select(&selection, tiers).await?;
        refuse_not_active(&fleet, &selection).await?;
        if selected.is_empty() && !chosen.is_everything() {
            return runs::empty_run(context, &ahead.limits);
        }
        if tiers == Tiers::Both {
            let first = opened::central_job(&project, &fleet, &mut selected)?;
            selected.begin_with(first);
        }
        aim(&mut selected, ahead)?;
        let asking = Asking::up(format!("migrate {}", tier_word(tiers)), &ahead.limits);
        runs::carry_out(context, &project, &fleet, selected, asking).await
    })
}

/// Migrates the central database: our own tables, then the platform's.
///
/// # Errors
/// Exit 31 if it does not answer.
pub(super) fn central(context: &Context, ahead: &Ahead) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let address = &project.settings.central()?.address;
        if !ahead.limits.dry_run {
            let (_, changed) = prepare_central(address, &project.settings.run).await?;
            if changed {
                context.say(" Migrated  the registry's tables");
            }
        }
        let fleet = opened::fleet(&project, &ahead.limits).await?;
        let mut selected = Selected::default();
        let job = opened::central_job(&project, &fleet, &mut selected)?;
        selected.jobs.push(job);
        aim(&mut selected, ahead)?;
        runs::carry_out(
            context,
            &project,
            &fleet,
            selected,
            Asking::up("migrate central", &ahead.limits),
        )
        .await
    })
}

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
            let nothing = serde_json::json!({ "resumed": found.id, "targets": 0 });
            let said = format!("Nothing is left of {}.", found.id);
            return runs::no_run(context, limits, &said, &nothing);
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

fn all_or_nothing(found: &Run) -> CommandError {
    let refused = usage(format!("{} goes on with all that is left of it", found.id))
        .fact("state", "nothing ran")
        .help(format!("tenantry run resume {}", found.id));
    match found.direction {
        Direction::Up => refused.help(format!(
            "tenantry run cancel {}  and then the resume of some",
            found.id
        )),
        Direction::Down => refused.help(format!("give it up:  tenantry run cancel {}", found.id)),
    }
}

/// Goes on with a run that is paused, or that lost its driver on its way back, under its own id.
///
/// # Errors
/// TN-4011 if it waits at a gate: somebody promotes it.
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
    let selected = fleet.unfinished(&found.id, Unfinished::OfRun, everything).await?;
    Ok((found, selected))
}

/// Returns the newest run forwards that left something over in what was selected, and that; or else the
/// newest run forwards, with whatever the registry does not know as current. `None` if there is none.
///
/// # Errors
/// TN-4010 if a newer run backwards left something over: it is finished first.
async fn newest_open(fleet: &Fleet, everything: &Selected) -> Result<Option<(Run, Selected)>, CommandError> {
    let mut before: Option<Run> = None;
    while let Some(left) = fleet.registry.left_over_before(before.as_ref()).await? {
        if left.run.direction == Direction::Down {
            return Err(went_back(fleet, &left.run).await?);
        }
        let scope = scope_of(&left.run);
        let mut rows = left.targets;
        rows.extend(skipped_in(fleet, &left.run, everything).await?);
        let selected = fleet.among(rows, scope, everything.clone()).await?;
        if !selected.is_settled() {
            return Ok(Some((left.run, selected)));
        }
        before = Some(left.run);
    }
    let Some(newest) = fleet.registry.latest_run_up().await? else {
        return Ok(None);
    };
    let selected = fleet
        .among(
            skipped_in(fleet, &newest, everything).await?,
            scope_of(&newest),
            everything.clone(),
        )
        .await?;
    Ok(Some((newest, selected)))
}

/// Returns who was not active in a run and in all others of its chain: some may be now.
async fn skipped_in(fleet: &Fleet, run: &Run, everything: &Selected) -> Result<Vec<RunTarget>, CommandError> {
    let (mut skipped, mut reached) = (Vec::new(), HashSet::new());
    // Where nobody else has any, only the command tells that they were meant.
    let first = fleet.registry.find_run(run.first_of_chain()).await?;
    let mut has_products = first.command.split(' ').nth(1) == Some("all");
    for id in fleet.registry.chain_of(&run.id).await? {
        for row in fleet.registry.targets_of(&id).await? {
            has_products |= matches!(row.track, TrackName::Product(_));
            if row.outcome == Outcome::Skipped {
                skipped.push(row);
            } else {
                reached.insert((row.label, row.track));
            }
        }
    }
    if has_products {
        // They stand in the report with their tenant's shared database.
        let slugs: HashSet<String> = skipped.iter().map(|row: &RunTarget| row.label.clone()).collect();
        let is_theirs = |target: &Target| {
            let owner = target.owner.as_ref();
            owner.is_some_and(|owner| slugs.contains(owner.slug.as_str()))
        };
        let targets = everything.jobs.iter().map(|job| &job.target);
        let products =
            targets.filter(|target| matches!(target.track, TrackName::Product(_)) && is_theirs(target));
        skipped.extend(products.map(|target| RunTarget::not_run(target, 0)));
    }
    skipped.retain(|row| !reached.contains(&(row.label.clone(), row.track.clone())));
    Ok(skipped)
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
    Ok(commands.into_iter().fold(refused, CommandError::help))
}

/// Returns the rollbacks that finish a run that went backwards.
pub(super) async fn rollbacks(fleet: &Fleet, found: &Run) -> Result<Vec<String>, CommandError> {
    let again = Again::Rollback {
        command: found.command.clone(),
        goal: found.goal.clone().unwrap_or_default(),
    };
    let is_open = matches!(found.status, None | Some(RunStatus::Paused));
    if is_open && matches!(found.goal, Some(Goal::BackSteps(_))) {
        return Ok(vec![format!("tenantry run resume {}", found.id)]);
    }
    if found.finished_at.is_none() {
        // Its process died: the registry does not know how many steps were taken where.
        return Ok(vec![again.blind()]);
    }
    let targets = fleet.registry.targets_of(&found.id).await?;
    Ok(again.commands(&found.id, &targets))
}

/// Refuses a selection that names a tenant which is not active. Those that a pattern takes are skipped.
pub(super) async fn refuse_not_active(fleet: &Fleet, selection: &Selection) -> Result<(), CommandError> {
    let only: Vec<Pattern> = selection.only.iter().filter(|p| p.is_exact()).cloned().collect();
    if only.is_empty() {
        return Ok(());
    }
    let named = Selection {
        only,
        ..selection.clone()
    };
    let tenants = fleet.registry.tenants(&named).await?;
    let inactive = tenants.iter().find(|t| t.status != TenantStatus::Active);
    inactive.map_or(Ok(()), |tenant| Err(not_active(tenant)))
}

/// A tenant that was named must not be passed over with success.
pub(super) fn not_active(tenant: &tenantry::Tenant) -> CommandError {
    let made = match tenant.status {
        TenantStatus::Provisioning => CommandError::new(
            Exit::Failed,
            format!("Tenant database not provisioned: {}", tenant.id),
        )
        .help(format!(
            "tenantry tenant create {} --jurisdiction {}",
            tenant.slug, tenant.jurisdiction
        )),
        TenantStatus::Suspended | TenantStatus::Active => CommandError::new(
            Exit::Refused,
            format!("`{}` is {}", tenant.slug, tenant.status.as_str()),
        ),
    };
    made.code(tenantry::Code(6013)).fact("state", "nothing ran")
}

fn aim(selected: &mut Selected, ahead: &Ahead) -> Result<(), CommandError> {
    if let Some(version) = ahead.to {
        selected.aim(&Goal::UpTo(version))?;
    }
    Ok(())
}
