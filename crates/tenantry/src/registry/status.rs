//! How the fleet stands, answered from the registry alone: nobody is connected to.

use std::collections::{BTreeMap, HashMap};

use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect, Select};

use super::databases::DatabaseStatus;
use super::entities::{database, tenant};
use super::needing::Named;
use super::rows::Row;
use super::{Registry, RegistryError};
use crate::code::Code;
use crate::engine::Engine;
use crate::migration::Version;
use crate::run::Outcome;
use crate::target::TrackName;
use crate::tenant::{ServerName, TenantStatus};

/// Databases of one track that stand alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusGroup {
    /// The track.
    pub track: TrackName,
    /// The engine of the server they stand on.
    pub engine: Engine,
    /// The newest version at the last look; `None` if unknown or nothing is applied.
    pub version: Option<Version>,
    /// What became of them in their last run; `None` before the first.
    pub outcome: Option<Outcome>,
    /// Why, if that was a failure.
    pub error_code: Option<Code>,
    /// How many they are.
    pub databases: u64,
}

impl StatusGroup {
    /// Returns what the last run left them with.
    pub fn reason(&self) -> Reason {
        Reason {
            outcome: self.outcome,
            error_code: self.error_code,
        }
    }
}

/// What the last run left a database with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What became of it; `None` before the first run.
    pub outcome: Option<Outcome>,
    /// Why, if that was a failure.
    pub error_code: Option<Code>,
}

/// A database that needs a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCurrent {
    /// The name that messages use: slug, or `slug/product`.
    pub label: String,
    /// The database's id.
    pub database_id: String,
    /// The server it stands on.
    pub server: ServerName,
    /// The track.
    pub track: TrackName,
    /// The newest version at the last look.
    pub version: Option<Version>,
    /// What became of it in its last run; `None` before the first.
    pub outcome: Option<Outcome>,
    /// Why, if that was a failure.
    pub error_code: Option<Code>,
    /// When that was, in microseconds since 1970-01-01 UTC.
    pub checked_at: Option<i64>,
}

/// A database that an active tenant should have and that is not there, or whose creation has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotProvisioned {
    /// The name that messages use: slug, or `slug/product`.
    pub label: String,
    /// The track that it would be on.
    pub track: TrackName,
}

/// How the databases of active tenants stand, and how many tenants are what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetStatus {
    /// Those that are ready, by track, engine, version, outcome and code.
    pub groups: Vec<StatusGroup>,
    /// How many are not ready on which track, by product; the shared ones that nothing is known of count.
    pub not_ready: Vec<(TrackName, u64)>,
    /// Ready databases whose last outcome was neither applied nor current, by name; as many as were asked for.
    pub not_current: Vec<NotCurrent>,
    /// Databases that are not ready, the shared ones that nothing is known of first, then by name; as many as
    /// were asked for.
    pub not_provisioned: Vec<NotProvisioned>,
    /// How many tenants have which status.
    pub tenants: Vec<(TenantStatus, u64)>,
}

impl FleetStatus {
    /// Returns how many databases need somebody, named here or not.
    pub fn needing(&self) -> u64 {
        let not_current = self.groups.iter().filter(|group| needs_a_look(group.outcome));
        let not_current: u64 = not_current.map(|group| group.databases).sum();
        not_current + self.not_ready.iter().map(|(_, count)| count).sum::<u64>()
    }
}

fn needs_a_look(outcome: Option<Outcome>) -> bool {
    !outcome.is_some_and(Outcome::is_success)
}

/// What databases that are counted together have in common: product, server, status, version, outcome, code.
type Alike = (String, String, String, Option<i64>, Option<String>, Option<i32>);

/// The columns of an [`Alike`] and how many they are, in the order of the query.
type Counted = (
    String,
    String,
    String,
    Option<i64>,
    Option<String>,
    Option<i32>,
    i64,
);

impl Registry {
    /// Returns how the fleet stands, with everybody's name who needs somebody, without opening a password or
    /// connecting to a database.
    pub async fn fleet_status(&self) -> Result<FleetStatus, RegistryError> {
        self.fleet_status_naming(Named::All).await
    }

    /// Returns how the fleet stands, and names as many of those who need somebody, of the ready ones and of those
    /// that are not; counted in the database, so that it costs the same however many there are. Opens no password
    /// and connects to no database.
    pub async fn fleet_status_naming(&self, named: Named) -> Result<FleetStatus, RegistryError> {
        let tenants = self.tenant_counts().await?;
        let counted = self.counted(&tenants).await?;
        let mut status = FleetStatus {
            groups: self.groups(&counted).await?,
            not_ready: self.not_ready(&counted, &tenants).await?,
            tenants,
            ..FleetStatus::default()
        };
        if status.groups.iter().any(|group| needs_a_look(group.outcome)) {
            status.not_current = self.not_current(named).await?;
        }
        if !status.not_ready.is_empty() {
            status.not_provisioned = self.not_provisioned(named).await?;
        }
        Ok(status)
    }

    /// Counts the databases of active tenants by what they have in common. Those of the few other tenants are
    /// subtracted: a join over all costs several times as much.
    async fn counted(&self, tenants: &[(TenantStatus, u64)]) -> Result<BTreeMap<Alike, u64>, RegistryError> {
        let mut counted = self.count(kept()).await?;
        if tenants.iter().all(|(status, _)| *status == TenantStatus::Active) {
            return Ok(counted);
        }
        let inactive = Query::select()
            .column(tenant::Column::Id)
            .from(tenant::Entity)
            .and_where(tenant::Column::Status.ne(TenantStatus::Active.as_str()))
            .take();
        let of_inactive = kept().filter(database::Column::TenantId.in_subquery(inactive));
        for (alike, count) in self.count(of_inactive).await? {
            if let Some(all) = counted.get_mut(&alike) {
                *all = all.saturating_sub(count);
            }
        }
        counted.retain(|_, count| *count > 0);
        Ok(counted)
    }

    async fn count(&self, rows: Select<database::Entity>) -> Result<BTreeMap<Alike, u64>, RegistryError> {
        use database::Column;
        let alike = [
            Column::Product,
            Column::ServerId,
            Column::Status,
            Column::Version,
            Column::Outcome,
            Column::ErrorCode,
        ];
        let rows = rows.select_only().columns(alike);
        let rows = alike.into_iter().fold(rows, QuerySelect::group_by);
        let rows: Vec<Counted> = rows
            .column_as(Column::Id.count(), "databases")
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let pairs = rows
            .into_iter()
            .map(|(product, server, status, version, outcome, code, count)| {
                (
                    (product, server, status, version, outcome, code),
                    count.unsigned_abs(),
                )
            });
        Ok(pairs.collect())
    }

    /// Adds up the ready ones over the servers of an engine.
    async fn groups(&self, counted: &BTreeMap<Alike, u64>) -> Result<Vec<StatusGroup>, RegistryError> {
        let servers = self.servers().await?;
        let engines: HashMap<&str, Engine> = servers.iter().map(|s| (s.id.as_str(), s.engine)).collect();
        let at = Row {
            table: "tenantry_databases",
            id: "(any)",
        };
        let mut groups: BTreeMap<_, StatusGroup> = BTreeMap::new();
        for ((product, server, status, version, outcome, code), count) in counted {
            if status != DatabaseStatus::Ready.as_str() {
                continue;
            }
            let engine = at.read("server_id", engines.get(server.as_str()).copied())?;
            let group = StatusGroup {
                track: at.read("product", track_of(product))?,
                engine,
                version: at.version("version", *version)?,
                outcome: at.outcome(outcome.as_deref())?,
                error_code: at.code(*code)?,
                databases: 0,
            };
            let key = (product, engine.as_str(), version, outcome, code);
            groups.entry(key).or_insert(group).databases += count;
        }
        Ok(groups.into_values().collect())
    }

    /// Counts those that are not ready: the begun ones, and the shared ones that have no row.
    async fn not_ready(
        &self,
        counted: &BTreeMap<Alike, u64>,
        tenants: &[(TenantStatus, u64)],
    ) -> Result<Vec<(TrackName, u64)>, RegistryError> {
        let mut not_ready: BTreeMap<&str, u64> = BTreeMap::new();
        let mut shared = 0;
        for ((product, _, status, ..), count) in counted {
            if product.is_empty() {
                shared += count;
            }
            if status != DatabaseStatus::Ready.as_str() {
                *not_ready.entry(product).or_default() += count;
            }
        }
        let active = tenants.iter().find(|(status, _)| *status == TenantStatus::Active);
        // What was counted a moment apart may differ by a tenant that has just come: only this is asked for.
        if active.is_some_and(|(_, count)| *count > shared) {
            *not_ready.entry("").or_default() += self.count_absent().await?;
        }
        let at = Row {
            table: "tenantry_databases",
            id: "(any)",
        };
        let found = not_ready.into_iter().filter(|(_, count)| *count > 0);
        found
            .map(|(product, count)| Ok((at.read("product", track_of(product))?, count)))
            .collect()
    }

    async fn tenant_counts(&self) -> Result<Vec<(TenantStatus, u64)>, RegistryError> {
        let rows: Vec<(String, i64)> = tenant::Entity::find()
            .select_only()
            .column(tenant::Column::Status)
            .column_as(tenant::Column::Id.count(), "tenants")
            .group_by(tenant::Column::Status)
            .order_by_asc(tenant::Column::Status)
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let at = Row {
            table: "tenantry_tenants",
            id: "(any)",
        };
        rows.into_iter()
            .map(|(word, count)| {
                let status = at.read("status", TenantStatus::from_word(&word))?;
                Ok((status, count.unsigned_abs()))
            })
            .collect()
    }
}

/// Selects the ready databases of active tenants.
pub(super) fn in_use() -> Select<database::Entity> {
    of_active().filter(database::Column::Status.eq(DatabaseStatus::Ready.as_str()))
}

/// Selects the databases that nobody has given up.
fn kept() -> Select<database::Entity> {
    database::Entity::find().filter(database::Column::Status.ne(DatabaseStatus::Deleting.as_str()))
}

/// Selects the databases of active tenants that nobody has given up.
pub(super) fn of_active() -> Select<database::Entity> {
    kept()
        .inner_join(tenant::Entity)
        .filter(tenant::Column::Status.eq(TenantStatus::Active.as_str()))
}

/// Returns the track of a product column; `None` if it is no product.
pub(super) fn track_of(product: &str) -> Option<TrackName> {
    if product.is_empty() {
        Some(TrackName::Tenant)
    } else {
        product.parse().ok().map(TrackName::Product)
    }
}
