//! Tenants in the registry: finding, selecting, activating.

use std::collections::HashSet;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde_json::{Value, json};

use super::audit::{Action, Change};
use super::entities::{database, domain, tenant};
use super::pages::{named, possible};
use super::rows::Row;
use super::servers::ListedServer;
use super::{Registry, RegistryError};
use crate::domain::Domain;
use crate::selection::{Pattern, Selection, nearest};
use crate::tenant::{Jurisdiction, ProductType, ServerName, Slug, Tenant, TenantId, TenantStatus};

impl Registry {
    /// Finds a tenant by id; if nobody has that id, by slug; and if nobody has that slug, by external id.
    ///
    /// Fails with [`RegistryError::TenantNotFound`] and the nearest slugs if there is none.
    pub async fn find_tenant(&self, name: &str) -> Result<Tenant, RegistryError> {
        use tenant::Column;
        let any = Condition::any()
            .add(Column::Id.eq(name))
            .add(Column::Slug.eq(name))
            .add(Column::ExternalId.eq(name));
        let rows = tenant::Entity::find()
            .filter(any)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let by_id = rows.iter().find(|t| t.id == name);
        let by_slug = || rows.iter().find(|t| t.slug == name);
        let by_external_id = || rows.iter().find(|t| t.external_id.as_deref() == Some(name));
        let Some(row) = by_id.or_else(by_slug).or_else(by_external_id) else {
            return Err(self.not_found(name).await?);
        };
        let domains = domain::Entity::find()
            .filter(domain::Column::TenantId.eq(&row.id))
            .order_by_asc(domain::Column::Domain)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let domains: Vec<String> = domains.into_iter().map(|d| d.domain).collect();
        tenant_of(row, &domains)
    }

    /// Returns the selected tenants by slug, of every status; empty if none is selected.
    ///
    /// A name without wildcard that nobody has fails with [`RegistryError::TenantNotFound`], one that several
    /// have with [`RegistryError::Ambiguous`]; an unknown jurisdiction or server fails too.
    pub async fn tenants(&self, selection: &Selection) -> Result<Vec<Tenant>, RegistryError> {
        self.check_names(selection, &self.servers().await?).await?;
        let placed = self.placed(selection).await?;
        let is_placed = |t: &Tenant| placed.as_ref().is_none_or(|ids| ids.contains(t.id.as_str()));
        let mut tenants = Vec::new();
        let mut pages = self.pages(possible(selection));
        while let Some(page) = pages.next().await? {
            let selected = page.tenants.into_iter().filter(|t| selection.takes(t));
            tenants.extend(selected.filter(is_placed));
        }
        Ok(tenants)
    }

    /// Returns whether there is a tenant that a condition holds for.
    pub async fn has_tenant(&self, fits: impl Fn(&Tenant) -> bool) -> Result<bool, RegistryError> {
        let mut pages = self.pages(possible(&Selection::default()));
        while let Some(page) = pages.next().await? {
            if page.tenants.iter().any(&fits) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts a tenant in use: runs migrate it from now on. A second time changes nothing.
    ///
    /// Fails with [`RegistryError::TenantNotFound`] if there is none.
    pub async fn activate_tenant(&self, id: &TenantId) -> Result<(), RegistryError> {
        let tenant = self.find_tenant(id.as_str()).await?;
        let transaction = self.begin().await?;
        let written = tenant::Entity::update_many()
            .col_expr(tenant::Column::Status, Expr::value(TenantStatus::Active.as_str()))
            .filter(tenant::Column::Id.eq(id.as_str()))
            .filter(tenant::Column::Status.ne(TenantStatus::Active.as_str()))
            .exec(&transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        if written.rows_affected == 0 {
            return Ok(());
        }
        let change = Change::new(Action::TenantActivate, id.as_str(), tenant.slug.as_str())
            .from(json!({"status": tenant.status.as_str()}))
            .to(json!({"status": TenantStatus::Active.as_str()}));
        self.commit_recorded(transaction, change).await
    }

    /// Returns every tenant by slug, with domains.
    pub(super) async fn all_tenants(&self) -> Result<Vec<Tenant>, RegistryError> {
        self.tenants_where(Condition::all()).await
    }

    async fn tenants_where(&self, condition: Condition) -> Result<Vec<Tenant>, RegistryError> {
        let mut tenants = Vec::new();
        let mut pages = self.pages(condition);
        while let Some(page) = pages.next().await? {
            tenants.extend(page.tenants);
        }
        Ok(tenants)
    }

    /// Fails if a selection names what is not there: a tenant, a server or a jurisdiction. Beside another name it
    /// would be passed over in silence. Reads those that are named, and all only to say who may have been meant.
    pub(super) async fn check_names(
        &self,
        selection: &Selection,
        servers: &[ListedServer],
    ) -> Result<(), RegistryError> {
        let names = selection.only.iter().chain(&selection.except);
        let names: Vec<&str> = names.filter(|p| p.is_exact()).map(Pattern::as_str).collect();
        let unclear = match named(&names) {
            Some(condition) => refuse_unclear(selection, &self.tenants_where(condition).await?).is_err(),
            None => !names.is_empty(),
        };
        if unclear {
            refuse_unclear(selection, &self.all_tenants().await?)?;
        }
        refuse_unknown_server(selection, servers)?;
        let mut known: Vec<Jurisdiction> = servers.iter().map(|s| s.jurisdiction.clone()).collect();
        if selection.jurisdictions.iter().any(|j| !known.contains(j)) {
            known.extend(self.jurisdictions().await?);
        }
        refuse_unknown_jurisdiction(selection, &known)
    }

    /// Returns the jurisdictions that tenants have, each once.
    async fn jurisdictions(&self) -> Result<Vec<Jurisdiction>, RegistryError> {
        let words: Vec<String> = tenant::Entity::find()
            .select_only()
            .column(tenant::Column::Jurisdiction)
            .distinct()
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let at = Row {
            table: "tenantry_tenants",
            id: "(any)",
        };
        let read = |word: String| at.read("jurisdiction", word.parse().ok());
        words.into_iter().map(read).collect()
    }

    /// Returns the ids of tenants that have a database of a selected product, on a selected server;
    /// `None` if neither is selected.
    async fn placed(&self, selection: &Selection) -> Result<Option<HashSet<String>>, RegistryError> {
        if selection.products.is_empty() && selection.servers.is_empty() {
            return Ok(None);
        }
        let mut condition = Condition::all();
        if !selection.products.is_empty() {
            let products = selection.products.iter().map(ProductType::as_str);
            condition = condition.add(database::Column::Product.is_in(products));
        }
        if !selection.servers.is_empty() {
            let mut ids = Vec::with_capacity(selection.servers.len());
            for name in &selection.servers {
                ids.push(self.listed_server(name.as_str()).await?.id);
            }
            condition = condition.add(database::Column::ServerId.is_in(ids));
        }
        let ids: Vec<String> = database::Entity::find()
            .select_only()
            .column(database::Column::TenantId)
            .filter(condition)
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        Ok(Some(ids.into_iter().collect()))
    }

    pub(super) async fn not_found(&self, given: &str) -> Result<RegistryError, RegistryError> {
        Ok(not_among(given, &self.all_tenants().await?))
    }
}

/// Fails if a name without wildcard names nobody, or more than one.
fn refuse_unclear(selection: &Selection, tenants: &[Tenant]) -> Result<(), RegistryError> {
    if let Some(pattern) = selection.unknown(tenants).first() {
        return Err(not_among(pattern.as_str(), tenants));
    }
    match selection.ambiguous(tenants) {
        Some((pattern, named)) => Err(RegistryError::Ambiguous {
            given: pattern.to_string(),
            candidates: named.into_iter().map(|one| own_name(one, tenants)).collect(),
        }),
        None => Ok(()),
    }
}

fn refuse_unknown_server(selection: &Selection, servers: &[ListedServer]) -> Result<(), RegistryError> {
    let is_known = |name: &&ServerName| servers.iter().any(|s| s.name == **name);
    match selection.servers.iter().find(|name| !is_known(name)) {
        Some(name) => Err(RegistryError::ServerNotFound {
            given: name.to_string(),
            nearest: nearest(name.as_str(), servers.iter().map(|s| s.name.as_str())),
        }),
        None => Ok(()),
    }
}

fn refuse_unknown_jurisdiction(selection: &Selection, known: &[Jurisdiction]) -> Result<(), RegistryError> {
    match selection.jurisdictions.iter().find(|one| !known.contains(one)) {
        Some(unknown) => Err(RegistryError::JurisdictionNotFound {
            given: unknown.clone(),
            nearest: nearest(unknown.as_str(), known.iter().map(Jurisdiction::as_str)),
        }),
        None => Ok(()),
    }
}

/// Returns the slug of a tenant or, where another tenant has that as a name too, the id.
fn own_name(tenant: &Tenant, tenants: &[Tenant]) -> String {
    let slug = tenant.slug.as_str();
    if tenants.iter().filter(|t| t.has_name(slug)).count() == 1 {
        slug.to_owned()
    } else {
        tenant.id.to_string()
    }
}

fn not_among(given: &str, tenants: &[Tenant]) -> RegistryError {
    RegistryError::TenantNotFound {
        given: given.to_owned(),
        nearest: nearest(given, tenants.iter().map(|t| t.slug.as_str())),
    }
}

/// Reads a row, with the tenant's domains.
pub(super) fn tenant_of(row: &tenant::Model, domains: &[String]) -> Result<Tenant, RegistryError> {
    let at = Row {
        table: "tenantry_tenants",
        id: &row.id,
    };
    let domains: Option<Vec<Domain>> = domains.iter().map(|domain| domain.parse().ok()).collect();
    Ok(Tenant {
        id: TenantId::from_text(row.id.clone()),
        slug: at.read("slug", row.slug.parse::<Slug>().ok())?,
        name: row.name.clone(),
        jurisdiction: at.read("jurisdiction", row.jurisdiction.parse::<Jurisdiction>().ok())?,
        status: at.read("status", TenantStatus::from_word(&row.status))?,
        external_id: row.external_id.clone(),
        domains: at.read("domain", domains)?,
        created_at: row.created_at,
    })
}

/// Tells a tenant to the audit.
pub(super) fn told(tenant: &Tenant) -> Value {
    json!({
        "slug": tenant.slug.as_str(),
        "name": tenant.name,
        "jurisdiction": tenant.jurisdiction.as_str(),
        "status": tenant.status.as_str(),
        "external_id": tenant.external_id,
        "domains": tenant.domains.iter().map(Domain::as_str).collect::<Vec<_>>(),
    })
}
