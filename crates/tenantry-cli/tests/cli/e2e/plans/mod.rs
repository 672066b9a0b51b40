//! Saved plans: what was planned is carried out, and told again when it is done or under way.

mod hostile;
mod unfit;

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;
use tenantry::engine::Engine;

use super::{FIVE, five, on_each_engine};
use crate::output::{stderr, stdout};
use crate::platform::Platform;

on_each_engine!(
    what_was_planned_is_carried_out_and_then_there_is_nothing_to_do,
    a_plan_whose_run_left_something_over_is_finished_by_a_resume,
);

const OUT: [&str; 4] = ["migrate", "plan", "--out", "plan.json"];
const RUN: [&str; 4] = ["migrate", "all-tenants", "--plan", "plan.json"];

/// A second migration, and a third.
fn write_two(platform: &Platform) {
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    platform.write(
        "migrations/tenant/003_again.sql",
        "CREATE TABLE again (id INTEGER);\n",
    );
}

/// Five tenants of SQLite with two migrations before them, and the plan for it.
fn planned() -> Platform {
    let platform = five(Engine::Sqlite).unwrap();
    write_two(&platform);
    platform.ends(0, &OUT);
    platform
}

fn saved(platform: &Platform) -> Value {
    serde_json::from_str(&fs::read_to_string(platform.path("plan.json")).unwrap()).unwrap()
}

fn versions(platform: &Platform) -> Vec<String> {
    let version = |slug: &&str| {
        let database = platform.database(slug);
        let newest = "SELECT MAX(version) FROM _tenantry_history WHERE track = 'tenant'";
        platform.one(&database, newest)
    };
    FIVE.iter().map(version).collect()
}

/// Counts the runs that the registry knows of.
fn runs(platform: &Platform) -> usize {
    let all = platform.json(0, &["run", "list", "--limit", "200"]);
    all["items"].as_array().unwrap().len()
}

fn what_was_planned_is_carried_out_and_then_there_is_nothing_to_do(engine: Engine) {
    let Some(platform) = five(engine) else {
        return;
    };
    write_two(&platform);
    let text = stdout(&platform.ends(0, &OUT));
    assert!(text.contains("\nSaved: plan.json\n"), "{text}");
    let next = "Next:  tenantry migrate all-tenants --plan plan.json";
    assert!(text.contains(next), "{text}");
    let plan = saved(&platform);
    assert_eq!(plan["groups"].as_array().unwrap().len(), 1, "{plan}");
    assert_eq!(
        plan["groups"][0]["pending"],
        serde_json::json!(["2", "3"]),
        "{plan}"
    );
    assert_eq!(
        plan["groups"][0]["targets"].as_array().unwrap().len(),
        5,
        "{plan}"
    );

    let done = platform.json(0, &RUN);
    assert_eq!(
        (&done["applied"], &done["failed"]),
        (&5.into(), &0.into()),
        "{done}"
    );
    assert_eq!(versions(&platform), ["3"; 5]);
    let run = platform.json(0, &["run", "show"]);
    assert_eq!(run["command"], "migrate all-tenants --plan plan.json", "{run}");

    let again = platform.json(0, &RUN);
    assert_eq!(
        (&again["applied"], &again["failed"]),
        (&0.into(), &0.into()),
        "{again}"
    );
}

fn a_plan_whose_run_left_something_over_is_finished_by_a_resume(engine: Engine) {
    let Some(platform) = five(engine) else {
        return;
    };
    let unique = "CREATE UNIQUE INDEX things_name ON things (name);\n";
    platform.write("migrations/tenant/002_unique.sql", unique);
    platform.ends(0, &OUT);
    let globex = platform.database("globex");
    platform.query(&globex, "INSERT INTO things VALUES (3, 'a')");
    let failed = platform.json(20, &RUN);
    let run = failed["run"].as_str().unwrap().to_owned();

    let before = runs(&platform);
    let refused = platform.ends(40, &RUN);
    let said = stderr(&refused);
    let title = format!("error[TN-4005]: the plan was carried out in part, by {run}");
    assert!(said.contains(&title), "{said}");
    assert!(
        said.contains("acme is at 2 already, where the plan leads"),
        "{said}"
    );
    assert!(said.contains(&format!("tenantry migrate resume {run}")), "{said}");
    assert_eq!(runs(&platform), before);

    platform.query(&globex, "DELETE FROM things WHERE id = 3");
    platform.ends(0, &["migrate", "resume", &run]);
    assert_eq!(versions(&platform), ["2"; 5]);
    platform.ends(0, &RUN);
}

#[test]
fn a_plan_is_about_what_was_asked_and_goes_no_further() {
    let platform = five(Engine::Sqlite).unwrap();
    write_two(&platform);
    let words = [
        "--to", "002", "--only", "acme,w*", "--except", "wo*", "--server", "local",
    ];
    platform.ends(0, &[&OUT[..], &words].concat());
    platform.ends(0, &RUN);
    assert_eq!(versions(&platform), ["2", "1", "1", "1", "1"]);
}

#[test]
fn the_central_database_and_products_are_in_it_and_the_command_has_to_be_about_them() {
    let platform = Platform::start(Engine::Sqlite).unwrap();
    let first = "CREATE TABLE first (id INTEGER);\n";
    platform.write("migrations/central/001_first.sql", first);
    platform.write("migrations/tenant/001_first.sql", first);
    platform.write("migrations/products/kira/001_first.sql", first);
    platform.ends(0, &["tenant", "create", "acme", "--product", "kira"]);
    let second = "CREATE TABLE second (id INTEGER);\n";
    platform.write("migrations/tenant/002_second.sql", second);
    platform.write("migrations/products/kira/002_second.sql", second);
    let text = stdout(&platform.ends(0, &OUT));
    assert!(text.contains("tenantry migrate all --plan plan.json"), "{text}");
    for narrower in ["central", "all-tenants", "products"] {
        let refused = platform.ends(2, &["migrate", narrower, "--plan", "plan.json"]);
        let said = stderr(&refused);
        assert!(said.contains("tracks:"), "{said}");
        assert!(said.contains("tenantry migrate all --plan plan.json"), "{said}");
    }
    let done = platform.json(0, &["migrate", "all", "--plan", "plan.json"]);
    assert_eq!(done["applied"], 3, "{done}");
    let products = [&OUT[..], &["--product", "kira"]].concat();
    platform.ends(0, &products);
    platform.ends(0, &["migrate", "products", "--plan", "plan.json"]);
}

#[test]
fn a_plan_with_nothing_to_do_is_done_at_once_and_rollout_flags_go_with_it() {
    let platform = five(Engine::Sqlite).unwrap();
    platform.ends(0, &OUT);
    platform.ends(0, &RUN);
    write_two(&platform);
    platform.ends(0, &OUT);
    let flags = ["--canary", "1", "--max-failures", "1", "--dry-run"];
    platform.ends(0, &[&RUN[..], &flags].concat());
    assert_eq!(versions(&platform), ["1"; 5]);
    platform.ends(0, &[&RUN[..], &flags[..4]].concat());
    assert_eq!(versions(&platform), ["3"; 5]);
    for (flag, value) in [("--to", "2"), ("--only", "acme"), ("--server", "local")] {
        let refused = platform.ends(2, &[&RUN[..], &[flag, value]].concat());
        assert!(stderr(&refused).contains("cannot be used with"), "{flag}");
    }
}

#[test]
fn who_cannot_be_asked_fails_alone_and_nobody_of_whom_nothing_is_known_is_planned() {
    let platform = planned();
    let database = platform.path("data").join(platform.database("wonka"));
    let aside = platform.path("aside.db");
    fs::rename(&database, &aside).unwrap();
    let done = platform.json(20, &RUN);
    assert_eq!(
        (&done["applied"], &done["failed"]),
        (&4.into(), &1.into()),
        "{done}"
    );

    fs::remove_file(platform.path("plan.json")).unwrap();
    let unplanned = platform.json(20, &OUT);
    assert_eq!(unplanned["out"]["saved"], false, "{unplanned}");
    assert!(!platform.path("plan.json").exists());
    platform.ends(0, &[&OUT[..], &["--except", "wonka"]].concat());
    assert!(platform.path("plan.json").exists());
}

/// Waits until a run is under way, and returns its id.
fn under_way(platform: &Platform, child: &mut Child) -> String {
    let begun = Instant::now();
    loop {
        let all = platform.json(0, &["run", "list", "--limit", "1"]);
        let newest = &all["items"][0];
        if newest["status"] == "running" && newest["ok"].as_u64() >= Some(1) {
            return newest["run"].as_str().unwrap().to_owned();
        }
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        assert!(begun.elapsed() < Duration::from_mins(1));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A plan for twelve tenants that takes seconds.
fn slow() -> Platform {
    let slugs: Vec<String> = (0..12).map(|n| format!("t{n:02}")).collect();
    let names: Vec<&str> = slugs.iter().map(String::as_str).collect();
    let first = ("001_first.sql", "CREATE TABLE effects (id INTEGER, n BIGINT);\n");
    let platform = Platform::with_tenants(Engine::Sqlite, &[first], &names).unwrap();
    let busy = "INSERT INTO effects WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) \
                SELECT i, i FROM n WHERE i < 0;\n";
    platform.write("migrations/tenant/002_busy.sql", busy);
    platform.ends(0, &OUT);
    platform
}

#[test]
fn the_same_plan_again_is_no_promotion_of_its_run() {
    let platform = planned();
    let config = fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    let wave = "\n[[rollout.wave]]\nname = \"first\"\nlimit = 2\nthen = \"pause\"\n";
    platform.write("tenantry.toml", &format!("{config}{wave}"));
    let waits = platform.json(21, &RUN);
    let run = waits["run"].as_str().unwrap();
    let again = platform.json(40, &RUN);
    assert_eq!(again["code"], "TN-4015", "{again}");
    let promote = format!("tenantry run promote {run}");
    assert!(again.to_string().contains(&promote), "{again}");
    platform.ends(0, &["run", "promote", run]);
    assert_eq!(versions(&platform), ["3"; 5]);
}

#[test]
fn whoever_starts_the_same_plan_meanwhile_attaches_to_its_run() {
    let platform = slow();
    let words = [&RUN[..], &["-j", "1", "--json"]].concat();
    let mut first = platform.spawn(&words);
    let run = under_way(&platform, &mut first);
    let second = platform.json(0, &RUN);
    assert_eq!(second["run"], run.as_str(), "{second}");
    let output = first.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn the_same_plan_again_takes_up_its_run_when_the_driver_was_killed() {
    let platform = slow();
    let words = [&RUN[..], &["-j", "1", "--json"]].concat();
    let mut first = platform.spawn(&words);
    let run = under_way(&platform, &mut first);
    first.kill().unwrap();
    first.wait().unwrap();
    let second = platform.json(0, &RUN);
    assert_eq!(second["run"], run.as_str(), "{second}");
    assert_eq!(second["applied"], 12, "{second}");
}
