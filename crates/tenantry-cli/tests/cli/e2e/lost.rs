//! A central database that is locked, damaged, or goes away while the tenants are being migrated.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tenantry::engine::Engine;

use super::{THINGS, THINGS_BACK};
use crate::platform::Platform;
use crate::stderr;

const MORE: (&str, &str) = (
    "migrations/tenant/002_more.sql",
    "CREATE TABLE more (id INTEGER);\n",
);

fn platform() -> Platform {
    let platform = Platform::with_tenants(Engine::Sqlite, &[THINGS, THINGS_BACK], &["acme", "globex"]);
    let platform = platform.unwrap();
    platform.write(MORE.0, MORE.1);
    platform
}

fn central(platform: &Platform) -> PathBuf {
    platform.path("data/central.db")
}

fn locked(path: PathBuf, how: &str) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(how).unwrap();
    connection
}

#[test]
fn a_run_whose_registry_goes_away_ends_with_31_and_is_told_by_a_resume() {
    let platform = platform();
    let databases = ["acme", "globex"].map(|tenant| platform.database(tenant));
    let locks = databases.clone().map(|name| {
        let path = platform.path(&format!("data/{name}"));
        locked(path, "BEGIN IMMEDIATE")
    });
    let mut command = platform.command(&["migrate", "all-tenants", "--ndjson"]);
    let mut child = command
        .env("TENANTRY_RUN__REGISTRY_WINDOW", "4s")
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut started = 0;
    while started < 2 {
        let mut line = String::new();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the run ended early");
        started += usize::from(line.contains("\"target.started\""));
    }
    let away = platform.path("data/away.db");
    fs::rename(central(&platform), &away).unwrap();
    drop(locks);
    let (mut rest, mut said) = (String::new(), String::new());
    lines.read_to_string(&mut rest).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(31), "{rest}\n{said}");
    assert!(
        said.contains("error[TN-6009]: the registry does not have 2 outcomes of run_"),
        "{said}"
    );
    assert!(said.contains("its own history says the same"), "{said}");
    assert!(said.contains("tenantry migrate resume run_"), "{said}");
    let finished: serde_json::Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
    assert_eq!(finished["applied"], 2, "{finished}");
    assert_eq!(finished["unrecorded"]["outcomes"], 2, "{finished}");
    for name in &databases {
        assert_eq!(
            platform.one(name, "SELECT max(version) FROM _tenantry_history"),
            "2"
        );
    }

    fs::rename(&away, central(&platform)).unwrap();
    let resumed = platform.json(0, &["migrate", "resume"]);
    assert_eq!(resumed["current"], 2, "{resumed}");
    platform.ends(0, &["migrate", "status", "--exit-code"]);
}

#[test]
fn while_the_registry_is_away_nothing_new_starts_and_then_the_run_goes_on() {
    let slugs = ["a", "b", "c", "d", "e", "f"];
    let platform = Platform::with_tenants(Engine::Sqlite, &[THINGS, THINGS_BACK], &slugs).unwrap();
    platform.write(MORE.0, MORE.1);
    let names: HashMap<&str, String> = slugs.map(|tenant| (tenant, platform.database(tenant))).into();
    let locks = slugs.map(|tenant| {
        let path = platform.path(&format!("data/{}", names[tenant]));
        (tenant, locked(path, "BEGIN IMMEDIATE"))
    });
    let mut child = platform.spawn(&["migrate", "all-tenants", "--ndjson", "-j", "2", "--canary", "0"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut started = Vec::new();
    while started.len() < 2 {
        let mut line = String::new();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the run ended early");
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        if event["type"] == "target.started" {
            started.push(event["target"].as_str().unwrap().to_owned());
        }
    }
    let away = platform.path("data/away.db");
    fs::rename(central(&platform), &away).unwrap();
    // Two finish, and what became of them cannot be written down: nobody follows them.
    let (first, rest): (Vec<_>, Vec<_>) = locks
        .into_iter()
        .partition(|(tenant, _)| started.iter().any(|s| s == tenant));
    drop(first);
    let begun = Instant::now();
    let newest = "SELECT max(version) FROM _tenantry_history";
    let applied = |tenant: &str| platform.one(&names[tenant], newest) == "2";
    while !started.iter().all(|tenant| applied(tenant)) {
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(100));
    }
    // The next two have begun by the time that this is noticed.
    std::thread::sleep(Duration::from_secs(3));
    drop(rest);
    std::thread::sleep(Duration::from_secs(6));
    let done = slugs.iter().filter(|tenant| applied(tenant)).count();
    assert!(done <= 4, "{done} of 6 ran without a registry");
    fs::rename(&away, central(&platform)).unwrap();
    let (mut rest, mut said) = (String::new(), String::new());
    lines.read_to_string(&mut rest).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest}\n{said}");
    let finished: serde_json::Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
    assert_eq!(
        (finished["applied"].as_u64(), finished.get("unrecorded")),
        (Some(6), None),
        "{finished}"
    );
    let run = platform.json(0, &["run", "show"]);
    assert_eq!(
        (run["status"].as_str(), run["ok"].as_u64()),
        (Some("completed"), Some(6)),
        "{run}"
    );
}

#[test]
fn after_an_older_registry_was_restored_nothing_runs_twice() {
    let slugs = ["a", "b", "c", "d"];
    let platform = Platform::with_tenants(Engine::Sqlite, &[THINGS, THINGS_BACK], &slugs).unwrap();
    let old = platform.path("data/old.db");
    let copy = format!("VACUUM INTO '{}'", old.display());
    Connection::open(central(&platform))
        .unwrap()
        .execute_batch(&copy)
        .unwrap();
    platform.write(MORE.0, MORE.1);
    platform.json(0, &["migrate", "all-tenants"]);
    for ending in ["", "-wal", "-shm"] {
        let path = PathBuf::from(format!("{}{ending}", central(&platform).display()));
        if path.exists() {
            fs::remove_file(path).unwrap();
        }
    }
    fs::rename(&old, central(&platform)).unwrap();
    let again = platform.json(0, &["migrate", "all-tenants"]);
    assert_eq!(
        (again["applied"].as_u64(), again["current"].as_u64()),
        (Some(0), Some(4)),
        "{again}"
    );
    platform.ends(0, &["migrate", "status", "--exit-code"]);
}

#[test]
fn a_locked_central_file_ends_with_31_within_ten_seconds_and_nothing_ran() {
    let platform = platform();
    let acme = platform.database("acme");
    let lock = locked(central(&platform), "BEGIN EXCLUSIVE");
    for words in [&["migrate", "all-tenants"][..], &["migrate", "central"]] {
        let begin = Instant::now();
        let output = platform.ends(31, words);
        assert!(begin.elapsed() < Duration::from_secs(10), "{words:?}");
        let said = stderr(&output);
        assert!(said.contains("locked by another program"), "{said}");
        if cfg!(target_os = "linux") {
            // The test itself has it.
            let us = std::process::id();
            assert!(said.contains(&format!("pid {us},")), "{said}");
            assert!(said.contains(&format!("ps -fp {us}")), "{said}");
        }
        assert!(said.contains("nothing ran"), "{said}");
    }
    drop(lock);
    assert_eq!(
        platform.one(&acme, "SELECT max(version) FROM _tenantry_history"),
        "1"
    );
}

#[test]
fn a_damaged_central_file_ends_with_31_and_nothing_ran() {
    let platform = platform();
    let acme = platform.database("acme");
    let text = "this was the central database\n".repeat(1000);
    // SQLite would mend the file from a log that is left beside it.
    for log in ["data/central.db-wal", "data/central.db-shm"] {
        drop(fs::remove_file(platform.path(log)));
    }
    fs::write(central(&platform), &text).unwrap();
    for words in [
        &["migrate", "all-tenants"][..],
        &["migrate", "central"],
        &["migrate", "all"],
        &["migrate", "status"],
        &["tenant", "list"],
    ] {
        let problem = platform.json(31, words);
        assert_eq!(problem["code"], "TN-6009", "{words:?} {problem}");
        let all = problem.to_string();
        assert!(
            all.contains("damaged") || all.contains("not an SQLite database"),
            "{words:?} {all}"
        );
    }
    assert_eq!(fs::read_to_string(central(&platform)).unwrap(), text);
    assert_eq!(
        platform.one(&acme, "SELECT max(version) FROM _tenantry_history"),
        "1"
    );
}
