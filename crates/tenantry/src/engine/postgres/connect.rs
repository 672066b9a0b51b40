//! Opens one un-pooled connection to one PostgreSQL database, from explicit fields only.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::auth::{Guarded, GuardedTls, NamedBackend, REFUSED};
use super::cancel;
use super::error::{Failure, database_error, root_cause};
use crate::engine::poll::opening_limit;
use crate::engine::text::{clean, identifier};
use crate::engine::{Canceller, DatabaseError, NetworkAddress, OpenOptions, SessionError, Tls, tls};

/// The oldest server whose session settings we rely on: `client_connection_check_interval` and
/// `idle_session_timeout` came with 14.
const OLDEST_SERVER: u32 = 14;

/// SQLSTATE of a statement that was stopped, by whomever.
const QUERY_CANCELED: &str = "57014";

/// How long a request to cancel may take to be heard.
const CANCEL_HEARD: Duration = Duration::from_secs(5);

/// A connection and the task that moves its bytes.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: Client,
    /// How settings reached the server.
    pub(super) settings: Settings,
    /// The server's process that the login named; 0 if it named none. A pooler makes one up.
    pub(super) named: i32,
    driver: JoinSet<()>,
    /// A message was sent whose answer has not been read to its end.
    pub(super) in_flight: bool,
    /// Whether we asked the server to stop a statement; otherwise a stop is the file's own time limit.
    cancel_asked: Arc<AtomicBool>,
    /// Where it leads.
    pub(super) address: NetworkAddress,
}

/// How session settings are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settings {
    /// In the start packet.
    StartPacket,
    /// A pooler refused them there, or dropped them: each transaction sets them for itself.
    PerTransaction,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // An idle connection says goodbye, so that the server logs nothing. One with an unread answer is
        // cut: the server notices within `client_connection_check_interval` and stops the statement.
        if !self.in_flight {
            self.driver.detach_all();
        }
    }
}

impl Connection {
    /// Connects and logs in. Sends no query.
    pub(super) async fn open(address: &NetworkAddress, options: &OpenOptions) -> Result<Self, SessionError> {
        match Self::attempt(address, options, Settings::StartPacket).await {
            // PgBouncer answers start-packet options with 08P01.
            Err(SessionError::Database(error)) if error.code == "SQLSTATE 08P01" => {
                Self::attempt(address, options, Settings::PerTransaction).await
            }
            other => other,
        }
    }

    async fn attempt(
        address: &NetworkAddress,
        options: &OpenOptions,
        settings: Settings,
    ) -> Result<Self, SessionError> {
        let opening = async {
            let stream = dial(address).await?;
            log_in(stream, address, options, settings).await
        };
        match tokio::time::timeout(opening_limit(options.connect_timeout), opening).await {
            Ok(result) => result,
            Err(_) => Err(silent(address, options.connect_timeout)),
        }
    }

    /// Learns which process of the server has answered; returns whether that tells a pooler that let our start
    /// packet pass. What was set there is not in force then, and each transaction makes its own settings from now
    /// on.
    ///
    /// The process that a server names at login is the one that answers ("Message Formats", `BackendKeyData`);
    /// a pooler names one of its own making (tried with `PgBouncer` 1.18).
    pub(super) fn notice(&mut self, answering: i32) -> bool {
        let is_news = self.settings == Settings::StartPacket && answering != self.named;
        if is_news {
            self.settings = Settings::PerTransaction;
        }
        is_news
    }

    /// Returns `host:port`, for messages.
    pub(super) fn endpoint(&self) -> String {
        endpoint(&self.address)
    }

    /// Returns whether a failure is the answer to our own request to stop. A file's own time limit and an
    /// administrator's `pg_cancel_backend` end a statement with the same SQLSTATE.
    pub(super) fn stopped_on_request(&self, failure: &Failure) -> bool {
        let stopped = matches!(failure, Failure::Refused { sqlstate, .. } if sqlstate == QUERY_CANCELED);
        stopped && self.cancel_asked.load(Ordering::SeqCst)
    }

    /// Returns what stops the running statement: a second connection that asks the server to.
    pub(super) fn canceller(&self) -> Canceller {
        let token = self.client.cancel_token();
        let address = self.address.clone();
        let flag = Arc::clone(&self.cancel_asked);
        Canceller::new(move || {
            let (token, address) = (token.clone(), address.clone());
            flag.store(true, Ordering::SeqCst);
            async move {
                let asked = tokio::time::timeout(CANCEL_HEARD, cancel::ask(token, &address)).await;
                if !matches!(asked, Ok(Ok(()))) {
                    tracing::warn!(endpoint = %address.host, "the request to cancel a statement did not arrive");
                }
            }
        })
    }
}

fn silent(address: &NetworkAddress, waited: Duration) -> SessionError {
    let words = format!("no answer within {} ms", waited.as_millis());
    unreachable(address, io::Error::new(io::ErrorKind::TimedOut, words))
}

fn endpoint(address: &NetworkAddress) -> String {
    format!("{}:{}", address.host, address.port)
}

fn unreachable(address: &NetworkAddress, source: io::Error) -> SessionError {
    SessionError::Unreachable {
        endpoint: endpoint(address),
        source,
    }
}

/// Connects, and no more than that.
pub(super) async fn dial(address: &NetworkAddress) -> Result<TcpStream, SessionError> {
    let stream = TcpStream::connect((address.host.as_str(), address.port))
        .await
        .map_err(|source| unreachable(address, source))?;
    stream
        .set_nodelay(true)
        .map_err(|source| unreachable(address, source))?;
    Ok(stream)
}

type RustlsConnect = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::TlsConnect;

/// Returns what wraps a stream in TLS; `None` where TLS is off.
pub(super) fn connector(address: &NetworkAddress) -> Result<Option<RustlsConnect>, SessionError> {
    let failed = |reason| SessionError::Tls {
        endpoint: endpoint(address),
        reason,
    };
    let Some(config) = tls::client_config(&address.tls).map_err(failed)? else {
        return Ok(None);
    };
    // The clone shares verifier and session store with every other connection.
    let mut make = MakeRustlsConnect::new(config.as_ref().clone());
    let tls = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut make, &address.host);
    tls.map(Some).map_err(|error| failed(root_cause(&error)))
}

async fn log_in(
    stream: TcpStream,
    address: &NetworkAddress,
    options: &OpenOptions,
    settings: Settings,
) -> Result<Connection, SessionError> {
    let config = start_packet(address, options, settings);
    let failed = |error: &tokio_postgres::Error| login_error(address, error);
    let mut driver = JoinSet::new();
    let named = NamedBackend::new(AtomicI32::new(0));
    let client = match connector(address)? {
        None => {
            let (client, connection) = config
                .connect_raw(Guarded::new(stream, Arc::clone(&named)), NoTls)
                .await
                .map_err(|error| failed(&error))?;
            check_server(address, options, |name| connection.parameter(name))?;
            driver.spawn(drive(connection));
            client
        }
        Some(tls) => {
            let (client, connection) = config
                .connect_raw(stream, GuardedTls(tls, Arc::clone(&named)))
                .await
                .map_err(|error| failed(&error))?;
            check_server(address, options, |name| connection.parameter(name))?;
            driver.spawn(drive(connection));
            client
        }
    };
    Ok(Connection {
        client,
        settings,
        named: named.load(Ordering::SeqCst),
        driver,
        in_flight: false,
        cancel_asked: Arc::default(),
        address: address.clone(),
    })
}

/// Looks at what the server said of itself at login ("Asynchronous Operations", `ParameterStatus`), which
/// costs no query.
fn check_server<'a>(
    address: &NetworkAddress,
    options: &OpenOptions,
    said: impl Fn(&'static str) -> Option<&'a str>,
) -> Result<(), SessionError> {
    // A pooler in between says nothing of a replica; the statements of a run fail there by themselves.
    let version = said("server_version").unwrap_or_default();
    let major = version
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .and_then(|v| v.parse::<u32>().ok());
    let reason = if major.is_some_and(|major| major < OLDEST_SERVER) {
        format!(
            "it runs PostgreSQL {}; {OLDEST_SERVER} is the oldest that is supported",
            clean(version)
        )
    } else if said("in_hot_standby") == Some("on") {
        "it is a replica".to_owned()
    } else if said("default_transaction_read_only") == Some("on") {
        "it is read-only".to_owned()
    } else if is_of_a_target(options) && said("server_encoding") == Some("SQL_ASCII") {
        // Bytes of any encoding go in and come out there unconverted ("Character Set Support").
        "its encoding is SQL_ASCII, in which nobody knows what a text says; make the database in UTF8"
            .to_owned()
    } else {
        return Ok(());
    };
    Err(SessionError::Unsuitable {
        endpoint: endpoint(address),
        reason,
    })
}

/// An administrator's own database is none; no text of ours goes into it.
fn is_of_a_target(options: &OpenOptions) -> bool {
    !options.database_id.is_empty()
}

async fn drive<F>(connection: F)
where
    F: Future<Output = Result<(), tokio_postgres::Error>>,
{
    // The query that was waiting gets the same error; here it is only for the log.
    if let Err(error) = connection.await {
        tracing::debug!(error = %root_cause(&error), "a connection ended");
    }
}

/// Builds the start packet. `Config::new` reads no environment and no file.
fn start_packet(address: &NetworkAddress, options: &OpenOptions, settings: Settings) -> Config {
    let mut config = Config::new();
    config
        .user(&address.login.user)
        .password(address.login.password.expose_secret())
        .dbname(&address.database)
        .application_name(&options.application_name)
        .ssl_mode(if address.tls == Tls::Disable {
            SslMode::Disable
        } else {
            SslMode::Require
        });
    if settings == Settings::StartPacket {
        let mut packed = String::new();
        for (name, value) in session_settings(options) {
            packed.push_str(" -c ");
            packed.push_str(name);
            packed.push('=');
            packed.push_str(&value.replace('\\', "\\\\").replace(' ', "\\ "));
        }
        config.options(packed.trim_start());
    }
    config
}

/// Where a file's names are looked up.
pub(super) const SEARCH_PATH: &str = "public";

/// The session's settings. The server's own clocks free the lock of a client that vanished
/// (reliability: 4.3 s measured with these against more than 25 s without).
pub(super) fn session_settings(options: &OpenOptions) -> Vec<(&'static str, String)> {
    let ms = |d: Duration| d.as_millis().to_string();
    vec![
        ("search_path", SEARCH_PATH.to_owned()),
        // Files are cut by this rule; a database or a role may have the other.
        ("standard_conforming_strings", "on".to_owned()),
        ("lock_timeout", ms(options.lock_timeout)),
        ("statement_timeout", "0".to_owned()),
        ("idle_in_transaction_session_timeout", ms(options.idle_timeout)),
        ("idle_session_timeout", ms(options.idle_timeout)),
        ("client_connection_check_interval", "1000".to_owned()),
        ("tcp_keepalives_idle", "20".to_owned()),
        ("tcp_keepalives_interval", "5".to_owned()),
        ("tcp_keepalives_count", "3".to_owned()),
        ("tcp_user_timeout", "30000".to_owned()),
    ]
}

fn login_error(address: &NetworkAddress, error: &tokio_postgres::Error) -> SessionError {
    let endpoint = endpoint(address);
    let Some(db) = error.as_db_error() else {
        let reason = root_cause(error);
        if reason.contains(REFUSED) || address.tls != Tls::Disable && is_tls(error) {
            return SessionError::Tls { endpoint, reason };
        }
        return unreachable(address, io::Error::other(reason));
    };
    let source = database_error(db);
    match db.code().code() {
        "28P01" | "28000" => SessionError::AuthFailed {
            endpoint,
            user: address.login.user.clone(),
            source,
        },
        // Without the right CONNECT a login ends so, behind the password ("GRANT"); by a trigger of the owner's, too.
        "42501" => SessionError::AuthFailed {
            endpoint,
            user: address.login.user.clone(),
            source: DatabaseError {
                hint: source.hint.or_else(|| Some(lets_in(address))),
                ..source
            },
        },
        "3D000" => SessionError::NoDatabase {
            database: address.database.clone(),
            endpoint,
        },
        "53300" => SessionError::Exhausted { endpoint, source },
        "57P03" => unreachable(address, io::Error::other(source.message)),
        _ => SessionError::Database(source),
    }
}

/// Says what gives a role its way into a database back.
fn lets_in(address: &NetworkAddress) -> String {
    let (database, role) = (identifier(&address.database), identifier(&address.login.user));
    format!("where the right to connect is what is missing:  GRANT CONNECT ON DATABASE {database} TO {role}")
}

/// The driver marks a failed handshake only in its own words.
fn is_tls(error: &tokio_postgres::Error) -> bool {
    error.to_string().contains("TLS")
}
