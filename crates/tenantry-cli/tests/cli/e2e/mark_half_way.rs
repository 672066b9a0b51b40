//! `migrate mark` on a migration that is half-way: it is possible, and it says what stays behind in the database.

use tenantry::engine::Engine;

use super::THINGS;
use crate::platform::Platform;
use crate::stdout;

/// Of two equal names no unique index can be made; one that is made beside others leaves an invalid one.
const INDEX: (&str, &str) = (
    "002_idx.sql",
    "-- tenantry: no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY things_name ON things (name);\n",
);
/// Half of what its first statement inserts stays where a table cannot roll back, and the second never runs.
const ODD: (&str, &str) = (
    "003_odd.sql",
    "INSERT INTO odd VALUES (1), (2), (1);\nCREATE TABLE behind (id INTEGER);\n",
);

fn write(platform: &Platform, (name, sql): (&str, &str)) {
    platform.write(&format!("migrations/tenant/{name}"), sql);
}

fn mark(version: &'static str, flag: &'static str, whom: &'static str) -> [&'static str; 7] {
    ["migrate", "mark", version, flag, whom, "--reason", "x"]
}

/// Returns a text without the places where its lines were broken.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn an_invalid_index_that_stays_behind_a_mark_is_told() {
    let Some(platform) = Platform::with_tenants(Engine::Postgres, &[THINGS], &["acme", "globex"]) else {
        return;
    };
    let invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
    for tenant in ["acme", "globex"] {
        platform.query(&platform.database(tenant), "UPDATE things SET name = 'a'");
    }
    write(&platform, INDEX);
    platform.ends(20, &["migrate", "all-tenants"]);
    let said = stdout(&platform.ends(0, &mark("2", "--applied", "--all-tenants")));
    assert!(
        unwrapped(&said).contains(
            "acme, globex: 2_idx was half-way, at statement 1 of 1; what it left in the database stays as it is, \
             and no run carries out the rest"
        ),
        "{said}"
    );
    assert_eq!(platform.one(&platform.database("acme"), invalid), "1");
    // Once it counts as done, it is no longer half-way.
    let said = stdout(&platform.ends(0, &mark("2", "--rolled-back", "acme")));
    assert!(!said.contains("half-way"), "{said}");
}

#[test]
fn rows_that_stay_behind_a_mark_are_told() {
    let Some(platform) = Platform::with_tenants(Engine::MySql, &[THINGS], &["acme"]) else {
        return;
    };
    let table = (
        "002_table.sql",
        "CREATE TABLE odd (id INTEGER PRIMARY KEY) ENGINE = MyISAM;\n",
    );
    write(&platform, table);
    write(&platform, ODD);
    platform.ends(20, &["migrate", "all-tenants"]);
    let marked = platform.json(0, &mark("3", "--rolled-back", "acme"));
    let was = &marked["changed"][0]["was_half_way"];
    let expect = serde_json::json!([
        { "migration": "3_odd", "direction": "up", "statement": 1, "statements": 2 }
    ]);
    assert_eq!(was, &expect, "{marked}");
    let acme = platform.database("acme");
    assert_eq!(platform.one(&acme, "SELECT COUNT(*) FROM odd"), "2");

    platform.query(&acme, "DELETE FROM odd");
    platform.ends(20, &["migrate", "all-tenants"]);
    let said = stdout(&platform.ends(0, &mark("3", "--rolled-back", "acme")));
    assert!(
        unwrapped(&said).contains(
            "acme: 3_odd was half-way, at statement 1 of 2; what it left in the database stays as it is, and the next \
             run begins the file anew"
        ),
        "{said}"
    );
    platform.query(&acme, "DELETE FROM odd");
    platform.ends(20, &["migrate", "all-tenants"]);
    std::fs::remove_file(platform.path("migrations/tenant/003_odd.sql")).unwrap();
    let said = stdout(&platform.ends(0, &mark("3", "--forget", "acme")));
    assert!(said.contains("3_odd was half-way"), "{said}");
    assert_eq!(platform.one(&acme, "SELECT COUNT(*) FROM odd"), "2");
}
