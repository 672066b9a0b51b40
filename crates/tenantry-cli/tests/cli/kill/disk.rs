//! The disk is full: the target is reported as failed with nothing left of the migration, and when there is space
//! again the next plain run finishes.
//!
//! The disk is a small one in memory. Mounting it needs root; where that is not possible it is skipped and said, and
//! with CI=true it fails.

use std::path::{Path, PathBuf};
use std::process::Command;

use tenantry::engine::{Address, Engine, SqliteAddress};

use super::row::{Row, Share, is_ci};
use crate::database;
use crate::own_server::OwnServer;
use crate::platform::{Platform, wait};

const SHARE: Share = Share {
    row: "disk",
    ci: 1,
    whole: 1,
    minutes: 10,
};
const DEPLOY: [&str; 2] = ["migrate", "all-tenants"];
const NO_MOUNT: &str = "only root can mount a small disk";

/// A disk in memory; dropping it unmounts it.
struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts it on a folder, which must exist; `None` if that is not allowed here.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        let is_there = run(
            "mount",
            &["-t", "tmpfs", "-o", &format!("size={size}"), "tenantry"],
            at,
        );
        assert!(is_there || !is_ci(), "{NO_MOUNT}");
        is_there.then(|| Self { at: at.to_owned() })
    }

    fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        assert!(run("mount", &["-o", &options], &self.at));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that was just killed may still have its files.
        run("umount", &["--lazy"], &self.at);
    }
}

fn run(program: &str, words: &[&str], at: &Path) -> bool {
    let status = Command::new(program).args(words).arg(at).status();
    status.is_ok_and(|status| status.success())
}

/// A migration whose rows need about 40 MB, behind a table and a row that must go with it.
fn large(engine: Engine) -> String {
    let rows = match engine {
        Engine::Sqlite => {
            "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 40000) \
             INSERT INTO large SELECT n, hex(randomblob(500)) FROM c;\n"
        }
        Engine::Postgres | Engine::MySql => {
            "INSERT INTO large SELECT n, repeat('x', 1000) FROM generate_series(1, 40000) n;\n"
        }
    };
    format!("INSERT INTO things VALUES (2);\nCREATE TABLE large (n INTEGER, x TEXT);\n{rows}")
}

/// A tenant whose database stands on a small disk.
struct Place {
    platform: Platform,
    disk: SmallDisk,
    acme: Address,
}

impl Place {
    /// Creates the tenant; the server is there.
    fn with_tenant(platform: Platform, disk: SmallDisk) -> Self {
        platform.write("migrations/tenant/001_things.sql", THINGS);
        platform.ends(0, &["tenant", "create", "acme"]);
        let name = platform.database("acme");
        let acme = match &platform.server {
            Some(server) => Address::Network(server.address(platform.engine, &name)),
            None => Address::Sqlite(SqliteAddress {
                folder: disk.at.clone(),
                file: name,
            }),
        };
        Self { platform, disk, acme }
    }

    /// Fills the disk, twice; then there is more of it.
    fn fills_up(&self, more: &str) {
        let large = large(self.platform.engine);
        self.platform.write("migrations/tenant/002_large.sql", &large);
        for _ in 0..2 {
            let failed = self.platform.json(20, &DEPLOY);
            let target = &failed["targets"][0];
            assert_eq!(target["status"], "failed", "{failed}");
            assert_eq!(target["error"]["code"], "TN-2009", "{failed}");
            assert_eq!(target["error"]["state_after"], "rolled_back", "{failed}");
            self.is_at("1");
        }
        self.disk.resize(more);
        assert_eq!(self.platform.json(0, &DEPLOY)["applied"], 1);
        self.is_at("2");
        assert_eq!(self.one("SELECT count(*) FROM large"), "40000");
        assert_eq!(self.platform.json(0, &DEPLOY)["current"], 1);
    }

    /// Checks that rows and history are those of the version, each once.
    fn is_at(&self, version: &str) {
        for sql in [
            "SELECT count(*) FROM things",
            "SELECT count(*) FROM _tenantry_history",
            "SELECT count(*) FROM _tenantry_history WHERE phase = 'done'",
        ] {
            assert_eq!(self.one(sql), version, "{sql}");
        }
    }

    fn one(&self, sql: &str) -> String {
        let rows = wait(database::query(&self.acme, sql));
        rows.into_iter().flatten().next().unwrap_or_default()
    }
}

const THINGS: &str = "CREATE TABLE things (n INTEGER);\nINSERT INTO things VALUES (1);\n";

#[test]
fn on_sqlite_a_full_disk_leaves_nothing_half_done() {
    let mut row = Row::begin(&SHARE, "SQLite");
    let platform = Platform::initialised(Engine::Sqlite).unwrap();
    platform.ends(0, &["migrate", "central"]);
    // The central database stands beside it, on a disk that is not full.
    std::fs::create_dir_all(platform.path("small")).unwrap();
    let Some(disk) = SmallDisk::mount(&platform.path("small"), "8m") else {
        return row.skip(NO_MOUNT);
    };
    platform.add_folder("small");
    Place::with_tenant(platform, disk).fills_up("200m");
    row.count(1, 1);
}

#[test]
fn on_postgres_a_full_disk_leaves_nothing_half_done() {
    let mut row = Row::begin(&SHARE, "PostgreSQL");
    let Some(server) = OwnServer::stopped(Engine::Postgres) else {
        return row.skip("there are no programs of a server");
    };
    // Its log of changes stands on another disk, as is usual: without space for that it stops altogether.
    std::fs::create_dir(server.data()).unwrap();
    let Some(disk) = SmallDisk::mount(&server.data(), "70m") else {
        return row.skip(NO_MOUNT);
    };
    server.give(&server.data());
    let server = server.made();
    let platform = Platform::start_on(Engine::Postgres, Some(server.place())).unwrap();
    Place::with_tenant(platform, disk).fills_up("400m");
    row.count(1, 1);
}
