//! Opening the central database: the registry's one file that names a driver.
//!
//! Every connection setting is given here. The PostgreSQL driver takes some from the environment; those
//! that cannot be given are refused if they are set there.

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlPoolOptions, MySqlSslMode};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteError, SqliteJournalMode, SqlitePoolOptions};
use sea_orm::sqlx::{
    AssertSqlSafe, Column as _, ColumnIndex, ConnectOptions as _, Database, Decode, Error as DriverError,
    Executor, Row as _, Type, raw_sql,
};
use sea_orm::{
    ConnAcquireErr, DatabaseConnection, DbErr, RuntimeErr, SqlxMySqlConnector, SqlxPostgresConnector,
    SqlxSqliteConnector,
};
use secrecy::ExposeSecret as _;
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::query::Answer;
use super::{Registry, RegistryError, schema};
use crate::code::Code;
use crate::engine::{
    Address, DatabaseError, Engine, NetworkAddress, SqliteAddress, SqliteFile, Tls, sqlite_writers,
};

/// However long a caller wants to wait, a registry that does not answer is reported by then.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Connections of one process to a network server.
const CONNECTIONS: u32 = 5;
/// Connections of one process to an SQLite file: one writes, the others read beside it.
const SQLITE_CONNECTIONS: u32 = 4;
/// How long a statement waits for another process that writes to the same SQLite file: shorter than what
/// a command waits for the registry, so that it can say what it waited for.
const SQLITE_BUSY: Duration = Duration::from_secs(5);

impl Registry {
    /// Opens the registry in the central database at `address`; nothing is written.
    ///
    /// Fails with [`RegistryError::Unreachable`] within `timeout` (at most 10 s) if nothing answers,
    /// and with [`RegistryError::NotMigrated`] or [`RegistryError::Newer`] if its tables are not those
    /// of this binary. [`RegistryError::NoVerifyCa`] and [`RegistryError::Inherited`] are refusals of what
    /// the driver would not carry out as the address says.
    pub async fn connect(address: &Address, timeout: Duration) -> Result<Self, RegistryError> {
        let timeout = timeout.min(CONNECT_MAX);
        let endpoint = address.endpoint();
        let file = match address {
            Address::Sqlite(sqlite) => SqliteFile::find(sqlite).ok(),
            Address::Network(_) => None,
        };
        let opening = async {
            let db = open(address, timeout).await?;
            let id = schema::check(&db, address.engine(), &endpoint).await?;
            Ok((db, id))
        };
        let Ok(opened) = tokio::time::timeout(timeout, opening).await else {
            let reason = format!("no answer within {} ms", timeout.as_millis());
            return Err(RegistryError::Unreachable { endpoint, reason });
        };
        let (db, id) = opened.map_err(|error| name_programs(error, file.as_ref()))?;
        Ok(Self {
            db,
            engine: address.engine(),
            endpoint,
            id: id.into(),
            keys: None,
            by: Arc::default(),
            bound: None,
            file,
        })
    }
}

async fn open(address: &Address, timeout: Duration) -> Result<DatabaseConnection, RegistryError> {
    let opened = match address {
        Address::Sqlite(sqlite) => {
            if tokio::fs::metadata(sqlite.path()).await.is_err() {
                let endpoint = address.endpoint();
                return Err(RegistryError::NoFile { endpoint });
            }
            open_sqlite(sqlite, timeout).await
        }
        Address::Network(network) => {
            refuse_unfaithful(network)?;
            probe(network).await?;
            match network.engine {
                Engine::Postgres => open_postgres(network, timeout).await,
                Engine::MySql | Engine::Sqlite => open_mysql(network, timeout).await,
            }
        }
    };
    opened.map_err(|e| classify(&address.endpoint(), &e))
}

/// Refuses what the drivers would carry out otherwise than the address says.
fn refuse_unfaithful(address: &NetworkAddress) -> Result<(), RegistryError> {
    // The drivers add the given authorities to the public ones. Without the host name's check any
    // certificate of a public authority would pass.
    if let Tls::VerifyCa { .. } = address.tls {
        return Err(RegistryError::NoVerifyCa {
            endpoint: format!("{}:{}", address.host, address.port),
        });
    }
    if address.engine != Engine::Postgres {
        return Ok(());
    }
    let inherited = PgConnectOptions::new_without_pgpass();
    // What was read from these has no setter that takes it back, and most of it no getter.
    let fields = format!("{inherited:?}");
    let is_set = |field: &str| fields.contains(&format!(" {field}: Some("));
    let protected = address.tls != Tls::Disable;
    let variable = if inherited.get_options().is_some() {
        "PGOPTIONS"
    } else if protected && is_set("ssl_client_cert") {
        "PGSSLCERT"
    } else if protected && is_set("ssl_client_key") {
        "PGSSLKEY"
    } else {
        return Ok(());
    };
    Err(RegistryError::Inherited { variable })
}

/// Asks whether anything listens. The pool would repeat a refused connection until its time is up and
/// then say only that time is up.
async fn probe(address: &NetworkAddress) -> Result<(), RegistryError> {
    if address.host.starts_with('/') {
        return Ok(());
    }
    match TcpStream::connect((address.host.as_str(), address.port)).await {
        Ok(_closed_at_once) => Ok(()),
        Err(error) => Err(RegistryError::Unreachable {
            endpoint: format!("{}:{}", address.host, address.port),
            reason: error.to_string(),
        }),
    }
}

async fn open_sqlite(address: &SqliteAddress, timeout: Duration) -> Result<DatabaseConnection, DriverError> {
    let options = SqliteConnectOptions::new()
        .filename(address.path())
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .foreign_keys(true)
        .busy_timeout(SQLITE_BUSY)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(SQLITE_CONNECTIONS)
        .acquire_timeout(timeout)
        .connect_with(options)
        .await?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

async fn open_postgres(
    address: &NetworkAddress,
    timeout: Duration,
) -> Result<DatabaseConnection, DriverError> {
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&address.host)
        .port(address.port)
        .username(&address.login.user)
        .password(address.login.password.expose_secret())
        .database(&address.database)
        .application_name("tenantry registry")
        // PgBouncer refuses start parameters that it does not know.
        .extra_float_digits(None)
        .disable_statement_logging();
    options = match &address.tls {
        // Given empty too: PGSSLROOTCERT would add an authority.
        Tls::VerifyFull { ca_pem: None } => options
            .ssl_mode(PgSslMode::VerifyFull)
            .ssl_root_cert_from_pem(Vec::new()),
        Tls::VerifyFull { ca_pem: Some(ca_pem) } | Tls::VerifyCa { ca_pem } => options
            .ssl_mode(PgSslMode::VerifyFull)
            .ssl_root_cert_from_pem(ca_pem.as_bytes().to_vec()),
        Tls::Require => options.ssl_mode(PgSslMode::Require),
        Tls::Disable => options.ssl_mode(PgSslMode::Disable),
    };
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(timeout)
        .after_connect(|connection, _| {
            Box::pin(async move {
                // Our tables are in `public`, whatever the role's or the environment's search path is.
                connection
                    .execute(
                        "SELECT set_config('search_path', 'public', false) \
                         WHERE current_schemas(false) IS DISTINCT FROM ARRAY['public']::name[]",
                    )
                    .await?;
                Ok(())
            })
        })
        .connect_with(options)
        .await?;
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

async fn open_mysql(address: &NetworkAddress, timeout: Duration) -> Result<DatabaseConnection, DriverError> {
    let mut options = MySqlConnectOptions::new()
        .host(&address.host)
        .port(address.port)
        .username(&address.login.user)
        .password(address.login.password.expose_secret())
        .database(&address.database)
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .set_names(false)
        .disable_statement_logging();
    options = match &address.tls {
        Tls::VerifyFull { ca_pem: None } => options.ssl_mode(MySqlSslMode::VerifyIdentity),
        Tls::VerifyFull { ca_pem: Some(ca_pem) } | Tls::VerifyCa { ca_pem } => options
            .ssl_mode(MySqlSslMode::VerifyIdentity)
            .ssl_ca_from_pem(ca_pem.as_bytes().to_vec()),
        Tls::Require => options.ssl_mode(MySqlSslMode::Required),
        Tls::Disable => options.ssl_mode(MySqlSslMode::Disabled),
    };
    let pool = MySqlPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(timeout)
        .after_connect(|connection, _| {
            Box::pin(async move {
                // Without strict mode a server shortens a text that is too long and says nothing.
                connection
                    .execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'")
                    .await?;
                Ok(())
            })
        })
        .connect_with(options)
        .await?;
    Ok(SqlxMySqlConnector::from_sqlx_mysql_pool(pool))
}

/// Carries one query out in a transaction that can only read, on a connection of its own that is closed behind it.
pub(super) async fn answer(
    db: &DatabaseConnection,
    engine: Engine,
    sql: &str,
) -> Result<Answer, DriverError> {
    match engine {
        Engine::Postgres => {
            let mut own = db.get_postgres_connection_pool().acquire().await?.detach();
            own.execute("BEGIN READ ONLY").await?;
            read(&mut own, sql).await
        }
        Engine::MySql => {
            let mut own = db.get_mysql_connection_pool().acquire().await?.detach();
            own.execute("START TRANSACTION READ ONLY").await?;
            read(&mut own, sql).await
        }
        Engine::Sqlite => {
            let mut own = db.get_sqlite_connection_pool().acquire().await?.detach();
            own.execute("PRAGMA query_only = ON").await?;
            read(&mut own, sql).await
        }
    }
}

/// Reads all rows as text. Not prepared, so that servers send every type as text.
async fn read<'c, D: Database>(own: impl Executor<'c, Database = D>, sql: &str) -> Result<Answer, DriverError>
where
    for<'r> String: Decode<'r, D> + Type<D>,
    usize: ColumnIndex<D::Row>,
{
    let mut answer = Answer::default();
    let mut rows = own.fetch(raw_sql(AssertSqlSafe(sql)));
    while let Some(row) = rows.try_next().await? {
        if answer.columns.is_empty() {
            answer.columns = row
                .columns()
                .iter()
                .map(|column| column.name().to_owned())
                .collect();
        }
        let mut values = Vec::with_capacity(row.len());
        for at in 0..row.len() {
            let value: Option<String> = row.try_get_unchecked(at)?;
            values.push(value.map(Zeroizing::new));
        }
        if !answer.take(values) {
            break;
        }
    }
    Ok(answer)
}

/// Returns whether a statement failed because its table is not there.
pub(super) fn is_absent_table(error: &DbErr) -> bool {
    let Some(DriverError::Database(error)) = driver_error(error) else {
        return false;
    };
    // SQLite has no code of its own for it: 1 is any error in the SQL.
    error.code().as_deref() == Some("42P01")
        || error
            .try_downcast_ref::<MySqlDatabaseError>()
            .is_some_and(|e| e.number() == 1146)
        || error.message().starts_with("no such table")
}

/// Turns what the database or its driver said into our words.
pub(super) fn refused(endpoint: &str, error: &DbErr) -> RegistryError {
    if let Some(error) = driver_error(error) {
        return classify(endpoint, error);
    }
    let reason = if let DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) = error {
        "no connection became free in time".to_owned()
    } else {
        error.to_string()
    };
    RegistryError::Unreachable {
        endpoint: endpoint.to_owned(),
        reason,
    }
}

/// Adds which programs have the file locked to the error that says so.
pub(super) fn name_programs(error: RegistryError, file: Option<&SqliteFile>) -> RegistryError {
    match (error, file) {
        (RegistryError::FileLocked { endpoint, reason, .. }, Some(file)) => RegistryError::FileLocked {
            endpoint,
            reason,
            holders: sqlite_writers(file),
        },
        (error, _) => error,
    }
}

fn driver_error(error: &DbErr) -> Option<&DriverError> {
    if let DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error)) = error
    {
        Some(error)
    } else {
        None
    }
}

fn classify(endpoint: &str, error: &DriverError) -> RegistryError {
    let DriverError::Database(said) = error else {
        return RegistryError::Unreachable {
            endpoint: endpoint.to_owned(),
            reason: error.to_string(),
        };
    };
    let number = said.code().unwrap_or_default();
    let code = if let Some(mysql) = said.try_downcast_ref::<MySqlDatabaseError>() {
        format!("errno {}", mysql.number())
    } else if said.try_downcast_ref::<SqliteError>().is_some() {
        format!("SQLite {number}")
    } else {
        format!("SQLSTATE {number}")
    };
    let message = said.message().replace(char::is_control, " ");
    if code.strip_prefix("SQLite ").is_some_and(is_locked) {
        return RegistryError::FileLocked {
            endpoint: endpoint.to_owned(),
            reason: format!("{message} ({code})"),
            holders: Vec::new(),
        };
    }
    let unusable = code.strip_prefix("SQLite ").and_then(unusable_file);
    if is_refused_login(&code) || unusable.is_some() {
        let why = unusable.map_or(String::new(), |why| format!("{why}: "));
        return RegistryError::Unreachable {
            endpoint: endpoint.to_owned(),
            reason: format!("{why}{message} ({code})"),
        };
    }
    RegistryError::Database(DatabaseError {
        message,
        transient: matches!(
            code.as_str(),
            "SQLSTATE 40001" | "SQLSTATE 40P01" | "SQLSTATE 55P03" | "errno 1205" | "errno 1213"
        ),
        code,
        detail: None,
        hint: None,
        class: Code(6012),
    })
}

/// Returns SQLite's primary result code: the lower byte of an extended one (manual, "Result and Error Codes").
fn primary(code: &str) -> Option<u32> {
    Some(code.parse::<u32>().ok()? & 0xff)
}

/// Returns whether another connection has the file, or a table in it.
fn is_locked(code: &str) -> bool {
    matches!(primary(code), Some(5 | 6))
}

/// Returns why a file cannot be used at all, by SQLite's result code; `None` if it refused one statement.
fn unusable_file(code: &str) -> Option<&'static str> {
    match primary(code)? {
        10 => Some("the file cannot be read or written"),
        11 | 26 => Some("the file is damaged, or is no SQLite database"),
        14 => Some("the file cannot be opened"),
        _ => None,
    }
}

/// Returns whether the server does not let us in at all: login, database, too many connections, shutdown.
fn is_refused_login(code: &str) -> bool {
    [
        "SQLSTATE 28",
        "SQLSTATE 3D000",
        "SQLSTATE 53300",
        "SQLSTATE 57P",
        "SQLSTATE 08",
    ]
    .iter()
    .any(|class| code.starts_with(class))
        || [
            "errno 1040",
            "errno 1044",
            "errno 1045",
            "errno 1049",
            "errno 1698",
        ]
        .contains(&code)
}
