//! Tenants in the registry: creating, finding, selecting, activating.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, DbErr, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, SqlErr, TransactionTrait as _,
};

use super::entities::{database, domain, tenant};
use super::rows::{Row, check_key};
use super::{Registry, RegistryError, now};
use crate::selection::{Selection, nearest};
use crate::tenant::{Jurisdiction, ProductType, Slug, Tenant, TenantId, TenantStatus};

/// What is needed to create a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTenant {
    /// Its id; [`TenantId::generate`] unless it is imported.
    pub id: TenantId,
    /// The short name, unique.
    pub slug: Slug,
    /// The name for people.
    pub name: String,
    /// Where its databases must stand.
    pub jurisdiction: Jurisdiction,
    /// Its id in another system, unique.
    pub external_id: Option<String>,
    /// The host names that lead to it, each unique.
    pub domains: Vec<String>,
}

impl Registry {
    /// Writes a tenant with status `provisioning` and returns it.
    ///
    /// If the slug belongs to a tenant that is still being provisioned, that one is returned as it is
    /// and nothing is written: the same command continues. Any other owner of the slug is
    /// [`RegistryError::SlugTaken`]; a taken id, external id or domain is [`RegistryError::Taken`].
    pub async fn create_tenant(&self, new: &NewTenant) -> Result<Tenant, RegistryError> {
        check_key("tenant id", new.id.as_str())?;
        check_key("external id", new.external_id.as_deref().unwrap_or_default())?;
        for domain in &new.domains {
            check_key("domain", domain)?;
        }
        let created_at = now();
        match self.insert_tenant(new, created_at).await {
            Ok(()) => Ok(Tenant {
                id: new.id.clone(),
                slug: new.slug.clone(),
                name: new.name.clone(),
                jurisdiction: new.jurisdiction.clone(),
                status: TenantStatus::Provisioning,
                external_id: new.external_id.clone(),
                domains: sorted(&new.domains),
                created_at,
            }),
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                self.existing(new).await
            }
            Err(error) => Err(self.refused(&error)),
        }
    }

    async fn insert_tenant(&self, new: &NewTenant, created_at: i64) -> Result<(), DbErr> {
        let transaction = self.db.begin().await?;
        let row = tenant::ActiveModel {
            id: Set(new.id.to_string()),
            slug: Set(new.slug.to_string()),
            name: Set(new.name.clone()),
            jurisdiction: Set(new.jurisdiction.to_string()),
            status: Set(TenantStatus::Provisioning.as_str().to_owned()),
            external_id: Set(new.external_id.clone()),
            created_at: Set(created_at),
        };
        tenant::Entity::insert(row)
            .exec_without_returning(&transaction)
            .await?;
        let domains = sorted(&new.domains)
            .into_iter()
            .map(|domain| domain::ActiveModel {
                domain: Set(domain),
                tenant_id: Set(new.id.to_string()),
            });
        if !new.domains.is_empty() {
            domain::Entity::insert_many(domains)
                .exec_without_returning(&transaction)
                .await?;
        }
        transaction.commit().await
    }

    /// Returns the tenant whose creation goes on, or says which name is taken.
    async fn existing(&self, new: &NewTenant) -> Result<Tenant, RegistryError> {
        let all = self.all_tenants().await?;
        if let Some(owner) = all.iter().find(|t| t.slug == new.slug) {
            return match owner.status {
                TenantStatus::Provisioning => Ok(owner.clone()),
                TenantStatus::Active | TenantStatus::Suspended => Err(RegistryError::SlugTaken {
                    slug: new.slug.to_string(),
                    id: owner.id.clone(),
                    status: owner.status,
                }),
            };
        }
        let taken = |what, name: &str| RegistryError::Taken {
            what,
            name: name.to_owned(),
        };
        if let Some(external_id) = &new.external_id
            && all.iter().any(|t| t.external_id.as_ref() == Some(external_id))
        {
            return Err(taken("external id", external_id));
        }
        let in_use: HashSet<&String> = all.iter().flat_map(|t| &t.domains).collect();
        match new.domains.iter().find(|d| in_use.contains(d)) {
            Some(domain) => Err(taken("domain", domain)),
            None => Err(taken("tenant id", new.id.as_str())),
        }
    }

    /// Finds a tenant by slug or, if nobody has that slug, by id.
    ///
    /// Fails with [`RegistryError::TenantNotFound`] and the nearest slugs if there is none.
    pub async fn find_tenant(&self, slug_or_id: &str) -> Result<Tenant, RegistryError> {
        let either = Condition::any()
            .add(tenant::Column::Slug.eq(slug_or_id))
            .add(tenant::Column::Id.eq(slug_or_id));
        let rows = tenant::Entity::find()
            .filter(either)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let found = rows.iter().find(|t| t.slug == slug_or_id).or(rows.first());
        let Some(row) = found else {
            return Err(self.not_found(slug_or_id).await?);
        };
        let domains = domain::Entity::find()
            .filter(domain::Column::TenantId.eq(&row.id))
            .order_by_asc(domain::Column::Domain)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        tenant_of(row, domains.into_iter().map(|d| d.domain).collect())
    }

    /// Returns the selected tenants by slug, of every status; empty if none is selected.
    ///
    /// A name without wildcard that nobody has fails with [`RegistryError::TenantNotFound`].
    pub async fn tenants(&self, selection: &Selection) -> Result<Vec<Tenant>, RegistryError> {
        let all = self.all_tenants().await?;
        refuse_unknown(selection, &all)?;
        let placed = self.placed(selection).await?;
        Ok(all
            .into_iter()
            .filter(|t| selection.takes(t))
            .filter(|t| placed.as_ref().is_none_or(|ids| ids.contains(t.id.as_str())))
            .collect())
    }

    /// Puts a tenant in use: runs migrate it from now on. A second time changes nothing.
    ///
    /// Fails with [`RegistryError::TenantNotFound`] if there is none.
    pub async fn activate_tenant(&self, id: &TenantId) -> Result<(), RegistryError> {
        let written = tenant::Entity::update_many()
            .col_expr(tenant::Column::Status, Expr::value(TenantStatus::Active.as_str()))
            .filter(tenant::Column::Id.eq(id.as_str()))
            .exec(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        // The MySQL driver asks for the rows that were found, not for those that changed.
        if written.rows_affected == 0 {
            return Err(self.not_found(id.as_str()).await?);
        }
        Ok(())
    }

    /// Returns every tenant by slug, with domains.
    pub(super) async fn all_tenants(&self) -> Result<Vec<Tenant>, RegistryError> {
        let rows = tenant::Entity::find()
            .order_by_asc(tenant::Column::Slug)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let domains = domain::Entity::find()
            .order_by_asc(domain::Column::Domain)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let mut by_tenant: HashMap<String, Vec<String>> = HashMap::new();
        for row in domains {
            by_tenant.entry(row.tenant_id).or_default().push(row.domain);
        }
        rows.iter()
            .map(|row| tenant_of(row, by_tenant.remove(&row.id).unwrap_or_default()))
            .collect()
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

/// Fails if a name without wildcard names nobody.
pub(super) fn refuse_unknown(selection: &Selection, tenants: &[Tenant]) -> Result<(), RegistryError> {
    match selection.unknown(tenants).first() {
        Some(pattern) => Err(not_among(pattern.as_str(), tenants)),
        None => Ok(()),
    }
}

fn not_among(given: &str, tenants: &[Tenant]) -> RegistryError {
    RegistryError::TenantNotFound {
        given: given.to_owned(),
        nearest: nearest(given, tenants.iter().map(|t| t.slug.as_str())),
    }
}

fn tenant_of(row: &tenant::Model, domains: Vec<String>) -> Result<Tenant, RegistryError> {
    let at = Row {
        table: "tenantry_tenants",
        id: &row.id,
    };
    Ok(Tenant {
        id: TenantId::from_text(row.id.clone()),
        slug: at.read("slug", row.slug.parse::<Slug>().ok())?,
        name: row.name.clone(),
        jurisdiction: at.read("jurisdiction", row.jurisdiction.parse::<Jurisdiction>().ok())?,
        status: at.read("status", TenantStatus::from_word(&row.status))?,
        external_id: row.external_id.clone(),
        domains,
        created_at: row.created_at,
    })
}

fn sorted(domains: &[String]) -> Vec<String> {
    let mut domains = domains.to_vec();
    domains.sort_unstable();
    domains.dedup();
    domains
}
