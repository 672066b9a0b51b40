//! A deployer dies at every step of every protocol, several times; then one plain run finishes everything.

use std::time::Instant;

use tenantry::engine::Engine;
use tenantry::faults::Point;

use crate::fleet::{
    DEPLOY, Fleet, KINDS, LARGE, NO_SERVER, SHARE, SMALL, TENANTS, leave_half_made, points_of,
};
use crate::row::Row;
use crate::say;
use crate::track::Kind;

const ONE_BY_ONE: [&str; 4] = ["migrate", "all-tenants", "-j", "1"];
/// How many rounds of all kinds come before a kill; more where a run was too short to come to its point.
const ROUNDS: [usize; 3] = [1, 8, 32];
/// After so many kills there is another fleet: with each the tracks grow, every command takes longer, and a
/// table of MariaDB has at most 64 indexes.
const KILLS_OF_A_FLEET: usize = 45;
/// What takes a run so long that the registry hears of its targets one by one.
const SLOW: &[Kind] = &[Kind::Rows; 6];
/// Steps that only a database without our tables takes, and so come first.
const FIRST: [Point; 2] = [Point::MysqlTablesMade, Point::SqliteTablesMade];

#[test]
fn on_postgres_a_deployer_may_die_at_every_step() {
    let mut row = Row::begin(&SHARE, "PostgreSQL");
    die_at_every_point(&mut row, Engine::Postgres, SMALL, &points(Engine::Postgres));
    die_at_every_point(&mut row, Engine::Postgres, LARGE.0, LARGE.1);
    die_at_every_point(&mut row, Engine::Postgres, SLOW, &of_registry());
}

#[test]
fn on_mariadb_a_deployer_may_die_at_every_step() {
    let mut row = Row::begin(&SHARE, "MariaDB");
    die_at_every_point(&mut row, Engine::MySql, KINDS, &points(Engine::MySql));
    die_at_every_point(&mut row, Engine::MySql, SLOW, &of_registry());
}

#[test]
fn on_sqlite_a_deployer_may_die_at_every_step() {
    let mut row = Row::begin(&SHARE, "SQLite");
    die_at_every_point(&mut row, Engine::Sqlite, KINDS, &points(Engine::Sqlite));
    die_at_every_point(&mut row, Engine::Sqlite, SLOW, &of_registry());
}

fn die_at_every_point(row: &mut Row, engine: Engine, kinds: &'static [Kind], points: &[Point]) {
    for some in points.chunks((KILLS_OF_A_FLEET / row.wanted()).max(1)) {
        die_at_points(row, engine, kinds, some);
    }
}

fn die_at_points(row: &mut Row, engine: Engine, kinds: &'static [Kind], points: &[Point]) {
    let Some(mut fleet) = Fleet::start(engine, kinds) else {
        return row.skip(NO_SERVER);
    };
    let begin = Instant::now();
    for point in points {
        let begin = Instant::now();
        for kill in 0..row.wanted() {
            dies_at(&mut fleet, *point, kill);
            row.count(1, 1);
        }
        fleet.finishes(*point, begin);
    }
    fleet.nothing_is_left_to_do();
    row.took_up(fleet.taken_up);
    say(&format!(
        "{engine}: {} steps in {:?}",
        points.len(),
        begin.elapsed()
    ));
}

/// Returns an engine's own points; first those that come once in a database's life.
fn points(engine: Engine) -> Vec<Point> {
    let mut points = points_of(engine);
    points.sort_by_key(|point| !FIRST.contains(point));
    points
}

fn of_registry() -> Vec<Point> {
    let points = Point::ALL.iter().copied();
    points.filter(|point| is_of_registry(*point)).collect()
}

fn is_of_registry(point: Point) -> bool {
    point.name().starts_with("registry.")
}

/// Lets a deployer die at a point; fails if none comes there.
fn dies_at(fleet: &mut Fleet, point: Point, kill: usize) {
    let alone = needs_one_target(point);
    let words = if alone { &ONE_BY_ONE } else { &DEPLOY };
    let mut said = String::new();
    for (again, rounds) in ROUNDS.into_iter().enumerate() {
        if !FIRST.contains(&point) {
            let count = u32::try_from(fleet.kinds * rounds).unwrap();
            fleet.tracks.grow(&fleet.platform, count);
        }
        prepare(fleet, point);
        // Other targets are elsewhere at the second and third passing.
        let passing = if alone || again > 0 {
            1
        } else {
            1 + kill % TENANTS.len()
        };
        let end = fleet.killed_at(point, passing, words);
        if end.killed {
            return;
        }
        said = end.said;
        assert_eq!(end.code, Some(0), "{}: {said}", point.name());
    }
    panic!("nobody came to {}: {said}", point.name());
}

fn needs_one_target(point: Point) -> bool {
    let prepared = [Point::PostgresHalfMadeRemoved, Point::MysqlTakenUp];
    is_of_registry(point) || FIRST.contains(&point) || prepared.contains(&point)
}

/// Leaves behind what a point is about.
fn prepare(fleet: &mut Fleet, point: Point) {
    if point == Point::SqliteTablesMade {
        // A file of ours is made with both tables in it, one of somebody else is not.
        for table in ["_tenantry_meta", "_tenantry_history"] {
            let drop = format!("DROP TABLE IF EXISTS {table}");
            fleet.platform.query(&fleet.databases[0], &drop);
        }
    }
    if point == Point::MysqlTakenUp {
        let end = fleet.killed_at(Point::MysqlObjectsAnswered, 1, &ONE_BY_ONE);
        assert!(end.killed, "{}", end.said);
    }
    if point == Point::PostgresHalfMadeRemoved {
        let end = fleet.killed_at(Point::PostgresIntentCommitted, 1, &ONE_BY_ONE);
        assert!(end.killed, "{}", end.said);
        for database in &fleet.databases {
            leave_half_made(&fleet.platform, database);
        }
    }
}
