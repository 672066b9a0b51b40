//! How the fleet stands, answered from the registry alone: nobody is connected to.

use sea_orm::sea_query::Query;
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    Select,
};

use super::databases::DatabaseStatus;
use super::entities::{database, server, tenant};
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
    /// How many they are.
    pub databases: u64,
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
    /// Those that are ready, by track, engine, version and outcome.
    pub groups: Vec<StatusGroup>,
    /// Every ready database whose last outcome was neither applied nor current, by name.
    pub not_current: Vec<NotCurrent>,
    /// Every database that is not ready, the shared ones that nothing is known of first, then by name.
    pub not_provisioned: Vec<NotProvisioned>,
    /// How many tenants have which status.
    pub tenants: Vec<(TenantStatus, u64)>,
}

/// The columns of a [`NotCurrent`], in the order of the query.
type Found = (
    String,
    String,
    String,
    String,
    Option<i64>,
    Option<String>,
    Option<i32>,
    Option<i64>,
);

/// The columns of a [`StatusGroup`], in the order of the query.
type Counted = (String, String, Option<i64>, Option<String>, i64);

impl Registry {
    /// Returns how the fleet stands, without opening a password or connecting to a database.
    pub async fn fleet_status(&self) -> Result<FleetStatus, RegistryError> {
        let bad = Condition::any()
            .add(database::Column::Outcome.is_null())
            .add(database::Column::Outcome.is_not_in([Outcome::Applied.as_str(), Outcome::Current.as_str()]));
        Ok(FleetStatus {
            groups: self.groups().await?,
            not_current: self.look_at(in_use().filter(bad)).await?,
            not_provisioned: self.not_provisioned().await?,
            tenants: self.tenant_counts().await?,
        })
    }

    /// Returns up to `limit` databases of a track that are behind `head` at the last look, by name.
    pub async fn behind(
        &self,
        track: &TrackName,
        head: Version,
        limit: u64,
    ) -> Result<Vec<NotCurrent>, RegistryError> {
        let product = match track {
            TrackName::Tenant => "",
            TrackName::Product(product) => product.as_str(),
            // Our own and the platform's central tables are in no row of ours.
            TrackName::Registry | TrackName::Central => return Ok(Vec::new()),
        };
        let older = Condition::any()
            .add(database::Column::Version.is_null())
            .add(database::Column::Version.lt(head.number()));
        let of_track = in_use().filter(database::Column::Product.eq(product));
        self.look_at(of_track.filter(older).limit(limit)).await
    }

    async fn groups(&self) -> Result<Vec<StatusGroup>, RegistryError> {
        use database::Column;
        let rows: Vec<Counted> = in_use()
            .inner_join(server::Entity)
            .select_only()
            .column(Column::Product)
            .column(server::Column::Engine)
            .columns([Column::Version, Column::Outcome])
            .column_as(Column::Id.count(), "databases")
            .group_by(Column::Product)
            .group_by(server::Column::Engine)
            .group_by(Column::Version)
            .group_by(Column::Outcome)
            .order_by_asc(Column::Product)
            .order_by_asc(server::Column::Engine)
            .order_by_asc(Column::Version)
            .order_by_asc(Column::Outcome)
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        rows.into_iter()
            .map(|(product, engine, version, outcome, count)| {
                let at = Row {
                    table: "tenantry_databases",
                    id: "(any)",
                };
                Ok(StatusGroup {
                    track: at.read("product", track_of(&product))?,
                    engine: at.read("engine", Engine::from_word(&engine))?,
                    version: at.version("version", version)?,
                    outcome: at.outcome(outcome.as_deref())?,
                    databases: count.unsigned_abs(),
                })
            })
            .collect()
    }

    async fn look_at(&self, rows: Select<database::Entity>) -> Result<Vec<NotCurrent>, RegistryError> {
        use database::Column;
        let rows: Vec<Found> = rows
            .inner_join(server::Entity)
            .select_only()
            .column(Column::Id)
            .column(tenant::Column::Slug)
            .column(server::Column::Name)
            .columns([
                Column::Product,
                Column::Version,
                Column::Outcome,
                Column::ErrorCode,
                Column::CheckedAt,
            ])
            .order_by_asc(tenant::Column::Slug)
            .order_by_asc(Column::Product)
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        rows.into_iter().map(not_current).collect()
    }

    async fn not_provisioned(&self) -> Result<Vec<NotProvisioned>, RegistryError> {
        let shared = Query::select()
            .column(database::Column::TenantId)
            .from(database::Entity)
            .and_where(database::Column::Product.eq(""))
            .take();
        let slugs: Vec<String> = tenant::Entity::find()
            .select_only()
            .column(tenant::Column::Slug)
            .filter(tenant::Column::Status.eq(TenantStatus::Active.as_str()))
            .filter(tenant::Column::Id.not_in_subquery(shared))
            .order_by_asc(tenant::Column::Slug)
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let begun: Vec<(String, String)> = of_active()
            .filter(database::Column::Status.ne(DatabaseStatus::Ready.as_str()))
            .select_only()
            .column(tenant::Column::Slug)
            .column(database::Column::Product)
            .order_by_asc(tenant::Column::Slug)
            .order_by_asc(database::Column::Product)
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let absent = slugs.into_iter().map(|slug| (slug, String::new()));
        absent.chain(begun).map(not_provisioned).collect()
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
fn in_use() -> Select<database::Entity> {
    of_active().filter(database::Column::Status.eq(DatabaseStatus::Ready.as_str()))
}

fn of_active() -> Select<database::Entity> {
    database::Entity::find()
        .inner_join(tenant::Entity)
        .filter(tenant::Column::Status.eq(TenantStatus::Active.as_str()))
}

fn not_provisioned((slug, product): (String, String)) -> Result<NotProvisioned, RegistryError> {
    let at = Row {
        table: "tenantry_databases",
        id: "(any)",
    };
    Ok(NotProvisioned {
        track: at.read("product", track_of(&product))?,
        label: label_of(slug, &product),
    })
}

fn label_of(slug: String, product: &str) -> String {
    if product.is_empty() {
        slug
    } else {
        format!("{slug}/{product}")
    }
}

fn not_current(found: Found) -> Result<NotCurrent, RegistryError> {
    let (id, slug, server, product, version, outcome, code, checked_at) = found;
    let at = Row {
        table: "tenantry_databases",
        id: &id,
    };
    Ok(NotCurrent {
        label: label_of(slug, &product),
        server: at.read("server_id", server.parse().ok())?,
        track: at.read("product", track_of(&product))?,
        version: at.version("version", version)?,
        outcome: at.outcome(outcome.as_deref())?,
        error_code: at.code(code)?,
        checked_at,
        database_id: id,
    })
}

fn track_of(product: &str) -> Option<TrackName> {
    if product.is_empty() {
        Some(TrackName::Tenant)
    } else {
        product.parse().ok().map(TrackName::Product)
    }
}
