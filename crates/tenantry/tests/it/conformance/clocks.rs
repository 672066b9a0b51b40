//! The clocks of a run: a target whose time is up, and a server that falls silent in the middle.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tenantry::Code;
use tenantry::engine::{Address, Engine, NetworkAddress};
use tenantry::plan::Goal;
use tenantry::run::{Control, Outcome, RunOptions, RunReport, run};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;

use super::{FIRST, job, migrate, track};
use crate::database::TestDatabase;

on_every_engine!(
    a_target_whose_time_is_up_is_cancelled_on_its_server,
    a_server_that_falls_silent_is_given_up_and_nothing_runs_twice,
);

/// A statement that adds one row after so many seconds.
fn slow(engine: Engine, seconds: u32) -> String {
    match engine {
        Engine::Postgres => format!("INSERT INTO effect SELECT 2 FROM pg_sleep({seconds});\n"),
        Engine::MySql => format!("INSERT INTO effect SELECT 2 + SLEEP({seconds});\n"),
        Engine::Sqlite => {
            "INSERT INTO effect WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c \
                           WHERE n < 10000000000) SELECT count(*) FROM c;\n"
                .to_owned()
        }
    }
}

async fn run_with(
    database: &TestDatabase,
    address: Address,
    files: &[(&str, &str)],
    options: RunOptions,
) -> RunReport {
    let mut job = job(database, "acme", &Arc::new(track(database.engine, files)));
    job.target.address = address;
    let (events, _told) = unbounded_channel();
    run("run_test", vec![job], options, Control::default(), events).await
}

async fn a_target_whose_time_is_up_is_cancelled_on_its_server(database: TestDatabase) {
    migrate(&database, &track(database.engine, &[FIRST]), &Goal::Head)
        .await
        .unwrap();
    let slow = slow(database.engine, 60);
    let options = RunOptions {
        target_timeout: Some(Duration::from_millis(1500)),
        ..RunOptions::default()
    };
    let begun = Instant::now();
    let files = [FIRST, ("2_slow.sql", slow.as_str())];
    let report = run_with(&database, database.address.clone(), &files, options).await;
    let target = &report.targets[0];
    assert_eq!(target.failure.as_ref().unwrap().code, Code(4013), "{target:?}");
    assert_eq!(target.outcome, Outcome::Failed, "{target:?}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // The lock is free, and nothing of the statement is there.
    migrate(&database, &track(database.engine, &[FIRST]), &Goal::Head)
        .await
        .unwrap();
    assert_eq!(database.one("SELECT COUNT(*) FROM effect").await, "1");
}

async fn a_server_that_falls_silent_is_given_up_and_nothing_runs_twice(database: TestDatabase) {
    let Address::Network(server) = &database.address else {
        // There is no server that could be silent.
        return;
    };
    migrate(&database, &track(database.engine, &[FIRST]), &Goal::Head)
        .await
        .unwrap();
    let wire = Wire::to(server).await;
    let slow = slow(database.engine, 4);
    let files = [FIRST, ("2_slow.sql", slow.as_str())];
    let options = RunOptions {
        connect_timeout: Duration::from_millis(500),
        progress_timeout: Duration::from_secs(1),
        ..RunOptions::default()
    };
    let begun = Instant::now();
    let address = Address::Network(NetworkAddress {
        port: wire.address.port(),
        ..server.clone()
    });
    let (report, ()) = tokio::join!(run_with(&database, address, &files, options), async {
        database.until_it_runs(server).await;
        wire.silent.store(true, Ordering::SeqCst);
    });
    let target = &report.targets[0];
    assert_eq!(target.failure.as_ref().unwrap().code, Code(5001), "{target:?}");
    assert!(target.attempts > 1, "{target:?}");
    // A server that has answered in this run is waited for a minute.
    assert!(begun.elapsed() < Duration::from_mins(2), "{:?}", begun.elapsed());
    drop(wire);
    migrate(&database, &track(database.engine, &files), &Goal::Head)
        .await
        .unwrap();
    assert_eq!(database.one("SELECT COUNT(*) FROM effect").await, "2");
}

impl TestDatabase {
    /// Waits until the slow statement has begun.
    async fn until_it_runs(&self, server: &NetworkAddress) {
        let database = &server.database;
        let question = match self.engine {
            Engine::Postgres => format!(
                "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = '{database}' AND state = 'active' \
                 AND wait_event = 'PgSleep'"
            ),
            Engine::MySql | Engine::Sqlite => format!(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{database}' \
                 AND state = 'User sleep'"
            ),
        };
        let begun = Instant::now();
        while self.one(&question).await != "1" {
            assert!(begun.elapsed() < Duration::from_secs(10), "it never ran");
        }
    }
}

/// A way to a server on which nothing moves any more once it is silent; connections are still accepted.
struct Wire {
    address: SocketAddr,
    silent: Arc<AtomicBool>,
    _tasks: JoinSet<()>,
}

impl Wire {
    async fn to(server: &NetworkAddress) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let silent = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        let (flag, server) = (Arc::clone(&silent), (server.host.clone(), server.port));
        tasks.spawn(async move {
            let mut ways = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let to = TcpStream::connect((server.0.as_str(), server.1)).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), to.into_split());
                ways.spawn(carry(from_client, to_server, Arc::clone(&flag)));
                ways.spawn(carry(from_server, to_client, Arc::clone(&flag)));
            }
        });
        Self {
            address,
            silent,
            _tasks: tasks,
        }
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    silent: Arc<AtomicBool>,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if silent.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
