//! Throwaway database servers: on free loopback ports, in one temporary folder, gone when dropped.

mod account;
mod certificates;
mod folder;
mod mariadb;
mod pgbouncer;
mod postgres;
mod server;

use std::fmt;

pub(crate) use self::pgbouncer::Pooler;
pub(crate) use self::server::Server;

use self::certificates::Certificates;
use self::folder::Folder;
use crate::signals::Signals;
use crate::test::install::{self, Wanted};
use crate::test::programs;

/// An engine whose servers we start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    MariaDb,
}

impl Engine {
    /// Every engine, in the order in which they are started.
    pub(crate) const ALL: [Self; 2] = [Self::Postgres, Self::MariaDb];

    /// Returns the packages that hold the server's programs on Debian and Ubuntu.
    pub(crate) fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgresql"],
            Self::MariaDb => &["mariadb-server"],
        }
    }

    /// Returns whether the server's programs are on this machine.
    pub(crate) fn is_installed(self) -> bool {
        match self {
            Self::Postgres => programs::postgres().is_some(),
            Self::MariaDb => programs::mariadb().is_some(),
        }
    }
}

/// What a server does for data that is to outlive a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Nothing: for tests, whose servers also log every statement.
    Fast,
    /// What a server in production does, and no more logging than there: for measurements.
    Durable,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::MariaDb => "MariaDB",
        })
    }
}

/// What is not there in this run.
#[derive(Debug)]
pub(crate) struct Skipped {
    /// Which server, or the pooler.
    pub(crate) what: Wanted,
    /// Why, and what to do about it.
    pub(crate) why: String,
}

/// What the servers of one run have in common.
#[derive(Debug)]
struct Setting<'a> {
    folder: &'a Folder,
    /// `None` is no TLS.
    certificates: Option<&'a Certificates>,
    durability: Durability,
}

/// One run's servers.
#[derive(Debug)]
pub(crate) struct Servers {
    /// The poolers, which end before the server that they lead to.
    pub(crate) poolers: Vec<Pooler>,
    /// Those that run. Declared before the folder: they end before it is removed.
    pub(crate) running: Vec<Server>,
    /// What was to run and does not.
    pub(crate) skipped: Vec<Skipped>,
    _folder: Folder,
}

impl Servers {
    /// Installs what is missing where we may, and starts a server of each of these engines; for tests, poolers
    /// in front of PostgreSQL's as well.
    pub(crate) fn start(
        engines: &[Engine],
        durability: Durability,
        signals: &Signals,
    ) -> anyhow::Result<Self> {
        folder::sweep();
        let mut skipped = Vec::new();
        for (what, why) in install::missing(&wanted(engines, durability)) {
            skipped.push(Skipped { what, why });
        }
        let folder = Folder::create()?;
        let certificates = Certificates::create(folder.path())?;
        let setting = Setting {
            folder: &folder,
            certificates: certificates.as_ref(),
            durability,
        };
        let mut running = Vec::new();
        for engine in engines {
            match engine {
                Engine::Postgres => {
                    if let Some(programs) = programs::postgres() {
                        running.push(postgres::start(&programs, &setting, signals)?);
                    }
                }
                Engine::MariaDb => {
                    if let Some(programs) = programs::mariadb() {
                        running.push(mariadb::start(&programs, &setting, signals)?);
                    }
                }
            }
        }
        let postgres = running.iter().find(|server| server.engine == Engine::Postgres);
        let poolers = match (postgres, programs::pgbouncer(), durability) {
            (Some(server), Some(program), Durability::Fast) => {
                pgbouncer::start(&program, server, &setting, signals)?
            }
            (_, _, Durability::Fast | Durability::Durable) => Vec::new(),
        };
        Ok(Self {
            poolers,
            running,
            skipped,
            _folder: folder,
        })
    }
}

/// Measurements need no pooler.
fn wanted(engines: &[Engine], durability: Durability) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = engines.iter().copied().map(Wanted::Server).collect();
    if durability == Durability::Fast && engines.contains(&Engine::Postgres) {
        wanted.push(Wanted::Pooler);
    }
    wanted
}
