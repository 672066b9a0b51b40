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
