//! `tenant suspend | activate | rename | delete | restore | purge` and `product delete | restore`.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tenantry::provision::{Gone, Purged, Tenants, Turn, Turned};
use tenantry::registry::Deletion;
use tenantry::{Slug, Tenant, TenantStatus};

use super::Context;
use super::confirm::Confirmation;
use super::opened::{self, block_on};
use crate::args::{self, Ending, When};
use crate::clock::Utc;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::text;

/// One database whose way in was opened or closed, or was to be.
#[derive(Serialize)]
struct ShownTurn {
    target: String,
    database: String,
    server: String,
    turned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// One database that was given up, or was to be.
#[derive(Serialize)]
struct ShownGone {
    target: String,
    database: String,
    server: String,
    gone: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Returns the command that leads a tenant out of where it stands in its life.
pub(super) fn way_out(slug: &Slug, status: TenantStatus) -> String {
    match status {
        TenantStatus::Provisioning => format!("tenantry tenant create {slug}"),
        TenantStatus::Active => format!("tenantry tenant show {slug}"),
        TenantStatus::Suspended => format!("tenantry tenant activate {slug}"),
        TenantStatus::Deleting => format!("tenantry tenant restore {slug}"),
    }
}

async fn tenants(context: &Context, reason: Option<&str>) -> Result<Tenants, CommandError> {
    let project = context.project()?;
    let fleet = opened::fleet_because(&project, reason).await?;
    Ok(Tenants::new(fleet, project.settings.naming.clone()))
}

async fn found(tenants: &Tenants, given: &str) -> Result<Tenant, CommandError> {
    Ok(tenants.fleet().registry.find_tenant(given).await?)
}

/// Takes a tenant offline.
///
/// # Errors
/// TN-6024 if it is neither active nor suspended.
pub(super) fn suspend(context: &Context, asked: &args::Turned) -> Result<Exit, CommandError> {
    block_on(async {
        let tenants = tenants(context, asked.reason.as_deref()).await?;
        let tenant = found(&tenants, &asked.tenant).await?;
        let turned = tenants.suspend(&tenant).await?;
        let head = format!("Suspended {}: runs skip it from now on.", tenant.slug);
        let undo = format!("Undo:  tenantry tenant activate {}", tenant.slug);
        tell_turned(
            context,
            (&head, &undo),
            json!({"tenant": tenant.slug.as_str(), "status": "suspended"}),
            &turned,
        )
    })
}

/// Puts a suspended tenant in use again.
///
/// # Errors
/// TN-6024 if it is neither suspended nor active.
pub(super) fn activate(context: &Context, asked: &args::Turned) -> Result<Exit, CommandError> {
    block_on(async {
        let tenants = tenants(context, asked.reason.as_deref()).await?;
        let tenant = found(&tenants, &asked.tenant).await?;
        let turned = tenants.activate(&tenant).await?;
        let now = found(&tenants, tenant.id.as_str()).await?;
        let head = format!("{} is {}.", now.slug, now.status.as_str());
        let next = format!("Migrate it:  tenantry migrate tenant {}", now.slug);
        let document = json!({"tenant": now.slug.as_str(), "status": now.status.as_str()});
        tell_turned(context, (&head, &next), document, &turned)
    })
}

/// Gives a tenant another slug or name.
///
/// # Errors
/// TN-6001 if the slug is taken.
pub(super) fn rename(context: &Context, asked: &args::Rename) -> Result<Exit, CommandError> {
    block_on(async {
        let tenants = tenants(context, asked.reason.as_deref()).await?;
        let tenant = found(&tenants, &asked.tenant).await?;
        let registry = &tenants.fleet().registry;
        let renamed = registry
            .rename_tenant(&tenant, asked.slug.as_ref(), asked.name.as_deref())
            .await?;
        let human = format!(
            "Renamed {} to {} ({}). Its databases keep their names.",
            tenant.slug, renamed.slug, renamed.name
        );
        let document =
            json!({"tenant": renamed.slug.as_str(), "name": renamed.name, "was": tenant.slug.as_str()});
        context.answer(&text::printable(&human), &document)?;
        Ok(Exit::Done)
    })
}

/// Deletes a tenant when its grace is over, at once, or only from the registry.
///
/// # Errors
/// TN-4004 without its slug typed, TN-4001 while a run works on it.
pub(super) fn delete_tenant(context: &Context, asked: &args::TenantDelete) -> Result<Exit, CommandError> {
    block_on(async {
        let tenants = tenants(context, asked.ending.reason.as_deref()).await?;
        let tenant = found(&tenants, &asked.tenant).await?;
        let listed = tenants.fleet().registry.listed_databases_of(&tenant.id).await?;
        let loses = listed
            .iter()
            .map(|one| format!("database {} on {}", one.name, one.server));
        confirm(context, tenant.slug.as_str(), &asked.ending, loses.collect())?;
        let slug = tenant.slug.as_str();
        match asked.ending.when() {
            When::Released => tell_gone(context, slug, &tenants.release(&tenant).await?),
            When::Now => {
                tenants.delete(&tenant, 0).await?;
                tell_gone(context, slug, &tenants.remove(&tenant).await?)
            }
            When::After(grace) => {
                let (decided, turned) = tenants.delete(&tenant, micros(grace)).await?;
                let restore = format!("tenantry tenant restore {slug}");
                tell_deletion(context, (slug, &restore), &decided, &turned)
            }
        }
    })
}

/// Takes a product from a tenant when its grace is over, at once, or only from the registry.
///
/// # Errors
/// TN-4004 without `tenant/product` typed, TN-6010 if there is no such product, TN-4001 while a run works on it.
pub(super) fn delete_product(context: &Context, asked: &args::ProductDelete) -> Result<Exit, CommandError> {
    block_on(async {
        let tenants = tenants(context, asked.ending.reason.as_deref()).await?;
        let tenant = found(&tenants, &asked.tenant).await?;
        let label = format!("{}/{}", tenant.slug, asked.product);
        let listed = tenants.fleet().registry.listed_databases_of(&tenant.id).await?;
        let of_product = listed
            .iter()
            .filter(|one| one.product.as_ref() == Some(&asked.product));
        let loses = of_product.map(|one| format!("database {} on {}", one.name, one.server));
        confirm(context, &label, &asked.ending, loses.collect())?;
        let of = (&tenant, &asked.product);
        match asked.ending.when() {
            When::Released => tell_gone(context, &label, &tenants.release_product(of).await?),
            When::Now => {
                tenants.delete_product(of, 0).await?;
                tell_gone(context, &label, &tenants.remove_product(of).await?)
            }
            When::After(grace) => {
                let (decided, turned) = tenants.delete_product(of, micros(grace)).await?;
                let restore = format!(
                    "tenantry product restore {} --tenant {}",
                    asked.product, tenant.slug
                );
                tell_deletion(context, (&label, &restore), &decided, &turned)
            }
        }
    })
}

/// Takes the decision to delete a tenant back.
///
/// # Errors
/// TN-6024 if it is not to be deleted, or a database of its is gone.
pub(super) fn restore_tenant(context: &Context, asked: &args::Turned) -> Result<Exit, CommandError> {
    block_on(async {
        let tenants = tenants(context, asked.reason.as_deref()).await?;
        let tenant = found(&tenants, &asked.tenant).await?;
        let (status, turned) = tenants.restore(&tenant).await?;
        let head = format!("Restored {}: it is {}.", tenant.slug, status.as_str());
        let next = format!("See it:  tenantry tenant show {}", tenant.slug);
        let document = json!({"tenant": tenant.slug.as_str(), "status": status.as_str()});
        tell_turned(context, (&head, &next), document, &turned)
    })
}

/// Takes the decision to delete a product back.
///
/// # Errors
/// TN-6010 if there is none that is to be deleted.
pub(super) fn restore_product(context: &Context, asked: &args::ProductRestore) -> Result<Exit, CommandError> {
    block_on(async {
        let tenants = tenants(context, asked.reason.as_deref()).await?;
        let tenant = found(&tenants, &asked.tenant).await?;
        let turned = tenants.restore_product(&tenant, &asked.product).await?;
        let head = format!("Restored {}/{}.", tenant.slug, asked.product);
        let next = format!("See it:  tenantry tenant show {}", tenant.slug);
        let document = json!({"tenant": tenant.slug.as_str(), "product": asked.product.as_str()});
        tell_turned(context, (&head, &next), document, &turned)
    })
}

/// Drops everything whose grace is over.
///
/// # Errors
/// What the registry says; a database that cannot be dropped is told, and decides the exit code.
pub(super) fn purge(context: &Context) -> Result<Exit, CommandError> {
    block_on(async {
        let tenants = tenants(context, None).await?;
        let purged = tenants.purge().await?;
        let failed: Vec<ShownGone> = purged.failed.iter().map(ShownGone::of).collect();
        let refused = purged.refused.iter();
        let refused: Vec<String> = refused
            .map(|(what, error)| format!("{what}: {}: {error}", error.code()))
            .collect();
        let mut lines = vec![purged_line(&purged)];
        lines.extend(failed.iter().map(ShownGone::line));
        lines.extend(refused.iter().map(|one| format!("   Failed  {one}")));
        let document = json!({
            "gone": purged.gone,
            "databases": purged.databases,
            "failed": failed,
            "refused": refused,
        });
        context.answer(&text::printable(&lines.join("\n")), &document)?;
        let is_whole = failed.is_empty() && refused.is_empty();
        Ok(if is_whole { Exit::Done } else { Exit::Failed })
    })
}

fn purged_line(purged: &Purged) -> String {
    match (
        purged.gone.is_empty(),
        purged.failed.is_empty() && purged.refused.is_empty(),
    ) {
        (true, true) => "Nothing is due.".to_owned(),
        (true, false) => "Dropped nothing.".to_owned(),
        (false, _) => format!(
            "Dropped {}: {}",
            text::count(purged.databases, "database"),
            text::names(purged.gone.iter().map(String::as_str))
        ),
    }
}

fn micros(grace: Duration) -> i64 {
    i64::try_from(grace.as_micros()).unwrap_or(i64::MAX)
}

fn confirm(context: &Context, name: &str, ending: &Ending, loses: Vec<String>) -> Result<(), CommandError> {
    let question = match ending.when() {
        When::Released => "It leaves the registry now.",
        When::Now => "It is dropped now and cannot be restored.",
        When::After(_) => "It goes offline now, and is dropped when its grace is over.",
    };
    let confirmation = Confirmation {
        wanted: name,
        given: ending.confirm.as_deref(),
        question,
        missing: format!("deleting {name} needs a confirmation"),
        loses,
        state: "nothing was changed",
    };
    confirmation.require(context)
}

fn tell_deletion(
    context: &Context,
    (name, restore): (&str, &str),
    decided: &Deletion,
    turned: &[Turned],
) -> Result<Exit, CommandError> {
    let drops_at = Utc::of_micros(decided.drops_at);
    let head = format!(
        "Deleted {name}: out of use now, dropped by the first  tenantry tenant purge  after {} UTC.",
        drops_at.minute()
    );
    let undo = format!("Undo until then:  {restore}");
    let document = json!({"deleted": name, "drops_at": drops_at.rfc3339()});
    tell_turned(context, (&head, &undo), document, turned)
}

fn tell_turned(
    context: &Context,
    (head, next): (&str, &str),
    mut document: serde_json::Value,
    turned: &[Turned],
) -> Result<Exit, CommandError> {
    let shown: Vec<ShownTurn> = turned.iter().map(ShownTurn::of).collect();
    let mut lines = vec![head.to_owned()];
    lines.extend(stays(&shown));
    lines.push(next.to_owned());
    if let Some(fields) = document.as_object_mut() {
        fields.insert("databases".to_owned(), json!(shown));
    }
    context.answer(&text::printable(&lines.join("\n")), &document)?;
    let failed = turned.iter().any(|one| matches!(one.turn, Turn::Failed(_)));
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

/// Says where nobody is kept out although it was asked for, and why: a line for each reason.
fn stays(shown: &[ShownTurn]) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for one in shown {
        let Some(reason) = one.reason.as_deref() else {
            continue;
        };
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, targets)) => targets.push(&one.target),
            None => reasons.push((reason, vec![&one.target])),
        }
    }
    let line = |(reason, targets): (&str, Vec<&str>)| {
        let targets = text::names(targets);
        format!("  As it was before: {targets}: {reason}")
    };
    reasons.into_iter().map(line).collect()
}

fn tell_gone(context: &Context, name: &str, gone: &[Gone]) -> Result<Exit, CommandError> {
    let shown: Vec<ShownGone> = gone.iter().map(ShownGone::of).collect();
    let failed = shown.iter().any(|one| !one.gone);
    let mut lines: Vec<String> = shown.iter().map(ShownGone::line).collect();
    lines.push(if failed {
        format!("{name} stays until all of it is gone; the same command goes on.")
    } else {
        format!("{name} is gone.")
    });
    let document = json!({"deleted": name, "gone": !failed, "databases": shown});
    context.answer(&text::printable(&lines.join("\n")), &document)?;
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

impl ShownTurn {
    fn of(turned: &Turned) -> Self {
        Self {
            target: turned.label.clone(),
            database: turned.database.clone(),
            server: turned.server.to_string(),
            turned: matches!(turned.turn, Turn::Done),
            reason: turned.turn.stays(),
        }
    }
}

impl ShownGone {
    fn of(gone: &Gone) -> Self {
        let reason = match &gone.removed {
            Ok(None) => Some("kept".to_owned()),
            Ok(Some(removed)) => match &removed.role_stays {
                Some(why) => Some(format!("its role stays: {why}")),
                None => (!removed.was_there).then(|| "it was not there".to_owned()),
            },
            Err(error) => Some(format!("{}: {error}", error.code())),
        };
        Self {
            target: gone.label.clone(),
            database: gone.database.clone(),
            server: gone.server.to_string(),
            gone: gone.removed.is_ok(),
            reason,
        }
    }

    fn line(&self) -> String {
        let word = if self.gone { "   Gone" } else { " Failed" };
        let reason = self
            .reason
            .as_ref()
            .map_or_else(String::new, |why| format!(" ({why})"));
        format!(
            "  {word}  {} {} on {}{reason}",
            self.target, self.database, self.server
        )
    }
}
