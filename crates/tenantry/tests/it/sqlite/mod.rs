//! SQLite on real files.

mod apply;
mod create;
mod foreign_keys;
mod lock;
mod outside;
mod read;
mod refused;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tenantry::TrackName;
use tenantry::engine::{
    self, Address, ApplyError, Expects, OpenOptions, Recorded, Session, SqliteAddress, Unit,
};
use tenantry::engine::{Engine, SessionError};
use tenantry::history::{History, Phase};
use tenantry::migration::{Checksum, Directives, Migration, Script, Track, Version, split};
use tenantry::plan::{Goal, plan};

const CUSTOMERS: &str = "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL)";
const VAT: &str = "ALTER TABLE customers ADD COLUMN vat TEXT; CREATE INDEX by_vat ON customers (vat)";

/// A folder with one SQLite file in it.
struct Bench {
    folder: TempDir,
    options: OpenOptions,
}

impl Bench {
    /// A file without any table.
    fn new() -> Self {
        let bench = Self::without_file();
        std::fs::File::create_new(bench.path()).unwrap();
        bench
    }

    fn without_file() -> Self {
        let options = OpenOptions {
            application_name: "tenantry test".to_owned(),
            connect_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_millis(200),
            lock_window: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(50),
            database_id: "db-1".to_owned(),
            tenant_id: "tenant-1".to_owned(),
            registry_id: "registry-1".to_owned(),
            expects: Expects::Tables,
        };
        Self {
            folder: tempfile::tempdir().unwrap(),
            options,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("acme.db")
    }

    fn address(&self) -> Address {
        Address::Sqlite(SqliteAddress {
            folder: self.folder.path().to_owned(),
            file: "acme.db".to_owned(),
        })
    }

    async fn try_open(&self) -> Result<Box<dyn Session>, SessionError> {
        engine::open(&self.address(), &self.options).await
    }

    async fn open(&self) -> Box<dyn Session> {
        self.try_open().await.unwrap()
    }

    async fn history(&self) -> History {
        let mut reader = engine::read(&self.address(), &self.options).await.unwrap();
        reader.history().await.unwrap()
    }

    async fn phases(&self) -> Vec<Phase> {
        self.history().await.rows.iter().map(|row| row.phase).collect()
    }

    /// Applies what is pending of a track, as one unit.
    async fn apply(&self, track: &Track) -> Result<Vec<Recorded>, ApplyError> {
        let mut session = self.open().await;
        carry_out(session.as_mut(), track, &Goal::Head).await
    }

    /// Runs a query of one number with a connection of its own.
    fn number(&self, sql: &str) -> i64 {
        let connection = rusqlite::Connection::open(self.path()).unwrap();
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn execute(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.path()).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    fn tables(&self) -> i64 {
        self.number("SELECT count(*) FROM sqlite_schema WHERE type = 'table'")
    }
}

async fn carry_out(
    session: &mut dyn Session,
    track: &Track,
    goal: &Goal,
) -> Result<Vec<Recorded>, ApplyError> {
    let unit = unit(track, session.history(), goal);
    session.carry_out(&unit).await
}

/// What a history and a goal make of a track.
fn unit(track: &Track, history: &History, goal: &Goal) -> Unit {
    Unit {
        track: track.name.clone(),
        direction: goal.direction(),
        steps: plan(track, history, goal).unwrap().steps,
        run_id: "run-1".to_owned(),
        attempt_id: format!("attempt-{:?}", std::time::Instant::now()),
    }
}

/// A track whose migrations are numbered from 1.
fn track(ups: &[&str]) -> Track {
    track_with(ups.iter().map(|up| (script(up), None)).collect())
}

fn track_with(scripts: Vec<(Script, Option<Script>)>) -> Track {
    let migrations = scripts.into_iter().zip(1..).map(|((up, down), number)| {
        Arc::new(Migration {
            version: version(number),
            name: format!("change_{number}"),
            up,
            down,
        })
    });
    Track {
        name: TrackName::Tenant,
        engine: Engine::Sqlite,
        folder: PathBuf::new(),
        migrations: migrations.collect(),
        warnings: Vec::new(),
        unfinished: Vec::new(),
    }
}

fn version(number: i64) -> Version {
    Version::from_number(number).unwrap()
}

/// A script by hand, so that it may hold what reading a folder would refuse already.
fn script(text: &str) -> Script {
    Script {
        path: PathBuf::from("change.sql"),
        text: text.to_owned(),
        checksum: Checksum::of(text),
        statements: split(text, Engine::Sqlite).unwrap(),
        directives: Directives::default(),
        own_session: false,
    }
}

fn files_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn reason(error: &SessionError) -> &str {
    let SessionError::Unsuitable { reason, .. } = error else {
        panic!("{error:?}");
    };
    reason
}
