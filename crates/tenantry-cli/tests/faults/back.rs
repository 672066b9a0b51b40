//! A deployer dies at every step of the way back; then one plain run forwards finishes everything.

use std::time::Instant;

use tenantry::engine::Engine;
use tenantry::faults::Point;

use crate::fleet::{Fleet, KINDS, LARGE, NO_SERVER, SHARE, SMALL, TENANTS, points_of};
use crate::row::Row;
use crate::say;
use crate::track::Kind;

/// How many rounds of all kinds are taken back.
const ROUNDS: u32 = 2;
/// Steps that no way back takes.
const FORWARDS: [Point; 3] = [
    Point::MysqlTablesMade,
    Point::SqliteTablesMade,
    Point::PostgresHalfMadeRemoved,
];

#[test]
fn on_postgres_a_deployer_may_die_on_the_way_back() {
    let mut row = Row::begin(&SHARE, "PostgreSQL, back");
    die_on_the_way_back(&mut row, Engine::Postgres, SMALL, &points(Engine::Postgres));
    die_on_the_way_back(&mut row, Engine::Postgres, LARGE.0, LARGE.1);
}

#[test]
fn on_mariadb_a_deployer_may_die_on_the_way_back() {
    let mut row = Row::begin(&SHARE, "MariaDB, back");
    die_on_the_way_back(&mut row, Engine::MySql, KINDS, &points(Engine::MySql));
}

#[test]
fn on_sqlite_a_deployer_may_die_on_the_way_back() {
    let mut row = Row::begin(&SHARE, "SQLite, back");
    die_on_the_way_back(&mut row, Engine::Sqlite, KINDS, &points(Engine::Sqlite));
}

fn points(engine: Engine) -> Vec<Point> {
    let mut points = points_of(engine);
    points.retain(|point| !FORWARDS.contains(point));
    points
}

fn die_on_the_way_back(row: &mut Row, engine: Engine, kinds: &'static [Kind], points: &[Point]) {
    let Some(mut fleet) = Fleet::start(engine, kinds) else {
        return row.skip(NO_SERVER);
    };
    let migrations = u32::try_from(fleet.kinds).unwrap() * ROUNDS;
    fleet.tracks.grow_both_ways(&fleet.platform, migrations);
    let begin = Instant::now();
    for point in points {
        let begin = Instant::now();
        fleet.deploys();
        for kill in 0..row.wanted() {
            dies_at(&mut fleet, *point, kill);
            row.count(1, 1);
        }
        fleet.finishes(*point, begin);
    }
    fleet.nothing_is_left_to_do();
    row.took_up(fleet.taken_up);
    say(&format!(
        "{engine}: {} steps back in {:?}",
        points.len(),
        begin.elapsed()
    ));
}

/// Lets a deployer die at a point of the way back; each goes on where the one before it died.
fn dies_at(fleet: &mut Fleet, point: Point, kill: usize) {
    if point == Point::MysqlTakenUp {
        fleet.deploys();
        dies(fleet, Point::MysqlObjectsAnswered, 1);
        dies(fleet, point, 1);
    } else {
        dies(fleet, point, 1 + kill % TENANTS.len());
    }
}

fn dies(fleet: &mut Fleet, point: Point, passing: usize) {
    let confirm = format!("{} tenants", TENANTS.len());
    let whom = ["migrate", "rollback", "--all-tenants", "-j", "3"];
    let back = [&whom[..], &["--to", "1", "--confirm", &confirm]].concat();
    let end = fleet.killed_at(point, passing, &back);
    if end.killed {
        return;
    }
    // Everything had been taken back before, or that of one tenant: the confirmation counts the others.
    assert!(matches!(end.code, Some(0 | 40)), "{}: {}", point.name(), end.said);
    fleet.deploys();
    let end = fleet.killed_at(point, 1, &back);
    assert!(end.killed, "nobody came to {}: {}", point.name(), end.said);
}
