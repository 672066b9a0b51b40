//! Which databases need somebody, by name: those that a run did not bring where they should be, and those that
//! are not there.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Select,
};

use super::databases::DatabaseStatus;
use super::entities::{database, tenant};
use super::rows::Row;
use super::status::{NotCurrent, NotProvisioned, Reason, in_use, of_active, track_of};
use super::{Registry, RegistryError};
use crate::migration::Version;
use crate::run::Outcome;
use crate::target::TrackName;
use crate::tenant::{ServerName, TenantStatus};

/// How many of those that need somebody are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// Every one.
    All,
    /// So many, the first by name.
    First(u64),
}

impl Named {
    /// Returns how many are left to name when there are so many already; `None` if there is no end.
    pub(super) fn after(self, named: usize) -> Option<u64> {
        match self {
            Self::All => None,
            Self::First(most) => Some(most.saturating_sub(u64::try_from(named).unwrap_or(u64::MAX))),
        }
    }
}

/// How many rows are read at once where all are asked for.
const PAGE: u64 = 5_000;

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

impl Registry {
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
        self.look_at(of_track.filter(older), Named::First(limit)).await
    }

    /// Returns the first by name of the ready databases whose last run left one of these behind; `None` if there
    /// is none.
    pub async fn first_left_by(&self, reasons: &[Reason]) -> Result<Option<NotCurrent>, RegistryError> {
        if reasons.is_empty() {
            return Ok(None);
        }
        let is_one = reasons.iter().fold(Condition::any(), |any, reason| {
            any.add(
                Condition::all()
                    .add(match reason.outcome {
                        Some(outcome) => database::Column::Outcome.eq(outcome.as_str()),
                        None => database::Column::Outcome.is_null(),
                    })
                    .add(match reason.error_code {
                        Some(code) => database::Column::ErrorCode.eq(i32::from(code.0)),
                        None => database::Column::ErrorCode.is_null(),
                    }),
            )
        });
        let found = self.look_at(in_use().filter(is_one), Named::First(1)).await?;
        Ok(found.into_iter().next())
    }

    /// Returns ready databases whose last outcome was neither applied nor current, by name.
    pub(super) async fn not_current(&self, named: Named) -> Result<Vec<NotCurrent>, RegistryError> {
        let good = [Outcome::Applied.as_str(), Outcome::Current.as_str()];
        let bad = Condition::any()
            .add(database::Column::Outcome.is_null())
            .add(database::Column::Outcome.is_not_in(good));
        self.look_at(in_use().filter(bad), named).await
    }

    async fn look_at(
        &self,
        rows: Select<database::Entity>,
        named: Named,
    ) -> Result<Vec<NotCurrent>, RegistryError> {
        let servers = self.server_names().await?;
        let rows = columns(rows);
        let found = match named {
            Named::First(most) => {
                let by_name = rows.order_by_asc(tenant::Column::Slug);
                let by_name = by_name.order_by_asc(database::Column::Product);
                self.found(by_name.limit(most)).await?
            }
            Named::All => self.all_found(&rows).await?,
        };
        found
            .into_iter()
            .map(|found| not_current(found, &servers))
            .collect()
    }

    /// Reads all rows by their ids, behind which the next begin, and brings them into the order of names.
    async fn all_found(&self, rows: &Select<database::Entity>) -> Result<Vec<Found>, RegistryError> {
        let mut all: Vec<Found> = Vec::new();
        loop {
            let after = all.last().map_or("", |(id, ..)| id);
            let page = rows.clone().filter(database::Column::Id.gt(after));
            let page = page.order_by_asc(database::Column::Id).limit(PAGE);
            let page: Vec<Found> = self.found(page).await?;
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
        all.sort_unstable_by(|(_, a, _, of_a, ..), (_, b, _, of_b, ..)| (a, of_a).cmp(&(b, of_b)));
        Ok(all)
    }

    async fn found(&self, rows: Select<database::Entity>) -> Result<Vec<Found>, RegistryError> {
        let rows = rows.into_tuple().all(&self.db).await;
        rows.map_err(|e| self.refused(&e))
    }

    /// Counts the active tenants of whose shared database nothing is known.
    pub(super) async fn count_absent(&self) -> Result<u64, RegistryError> {
        absent().count(&self.db).await.map_err(|e| self.refused(&e))
    }

    /// Returns databases that are not ready, the shared ones that nothing is known of first, then by name.
    pub(super) async fn not_provisioned(&self, named: Named) -> Result<Vec<NotProvisioned>, RegistryError> {
        let slugs: Vec<String> = absent()
            .select_only()
            .column(tenant::Column::Slug)
            .order_by_asc(tenant::Column::Slug)
            .limit(named.after(0))
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
            .limit(named.after(slugs.len()))
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let absent = slugs.into_iter().map(|slug| (slug, String::new()));
        absent.chain(begun).map(not_provisioned).collect()
    }
}

fn columns(rows: Select<database::Entity>) -> Select<database::Entity> {
    use database::Column;
    rows.select_only()
        .column(Column::Id)
        .column(tenant::Column::Slug)
        .columns([
            Column::ServerId,
            Column::Product,
            Column::Version,
            Column::Outcome,
            Column::ErrorCode,
            Column::CheckedAt,
        ])
}

/// Selects the active tenants that have no shared database, not even a begun one.
fn absent() -> Select<tenant::Entity> {
    // `NOT IN` over a list that outgrows the server's memory for one would be read once for each tenant.
    let shared = Query::select()
        .expr(Expr::val(1))
        .from(database::Entity)
        .and_where(
            Expr::col((database::Entity, database::Column::TenantId))
                .equals((tenant::Entity, tenant::Column::Id)),
        )
        .and_where(database::Column::Product.eq(""))
        .take();
    tenant::Entity::find()
        .filter(tenant::Column::Status.eq(TenantStatus::Active.as_str()))
        .filter(Expr::exists(shared).not())
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

fn not_current(found: Found, servers: &HashMap<String, ServerName>) -> Result<NotCurrent, RegistryError> {
    let (id, slug, server, product, version, outcome, code, checked_at) = found;
    let at = Row {
        table: "tenantry_databases",
        id: &id,
    };
    Ok(NotCurrent {
        label: label_of(slug, &product),
        server: at.read("server_id", servers.get(&server).cloned())?,
        track: at.read("product", track_of(&product))?,
        version: at.version("version", version)?,
        outcome: at.outcome(outcome.as_deref())?,
        error_code: at.code(code)?,
        checked_at,
        database_id: id,
    })
}
