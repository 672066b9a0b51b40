//! Signals during a migration that takes long.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use tenantry::engine::Engine;

use super::on_each_engine;
use crate::platform::Platform;

on_each_engine!(
    the_first_interrupt_waits_for_running_targets,
    the_second_interrupt_cancels_on_the_server,
);

fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
}

/// Starts a run one target at a time and returns when its first migration has begun on the server.
fn begin_slowly(platform: &Platform, slow: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let sql = format!("CREATE TABLE slow (id BIGINT);\n{slow};\n");
    platform.write("migrations/tenant/001_slow.sql", &sql);
    let mut child = platform.spawn(&["migrate", "all-tenants", "-j", "1", "--ndjson"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("\"migration.started\"") {
        line.clear();
        assert_ne!(
            lines.read_line(&mut line).unwrap(),
            0,
            "the run ended before it began"
        );
    }
    (child, lines)
}

fn prepared(engine: Engine) -> Option<Platform> {
    if engine == Engine::Sqlite {
        println!("skipped on SQLite: it has no statement that sleeps");
        return None;
    }
    Platform::with_tenants(engine, &[], &["acme", "globex"])
}

fn finish(mut child: Child, mut lines: BufReader<std::process::ChildStdout>) -> (i32, String, String) {
    let (mut rest, mut said) = (String::new(), String::new());
    lines.read_to_string(&mut rest).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code().unwrap(), rest, said)
}

fn the_first_interrupt_waits_for_running_targets(engine: Engine) {
    let Some(platform) = prepared(engine) else { return };
    let slow = match engine {
        Engine::Postgres => "SELECT pg_sleep(2)",
        Engine::MySql | Engine::Sqlite => "SELECT SLEEP(2)",
    };
    let (child, lines) = begin_slowly(&platform, slow);
    interrupt(&child);
    let (exit, rest, said) = finish(child, lines);
    assert_eq!(exit, 130, "{rest}\n{said}");
    let finished: serde_json::Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
    assert_eq!(finished["applied"], 1, "{finished}");
    assert_eq!(finished["not_run"], 1, "{finished}");
    let help = finished["help"][0].as_str().unwrap();
    assert!(help.starts_with("tenantry migrate resume run_"), "{finished}");
    let resumed = platform.json(0, &["migrate", "resume"]);
    assert_eq!(resumed["applied"], 1, "{resumed}");
}

fn the_second_interrupt_cancels_on_the_server(engine: Engine) {
    let Some(platform) = prepared(engine) else { return };
    let databases = ["acme", "globex"].map(|tenant| platform.database(tenant));
    // A SLEEP that is killed succeeds (MySQL manual, "Miscellaneous Functions"): it would count as done.
    let slow = match engine {
        Engine::Postgres => "SELECT pg_sleep(120)",
        Engine::MySql | Engine::Sqlite => {
            "INSERT INTO slow SELECT seq FROM seq_1_to_1000000000000 WHERE seq % 7 = 9"
        }
    };
    let (mut child, lines) = begin_slowly(&platform, slow);
    let begin = Instant::now();
    interrupt(&child);
    // Two signals of one kind that are pending at once are one.
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Nothing new starts") {
        line.clear();
        assert_ne!(
            told.read_line(&mut line).unwrap(),
            0,
            "nobody was told about the first signal"
        );
    }
    interrupt(&child);
    child.stderr = Some(told.into_inner());
    let (exit, rest, said) = finish(child, lines);
    assert!(begin.elapsed() < Duration::from_secs(10), "{said}");
    assert_eq!(exit, 130, "{rest}\n{said}");
    platform.has_no_session_within(Duration::from_secs(5), &databases);
    let finished: serde_json::Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
    assert_eq!(finished["applied"], 0, "{finished}");
}
