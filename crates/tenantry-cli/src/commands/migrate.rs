//! `migrate tenant | all-tenants | products | central | all`: runs forwards.

use tenantry::fleet::{Fleet, Selected, Tiers, prepare_central};
use tenantry::plan::Goal;
use tenantry::{Pattern, Selection, TenantStatus};

use super::Context;
use super::opened::{self, block_on, tier_word};
use super::runs::{self, Asking};
use crate::args::{Ahead, Chosen};
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
        TenantStatus::Suspended | TenantStatus::Active | TenantStatus::Deleting => CommandError::new(
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
