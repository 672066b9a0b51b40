//! A `migrate mark` dies at every step of its write; the same again finishes it.

use tenantry::engine::Engine;
use tenantry::faults::Point;

use crate::deployer::run;
use crate::scenes::Stage;
use crate::track::{Kind, Tracks};

const FILE: &str = "migrations/tenant/001_base.sql";
const KINDS: &[Kind] = &[Kind::Rows];
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

/// What a check says if a history is not as its mark has left it.
pub(crate) const WRITTEN: &str = "histories that have the new text";

#[test]
fn on_postgres_a_mark_may_die_at_every_step() {
    on(Engine::Postgres);
}

#[test]
fn on_mariadb_a_mark_may_die_at_every_step() {
    on(Engine::MySql);
}

#[test]
fn on_sqlite_a_mark_may_die_at_every_step() {
    on(Engine::Sqlite);
}

fn on(engine: Engine) {
    let Some(mut stage) = Stage::set(engine, KINDS) else {
        return;
    };
    stage.add_second();
    for (point, left) in STEPS {
        dies_at(&stage, "", point, left);
    }
    let rows = "SELECT COUNT(*) FROM _tenantry_history";
    assert_eq!(stage.platform.one(stage.acme(), rows), "1");
}

/// The first of two databases is written, and only the second one is left.
pub(crate) fn dies_behind_its_commit(stage: &mut Stage, seed: &str) {
    stage.add_second();
    dies_at(stage, seed, Point::AmendCommitted, Some(1));
}

fn checksums(stage: &Stage) -> Vec<String> {
    let of = |database: &String| {
        stage.platform.one(
            database,
            "SELECT checksum FROM _tenantry_history WHERE version = 1",
        )
    };
    stage.databases.iter().map(of).collect()
}

/// The one that dies may have a defect; whoever comes after it has none.
fn dies_at(stage: &Stage, seed: &str, point: Point, left: Option<usize>) {
    let (platform, name) = (&stage.platform, point.name());
    platform.write(FILE, &format!("-- {name} {seed}\n{}", Tracks::base()));
    let before = checksums(stage);
    let end = run(platform, &ACCEPT, &format!("{seed};kill={name}"));
    assert!(end.killed, "{name}: {}", end.said);
    if let Some(left) = left {
        let changed = checksums(stage)
            .iter()
            .zip(&before)
            .filter(|(now, old)| now != old)
            .count();
        assert_eq!(changed, stage.databases.len() - left, "{name}: {WRITTEN}");
    }
    let again = platform.json(0, &ACCEPT);
    let count = |what: &str| again[what].as_array().unwrap().len();
    let (changed, unchanged) = (count("changed"), count("unchanged"));
    assert_eq!(changed + unchanged, 2, "{name}: {again}");
    if let Some(left) = left {
        assert_eq!(changed, left, "{name}: {again}");
    }
    let run = platform.json(0, &["migrate", "all-tenants"]);
    assert_eq!(run["current"], 2, "{name}: {run}");
}
