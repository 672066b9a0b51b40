//! Two files behave as if each ran in a session of its own: together in one transaction, and one by one.

use tenantry::TrackName;
use tenantry::engine::{self, ApplyError, Engine, StateAfter, Unit};
use tenantry::migration::Track;
use tenantry::plan::{Goal, Step, plan};

use crate::database::{TestDatabase, fresh};

/// How many steps share a unit.
#[derive(Clone, Copy)]
enum Units {
    Together,
    OneByOne,
}

fn unit(steps: Vec<Step>) -> Unit {
    Unit {
        track: TrackName::Tenant,
        direction: tenantry::Direction::Up,
        steps,
        run_id: "run_test".to_owned(),
        attempt_id: uuid::Uuid::now_v7().to_string(),
    }
}

/// Carries files out in one session.
async fn in_one_session(
    database: &TestDatabase,
    files: &[(&str, &str)],
    units: Units,
) -> Result<(), ApplyError> {
    let track = Track::from_files(TrackName::Tenant, database.engine, files).unwrap();
    let mut session = engine::open(&database.address, &database.options())
        .await
        .unwrap();
    let steps = plan(&track, session.history(), &Goal::Head).unwrap().steps;
    let units = match units {
        Units::Together => vec![steps],
        Units::OneByOne => steps.into_iter().map(|step| vec![step]).collect(),
    };
    for steps in units {
        session.carry_out(&unit(steps)).await?;
    }
    Ok(())
}

/// Changes the session in one file, and compares what the next one finds with what a first one finds.
async fn the_next_file_finds_what_a_first_one_finds(engine: Engine, dirty: &str, find: &str) {
    let Some(alone) = fresh(engine).await else {
        return;
    };
    let make = ("1_found.sql", "CREATE TABLE found (t text);\n");
    in_one_session(&alone, &[make, ("2_find.sql", find)], Units::Together)
        .await
        .unwrap();
    let expected = alone.query("SELECT t FROM found").await;
    for units in [Units::Together, Units::OneByOne] {
        let database = fresh(engine).await.unwrap();
        let files = [make, ("2_dirty.sql", dirty), ("3_find.sql", find)];
        in_one_session(&database, &files, units).await.unwrap();
        assert_eq!(database.query("SELECT t FROM found").await, expected);
    }
}

#[tokio::test]
async fn on_postgres_nothing_of_a_file_reaches_the_next() {
    let dirty = "SET default_tablespace = 'pg_default';
SET statement_timeout = '30s';
SET lock_timeout = '7s';
SET client_min_messages = 'error';
SET LOCAL work_mem = '3MB';
CREATE SCHEMA elsewhere;
SELECT set_config('search_path', 'elsewhere', false);
SELECT set_config('my.own', 'left', false);
SELECT set_config('role', 'pg_read_all_data', false);
SELECT set_config('role', 'none', false);
CREATE TEMPORARY TABLE short_lived (n int);
CREATE SEQUENCE counted;
SELECT nextval('counted');
PREPARE left_over AS SELECT 1;
DECLARE held CURSOR WITH HOLD FOR SELECT 1;
SELECT set_config('role', 'pg_database_owner', false);
";
    let find = "INSERT INTO found
SELECT name || '=' || setting FROM pg_settings WHERE source = 'session' AND name NOT LIKE 'tenantry.%';
INSERT INTO found VALUES (current_user = session_user), (current_setting('search_path')),
 (current_setting('lock_timeout')), (coalesce(current_setting('my.own', true), ''));
INSERT INTO found SELECT 'temporary ' || relname FROM pg_class WHERE relpersistence = 't';
INSERT INTO found SELECT 'prepared ' || name FROM pg_prepared_statements;
INSERT INTO found SELECT 'cursor ' || name FROM pg_cursors WHERE is_holdable;
";
    the_next_file_finds_what_a_first_one_finds(Engine::Postgres, dirty, find).await;
}

/// What stands behind it in the file would mean other objects, or have other rights, and nobody would see why.
#[tokio::test]
async fn on_postgres_a_function_that_changes_the_session_is_refused() {
    let function = "CREATE SCHEMA other;\nCREATE FUNCTION helper() RETURNS text LANGUAGE sql \
                    AS $$ SELECT set_config('search_path', 'other', false) $$;\n";
    for (change, word) in [
        ("SELECT helper()", "search_path"),
        (
            "DO $$ BEGIN PERFORM set_config('search_path', 'pg_temp', false); END $$",
            "search_path",
        ),
        ("DO $$ BEGIN EXECUTE 'SET ROLE pg_database_owner'; END $$", "role"),
    ] {
        let Some(database) = fresh(Engine::Postgres).await else {
            return;
        };
        let text = format!("{change};\nCREATE TABLE t (n int);\n");
        let files = [("1_function.sql", function), ("2_change.sql", text.as_str())];
        let refused = in_one_session(&database, &files, Units::OneByOne).await;
        let Err(ApplyError::SessionChanged { reason, state, .. }) = &refused else {
            panic!("{change}: {refused:?}")
        };
        assert!(reason.contains(word), "{reason}");
        assert_eq!(*state, StateAfter::RolledBack);
        let left = "SELECT (SELECT count(*) FROM pg_class WHERE relname = 't') || '/' || \
                    (SELECT count(*) FROM _tenantry_history)";
        assert_eq!(database.one(left).await, "0/1", "{change}");
    }
}

/// The same role and the same schemas may be written otherwise.
#[tokio::test]
async fn on_postgres_a_block_that_sets_the_session_back_is_not_refused() {
    for block in [
        "DECLARE me text := current_user; BEGIN SET LOCAL ROLE pg_monitor; EXECUTE format('SET LOCAL ROLE %I', me);",
        "BEGIN SET LOCAL search_path = pg_catalog; RESET search_path;",
        "BEGIN PERFORM set_config('search_path', '\"public\"', true);",
        "BEGIN PERFORM set_config('search_path', '\"$user\", public', true);",
    ] {
        let Some(database) = fresh(Engine::Postgres).await else {
            return;
        };
        let text = format!("DO $$ {block} END $$;\nCREATE TABLE t (n int);\n");
        let done = in_one_session(&database, &[("1_block.sql", &text)], Units::Together).await;
        assert!(done.is_ok(), "{block}: {done:?}");
    }
}

#[tokio::test]
async fn on_postgres_a_step_outside_a_transaction_begins_in_a_clean_session() {
    let Some(database) = fresh(Engine::Postgres).await else {
        return;
    };
    let files = [
        (
            "1_dirty.sql",
            "CREATE TABLE t (n int);\nCREATE SCHEMA elsewhere;\nCREATE TABLE elsewhere.t (n int);
SELECT set_config('search_path', 'elsewhere', false), set_config('role', 'pg_monitor', false);\n",
        ),
        (
            "2_index.sql",
            "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY t_n ON t (n);\n",
        ),
    ];
    in_one_session(&database, &files, Units::OneByOne).await.unwrap();
    assert_eq!(
        database
            .one("SELECT schemaname FROM pg_indexes WHERE indexname = 't_n'")
            .await,
        "public"
    );
}

#[tokio::test]
async fn on_mariadb_nothing_of_a_file_reaches_the_next() {
    let dirty = "SET SESSION group_concat_max_len = 17, sql_select_limit = 1;
SET @@SESSION.div_precision_increment = 9, @left = 'over';
SELECT 'over' INTO @taken;
SET foreign_key_checks = 0;
SET NAMES latin1;
CREATE TEMPORARY TABLE short_lived (n INT);
CREATE PROCEDURE hidden() SET SESSION sql_mode = '';
CALL hidden();
DROP PROCEDURE hidden;
";
    let find = "INSERT INTO found
SELECT CONCAT_WS(' ', @@group_concat_max_len, @@sql_select_limit, @@div_precision_increment,
 @@foreign_key_checks, @@character_set_client, @@sql_mode, @@lock_wait_timeout,
 COALESCE(@left, 'none'), COALESCE(@taken, 'none'));
CREATE TEMPORARY TABLE short_lived (n INT);
";
    the_next_file_finds_what_a_first_one_finds(Engine::MySql, dirty, find).await;
}

#[tokio::test]
async fn on_sqlite_nothing_of_a_file_reaches_the_next() {
    let dirty = "CREATE TABLE t (n INTEGER CHECK (n > 0));
PRAGMA ignore_check_constraints = ON;
PRAGMA recursive_triggers(1);
PRAGMA case_sensitive_like = ON;
PRAGMA legacy_alter_table = ON;
CREATE TEMP TABLE found (t text);
CREATE TEMP TABLE short_lived (n INTEGER);
CREATE TEMP VIEW seen AS SELECT 1;
CREATE TEMP TRIGGER spy AFTER INSERT ON main.found BEGIN INSERT INTO t VALUES (1); END;
PRAGMA query_only = ON;
";
    let find = "INSERT INTO found SELECT 'A' LIKE 'a';
INSERT INTO found SELECT name FROM sqlite_temp_schema;
INSERT INTO found SELECT * FROM pragma_ignore_check_constraints;
INSERT INTO found SELECT * FROM pragma_recursive_triggers;
INSERT INTO found SELECT * FROM pragma_legacy_alter_table;
";
    the_next_file_finds_what_a_first_one_finds(Engine::Sqlite, dirty, find).await;
}

#[tokio::test]
async fn on_sqlite_a_step_outside_a_transaction_leaves_nothing_either() {
    let Some(database) = fresh(Engine::Sqlite).await else {
        return;
    };
    let files = [
        (
            "1_t.sql",
            "CREATE TABLE found (t text);\nCREATE TABLE a (n INTEGER PRIMARY KEY);
CREATE TABLE b (n INTEGER REFERENCES a);\n",
        ),
        (
            "2_dirty.sql",
            "-- tenantry: no-transaction\nPRAGMA foreign_keys = ON;\n",
        ),
        (
            "3_sync.sql",
            "-- tenantry: no-transaction\nPRAGMA synchronous = OFF;\n",
        ),
        (
            "4_find.sql",
            "INSERT INTO found SELECT * FROM pragma_foreign_keys;
INSERT INTO found SELECT * FROM pragma_synchronous;\n",
        ),
    ];
    in_one_session(&database, &files, Units::OneByOne).await.unwrap();
    assert_eq!(database.query("SELECT t FROM found").await, [["0"], ["2"]]);
}
