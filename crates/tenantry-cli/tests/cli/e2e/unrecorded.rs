//! Going back where the registry does not know all: a process that was killed, a run that was gone on with.

use tenantry::engine::Engine;

use super::{THINGS, THINGS_BACK};
use crate::platform::Platform;

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

fn run_of(report: &serde_json::Value) -> String {
    report["run"].as_str().unwrap().to_owned()
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
