//! What must be true of every tenant's database whenever a run has come to its end.

use std::collections::BTreeSet;

use tenantry::engine::Engine;

use super::track::Tracks;
use crate::platform::Platform;

/// Checks that every effect is there once, that the history says the same, and that nothing else is there.
pub(super) fn hold(platform: &Platform, databases: &[String], tracks: &Tracks) {
    for database in databases {
        let list =
            |sql: &str| -> Vec<String> { platform.query(database, sql).into_iter().flatten().collect() };
        let effects = list("SELECT version FROM effects ORDER BY version");
        assert_eq!(effects, tracks.effects(), "{database}: effects");
        assert_eq!(
            platform.one(database, "SELECT n FROM counter"),
            tracks.counter(),
            "{database}: counter"
        );
        let history = list("SELECT version FROM _tenantry_history WHERE phase = 'done' ORDER BY version");
        let every: Vec<String> = (1..=tracks.count()).map(|v| v.to_string()).collect();
        assert_eq!(history, every, "{database}: history");
        let rows = platform.one(database, "SELECT count(*) FROM _tenantry_history");
        assert_eq!(rows, tracks.count().to_string(), "{database}: unfinished rows");

        let (columns, indexes) = catalog(platform.engine);
        let set = |sql: &str| -> BTreeSet<String> { list(sql).into_iter().collect() };
        assert_eq!(set(columns), tracks.columns(), "{database}: columns");
        assert_eq!(set(indexes), tracks.indexes(), "{database}: indexes");
        if platform.engine == Engine::Postgres {
            let invalid = "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid OR NOT indisready";
            assert_eq!(list(invalid), Vec::<String>::new(), "{database}: invalid indexes");
        }
    }
}

/// Returns the questions for all columns and all indexes but those of our own tables.
fn catalog(engine: Engine) -> (&'static str, &'static str) {
    match engine {
        Engine::Sqlite => (
            "SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE '\\_tenantry%' ESCAPE '\\'",
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name NOT LIKE '\\_tenantry%' ESCAPE '\\'",
        ),
        Engine::Postgres => (
            "SELECT table_name || '.' || column_name FROM information_schema.columns \
             WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_name NOT LIKE '\\_tenantry%'",
            "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE '\\_tenantry%'",
        ),
        Engine::MySql => (
            "SELECT CONCAT(table_name, '.', column_name) FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name NOT LIKE '\\_tenantry%'",
            "SELECT DISTINCT index_name FROM information_schema.statistics \
             WHERE table_schema = DATABASE() AND table_name NOT LIKE '\\_tenantry%'",
        ),
    }
}

/// Checks that no lock of ours is held; call this when no session of ours is left.
pub(super) fn no_lock_is_held(platform: &Platform, databases: &[String]) {
    for database in databases {
        let held = match platform.engine {
            // It fails if somebody writes.
            Engine::Sqlite => platform.query(database, "BEGIN IMMEDIATE"),
            Engine::Postgres => platform.query(
                database,
                "SELECT pid, mode FROM pg_locks WHERE locktype = 'advisory' AND database = \
                 (SELECT oid FROM pg_database WHERE datname = current_database())",
            ),
            // Named locks end with their session; a metadata lock would make this fail.
            Engine::MySql => platform.query(
                database,
                "SET STATEMENT lock_wait_timeout = 1 FOR ALTER TABLE effects COMMENT = 'nobody has it'",
            ),
        };
        assert!(held.is_empty(), "{database}: {held:?}");
    }
}
