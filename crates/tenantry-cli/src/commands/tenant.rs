//! `tenant create | list | show`.

use serde::Serialize;
use tenantry::provision::{NewTenant, Provisioned, Tenants};
use tenantry::registry::{self, DatabaseStatus, ListedDatabase, RegistryError};
use tenantry::{Domain, Jurisdiction, ProductType, Readiness, ReadinessCheck, Tenant, TenantId};

use super::again::quoted;
use super::creations::{self, Creation};
use super::opened::{self, block_on};
use super::{Context, Format, usage};
use crate::args::{Chosen, Limits, TenantCreate};
use crate::clock::Utc;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::{Items, Table, Told, text};

#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    slug: &'a str,
    name: &'a str,
    jurisdiction: &'a str,
    status: &'static str,
    external_id: Option<&'a str>,
    domains: Vec<&'a str>,
    created_at: String,
    databases: Vec<ShownDatabase<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "tenant.created")]
struct Created<'a> {
    #[serde(flatten)]
    tenant: Shown<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Told>,
}

#[derive(Serialize)]
struct ShownDatabase<'a> {
    product: Option<&'a str>,
    server: &'a str,
    database: &'a str,
    version: Option<String>,
    outcome: Option<&'static str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_path: Option<&'a str>,
}

impl<'a> Shown<'a> {
    fn of(tenant: &'a Tenant, databases: impl IntoIterator<Item = &'a ListedDatabase>) -> Self {
        Self {
            id: tenant.id.as_str(),
            slug: tenant.slug.as_str(),
            name: &tenant.name,
            jurisdiction: tenant.jurisdiction.as_str(),
            status: tenant.status.as_str(),
            external_id: tenant.external_id.as_deref(),
            domains: tenant.domains.iter().map(Domain::as_str).collect(),
            created_at: Utc::of_micros(tenant.created_at).rfc3339(),
            databases: databases.into_iter().map(ShownDatabase::of).collect(),
        }
    }
}

impl<'a> ShownDatabase<'a> {
    fn of(database: &'a ListedDatabase) -> Self {
        Self {
            product: database.product.as_ref().map(ProductType::as_str),
            server: database.server.as_str(),
            database: &database.name,
            version: database.version.map(|version| version.to_string()),
            outcome: database.outcome.map(tenantry::run::Outcome::as_str),
            status: database.status.as_str(),
            storage_path: database.storage_path.as_deref(),
        }
    }
}

/// Creates a tenant with its databases, migrated.
///
/// # Errors
/// What a step says; the same command continues then.
pub(super) fn create(context: &Context, create: &TenantCreate) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &Limits::default()).await?;
        let jurisdiction = match &create.jurisdiction {
            Some(jurisdiction) => jurisdiction.clone(),
            None => jurisdiction(&fleet.registry, create).await?,
        };
        let new = NewTenant {
            tenant: registry::NewTenant {
                id: TenantId::generate(),
                slug: create.slug.clone(),
                name: create.name.clone(),
                jurisdiction,
                external_id: create.external_id.clone(),
                domains: create.domain.clone(),
            },
            server: create.server.clone(),
            products: create.product.clone(),
        };
        let tenants = Tenants::new(fleet.clone(), project.settings.naming.clone());
        let creation = Creation {
            label: create.slug.to_string(),
            again: again(create),
            project: &project,
        };
        let work = async |watch| tenants.watched(watch).create(&new).await;
        let ((tenant, made), told) = creations::carry_out(context, &creation, work).await?;
        let databases = fleet.registry.listed_databases_of(&tenant.id).await?;
        let answer = Created {
            tenant: Shown::of(&tenant, &databases),
            warnings: told.warnings,
        };
        let human = created(&tenant, &made, context.canvas.width);
        context.end(told.answers, &human, &answer)?;
        Ok(Exit::Done)
    })
}

/// Returns the jurisdiction of the named server, of the tenant if its creation goes on, or the only one.
async fn jurisdiction(
    registry: &registry::Registry,
    create: &TenantCreate,
) -> Result<Jurisdiction, CommandError> {
    if let Some(server) = &create.server {
        return Ok(registry.listed_server(server.as_str()).await?.jurisdiction);
    }
    match registry.find_tenant(create.slug.as_str()).await {
        Ok(begun) if begun.slug == create.slug => return Ok(begun.jurisdiction),
        Ok(_) | Err(RegistryError::TenantNotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let mut found: Vec<Jurisdiction> = registry
        .servers()
        .await?
        .into_iter()
        .map(|server| server.jurisdiction)
        .collect();
    found.sort();
    found.dedup();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(CommandError::new(Exit::NotFound, "there is no server yet")
            .code(tenantry::Code(6015))
            .fact("state", "nothing was created")
            .help("tenantry server add --help")),
        many => {
            let names: Vec<&str> = many.iter().map(Jurisdiction::as_str).collect();
            Err(
                usage("there are several jurisdictions; the tenant's must be named")
                    .fact("jurisdictions", names.join(", "))
                    .help(format!(
                        "tenantry tenant create {} --jurisdiction {}",
                        create.slug, many[0]
                    )),
            )
        }
    }
}

/// Says in one word whether a database was created now or was there before.
pub(super) const fn made_or_found(database: &Provisioned) -> &'static str {
    if database.was_there { "  Found" } else { "Created" }
}

/// Returns the command that continues a creation, with everything that was said: it may have ended before the
/// registry knew of it.
fn again(create: &TenantCreate) -> String {
    let mut command = format!("tenantry tenant create {}", create.slug);
    let mut add = |flag: &str, value: &str| {
        command.extend([" ", flag, " ", quoted(value).as_str()]);
    };
    for product in &create.product {
        add("--product", product.as_str());
    }
    if let Some(name) = &create.name {
        add("--name", name);
    }
    if let Some(jurisdiction) = &create.jurisdiction {
        add("--jurisdiction", jurisdiction.as_str());
    }
    if let Some(server) = &create.server {
        add("--server", server.as_str());
    }
    for domain in &create.domain {
        add("--domain", domain.as_str());
    }
    if let Some(external_id) = &create.external_id {
        add("--external-id", external_id);
    }
    command
}

fn created(tenant: &Tenant, made: &[Provisioned], width: usize) -> String {
    let mut lines = Vec::new();
    for one in made {
        let what = one
            .product
            .as_ref()
            .map_or_else(String::new, |product| format!("product {product}: "));
        let took: u64 = one.migrations.iter().map(|m| m.duration_ms).sum();
        let line = format!(
            "  {}  {what}{} on {} ({}, {took} ms)",
            made_or_found(one),
            one.database,
            one.server,
            text::count(one.migrations.len(), "migration"),
        );
        lines.push(text::wrap(&line, width, 11));
    }
    lines.push(format!("Tenant {} is ready. {}", tenant.slug, tenant.id));
    lines.push(format!("See it:  tenantry tenant show {}", tenant.slug));
    text::printable(&lines.join("\n"))
}

/// Lists tenants.
///
/// # Errors
/// What the registry says.
pub(super) fn list(context: &Context, chosen: &Chosen) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &Limits::default()).await?;
        let tenants = fleet.registry.tenants(&opened::selection(chosen)).await?;
        if tenants.is_empty() {
            context.say("No tenant fits.");
        }
        if context.format == Format::Human {
            let human = if tenants.is_empty() {
                String::new()
            } else {
                table(&tenants)
            };
            context.answer_unless_empty(&human, &())?;
            return Ok(Exit::Done);
        }
        let databases = fleet.registry.listed_databases().await?;
        let items = tenants.iter().map(|t| Shown::of(t, of(&databases, &t.id)));
        let items = Items::new(items);
        context.answer("", &items)?;
        Ok(Exit::Done)
    })
}

/// Returns one tenant's databases, of those that are sorted by tenant.
fn of<'a>(databases: &'a [ListedDatabase], tenant: &TenantId) -> &'a [ListedDatabase] {
    let from = databases.partition_point(|database| database.tenant_id < *tenant);
    let rest = databases.get(from..).unwrap_or_default();
    let end = rest.partition_point(|database| database.tenant_id == *tenant);
    rest.get(..end).unwrap_or_default()
}

fn table(tenants: &[Tenant]) -> String {
    let mut table = Table::new(&["SLUG", "NAME", "JURISDICTION", "STATUS", "CREATED"]);
    for tenant in tenants {
        let created = Utc::of_micros(tenant.created_at).rfc3339();
        let day = created.get(..10).unwrap_or(&created).to_owned();
        table.row(&[
            tenant.slug.to_string(),
            tenant.name.clone(),
            tenant.jurisdiction.to_string(),
            tenant.status.as_str().to_owned(),
            day,
        ]);
    }
    table.draw()
}

/// Shows one tenant and its databases, without any password.
///
/// # Errors
/// TN-6002 for an unknown tenant.
pub(super) fn show(context: &Context, given: &str) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &Limits::default()).await?;
        let tenant = fleet.registry.find_tenant(given).await?;
        let databases = fleet.registry.listed_databases_of(&tenant.id).await?;
        let shown = Shown::of(&tenant, &databases);
        let mut lines = vec![format!(
            "{}   {}   {}   {} · {}",
            shown.slug, shown.name, shown.id, shown.jurisdiction, shown.status
        )];
        for database in &shown.databases {
            let what = database
                .product
                .map_or_else(|| "tenant".to_owned(), |p| format!("product {p}"));
            let version = database.version.as_deref().unwrap_or("nothing applied");
            let outcome = database.outcome.unwrap_or("never run");
            let line = format!(
                "  {what:14} {:14} {version:16} {outcome:12} {}",
                database.server, database.database
            );
            lines.push(text::wrap(&line, context.canvas.width, 4));
            if database.status == DatabaseStatus::Deleting.as_str() {
                let product = database.product.unwrap_or_default();
                lines.push(format!(
                    "    to be deleted; undo:  tenantry product restore {product} --tenant {}",
                    shown.slug
                ));
            }
            if let Some(path) = database.storage_path {
                lines.push(format!("    files          {path}"));
            }
        }
        if let Some(drops_at) = fleet.registry.drops_at(&tenant.id).await? {
            let at = Utc::of_micros(drops_at).minute();
            lines.push(format!(
                "  dropped after  {at} UTC; undo:  tenantry tenant restore {}",
                shown.slug
            ));
        }
        for domain in &shown.domains {
            lines.push(format!("  domain         {domain}"));
        }
        context.answer(&text::printable(&lines.join("\n")), &shown)?;
        Ok(Exit::Done)
    })
}

/// Says whether a tenant has what the folders' migrations make, without asking its databases.
///
/// # Errors
/// TN-6002 for an unknown tenant, TN-6013 for a database that is not there, TN-6024 for a tenant that is not active.
pub(super) fn ready(
    context: &Context,
    given: &str,
    product: Option<&ProductType>,
) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet_as_finished(&project, &Limits::default()).await?;
        let readiness = ReadinessCheck::new(fleet).of(given, product).await?;
        let tenant = text::printable(given);
        let (human, exit) = match readiness {
            Readiness::Current => (format!("{tenant} is current."), Exit::Done),
            Readiness::Ahead => (
                format!("{tenant} has newer migrations than the folders."),
                Exit::Done,
            ),
            Readiness::Pending => (
                format!("{tenant} lacks migrations.\nNext:  tenantry migrate all --only {tenant}"),
                Exit::Pending,
            ),
        };
        let document = serde_json::json!({ "tenant": given, "readiness": readiness.as_str() });
        context.answer(&human, &document)?;
        Ok(exit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_continues_a_creation_says_all_that_was_said() {
        let create = TenantCreate {
            slug: "acme".parse().unwrap(),
            name: Some("Acme Ltd".to_owned()),
            jurisdiction: Some("uk".parse().unwrap()),
            server: Some("db-1".parse().unwrap()),
            product: vec!["kira".parse().unwrap()],
            domain: vec!["acme.test".parse().unwrap()],
            external_id: Some("crm-42".to_owned()),
        };
        assert_eq!(
            again(&create),
            "tenantry tenant create acme --product kira --name 'Acme Ltd' --jurisdiction uk --server db-1 \
             --domain acme.test --external-id crm-42"
        );
    }
}
