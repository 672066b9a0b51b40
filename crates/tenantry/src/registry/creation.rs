//! Writing a new tenant into the registry, or what is said anew of one whose creation goes on.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _,
    PaginatorTrait as _, QueryFilter as _, SqlErr, TransactionTrait as _,
};

use super::audit::{Action, Change};
use super::entities::{database, domain, tenant, tenant_name};
use super::rows::{check_given_key, check_key, check_name};
use super::tenants::told;
use super::{Registry, RegistryError, now};
use crate::domain::Domain;
use crate::tenant::{Jurisdiction, Slug, Tenant, TenantId, TenantStatus};

/// What is needed to create a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTenant {
    /// Its id; [`TenantId::generate`] unless it is imported.
    pub id: TenantId,
    /// The short name, unique.
    pub slug: Slug,
    /// The name for people; `None` for the slug.
    pub name: Option<String>,
    /// Where its databases must stand.
    pub jurisdiction: Jurisdiction,
    /// Its id in another system, unique.
    pub external_id: Option<String>,
    /// The host names that lead to it, each unique.
    pub domains: Vec<Domain>,
}

impl Registry {
    /// Writes a tenant with status `provisioning` and returns it.
    ///
    /// If the slug belongs to a tenant that is still being provisioned, that one goes on: it keeps its id,
    /// and takes over the name, the external id and the domains (all of them) that are given now; what is
    /// left out stays. Its jurisdiction can change as long as it has no database; then it is
    /// [`RegistryError::Begun`]. Any other owner of the slug is [`RegistryError::SlugTaken`]; a taken id,
    /// external id or domain is [`RegistryError::Taken`]. So is an id, slug or external id that another tenant
    /// has as any of these three: a name has to mean one tenant. A name or an external id that is empty, too
    /// long (200 and 191 characters) or holds control characters is [`RegistryError::TooLong`] or
    /// [`RegistryError::Unfit`]. With an error nothing was written.
    pub async fn create_tenant(&self, new: &NewTenant) -> Result<Tenant, RegistryError> {
        check_key("tenant id", new.id.as_str())?;
        if let Some(name) = &new.name {
            check_name("name", name)?;
        }
        if let Some(external_id) = &new.external_id {
            check_given_key("external id", external_id)?;
        }
        for domain in &new.domains {
            check_key("domain", domain.as_str())?;
        }
        self.refuse_shared_name(new).await?;
        let tenant = Tenant {
            id: new.id.clone(),
            slug: new.slug.clone(),
            name: new.name.clone().unwrap_or_else(|| new.slug.to_string()),
            jurisdiction: new.jurisdiction.clone(),
            status: TenantStatus::Provisioning,
            external_id: new.external_id.clone(),
            domains: sorted(&new.domains),
            created_at: now(),
        };
        match self.insert_tenant(&tenant).await {
            Ok(()) => Ok(tenant),
            Err(error) if is_taken(&error) => {
                // Somebody else may have been created since the names were looked at.
                self.refuse_shared_name(new).await?;
                self.go_on(new).await
            }
            Err(error) => Err(self.refused(&error)),
        }
    }

    /// Fails if another tenant has one of the names that commands take, in whichever column.
    async fn refuse_shared_name(&self, new: &NewTenant) -> Result<(), RegistryError> {
        use tenant::Column;
        let names = [
            ("external id", new.external_id.as_deref()),
            ("tenant id", Some(new.id.as_str())),
            ("slug", Some(new.slug.as_str())),
        ];
        let given = || names.iter().filter_map(|(_, name)| *name);
        let any = Condition::any()
            .add(Column::Id.is_in(given()))
            .add(Column::Slug.is_in(given()))
            .add(Column::ExternalId.is_in(given()));
        let rows = tenant::Entity::find()
            .filter(any)
            .filter(Column::Slug.ne(new.slug.as_str()))
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        for (what, name) in names {
            let Some(name) = name else { continue };
            let has =
                |t: &&tenant::Model| t.id == name || t.slug == name || t.external_id.as_deref() == Some(name);
            if let Some(owner) = rows.iter().find(has) {
                return Err(RegistryError::Taken {
                    what,
                    name: name.to_owned(),
                    owner: owner.slug.parse().ok(),
                });
            }
        }
        Ok(())
    }

    async fn insert_tenant(&self, tenant: &Tenant) -> Result<(), DbErr> {
        let transaction = self.db.begin().await?;
        let row = tenant::ActiveModel {
            id: Set(tenant.id.to_string()),
            slug: Set(tenant.slug.to_string()),
            name: Set(tenant.name.clone()),
            jurisdiction: Set(tenant.jurisdiction.to_string()),
            status: Set(tenant.status.as_str().to_owned()),
            external_id: Set(tenant.external_id.clone()),
            created_at: Set(tenant.created_at),
            status_before: Set(None),
            drops_at: Set(None),
        };
        tenant::Entity::insert(row)
            .exec_without_returning(&transaction)
            .await?;
        insert_names(&transaction, tenant).await?;
        insert_domains(&transaction, tenant).await?;
        let change =
            Change::new(Action::TenantCreate, tenant.id.as_str(), tenant.slug.as_str()).to(told(tenant));
        self.record_change(&transaction, change).await?;
        transaction.commit().await
    }

    /// Goes on with the tenant that has the slug, or says which name is taken.
    async fn go_on(&self, new: &NewTenant) -> Result<Tenant, RegistryError> {
        let all = self.all_tenants().await?;
        let Some(begun) = all.iter().find(|t| t.slug == new.slug) else {
            return Err(taken(new, &all));
        };
        if begun.status != TenantStatus::Provisioning {
            return Err(slug_taken(begun, begun.status));
        }
        let wanted = Tenant {
            name: new.name.clone().unwrap_or_else(|| begun.name.clone()),
            jurisdiction: new.jurisdiction.clone(),
            external_id: new.external_id.clone().or_else(|| begun.external_id.clone()),
            domains: if new.domains.is_empty() {
                begun.domains.clone()
            } else {
                sorted(&new.domains)
            },
            ..begun.clone()
        };
        if wanted == *begun {
            return Ok(wanted);
        }
        match self.update_tenant(begun, &wanted).await {
            Ok(Updated::Written) => Ok(wanted),
            Ok(Updated::Finished) => Err(slug_taken(begun, TenantStatus::Active)),
            Ok(Updated::Placed { jurisdiction }) => Err(RegistryError::Begun {
                slug: begun.slug.clone(),
                what: "jurisdiction",
                has: jurisdiction,
                given: new.jurisdiction.to_string(),
            }),
            Err(error) if is_taken(&error) => {
                self.refuse_shared_name(new).await?;
                Err(taken(new, &all))
            }
            Err(error) => Err(self.refused(&error)),
        }
    }

    /// Writes a tenant over its row, unless its creation was finished in the meantime or its databases stand
    /// in another jurisdiction already.
    async fn update_tenant(&self, begun: &Tenant, tenant: &Tenant) -> Result<Updated, DbErr> {
        use tenant::Column;
        let transaction = self.db.begin().await?;
        let id = tenant.id.as_str();
        // Whoever reserves a database writes this row first, so that what is read behind it stays true.
        let written = tenant::Entity::update_many()
            .col_expr(Column::Name, Expr::value(tenant.name.as_str()))
            .col_expr(Column::ExternalId, Expr::value(tenant.external_id.clone()))
            .filter(Column::Id.eq(id))
            .filter(Column::Status.eq(TenantStatus::Provisioning.as_str()))
            .exec(&transaction)
            .await?;
        if written.rows_affected == 0 {
            return Ok(Updated::Finished);
        }
        let row = tenant::Entity::find_by_id(id).one(&transaction).await?;
        let now = row.map(|row| row.jurisdiction).unwrap_or_default();
        if now != tenant.jurisdiction.as_str() && has_databases(&transaction, id).await? {
            return Ok(Updated::Placed { jurisdiction: now });
        }
        tenant::Entity::update_many()
            .col_expr(Column::Jurisdiction, Expr::value(tenant.jurisdiction.as_str()))
            .filter(Column::Id.eq(id))
            .exec(&transaction)
            .await?;
        tenant_name::Entity::delete_many()
            .filter(tenant_name::Column::TenantId.eq(id))
            .exec(&transaction)
            .await?;
        insert_names(&transaction, tenant).await?;
        domain::Entity::delete_many()
            .filter(domain::Column::TenantId.eq(id))
            .exec(&transaction)
            .await?;
        insert_domains(&transaction, tenant).await?;
        let change = Change::new(Action::TenantUpdate, id, tenant.slug.as_str())
            .from(told(begun))
            .to(told(tenant));
        self.record_change(&transaction, change).await?;
        transaction.commit().await?;
        Ok(Updated::Written)
    }
}

/// What became of a tenant's row that was to be written over.
enum Updated {
    Written,
    /// Its creation has ended.
    Finished,
    /// It has databases, and they stand in this jurisdiction.
    Placed {
        jurisdiction: String,
    },
}

async fn has_databases(db: &impl ConnectionTrait, tenant: &str) -> Result<bool, DbErr> {
    let count = database::Entity::find()
        .filter(database::Column::TenantId.eq(tenant))
        .count(db)
        .await?;
    Ok(count > 0)
}

/// Writes the names that commands take: the key of their table lets each mean one tenant, also where two are created
/// at the same moment.
pub(super) async fn insert_names(db: &impl ConnectionTrait, tenant: &Tenant) -> Result<(), DbErr> {
    let mut names = vec![tenant.id.to_string(), tenant.slug.to_string()];
    names.extend(tenant.external_id.clone());
    names.sort_unstable();
    names.dedup();
    let rows = names.into_iter().map(|name| tenant_name::ActiveModel {
        name: Set(name),
        tenant_id: Set(tenant.id.to_string()),
    });
    tenant_name::Entity::insert_many(rows)
        .exec_without_returning(db)
        .await?;
    Ok(())
}

async fn insert_domains(db: &impl ConnectionTrait, tenant: &Tenant) -> Result<(), DbErr> {
    if tenant.domains.is_empty() {
        return Ok(());
    }
    let rows = tenant.domains.iter().map(|domain| domain::ActiveModel {
        domain: Set(domain.to_string()),
        tenant_id: Set(tenant.id.to_string()),
    });
    domain::Entity::insert_many(rows)
        .exec_without_returning(db)
        .await?;
    Ok(())
}

pub(super) fn is_taken(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

fn slug_taken(owner: &Tenant, status: TenantStatus) -> RegistryError {
    RegistryError::SlugTaken {
        slug: owner.slug.clone(),
        id: owner.id.clone(),
        status,
    }
}

/// Says which name of a new tenant is another's, and whose.
fn taken(new: &NewTenant, all: &[Tenant]) -> RegistryError {
    let mut others = all.iter().filter(|t| t.slug != new.slug);
    let taken = |what, name: &str, owner: Option<&Tenant>| RegistryError::Taken {
        what,
        name: name.to_owned(),
        owner: owner.map(|t| t.slug.clone()),
    };
    if let Some(external_id) = &new.external_id
        && let Some(owner) = others
            .clone()
            .find(|t| t.external_id.as_ref() == Some(external_id))
    {
        return taken("external id", external_id, Some(owner));
    }
    for domain in &new.domains {
        if let Some(owner) = others.clone().find(|t| t.domains.contains(domain)) {
            return taken("domain", domain.as_str(), Some(owner));
        }
    }
    let owner = others.find(|t| t.id == new.id);
    taken("tenant id", new.id.as_str(), owner)
}

fn sorted(domains: &[Domain]) -> Vec<Domain> {
    let mut domains = domains.to_vec();
    domains.sort_unstable();
    domains.dedup();
    domains
}
