//! A server with few connections: a run that asks for many leaves half of them to applications.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tenantry::engine::{Engine, NetworkAddress};
use tokio::task::JoinSet;

use super::apart::Place;
use crate::platform::wait;
use crate::{database, stderr};

const CONNECTIONS: &str = "30";
/// More than the server has connections.
const TENANTS: usize = 45;
/// So many connections an application opens at once. The server counts those that were closed a moment ago as well.
const POOL: usize = 4;
/// How long it has them, and has none.
const MOMENT: Duration = Duration::from_millis(150);

#[test]
fn on_postgres_an_application_always_connects() {
    an_application_always_connects(Engine::Postgres, "SELECT pg_sleep(1);\n");
}

#[test]
fn on_mariadb_an_application_always_connects() {
    an_application_always_connects(Engine::MySql, "DO SLEEP(1);\n");
}

fn an_application_always_connects(engine: Engine, slow: &str) {
    let Some(mut place) = Place::with_tenant(engine) else {
        return;
    };
    for number in 0..TENANTS {
        let slug = format!("t{number:02}");
        place
            .platform
            .ends(0, &["tenant", "create", &slug, "--jurisdiction", "eu"]);
    }
    place.turns_crowded();
    let application = Application::starts(place.application());
    place.platform.write("migrations/tenant/002_slow.sql", slow);
    let many = [
        "--concurrency",
        "64",
        "--per-server",
        "64",
        "--canary",
        "0",
        "--same-error",
        "off",
    ];
    let run = place
        .platform
        .command(&[&["migrate", "all-tenants", "--json"][..], &many].concat());
    let output = { run }.output().unwrap();
    let (tried, refused) = application.ends();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(refused, 0, "of {tried}");
    assert!(tried > 3, "{tried}");
}

impl Place {
    fn turns_crowded(&mut self) {
        let setting = match self.server.engine() {
            Engine::MySql => format!("--max-connections={CONNECTIONS}"),
            Engine::Postgres | Engine::Sqlite => format!("-cmax_connections={CONNECTIONS}"),
        };
        self.server.turns(&[&setting]);
    }

    /// Makes an account of no special rights, and returns how it gets in.
    fn application(&self) -> NetworkAddress {
        let engine = self.server.engine();
        let (database, make) = match engine {
            Engine::MySql => (
                "information_schema",
                "CREATE USER application@'127.0.0.1' IDENTIFIED BY 'application'",
            ),
            Engine::Postgres | Engine::Sqlite => {
                ("postgres", "CREATE ROLE application LOGIN PASSWORD 'application'")
            }
        };
        let mut address = self.server.place().address(engine, database);
        let admin = tenantry::engine::Address::Network(address.clone());
        wait(database::query(&admin, make));
        address.login.user = "application".to_owned();
        address.login.password = "application".to_owned().into();
        address
    }
}

/// Opens connections again and again while something else goes on.
struct Application {
    is_over: Arc<AtomicBool>,
    tried: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Application {
    fn starts(address: NetworkAddress) -> Self {
        let (is_over, tried, refused) = <(Arc<AtomicBool>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let (over, all, none) = (Arc::clone(&is_over), Arc::clone(&tried), Arc::clone(&refused));
        let thread = thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                all.fetch_add(1, Ordering::Relaxed);
                if !wait(connects(&address)) {
                    none.fetch_add(1, Ordering::Relaxed);
                }
                thread::sleep(MOMENT);
            }
        });
        Self {
            is_over,
            tried,
            refused,
            thread,
        }
    }

    /// Returns how often it tried, and how often the server refused one of its connections.
    fn ends(self) -> (usize, usize) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        (
            self.tried.load(Ordering::Relaxed),
            self.refused.load(Ordering::Relaxed),
        )
    }
}

/// Opens as many connections as an application's pool has, and holds them for a moment.
async fn connects(address: &NetworkAddress) -> bool {
    let mut opening = JoinSet::new();
    for _ in 0..POOL {
        opening.spawn(connect(address.clone()));
    }
    let opened = opening.join_all().await;
    tokio::time::sleep(MOMENT).await;
    opened.iter().all(Option::is_some)
}

async fn connect(address: NetworkAddress) -> Option<Box<dyn Send>> {
    use secrecy::ExposeSecret as _;
    let password = address.login.password.expose_secret();
    if address.engine == Engine::MySql {
        let options = mysql_async::OptsBuilder::default()
            .ip_or_hostname(address.host)
            .tcp_port(address.port)
            .user(Some(address.login.user))
            .pass(Some(password));
        let connection = mysql_async::Conn::new(options).await.ok()?;
        return Some(Box::new(connection));
    }
    let mut config = tokio_postgres::Config::new();
    config
        .host(&address.host)
        .port(address.port)
        .dbname(&address.database);
    config.user(&address.login.user).password(password);
    let opened = config.connect(tokio_postgres::NoTls).await.ok()?;
    Some(Box::new(opened))
}
