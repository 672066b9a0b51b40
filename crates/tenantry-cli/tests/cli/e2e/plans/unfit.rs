//! Plans that no longer fit: each way is named, and nothing runs.

use std::fs;

use tenantry::engine::Engine;

use super::{OUT, RUN, planned, runs, saved, versions, write_two};
use crate::e2e::{five, on_each_engine};
use crate::output::stderr;
use crate::platform::Platform;

on_each_engine!(a_target_that_is_elsewhere_is_named);

/// Checks that nothing ran, and that the message says this and no more of the plan's kind.
fn says(platform: &Platform, changed: &[&str]) -> String {
    let (before, at) = (runs(platform), versions(platform));
    let said = stderr(&platform.ends(40, &RUN));
    assert!(said.contains("error[TN-4005]: the plan no longer fits"), "{said}");
    assert!(said.contains("state:     nothing ran"), "{said}");
    let lines: Vec<&str> = said
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("= changed:   "))
        .collect();
    assert_eq!(lines, changed, "{said}");
    assert!(said.contains("tenantry migrate plan --out plan.json"), "{said}");
    assert_eq!(runs(platform), before, "a run was recorded");
    assert_eq!(versions(platform), at);
    said
}

#[test]
fn a_file_that_was_edited_added_or_taken_away_is_named() {
    let platform = planned();
    let more = "migrations/tenant/002_more.sql";
    platform.write(more, "CREATE TABLE other (id INTEGER);\n");
    says(&platform, &["2_more was edited (track tenant, SQLite)"]);
    write_two(&platform);
    platform.write(
        "migrations/tenant/004_new.sql",
        "CREATE TABLE new (id INTEGER);\n",
    );
    says(&platform, &["4_new is new on the track tenant"]);
    fs::remove_file(platform.path("migrations/tenant/004_new.sql")).unwrap();
    fs::remove_file(platform.path(more)).unwrap();
    says(&platform, &["2_more is gone from the track tenant"]);
    write_two(&platform);
    platform.ends(0, &RUN);
}

#[test]
fn tenants_that_came_or_went_are_named() {
    let platform = planned();
    platform.ends(0, &["tenant", "create", "yoyodyne"]);
    says(&platform, &["yoyodyne is new"]);
    platform.ends(0, &OUT);
    let suspend = "UPDATE tenantry_tenants SET status = 'suspended' WHERE slug = 'yoyodyne'";
    platform.query("central.db", suspend);
    says(&platform, &["yoyodyne is not active any more"]);
}

#[test]
fn of_many_a_handful_is_named_and_the_rest_counted() {
    let platform = planned();
    for n in 0..8 {
        platform.ends(0, &["tenant", "create", &format!("x{n}")]);
    }
    let lines = [
        "x0 is new",
        "x1 is new",
        "x2 is new",
        "x3 is new",
        "x4 is new; and 3 more like this",
    ];
    says(&platform, &lines);
}

#[test]
fn a_name_of_the_selection_that_nobody_has_any_more_is_a_change() {
    let platform = five(Engine::Sqlite).unwrap();
    write_two(&platform);
    platform.ends(0, &[&OUT[..], &["--only", "acme"]].concat());
    let rename = "UPDATE tenantry_tenants SET slug = 'acme-new' WHERE slug = 'acme'";
    platform.query("central.db", rename);
    platform.query(
        "central.db",
        "UPDATE tenantry_tenant_names SET name = 'acme-new' WHERE name = 'acme'",
    );
    let said = stderr(&platform.ends(40, &RUN));
    assert!(said.contains("error[TN-4005]"), "{said}");
    assert!(said.contains("changed:   Tenant not found: acme"), "{said}");
}

fn a_target_that_is_elsewhere_is_named(engine: Engine) {
    let Some(platform) = five(engine) else {
        return;
    };
    write_two(&platform);
    platform.ends(0, &OUT);
    platform.ends(0, &["migrate", "tenant", "globex", "--to", "002"]);
    says(&platform, &["globex is at 2 now; it was planned at 1"]);
    platform.ends(0, &["migrate", "tenant", "globex"]);
    says(&platform, &["globex is at 3 already, where the plan leads"]);
    platform.ends(
        0,
        &["migrate", "rollback", "acme", "--step", "1", "--confirm", "acme"],
    );
    says(
        &platform,
        &[
            "acme is at nothing now; it was planned at 1",
            "globex is at 3 already, where the plan leads",
        ],
    );
}

#[test]
fn a_plan_of_another_registry_is_refused() {
    let platform = planned();
    let other = planned();
    fs::copy(platform.path("plan.json"), other.path("plan.json")).unwrap();
    let said = stderr(&other.ends(40, &RUN));
    assert!(said.contains("error[TN-4005]"), "{said}");
    let registry = saved(&platform)["registry"].as_str().unwrap().to_owned();
    assert!(
        said.contains(&format!("it is of the registry {registry}")),
        "{said}"
    );
    assert_eq!(versions(&other), ["1"; 5]);
}

#[test]
fn another_migration_of_its_own_for_the_central_database_is_a_new_target() {
    let platform = planned();
    platform.write(
        "migrations/central/001_first.sql",
        "CREATE TABLE first (id INTEGER);\n",
    );
    says(&platform, &["central is new"]);
}

#[test]
fn a_plan_in_which_two_databases_changed_places_is_refused() {
    let platform = planned();
    let mut plan = saved(&platform);
    let targets = plan["groups"][0]["targets"].as_array_mut().unwrap();
    let name = |target: &serde_json::Value| target["target"].as_str().unwrap().to_owned();
    let (one, other) = (name(&targets[0]), name(&targets[1]));
    let id = targets[0]["database"].take();
    targets[0]["database"] = targets[1]["database"].take();
    targets[1]["database"] = id;
    platform.write("plan.json", &plan.to_string());
    says(
        &platform,
        &[&format!("{one} is {other}"), &format!("{other} is {one}")],
    );
}

#[test]
fn files_that_the_plan_does_not_hold_are_not_carried_out() {
    let platform = planned();
    let text = fs::read_to_string(platform.path("plan.json")).unwrap();
    let other = text.replacen("\"engine\": \"SQLite\"", "\"engine\": \"PostgreSQL\"", 1);
    assert_ne!(other, text);
    platform.write("plan.json", &other);
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE other (id INTEGER);\n",
    );
    says(&platform, &["it does not hold the files of tenant (SQLite)"]);
}
