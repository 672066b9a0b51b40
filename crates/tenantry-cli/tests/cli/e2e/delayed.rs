//! A COMMIT that a reader delays gives way: other readers are served, and the migration comes later (SQLite).

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tenantry::engine::{Address, Engine};

use super::THINGS;
use crate::only_json;
use crate::platform::Platform;

const NEXT: (&str, &str) = ("002_next.sql", "INSERT INTO things VALUES (3, 'c');\n");

/// Names the file to a process of ours that is to be the reader; unset in the tests themselves.
const TO_READ: &str = "TENANTRY_TEST_TO_READ";

/// Another process that is in the middle of a read transaction. One of this process would lose its lock to the next
/// connection that is closed here.
struct Reader(Child);

impl Reader {
    /// Begins: this test program once more, as [`a_reader_keeps_every_commit_waiting`].
    fn begin(file: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "e2e::delayed::a_reader_keeps_every_commit_waiting"])
            .arg("--nocapture")
            .env(TO_READ, file)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answer = String::new();
        let mut told = BufReader::new(process.stderr.as_mut().unwrap());
        told.read_line(&mut answer).unwrap();
        assert_eq!(answer, "2\n");
        Self(process)
    }

    /// Reads in this process, tells what it saw, and stays so until its input ends.
    fn be(file: &Path) {
        let mut connection = rusqlite::Connection::open(file).unwrap();
        let reading = connection.transaction().unwrap();
        let count = "SELECT count(*) FROM things";
        let things: i64 = reading.query_row(count, [], |row| row.get(0)).unwrap();
        eprintln!("{things}");
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
    }

    /// Returns the name that Linux has for its program.
    fn name(&self) -> String {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", self.0.id()));
        name.unwrap().trim().to_owned()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // The end of its input is the end of the process.
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

/// Also what a process of ours runs that is to be the reader.
#[test]
fn a_reader_keeps_every_commit_waiting() {
    if let Some(file) = std::env::var_os(TO_READ) {
        return Reader::be(Path::new(&file));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("things");
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.busy_timeout(Duration::ZERO).unwrap();
    connection
        .execute_batch("CREATE TABLE things (id); INSERT INTO things VALUES (1), (2)")
        .unwrap();
    let insert = || connection.execute("INSERT INTO things VALUES (3)", []);
    let reader = Reader::begin(&file);
    let refused = insert().unwrap_err();
    assert_eq!(
        refused.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy)
    );
    drop(reader);
    assert_eq!(insert(), Ok(1));
}

/// A platform with `acme`'s file, on which version 2 is pending.
fn platform() -> (Platform, PathBuf) {
    let platform = Platform::with_tenants(Engine::Sqlite, &[THINGS], &["acme"]).unwrap();
    platform.write(&format!("migrations/tenant/{}", NEXT.0), NEXT.1);
    let Address::Sqlite(file) = platform.address(&platform.database("acme")) else {
        panic!("it has no file");
    };
    let path = file.path();
    (platform, path)
}

/// Starts a program that gives way after a fifth of a second, and gives up after four seconds.
fn start(platform: &Platform, words: &[&str]) -> Child {
    let mut command = platform.command(words);
    command.env("TENANTRY_RUN__LOCK_TIMEOUT", "200ms");
    command.env("TENANTRY_RUN__LOCK_WINDOW", "4s").spawn().unwrap()
}

/// Reads again and again with new connections, as an application does, until the program has ended; returns for how
/// long readings were served, and for how long refused.
fn read_during(child: &mut Child, file: &Path) -> (Duration, Duration) {
    let (mut served, mut refused) = (Duration::ZERO, Duration::ZERO);
    let mut last = Instant::now();
    while child.try_wait().unwrap().is_none() {
        let connection = rusqlite::Connection::open(file).unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        let things = connection.query_row("SELECT count(*) FROM things", [], |row| row.get::<_, i64>(0));
        let now = Instant::now();
        let kind = if things.is_ok() { &mut served } else { &mut refused };
        *kind += now - std::mem::replace(&mut last, now);
    }
    (served, refused)
}

fn ended(child: Child, exit: i32) -> Value {
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(exit), "{output:?}");
    only_json(&output)
}

#[test]
fn while_one_reader_delays_a_commit_the_others_are_served() {
    let (platform, file) = platform();
    let reader = Reader::begin(&file);
    let mut run = start(&platform, &["migrate", "all-tenants", "--json"]);
    let (served, refused) = read_during(&mut run, &file);
    let report = ended(run, 20);
    assert!(
        served > refused,
        "{served:?} served, {refused:?} refused: {report}"
    );
    assert!(!refused.is_zero(), "no COMMIT was ever due: {report}");

    let target = &report["targets"][0];
    assert_eq!(target["status"], "blocked", "{report}");
    assert!(target["attempts"].as_u64() > Some(1), "{report}");
    let error = &target["error"];
    assert_eq!(error["code"], "TN-2005", "{report}");
    assert!(error["title"].as_str().unwrap().contains("COMMIT"), "{report}");
    if cfg!(target_os = "linux") {
        assert_eq!(error["blocked_by"][0]["pid"], reader.0.id(), "{report}");
        let holder = &error["blocked_by"][0];
        assert_eq!(holder["application"], reader.name(), "{report}");
        let program = std::env::current_exe().unwrap();
        assert_eq!(holder["from"], program.to_str().unwrap(), "{report}");
        assert_eq!(holder["state"], "sleeping", "{report}");
    }
    drop(reader);
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["applied"], 1);
    assert_eq!(
        platform.one(&platform.database("acme"), "SELECT count(*) FROM things"),
        "3"
    );
}

#[test]
fn a_declaration_that_a_reader_delays_lets_the_others_in() {
    let (platform, file) = platform();
    let reader = Reader::begin(&file);
    let mark = ["migrate", "mark", "2", "--applied", "acme", "--reason", "by hand"];
    let mut declares = start(&platform, &mark);
    let (served, refused) = read_during(&mut declares, &file);
    drop(reader);
    let output = declares.wait_with_output().unwrap();
    assert_ne!(output.status.code(), Some(0), "{output:?}");
    assert!(
        served > refused,
        "{served:?} served, {refused:?} refused: {output:?}"
    );
    assert!(!refused.is_zero(), "no COMMIT was ever due: {output:?}");
    platform.ends(0, &mark);
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["applied"], 0);
}
