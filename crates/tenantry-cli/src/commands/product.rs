//! `product provision | list`.

use serde::Serialize;
use tenantry::provision::Products;
use tenantry::registry::Tier;

use super::creations::{self, Creation};
use super::opened::{self, block_on};
use super::{Context, tenant};
use crate::args::{Chosen, Limits, ProductProvision};
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::{Items, Table, Told, text};

#[derive(Serialize)]
#[serde(tag = "type", rename = "product.provisioned")]
struct Provisioned {
    tenant: String,
    product: String,
    server: String,
    database: String,
    migrations: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Told>,
}

/// Gives a tenant the database of a product, migrated.
///
/// # Errors
/// What a step says; the same command continues then.
pub(super) fn provision(context: &Context, asked: &ProductProvision) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &Limits::default()).await?;
        let products = Products::new(fleet, project.settings.naming.clone());
        let (product, tenant) = (&asked.product, text::printable(&asked.tenant));
        let creation = Creation {
            label: format!("{tenant}/{product}"),
            again: format!("tenantry product provision {product} --tenant {tenant}"),
            project: &project,
        };
        let work = async |watch| products.watched(watch).provision(&asked.tenant, product).await;
        let (made, told) = creations::carry_out(context, &creation, work).await?;
        let shown = Provisioned {
            tenant: asked.tenant.clone(),
            product: asked.product.to_string(),
            server: made.server.to_string(),
            database: made.database.clone(),
            migrations: made.migrations.len(),
            warnings: told.warnings,
        };
        let human = format!(
            "  {}  {} on {} ({})\nProduct {} is ready for {}.",
            tenant::made_or_found(&made),
            made.database,
            made.server,
            text::count(made.migrations.len(), "migration"),
            product,
            tenant
        );
        context.end(told.answers, &text::printable(&human), &shown)?;
        Ok(Exit::Done)
    })
}

#[derive(Serialize)]
struct Listed {
    tenant: String,
    product: String,
    server: String,
    database: String,
}

/// Lists product databases.
///
/// # Errors
/// What the registry says.
pub(super) fn list(context: &Context, chosen: &Chosen) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &Limits::default()).await?;
        let found = fleet
            .registry
            .targets(&opened::selection(chosen), Tier::Product)
            .await?;
        let items: Vec<Listed> = found
            .targets
            .iter()
            .map(|target| Listed {
                tenant: target
                    .owner
                    .as_ref()
                    .map(|o| o.slug.to_string())
                    .unwrap_or_default(),
                product: target.track.to_string().trim_start_matches("product:").to_owned(),
                server: target
                    .server
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                database: target.address.database().to_owned(),
            })
            .collect();
        let mut table = Table::new(&["TENANT", "PRODUCT", "SERVER", "DATABASE"]);
        for item in &items {
            table.row(&[
                item.tenant.clone(),
                item.product.clone(),
                item.server.clone(),
                item.database.clone(),
            ]);
        }
        if items.is_empty() {
            context.say("No product database fits.");
        }
        let human = if items.is_empty() {
            String::new()
        } else {
            table.draw()
        };
        context.answer_unless_empty(&human, &Items::new(items.iter()))?;
        Ok(Exit::Done)
    })
}
