//! Runs over a fleet of SQLite files with a registry: what is recorded, resumed and taken back.

mod chains;
mod half_way;
mod lost;
mod one;
mod stopped;
mod upgrade;

use std::fs;
use std::time::Duration;

use tempfile::TempDir;
use tenantry::engine::{Address, Engine, Place, SqliteAddress};
use tenantry::fleet::{Fleet, Folders, REGISTRY_TIMEOUT, Request, Selected, Tiers, prepare_central};
use tenantry::plan::Goal;
use tenantry::provision::{Naming, NewTenant, Tenants};
use tenantry::registry::{self, NewServer, Registry};
use tenantry::run::{Control, RunEvent, RunOptions, RunReport};
use tenantry::{Direction, Selection, TenantId};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A fleet in a folder of its own.
struct Platform {
    folder: TempDir,
    fleet: Fleet,
}

impl Platform {
    /// Sets up a registry, one server, the files of the tenant track, and tenants that have them.
    async fn with(files: &[(&str, &str)], tenants: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let central = Address::Sqlite(central(&folder));
        Self::on(central, folder, files, tenants).await
    }

    /// The same with the registry somewhere else.
    async fn on(central: Address, folder: TempDir, files: &[(&str, &str)], tenants: &[&str]) -> Self {
        fs::create_dir_all(folder.path().join("data")).unwrap();
        fs::create_dir_all(folder.path().join("tenant")).unwrap();
        prepare_central(&central, &RunOptions::default()).await.unwrap();
        let fleet = Fleet {
            registry: Registry::connect(&central, REGISTRY_TIMEOUT).await.unwrap(),
            folders: Folders {
                tenant: folder.path().join("tenant"),
                ..Folders::default()
            },
            options: RunOptions {
                registry_window: Duration::from_secs(3),
                ..RunOptions::default()
            },
        };
        let platform = Self { folder, fleet };
        for (name, sql) in files {
            platform.write(name, sql);
        }
        let server = NewServer {
            name: "files".parse().unwrap(),
            engine: Engine::Sqlite,
            jurisdiction: "uk".parse().unwrap(),
            place: Place::Folder(platform.folder.path().join("data")),
            admin: None,
            insecure_reason: None,
            max_parallel: None,
            intake: tenantry::Intake::default(),
            server_version: None,
        };
        platform.fleet.registry.add_server(&server).await.unwrap();
        for slug in tenants {
            platform.create(slug).await;
        }
        platform
    }

    async fn create(&self, slug: &str) {
        let new = NewTenant {
            tenant: registry::NewTenant {
                id: TenantId::generate(),
                slug: slug.parse().unwrap(),
                name: None,
                jurisdiction: "uk".parse().unwrap(),
                external_id: None,
                domains: Vec::new(),
            },
            server: None,
            products: Vec::new(),
        };
        let tenants = Tenants::new(self.fleet.clone(), Naming::default());
        tenants.create(&new).await.unwrap();
    }

    fn write(&self, name: &str, sql: &str) {
        fs::write(self.folder.path().join("tenant").join(name), sql).unwrap();
    }

    fn central(&self) -> SqliteAddress {
        central(&self.folder)
    }

    /// Selects every tenant's shared database.
    async fn select(&self) -> Selected {
        let everybody = Selection::default();
        self.fleet.select(&everybody, Tiers::Tenant).await.unwrap()
    }

    /// Opens a tenant's file beside us, to look and to meddle.
    async fn open(&self, slug: &str) -> rusqlite::Connection {
        let selected = self.select().await;
        let job = selected.jobs.iter().find(|job| job.target.label() == slug);
        let Address::Sqlite(address) = &job.unwrap().target.address else {
            panic!("every server here is a folder");
        };
        rusqlite::Connection::open(address.path()).unwrap()
    }

    /// Returns the versions that a tenant's history has.
    async fn versions(&self, slug: &str) -> Vec<i64> {
        let connection = self.open(slug).await;
        let mut statement = connection
            .prepare("SELECT version FROM _tenantry_history ORDER BY version")
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Brings what is selected to a goal in a run of its own.
    async fn run(&self, mut selected: Selected, goal: Goal, continues: Option<&str>) -> RunReport {
        selected.aim(&goal).unwrap();
        let (events, _unheard) = unbounded_channel();
        let request = Request {
            continues: continues.map(str::to_owned),
            ..up()
        };
        let control = Control::default();
        let run = self.fleet.execute(selected, &request, &control, events);
        run.await.unwrap()
    }
}

fn central(folder: &TempDir) -> SqliteAddress {
    SqliteAddress {
        folder: folder.path().join("data"),
        file: "central.db".to_owned(),
    }
}

fn up() -> Request {
    Request {
        command: "migrate all-tenants".to_owned(),
        reason: None,
        actor: "test".to_owned(),
        direction: Direction::Up,
        reverts: None,
        continues: None,
    }
}

/// Waits until as many events of a kind have come.
async fn heard(events: &mut UnboundedReceiver<RunEvent>, count: usize, kind: impl Fn(&RunEvent) -> bool) {
    let mut seen = 0;
    while seen < count {
        let event = events.recv().await.expect("the run ended before it told enough");
        seen += usize::from(kind(&event));
    }
}
