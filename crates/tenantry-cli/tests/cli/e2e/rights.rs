//! Files that the command may not read, and places that it may not write (corpus rows B23, B83 and B85): told in one
//! failure, and nothing is changed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tenantry::engine::Engine;

use super::THINGS;
use crate::platform::Platform;
use crate::{only_json, stderr};

/// The account without rights of every Linux (`nobody`): root may write everything, so root's tests run as it.
const NOBODY: u32 = 65_534;
const MORE: (&str, &str) = (
    "migrations/tenant/010_more.sql",
    "CREATE TABLE more (id INTEGER);\n",
);

/// A platform whose command is run by somebody to whom the rights of files mean something.
struct Limited {
    platform: Platform,
    /// `None` for whoever runs the tests.
    account: Option<u32>,
    /// The file of `acme`, in the project's folder.
    acme: String,
}

impl Limited {
    /// Two tenants in a folder that the central database is not in.
    fn new() -> Self {
        let platform = Platform::start(Engine::Sqlite).unwrap();
        platform.add_folder("files");
        platform.write(&format!("migrations/tenant/{}", THINGS.0), THINGS.1);
        for tenant in ["acme", "globex"] {
            platform.ends(0, &["tenant", "create", tenant, "--server", "files"]);
        }
        let acme = format!("files/{}", platform.database("acme"));
        platform.write(MORE.0, MORE.1);
        // The build's own folder need not be open to others.
        fs::copy(env!("CARGO_BIN_EXE_tenantry"), platform.path("tenantry")).unwrap();
        let root = fs::metadata(platform.path("tenantry.toml")).unwrap().uid() == 0;
        let limited = Self {
            platform,
            account: root.then_some(NOBODY),
            acme,
        };
        limited.own("");
        limited
    }

    /// Lets everything in a folder belong to whoever runs the command.
    fn own(&self, folder: &str) {
        if let Some(account) = self.account {
            give(&self.platform.path(folder), account);
        }
    }

    fn acme(&self) -> PathBuf {
        self.platform.path(&self.acme)
    }

    /// The command, in any folder.
    fn command(&self, folder: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(self.platform.path("tenantry"));
        command.args(words).current_dir(folder).env_clear();
        command.stdin(Stdio::null());
        if let Some(account) = self.account {
            command.uid(account).gid(account);
        }
        command
    }

    fn json(&self, exit: i32, words: &[&str]) -> Value {
        let words = [words, &["--json"]].concat();
        let output = self.command(&self.platform.path(""), &words).output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{output:?}");
        only_json(&output)
    }

    fn allow(&self, file: &str, mode: u32) {
        fs::set_permissions(self.platform.path(file), Permissions::from_mode(mode)).unwrap();
    }
}

/// Gives a folder and everything in it to an account.
fn give(path: &Path, account: u32) {
    chown(path, Some(account), Some(account)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), account);
        }
    }
}

/// An application that has written in WAL mode and goes on; the `-wal` and `-shm` files are there.
fn application(file: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(file).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection
        .execute_batch("INSERT INTO things VALUES (7, 'x')")
        .unwrap();
    connection
}

fn tables(connection: &rusqlite::Connection) -> i64 {
    let count = "SELECT count(*) FROM sqlite_schema WHERE name = 'more'";
    connection.query_row(count, [], |row| row.get(0)).unwrap()
}

/// Checks how a run ended in which `acme`'s file could not be used, and `globex`'s could.
fn acme_alone_failed(run: &Value) {
    assert_eq!((&run["applied"], &run["failed"]), (&1.into(), &1.into()), "{run}");
    let failed = &run["targets"][0];
    assert_eq!(
        (&failed["target"], &failed["error"]["code"]),
        (&"acme".into(), &"TN-5005".into()),
        "{run}"
    );
}

#[test]
fn a_log_that_may_not_be_written_fails_its_tenant_alone() {
    for (file, mode) in [("-wal", 0o000), ("-shm", 0o000), ("-wal", 0o444), ("-shm", 0o444)] {
        let limited = Limited::new();
        let file = format!("{}{file}", limited.acme);
        let application = application(&limited.acme());
        limited.own("files");
        limited.allow(&file, mode);
        acme_alone_failed(&limited.json(20, &["migrate", "all-tenants"]));
        assert_eq!(tables(&application), 0, "{file}");
        limited.allow(&file, 0o644);
        assert_eq!(limited.json(0, &["migrate", "resume"])["applied"], 1, "{file}");
        assert_eq!(tables(&application), 1, "{file}");
    }
}

#[test]
fn a_migration_that_may_not_be_read_is_refused_and_named() {
    let limited = Limited::new();
    let before = fs::read(limited.acme()).unwrap();
    limited.allow(MORE.0, 0o000);
    let refused = limited.json(40, &["migrate", "all-tenants"]);
    assert_eq!(
        (&refused["code"], &refused["file"]),
        (&"TN-3027".into(), &MORE.0.into()),
        "{refused}"
    );
    assert_eq!(fs::read(limited.acme()).unwrap(), before);
    limited.allow(MORE.0, 0o644);
    assert_eq!(limited.json(0, &["migrate", "all-tenants"])["applied"], 2);
}

#[test]
fn a_folder_in_which_no_log_can_be_made_fails_its_tenants() {
    let limited = Limited::new();
    // Its last connection takes the log away with it.
    drop(application(&limited.acme()));
    limited.own("files");
    let before = fs::read(limited.acme()).unwrap();
    limited.allow("files", 0o555);
    let run = limited.json(20, &["migrate", "all-tenants"]);
    assert_eq!(run["failed"], 2, "{run}");
    for failures in run["failures"].as_array().unwrap() {
        assert_eq!(failures["code"], "TN-5005", "{run}");
    }
    limited.allow("files", 0o755);
    assert_eq!(fs::read(limited.acme()).unwrap(), before);
    assert_eq!(limited.json(0, &["migrate", "resume"])["applied"], 2);
}

#[test]
fn neither_the_working_folder_nor_the_projects_need_be_writable() {
    let limited = Limited::new();
    for folder in ["", "migrations", "migrations/tenant"] {
        limited.allow(folder, 0o555);
    }
    let elsewhere = tempfile::tempdir().unwrap();
    fs::set_permissions(elsewhere.path(), Permissions::from_mode(0o555)).unwrap();
    let project = limited.platform.path("");
    let words = ["-C", project.to_str().unwrap(), "migrate", "all-tenants"];
    let output = limited.command(elsewhere.path(), &words).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    // What has to write there says so in one error.
    let made = limited
        .command(&project, &["migrate", "make", "more"])
        .output()
        .unwrap();
    let said = stderr(&made);
    assert!(!made.status.success(), "{said}");
    assert_eq!(said.matches("error[TN-").count(), 1, "{said}");
    assert_eq!(
        fs::read_dir(project.join("migrations/tenant")).unwrap().count(),
        3,
        "{said}"
    );
    assert_eq!(
        limited.json(0, &["migrate", "status", "--exit-code"])["live"],
        false
    );
    for folder in ["", "migrations", "migrations/tenant"] {
        limited.allow(folder, 0o755);
    }
}
