//! Tenants by slug, read so many at a time: however many there are, few rows are held at once.

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, RelationTrait as _,
};

use super::entities::{domain, tenant};
use super::tenants::tenant_of;
use super::{Registry, RegistryError};
use crate::selection::{Pattern, Selection};
use crate::tenant::{Jurisdiction, Tenant, TenantId};

/// How many tenants are read at once.
const PAGE: u64 = 5_000;
/// How many names a statement looks for; whoever gives more is served by reading all.
const NAMES_MAX: usize = 1_000;

/// Some tenants, by slug, and the condition on tenants that takes these.
pub(super) struct Page {
    pub(super) tenants: Vec<Tenant>,
    pub(super) range: Condition,
}

/// Tenants that are still to be read.
pub(super) struct Pages<'a> {
    registry: &'a Registry,
    of: Condition,
    after: Option<String>,
    is_over: bool,
}

impl Registry {
    /// Begins to read the tenants that a condition takes.
    pub(super) fn pages(&self, of: Condition) -> Pages<'_> {
        Pages {
            registry: self,
            of,
            after: None,
            is_over: false,
        }
    }
}

impl Pages<'_> {
    /// Returns the next tenants; `None` behind the last.
    pub(super) async fn next(&mut self) -> Result<Option<Page>, RegistryError> {
        if self.is_over {
            return Ok(None);
        }
        let mut range = self.of.clone();
        if let Some(after) = &self.after {
            range = range.add(tenant::Column::Slug.gt(after.as_str()));
        }
        let rows = tenant::Entity::find()
            .filter(range.clone())
            .order_by_asc(tenant::Column::Slug)
            .limit(PAGE)
            .all(&self.registry.db)
            .await
            .map_err(|e| self.registry.refused(&e))?;
        self.is_over = u64::try_from(rows.len()).unwrap_or(u64::MAX) < PAGE;
        let Some(last) = rows.last() else {
            return Ok(None);
        };
        self.after = Some(last.slug.clone());
        range = range.add(tenant::Column::Slug.lte(last.slug.as_str()));
        let mut domains = self.registry.domains(&range).await?;
        let tenants = rows
            .iter()
            .map(|row| tenant_of(row, &domains.remove(&row.id).unwrap_or_default()))
            .collect::<Result<_, _>>()?;
        Ok(Some(Page { tenants, range }))
    }
}

impl Registry {
    /// Returns the domains of the tenants that a condition takes, in order, by tenant.
    async fn domains(&self, of: &Condition) -> Result<HashMap<String, Vec<String>>, RegistryError> {
        let rows = domain::Entity::find()
            .join(JoinType::InnerJoin, domain::Relation::Tenant.def())
            .filter(of.clone())
            .order_by_asc(domain::Column::Domain)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let mut by_tenant: HashMap<String, Vec<String>> = HashMap::new();
        for row in rows {
            by_tenant.entry(row.tenant_id).or_default().push(row.domain);
        }
        Ok(by_tenant)
    }
}

/// Returns a condition that every tenant fulfils whom a selection takes, and as few others as the database can tell.
pub(super) fn possible(selection: &Selection) -> Condition {
    let mut condition = Condition::all();
    if !selection.jurisdictions.is_empty() {
        let jurisdictions = selection.jurisdictions.iter().map(Jurisdiction::as_str);
        condition = condition.add(tenant::Column::Jurisdiction.is_in(jurisdictions));
    }
    if (1..=NAMES_MAX).contains(&selection.ids.len()) {
        condition = condition.add(tenant::Column::Id.is_in(selection.ids.iter().map(TenantId::as_str)));
    }
    let only: Vec<&str> = selection.only.iter().map(Pattern::as_str).collect();
    if selection.only.iter().all(Pattern::is_exact)
        && let Some(named) = named(&only)
    {
        condition = condition.add(named);
    }
    condition
}

/// Returns the condition of having one of these names; `None` if there are none, or more than a statement takes.
pub(super) fn named(names: &[&str]) -> Option<Condition> {
    if !(1..=NAMES_MAX).contains(&names.len()) {
        return None;
    }
    let names = || names.iter().copied();
    let any = Condition::any()
        .add(tenant::Column::Id.is_in(names()))
        .add(tenant::Column::Slug.is_in(names()))
        .add(tenant::Column::ExternalId.is_in(names()));
    Some(any)
}
