//! A database of its own for each test, on each engine, and a look at it that does not go through us.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tenantry::engine::{Address, Engine, Expects, Login, NetworkAddress, OpenOptions, SqliteAddress, Tls};
use tokio::task::JoinSet;
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// A throwaway database; SQLite's lies in a folder that goes with it.
pub(crate) struct TestDatabase {
    pub(crate) engine: Engine,
    pub(crate) address: Address,
    /// Where a test looks at it: the server's own endpoint, also behind a pooler.
    pub(crate) direct: Address,
    pub(crate) id: String,
    _folder: tempfile::TempDir,
}

/// Where a server of the test run is; `None`, printed, if it was not started.
pub(crate) struct TestServer {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
}

#[expect(
    clippy::disallowed_methods,
    reason = "xtask hands the servers over in the environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub(crate) fn server(engine: Engine) -> Option<TestServer> {
    let prefix = match engine {
        Engine::Postgres => "TENANTRY_TEST_POSTGRES",
        Engine::MySql => "TENANTRY_TEST_MARIADB",
        Engine::Sqlite => return None,
    };
    let Some(place) = variable(prefix) else {
        println!("skipped on {engine}: {prefix} is not set");
        return None;
    };
    let (host, port) = place.rsplit_once(':').unwrap();
    let password_file = variable(&format!("{prefix}_PASSWORD_FILE")).unwrap();
    Some(TestServer {
        host: host.to_owned(),
        port: port.parse().unwrap(),
        user: variable(&format!("{prefix}_USER")).unwrap(),
        password: std::fs::read_to_string(password_file).unwrap(),
    })
}

impl TestServer {
    pub(crate) fn address(&self, engine: Engine, database: &str) -> NetworkAddress {
        NetworkAddress {
            engine,
            host: self.host.clone(),
            port: self.port,
            tls: Tls::Disable,
            direct: None,
            database: database.to_owned(),
            login: Login {
                user: self.user.clone(),
                password: SecretString::from(self.password.clone()),
            },
        }
    }
}

/// Makes an empty database on the engine; `None` if its server is not there.
pub(crate) async fn fresh(engine: Engine) -> Option<TestDatabase> {
    fresh_on(engine, server(engine).as_ref()).await
}

/// Makes an empty database on a server, which SQLite has none of; `None` if the engine needs one.
pub(crate) async fn fresh_on(engine: Engine, server: Option<&TestServer>) -> Option<TestDatabase> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "t_{}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let folder = tempfile::tempdir().unwrap();
    let address = match engine {
        Engine::Sqlite => {
            let file = format!("{name}.db");
            std::fs::write(folder.path().join(&file), b"").unwrap();
            Address::Sqlite(SqliteAddress {
                folder: folder.path().to_owned(),
                file,
            })
        }
        Engine::Postgres => {
            let server = server?;
            let admin = server.address(engine, "postgres");
            query(&Address::Network(admin), &format!("CREATE DATABASE {name}")).await;
            Address::Network(server.address(engine, &name))
        }
        Engine::MySql => {
            let server = server?;
            let admin = server.address(engine, "mysql");
            query(&Address::Network(admin), &format!("CREATE DATABASE {name}")).await;
            Address::Network(server.address(engine, &name))
        }
    };
    Some(TestDatabase {
        engine,
        direct: address.clone(),
        address,
        id: uuid::Uuid::now_v7().to_string(),
        _folder: folder,
    })
}

impl TestDatabase {
    /// Makes an empty database that is reached as this one is.
    pub(crate) async fn another(&self) -> Self {
        let mut other = fresh(self.engine).await.unwrap();
        if let (Address::Network(network), Address::Network(ours)) = (&mut other.address, &self.address) {
            network.port = ours.port;
        }
        other
    }

    /// Asks the database directly; NULL is `NULL`.
    pub(crate) async fn query(&self, sql: &str) -> Vec<Vec<String>> {
        query(&self.direct, sql).await
    }

    pub(crate) async fn one(&self, sql: &str) -> String {
        self.query(sql)
            .await
            .into_iter()
            .flatten()
            .next()
            .unwrap_or_default()
    }

    pub(crate) fn options(&self) -> OpenOptions {
        OpenOptions {
            application_name: "tenantry test".to_owned(),
            connect_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(2),
            lock_window: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(50),
            database_id: self.id.clone(),
            tenant_id: "tenant".to_owned(),
            registry_id: "registry".to_owned(),
            expects: Expects::Tables,
        }
    }
}

/// Makes an empty PostgreSQL database that is reached through a pooler: `1`, `2` or `20` by its connections for
/// each database and role, or `LENIENT`, which drops the options of a start packet. `None`, printed, if it was
/// not started.
pub(crate) async fn pooled(pooler: &str) -> Option<TestDatabase> {
    let port = pooler_port(pooler)?;
    let mut database = fresh(Engine::Postgres).await?;
    if let Address::Network(network) = &mut database.address {
        network.port = port;
    }
    Some(database)
}

/// Returns the port of a pooler on 127.0.0.1; `None`, printed, if it was not started.
pub(crate) fn pooler_port(pooler: &str) -> Option<u16> {
    let name = format!("TENANTRY_TEST_PGBOUNCER_{pooler}");
    let Some(place) = variable(&name) else {
        println!("skipped: {name} is not set");
        return None;
    };
    Some(place.rsplit_once(':').unwrap().1.parse().unwrap())
}

/// Runs SQL directly, through the bare driver.
pub(crate) async fn query(address: &Address, sql: &str) -> Vec<Vec<String>> {
    match address {
        Address::Sqlite(sqlite) => query_sqlite(&sqlite.path(), sql),
        Address::Network(network) if network.engine == Engine::MySql => query_mysql(network, sql).await,
        Address::Network(network) => query_postgres(network, sql).await,
    }
}

fn query_sqlite(path: &std::path::Path, sql: &str) -> Vec<Vec<String>> {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let text = |at| match row.get_ref(at).unwrap() {
            rusqlite::types::ValueRef::Null => "NULL".to_owned(),
            rusqlite::types::ValueRef::Integer(n) => n.to_string(),
            rusqlite::types::ValueRef::Real(n) => n.to_string(),
            rusqlite::types::ValueRef::Text(t) | rusqlite::types::ValueRef::Blob(t) => {
                String::from_utf8_lossy(t).into_owned()
            }
        };
        found.push((0..columns).map(text).collect());
    }
    found
}

/// Opens a connection of the bare driver, into the address's database; it keeps no prepared statements.
pub(crate) async fn mysql(address: &NetworkAddress) -> mysql_async::Conn {
    let options = mysql_async::OptsBuilder::default()
        .ip_or_hostname(address.host.clone())
        .tcp_port(address.port)
        .user(Some(address.login.user.clone()))
        .pass(Some(address.login.password.expose_secret()))
        .db_name(Some(address.database.clone()))
        .prefer_socket(false)
        .stmt_cache_size(0);
    mysql_async::Conn::new(options).await.unwrap()
}

async fn query_mysql(address: &NetworkAddress, sql: &str) -> Vec<Vec<String>> {
    use mysql_async::prelude::Queryable as _;
    let mut connection = mysql(address).await;
    let rows: Vec<mysql_async::Row> = connection.query(sql).await.unwrap();
    connection.disconnect().await.unwrap();
    let text = |value: mysql_async::Value| match value {
        mysql_async::Value::NULL => "NULL".to_owned(),
        mysql_async::Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other @ (mysql_async::Value::Int(_)
        | mysql_async::Value::UInt(_)
        | mysql_async::Value::Float(_)
        | mysql_async::Value::Double(_)
        | mysql_async::Value::Date(..)
        | mysql_async::Value::Time(..)) => other.as_sql(true),
    };
    rows.into_iter()
        .map(|row| row.unwrap().into_iter().map(text).collect())
        .collect()
}

/// Opens a connection of the bare driver; `tasks` drives it.
pub(crate) async fn postgres(address: &NetworkAddress, tasks: &mut JoinSet<()>) -> tokio_postgres::Client {
    let mut config = tokio_postgres::Config::new();
    config
        .host(&address.host)
        .port(address.port)
        .user(&address.login.user)
        .password(address.login.password.expose_secret())
        .dbname(&address.database);
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tasks.spawn(async move { connection.await.unwrap() });
    client
}

async fn query_postgres(address: &NetworkAddress, sql: &str) -> Vec<Vec<String>> {
    let mut tasks = JoinSet::new();
    let client = postgres(address, &mut tasks).await;
    let messages = client.simple_query(sql).await.unwrap();
    let rows = messages.into_iter().filter_map(|message| {
        let SimpleQueryMessage::Row(row) = message else {
            return None;
        };
        Some(
            (0..row.len())
                .map(|at| row.get(at).unwrap_or("NULL").to_owned())
                .collect(),
        )
    });
    rows.collect()
}
