//! What must be true of every tenant's database whenever a run has come to its end.

use std::collections::BTreeMap;

use tenantry::engine::Engine;

use super::track::Tracks;
use crate::platform::Platform;

/// Checks that every effect is there once, that the history says the same, and that nothing else is there.
pub(super) fn hold(platform: &Platform, databases: &[String], tracks: &Tracks) {
    let every: Vec<String> = (1..=tracks.count()).map(|v| v.to_string()).collect();
    let wanted = [
        ("effects", tracks.effects()),
        ("counter", vec![tracks.counter()]),
        ("history", every),
        ("unfinished rows", Vec::new()),
        ("columns", tracks.columns().into_iter().collect()),
        ("indexes", tracks.indexes().into_iter().collect()),
        ("invalid indexes", Vec::new()),
    ];
    let question = question(platform.engine);
    for database in databases {
        // One connection for all of it: most of a row's time is connecting.
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in platform.query(database, &question) {
            let [what, value] = row.try_into().unwrap();
            found.entry(what).or_default().push(value);
        }
        for (what, wanted) in &wanted {
            let found = sorted(found.remove(*what).unwrap_or_default());
            assert_eq!(found, sorted(wanted.clone()), "{database}: {what}");
        }
        assert!(found.is_empty(), "{database}: {found:?}");
    }
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list
}

/// Returns the question for everything that a database says of itself, but of our own tables' columns and indexes.
fn question(engine: Engine) -> String {
    let text = match engine {
        Engine::MySql => "CHAR",
        Engine::Postgres | Engine::Sqlite => "text",
    };
    let ask = |what: &str, value: &str, from: &str| {
        format!("SELECT '{what}' AS what, CAST({value} AS {text}) AS value FROM {from}")
    };
    let (columns, indexes) = catalog(engine);
    let mut questions = vec![
        ask("effects", "version", "effects"),
        ask("counter", "n", "counter"),
        ask("history", "version", "_tenantry_history WHERE phase = 'done'"),
        ask(
            "unfinished rows",
            "version",
            "_tenantry_history WHERE phase <> 'done'",
        ),
        ask("columns", columns.0, columns.1),
        ask("indexes", indexes.0, indexes.1),
    ];
    if engine == Engine::Postgres {
        let invalid = "pg_index WHERE NOT indisvalid OR NOT indisready";
        questions.push(ask("invalid indexes", "indexrelid::regclass", invalid));
    }
    questions.join(" UNION ALL ")
}

type Listed = (&'static str, &'static str);

/// Returns what names every column and every index but those of our own tables, and where it is found.
fn catalog(engine: Engine) -> (Listed, Listed) {
    match engine {
        Engine::Sqlite => (
            (
                "m.name || '.' || c.name",
                "sqlite_schema m, pragma_table_info(m.name) c \
                 WHERE m.type = 'table' AND m.name NOT LIKE '\\_tenantry%' ESCAPE '\\'",
            ),
            (
                "name",
                "sqlite_schema WHERE type = 'index' AND tbl_name NOT LIKE '\\_tenantry%' ESCAPE '\\'",
            ),
        ),
        Engine::Postgres => (
            (
                "table_name || '.' || column_name",
                "information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema') \
                 AND table_name NOT LIKE '\\_tenantry%'",
            ),
            (
                "indexname",
                "pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE '\\_tenantry%'",
            ),
        ),
        Engine::MySql => (
            (
                "CONCAT(table_name, '.', column_name)",
                "information_schema.columns WHERE table_schema = DATABASE() \
                 AND table_name NOT LIKE '\\_tenantry%'",
            ),
            (
                "index_name",
                "(SELECT DISTINCT index_name FROM information_schema.statistics \
                 WHERE table_schema = DATABASE() AND table_name NOT LIKE '\\_tenantry%') AS named",
            ),
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
