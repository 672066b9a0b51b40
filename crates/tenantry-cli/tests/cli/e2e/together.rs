//! Several commands on one fleet at once: one drives, the others attach, and whoever is left finishes.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Output};
use std::time::{Duration, Instant};

use serde_json::Value;
use tenantry::engine::Engine;

use super::on_each_engine;
use crate::output::{only_json, stderr};
use crate::platform::Platform;

on_each_engine!(
    of_many_that_start_at_once_one_drives_and_all_end_alike,
    whoever_is_attached_takes_over_when_the_driver_dies,
    a_run_of_another_plan_says_who_has_the_targets_and_waits_if_it_is_told_to,
    who_wants_more_than_a_dead_run_had_gets_all_of_it,
    a_run_is_paused_and_gone_on_with_from_another_command,
    a_paused_run_is_not_gone_on_with_beside_another_that_has_its_targets,
    a_run_is_cancelled_from_another_command,
);

/// How many start in one instant.
const AT_ONCE: usize = 16;
/// How long a run may take that is killed again and again.
const FINISHED_WITHIN: Duration = Duration::from_mins(4);
const RUN: [&str; 2] = ["migrate", "all-tenants"];

fn slugs(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("tenant-{n:02}")).collect()
}

/// A fleet with one migration applied, so that each row it is counted by can be there once only.
fn fleet(engine: Engine, tenants: usize) -> Option<(Platform, Vec<String>)> {
    let slugs = slugs(tenants);
    let names: Vec<&str> = slugs.iter().map(String::as_str).collect();
    let first = ("001_first.sql", "CREATE TABLE effects (id INTEGER, n BIGINT);\n");
    let platform = Platform::with_tenants(engine, &[first], &names)?;
    Some((platform, slugs))
}

/// A migration that takes about this long on each database, and leaves one row.
fn write_counted(platform: &Platform, version: &str, engine: Engine, seconds: f32) {
    let wait = match engine {
        Engine::Postgres => format!("SELECT pg_sleep({seconds})"),
        Engine::MySql => format!("DO SLEEP({seconds})"),
        Engine::Sqlite => {
            let steps = f64::from(seconds) * 5_000_000.0;
            format!(
                "INSERT INTO effects WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {steps:.0}) \
                 SELECT i, i FROM n WHERE i < 0"
            )
        }
    };
    let sql = format!("INSERT INTO effects VALUES ({version}, 1);\n{wait};\n");
    platform.write(&format!("migrations/tenant/{version}_counted.sql"), &sql);
}

fn effects_are_there_once(platform: &Platform, slugs: &[String], version: &str) {
    for slug in slugs {
        let database = platform.database(slug);
        let count = format!("SELECT COUNT(*) FROM effects WHERE id = {version}");
        assert_eq!(platform.one(&database, &count), "1", "{slug}");
    }
}

fn finished(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|_| panic!("{text}\n{}", stderr(output)))
}

fn of_many_that_start_at_once_one_drives_and_all_end_alike(engine: Engine) {
    let Some((platform, slugs)) = fleet(engine, 8) else {
        return;
    };
    write_counted(&platform, "002", engine, 0.3);
    let words = [&RUN[..], &["--ndjson"]].concat();
    let started: Vec<Child> = (0..AT_ONCE).map(|_| platform.spawn(&words)).collect();
    let ended: Vec<Output> = started
        .into_iter()
        .map(|child| child.wait_with_output().unwrap())
        .collect();
    for output in &ended {
        assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
        assert!(!stderr(output).contains("error"), "{}", stderr(output));
        let done = finished(output);
        assert_eq!(done["failed"], 0, "{done}");
    }
    who_attached_saw_what_the_driver_did(&ended);
    effects_are_there_once(&platform, &slugs, "2");
    let all = platform.json(0, &["run", "list", "--limit", "100"]);
    let of_fleet = |run: &&Value| run["command"] == "migrate all-tenants";
    let all: Vec<&Value> = all["items"].as_array().unwrap().iter().filter(of_fleet).collect();
    // Whoever came when the first run had ended found nothing to do, in a run of its own.
    assert!(all.len() < AT_ONCE, "{}", all.len());
    assert!(all.iter().all(|run| run["status"] == "completed"), "{all:?}");
}

/// Whoever says that it attached shows the run as its driver does: where it is driven, and how many at once.
fn who_attached_saw_what_the_driver_did(ended: &[Output]) {
    let lines = |output: &Output| -> Vec<Value> {
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let attached: Vec<Vec<Value>> = ended
        .iter()
        .map(lines)
        .filter(|lines| lines.iter().any(|line| line["type"] == "run.attached"))
        .collect();
    assert!(!attached.is_empty(), "nobody attached");
    for lines in attached {
        let start = lines.iter().find(|line| line["type"] == "run.started").unwrap();
        assert_eq!(start["concurrency"], 5, "{start}");
        assert_eq!(start["targets"], 8, "{start}");
        let targets = lines.iter().filter(|line| line["type"] == "target.finished");
        for target in targets {
            assert!(!target["database"].as_str().unwrap().is_empty(), "{target}");
        }
        // The first line says which fields to expect, and has no number.
        let lines: Vec<&Value> = lines.iter().filter(|line| line["type"] != "version").collect();
        let seq = lines.iter().map(|line| line["seq"].as_u64().unwrap());
        assert!(seq.eq(1..=lines.len() as u64), "{lines:?}");
    }
}

/// Returns when the command says that something has happened.
fn hears(child: &mut Child, what: &str) {
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap());
    let mut line = String::new();
    while !line.contains(what) {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "nobody said `{what}`");
    }
}

fn whoever_is_attached_takes_over_when_the_driver_dies(engine: Engine) {
    let Some((platform, slugs)) = fleet(engine, 12) else {
        return;
    };
    write_counted(&platform, "002", engine, 0.4);
    let words = [&RUN[..], &["--ndjson", "-j", "2", "--canary", "0"]].concat();
    let begun = Instant::now();
    let mut deployers: Vec<Child> = Vec::new();
    let mut ended: Vec<Output> = Vec::new();
    let mut kills = 0;
    // As long as nobody has come to the end, there are three, and every second the one that drives dies.
    while ended.is_empty() {
        assert!(begun.elapsed() < FINISHED_WITHIN);
        while deployers.len() < 3 {
            deployers.push(platform.spawn(&words));
        }
        std::thread::sleep(Duration::from_millis(900));
        // The driver is the one that the registry names.
        let run = platform.json(0, &["run", "show"]);
        let driver = run["driver"].as_str().unwrap_or_default().to_owned();
        let is_driver = |child: &Child| driver.contains(&format!("(pid {})", child.id()));
        if kills < 5
            && let Some(at) = deployers.iter().position(is_driver)
        {
            let mut driver = deployers.remove(at);
            driver.kill().unwrap();
            let output = driver.wait_with_output().unwrap();
            match output.status.code() {
                None => kills += 1,
                // It had come to its end by itself.
                Some(_) => ended.push(output),
            }
        } else if let Some(at) = deployers
            .iter_mut()
            .position(|child| child.try_wait().unwrap().is_some())
        {
            ended.push(deployers.remove(at).wait_with_output().unwrap());
        }
    }
    assert!(kills >= 2, "{kills}");
    ended.extend(
        deployers
            .into_iter()
            .map(|child| child.wait_with_output().unwrap()),
    );
    for output in &ended {
        assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
        assert_eq!(finished(output)["failed"], 0);
    }
    effects_are_there_once(&platform, &slugs, "2");
    let run = platform.json(0, &["run", "show"]);
    assert_eq!(
        (run["status"].as_str(), run["not_run"].as_u64()),
        (Some("completed"), Some(0)),
        "{run}"
    );
}

fn who_wants_more_than_a_dead_run_had_gets_all_of_it(engine: Engine) {
    let Some((platform, slugs)) = fleet(engine, 3) else {
        return;
    };
    write_counted(&platform, "002", engine, 1.0);
    let mut child = platform.spawn(&["migrate", "tenant", &slugs[1], "--ndjson"]);
    hears(&mut child, "\"migration.started\"");
    child.kill().unwrap();
    child.wait().unwrap();
    let all = platform.json(0, &RUN);
    assert_eq!(all["ok"], slugs.len(), "{all}");
    effects_are_there_once(&platform, &slugs, "2");
}

/// It stands still for longer than its lease, and then brings its last target to an end: what it shows must be the run.
#[test]
fn a_driver_that_lost_its_run_shows_what_became_of_that() {
    let (platform, slugs) = fleet(Engine::Sqlite, 1).unwrap();
    write_counted(&platform, "002", Engine::Sqlite, 3.0);
    let frozen = under_way(&platform, &[]);
    signal(&frozen, "-STOP");
    let run = id_of_the_newest(&platform);
    let mut second = platform.spawn(&[&RUN[..], &["--ndjson"]].concat());
    hears(&mut second, "\"run.taken_over\"");
    signal(&frozen, "-CONT");
    let first = frozen.wait_with_output().unwrap();
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let shown = platform.json(0, &["run", "show", &run]);
    assert_eq!(
        (&shown["status"], &shown["ok"]),
        (&"completed".into(), &1.into()),
        "{shown}"
    );
    assert_eq!(second.wait_with_output().unwrap().status.code(), Some(0));
    effects_are_there_once(&platform, &slugs, "2");
}

#[test]
fn a_driver_that_lost_its_run_takes_it_up_again_when_the_other_one_dies() {
    let (platform, slugs) = fleet(Engine::Sqlite, 3).unwrap();
    write_counted(&platform, "002", Engine::Sqlite, 3.0);
    let frozen = under_way(&platform, &[]);
    signal(&frozen, "-STOP");
    let mut second = platform.spawn(&[&RUN[..], &["--ndjson", "-j", "1"]].concat());
    hears(&mut second, "\"run.taken_over\"");
    signal(&frozen, "-CONT");
    // It has had the time to hear that the run is another one's.
    std::thread::sleep(Duration::from_secs(3));
    second.kill().unwrap();
    second.wait().unwrap();
    let first = frozen.wait_with_output().unwrap();
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let told = String::from_utf8_lossy(&first.stdout);
    assert!(
        told.contains("\"run.attached\"") && told.contains("\"run.taken_over\""),
        "{told}"
    );
    assert_eq!(finished(&first)["ok"], 3, "{told}");
    effects_are_there_once(&platform, &slugs, "2");
}

fn signal(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    let sent = std::process::Command::new("kill").args([signal, &pid]).status();
    assert!(sent.unwrap().success());
}

/// Starts a run that takes some seconds and returns when it works on a target.
fn under_way(platform: &Platform, more: &[&str]) -> Child {
    let words = [&RUN[..], &["--ndjson", "-j", "1", "--canary", "0"], more].concat();
    let mut child = platform.spawn(&words);
    hears(&mut child, "\"migration.started\"");
    child
}

fn id_of_the_newest(platform: &Platform) -> String {
    let runs = platform.json(0, &["run", "list"]);
    runs["items"][0]["run"].as_str().unwrap().to_owned()
}

fn a_run_of_another_plan_says_who_has_the_targets_and_waits_if_it_is_told_to(engine: Engine) {
    let Some((platform, slugs)) = fleet(engine, 4) else {
        return;
    };
    write_counted(&platform, "002", engine, 1.0);
    let child = under_way(&platform, &[]);
    let run = id_of_the_newest(&platform);
    write_counted(&platform, "003", engine, 0.0);
    let held = platform.json(30, &RUN);
    assert_eq!(held["code"], "TN-4001", "{held}");
    assert!(held["title"].as_str().unwrap().contains(&run), "{held}");
    let text = held.to_string();
    assert!(text.contains(&format!("(pid {})", child.id())), "{text}");
    assert!(
        text.contains("of your targets") && text.contains("--wait"),
        "{text}"
    );
    let waited = platform.json(0, &[&RUN[..], &["--wait"]].concat());
    assert_eq!(waited["applied"], 4, "{waited}");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    effects_are_there_once(&platform, &slugs, "2");
    effects_are_there_once(&platform, &slugs, "3");
}

fn a_run_is_paused_and_gone_on_with_from_another_command(engine: Engine) {
    let Some((platform, slugs)) = fleet(engine, 6) else {
        return;
    };
    write_counted(&platform, "002", engine, 0.8);
    let child = under_way(&platform, &[]);
    let run = id_of_the_newest(&platform);
    assert_eq!(platform.json(0, &["run", "pause", &run])["status"], "running");
    let paused = child.wait_with_output().unwrap();
    assert_eq!(paused.status.code(), Some(21), "{}", stderr(&paused));
    let left = finished(&paused);
    assert_eq!(left["status"], "paused", "{left}");
    assert!(left["not_run"].as_u64().unwrap() > 0, "{left}");
    let shown = platform.json(0, &["run", "show", &run[..8]]);
    assert_eq!(shown["status"], "paused", "{shown}");
    // A look changes nothing, and what a paused run cannot do is refused.
    platform.json(0, &["run", "resume", &run, "--dry-run"]);
    for words in [
        ["--only", &slugs[5]],
        ["--canary", "0"],
        ["--max-failures", "all"],
    ] {
        platform.json(2, &[&["migrate", "resume", &run][..], &words].concat());
    }
    assert_eq!(platform.json(40, &RUN)["code"], "TN-4015");
    let again = platform.json(0, &["run", "show", &run]);
    assert_eq!(
        (&again["status"], &again["ok"]),
        (&shown["status"], &shown["ok"]),
        "{again}"
    );
    let resumed = platform.json(0, &["run", "resume", &run]);
    assert_eq!(resumed["run"].as_str(), Some(run.as_str()), "{resumed}");
    assert_eq!(
        (resumed["status"].as_str(), resumed["applied"].as_u64()),
        (Some("completed"), Some(6))
    );
    effects_are_there_once(&platform, &slugs, "2");
    assert_eq!(platform.json(40, &["run", "pause", &run])["code"], "TN-4014");
}

/// What is left of it, another run has in hand: it would be worked on twice at once.
fn a_paused_run_is_not_gone_on_with_beside_another_that_has_its_targets(engine: Engine) {
    let Some((platform, slugs)) = fleet(engine, 4) else {
        return;
    };
    write_counted(&platform, "002", engine, 2.0);
    let child = under_way(&platform, &[]);
    let paused = id_of_the_newest(&platform);
    platform.json(0, &["run", "pause", &paused]);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(21));
    let shown = platform.json(0, &["run", "show", &paused, "--all"]);
    let mut targets = shown["targets_listed"].as_array().unwrap().iter();
    let open = targets.find(|target| target["status"] == "not_run").unwrap();
    let other = under_way(&platform, &["--only", open["target"].as_str().unwrap()]);
    let held = platform.json(30, &["run", "resume", &paused]);
    assert_eq!(held["code"], "TN-4001", "{held}");
    assert_eq!(platform.json(0, &["run", "show", &paused])["status"], "paused");
    let resumed = platform.json(0, &["run", "resume", &paused, "--wait"]);
    assert_eq!(resumed["status"], "completed", "{resumed}");
    assert_eq!(other.wait_with_output().unwrap().status.code(), Some(0));
    effects_are_there_once(&platform, &slugs, "2");
}

fn a_run_is_cancelled_from_another_command(engine: Engine) {
    let Some((platform, _)) = fleet(engine, 6) else {
        return;
    };
    write_counted(&platform, "002", engine, 0.8);
    let child = under_way(&platform, &[]);
    let run = id_of_the_newest(&platform);
    // Nobody waits, and it goes on as it did.
    let promoted = platform.ends(0, &["run", "promote", &run]);
    let said = String::from_utf8_lossy(&promoted.stdout);
    assert!(said.starts_with("There is nothing to promote: run_"), "{said}");
    platform.ends(0, &["run", "cancel", &run]);
    let cancelled = child.wait_with_output().unwrap();
    assert_eq!(cancelled.status.code(), Some(21), "{}", stderr(&cancelled));
    assert_eq!(finished(&cancelled)["status"], "cancelled");
    assert_eq!(platform.json(40, &["run", "promote", &run])["code"], "TN-4014");
    let resumed = platform.json(0, &["migrate", "resume", &run]);
    assert_ne!(
        resumed["run"].as_str(),
        Some(run.as_str()),
        "what was given up is a run of its own"
    );
    let all = only_json(&platform.ends(0, &["migrate", "status", "--json"]));
    assert_eq!(all["tracks"][0]["current"], 6, "{all}");
}
