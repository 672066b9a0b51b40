//! What happens to deployers so that a defect shows: a death, a frozen rival, a killed session, a busy file.
//!
//! Each scene holds for a program without the defect, and fails in its invariants for one that has it.

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use tenantry::engine::{Address, Engine};
use tokio::task::JoinSet;

use crate::deployer::{End, end, frozen, run, thaw, with_faults};
use crate::fleet::leave_half_made;
use crate::platform::Platform;
use crate::track::{Kind, Tracks};
use crate::{database, invariants};

const DEPLOY: [&str; 4] = ["migrate", "all-tenants", "-j", "1"];
const ACME: [&str; 3] = ["migrate", "tenant", "acme"];
/// How long to wait for something that the other side does at once.
const SOON: Duration = Duration::from_secs(20);
/// How long a deployer is watched that should wait.
const WHILE_IT_WAITS: Duration = Duration::from_millis(700);

/// One platform on which a scene is played, first without the defect and then with it.
pub(crate) struct Stage {
    platform: Platform,
    databases: Vec<String>,
    tracks: Tracks,
}

impl Stage {
    /// Sets the stage; `None` if there is no server.
    pub(crate) fn set(engine: Engine, kinds: &'static [Kind]) -> Option<Self> {
        let tenants: &[&str] = match engine {
            Engine::Sqlite => &["acme", "globex"],
            Engine::Postgres | Engine::MySql => &["acme"],
        };
        let base = Tracks::base();
        let platform = Platform::with_tenants(engine, &[("001_base.sql", &base)], tenants)?;
        Some(Self {
            databases: tenants.iter().map(|tenant| platform.database(tenant)).collect(),
            tracks: Tracks::of(engine, kinds),
            platform,
        })
    }

    fn grow(&mut self, count: u32) {
        self.tracks.grow(&self.platform, count);
    }

    fn acme(&self) -> &str {
        &self.databases[0]
    }

    /// One plain run, and everything must be there once.
    fn finishes(&self, seed: &str) {
        let end = run(&self.platform, &DEPLOY, seed);
        assert_eq!(end.code, Some(0), "the plain run failed: {}", end.said);
        invariants::hold(&self.platform, &self.databases, &self.tracks);
    }

    /// Green means green: who ends well has done everything that it was asked for.
    fn is_right(&self, end: &End, databases: &[String]) {
        if end.code == Some(0) {
            invariants::hold(&self.platform, databases, &self.tracks);
        }
    }

    fn dies(&self, seed: &str, point: &str) {
        let end = run(&self.platform, &DEPLOY, &both(seed, "kill", point));
        assert!(end.killed, "nobody came to {point}: {}", end.said);
    }
}

fn both(seed: &str, act: &str, point: &str) -> String {
    format!("{seed};{act}={point}")
}

fn dies_then_finishes(stage: &mut Stage, seed: &str, point: &str) {
    stage.grow(1);
    stage.dies(seed, point);
    stage.finishes(seed);
}

pub(crate) fn dies_behind_a_commit(stage: &mut Stage, seed: &str) {
    let point = match stage.platform.engine {
        Engine::Postgres => "postgres.committed",
        Engine::MySql => "mysql.unit_closed",
        Engine::Sqlite => "sqlite.committed",
    };
    dies_then_finishes(stage, seed, point);
}

pub(crate) fn dies_behind_rows(stage: &mut Stage, seed: &str) {
    dies_then_finishes(stage, seed, "mysql.rows_answered");
}

pub(crate) fn dies_behind_an_object(stage: &mut Stage, seed: &str) {
    dies_then_finishes(stage, seed, "mysql.objects_answered");
}

pub(crate) fn dies_behind_an_index(stage: &mut Stage, seed: &str) {
    dies_then_finishes(stage, seed, "postgres.statement_done");
}

/// The call wrote its row, and nothing says so but the file's own query.
pub(crate) fn dies_behind_a_call(stage: &mut Stage, seed: &str) {
    let note = "CREATE OR REPLACE PROCEDURE note(v INT) INSERT INTO effects VALUES (v)";
    stage.platform.query(stage.acme(), note);
    dies_then_finishes(stage, seed, "mysql.alone_answered");
}

/// The intent stands and its statement never ran.
pub(crate) fn dies_before_an_object(stage: &mut Stage, seed: &str) {
    stage.grow(1);
    stage.dies(seed, "mysql.objects_answered");
    let undone = format!("ALTER TABLE wide DROP COLUMN c_{}", stage.tracks.newest());
    stage.platform.query(stage.acme(), &undone);
    stage.finishes(seed);
}

pub(crate) fn leaves_half_an_index(stage: &mut Stage, seed: &str) {
    stage.grow(1);
    stage.dies(seed, "postgres.intent_committed");
    leave_half_made(&stage.platform, stage.acme());
    stage.finishes(seed);
}

/// A second deployer comes while the first one is frozen in the middle of its work.
pub(crate) fn two_deployers(stage: &mut Stage, seed: &str) {
    stage.grow(1);
    let first = frozen(
        &stage.platform,
        &DEPLOY,
        &both(seed, "freeze", "postgres.intent_committed"),
    );
    let mut second = with_faults(&stage.platform, &DEPLOY, seed);
    let second: End = second
        .env("TENANTRY_RUN__LOCK_WINDOW", "1s")
        .output()
        .unwrap()
        .into();
    let first = thaw(first);
    assert_eq!(first.code, Some(0), "the first deployer failed: {}", first.said);
    stage.is_right(&second, &stage.databases);
    stage.finishes(seed);
}

/// Two take the newest migrations back; the second does between two units of the first what the first has yet
/// to do.
pub(crate) fn two_ways_back(stage: &mut Stage, seed: &str) {
    stage.tracks.grow_both_ways(&stage.platform, 2);
    stage.finishes("");
    let back = ["migrate", "rollback", "acme", "--confirm", "acme", "--step"];
    let first = frozen(
        &stage.platform,
        &[&back[..], &["2"]].concat(),
        &both(seed, "freeze", "postgres.read_back"),
    );
    let second = run(&stage.platform, &[&back[..], &["1"]].concat(), seed);
    let first = thaw(first);
    for end in [first, second] {
        assert_eq!(end.code, Some(0), "a rollback failed: {}", end.said);
    }
    stage.finishes(seed);
}

/// The server ends a session whose message with the COMMIT in it has only begun.
pub(crate) fn its_session_is_killed(stage: &mut Stage, seed: &str) {
    stage.grow(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.unwrap();
    let mut tasks = JoinSet::new();
    let Address::Network(address) = stage.platform.address(stage.acme()) else {
        panic!("it has no server");
    };
    let lock = "BEGIN; LOCK TABLE effects, counter IN ACCESS EXCLUSIVE MODE";
    let client = runtime.block_on(async {
        let client = database::postgres(&address, &mut tasks).await;
        client.batch_execute(lock).await.unwrap();
        client
    });
    let child = with_faults(&stage.platform, &DEPLOY, seed).spawn().unwrap();
    let waiting = format!(
        "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND wait_event_type = 'Lock'",
        stage.acme()
    );
    let pid = soon(|| {
        let found = stage.platform.one("postgres", &waiting);
        (!found.is_empty()).then_some(found)
    });
    stage
        .platform
        .query("postgres", &format!("SELECT pg_terminate_backend({pid})"));
    runtime.block_on(client.batch_execute("ROLLBACK")).unwrap();
    let ended = end(child);
    stage.is_right(&ended, &stage.databases);
    stage.finishes(seed);
}

/// Somebody reads the file while its COMMIT is due.
pub(crate) fn a_reader_delays_the_commit(stage: &mut Stage, seed: &str) {
    stage.grow(1);
    let Address::Sqlite(file) = stage.platform.address(stage.acme()) else {
        panic!("it has no file");
    };
    let reader = rusqlite::Connection::open(file.path()).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM effects")
        .unwrap();
    let mut command = with_faults(&stage.platform, &ACME, seed);
    let mut child = command
        .env("TENANTRY_RUN__LOCK_TIMEOUT", "100ms")
        .spawn()
        .unwrap();
    wait_a_while(&mut child);
    reader.execute_batch("COMMIT").unwrap();
    drop(reader);
    let ended = end(child);
    assert_eq!(ended.code, Some(0), "a reader made the run fail: {}", ended.said);
    stage.is_right(&ended, &stage.databases[..1]);
    stage.finishes(seed);
}

/// Somebody puts another file in the place of the one that is being migrated.
pub(crate) fn the_file_is_replaced(stage: &mut Stage, seed: &str) {
    stage.grow(1);
    let Address::Sqlite(file) = stage.platform.address(stage.acme()) else {
        panic!("it has no file");
    };
    let other = stage.platform.path("data/other");
    let first = frozen(
        &stage.platform,
        &ACME,
        &both(seed, "freeze", "sqlite.statement_done"),
    );
    fs::copy(file.path(), &other).unwrap();
    fs::rename(&other, file.path()).unwrap();
    let ended = thaw(first);
    stage.is_right(&ended, &stage.databases[..1]);
    stage.finishes(seed);
}

/// Two tenants' databases are mixed up while one of them is migrated.
pub(crate) fn two_databases_are_swapped(stage: &mut Stage, seed: &str) {
    stage.grow(1);
    let swap = || {
        let path = |name: &str| stage.platform.path("data").join(name);
        let (one, other, between) = (
            path(&stage.databases[0]),
            path(&stage.databases[1]),
            path("between"),
        );
        fs::rename(&one, &between).unwrap();
        fs::rename(&other, &one).unwrap();
        fs::rename(&between, &other).unwrap();
    };
    swap();
    let ended = run(&stage.platform, &ACME, seed);
    swap();
    stage.is_right(&ended, &stage.databases[..1]);
    stage.finishes(seed);
}

/// Who goes on asks the registry what is left to do.
pub(crate) fn another_goes_on(stage: &mut Stage, seed: &str) {
    stage.grow(1);
    stage.dies(seed, "sqlite.locked");
    let resumed = run(&stage.platform, &["migrate", "resume"], seed);
    assert_eq!(resumed.code, Some(0), "the resume failed: {}", resumed.said);
    stage.is_right(&resumed, &stage.databases);
    stage.finishes(seed);
}

fn soon<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < SOON, "it did not come to that");
        std::thread::yield_now();
    }
}

/// Watches a deployer that should wait; returns earlier if it has ended.
fn wait_a_while(child: &mut Child) {
    let begin = Instant::now();
    while begin.elapsed() < WHILE_IT_WAITS && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
}
