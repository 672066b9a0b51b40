//! What one process is told to do: its arguments.

use std::collections::HashMap;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, bail};
use secrecy::SecretString;
use tenantry::TrackName;
use tenantry::engine::{Engine, Login, NetworkAddress, SqliteAddress, Tls};
use tenantry::migration::Track;

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Reads the server's version and settings back.
    Settings,
    /// Lets the server write out what it has in memory, so that the next run does not pay for it.
    Settle,
    /// Creates one set of databases for one contestant.
    Create,
    /// Writes one set into the registry alone, as runs would have left it.
    Fill,
    /// The floor's no-op in our databases: what is asked of each is our history.
    Ask,
    /// Carries one scenario out over one set.
    Run,
    /// Asks the registry how the fleet stands.
    Status,
}

/// Whose databases, and whose way of migrating them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contestant {
    /// The least that any program can do.
    Floor,
    /// Tenantry's own path, with registry, locks, history and reading back.
    Ours,
}

impl Contestant {
    /// Returns the word in arguments and names.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Ours => "ours",
        }
    }
}

/// Where the registry of a set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Central {
    /// In an SQLite file.
    File,
    /// In a database on the server that the set is on.
    Server,
}

/// What writes a run down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorder {
    /// The registry, as always.
    Registry,
    /// Nothing: what recording costs is the difference.
    Null,
}

/// What there is to do in each database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Everything: nothing was ever applied.
    Fresh,
    /// One migration: all but the last are applied.
    One,
    /// Nothing; every database is asked.
    Noop,
}

/// The arguments.
#[derive(Debug)]
pub(crate) struct Job {
    /// `engine`.
    pub(crate) engine: Engine,
    /// `folder`: where registries, keys and SQLite files are.
    pub(crate) folder: PathBuf,
    /// `migrations`: the folder of the track.
    pub(crate) migrations: PathBuf,
    /// `databases`: how many.
    pub(crate) databases: usize,
    /// `from`: how many of them are there already.
    pub(crate) from: usize,
    /// `central`: where the registry is.
    pub(crate) central: Central,
    /// `recorder`: what writes the run down.
    pub(crate) recorder: Recorder,
    /// `canary`: how many targets go first; `None` for as many as usual.
    pub(crate) canary: Option<usize>,
    /// `concurrency`: how many at once.
    pub(crate) concurrency: usize,
    /// `set`: which of the sets of databases.
    pub(crate) set: String,
    /// `who`.
    pub(crate) contestant: Contestant,
    /// `scenario`.
    pub(crate) scenario: Scenario,
    /// `port`, `user` and `password-file`, and `ca` for a connection with TLS; `None` for SQLite.
    pub(crate) server: Option<NetworkAddress>,
}

impl Job {
    /// Reads a task and its `key=value` arguments; a key that is not given has a default where one makes sense.
    pub(crate) fn parse(arguments: &[String]) -> anyhow::Result<(Task, Self)> {
        let (task, pairs) = arguments.split_first().context("there is no task")?;
        let given: HashMap<&str, &str> = pairs
            .iter()
            .map(|pair| {
                pair.split_once('=')
                    .with_context(|| format!("`{pair}` has no `=`"))
            })
            .collect::<anyhow::Result<_>>()?;
        let given = Given(given);
        let engine = given.required("engine")?;
        let engine = Engine::from_word(engine).with_context(|| format!("there is no engine `{engine}`"))?;
        let job = Self {
            engine,
            folder: given.required("folder")?.into(),
            migrations: given.or("migrations", PathBuf::new())?,
            databases: given.or("databases", 0)?,
            from: given.or("from", 0)?,
            central: given.or("central", Central::File)?,
            recorder: given.or("recorder", Recorder::Registry)?,
            canary: given.0.get("canary").map(|count| count.parse()).transpose()?,
            concurrency: given.or("concurrency", 1)?,
            set: given.or("set", "0".to_owned())?,
            contestant: given.or("who", Contestant::Ours)?,
            scenario: given.or("scenario", Scenario::Noop)?,
            server: (engine != Engine::Sqlite)
                .then(|| given.server(engine))
                .transpose()?,
        };
        Ok((task.parse()?, job))
    }

    /// Returns the server's address as its administrator reaches it.
    pub(crate) fn server(&self) -> anyhow::Result<&NetworkAddress> {
        self.server.as_ref().context("SQLite has no server")
    }

    /// Returns the name of a database; its role has the same.
    pub(crate) fn database(&self, number: usize) -> String {
        format!("bench_{}_{}_{number}", self.contestant.as_str(), self.set)
    }

    /// Returns the login of a database's own role. It is a throwaway server, so the password may be known.
    pub(crate) fn login(&self, number: usize) -> Login {
        let user = self.database(number);
        let password = SecretString::from(format!("Password-of-{user}"));
        Login { user, password }
    }

    /// Returns the address of a database on the server, reached by its own role.
    pub(crate) fn address(&self, number: usize) -> anyhow::Result<NetworkAddress> {
        Ok(NetworkAddress {
            database: self.database(number),
            login: self.login(number),
            ..self.server()?.clone()
        })
    }

    /// Returns the SQLite file of a database.
    pub(crate) fn file(&self, number: usize) -> SqliteAddress {
        SqliteAddress {
            folder: self
                .folder
                .join(format!("{}-{}", self.contestant.as_str(), self.set)),
            file: format!("{}.db", self.database(number)),
        }
    }

    /// Reads the track, in the engine's SQL.
    pub(crate) fn track(&self) -> anyhow::Result<Track> {
        Ok(Track::read(&self.migrations, TrackName::Tenant, self.engine)?)
    }
}

/// The arguments by key.
struct Given<'a>(HashMap<&'a str, &'a str>);

impl Given<'_> {
    fn required(&self, key: &str) -> anyhow::Result<&str> {
        self.0
            .get(key)
            .copied()
            .with_context(|| format!("`{key}=` is missing"))
    }

    fn or<T>(&self, key: &str, default: T) -> anyhow::Result<T>
    where
        T: FromStr,
        T::Err: Into<anyhow::Error>,
    {
        let Some(value) = self.0.get(key) else {
            return Ok(default);
        };
        value
            .parse()
            .map_err(Into::into)
            .with_context(|| format!("`{key}={value}`"))
    }

    fn server(&self, engine: Engine) -> anyhow::Result<NetworkAddress> {
        let password = std::fs::read_to_string(self.required("password-file")?)?;
        let tls = match self.0.get("ca") {
            Some(file) => Tls::VerifyFull {
                ca_pem: Some(std::fs::read_to_string(file)?.into()),
            },
            None => Tls::Disable,
        };
        Ok(NetworkAddress {
            engine,
            host: "127.0.0.1".to_owned(),
            port: self.required("port")?.parse()?,
            tls,
            direct: None,
            database: match engine {
                Engine::Postgres => "postgres".to_owned(),
                Engine::MySql | Engine::Sqlite => "mysql".to_owned(),
            },
            login: Login {
                user: self.required("user")?.to_owned(),
                password: SecretString::from(password),
            },
        })
    }
}

impl FromStr for Task {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> anyhow::Result<Self> {
        Ok(match word {
            "settings" => Self::Settings,
            "settle" => Self::Settle,
            "create" => Self::Create,
            "fill" => Self::Fill,
            "ask" => Self::Ask,
            "run" => Self::Run,
            "status" => Self::Status,
            _ => bail!("there is no task `{word}`"),
        })
    }
}

impl FromStr for Central {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> anyhow::Result<Self> {
        Ok(match word {
            "file" => Self::File,
            "server" => Self::Server,
            _ => bail!("a registry is in no `{word}`"),
        })
    }
}

impl FromStr for Recorder {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> anyhow::Result<Self> {
        Ok(match word {
            "registry" => Self::Registry,
            "null" => Self::Null,
            _ => bail!("there is no recorder `{word}`"),
        })
    }
}

impl FromStr for Contestant {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> anyhow::Result<Self> {
        Ok(match word {
            "floor" => Self::Floor,
            "ours" => Self::Ours,
            _ => bail!("there is no contestant `{word}`"),
        })
    }
}

impl FromStr for Scenario {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> anyhow::Result<Self> {
        Ok(match word {
            "fresh" => Self::Fresh,
            "one" => Self::One,
            "noop" => Self::Noop,
            _ => bail!("there is no scenario `{word}`"),
        })
    }
}
