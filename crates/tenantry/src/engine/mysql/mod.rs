//! MySQL and MariaDB: dedicated connections, `GET_LOCK`, and statements that can be taken up again.

mod administer;
mod ambiguous;
mod amend;
mod apply;
mod checkpoint;
mod clean;
mod connect;
mod create;
mod engines;
mod error;
mod failure;
mod fingerprint;
mod foresee;
mod holders;
mod left;
mod lock;
mod objects;
mod password;
mod patience;
mod place;
mod queue;
mod quote;
mod read_back;
mod resume;
mod room;
mod rows;
mod strings;
mod survey;
mod tables;
mod triggers;
mod wire;
mod writes;

pub(crate) use self::administer::{remove, set_access};
pub(crate) use self::create::{create_database, describe};
pub(crate) use self::password::{set_password, try_login};
pub(crate) use self::survey::survey;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use mysql_async::Conn;

use self::apply::{Around, Ddl, Worker};
use self::connect::{Dial, connect};
use self::engines::Engines;
use self::queue::{Queue, Queued};
use self::room::Room;
use self::strings::Strings;
use self::tables::{Names, take_history, text};
use self::wire::{Part, Role, Sent, send};
use self::writes::Writer;
use super::Hears;
use super::address::NetworkAddress;
use super::error::{ApplyError, SessionError};
use super::identity::check_identity;
use super::session::{Amendment, Canceller, Onlooker, OpenOptions, Reader, Recorded, Session, Unit};
use crate::faults::{Point, point};
use crate::history::{History, OpenStatement};

/// Opens a session: connects, takes the lock, reads the history under it.
///
/// Nothing is written. Two messages where nothing is in the way: log-in and one of ours.
pub(crate) async fn open(
    address: &NetworkAddress,
    options: &OpenOptions,
    hears: Hears<'_>,
) -> Result<Box<dyn Session>, SessionError> {
    let names = names(address, options)?;
    let mut conn = dial(address, options).await?;
    point(Point::MysqlConnected);
    let mut parts = clean::settings(options);
    let facts = parts.len();
    parts.push(Server::question());
    parts.push(lock::attempt(&names));
    let questions = names.questions();
    parts.extend_from_slice(&questions);
    let sent = send(&mut conn, &parts).await;
    let server = Server::from_answer(&sent, facts, address)?;
    let (sent, at) = if lock::is_taken(&sent, facts + 1)? {
        (sent, facts + 2)
    } else {
        let polled = lock::poll(&mut conn, &names, &questions, (options.lock_window, hears)).await?;
        (polled, 0)
    };
    let history = history_or_holders(&mut conn, &names, sent, at).await?;
    check_identity(&history, options)?;
    server.check_forced_engine(&history, format!("{}:{}", address.host, address.port))?;
    let engines = Engines::unasked(server.default_engine.as_deref(), &history);
    point(Point::MysqlLocked);
    Ok(Box::new(MySqlSession {
        conn,
        names,
        server,
        engines,
        epoch: None,
        history,
        cancel_asked: Arc::default(),
        cancel_over: Arc::default(),
        address: address.clone(),
        options: options.clone(),
    }))
}

/// Opens a connection for reading. Takes no lock, writes nothing.
pub(crate) async fn read(
    address: &NetworkAddress,
    options: &OpenOptions,
) -> Result<Box<dyn Reader>, SessionError> {
    Ok(Box::new(MySqlReader {
        names: names(address, options)?,
        conn: dial(address, options).await?,
        options: options.clone(),
    }))
}

/// Reads the answers about our tables; if they are locked, the error names who may hold them.
async fn history_or_holders(
    conn: &mut Conn,
    names: &Names,
    sent: Sent,
    at: usize,
) -> Result<History, SessionError> {
    match take_history(conn, names, sent, at).await {
        Err(error) => Err(holders::with_holders(conn, error).await),
        read => read,
    }
}

fn names(address: &NetworkAddress, options: &OpenOptions) -> Result<Names, SessionError> {
    let lock = lock::lock_name(&options.database_id);
    Names::new(&address.database, &lock).ok_or_else(|| SessionError::NoDatabase {
        database: address.database.clone(),
        endpoint: format!("{}:{}", address.host, address.port),
    })
}

async fn dial(address: &NetworkAddress, options: &OpenOptions) -> Result<Conn, SessionError> {
    connect(Dial::to(
        address,
        &options.application_name,
        options.connect_timeout,
    ))
    .await
}

/// What we need to know of a server.
#[derive(Clone, Debug)]
struct Server {
    /// How it treats one DDL statement.
    ddl: Ddl,
    /// How long a message it takes.
    room: Room,
    /// What a new table is kept in that names no engine.
    default_engine: Option<String>,
    /// What the server keeps every new table in, if it forces an engine upon them.
    forced_engine: Option<String>,
    /// How it reads strings.
    strings: Strings,
    /// Which of its connections this is. Something in between may have named another at log-in.
    connection: u64,
    /// How many it has for everybody; `None` if it did not say.
    connections: Option<usize>,
}

impl Server {
    /// Returns what [`Self::from_answer`] reads the answer of.
    fn question() -> Part {
        let question = format!(
            "SELECT VERSION(), @@GLOBAL.read_only, @@GLOBAL.innodb_read_only, \
             @@SESSION.max_allowed_packet, {}, {}, {}, CONNECTION_ID(), @@GLOBAL.max_connections",
            engines::DEFAULT,
            engines::FORCED,
            strings::MODES
        );
        Part::new(Role::Question, question)
    }

    /// Reads version and mode; refuses a server that must not be written to.
    fn from_answer(sent: &Sent, at: usize, address: &NetworkAddress) -> Result<Self, SessionError> {
        let Some(row) = sent.rows(at).first() else {
            return Err(sent.failure.as_ref().map_or_else(
                || SessionError::Lost {
                    reason: "the server did not say its version".to_owned(),
                },
                error::session_error,
            ));
        };
        let unsuitable = |reason: String| SessionError::Unsuitable {
            endpoint: format!("{}:{}", address.host, address.port),
            reason,
        };
        if [1, 2]
            .iter()
            .any(|column| !matches!(text(row, *column).as_deref(), Some("0" | "OFF")))
        {
            return Err(unsuitable("it is read-only, as a replica is".to_owned()));
        }
        let version = text(row, 0).unwrap_or_default();
        let numbers = numbers(&version);
        let mariadb = version.contains("MariaDB");
        let (oldest, atomic) = if mariadb {
            ((10, 3), (10, 6))
        } else {
            ((5, 7), (8, 0))
        };
        if numbers < oldest {
            return Err(unsuitable(format!(
                "version {} is too old",
                version.escape_debug()
            )));
        }
        Ok(Self {
            ddl: if numbers >= atomic {
                Ddl::Atomic
            } else {
                Ddl::Divisible
            },
            room: Room::from_text(text(row, 3).as_deref()),
            default_engine: text(row, 4),
            forced_engine: text(row, 5).filter(|name| !name.is_empty()),
            strings: Strings::from_text(text(row, 6).as_deref()),
            connection: text(row, 7).and_then(|id| id.parse().ok()).unwrap_or_default(),
            connections: text(row, 8).and_then(|most| most.parse().ok()),
        })
    }

    /// Refuses to make our tables where the server would keep them in something without transactions.
    fn check_forced_engine(&self, history: &History, endpoint: String) -> Result<(), SessionError> {
        match &self.forced_engine {
            Some(engine) if history.meta.is_none() && engines::is_other(Some(engine)) => {
                Err(SessionError::Unsuitable {
                    endpoint,
                    reason: format!(
                        "enforce_storage_engine is {}, and the history needs the transactions of InnoDB",
                        engine.escape_debug()
                    ),
                })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Reads the first two numbers of a version; some MariaDB servers write `5.5.5-` in front of theirs.
fn numbers(version: &str) -> (u32, u32) {
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    let mut numbers = version
        .split(|c: char| !c.is_ascii_digit())
        .map(|digits| digits.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// A connection for reading.
struct MySqlReader {
    conn: Conn,
    names: Names,
    options: OpenOptions,
}

#[async_trait]
impl Reader for MySqlReader {
    async fn history(&mut self) -> Result<History, SessionError> {
        let sent = send(&mut self.conn, &self.names.questions()).await;
        let history = history_or_holders(&mut self.conn, &self.names, sent, 0).await?;
        check_identity(&history, &self.options)?;
        Ok(history)
    }
}

/// A connection that holds the lock.
struct MySqlSession {
    conn: Conn,
    names: Names,
    server: Server,
    /// What its tables are kept in.
    engines: Engines,
    /// Our claim, once one was committed.
    epoch: Option<i64>,
    history: History,
    /// Whether we asked the server to stop a statement; otherwise somebody else did.
    cancel_asked: Arc<AtomicBool>,
    /// Whether nothing is left to stop: what a unit does at its end is to be done.
    cancel_over: Arc<AtomicBool>,
    address: NetworkAddress,
    options: OpenOptions,
}

impl MySqlSession {
    /// Makes our tables if they are missing; each statement may be repeated by a later attempt.
    async fn make_tables(&mut self) -> Result<(), ApplyError> {
        let sent = send(&mut self.conn, &self.names.layout()).await;
        match &sent.failure {
            Some(error) => Err(apply::lost_or_refused(error::session_error(error))),
            None => Ok(()),
        }
    }

    /// Carries a unit out; a request to cancel ends it as the server says.
    async fn work(&mut self, unit: &Unit) -> Result<Vec<Recorded>, ApplyError> {
        self.server.strings.check(unit)?;
        if self.history.meta.is_none() && self.epoch.is_none() {
            self.make_tables().await?;
            point(Point::MysqlTablesMade);
        }
        let (epoch, queue) = self.claim();
        if unit.steps.iter().any(|step| step.interrupted.is_some()) {
            triggers::read_again(&mut self.conn, &self.names).await;
        }
        let desk = self.desk();
        let mut worker = desk.worker(self, (unit, epoch), queue);
        let outcome = worker.run().await;
        let (engines, claims) = (worker.engines, worker.queue.claims());
        self.engines = engines;
        // A unit may fail behind the claim, which then holds all the same.
        if !claims {
            self.epoch = Some(epoch);
        }
        outcome
    }

    fn desk(&self) -> Desk {
        Desk {
            reset: clean::common(&self.names, &self.options),
            columns: checkpoint::Columns::default(),
        }
    }

    /// Decides the claim, unless one was committed already.
    fn claim(&self) -> (i64, Queue) {
        let mut queue = Queue::default();
        let epoch = match (self.epoch, &self.history.meta) {
            (Some(epoch), _) => return (epoch, queue),
            (None, Some(meta)) => {
                queue.push(Queued::Claim(writes::claim(&self.names, meta.epoch)));
                meta.epoch + 1
            }
            (None, None) => {
                queue.push(Queued::Claim(writes::first_claim(&self.names, &self.options)));
                1
            }
        };
        (epoch, queue)
    }
}

/// What a worker needs beside its session, for as long as it works.
struct Desk {
    reset: Vec<Part>,
    columns: checkpoint::Columns,
}

impl Desk {
    fn worker<'a>(
        &'a self,
        session: &'a mut MySqlSession,
        (unit, epoch): (&'a Unit, i64),
        queue: Queue,
    ) -> Worker<'a> {
        let writer = Writer {
            names: &session.names,
            epoch,
            unit,
            columns: &self.columns,
        };
        let around = Around {
            ddl: session.server.ddl,
            room: session.server.room,
            lock_window: session.options.lock_window,
            reset: &self.reset,
            cancel_asked: &session.cancel_asked,
            engines: session.engines,
        };
        Worker::new(&mut session.conn, writer, around, queue)
    }
}

#[async_trait]
impl Session for MySqlSession {
    fn history(&self) -> &History {
        &self.history
    }

    async fn carry_out(&mut self, unit: &Unit) -> Result<Vec<Recorded>, ApplyError> {
        match self.work(unit).await {
            Err(error) if self.cancel_asked.load(Ordering::SeqCst) => {
                self.cancel_over.store(true, Ordering::SeqCst);
                triggers::read_again(&mut self.conn, &self.names).await;
                Err(left::of_stopped(&mut self.conn, &self.names, unit, error).await)
            }
            Err(error) => Err(left::of_locked_out(&mut self.conn, &self.names, unit, error).await),
            done => done,
        }
    }

    async fn open_statement(&mut self, unit: &Unit) -> Result<Option<OpenStatement>, ApplyError> {
        let (epoch, _) = self.claim();
        let desk = self.desk();
        desk.worker(self, (unit, epoch), Queue::default())
            .open_statement()
            .await
    }

    async fn amend(&mut self, amendment: &Amendment) -> Result<(), ApplyError> {
        amend::amend(self, amendment).await
    }

    fn connections(&self) -> Option<usize> {
        self.server.connections
    }

    fn canceller(&self) -> Canceller {
        let id = self.server.connection;
        let (flag, over) = (Arc::clone(&self.cancel_asked), Arc::clone(&self.cancel_over));
        let (address, options) = (self.address.clone(), self.options.clone());
        Canceller::new(move || {
            let (address, options, over) = (address.clone(), options.clone(), Arc::clone(&over));
            flag.store(true, Ordering::SeqCst);
            async move {
                // Whoever asks can do nothing about a server that does not answer.
                if let Ok(mut conn) = dial(&address, &options).await
                    && !over.load(Ordering::SeqCst)
                {
                    let kill = Part::new(Role::Own, format!("KILL QUERY {id}"));
                    drop(send(&mut conn, &[kill]).await);
                }
            }
        })
    }

    fn onlooker(&self) -> Onlooker {
        holders::onlooker(self.server.connection, &self.address, &self.options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Meta;

    #[test]
    fn our_tables_are_not_made_where_another_engine_is_forced_upon_them() {
        let server = |forced: Option<&str>| Server {
            ddl: Ddl::Atomic,
            room: Room::from_text(None),
            default_engine: Some("InnoDB".to_owned()),
            forced_engine: forced.map(str::to_owned),
            strings: Strings::Usual,
            connection: 1,
            connections: None,
        };
        let check = |forced, meta| {
            let history = History {
                meta,
                ..History::default()
            };
            server(forced).check_forced_engine(&history, "db:3306".to_owned())
        };
        let meta = Meta {
            database_id: "d".to_owned(),
            tenant_id: "t".to_owned(),
            registry_id: "r".to_owned(),
            epoch: 1,
            format: 1,
        };
        assert!(check(None, None).is_ok());
        assert!(check(Some("innodb"), None).is_ok());
        assert!(check(Some("Aria"), None).is_err());
        assert!(check(Some("Aria"), Some(meta)).is_ok());
    }
}
