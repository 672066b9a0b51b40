//! What happens to deployers so that a defect shows: a death, a frozen rival, a killed session, a busy file.
//!
//! Each scene holds for a program without the defect, and fails in its invariants for one that has it.

use std::any::Any;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use tenantry::engine::{Address, Engine, NetworkAddress};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::deployer::{End, end, frozen, run, thaw, wake, with_faults};
use crate::fleet::leave_half_made;
use crate::own_server::OwnServer;
use crate::platform::Platform;
use crate::track::{Kind, Tracks};
use crate::wire::Wire;
use crate::{database, invariants};

pub(crate) const DEPLOY: [&str; 4] = ["migrate", "all-tenants", "-j", "1"];
const ACME: [&str; 3] = ["migrate", "tenant", "acme"];
/// How long to wait for something that the other side does at once.
const SOON: Duration = Duration::from_secs(20);

/// One platform on which a scene is played, first without the defect and then with it.
pub(crate) struct Stage {
    pub(crate) platform: Platform,
    pub(crate) databases: Vec<String>,
    pub(crate) tracks: Tracks,
    /// Between us and a tenant's server, where a scene has asked for it.
    pub(crate) wire: Option<Wire>,
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
            wire: None,
        })
    }

    /// The same with the tenant on a server of its own, apart from the registry.
    pub(crate) fn set_on(server: &OwnServer, kinds: &'static [Kind]) -> Option<Self> {
        let mut platform = Platform::initialised(server.engine())?;
        platform.ends(0, &["migrate", "central"]);
        platform.server = Some(server.place());
        platform.add_server();
        platform.write("migrations/tenant/001_base.sql", &Tracks::base());
        platform.ends(0, &["tenant", "create", "acme"]);
        Some(Self {
            databases: vec![platform.database("acme")],
            tracks: Tracks::of(platform.engine, kinds),
            platform,
            wire: None,
        })
    }

    /// Adds a second tenant, unless there are two.
    pub(crate) fn add_second(&mut self) {
        if self.databases.len() < 2 {
            self.platform.ends(0, &["tenant", "create", "globex"]);
            self.databases.push(self.platform.database("globex"));
        }
    }

    pub(crate) fn grow(&mut self, count: u32) {
        self.tracks.grow(&self.platform, count);
    }

    pub(crate) fn acme(&self) -> &str {
        &self.databases[0]
    }

    fn network(&self) -> NetworkAddress {
        match self.platform.address(self.acme()) {
            Address::Network(address) => address,
            Address::Sqlite(_) => panic!("it has no server"),
        }
    }

    /// One plain run, and everything must be there once.
    pub(crate) fn finishes(&self, seed: &str) {
        let end = run(&self.platform, &DEPLOY, seed);
        assert_eq!(end.code, Some(0), "the plain run failed: {}", end.said);
        invariants::hold(&self.platform, &self.databases, &self.tracks);
    }

    /// Green means green: who ends well has done everything that it was asked for.
    pub(crate) fn is_right(&self, end: &End, databases: &[String]) {
        if end.code == Some(0) {
            invariants::hold(&self.platform, databases, &self.tracks);
        }
    }

    pub(crate) fn dies(&self, seed: &str, point: &str) {
        let end = run(&self.platform, &DEPLOY, &both(seed, "kill", point));
        assert!(end.killed, "nobody came to {point}: {}", end.said);
    }
}

pub(crate) fn both(seed: &str, act: &str, point: &str) -> String {
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
    let registry = stage.copied_registry();
    let faults = both(seed, "freeze", "postgres.intent_committed");
    let first = frozen(&mut with_faults(&stage.platform, &DEPLOY, &faults));
    let mut second = stage.rival(&registry, &DEPLOY, seed);
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

/// A second deployer comes to the lock while the first one makes an index and waits for a writer; what the second
/// one asks for the lock with must not be older than the index is.
pub(crate) fn waits_beside_an_index(stage: &mut Stage, seed: &str) {
    stage.grow(1);
    let registry = stage.copied_registry();
    let faults = both(seed, "freeze", "postgres.lock_given_up");
    let second = frozen(&mut stage.rival(&registry, &DEPLOY, &faults));
    let held = Held::postgres(stage, "BEGIN; LOCK TABLE effects IN ROW EXCLUSIVE MODE");
    let first = with_faults(&stage.platform, &DEPLOY, seed).spawn().unwrap();
    let sessions = |what: &str| {
        let count = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND {what}",
            stage.acme()
        );
        stage.platform.one("postgres", &count)
    };
    until(|| sessions("wait_event = 'virtualxid'") == "1");
    wake(&second);
    let asked = "query LIKE '%advisory_lock%' AND query NOT LIKE '%xact%'";
    until(|| {
        sessions(&format!(
            "{asked} AND (state = 'idle' OR wait_event = 'advisory')"
        )) == "1"
    });
    drop(held);
    let ended = [end(first), end(second)];
    stage
        .platform
        .has_no_session_within(SOON, std::slice::from_ref(&stage.databases[0]));
    let deadlocks = format!(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = '{}'",
        stage.acme()
    );
    assert_eq!(
        stage.platform.one("postgres", &deadlocks),
        "0",
        "deadlocks: {ended:?}"
    );
    for ended in ended {
        assert_eq!(ended.code, Some(0), "a deployer failed: {}", ended.said);
    }
    stage.finishes(seed);
}

/// Two take the newest migrations back; the second does between two units of the first what the first has yet
/// to do.
pub(crate) fn two_ways_back(stage: &mut Stage, seed: &str) {
    stage.tracks.grow_both_ways(&stage.platform, 2);
    stage.finishes("");
    let registry = stage.copied_registry();
    let back = ["migrate", "rollback", "acme", "--confirm", "acme", "--step"];
    let faults = both(seed, "freeze", "postgres.read_back");
    let two = [&back[..], &["2"]].concat();
    let first = frozen(&mut with_faults(&stage.platform, &two, &faults));
    let one = [&back[..], &["1"]].concat();
    let second: End = stage.rival(&registry, &one, seed).output().unwrap().into();
    let first = thaw(first);
    for end in [first, second] {
        assert_eq!(end.code, Some(0), "a rollback failed: {}", end.said);
    }
    stage.finishes(seed);
}

/// The server ends a session whose message with the COMMIT in it has only begun.
pub(crate) fn its_session_is_killed(stage: &mut Stage, seed: &str) {
    stage.grow(1);
    let lock = "BEGIN; LOCK TABLE effects, counter IN ACCESS EXCLUSIVE MODE";
    let held = Held::postgres(stage, lock);
    let child = with_faults(&stage.platform, &DEPLOY, seed).spawn().unwrap();
    let kill = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = '{}' AND wait_event_type = 'Lock'",
        stage.acme()
    );
    until(|| stage.platform.one("postgres", &kill) == "t");
    drop(held);
    let ended = end(child);
    stage.is_right(&ended, &stage.databases);
    stage.finishes(seed);
}

/// A second deployer comes while the statement of the first one waits for a reader of its table.
pub(crate) fn two_deployers_wait_for_a_reader(stage: &mut Stage, seed: &str) {
    stage.grow(1);
    let registry = stage.copied_registry();
    let held = Held::mysql(stage, &["BEGIN", "SELECT * FROM wide"]);
    let waiting = format!(
        "SELECT count(*) FROM information_schema.processlist \
         WHERE db = '{}' AND state = 'Waiting for table metadata lock'",
        stage.acme()
    );
    let start = |mut command: Command, window| {
        command.env("TENANTRY_RUN__LOCK_TIMEOUT", "20s");
        command.env("TENANTRY_RUN__LOCK_WINDOW", window).spawn().unwrap()
    };
    let first = start(with_faults(&stage.platform, &DEPLOY, seed), "60s");
    until(|| stage.platform.one("mysql", &waiting) == "1");
    let mut second = start(stage.rival(&registry, &DEPLOY, seed), "1s");
    until(|| stage.platform.one("mysql", &waiting) == "2" || second.try_wait().unwrap().is_some());
    drop(held);
    for ended in [end(first), end(second)] {
        let is_well = ended.code == Some(0) || ended.said.contains("for the migration lock");
        assert!(is_well, "a deployer failed: {}", ended.said);
    }
    stage.finishes(seed);
}

/// Somebody reads the file while its COMMIT is due, for longer than the run has patience.
pub(crate) fn a_reader_delays_the_commit(stage: &mut Stage, seed: &str) {
    stage.grow(1);
    let Address::Sqlite(file) = stage.platform.address(stage.acme()) else {
        panic!("it has no file");
    };
    let faults = both(seed, "freeze", "sqlite.rows_written");
    let mut command = with_faults(&stage.platform, &ACME, &faults);
    command.env("TENANTRY_RUN__LOCK_TIMEOUT", "100ms");
    let first = frozen(command.env("TENANTRY_RUN__LOCK_WINDOW", "1s"));
    let reader = rusqlite::Connection::open(file.path()).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM effects")
        .unwrap();
    let ended = thaw(first);
    drop(reader);
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
    let faults = both(seed, "freeze", "sqlite.statement_done");
    let first = frozen(&mut with_faults(&stage.platform, &ACME, &faults));
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

/// Looks again and again until something is so.
pub(crate) fn until(mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < SOON, "it did not come to that");
        std::thread::yield_now();
    }
}

/// What somebody else holds in acme's database, until this is dropped.
pub(crate) struct Held {
    _connection: Box<dyn Any>,
    _runtime: Runtime,
}

impl Held {
    pub(crate) fn postgres(stage: &Stage, sql: &str) -> Self {
        let (runtime, address) = (runtime(), stage.network());
        let mut tasks = JoinSet::new();
        let client = runtime.block_on(async {
            let client = database::postgres(&address, &mut tasks).await;
            client.batch_execute(sql).await.unwrap();
            client
        });
        Self {
            _connection: Box::new((tasks, client)),
            _runtime: runtime,
        }
    }

    pub(crate) fn mysql(stage: &Stage, statements: &[&str]) -> Self {
        use mysql_async::prelude::Queryable as _;
        let (runtime, address) = (runtime(), stage.network());
        let connection = runtime.block_on(async {
            let mut connection = database::mysql(&address).await;
            for sql in statements {
                connection.query_drop(*sql).await.unwrap();
            }
            connection
        });
        Self {
            _connection: Box::new(connection),
            _runtime: runtime,
        }
    }
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}
