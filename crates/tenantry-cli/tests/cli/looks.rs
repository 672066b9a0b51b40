//! What `plan` and `status` say where not everything is well: who did not answer, who is left out, warnings.

use std::fs;

use tenantry::engine::Engine;

use super::platform::Platform;
use super::{stderr, stdout};

const ONE: (&str, &str) = ("001_things.sql", "CREATE TABLE things (id INTEGER);\n");

fn two_tenants() -> Platform {
    Platform::with_tenants(Engine::Sqlite, &[ONE], &["acme", "globex"]).unwrap()
}

/// Takes a tenant's file away.
fn lose(platform: &Platform, tenant: &str) {
    let file = format!("data/{}", platform.database(tenant));
    fs::remove_file(platform.path(&file)).unwrap();
}

#[test]
fn a_plan_that_nobody_answered_says_so_and_fails() {
    let platform = two_tenants();
    lose(&platform, "acme");
    let some = platform.ends(20, &["migrate", "plan"]);
    assert!(
        stdout(&some).contains("No plan for 1 target; 1 current."),
        "{some:?}"
    );
    lose(&platform, "globex");
    let none = platform.ends(20, &["migrate", "plan", "--exit-code"]);
    let shown = stdout(&none);
    assert!(!shown.contains("Nothing is pending"), "{shown}");
    assert!(shown.contains("No plan for 2 targets; 0 current."), "{shown}");
    let together = "     2 ✗ TN-6006 the databases are not there\n         acme, globex\n";
    assert!(shown.contains(together), "{shown}");
    assert!(shown.ends_with("exit 20 (failed)\n"), "{shown}");
    assert!(stderr(&none).contains("error[TN-6006]"), "{none:?}");
    assert!(stderr(&none).contains("tenantry tenant show acme"), "{none:?}");
    let json = platform.json(20, &["migrate", "plan"]);
    assert_eq!(json["refused"].as_array().unwrap().len(), 2);
    assert_eq!(json["refused"][0]["outcome"], "target_gone");
}

#[test]
fn a_plan_that_the_files_forbid_ends_as_a_refusal() {
    let platform = two_tenants();
    platform.write(
        "migrations/tenant/001_things.sql",
        "CREATE TABLE other (id INTEGER);\n",
    );
    let refused = platform.ends(40, &["migrate", "plan"]);
    assert!(stdout(&refused).contains("2 ✗ TN-3001"), "{refused:?}");
    assert!(stdout(&refused).contains("acme, globex"), "{refused:?}");
}

#[test]
fn a_plan_names_the_command_that_carries_it_out() {
    let platform = two_tenants();
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    let shown = stdout(&platform.ends(0, &["migrate", "plan"]));
    assert!(
        shown.ends_with("\nNext:  tenantry migrate all-tenants\n"),
        "{shown}"
    );
    let words = ["migrate", "plan", "--only", "ac*,globex", "--to", "2"];
    let shown = stdout(&platform.ends(0, &words));
    let next = "\nNext:  tenantry migrate all-tenants --only 'ac*,globex' --to 2\n";
    assert!(shown.ends_with(next), "{shown}");
    platform.ends(0, &["migrate", "all-tenants"]);
    let shown = stdout(&platform.ends(0, &["migrate", "plan"]));
    assert_eq!(shown, "Nothing is pending: 2 targets current.\n");
}

#[test]
fn a_live_status_is_a_status_of_what_the_databases_answer() {
    let platform = two_tenants();
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    // The registry still believes both to be where they were.
    let acme = platform.database("acme");
    platform.query(&acme, "CREATE TABLE more (id INTEGER)");
    let live = stdout(&platform.ends(0, &["migrate", "status", "--live"]));
    assert!(
        live.starts_with("Fleet   2 tenants            asked just now\n"),
        "{live}"
    );
    assert!(live.contains("○ behind         2"), "{live}");
    assert!(!live.contains("Plan:"), "{live}");

    lose(&platform, "globex");
    let remembered = stdout(&platform.ends(0, &["migrate", "status"]));
    assert!(remembered.contains("○ behind         2"), "{remembered}");
    let output = platform.ends(20, &["migrate", "status", "--live"]);
    let live = stdout(&output);
    assert!(live.contains("✗ failed         1"), "{live}");
    assert!(
        live.contains("✗ globex               local          target_gone TN-6006"),
        "{live}"
    );
    assert!(stderr(&output).contains("error[TN-6006]"), "{output:?}");
    let json = platform.json(20, &["migrate", "status", "--live"]);
    assert_eq!(
        (&json["live"], &json["tracks"][0]["behind"]),
        (&true.into(), &1.into())
    );
    assert_eq!(json["not_current"][0]["code"], "TN-6006");
    platform.ends(20, &["migrate", "status", "globex"]);
    platform.ends(10, &["migrate", "status", "acme", "--exit-code"]);
}

#[test]
fn tenants_that_are_not_active_stand_in_a_line_of_the_status() {
    let platform = two_tenants();
    let all = stdout(&platform.ends(0, &["migrate", "status"]));
    assert!(!all.contains("active"), "{all}");
    platform.query(
        "central.db",
        "UPDATE tenantry_tenants SET status = 'suspended' WHERE slug = 'globex'",
    );
    for words in [&["migrate", "status"][..], &["migrate", "status", "--live"]] {
        let shown = stdout(&platform.ends(0, words));
        let line = "\n        1 active · 1 suspended (runs leave these out)\n";
        assert!(shown.contains(line), "{shown}");
        assert!(shown.contains("● current        1"), "{shown}");
    }
    let json = platform.json(0, &["migrate", "status", "--live"]);
    assert_eq!(json["tenants"]["suspended"], 1);
    let one = stdout(&platform.ends(0, &["migrate", "status", "globex"]));
    assert!(one.contains("\nsuspended: runs leave it out\n"), "{one}");
}

#[test]
fn a_status_sends_nobody_into_a_run_that_must_fail_again() {
    let platform = two_tenants();
    platform.write(
        "migrations/tenant/001_things.sql",
        "CREATE TABLE other (id INTEGER);\n",
    );
    platform.ends(40, &["migrate", "all-tenants"]);
    let shown = stdout(&platform.ends(0, &["migrate", "status"]));
    let next = "2 need you:  tenantry explain TN-3001      then  tenantry migrate resume\n";
    assert!(shown.ends_with(next), "{shown}");
}

#[test]
fn warnings_stand_before_a_plan_and_a_run_and_in_their_documents() {
    let platform = two_tenants();
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\r\nCREATE TABLE most (id INTEGER);\n",
    );
    let plan = platform.ends(0, &["migrate", "plan"]);
    let said = stderr(&plan);
    assert!(
        said.starts_with("warning[TN-3103]: lines end in different ways: CRLF at first, LF here\n"),
        "{said}"
    );
    assert!(
        said.contains("--> migrations/tenant/002_more.sql:2:1\n"),
        "{said}"
    );
    assert!(said.contains("tenantry explain TN-3103"), "{said}");
    let plan = platform.json(0, &["migrate", "plan"]);
    assert_eq!(plan["warnings"][0]["code"], "TN-3103");
    assert_eq!(plan["warnings"][0]["line"], 2);
    assert_eq!(plan["warnings"].as_array().unwrap().len(), 1);

    let run = platform.json(0, &["migrate", "all-tenants", "--only", "acme"]);
    assert_eq!(run["warnings"][0]["file"], "migrations/tenant/002_more.sql");
    let run = platform.ends(0, &["migrate", "all-tenants"]);
    assert!(stderr(&run).starts_with("warning[TN-3103]"), "{run:?}");
    // What ran everywhere is told no more.
    let run = platform.ends(0, &["migrate", "all-tenants"]);
    assert!(!stderr(&run).contains("warning"), "{run:?}");
}

#[test]
fn a_file_that_is_not_written_yet_stops_what_goes_forwards_and_nothing_else() {
    let platform = two_tenants();
    platform.write("migrations/tenant/001_things.down.sql", "DROP TABLE things;\n");
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    platform.write("migrations/tenant/002_more.down.sql", "DROP TABLE more;\n");
    platform.ends(0, &["migrate", "all-tenants"]);
    platform.ends(0, &["migrate", "make", "later"]);
    for words in [
        &["migrate", "status"][..],
        &["migrate", "status", "--live"],
        &["migrate", "status", "acme"],
    ] {
        let shown = stdout(&platform.ends(0, words));
        assert!(shown.contains("  ◌ migrations/tenant/"), "{shown}");
        let shown = platform.json(0, words);
        // The way back is not written either.
        assert_eq!(shown["unfinished"].as_array().unwrap().len(), 2, "{shown}");
    }
    for words in [
        &["migrate", "plan"][..],
        &["migrate", "all-tenants"],
        &["migrate", "resume"],
        &["tenant", "create", "initech"],
    ] {
        assert_eq!(platform.json(40, words)["code"], "TN-3012", "{words:?}");
    }
    platform.ends(4, &["tenant", "show", "initech"]);
    let back = ["migrate", "rollback", "acme", "--step", "1", "--confirm", "acme"];
    assert_eq!(platform.json(0, &back)["applied"], 1);
}

#[test]
fn a_creation_tells_its_warnings_and_each_database_that_it_makes() {
    let platform = two_tenants();
    platform.write(
        "migrations/products/kira/001_more.sql",
        "CREATE TABLE more (id INTEGER);\r\nCREATE TABLE most (id INTEGER);\n",
    );
    let words = ["tenant", "create", "initech", "--product", "kira", "--json"];
    let created = platform.ends(0, &words);
    let said = stderr(&created);
    assert!(said.contains("warning[TN-3103]"), "{said}");
    assert_eq!(said.matches(" initech create   tenant_").count(), 2, "{said}");
    let created = crate::only_json(&created);
    assert_eq!(created["warnings"][0]["line"], 2, "{created}");
    let words = ["product", "provision", "kira", "--tenant", "acme"];
    assert_eq!(platform.json(0, &words)["warnings"][0]["line"], 2);
    // A second time nothing runs.
    assert!(platform.json(0, &words)["warnings"].is_null());
}

#[test]
fn what_mariadb_executes_or_drops_one_by_one_is_told_and_runs() {
    let Some(platform) = Platform::with_tenants(Engine::MySql, &[], &["acme"]) else {
        return;
    };
    platform.write(
        "migrations/tenant/001_things.sql",
        "CREATE TABLE a (id INT PRIMARY KEY) /*!50000 COMMENT 'of a tenant' */;\n\
         CREATE TABLE b (id INT PRIMARY KEY);\nDROP TABLE a, b;\n",
    );
    let run = platform.json(0, &["migrate", "all-tenants"]);
    let codes: Vec<&str> = run["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|warning| warning["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["TN-3101", "TN-3102"], "{run}");
    assert!(
        run["warnings"][0]["title"]
            .as_str()
            .unwrap()
            .contains("COMMENT 'of a tenant'")
    );
    assert_eq!(run["applied"], 1, "{run}");
}
