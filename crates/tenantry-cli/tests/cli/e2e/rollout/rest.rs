//! Runs that are gone on with: who is left, who is gone, and who came.

use std::time::{Duration, Instant};

use serde_json::Value;
use tenantry::engine::Engine;

use super::{count, fleet, many, mend, poison, write_unique};
use crate::platform::Platform;

pub(super) fn suspend(platform: &Platform, slug: &str) {
    let sql = format!("UPDATE tenantry_tenants SET status = 'suspended' WHERE slug = '{slug}'");
    platform.query("central.db", &sql);
}

pub(super) fn activate(platform: &Platform, slug: &str) {
    let sql = format!("UPDATE tenantry_tenants SET status = 'active' WHERE slug = '{slug}'");
    platform.query("central.db", &sql);
}

/// Lets a run wait behind its first two.
fn write_gate(platform: &Platform) {
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    let wave = "\n[[rollout.wave]]\nname = \"first\"\nlimit = 2\nthen = \"pause\"\n";
    platform.write("tenantry.toml", &format!("{config}{wave}"));
}

fn outcome_of(shown: &Value, slug: &str) -> String {
    let mut targets = shown["targets_listed"].as_array().unwrap().iter();
    let target = targets.find(|target| target["target"] == slug).unwrap();
    target["status"].as_str().unwrap().to_owned()
}

#[test]
fn who_was_begun_with_and_is_not_active_any_more_is_not_said_to_be_skipped() {
    let (platform, _) = fleet(Engine::Sqlite, 3).unwrap();
    let busy = "INSERT INTO things WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 15000000) \
                SELECT i, 'x' FROM n WHERE i < 0;\n";
    platform.write("migrations/tenant/002_busy.sql", busy);
    let mut child = platform.spawn(&["migrate", "all-tenants", "-j", "1"]);
    let begun = Instant::now();
    let (run, slug) = loop {
        let shown = platform.json(0, &["run", "show", "--all"]);
        let mut targets = shown["targets_listed"].as_array().into_iter().flatten();
        if let Some(target) =
            targets.find(|target| ["leased", "running"].contains(&target["state"].as_str().unwrap()))
        {
            break (
                shown["run"].clone(),
                target["target"].as_str().unwrap().to_owned(),
            );
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{shown}");
        std::thread::sleep(Duration::from_millis(50));
    };
    child.kill().unwrap();
    child.wait().unwrap();
    suspend(&platform, &slug);
    let run = run.as_str().unwrap();
    let ended = platform.json(20, &["run", "promote", run]);
    assert_eq!(
        (count(&ended, "failed"), count(&ended, "skipped")),
        (1, 0),
        "{ended}"
    );
    let shown = platform.json(0, &["run", "show", run, "--all"]);
    assert_eq!(outcome_of(&shown, &slug), "interrupted", "{shown}");

    for words in [&["migrate", "resume"][..], &["migrate", "resume", run]] {
        let said = crate::output::stdout(&platform.ends(0, words));
        let left = format!("Nothing is left of {run} but tenants that are not active: {slug}.");
        assert!(said.contains(&left), "{said}");
    }
    activate(&platform, &slug);
    let resumed = platform.json(0, &["migrate", "resume"]);
    assert_eq!(count(&resumed, "applied"), 1, "{resumed}");
}

#[test]
fn a_run_to_a_version_goes_on_though_other_tracks_do_not_have_it() {
    let (platform, _) = fleet(Engine::Sqlite, 5).unwrap();
    write_gate(&platform);
    write_unique(&platform);
    platform.write(
        "migrations/central/001_own.sql",
        "CREATE TABLE own (id INTEGER);\n",
    );
    let run = platform.json(21, &["migrate", "all-tenants", "--to", "2"]);
    let done = platform.json(0, &["run", "promote", run["run"].as_str().unwrap()]);
    assert_eq!(count(&done, "applied"), 5, "{done}");
}

#[test]
fn who_became_active_since_is_in_every_resume() {
    let (platform, slugs) = fleet(Engine::Sqlite, 5).unwrap();
    let bad = &slugs[1..2];
    poison(&platform, bad);
    suspend(&platform, &slugs[3]);
    write_unique(&platform);
    platform.ends(20, &["migrate", "all-tenants"]);
    platform.ends(20, &["migrate", "resume"]);
    activate(&platform, &slugs[3]);
    mend(&platform, bad);
    let resumed = platform.json(0, &["migrate", "resume"]);
    assert_eq!(count(&resumed, "applied"), 2, "{resumed}");
}

#[test]
fn what_is_shown_of_a_run_can_be_typed() {
    let (platform, _) = fleet(Engine::Sqlite, 5).unwrap();
    write_gate(&platform);
    write_unique(&platform);
    let run = platform.json(21, &["migrate", "all-tenants"]);
    let id = run["run"].as_str().unwrap();
    let says = |words: &[&str], what: &str| {
        let output = platform.ends(0, words);
        let said = crate::output::stdout(&output);
        assert!(said.contains(what), "{what}: {said}");
    };
    let promote = format!("Go on:  tenantry run promote {id}");
    says(&["run", "show", id], &promote);
    says(&["run", "pause", id], &promote);
    // A new database is no run that somebody means who names none.
    platform.ends(0, &["tenant", "create", "late"]);
    says(&["run", "show"], &promote);
    platform.ends(0, &["run", "cancel", id]);
    says(
        &["run", "show", id],
        &format!("Retry:  tenantry migrate resume {id}"),
    );
    platform.ends(21, &["migrate", "resume", id]);
    let waits = platform.json(0, &["run", "show"]);
    platform.ends(0, &["run", "promote", waits["run"].as_str().unwrap()]);
    let shown = crate::output::stdout(&platform.ends(0, &["run", "show", id]));
    assert!(!shown.contains("Retry") && !shown.contains("Go on"), "{shown}");
}

/// Lets a run wait behind these tenants.
fn write_gate_behind(platform: &Platform, slugs: &[String]) {
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    let wave = format!("\n[[rollout.wave]]\nname = \"these\"\nmatch = {slugs:?}\nthen = \"pause\"\n");
    platform.write("tenantry.toml", &format!("{config}{wave}"));
}

#[test]
fn a_gate_is_not_got_past_by_whoever_is_left_alone_behind_it() {
    let (platform, slugs) = fleet(Engine::Sqlite, 5).unwrap();
    write_gate_behind(&platform, &slugs[..4]);
    write_unique(&platform);
    let run = platform.json(21, &["migrate", "all-tenants"]);
    let id = run["run"].as_str().unwrap();
    platform.ends(0, &["run", "cancel", id]);
    let resumed = platform.json(21, &["migrate", "resume", id]);
    assert_eq!(count(&resumed, "applied"), 0, "{resumed}");
    platform.ends(0, &["run", "cancel", resumed["run"].as_str().unwrap()]);
    let named = platform.json(0, &["migrate", "all-tenants", "--only", &slugs[4]]);
    assert_eq!(count(&named, "applied"), 1, "{named}");
}

#[test]
fn files_that_nobody_ran_have_a_canary_also_behind_a_gate() {
    let (platform, _) = many();
    write_gate(&platform);
    write_unique(&platform);
    let waits = platform.json(21, &["migrate", "all-tenants"]);
    let id = waits["run"].as_str().unwrap();
    platform.ends(0, &["run", "cancel", id]);
    platform.write(
        "migrations/tenant/003_bad.sql",
        "CREATE TABLE things (id INTEGER);\n",
    );
    let resumed = platform.json(21, &["migrate", "resume", id]);
    assert_eq!(
        (count(&resumed, "failed"), count(&resumed, "ok")),
        (1, 0),
        "{resumed}"
    );
}

#[test]
fn who_was_skipped_is_nothing_that_a_way_back_left_over() {
    let (platform, slugs) = fleet(Engine::Sqlite, 5).unwrap();
    write_gate(&platform);
    write_unique(&platform);
    platform.write(
        "migrations/tenant/002_unique.down.sql",
        "DROP INDEX things_name;\n",
    );
    let up = platform.json(21, &["migrate", "all-tenants"]);
    platform.ends(0, &["run", "promote", up["run"].as_str().unwrap()]);
    let back = platform.json(21, &["migrate", "rollback", "--all-tenants", "--step", "1"]);
    let id = back["run"].as_str().unwrap();
    let shown = platform.json(0, &["run", "show", id, "--all"]);
    let open = slugs
        .iter()
        .find(|slug| outcome_of(&shown, slug) == "not_run")
        .unwrap();
    suspend(&platform, open);
    platform.ends(0, &["run", "promote", id]);
    let shown = crate::output::stdout(&platform.ends(0, &["run", "show", id]));
    assert!(!shown.contains("Retry"), "{shown}");
    platform.ends(0, &["migrate", "resume", id]);
}

/// A tenant with a product that is not active, and a migration for both of its databases.
fn with_product() -> Platform {
    let (platform, _) = fleet(Engine::Sqlite, 2).unwrap();
    platform.write(
        "migrations/products/kira/001_own.sql",
        "CREATE TABLE own (id INTEGER);\n",
    );
    platform.ends(0, &["tenant", "create", "acme", "--product", "kira"]);
    write_unique(&platform);
    platform.write(
        "migrations/products/kira/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    suspend(&platform, "acme");
    platform
}

#[test]
fn the_products_of_who_became_active_are_in_the_resume() {
    let platform = with_product();
    platform.ends(0, &["migrate", "all"]);
    activate(&platform, "acme");
    let resumed = platform.json(0, &["migrate", "resume"]);
    assert_eq!(count(&resumed, "applied"), 2, "{resumed}");
    let again = crate::output::stdout(&platform.ends(0, &["migrate", "resume"]));
    assert!(again.contains("Nothing is left"), "{again}");
}

#[test]
fn a_resume_of_products_leaves_their_tenants_alone() {
    let platform = with_product();
    platform.ends(0, &["tenant", "create", "globex", "--product", "kira"]);
    let run = platform.json(0, &["migrate", "products"]);
    activate(&platform, "acme");
    let resumed = platform.json(0, &["migrate", "resume", run["run"].as_str().unwrap()]);
    assert_eq!(count(&resumed, "applied"), 1, "{resumed}");
    let left = platform.json(0, &["migrate", "all-tenants", "--only", "acme"]);
    assert_eq!(count(&left, "applied"), 1, "{left}");
}
