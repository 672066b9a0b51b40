//! The list of runs: those over the fleet, and how many others there are.

use tenantry::engine::Engine;

use super::five;
use crate::output::{stderr, stdout};
use crate::platform::Platform;

fn commands(platform: &Platform, words: &[&str]) -> Vec<String> {
    let listed = platform.json(0, words);
    let items = listed["items"].as_array().unwrap();
    let command = |run: &serde_json::Value| run["command"].as_str().unwrap().to_owned();
    items.iter().map(command).collect()
}

#[test]
fn a_run_names_the_databases_that_there_still_are() {
    let platform = five(Engine::Sqlite).unwrap();
    platform.write(
        "migrations/tenant/002_broken.sql",
        "INSERT INTO nowhere VALUES (1);\n",
    );
    let failed = platform.json(20, &["migrate", "tenant", "acme"]);
    let name = failed["targets"][0]["database"].as_str().unwrap();
    let failed = ["run", "show", "--failed"];
    let shown = || platform.json(0, &failed)["targets_listed"][0].clone();
    let said = || stdout(&platform.ends(0, &failed));
    assert_eq!(shown()["database"], name);
    assert!(
        said().contains(&format!("acme · {name} · local · ")),
        "{}",
        said()
    );
    let gone = format!("DELETE FROM tenantry_databases WHERE name = '{name}'");
    platform.query("central.db", &gone);
    assert_eq!(shown()["target"], "acme");
    assert!(shown().get("database").is_none(), "{}", shown());
    assert!(said().contains("acme · local · "), "{}", said());
}

#[test]
fn runs_of_creations_are_listed_only_with_all_and_counted_otherwise() {
    let platform = five(Engine::Sqlite).unwrap();
    let others = "5 runs of new databases not shown; with them:  tenantry run list --all\n";
    platform.ends(0, &["migrate", "all-tenants"]);
    let listed = platform.ends(0, &["run", "list"]);
    assert_eq!(stdout(&listed).matches("run_").count(), 2, "{listed:?}");
    assert_eq!(stderr(&listed), others);
    let over_the_fleet = ["migrate all-tenants", "migrate central"];
    assert_eq!(commands(&platform, &["run", "list"]), over_the_fleet);
    assert_eq!(platform.json(0, &["run", "list"])["hidden"], 5);

    let all = platform.ends(0, &["run", "list", "--all"]);
    assert_eq!(stdout(&all).matches("run_").count(), 7, "{all:?}");
    assert_eq!(stderr(&all), "");
    assert_eq!(platform.json(0, &["run", "list", "--all"])["hidden"], 0);
    let several = stderr(&platform.ends(4, &["run", "show", "run_"]));
    assert!(
        several.starts_with("error[TN-4009]: `run_` fits 7 runs\n"),
        "{several}"
    );
    assert!(several.contains("did you mean  run_"), "{several}");
    assert!(several.contains("tenantry run list --all"), "{several}");
    // What is hidden takes no place in the list.
    platform.ends(0, &["tenant", "create", "yoyodyne"]);
    assert_eq!(
        commands(&platform, &["run", "list", "--limit", "1"]),
        ["migrate all-tenants"]
    );
    let none = stderr(&platform.ends(2, &["run", "list", "--limit", "0"]));
    assert!(none.contains("0 is not in 1..=65535"), "{none}");
}
