//! From the registry to what a run works on: targets, and who is left out and why.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sea_orm::{ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _};

use super::databases::{DatabaseStatus, at, product_of};
use super::entities::database::{Column, Entity, Model};
use super::entities::tenant;
use super::hosts::Host;
use super::pages::possible;
use super::{Registry, RegistryError};
use crate::engine::Engine;
use crate::run::Outcome;
use crate::secret::{KeyIds, SecretError};
use crate::selection::Selection;
use crate::target::{Owner, Target, TrackName};
use crate::tenant::{ProductType, Tenant, TenantStatus};

/// Which kind of databases a run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// The tenants' shared databases. A selected product takes the tenants that have it.
    Tenant,
    /// The tenants' product databases. A selected product takes the databases of that product.
    Product,
}

/// A target whose password cannot be opened: its row or its server's endpoint was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedTarget {
    /// The name that messages use.
    pub label: String,
    /// The database's id.
    pub database_id: String,
    /// The track it belongs to.
    pub track: TrackName,
    /// Whose password it is.
    pub of: String,
    /// Why, as far as it may be told.
    pub error: SecretError,
}

/// What a run works on, and by name everything selected that it does not.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// Ready databases of active tenants, by the tenant's slug, then by product.
    pub targets: Vec<Target>,
    /// Tenants that are not active: slug and status.
    pub skipped: Vec<(String, TenantStatus)>,
    /// Active tenants without a ready database where one is expected, and the track that it would be on: the
    /// shared one, or a product's whose creation has begun.
    pub not_provisioned: Vec<(Tenant, TrackName)>,
    /// Databases whose password cannot be opened.
    pub locked: Vec<LockedTarget>,
}

impl Registry {
    /// Returns the selected targets with their passwords opened; writes nothing, connects to no target.
    ///
    /// A name without wildcard that nobody has fails with [`RegistryError::TenantNotFound`], one that several
    /// have with [`RegistryError::Ambiguous`], an unknown server with [`RegistryError::ServerNotFound`], an
    /// unknown jurisdiction with [`RegistryError::JurisdictionNotFound`], and
    /// a missing key, where there are passwords, with [`RegistryError::KeyNeeded`]. If no password opens
    /// because all were sealed with another key, it is one mistake and not every target's:
    /// [`RegistryError::WrongKey`].
    pub async fn targets(&self, selection: &Selection, tier: Tier) -> Result<Targets, RegistryError> {
        let servers = self.servers().await?;
        self.check_names(selection, &servers).await?;
        let fleet = Fleet {
            registry: self,
            hosts: servers.iter().map(|s| (s.id.as_str(), Host::of(s))).collect(),
            selection,
            tier,
        };
        let mut found = Targets::default();
        let mut pages = self.pages(possible(selection));
        while let Some(page) = pages.next().await? {
            let rows = self.rows_of(page.range, selection, tier).await?;
            fleet.add_page(page.tenants, rows, &mut found)?;
        }
        fleet.wrong_key(&found).map_or(Ok(found), Err)
    }

    /// Reads the rows of some tenants in a tier, and of the selected product.
    async fn rows_of(
        &self,
        tenants: Condition,
        selection: &Selection,
        tier: Tier,
    ) -> Result<Vec<Model>, RegistryError> {
        let shared = Column::Product.eq("");
        let products = selection.products.iter().map(ProductType::as_str);
        let condition = match (tier, selection.products.is_empty()) {
            (Tier::Tenant, true) => Condition::all().add(shared),
            (Tier::Tenant, false) => Condition::any().add(shared).add(Column::Product.is_in(products)),
            (Tier::Product, true) => Condition::all().add(Column::Product.ne("")),
            (Tier::Product, false) => Condition::all().add(Column::Product.is_in(products)),
        };
        Entity::find()
            .inner_join(tenant::Entity)
            .filter(tenants)
            .filter(condition)
            .filter(Column::Status.ne(DatabaseStatus::Deleting.as_str()))
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))
    }
}

/// What the targets are built from.
struct Fleet<'a> {
    registry: &'a Registry,
    hosts: HashMap<&'a str, Host<'a>>,
    selection: &'a Selection,
    tier: Tier,
}

impl Fleet<'_> {
    /// Sorts some tenants in; `rows` are all of theirs.
    fn add_page(
        &self,
        tenants: Vec<Tenant>,
        rows: Vec<Model>,
        found: &mut Targets,
    ) -> Result<(), RegistryError> {
        let with_product: HashSet<String> = rows
            .iter()
            .filter(|row| !row.product.is_empty())
            .map(|row| row.tenant_id.clone())
            .collect();
        let mut by_tenant: HashMap<String, Vec<Model>> = HashMap::new();
        for row in rows {
            if row.product.is_empty() == (self.tier == Tier::Tenant) {
                by_tenant.entry(row.tenant_id.clone()).or_default().push(row);
            }
        }
        for tenant in tenants {
            let mut rows = by_tenant.remove(tenant.id.as_str()).unwrap_or_default();
            rows.sort_unstable_by(|a, b| a.product.cmp(&b.product));
            let lacks_product =
                !self.selection.products.is_empty() && !with_product.contains(tenant.id.as_str());
            if self.selection.takes(&tenant) && !lacks_product {
                self.add(tenant, &rows, found)?;
            }
        }
        Ok(())
    }

    /// Returns the refusal of a key that opens nothing of what was found.
    fn wrong_key(&self, found: &Targets) -> Option<RegistryError> {
        let needed = |locked: &LockedTarget| match locked.error {
            SecretError::KeyMissing { key_id, .. } => Some(key_id),
            SecretError::Unavailable => None,
        };
        let first = found.locked.first().and_then(needed)?;
        // A file has no password, so that it says nothing about the key.
        let opened = found.targets.iter().any(|t| t.address.engine() != Engine::Sqlite);
        if opened || found.locked.iter().any(|locked| needed(locked).is_none()) {
            return None;
        }
        Some(RegistryError::WrongKey {
            needed: first,
            here: KeyIds::of(self.registry.keys.as_ref()?),
        })
    }

    /// Sorts one selected tenant in.
    fn add(&self, tenant: Tenant, rows: &[Model], found: &mut Targets) -> Result<(), RegistryError> {
        if !self.registry.opens(&tenant.jurisdiction) {
            // Who is named must not be passed over in silence.
            if self.selection.names(&tenant) {
                let what = format!("`{}`", tenant.slug);
                self.registry.check_bound(&what, &tenant.jurisdiction)?;
            }
            return Ok(());
        }
        let mut here = Vec::new();
        for row in rows {
            let host = at(row).read("server_id", self.hosts.get(row.server_id.as_str()))?;
            if self.selection.servers.is_empty() || self.selection.servers.contains(&host.server.name) {
                here.push((row, host));
            }
        }
        // Without a database it can neither be on a selected server nor lack a product's.
        if here.is_empty() && (!self.selection.servers.is_empty() || self.tier == Tier::Product) {
            return Ok(());
        }
        if tenant.status != TenantStatus::Active {
            found.skipped.push((tenant.slug.to_string(), tenant.status));
            return Ok(());
        }
        if here.is_empty() {
            found.not_provisioned.push((tenant, TrackName::Tenant));
            return Ok(());
        }
        for (row, host) in here {
            match at(row).read("status", DatabaseStatus::from_word(&row.status))? {
                DatabaseStatus::Ready => self.add_target(&tenant, row, host, found)?,
                DatabaseStatus::Creating => found.not_provisioned.push((tenant.clone(), track_of(row)?)),
                DatabaseStatus::Deleting => {}
            }
        }
        Ok(())
    }

    fn add_target(
        &self,
        tenant: &Tenant,
        row: &Model,
        host: &Host<'_>,
        found: &mut Targets,
    ) -> Result<(), RegistryError> {
        let track = track_of(row)?;
        match self.registry.address_of(row, &tenant.id, host) {
            Ok(address) => found.targets.push(Target {
                database_id: row.id.clone(),
                registry_id: Arc::clone(&self.registry.id),
                track,
                owner: Some(Arc::new(Owner {
                    id: tenant.id.clone(),
                    slug: tenant.slug.clone(),
                    name: tenant.name.clone(),
                })),
                server: Some(host.server.name.clone()),
                jurisdiction: Some(host.server.jurisdiction.clone()),
                max_parallel: host.server.max_parallel,
                known_version: at(row).version("version", row.version)?,
                known_outcome: row.outcome.as_deref().and_then(Outcome::from_word),
                address,
            }),
            Err(RegistryError::Locked { of, source }) => found.locked.push(LockedTarget {
                label: label(tenant, &track),
                database_id: row.id.clone(),
                track,
                of,
                error: source,
            }),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn track_of(row: &Model) -> Result<TrackName, RegistryError> {
    Ok(product_of(row)?.map_or(TrackName::Tenant, TrackName::Product))
}

/// Returns the name that messages use for a tenant's database on a track.
pub(crate) fn label(tenant: &Tenant, track: &TrackName) -> String {
    match track {
        TrackName::Product(product) => format!("{}/{product}", tenant.slug),
        TrackName::Registry | TrackName::Central | TrackName::Tenant => tenant.slug.to_string(),
    }
}
