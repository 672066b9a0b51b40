//! The registry's own schema: a track in this binary, and whether a central database is at its head.

use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Query};
use sea_orm::{ConnectionTrait, DbErr};

use super::RegistryError;
use super::connect::{is_absent_table, refused};
use crate::engine::Engine;
use crate::history::{HISTORY_TABLE, META_TABLE, Phase};
use crate::migration::{Track, Version};
use crate::target::TrackName;

/// Takes files of the folder `schema/` into the binary, each by its name without the engine.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(
            (concat!($name, ".postgres.sql"), include_str!(concat!("schema/", $name, ".postgres.sql"))),
            (concat!($name, ".mysql.sql"), include_str!(concat!("schema/", $name, ".mysql.sql"))),
            (concat!($name, ".sqlite.sql"), include_str!(concat!("schema/", $name, ".sqlite.sql"))),
        )*]
    };
}

/// The files, for every engine; a track takes those of its own.
const FILES: &[(&str, &str)] = files![
    "20260301000000_registry",
    "20260302000000_run_chains",
    "20260303000000_tenant_names",
    "20260304000000_marks",
    "20260305000000_direct_endpoint",
    "20260306000000_run_leases",
    "20260307000000_run_stages",
    "20260308000000_server_intake",
    "20260309000000_audit",
    "20260310000000_keys",
    "20260312000000_lifecycle",
    "20260314000000_passwords",
    "20260315000000_storage",
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
    fn every_engine_has_every_file_of_the_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/registry/schema");
        for engine in Engine::ALL {
            let ending = format!(".{}.sql", engine.as_str());
            let mut on_disk: Vec<_> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter_map(|name| Version::from_number(name.strip_suffix(&ending)?[..14].parse().ok()?))
                .collect();
            on_disk.sort();
            let track = track(engine).unwrap();
            let versions: Vec<_> = track.migrations.iter().map(|m| m.version).collect();
            assert_eq!(versions, on_disk, "{engine}");
        }
    }
}
