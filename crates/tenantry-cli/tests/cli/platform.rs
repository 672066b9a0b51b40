//! A project with a registry and a server on one engine, driven through the binary alone.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tenantry::engine::{Address, Engine, SqliteAddress};

use super::database::{self, TestDatabase, TestServer};
use super::only_json;

/// A project in a folder of its own; its central and its tenants' databases are on one engine.
pub(crate) struct Platform {
    pub(crate) engine: Engine,
    pub(crate) folder: TempDir,
    pub(crate) server: Option<TestServer>,
    pub(crate) central: TestDatabase,
    /// Where the registry is, if that is on a server.
    pub(crate) url: Option<String>,
}

/// Waits for a future; the tests themselves are plain functions.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

impl Platform {
    /// Sets a project up as far as `init` does, with an empty central database; `None`, printed, if there
    /// is no server.
    pub(crate) fn initialised(engine: Engine) -> Option<Self> {
        Self::initialised_on(engine, database::server(engine))
    }

    /// The same on a server that is not necessarily one of the test run's.
    fn initialised_on(engine: Engine, server: Option<TestServer>) -> Option<Self> {
        let mut central = wait(database::fresh_on(engine, server.as_ref()))?;
        let platform_folder = tempfile::tempdir().unwrap();
        let url = match &central.address {
            Address::Sqlite(_) => None,
            Address::Network(at) => Some(format!(
                "{}://{}:{}@{}:{}/{}",
                engine.as_str(),
                at.login.user,
                percent(at.login.password.expose_secret()),
                at.host,
                at.port,
                at.database
            )),
        };
        if engine == Engine::Sqlite {
            central.address = Address::Sqlite(SqliteAddress {
                folder: platform_folder.path().join("data"),
                file: "central.db".to_owned(),
            });
            central.direct = central.address.clone();
        }
        let platform = Self {
            engine,
            folder: platform_folder,
            server,
            central,
            url,
        };
        platform.ends(0, &["init", "--engine", engine.as_str()]);
        Some(platform)
    }

    /// Sets a project up with a migrated registry and one server, `local` in `uk`.
    pub(crate) fn start(engine: Engine) -> Option<Self> {
        Self::start_on(engine, database::server(engine))
    }

    /// The same on a server that is not necessarily one of the test run's.
    pub(crate) fn start_on(engine: Engine, server: Option<TestServer>) -> Option<Self> {
        let platform = Self::initialised_on(engine, server)?;
        platform.ends(0, &["migrate", "central"]);
        platform.add_server();
        Some(platform)
    }

    /// The same with tenants, each on the migrations of the tenant track.
    pub(crate) fn with_tenants(
        engine: Engine,
        migrations: &[(&str, &str)],
        tenants: &[&str],
    ) -> Option<Self> {
        let platform = Self::start(engine)?;
        for (name, sql) in migrations {
            platform.write(&format!("migrations/tenant/{name}"), sql);
        }
        for tenant in tenants {
            platform.ends(0, &["tenant", "create", tenant]);
        }
        Some(platform)
    }

    /// Registers the server; a network server's password goes through stdin.
    pub(crate) fn add_server(&self) -> Output {
        let base = ["server", "add", "local", "--jurisdiction", "uk", "--engine"];
        let mut words: Vec<&str> = base.to_vec();
        words.push(self.engine.as_str());
        let Some(server) = &self.server else {
            words.extend(["--path", "data"]);
            return self.ends(0, &words);
        };
        let port = server.port.to_string();
        words.extend(["--host", &server.host, "--port", &port]);
        words.extend(["--admin-user", &server.user, "--admin-password-stdin"]);
        let mut child = self.command(&words).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{}", server.password).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        output
    }

    /// Registers the server once more, in `eu`, with an administrator whose password is in a file; only where
    /// there is a server.
    pub(crate) fn add_another(&self, name: &str, user: &str, password_file: &str) -> Output {
        let server = self.server.as_ref().unwrap();
        let port = server.port.to_string();
        let base = ["server", "add", name, "--jurisdiction", "eu", "--engine"];
        let place = [self.engine.as_str(), "--host", &server.host, "--port", &port];
        let login = ["--admin-user", user, "--admin-password-file", password_file];
        self.command(&[&base[..], &place, &login].concat())
            .output()
            .unwrap()
    }

    /// Registers another folder of files in the jurisdiction of the first server.
    pub(crate) fn add_folder(&self, name: &str) -> Output {
        let words = [
            "server",
            "add",
            name,
            "--jurisdiction",
            "uk",
            "--engine",
            "sqlite",
        ];
        self.ends(0, &[&words[..], &["--path", name]].concat())
    }

    /// The binary with the project's folder and environment; stdout and stderr are kept.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        command
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(url) = &self.url {
            command.env("CENTRAL_DATABASE_URL", url);
        }
        command
    }

    pub(crate) fn spawn(&self, words: &[&str]) -> Child {
        self.command(words).spawn().unwrap()
    }

    /// Runs the binary and checks how it ends.
    pub(crate) fn ends(&self, exit: i32, words: &[&str]) -> Output {
        let output = self.command(words).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(exit),
            "{words:?}\n{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    /// Runs the binary with `--json`, checks how it ends, and that stdout is one document.
    pub(crate) fn json(&self, exit: i32, words: &[&str]) -> serde_json::Value {
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        only_json(&self.ends(exit, &words))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Copies the demo's tracks for central database, tenants and products.
    pub(crate) fn copy_the_demo(&self) {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/migrations");
        copy(&demo, &self.path("migrations"));
    }

    /// Returns the name of a tenant's shared database.
    pub(crate) fn database(&self, tenant: &str) -> String {
        let shown = self.json(0, &["tenant", "show", tenant]);
        shown["databases"][0]["database"].as_str().unwrap().to_owned()
    }

    /// Asks a database directly, as the server's administrator; NULL is `NULL`.
    pub(crate) fn query(&self, database: &str, sql: &str) -> Vec<Vec<String>> {
        wait(database::query(&self.address(database), sql))
    }

    /// Asks a database directly for one value.
    pub(crate) fn one(&self, database: &str, sql: &str) -> String {
        let rows = self.query(database, sql);
        rows.into_iter().flatten().next().unwrap_or_default()
    }

    pub(crate) fn address(&self, database: &str) -> Address {
        match &self.server {
            Some(server) => Address::Network(server.address(self.engine, database)),
            None => Address::Sqlite(SqliteAddress {
                folder: self.path("data"),
                file: database.to_owned(),
            }),
        }
    }

    /// Waits until no session is in the named databases but the one that asks.
    ///
    /// The server ends a killed client's session when it next writes to it, so this is polled.
    pub(crate) fn has_no_session_within(&self, limit: Duration, databases: &[String]) {
        let names = databases
            .iter()
            .map(|name| format!("'{name}'"))
            .collect::<Vec<_>>();
        let names = names.join(", ");
        let (database, sql) = match self.engine {
            Engine::Sqlite => return,
            Engine::Postgres => (
                "postgres",
                format!("SELECT pid, state, query FROM pg_stat_activity WHERE datname IN ({names})"),
            ),
            Engine::MySql => (
                "mysql",
                format!("SELECT id, command, info FROM information_schema.processlist WHERE db IN ({names})"),
            ),
        };
        let begin = std::time::Instant::now();
        loop {
            let sessions = self.query(database, &sql);
            if sessions.is_empty() {
                return;
            }
            assert!(begin.elapsed() < limit, "sessions are left: {sessions:?}");
            std::thread::yield_now();
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(source, target).unwrap();
        }
    }
}

/// Escapes what must not stand in a URL's password.
fn percent(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    escaped.collect()
}
