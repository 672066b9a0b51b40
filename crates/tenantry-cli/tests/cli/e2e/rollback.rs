//! Going back: what is asked for first, what is refused, and that nothing is touched then.

use tenantry::engine::Engine;

use super::{five, on_each_engine};
use crate::platform::Platform;
use crate::{stderr, stdout};

on_each_engine!(
    going_back_asks_where_data_is_lost,
    a_rehearsal_shows_the_loss_and_the_text_that_is_wanted,
    what_a_run_applied_to_products_is_not_passed_over_in_silence,
    without_a_way_back_nothing_is_touched,
);

const VERSIONS: &str = "SELECT count(*), max(version) FROM _tenantry_history";

fn going_back_asks_where_data_is_lost(engine: Engine) {
    let Some(platform) = five(engine) else { return };
    let acme = platform.database("acme");
    let refused = platform.ends(40, &["migrate", "rollback", "acme", "--step", "1"]);
    let said = stderr(&refused);
    assert!(
        said.contains("error[TN-4004]") && said.contains("DROP TABLE"),
        "{said}"
    );
    assert!(said.contains("--confirm \"acme\""), "{said}");
    platform.ends(
        40,
        &[
            "migrate",
            "rollback",
            "acme",
            "--step",
            "1",
            "--confirm",
            "globex",
        ],
    );
    platform.ends(
        40,
        &[
            "migrate",
            "rollback",
            "--all-tenants",
            "--step",
            "1",
            "--confirm",
            "9 tenants",
        ],
    );
    platform.ends(40, &["migrate", "rollback"]);
    assert_eq!(platform.one(&acme, "SELECT count(*) FROM things"), "2");

    platform.ends(
        0,
        &["migrate", "rollback", "acme", "--step", "1", "--confirm", "acme"],
    );
    assert_eq!(platform.one(&acme, "SELECT count(*) FROM _tenantry_history"), "0");
    let wonka = platform.database("wonka");
    assert_eq!(platform.one(&wonka, "SELECT count(*) FROM things"), "2");
    let rest = [
        "migrate",
        "rollback",
        "--all-tenants",
        "--step",
        "1",
        "--confirm",
        "4 tenants",
    ];
    platform.ends(0, &rest);
    assert_eq!(
        platform.one(&wonka, "SELECT count(*) FROM _tenantry_history"),
        "0"
    );
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["applied"], 5);
    assert_eq!(platform.one(&acme, "SELECT count(*) FROM things"), "2");
}

fn without_a_way_back_nothing_is_touched(engine: Engine) {
    let Some(platform) = five(engine) else { return };
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    platform.write("migrations/tenant/003_rows.sql", "INSERT INTO more VALUES (1);\n");
    platform.write("migrations/tenant/003_rows.down.sql", "DELETE FROM more;\n");
    let run = platform.json(0, &["migrate", "all-tenants"]);
    let acme = platform.database("acme");
    let before = platform.query(&acme, VERSIONS);
    let id = run["run"].as_str().unwrap();
    for words in [
        &["migrate", "rollback", "acme", "--confirm", "acme"][..],
        &["migrate", "rollback", "acme", "--step", "2", "--confirm", "acme"],
        &[
            "migrate",
            "rollback",
            "--all-tenants",
            "--run",
            id,
            "--confirm",
            "5 targets",
        ],
    ] {
        let refused = platform.json(40, words);
        assert_eq!(refused["code"], "TN-3005", "{words:?} {refused}");
        assert_eq!(platform.query(&acme, VERSIONS), before);
        assert_eq!(platform.one(&acme, "SELECT count(*) FROM more"), "1");
    }
}

fn a_rehearsal_shows_the_loss_and_the_text_that_is_wanted(engine: Engine) {
    let Some(platform) = five(engine) else { return };
    let acme = platform.database("acme");
    let one = ["migrate", "rollback", "acme", "--step", "1"];
    let shown = stdout(&platform.ends(0, &[&one[..], &["--dry-run"]].concat()));
    assert!(
        shown.contains("Would lose data:\n\n  1_things  DROP TABLE\n"),
        "{shown}"
    );
    let next = "Next:  tenantry migrate rollback acme --step 1 --confirm acme\n";
    assert!(shown.contains(next), "{shown}");
    let all = ["migrate", "rollback", "--all-tenants", "--step", "1"];
    let shown = platform.json(0, &[&all[..], &["--dry-run"]].concat());
    let loss = serde_json::json!({ "confirm": "5 tenants", "loses": ["1_things  DROP TABLE"] });
    assert_eq!(shown["loss"], loss);
    assert_eq!(platform.one(&acme, "SELECT count(*) FROM things"), "2");
    let wanted = loss["confirm"].as_str().unwrap();
    platform.ends(0, &[&all[..], &["--confirm", wanted]].concat());

    platform.write(
        "migrations/tenant/002_v.sql",
        "CREATE VIEW v AS SELECT 1 AS one;\n",
    );
    platform.write("migrations/tenant/002_v.down.sql", "DROP VIEW v;\n");
    platform.ends(0, &["migrate", "all-tenants"]);
    let kept = stdout(&platform.ends(0, &[&one[..], &["--dry-run"]].concat()));
    let next = "Next:  tenantry migrate rollback acme --step 1\n";
    assert!(kept.contains(next) && !kept.contains("lose data"), "{kept}");
}

#[test]
fn a_rehearsal_that_not_everybody_answers_leads_back_to_itself() {
    let Some(platform) = five(Engine::Sqlite) else {
        return;
    };
    let file = format!("data/{}", platform.database("wonka"));
    std::fs::write(platform.path(&file), "this is no database, whatever it is called").unwrap();
    let all = ["migrate", "rollback", "--all-tenants", "--step", "1", "--dry-run"];
    let output = platform.command(&all).output().unwrap();
    assert_ne!(output.status.code(), Some(0), "{output:?}");
    let said = stderr(&output);
    let again = "tenantry migrate rollback --all-tenants --step 1 --dry-run";
    assert!(said.contains(again) && !said.contains("migrate plan"), "{said}");
    let shown = stdout(&output);
    assert!(shown.contains("1_things  DROP TABLE"), "{shown}");
    assert!(!shown.contains("--confirm"), "{shown}");
}

fn what_a_run_applied_to_products_is_not_passed_over_in_silence(engine: Engine) {
    let files = [("001_a.sql", "CREATE TABLE a (id INTEGER);\n")];
    let Some(platform) = Platform::with_tenants(engine, &files, &["acme"]) else {
        return;
    };
    platform.write(
        "migrations/products/kira/001_a.sql",
        "CREATE TABLE a (id INTEGER);\n",
    );
    platform.ends(0, &["product", "provision", "kira", "--tenant", "acme"]);
    for folder in ["tenant", "products/kira"] {
        let name = format!("migrations/{folder}/002_v");
        platform.write(&format!("{name}.sql"), "CREATE VIEW v AS SELECT id FROM a;\n");
        platform.write(&format!("{name}.down.sql"), "DROP VIEW v;\n");
    }
    platform.ends(0, &["migrate", "all"]);
    let back = ["migrate", "rollback", "--all-tenants"];
    let said = stderr(&platform.ends(0, &back));
    assert!(said.contains("Taking back run_"), "{said}");
    assert!(said.contains("1 migration in 1 database"), "{said}");
    let command = said.lines().find_map(|line| line.split_once("stays:  tenantry "));
    let words: Vec<&str> = command.unwrap().1.split(' ').collect();
    assert_eq!(platform.json(0, &words)["applied"], 1, "{said}");
    let nothing = platform.json(0, &[&back[..], &["--product", "kira"]].concat());
    assert_eq!(nothing["reverted"], 0, "{nothing}");
}

#[test]
fn what_a_run_applied_to_the_central_database_is_not_passed_over_in_silence() {
    let Some(platform) = five(Engine::Sqlite) else {
        return;
    };
    for folder in ["tenant", "central"] {
        let name = format!("migrations/{folder}/002_v");
        platform.write(&format!("{name}.sql"), "CREATE VIEW v AS SELECT 1 AS one;\n");
        platform.write(&format!("{name}.down.sql"), "DROP VIEW v;\n");
    }
    platform.ends(0, &["migrate", "all"]);
    let said = stderr(&platform.ends(0, &["migrate", "rollback", "--all-tenants"]));
    let command = said.lines().find_map(|line| line.split_once("stays:  tenantry "));
    let words: Vec<&str> = command.unwrap_or_default().1.split(' ').collect();
    assert_eq!(words.get(2), Some(&"--central"), "{said}");
    assert_eq!(platform.json(0, &words)["applied"], 1, "{said}");
}

#[test]
fn a_rollback_that_is_complete_is_not_to_be_repeated() {
    let Some(platform) = five(Engine::Sqlite) else {
        return;
    };
    platform.write(
        "migrations/tenant/002_v.sql",
        "CREATE VIEW v AS SELECT 1 AS one;\n",
    );
    platform.write("migrations/tenant/002_v.down.sql", "DROP VIEW v;\n");
    platform.ends(0, &["migrate", "all-tenants"]);
    let back = platform.json(0, &["migrate", "rollback", "--all-tenants"]);
    let run = back["run"].as_str().unwrap();
    let resumed = stdout(&platform.ends(0, &["migrate", "resume", run]));
    assert!(
        resumed.contains(&format!("Nothing is left of {run}")),
        "{resumed}"
    );
}

#[test]
fn a_way_back_that_nobody_can_go_is_told_once_and_is_no_run() {
    let Some(platform) = five(Engine::Sqlite) else {
        return;
    };
    let file = format!("data/{}", platform.database("wonka"));
    std::fs::write(platform.path(&file), "this is no database, whatever it is called").unwrap();
    let runs = || platform.one("central.db", "SELECT count(*) FROM tenantry_runs");
    let before = runs();
    let words = [
        "migrate",
        "rollback",
        "wonka",
        "--step",
        "1",
        "--confirm",
        "wonka",
    ];
    let output = platform.command(&words).output().unwrap();
    assert_eq!(output.status.code(), Some(20), "{output:?}");
    let said = stderr(&output);
    assert_eq!(said.matches("error[").count(), 1, "{said}");
    assert!(!said.contains("Taking back"), "{said}");
    assert_eq!(runs(), before);
    platform.ends(
        0,
        &["migrate", "rollback", "acme", "--step", "1", "--confirm", "acme"],
    );
    assert_ne!(runs(), before, "the count would not see a run");
}
