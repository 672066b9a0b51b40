//! The registry's own schema: a track in this binary, and whether a central database is at its head.

use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Query};
use sea_orm::{ConnectionTrait, DbErr};

use super::RegistryError;
use super::connect::{is_absent_table, refused};
use crate::engine::Engine;
use crate::history::{HISTORY_TABLE, META_TABLE, Phase};
use crate::migration::{Track, Version};
use crate::target::TrackName;

/// The files, for every engine; a track takes those of its own.
const FILES: &[(&str, &str)] = &[
    (
        "20260301000000_registry.postgres.sql",
        include_str!("schema/20260301000000_registry.postgres.sql"),
    ),
    (
        "20260301000000_registry.mysql.sql",
        include_str!("schema/20260301000000_registry.mysql.sql"),
    ),
    (
        "20260301000000_registry.sqlite.sql",
        include_str!("schema/20260301000000_registry.sqlite.sql"),
    ),
    (
        "20260302000000_run_chains.postgres.sql",
        include_str!("schema/20260302000000_run_chains.postgres.sql"),
    ),
    (
        "20260302000000_run_chains.mysql.sql",
        include_str!("schema/20260302000000_run_chains.mysql.sql"),
    ),
    (
        "20260302000000_run_chains.sqlite.sql",
        include_str!("schema/20260302000000_run_chains.sqlite.sql"),
    ),
    (
        "20260303000000_tenant_names.postgres.sql",
        include_str!("schema/20260303000000_tenant_names.postgres.sql"),
    ),
    (
        "20260303000000_tenant_names.mysql.sql",
        include_str!("schema/20260303000000_tenant_names.mysql.sql"),
    ),
    (
        "20260303000000_tenant_names.sqlite.sql",
        include_str!("schema/20260303000000_tenant_names.sqlite.sql"),
    ),
    (
        "20260304000000_marks.postgres.sql",
        include_str!("schema/20260304000000_marks.postgres.sql"),
    ),
    (
        "20260304000000_marks.mysql.sql",
        include_str!("schema/20260304000000_marks.mysql.sql"),
    ),
    (
        "20260304000000_marks.sqlite.sql",
        include_str!("schema/20260304000000_marks.sqlite.sql"),
    ),
    (
        "20260305000000_direct_endpoint.postgres.sql",
        include_str!("schema/20260305000000_direct_endpoint.postgres.sql"),
    ),
    (
        "20260305000000_direct_endpoint.mysql.sql",
        include_str!("schema/20260305000000_direct_endpoint.mysql.sql"),
    ),
    (
        "20260305000000_direct_endpoint.sqlite.sql",
        include_str!("schema/20260305000000_direct_endpoint.sqlite.sql"),
    ),
    (
        "20260306000000_run_leases.postgres.sql",
        include_str!("schema/20260306000000_run_leases.postgres.sql"),
    ),
    (
        "20260306000000_run_leases.mysql.sql",
        include_str!("schema/20260306000000_run_leases.mysql.sql"),
    ),
    (
        "20260306000000_run_leases.sqlite.sql",
        include_str!("schema/20260306000000_run_leases.sqlite.sql"),
    ),
    (
        "20260307000000_run_stages.postgres.sql",
        include_str!("schema/20260307000000_run_stages.postgres.sql"),
    ),
    (
        "20260307000000_run_stages.mysql.sql",
        include_str!("schema/20260307000000_run_stages.mysql.sql"),
    ),
    (
        "20260307000000_run_stages.sqlite.sql",
        include_str!("schema/20260307000000_run_stages.sqlite.sql"),
    ),
];

/// Returns the registry's schema for one engine, which is in this binary.
///
/// It cannot fail but for a mistake of ours, which a test would show.
pub fn track(engine: Engine) -> Result<Track, RegistryError> {
    Track::from_files(TrackName::Registry, engine, FILES).map_err(RegistryError::Schema)
}

/// Returns the registry's id if our tables are there and exactly as this binary needs them.
pub(super) async fn check(
    db: &impl ConnectionTrait,
    engine: Engine,
    endpoint: &str,
) -> Result<String, RegistryError> {
    let track = track(engine)?;
    let head = track.head();
    let not_migrated = |at| RegistryError::NotMigrated {
        endpoint: endpoint.to_owned(),
        at,
        head,
    };
    let applied = match applied(db).await {
        Ok(applied) => applied,
        Err(error) if is_absent_table(&error) => return Err(not_migrated(None)),
        Err(error) => return Err(refused(endpoint, &error)),
    };
    if let Some(at) = applied.iter().find(|v| track.find(**v).is_none()) {
        return Err(RegistryError::Newer {
            endpoint: endpoint.to_owned(),
            at: *at,
        });
    }
    if track.migrations.iter().any(|m| !applied.contains(&m.version)) {
        return Err(not_migrated(applied.into_iter().max()));
    }
    registry_id(db)
        .await
        .map_err(|e| refused(endpoint, &e))?
        .ok_or_else(|| not_migrated(None))
}

/// Returns the versions of our track that are done.
async fn applied(db: &impl ConnectionTrait) -> Result<Vec<Version>, DbErr> {
    let select = Query::select()
        .column(Alias::new("version"))
        .from(Alias::new(HISTORY_TABLE))
        .and_where(Expr::col(Alias::new("track")).eq(TrackName::Registry.to_string()))
        .and_where(Expr::col(Alias::new("phase")).eq(Phase::Done.as_str()))
        .take();
    let rows = db.query_all(&select).await?;
    let numbers = rows
        .iter()
        .map(|row| row.try_get::<i64>("", "version"))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(numbers.into_iter().filter_map(Version::from_number).collect())
}

/// Reads the registry's id; `None` if the meta table is empty.
async fn registry_id(db: &impl ConnectionTrait) -> Result<Option<String>, DbErr> {
    let select = Query::select()
        .column(Alias::new("registry_id"))
        .from(Alias::new(META_TABLE))
        .take();
    let row = db.query_one(&select).await?;
    row.map(|row| row.try_get("", "registry_id")).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_has_the_same_versions() {
        for engine in Engine::ALL {
            let track = track(engine).unwrap();
            let versions: Vec<_> = track.migrations.iter().map(|m| m.version.number()).collect();
            let expected = [
                20_260_301_000_000,
                20_260_302_000_000,
                20_260_303_000_000,
                20_260_304_000_000,
                20_260_305_000_000,
                20_260_306_000_000,
                20_260_307_000_000,
            ];
            assert_eq!(versions, expected, "{engine}");
        }
    }
}
