//! An empty central database with the registry's schema, on each engine.

use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection};
use secrecy::SecretString;
use tenantry::engine::{Address, Engine, Login, NetworkAddress, SqliteAddress, Tls};
use tenantry::registry::{Registry, RegistryError, track};
use tenantry::secret::{Key, KeyRing};

pub(super) const REGISTRY_ID: &str = "0195a000-0000-7000-8000-000000000001";
const POSTGRES: &str = "TENANTRY_TEST_POSTGRES";
const MARIADB: &str = "TENANTRY_TEST_MARIADB";
const TIMEOUT: Duration = Duration::from_secs(5);

/// A central database of one test.
pub(super) struct Central {
    pub(super) address: Address,
    /// A connection beside the registry's, for looking and meddling.
    pub(super) db: DatabaseConnection,
    _folder: Option<tempfile::TempDir>,
}

impl Central {
    /// Opens the registry without keys.
    pub(super) async fn open(&self) -> Result<Registry, RegistryError> {
        Registry::connect(&self.address, TIMEOUT).await
    }

    /// Opens the registry with a new key.
    pub(super) async fn registry(&self) -> Registry {
        let keys = KeyRing::new(Key::generate().unwrap());
        self.open().await.unwrap().with_keys(keys)
    }

    /// Returns the authority of the server's certificate; `None` if it has none.
    pub(super) fn ca_pem(&self) -> Option<Arc<str>> {
        let prefix = match self.address.engine() {
            Engine::Postgres => POSTGRES,
            Engine::MySql => MARIADB,
            Engine::Sqlite => return None,
        };
        let file = std::env::var_os(format!("{prefix}_CA_FILE"))?;
        Some(std::fs::read_to_string(file).unwrap().into())
    }

    pub(super) async fn execute(&self, sql: &str) {
        self.db.execute_unprepared(sql).await.unwrap();
    }
}

/// Runs a case on an engine, or prints that it was skipped.
pub(super) fn run<F: Future<Output = ()>>(engine: Engine, case: fn(Central) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        match engine {
            Engine::Sqlite => case(migrated(sqlite().await).await).await,
            Engine::Postgres => on_server(engine, POSTGRES, case).await,
            Engine::MySql => on_server(engine, MARIADB, case).await,
        }
    });
}

async fn on_server<F: Future<Output = ()>>(engine: Engine, prefix: &str, case: fn(Central) -> F) {
    let Some(server) = Server::of(engine, prefix) else {
        println!("skipped on {engine}: {prefix} is not set");
        return;
    };
    let database = format!("central_{}", uuid::Uuid::now_v7().simple());
    let admin = server.connect(server.first_database()).await;
    admin
        .execute_unprepared(&format!("CREATE DATABASE {database}"))
        .await
        .unwrap();
    let empty = (server.address(&database), server.connect(&database).await, None);
    case(migrated(empty).await).await;
    let force = match engine {
        Engine::Postgres => " WITH (FORCE)",
        Engine::MySql | Engine::Sqlite => "",
    };
    admin
        .execute_unprepared(&format!("DROP DATABASE {database}{force}"))
        .await
        .unwrap();
}

/// A server that the environment names.
struct Server {
    engine: Engine,
    host: String,
    port: u16,
    user: String,
    password: String,
}

impl Server {
    fn of(engine: Engine, prefix: &str) -> Option<Self> {
        let variable = |name: &str| -> Option<OsString> { std::env::var_os(format!("{prefix}{name}")) };
        let address = variable("")?.into_string().unwrap();
        let (host, port) = address.rsplit_once(':').unwrap();
        let password_file = PathBuf::from(variable("_PASSWORD_FILE").unwrap());
        Some(Self {
            engine,
            host: host.to_owned(),
            port: port.parse().unwrap(),
            user: variable("_USER").unwrap().into_string().unwrap(),
            password: std::fs::read_to_string(password_file).unwrap(),
        })
    }

    fn first_database(&self) -> &'static str {
        match self.engine {
            Engine::Postgres => "postgres",
            Engine::MySql | Engine::Sqlite => "mysql",
        }
    }

    fn address(&self, database: &str) -> Address {
        Address::Network(NetworkAddress {
            engine: self.engine,
            host: self.host.clone(),
            port: self.port,
            tls: Tls::Disable,
            direct: None,
            database: database.to_owned(),
            login: Login {
                user: self.user.clone(),
                password: SecretString::from(self.password.clone()),
            },
        })
    }

    async fn connect(&self, database: &str) -> DatabaseConnection {
        let digits: Vec<String> = self.password.bytes().map(|b| format!("%{b:02X}")).collect();
        let password = digits.concat();
        let scheme = self.engine.as_str();
        connect(&format!(
            "{scheme}://{}:{password}@{}:{}/{database}",
            self.user, self.host, self.port
        ))
        .await
    }
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(2).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

type Empty = (Address, DatabaseConnection, Option<tempfile::TempDir>);

async fn sqlite() -> Empty {
    let folder = tempfile::tempdir().unwrap();
    let address = SqliteAddress {
        folder: folder.path().to_owned(),
        file: "central.db".to_owned(),
    };
    let db = connect(&format!("sqlite://{}?mode=rwc", address.path().display())).await;
    (Address::Sqlite(address), db, Some(folder))
}

/// Carries the schema out and records it.
async fn migrated((address, db, folder): Empty) -> Central {
    let central = Central {
        address,
        db,
        _folder: folder,
    };
    central
        .execute("CREATE TABLE _tenantry_history (track VARCHAR(60), version BIGINT, phase VARCHAR(20))")
        .await;
    central
        .execute("CREATE TABLE _tenantry_meta (registry_id VARCHAR(36))")
        .await;
    let track = track(central.address.engine()).unwrap();
    for migration in &track.migrations {
        for index in 0..migration.up.statements.len() {
            central.execute(migration.up.statement(index)).await;
        }
        let version = migration.version;
        central
            .execute(&format!(
                "INSERT INTO _tenantry_history VALUES ('tenantry', {version}, 'done')"
            ))
            .await;
    }
    central
        .execute(&format!("INSERT INTO _tenantry_meta VALUES ('{REGISTRY_ID}')"))
        .await;
    central
}
