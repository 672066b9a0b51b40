//! Whose histories a command is about: one tenant, a selection, the central database, or everybody by name.

use tenantry::fleet::{Fleet, Selected, Tiers, central_target};
use tenantry::{Selection, TenantStatus, TrackName};

use super::{migrate, opened};
use crate::args::Whom;
use crate::config::Project;
use crate::exit::Exit;
use crate::failure::CommandError;

/// Chooses the targets; never the whole fleet unless it was asked for by name. `command` makes what was typed
/// about other targets, without the program's name.
///
/// # Errors
/// TN-4004 if nobody was named; TN-6013 for a tenant that is not active; what the registry says.
pub(super) async fn choose(
    project: &Project,
    fleet: &Fleet,
    whom: &Whom,
    command: impl Fn(&str) -> String,
) -> Result<Selected, CommandError> {
    if whom.central {
        let mut selected = Selected::default();
        let address = &project.settings.central()?.address;
        let target = central_target(address, fleet.registry.registry_id(), TrackName::Central);
        let job = fleet.job(&mut selected, target)?;
        selected.jobs.push(job);
        return Ok(selected);
    }
    let mut selection = opened::selection(&whom.selection);
    if let Some(tenant) = &whom.tenant {
        let found = fleet.registry.find_tenant(tenant).await?;
        if found.status != TenantStatus::Active {
            return Err(migrate::not_active(&found));
        }
        selection = Selection {
            ids: vec![found.id],
            ..selection
        };
    } else if !whom.all_tenants && whom.selection.is_everything() {
        return Err(
            CommandError::new(Exit::Refused, "nobody said which tenants are meant")
                .code(tenantry::Code(4004))
                .fact("state", "nothing was touched")
                .help(format!("one tenant:  tenantry {}", command("<slug>")))
                .help(format!("all of them:  tenantry {}", command("--all-tenants"))),
        );
    }
    let tiers = if selection.products.is_empty() {
        Tiers::Tenant
    } else {
        Tiers::Products
    };
    migrate::refuse_not_active(fleet, &selection).await?;
    Ok(fleet.select(&selection, tiers).await?)
}
