//! The lock queue: a long SELECT is in the way of an ALTER, and behind the ALTER wait the application's readers.
//!
//! What they wait longer than readers of another table is what the ALTER cost them; the machine's own moods cost
//! both the same.

use std::process::Child;
use std::time::Duration;

use serde_json::Value;
use tenantry::engine::{Engine, NetworkAddress};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

use super::observer::Observer;
use super::row::{Row, Share};
use crate::only_json;
use crate::platform::{Platform, wait};

const SHARE: Share = Share {
    row: "queue",
    ci: 1,
    whole: 1,
    minutes: 10,
};
/// The shortest that both engines can be set to.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// How much later than that a reader may get its answer.
const MORE: Duration = Duration::from_millis(200);
/// So many connections read the altered table, each once in `EVERY`: 25 reads a second, and none is late because the
/// one before it had to wait.
const READERS: u32 = 40;
const EVERY: Duration = Duration::from_millis(1_600);
/// So many read the other table.
const OTHERS: u32 = 20;
/// When the long SELECT ends that the deployer outlasts.
const SELECT_ENDS: Duration = Duration::from_secs(4);
const LONGEST: Duration = Duration::from_mins(2);

const BASE: (&str, &str) = (
    "001_base.sql",
    "CREATE TABLE busy (n INTEGER);\nINSERT INTO busy VALUES (1);\n\
     CREATE TABLE calm (n INTEGER);\nINSERT INTO calm VALUES (1);\n",
);
const ALTER: &str = "ALTER TABLE busy ADD COLUMN late INTEGER;\n";

#[test]
fn on_postgres_an_alter_behind_a_long_select_keeps_no_reader_waiting_for_longer_than_it_may() {
    in_the_queue("PostgreSQL", Engine::Postgres);
}

#[test]
fn on_mariadb_an_alter_behind_a_long_select_keeps_no_reader_waiting_for_longer_than_it_may() {
    in_the_queue("MariaDB", Engine::MySql);
}

fn in_the_queue(subject: &'static str, engine: Engine) {
    let mut row = Row::begin(&SHARE, subject);
    let Some(platform) = Platform::with_tenants(engine, &[BASE], &["acme"]) else {
        return row.skip("there is no server");
    };
    platform.write("migrations/tenant/002_alter.sql", ALTER);
    let database = platform.database("acme");
    let address = platform.server.as_ref().unwrap().address(engine, &database);
    if engine == Engine::MySql {
        may_see_others(&platform, &database);
    }
    wait(async {
        let select = LongSelect::begin(&address).await;
        let (blocked, mut waits) = beside_readers(&address, || deploy(&platform, "4s")).await;
        is_blocked_by(&blocked, &select.pid);
        select.end(&address).await;

        let select = LongSelect::begin(&address).await;
        let ((ended, more), ()) =
            tokio::join!(beside_readers(&address, || deploy(&platform, "60s")), async {
                tokio::time::sleep(SELECT_ENDS).await;
                select.end(&address).await;
            });
        assert_eq!(ended["applied"], 1, "{ended}");
        waits.add(more);
        waits.are_bounded(subject);
    });
    row.count(1, 1);
}

/// The SELECT is the administrator's; an account sees others' sessions only with this right.
fn may_see_others(platform: &Platform, database: &str) {
    // The server keeps the name as a pattern, with a backslash before each underscore.
    let accounts = format!("SELECT User, Host FROM mysql.db WHERE REPLACE(Db, CHAR(92), '') = '{database}'");
    let accounts = platform.query("mysql", &accounts);
    let [account] = accounts.as_slice() else {
        panic!("{accounts:?}")
    };
    let grant = format!("GRANT PROCESS ON *.* TO '{}'@'{}'", account[0], account[1]);
    platform.query("mysql", &grant);
}

fn is_blocked_by(ended: &Value, pid: &str) {
    let target = &ended["targets"][0];
    assert_eq!(target["status"], "blocked", "{ended}");
    let pid: i64 = pid.parse().unwrap();
    let named = target["error"]["blocked_by"].as_array().unwrap();
    assert!(named.iter().any(|holder| holder["pid"] == pid), "{pid}: {ended}");
}

/// Starts the deployer that is to alter the table.
fn deploy(platform: &Platform, window: &str) -> Child {
    platform
        .command(&["migrate", "all-tenants", "--json"])
        .env("TENANTRY_RUN__LOCK_TIMEOUT", "1s")
        .env("TENANTRY_RUN__LOCK_WINDOW", window)
        .spawn()
        .unwrap()
}

/// A SELECT of the application's that runs for minutes.
struct LongSelect {
    pid: String,
    running: JoinSet<()>,
}

impl LongSelect {
    /// Begins, and waits until the server says that it runs.
    async fn begin(address: &NetworkAddress) -> Self {
        let (pid, sql, is_at_it) = match address.engine {
            Engine::MySql => (
                "SELECT CONNECTION_ID()",
                "SELECT SLEEP(600) FROM busy",
                "SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(600)%' AND id = ",
            ),
            Engine::Postgres | Engine::Sqlite => (
                "SELECT pg_backend_pid()",
                "SELECT pg_sleep(600) FROM busy",
                "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = ",
            ),
        };
        let mut application = Observer::connect(address).await;
        let pid = application.list(pid).await.remove(0);
        let mut running = JoinSet::new();
        running.spawn(async move {
            // One engine calls being cancelled an error, the other does not.
            let ended = application.try_list(sql).await;
            println!(
                "the long SELECT: {}",
                if ended.is_ok() { "ended" } else { "cancelled" }
            );
        });
        let mut observer = Observer::connect(address).await;
        let begun = async { while observer.list(&format!("{is_at_it}{pid}")).await.is_empty() {} };
        timeout(LONGEST, begun).await.expect("the SELECT never began");
        Self { pid, running }
    }

    async fn end(mut self, address: &NetworkAddress) {
        let mut observer = Observer::connect(address).await;
        let kill = match address.engine {
            Engine::MySql => format!("KILL QUERY {}", self.pid),
            Engine::Postgres | Engine::Sqlite => format!("SELECT pg_cancel_backend({})", self.pid),
        };
        observer.list(&kill).await;
        self.running.join_next().await;
    }
}

/// How long readers waited, beginning with when their read was due.
#[derive(Default)]
struct Waits {
    busy: Vec<Duration>,
    calm: Vec<Duration>,
}

impl Waits {
    fn add(&mut self, more: Self) {
        self.busy.extend(more.busy);
        self.calm.extend(more.calm);
    }

    fn are_bounded(mut self, subject: &str) {
        let (busy, calm) = (p99(&mut self.busy), p99(&mut self.calm));
        println!(
            "{subject}: p99 of {} reads {busy:?}, of {} reads of another table {calm:?}",
            self.busy.len(),
            self.calm.len()
        );
        assert!(
            busy > LOCK_TIMEOUT / 2,
            "no reader ever waited behind the ALTER: {busy:?}"
        );
        let extra = busy.saturating_sub(calm);
        assert!(
            extra <= LOCK_TIMEOUT + MORE,
            "readers waited {extra:?} behind the ALTER"
        );
    }
}

fn p99(waits: &mut [Duration]) -> Duration {
    waits.sort_unstable();
    waits.get(waits.len() * 99 / 100).copied().unwrap_or_default()
}

/// Reads both tables all the time until the deployer has come to its end; returns what it said, and the waits.
async fn beside_readers(address: &NetworkAddress, deploy: impl FnOnce() -> Child) -> (Value, Waits) {
    let (busy, calm) = (readers(address, READERS).await, readers(address, OTHERS).await);
    let (stop, stopped) = watch::channel(false);
    let busy = read_all("SELECT n FROM busy", busy, &stopped);
    let calm = read_all("SELECT n FROM calm", calm, &stopped);
    let mut deployer = deploy();
    let ended = async {
        let mut ticks = interval(Duration::from_millis(20));
        while deployer.try_wait().unwrap().is_none() {
            ticks.tick().await;
        }
    };
    timeout(LONGEST, ended).await.expect("the deployer never ends");
    stop.send_replace(true);
    let waits = Waits {
        busy: busy.join_all().await.concat(),
        calm: calm.join_all().await.concat(),
    };
    (only_json(&deployer.wait_with_output().unwrap()), waits)
}

async fn readers(address: &NetworkAddress, many: u32) -> Vec<Observer> {
    let mut readers = Vec::new();
    for _ in 0..many {
        readers.push(Observer::connect(address).await);
    }
    readers
}

/// Lets each read again and again, one behind the other.
fn read_all(
    sql: &'static str,
    readers: Vec<Observer>,
    stopped: &watch::Receiver<bool>,
) -> JoinSet<Vec<Duration>> {
    let begin = Instant::now();
    let between = EVERY / u32::try_from(readers.len()).unwrap();
    let mut reading = JoinSet::new();
    for (at, reader) in (0..).zip(readers) {
        reading.spawn(read(sql, reader, begin + between * at, stopped.clone()));
    }
    reading
}

/// Returns how long each read took since it was due.
async fn read(
    sql: &'static str,
    mut reader: Observer,
    mut due: Instant,
    stopped: watch::Receiver<bool>,
) -> Vec<Duration> {
    let mut waits = Vec::new();
    loop {
        tokio::time::sleep_until(due).await;
        if *stopped.borrow() {
            return waits;
        }
        reader.list(sql).await;
        waits.push(due.elapsed());
        due += EVERY;
    }
}
