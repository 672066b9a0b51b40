//! Databases whose history does not fit the files (corpus rows B57 to B65): code, exit, and no change anywhere.

use serde_json::Value;
use tenantry::engine::Engine;

use super::{THINGS, on_each_engine};
use crate::platform::{Platform, wait};
use crate::{stderr, stdout};

on_each_engine!(
    files_that_do_not_fit_the_history_are_refused,
    a_file_that_only_has_another_name_is_the_same,
    databases_whose_history_is_not_ours_or_damaged_are_refused,
    values_that_we_never_write_are_damage,
    a_version_that_is_there_twice_is_damage,
);

const LAST: (&str, &str) = ("003_last.sql", "INSERT INTO things VALUES (3, 'c');\n");
/// Pending all the time, and must not run.
const NEXT: (&str, &str) = ("004_next.sql", "INSERT INTO things VALUES (4, 'd');\n");

/// A platform whose tenant `acme` has versions 1 and 3, and on which version 4 is pending; `None` without a server.
fn migrated(engine: Engine) -> Option<Platform> {
    let platform = Platform::with_tenants(engine, &[THINGS, LAST], &["acme"])?;
    write(&platform, NEXT);
    Some(platform)
}

fn write(platform: &Platform, (name, sql): (&str, &str)) {
    platform.write(&format!("migrations/tenant/{name}"), sql);
}

fn remove(platform: &Platform, name: &str) {
    std::fs::remove_file(platform.path(&format!("migrations/tenant/{name}"))).unwrap();
}

/// Everything that a refusal must leave as it is.
pub(super) fn snapshot(platform: &Platform) -> Vec<Vec<Vec<String>>> {
    let acme = platform.database("acme");
    let tables = match platform.engine {
        Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
        Engine::Postgres => {
            "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY 1"
        }
        Engine::MySql => {
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1"
        }
    };
    let mut all = vec![platform.query(&acme, tables)];
    let has = |table: &str| all[0].iter().flatten().any(|name| name == table);
    let mut questions = vec!["SELECT id, name FROM things ORDER BY id"];
    if has("_tenantry_history") {
        questions.push("SELECT version, phase, run_id FROM _tenantry_history ORDER BY version");
    }
    if has("_tenantry_meta") {
        questions.push("SELECT epoch FROM _tenantry_meta");
    }
    all.extend(questions.iter().map(|sql| platform.query(&acme, sql)));
    all
}

/// Runs everything; checks that it is refused so and that nothing changed. Returns the run's document.
fn refused(platform: &Platform, row: &str, code: &str, names: &str) -> Value {
    let before = snapshot(platform);
    // A file or a history that does not fit is a refusal; the wrong database is a failure of its target.
    let exit = if code == "TN-6007" { 20 } else { 40 };
    let run = platform.json(exit, &["migrate", "all-tenants"]);
    let error = &run["targets"][0]["error"];
    assert_eq!(error["code"], code, "{row}: {run}");
    assert!(error.to_string().contains(names), "{row}: {names}: {run}");
    assert_eq!(snapshot(platform), before, "{row}");
    run
}

fn files_that_do_not_fit_the_history_are_refused(engine: Engine) {
    let Some(platform) = migrated(engine) else {
        return;
    };
    // B57: one byte of an applied file.
    write(&platform, (THINGS.0, &THINGS.1.replace("'b'", "'B'")));
    let edited = refused(&platform, "B57", "TN-3001", "1_things");
    assert_eq!(edited["targets"][0]["status"], "modified", "{edited}");
    write(&platform, THINGS);
    // B58: an applied file is gone.
    remove(&platform, THINGS.0);
    refused(&platform, "B58", "TN-3002", "1_things");
    write(&platform, THINGS);
    // B59: a file comes late.
    write(
        &platform,
        ("002_late.sql", "INSERT INTO things VALUES (2, 'x');\n"),
    );
    refused(&platform, "B59", "TN-3003", "2_late");
    remove(&platform, "002_late.sql");
    // B60: the database knows what these files do not.
    remove(&platform, LAST.0);
    remove(&platform, NEXT.0);
    let ahead = refused(&platform, "B60", "TN-3007", "3");
    assert_eq!(ahead["targets"][0]["status"], "ahead", "{ahead}");
    write(&platform, LAST);
    write(&platform, NEXT);
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["applied"], 1);
}

/// B61: the version and the content say which migration it is.
fn a_file_that_only_has_another_name_is_the_same(engine: Engine) {
    let Some(platform) = migrated(engine) else {
        return;
    };
    platform.ends(0, &["tenant", "create", "globex"]);
    write(
        &platform,
        ("005_more.sql", "INSERT INTO things VALUES (5, 'e');\n"),
    );
    remove(&platform, THINGS.0);
    write(&platform, ("001_objects.sql", THINGS.1));
    // It is told once, whatever the number of tenants, by whatever looks at their histories.
    let warned = |document: &Value| {
        let all = document["warnings"].as_array().unwrap();
        let codes: Vec<_> = all.iter().map(|w| w["code"].as_str().unwrap()).collect();
        assert_eq!(codes, ["TN-3107"], "{document}");
        let (title, file) = (&all[0]["title"], &all[0]["file"]);
        assert_eq!(title, "applied as 1_things, and renamed since", "{document}");
        assert_eq!(file, "migrations/tenant/001_objects.sql", "{document}");
    };
    warned(&platform.json(0, &["migrate", "plan"]));
    warned(&platform.json(0, &["migrate", "status", "acme"]));
    let run = platform.json(0, &["migrate", "all-tenants"]);
    assert_eq!(run["applied"], 2);
    warned(&run);
    let said = stderr(&platform.ends(0, &["migrate", "all-tenants"]));
    assert_eq!(said.matches("warning[TN-3107]").count(), 1, "{said}");
    let acme = platform.database("acme");
    assert_eq!(platform.one(&acme, "SELECT count(*) FROM _tenantry_history"), "4");
    assert_eq!(platform.one(&acme, "SELECT count(*) FROM things"), "5");
    // The histories may take the new name over, and then nothing is told any more.
    let help = run["warnings"][0]["help"][0].as_str().unwrap();
    let mark = "migrate mark 1 --accept-edit --all-tenants --reason";
    assert!(help.contains(mark), "{help}");
    // Somewhere else the command names the project.
    let outside = tempfile::tempdir().unwrap();
    let folder = platform.path(".").display().to_string();
    let mut elsewhere = platform.command(&["-C", &folder, "migrate", "plan", "--json"]);
    let elsewhere = elsewhere.current_dir(outside.path()).output().unwrap();
    let elsewhere: Value = serde_json::from_slice(&elsewhere.stdout).unwrap();
    let help = elsewhere["warnings"][0]["help"][0].as_str().unwrap();
    assert!(help.contains("tenantry -C "), "{help}");
    let words: Vec<&str> = mark.split(' ').chain(["renamed"]).collect();
    let said = stdout(&platform.ends(0, &words));
    assert!(
        said.contains("Marked  1 as applied, with its present name and text in 2 databases"),
        "{said}"
    );
    let name = "SELECT name FROM _tenantry_history WHERE version = 1";
    assert_eq!(platform.one(&acme, name), "objects");
    let said = stderr(&platform.ends(0, &["migrate", "all-tenants"]));
    assert!(!said.contains("TN-3107"), "{said}");
}

fn databases_whose_history_is_not_ours_or_damaged_are_refused(engine: Engine) {
    let without = &["DROP TABLE _tenantry_history", "DROP TABLE _tenantry_meta"][..];
    let others = "CREATE TABLE knex_migrations (id INTEGER)";
    for (row, statements, code, names) in [
        // Tables, and a history of another tool.
        ("B62", &[without, &[others]].concat()[..], "TN-3006", "histor"),
        // Tables, and no history at all.
        ("B63", without, "TN-3006", "histor"),
        // Half of ours, columns that are not there, values that are none.
        ("B64", &without[1..], "TN-3008", "_tenantry_meta"),
        ("B64", &without[..1], "TN-3008", "_tenantry_history"),
        (
            "B64",
            &["ALTER TABLE _tenantry_history DROP COLUMN checksum"],
            "TN-3008",
            "checksum",
        ),
        (
            "B64",
            &["UPDATE _tenantry_history SET version = -1 WHERE version = 1"],
            "TN-3008",
            "version",
        ),
        // Another tenant's database.
        (
            "B65",
            &["UPDATE _tenantry_meta SET tenant_id = 'tenant_of_somebody_else'"],
            "TN-6007",
            "tenant_of_somebody_else",
        ),
    ] {
        let Some(platform) = migrated(engine) else {
            return;
        };
        changed_is_refused(&platform, row, statements, (code, names));
    }
}

/// Changes `acme`'s database and checks that it is refused so.
fn changed_is_refused(platform: &Platform, row: &str, statements: &[&str], (code, names): (&str, &str)) {
    let acme = platform.database("acme");
    for statement in statements {
        platform.query(&acme, statement);
    }
    // The registry knows no version of a database that it was just told of.
    wait(
        platform
            .central
            .query("UPDATE tenantry_databases SET version = NULL"),
    );
    refused(platform, &format!("{row} {statements:?}"), code, names);
}

/// B64: one database after the other is mended again, which shows that each was refused for its own damage.
fn values_that_we_never_write_are_damage(engine: Engine) {
    let Some(platform) = migrated(engine) else {
        return;
    };
    let acme = platform.database("acme");
    for (column, damage, mend) in [
        (
            "next_stmt",
            "UPDATE _tenantry_history SET next_stmt = -5",
            "UPDATE _tenantry_history SET next_stmt = 2",
        ),
        (
            "epoch",
            "UPDATE _tenantry_history SET epoch = -1",
            "UPDATE _tenantry_history SET epoch = 1",
        ),
        (
            "epoch",
            "UPDATE _tenantry_meta SET epoch = -1",
            "UPDATE _tenantry_meta SET epoch = 1",
        ),
    ] {
        changed_is_refused(&platform, "B64", &[damage], ("TN-3008", column));
        platform.query(&acme, mend);
    }
    let gone = ["ALTER TABLE _tenantry_history DROP COLUMN tool_version"];
    changed_is_refused(&platform, "B64", &gone, ("TN-3008", "tool_version"));
    // What others added is not looked at.
    for column in ["tool_version", "of_somebody_else"] {
        let add = format!("ALTER TABLE _tenantry_history ADD COLUMN {column} TEXT");
        platform.query(&acme, &add);
    }
    platform.ends(0, &["migrate", "status", "--live"]);
}

/// B64: without its key the table takes a row twice.
fn a_version_that_is_there_twice_is_damage(engine: Engine) {
    let Some(platform) = migrated(engine) else {
        return;
    };
    let without_key = match engine {
        Engine::Postgres => &["ALTER TABLE _tenantry_history DROP CONSTRAINT _tenantry_history_pkey"][..],
        Engine::MySql => &["ALTER TABLE _tenantry_history DROP PRIMARY KEY"],
        Engine::Sqlite => &[
            "CREATE TABLE copied AS SELECT * FROM _tenantry_history",
            "DROP TABLE _tenantry_history",
            "ALTER TABLE copied RENAME TO _tenantry_history",
        ],
    };
    let doubled = "INSERT INTO _tenantry_history SELECT * FROM _tenantry_history WHERE version = 1";
    let twice = [without_key, &[doubled]].concat();
    let says = "version 1 on track `tenant` is there twice";
    changed_is_refused(&platform, "B64", &twice, ("TN-3008", says));
}
