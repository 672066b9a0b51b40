//! Three tenants on one engine whose deployers die at points.

use std::time::{Duration, Instant};

use tenantry::engine::Engine;
use tenantry::faults::Point;

use crate::deployer::{End, run};
use crate::platform::Platform;
use crate::row::Share;
use crate::taken_up::TakenUp;
use crate::track::{Kind, Tracks};
use crate::{invariants, say};

pub(crate) const TENANTS: [&str; 3] = ["acme", "globex", "hooli"];
pub(crate) const DEPLOY: [&str; 4] = ["migrate", "all-tenants", "-j", "3"];
/// Why a row is skipped.
pub(crate) const NO_SERVER: &str = "there is no server";
/// What makes work for every step.
pub(crate) const KINDS: &[Kind] = &[
    Kind::Table,
    Kind::Altered,
    Kind::Column,
    Kind::Index,
    Kind::Rows,
    Kind::Own,
];
/// The same without PostgreSQL's own, whose files are large.
pub(crate) const SMALL: &[Kind] = &[Kind::Table, Kind::Altered, Kind::Column, Kind::Index, Kind::Rows];
/// PostgreSQL's own, for the points in the middle of a transaction that needs several messages.
pub(crate) const LARGE: (&[Kind], &[Point]) = (&[Kind::Own], &[Point::PostgresPartAnswered]);

/// How often a deployer dies at each step.
pub(crate) const SHARE: Share = Share {
    row: "points",
    ci: 3,
    whole: 20,
    minutes: 60,
};

/// Returns the points of an engine, without those of a large transaction.
pub(crate) fn points_of(engine: Engine) -> Vec<Point> {
    let own = match engine {
        Engine::Postgres => "postgres.",
        Engine::MySql => "mysql.",
        Engine::Sqlite => "sqlite.",
    };
    let here = |point: &&Point| point.name().starts_with(own) && !LARGE.1.contains(point);
    Point::ALL.iter().filter(here).copied().collect()
}

/// The platform with what must be true of it.
pub(crate) struct Fleet {
    pub(crate) platform: Platform,
    pub(crate) databases: Vec<String>,
    pub(crate) tracks: Tracks,
    /// How many kinds of migrations take turns.
    pub(crate) kinds: usize,
    /// What was taken up so far.
    pub(crate) taken_up: TakenUp,
}

impl Fleet {
    /// Makes one whose tenants have a first migration before them; `None` if there is no server.
    pub(crate) fn start(engine: Engine, kinds: &'static [Kind]) -> Option<Self> {
        let platform = Platform::with_tenants(engine, &[], &TENANTS)?;
        platform.write("migrations/tenant/001_base.sql", &Tracks::base());
        Some(Self {
            databases: TENANTS.iter().map(|tenant| platform.database(tenant)).collect(),
            tracks: Tracks::of(engine, kinds),
            kinds: kinds.len(),
            taken_up: TakenUp::default(),
            platform,
        })
    }

    pub(crate) fn killed_at(&mut self, point: Point, passing: usize, words: &[&str]) -> End {
        let words = [words, &["--ndjson"]].concat();
        let end = run(
            &self.platform,
            &words,
            &format!("kill={}:{passing}", point.name()),
        );
        self.taken_up += end.taken_up;
        end
    }

    /// A plain run comes to its end.
    pub(crate) fn deploys(&mut self) {
        let answer = self.platform.json(0, &DEPLOY);
        self.taken_up += TakenUp::in_answer(&answer);
    }

    /// One plain run, and everything must be there once. Prints how long it took since a moment.
    pub(crate) fn finishes(&mut self, point: Point, since: Instant) {
        self.deploys();
        invariants::hold(&self.platform, &self.databases, &self.tracks);
        say(&format!(
            "{}: {:<28} {:>5.1} s",
            self.platform.engine,
            point.name(),
            since.elapsed().as_secs_f64()
        ));
    }

    pub(crate) fn nothing_is_left_to_do(&self) {
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
