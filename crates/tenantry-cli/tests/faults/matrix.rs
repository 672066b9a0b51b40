//! A deployer dies at every step of every protocol, several times; then one plain run finishes everything.

use std::time::{Duration, Instant};

use tenantry::engine::Engine;
use tenantry::faults::Point;

use crate::deployer::{End, run};
use crate::invariants;
use crate::platform::Platform;
use crate::say;
use crate::track::{Kind, Tracks};

const TENANTS: [&str; 3] = ["acme", "globex", "hooli"];
const DEPLOY: [&str; 4] = ["migrate", "all-tenants", "-j", "3"];
const ONE_BY_ONE: [&str; 4] = ["migrate", "all-tenants", "-j", "1"];
/// What comes before each kill, so that every step has work.
const KINDS: &[Kind] = &[
    Kind::Table,
    Kind::Altered,
    Kind::Column,
    Kind::Index,
    Kind::Rows,
    Kind::Own,
];
/// The same without PostgreSQL's own, whose files are large.
const SMALL: &[Kind] = &[Kind::Table, Kind::Altered, Kind::Column, Kind::Index, Kind::Rows];
const LARGE: &[Kind] = &[Kind::Own];
/// How many rounds of all kinds come before a kill; more where a run was too short to come to its point.
const ROUNDS: [usize; 3] = [1, 8, 32];
/// Steps that only a database without our tables takes, and so come first.
const FIRST: [Point; 2] = [Point::MysqlTablesMade, Point::SqliteTablesMade];

#[test]
fn on_postgres_a_deployer_may_die_at_every_step() {
    // In the middle of a transaction that needs several messages.
    let large = [Point::PostgresPartAnswered];
    let mut rest = points(Engine::Postgres);
    rest.retain(|point| !large.contains(point));
    die_at_every_point(Engine::Postgres, SMALL, &rest);
    die_at_every_point(Engine::Postgres, LARGE, &large);
}

#[test]
fn on_mariadb_a_deployer_may_die_at_every_step() {
    die_at_every_point(Engine::MySql, KINDS, &points(Engine::MySql));
}

#[test]
fn on_sqlite_a_deployer_may_die_at_every_step() {
    die_at_every_point(Engine::Sqlite, KINDS, &points(Engine::Sqlite));
}

/// Returns how often a deployer dies at each step.
#[expect(
    clippy::disallowed_methods,
    reason = "a person asks for more than one wants to wait for each time"
)]
fn kills_per_point() -> usize {
    let given = std::env::var("TENANTRY_TEST_KILLS_PER_POINT").ok();
    given.map_or(3, |count| count.parse().unwrap())
}

fn die_at_every_point(engine: Engine, kinds: &'static [Kind], points: &[Point]) {
    let Some(platform) = Platform::with_tenants(engine, &[], &TENANTS) else {
        return;
    };
    platform.write("migrations/tenant/001_base.sql", &Tracks::base());
    let mut fleet = Fleet {
        databases: TENANTS.iter().map(|tenant| platform.database(tenant)).collect(),
        tracks: Tracks::of(engine, kinds),
        kinds: kinds.len(),
        platform,
    };
    let begin = Instant::now();
    for point in points {
        let begin = Instant::now();
        for kill in 0..kills_per_point() {
            fleet.dies_at(*point, kill);
        }
        fleet.platform.ends(0, &DEPLOY);
        invariants::hold(&fleet.platform, &fleet.databases, &fleet.tracks);
        say(&format!(
            "{engine}: {:<28} {:>5.1} s",
            point.name(),
            begin.elapsed().as_secs_f64()
        ));
    }
    fleet.nothing_is_left_to_do();
    say(&format!(
        "{engine}: {} steps in {:?}",
        points.len(),
        begin.elapsed()
    ));
}

/// Returns an engine's own points and those of the registry; first those that come once in a database's life.
fn points(engine: Engine) -> Vec<Point> {
    let own = match engine {
        Engine::Postgres => "postgres.",
        Engine::MySql => "mysql.",
        Engine::Sqlite => "sqlite.",
    };
    let here = |point: &&Point| point.name().starts_with(own) || is_of_registry(**point);
    let mut points: Vec<Point> = Point::ALL.iter().filter(here).copied().collect();
    points.sort_by_key(|point| !FIRST.contains(point));
    points
}

fn is_of_registry(point: Point) -> bool {
    point.name().starts_with("registry.")
}

struct Fleet {
    platform: Platform,
    databases: Vec<String>,
    tracks: Tracks,
    kinds: usize,
}

impl Fleet {
    /// Lets a deployer die at a point; fails if none comes there.
    fn dies_at(&mut self, point: Point, kill: usize) {
        let alone = Self::needs_one_target(point);
        let words = if alone { &ONE_BY_ONE } else { &DEPLOY };
        let mut said = String::new();
        for (again, rounds) in ROUNDS.into_iter().enumerate() {
            if !FIRST.contains(&point) {
                let count = u32::try_from(self.kinds * rounds).unwrap();
                self.tracks.grow(&self.platform, count);
            }
            self.prepare(point);
            // Other targets are elsewhere at the second and third passing.
            let passing = if alone || again > 0 {
                1
            } else {
                1 + kill % TENANTS.len()
            };
            let end = self.killed_at(point, passing, words);
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

    fn killed_at(&self, point: Point, passing: usize, words: &[&str]) -> End {
        run(&self.platform, words, &format!("kill={}:{passing}", point.name()))
    }

    /// Leaves behind what a point is about.
    fn prepare(&self, point: Point) {
        if point == Point::SqliteTablesMade {
            // A file of ours is made with both tables in it, one of somebody else is not.
            for table in ["_tenantry_meta", "_tenantry_history"] {
                let drop = format!("DROP TABLE IF EXISTS {table}");
                self.platform.query(&self.databases[0], &drop);
            }
        }
        if point == Point::MysqlTakenUp {
            let end = self.killed_at(Point::MysqlObjectsAnswered, 1, &ONE_BY_ONE);
            assert!(end.killed, "{}", end.said);
        }
        if point == Point::PostgresHalfMadeRemoved {
            let end = self.killed_at(Point::PostgresIntentCommitted, 1, &ONE_BY_ONE);
            assert!(end.killed, "{}", end.said);
            for database in &self.databases {
                leave_half_made(&self.platform, database);
            }
        }
    }

    fn nothing_is_left_to_do(&self) {
        let last = self.platform.json(0, &DEPLOY);
        assert_eq!(last["current"], TENANTS.len(), "{last}");
        self.platform
            .ends(0, &["migrate", "status", "--exit-code", "--live"]);
        self.platform
            .has_no_session_within(Duration::from_secs(10), &self.databases);
        invariants::no_lock_is_held(&self.platform, &self.databases);
    }
}

/// Leaves what a CREATE INDEX CONCURRENTLY leaves that was cut off behind its intent.
pub(crate) fn leave_half_made(platform: &Platform, database: &str) {
    let running = "SELECT version FROM _tenantry_history WHERE phase = 'running'";
    for version in platform.query(database, running).into_iter().flatten() {
        let index = format!("i_{version}");
        platform.query(database, &format!("CREATE INDEX {index} ON effects (version)"));
        let half = format!("UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{index}'::regclass");
        platform.query(database, &half);
    }
}
