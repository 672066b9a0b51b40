//! Going back where the registry does not know all: a process that was killed, a run that was gone on with.

use tenantry::engine::Engine;

use super::{THINGS, THINGS_BACK};
use crate::platform::Platform;
use crate::{stderr, stdout};

const MORE: &str = "CREATE TABLE more (id INTEGER);\n";
const VERSIONS: &str = "SELECT max(version) FROM _tenantry_history";
const BACK: [&str; 5] = ["migrate", "rollback", "acme", "--confirm", "acme"];

/// One tenant at 001, with 002 and 003 pending.
fn one() -> Platform {
    let platform = Platform::with_tenants(Engine::Sqlite, &[THINGS, THINGS_BACK], &["acme"]).unwrap();
    for (name, sql) in [
        ("002_more", MORE),
        ("002_more.down", "DROP TABLE more;\n"),
        ("003_v", "CREATE VIEW v AS SELECT * FROM more;\n"),
        ("003_v.down", "DROP VIEW v;\n"),
    ] {
        platform.write(&format!("migrations/tenant/{name}.sql"), sql);
    }
    platform
}

/// Leaves the registry as a process does that is killed before it has recorded anything of a run.
fn forget(platform: &Platform, run: &str) {
    for sql in [
        format!("UPDATE tenantry_run_targets SET outcome = 'not_run', migrations = 0 WHERE run_id = '{run}'"),
        format!("UPDATE tenantry_runs SET status = 'running', finished_at = NULL WHERE id = '{run}'"),
        "UPDATE tenantry_databases SET version = 1, outcome = 'applied'".to_owned(),
    ] {
        platform.query("central.db", &sql);
    }
}

fn run_of(report: &serde_json::Value) -> String {
    report["run"].as_str().unwrap().to_owned()
}

#[test]
fn the_first_run_of_a_killed_process_is_taken_back() {
    let platform = one();
    let acme = platform.database("acme");
    let run = run_of(&platform.json(0, &["migrate", "all-tenants"]));
    forget(&platform, &run);
    let back = platform.ends(0, &BACK);
    assert!(stderr(&back).contains(&format!("Taking back {run}")), "{back:?}");
    assert_eq!(platform.one(&acme, VERSIONS), "1");
    let nothing = platform.json(0, &BACK);
    assert_eq!(nothing["reverted"], 0, "{nothing}");
}

#[test]
fn a_killed_run_that_did_nothing_hides_no_older_one() {
    let platform = one();
    let acme = platform.database("acme");
    let older = run_of(&platform.json(0, &["migrate", "all-tenants", "--to", "2"]));
    let killed = run_of(&platform.json(0, &["migrate", "all-tenants"]));
    platform.json(0, &[&BACK[..], &["--step", "1"]].concat());
    forget(&platform, &killed);
    assert_eq!(platform.one(&acme, VERSIONS), "2");
    let back = platform.ends(0, &BACK);
    assert!(
        stderr(&back).contains(&format!("Taking back {older}")),
        "{back:?}"
    );
    assert_eq!(platform.one(&acme, VERSIONS), "1");
    let nothing = platform.ends(0, &BACK);
    assert!(stdout(&nothing).contains("nothing to take back"), "{nothing:?}");
}

#[test]
fn what_a_resume_applied_after_a_rollback_is_taken_back() {
    let platform = one();
    let acme = platform.database("acme");
    platform.write("migrations/tenant/003_v.sql", "INSERT INTO nowhere VALUES (1);\n");
    let run = run_of(&platform.json(20, &["migrate", "all-tenants"]));
    platform.json(0, &BACK);
    assert_eq!(platform.one(&acme, VERSIONS), "1");
    platform.write(
        "migrations/tenant/003_v.sql",
        "CREATE VIEW v AS SELECT * FROM more;\n",
    );
    platform.json(0, &["migrate", "resume", &run]);
    assert_eq!(platform.one(&acme, VERSIONS), "3");
    platform.json(0, &BACK);
    assert_eq!(platform.one(&acme, VERSIONS), "1");
}
