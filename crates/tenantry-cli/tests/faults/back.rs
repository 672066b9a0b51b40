//! A deployer dies at every step of the way back; then one plain run forwards finishes everything.

use std::time::Instant;

use tenantry::engine::Engine;
use tenantry::faults::Point;

use crate::fleet::{DEPLOY, Fleet, KINDS, LARGE, SMALL, TENANTS, kills_per_point, points_of};
use crate::say;
use crate::track::Kind;

/// Steps that no way back takes, or none that was not interrupted.
const FORWARDS: [Point; 4] = [
    Point::MysqlTablesMade,
    Point::SqliteTablesMade,
    Point::MysqlTakenUp,
    Point::PostgresHalfMadeRemoved,
];

#[test]
fn on_postgres_a_deployer_may_die_on_the_way_back() {
    die_on_the_way_back(Engine::Postgres, SMALL, &points(Engine::Postgres));
    die_on_the_way_back(Engine::Postgres, LARGE.0, LARGE.1);
}

#[test]
fn on_mariadb_a_deployer_may_die_on_the_way_back() {
    die_on_the_way_back(Engine::MySql, KINDS, &points(Engine::MySql));
}

#[test]
fn on_sqlite_a_deployer_may_die_on_the_way_back() {
    die_on_the_way_back(Engine::Sqlite, KINDS, &points(Engine::Sqlite));
}

fn points(engine: Engine) -> Vec<Point> {
    let mut points = points_of(engine);
    points.retain(|point| !FORWARDS.contains(point));
    points
}

fn die_on_the_way_back(engine: Engine, kinds: &'static [Kind], points: &[Point]) {
    let Some(mut fleet) = Fleet::start(engine, kinds) else {
        return;
    };
    let steps = u32::try_from(fleet.kinds).unwrap();
    fleet.tracks.grow_both_ways(&fleet.platform, steps);
    fleet.platform.ends(0, &DEPLOY);
    let confirm = format!("{} tenants", TENANTS.len());
    let steps = steps.to_string();
    let back = [
        "migrate",
        "rollback",
        "--all-tenants",
        "-j",
        "3",
        "--step",
        &steps,
        "--confirm",
        &confirm,
    ];
    let begin = Instant::now();
    for point in points {
        let begin = Instant::now();
        for kill in 0..kills_per_point() {
            // What the last one took back is there again.
            fleet.platform.ends(0, &DEPLOY);
            let end = fleet.killed_at(*point, 1 + kill % TENANTS.len(), &back);
            assert!(end.killed, "nobody came to {}: {end:?}", point.name());
        }
        fleet.finishes(*point, begin);
    }
    fleet.nothing_is_left_to_do();
    say(&format!(
        "{engine}: {} steps back in {:?}",
        points.len(),
        begin.elapsed()
    ));
}
