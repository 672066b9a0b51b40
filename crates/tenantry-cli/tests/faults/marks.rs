//! A `migrate mark` dies at every step of its write; the same again finishes it.

use tenantry::engine::Engine;
use tenantry::faults::Point;

use crate::deployer::run;
use crate::platform::Platform;

const FILE: &str = "migrations/tenant/001_things.sql";
const ACCEPT: [&str; 9] = [
    "migrate",
    "mark",
    "1",
    "--accept-edit",
    "--all-tenants",
    "-j",
    "1",
    "--reason",
    "it is so",
];
/// The steps, and how many of two databases are left to be written behind each; `None` where it is not known.
const STEPS: [(Point, Option<usize>); 3] = [
    (Point::AmendLocked, Some(2)),
    (Point::AmendSent, None),
    (Point::AmendCommitted, Some(1)),
];

#[test]
fn on_postgres_a_mark_may_die_at_every_step() {
    dies_at_every_step(Engine::Postgres);
}

#[test]
fn on_mariadb_a_mark_may_die_at_every_step() {
    dies_at_every_step(Engine::MySql);
}

#[test]
fn on_sqlite_a_mark_may_die_at_every_step() {
    dies_at_every_step(Engine::Sqlite);
}

fn dies_at_every_step(engine: Engine) {
    let table = "CREATE TABLE things (id INTEGER PRIMARY KEY);\n";
    let file = ("001_things.sql", table);
    let Some(platform) = Platform::with_tenants(engine, &[file], &["acme", "globex"]) else {
        return;
    };
    for (point, left) in STEPS {
        platform.write(FILE, &format!("-- {}\n{table}", point.name()));
        let end = run(&platform, &ACCEPT, &format!("kill={}", point.name()));
        assert!(end.killed, "{}: {}", point.name(), end.said);
        let again = platform.json(0, &ACCEPT);
        let count = |what: &str| again[what].as_array().unwrap().len();
        let (changed, unchanged) = (count("changed"), count("unchanged"));
        assert_eq!(changed + unchanged, 2, "{}: {again}", point.name());
        if let Some(left) = left {
            assert_eq!(changed, left, "{}: {again}", point.name());
        }
        let run = platform.json(0, &["migrate", "all-tenants"]);
        assert_eq!(run["current"], 2, "{}: {run}", point.name());
    }
    let rows = "SELECT COUNT(*) FROM _tenantry_history";
    assert_eq!(platform.one(&platform.database("acme"), rows), "1");
}
