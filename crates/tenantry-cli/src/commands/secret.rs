//! `secret rotate`: new passwords for databases' own roles.

use serde::Serialize;
use tenantry::engine::Engine;
use tenantry::provision::Tenants;
use tenantry::registry::{Database, DatabaseStatus};
use tenantry::{Tenant, TenantStatus};

use super::opened::{self, block_on};
use super::{Context, usage};
use crate::args::SecretRotate;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::text;

#[derive(Debug, Default, Serialize)]
struct Answer {
    rotated: Vec<String>,
    /// Files, which have no password.
    without: usize,
    failed: Vec<Failed>,
    /// Tenants that are not active.
    skipped: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Failed {
    target: String,
    database: String,
    server: String,
    code: String,
    reason: String,
}

/// Gives the selected databases new passwords, one after the other.
///
/// # Errors
/// Exit 2 without a selection; TN-1005 without the key. A database that keeps its password is told by name,
/// and gives exit 20.
pub(super) fn rotate(context: &Context, asked: &SecretRotate) -> Result<Exit, CommandError> {
    if asked.selection.is_everything() && !asked.all {
        return Err(usage("whose passwords shall be replaced?").help(
            "tenantry secret rotate --only acme        or all of them:  tenantry secret rotate --all",
        ));
    }
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet_because(&project, asked.reason.as_deref()).await?;
        let tenants = Tenants::new(fleet.clone(), project.settings.naming.clone());
        let selected = fleet
            .registry
            .tenants(&opened::selection(&asked.selection))
            .await?;
        let mut answer = Answer::default();
        for tenant in &selected {
            if tenant.status != TenantStatus::Active || !fleet.registry.opens(&tenant.jurisdiction) {
                answer.skipped.push(tenant.slug.to_string());
                continue;
            }
            for database in fleet.registry.databases_of(&tenant.id).await? {
                if takes(asked, &database) {
                    rotate_one(&tenants, (tenant, &database), &mut answer).await;
                }
            }
        }
        context.answer(&text::printable(&human(&answer)), &answer)?;
        Ok(if answer.failed.is_empty() {
            Exit::Done
        } else {
            Exit::Failed
        })
    })
}

/// Returns whether the flags take this one of a tenant's databases.
fn takes(asked: &SecretRotate, database: &Database) -> bool {
    let (servers, products) = (&asked.selection.server, &asked.selection.product);
    let of_product = |product| products.contains(product);
    database.status == DatabaseStatus::Ready
        && (servers.is_empty() || servers.contains(&database.server))
        && (products.is_empty() || database.product.as_ref().is_some_and(of_product))
}

async fn rotate_one(tenants: &Tenants, (tenant, database): (&Tenant, &Database), answer: &mut Answer) {
    let target = match &database.product {
        Some(product) => format!("{}/{product}", tenant.slug),
        None => tenant.slug.to_string(),
    };
    if database.address.engine() == Engine::Sqlite {
        answer.without += 1;
        return;
    }
    match tenants.rotate_password(database).await {
        Ok(()) => answer.rotated.push(target),
        Err(error) => answer.failed.push(Failed {
            target,
            database: database.address.database().to_owned(),
            server: database.server.to_string(),
            code: error.code().to_string(),
            reason: told(&error),
        }),
    }
}

/// Returns an error with its causes, in one line.
fn told(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        line = format!("{line}: {next}");
        cause = next.source();
    }
    line
}

fn human(answer: &Answer) -> String {
    let mut lines = Vec::new();
    for failed in &answer.failed {
        lines.push(format!(
            "  Failed  {} ({} on {})  {}  {}",
            failed.target, failed.database, failed.server, failed.code, failed.reason
        ));
    }
    if !answer.skipped.is_empty() {
        let names = text::names(answer.skipped.iter().map(String::as_str));
        lines.push(format!(" Skipped  not active, or out of bounds: {names}"));
    }
    if answer.without > 0 {
        lines.push(format!(
            "          {} have no password: they are files",
            text::count(answer.without, "database")
        ));
    }
    lines.push(format!(
        " Rotated  {} of {}",
        text::count(answer.rotated.len(), "password"),
        answer.rotated.len() + answer.failed.len()
    ));
    if !answer.failed.is_empty() {
        lines.push("The same command goes on with those that failed.".to_owned());
    }
    lines.join("\n")
}
