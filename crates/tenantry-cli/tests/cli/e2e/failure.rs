//! One tenant of five fails: it is named, the others go on, and a resume finishes it.

use tenantry::engine::Engine;

use super::{five, matches_snapshot, on_each_engine};
use crate::{stderr, stdout};

on_each_engine!(
    one_failing_tenant_of_five_is_named_and_resumed,
    a_failing_central_database_stops_everything_behind_it,
    a_modified_file_is_refused_and_nothing_runs,
    a_tenant_without_a_database_is_reported_and_the_others_go_on,
);

const UNIQUE: &str = "CREATE TABLE more (id INTEGER PRIMARY KEY);\n\
                      CREATE UNIQUE INDEX things_name ON things (name);\n";

fn one_failing_tenant_of_five_is_named_and_resumed(engine: Engine) {
    let Some(platform) = five(engine) else { return };
    let globex = platform.database("globex");
    platform.query(&globex, "UPDATE things SET name = 'a'");
    platform.write("migrations/tenant/002_unique.sql", UNIQUE);
    platform.ends(10, &["migrate", "status", "--exit-code"]);
    let plan = platform.ends(10, &["migrate", "plan", "--exit-code"]);
    matches_snapshot("plan", engine, &stdout(&plan));

    // One at a time, so that the order of the lines is always the same.
    let failed = platform.ends(20, &["migrate", "all-tenants", "-j", "1"]);
    matches_snapshot("failure_summary", engine, &stdout(&failed));
    let message = stderr(&failed);
    let message = message.split_once("error[").unwrap().1;
    matches_snapshot("failure_message", engine, &format!("error[{message}"));
    let status = platform.ends(10, &["migrate", "status", "--exit-code"]);
    matches_snapshot("status_after_a_failure", engine, &stdout(&status));

    platform.query(&globex, "UPDATE things SET name = 'b' WHERE id = 2");
    let resumed = platform.json(0, &["migrate", "resume"]);
    assert_eq!(resumed["applied"], 1, "{resumed}");
    assert_eq!(platform.one(&globex, "SELECT count(*) FROM more"), "0");
    platform.ends(0, &["migrate", "status", "--live", "--exit-code"]);
    let status = platform.ends(0, &["migrate", "status"]);
    matches_snapshot("status_when_current", engine, &stdout(&status));
}

fn a_failing_central_database_stops_everything_behind_it(engine: Engine) {
    let Some(platform) = five(engine) else { return };
    platform.write(
        "migrations/central/001_broken.sql",
        "INSERT INTO nowhere VALUES (1);\n",
    );
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    let stopped = platform.json(21, &["migrate", "all"]);
    assert_eq!(stopped["not_run"], 5, "{stopped}");
    assert_eq!(stopped["failed"], 1, "{stopped}");
    let acme = platform.database("acme");
    assert_eq!(
        platform.one(&acme, "SELECT max(version) FROM _tenantry_history"),
        "1"
    );

    platform.write(
        "migrations/central/001_broken.sql",
        "CREATE TABLE plans (id INTEGER);\n",
    );
    let done = platform.json(0, &["migrate", "resume"]);
    assert_eq!(done["applied"], 6, "{done}");
}

fn a_modified_file_is_refused_and_nothing_runs(engine: Engine) {
    let Some(platform) = five(engine) else { return };
    platform.write(
        "migrations/tenant/001_things.sql",
        "CREATE TABLE things (id INTEGER);\n",
    );
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    let refused = platform.ends(40, &["migrate", "all-tenants"]);
    assert!(stderr(&refused).contains("error[TN-3001]"), "{refused:?}");
    let json = platform.json(40, &["migrate", "all-tenants"]);
    assert_eq!(json["failures"][0]["code"], "TN-3001");
    let acme = platform.database("acme");
    assert_eq!(
        platform.one(&acme, "SELECT max(version) FROM _tenantry_history"),
        "1"
    );
}

fn a_tenant_without_a_database_is_reported_and_the_others_go_on(engine: Engine) {
    let Some(platform) = five(engine) else { return };
    let central = match &platform.central.address {
        tenantry::engine::Address::Network(at) => at.database.clone(),
        tenantry::engine::Address::Sqlite(at) => at.file.clone(),
    };
    let globex = platform.json(0, &["tenant", "show", "globex"]);
    let id = globex["id"].as_str().unwrap();
    platform.query(
        &central,
        &format!("UPDATE tenantry_databases SET status = 'creating' WHERE tenant_id = '{id}'"),
    );
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );

    let run = platform.command(&["migrate", "all-tenants"]).output().unwrap();
    let said = stderr(&run);
    assert!(
        said.contains(&format!("Tenant database not provisioned: {id}")),
        "{said}\n{}",
        stdout(&run)
    );
    for tenant in ["acme", "initech", "umbrella", "wonka"] {
        let database = platform.database(tenant);
        assert_eq!(
            platform.one(&database, "SELECT max(version) FROM _tenantry_history"),
            "2"
        );
    }
    let one = platform
        .command(&["migrate", "tenant", "globex"])
        .output()
        .unwrap();
    assert!(
        stderr(&one).contains(&format!("Tenant database not provisioned: {id}")),
        "{one:?}"
    );
    assert_ne!(one.status.code(), Some(0));
}
