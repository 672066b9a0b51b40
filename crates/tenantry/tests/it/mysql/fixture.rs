//! A database of its own for each test, on the server that the environment names.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mysql_async::prelude::{FromRow, Queryable as _};
use mysql_async::{Conn, OptsBuilder};
use tenantry::TrackName;
use tenantry::engine::{
    self, Address, ApplyError, Engine, Expects, Login, NetworkAddress, OpenOptions, Recorded, Session,
    SessionError, Tls, Unit,
};
use tenantry::migration::{Checksum, Directives, Migration, Script, Statement, Track, Version};
use tenantry::plan::{Goal, plan};

use super::proxy::{Cut, Proxy};

#[expect(
    clippy::disallowed_methods,
    reason = "the test server is named by the environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The server under test.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) ca_pem: Option<Arc<str>>,
    pub(super) log: Option<PathBuf>,
}

impl Server {
    /// Returns the server; `None`, said aloud, if the environment names none.
    pub(super) fn find() -> Option<Self> {
        let Some(address) = variable("TENANTRY_TEST_MARIADB") else {
            assert!(variable("CI").is_none(), "no MariaDB server, which CI must have");
            println!("skipped: TENANTRY_TEST_MARIADB names no server");
            return None;
        };
        let (host, port) = address.rsplit_once(':').unwrap();
        let password = variable("TENANTRY_TEST_MARIADB_PASSWORD_FILE").unwrap();
        Some(Self {
            host: host.to_owned(),
            port: port.parse().unwrap(),
            user: variable("TENANTRY_TEST_MARIADB_USER").unwrap(),
            password: std::fs::read_to_string(password).unwrap().trim_end().to_owned(),
            ca_pem: variable("TENANTRY_TEST_MARIADB_CA_FILE")
                .map(|file| std::fs::read_to_string(file).unwrap().into()),
            log: variable("TENANTRY_TEST_MARIADB_LOG").map(PathBuf::from),
        })
    }

    pub(super) fn login(&self) -> Login {
        Login {
            user: self.user.clone(),
            password: self.password.clone().into(),
        }
    }

    /// Opens a connection of the administrator's.
    pub(super) async fn admin(&self) -> Conn {
        let opts = OptsBuilder::default()
            .ip_or_hostname(&self.host)
            .tcp_port(self.port)
            .user(Some(&self.user))
            .pass(Some(&self.password))
            .prefer_socket(false);
        Conn::new(opts).await.unwrap()
    }
}

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A name that no other test uses.
pub(super) fn unique(prefix: &str) -> String {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}_{}_{number}", std::process::id())
}

/// A database, dropped at the end of its test.
pub(super) struct Database {
    pub(super) server: Server,
    pub(super) name: String,
    pub(super) admin: Conn,
}

impl Database {
    pub(super) async fn create() -> Option<Self> {
        let server = Server::find()?;
        let name = unique("tenantry`test");
        let mut admin = server.admin().await;
        let quoted = name.replace('`', "``");
        admin
            .query_drop(format!("CREATE DATABASE `{quoted}`"))
            .await
            .unwrap();
        admin.query_drop(format!("USE `{quoted}`")).await.unwrap();
        Some(Self { server, name, admin })
    }

    pub(super) async fn drop(mut self) {
        let quoted = self.name.replace('`', "``");
        self.admin
            .query_drop(format!("DROP DATABASE `{quoted}`"))
            .await
            .unwrap();
    }

    pub(super) fn network(&self) -> NetworkAddress {
        NetworkAddress {
            engine: Engine::MySql,
            host: self.server.host.clone(),
            port: self.server.port,
            tls: Tls::Disable,
            direct: None,
            database: self.name.clone(),
            login: self.server.login(),
        }
    }

    pub(super) fn address(&self) -> Address {
        Address::Network(self.network())
    }

    pub(super) fn options(&self) -> OpenOptions {
        OpenOptions {
            application_name: "tenantry-test".to_owned(),
            connect_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(3),
            lock_window: Duration::from_mins(1),
            idle_timeout: Duration::from_secs(50),
            database_id: format!("id-{}", self.name),
            tenant_id: "tenant-1".to_owned(),
            registry_id: "registry-1".to_owned(),
            expects: Expects::Tables,
        }
    }

    pub(super) async fn open(&self) -> Result<Box<dyn Session>, SessionError> {
        engine::open(&self.address(), &self.options()).await
    }

    /// Plans against what the database says and carries the plan out as one unit; empty if nothing is
    /// to be done.
    pub(super) async fn migrate(&self, track: &Track, goal: &Goal) -> Result<Vec<Recorded>, ApplyError> {
        let mut session = self.open().await.unwrap();
        migrate_on(session.as_mut(), track, goal).await
    }

    /// Migrates over a connection that is cut; returns how many messages it took, or `None` if it broke.
    pub(super) async fn migrate_cut(&mut self, files: &Track, goal: &Goal, cut: Cut) -> Option<usize> {
        // A lock that is not free yet costs more messages.
        self.alone().await;
        let server = (self.server.host.clone(), self.server.port);
        let proxy = Proxy::start("127.0.0.1:0", server, cut).await;
        let mut address = self.network();
        address.host = proxy.address.ip().to_string();
        address.port = proxy.address.port();
        let mut session = engine::open(&Address::Network(address), &self.options())
            .await
            .ok()?;
        migrate_on(session.as_mut(), files, goal).await.ok()?;
        Some(proxy.messages.load(Ordering::SeqCst))
    }

    /// Returns the only column of a question's only row.
    pub(super) async fn one(&mut self, sql: &str) -> String {
        self.admin.query_first(sql).await.unwrap().unwrap()
    }

    pub(super) async fn rows<T: FromRow + Send + 'static>(&mut self, sql: &str) -> Vec<T> {
        self.admin.query(sql).await.unwrap()
    }

    /// Waits until nobody else is connected to the database, so that its lock is free.
    pub(super) async fn alone(&mut self) {
        let others = format!(
            "SELECT COUNT(*) FROM information_schema.processlist \
             WHERE db = '{}' AND id <> CONNECTION_ID()",
            self.name
        );
        while self.one(&others).await != "0" {
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn run(&mut self, sql: &str) {
        self.admin.query_drop(sql).await.unwrap();
    }

    /// Waits until a session sleeps in this database and ends it with `KILL CONNECTION`, or its statement with
    /// `KILL QUERY`. Not to be dropped half-way: the administrator's connection is needed again.
    pub(super) async fn kill_sleeping(&mut self, kill: &str) {
        self.kill_waiting(kill, "User sleep").await;
    }

    /// The same with a session in another state.
    pub(super) async fn kill_waiting(&mut self, kill: &str, state: &str) {
        let id = self.when(state).await;
        self.run(&format!("{kill} {id}")).await;
        if kill == "KILL CONNECTION" {
            // What it waits for must not be given to it in its last moment.
            let there = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id}");
            while self.one(&there).await != "0" {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits until a session is in this state in this database, and returns its id.
    pub(super) async fn when(&mut self, state: &str) -> String {
        let question = format!(
            "SELECT COALESCE(MAX(id), 0) FROM information_schema.processlist \
             WHERE db = '{}' AND state = '{state}'",
            self.name
        );
        let mut id = "0".to_owned();
        while id == "0" {
            tokio::task::yield_now().await;
            id = self.one(&question).await;
        }
        id
    }
}

pub(super) async fn migrate_on(
    session: &mut dyn Session,
    track: &Track,
    goal: &Goal,
) -> Result<Vec<Recorded>, ApplyError> {
    let planned = plan(track, session.history(), goal).unwrap();
    if planned.steps.is_empty() {
        return Ok(Vec::new());
    }
    let unit = Unit {
        track: track.name.clone(),
        direction: goal.direction(),
        steps: planned.steps,
        run_id: "run-1".to_owned(),
        attempt_id: unique("attempt"),
    };
    session.carry_out(&unit).await
}

/// Makes a track of files with the versions 1, 2, 3 …; each may have a way back.
pub(super) fn track(files: &[(&str, Option<&str>)]) -> Track {
    let mut named = Vec::new();
    for ((up, down), number) in files.iter().zip(1..) {
        named.push((format!("{number}_file.sql"), *up));
        named.extend(down.map(|down| (format!("{number}_file.down.sql"), down)));
    }
    let named: Vec<(&str, &str)> = named.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    Track::from_files(TrackName::Tenant, Engine::MySql, &named).unwrap()
}

/// Makes a track of one file with one statement, past everything that reading a file refuses.
pub(super) fn unchecked(statement: &str) -> Track {
    let mut track = track(&[("SELECT 1;\n", None)]);
    let end = u32::try_from(statement.len()).unwrap();
    let script = Script {
        path: "1_file.sql".into(),
        text: statement.to_owned(),
        checksum: Checksum::of(statement),
        statements: vec![Statement { start: 0, end }],
        directives: Directives::default(),
        own_session: false,
    };
    track.migrations = vec![Arc::new(Migration {
        version: Version::from_number(1).unwrap(),
        name: "file".to_owned(),
        up: script,
        down: None,
    })];
    track
}
