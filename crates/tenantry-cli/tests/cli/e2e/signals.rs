//! Signals during a migration that takes long.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use tenantry::engine::Engine;

use super::on_each_engine;
use super::{THINGS, THINGS_BACK};
use crate::database::pooler_port;
use crate::platform::Platform;

on_each_engine!(
    a_termination_and_a_hang_up_leave_a_run_that_can_be_resumed,
    a_termination_whose_grace_is_over_cancels_on_the_server,
    a_hang_up_that_was_to_be_ignored_is_ignored,
    a_declaration_that_is_interrupted_says_what_is_left,
    the_first_interrupt_waits_for_running_targets,
    the_second_interrupt_cancels_on_the_server,
    a_creation_stops_after_its_step_and_goes_on_with_the_same_command,
    the_second_interrupt_cancels_a_creation,
);

fn interrupt(child: &Child) {
    send("-INT", child);
}

fn send(signal: &str, child: &Child) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args([signal, &pid]).status();
    assert!(sent.unwrap().success());
}

/// Sends the second signal when the first was heard: two of one kind that are pending at once are one.
fn interrupt_twice(child: &mut Child) {
    interrupt(child);
    hears(child, "nothing new starts");
    interrupt(child);
}

/// Reads what the child says until something is said.
fn hears(child: &mut Child, what: &str) {
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.to_lowercase().contains(what) {
        line.clear();
        assert_ne!(told.read_line(&mut line).unwrap(), 0, "nobody said `{what}`");
    }
    child.stderr = Some(told.into_inner());
}

/// Starts a run one target at a time and returns when its first migration has begun on the server.
fn begin_slowly(platform: &Platform, slow: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    write_slow(platform, "001", slow);
    begins(platform.spawn(&RUN))
}

const RUN: [&str; 5] = ["migrate", "all-tenants", "-j", "1", "--ndjson"];

fn write_slow(platform: &Platform, version: &str, slow: &str) {
    let sql = format!("CREATE TABLE slow (id BIGINT);\n{slow};\n");
    platform.write(&format!("migrations/tenant/{version}_slow.sql"), &sql);
}

/// Returns when the first migration of a run has begun on the server.
fn begins(mut child: Child) -> (Child, BufReader<std::process::ChildStdout>) {
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
    Platform::with_tenants(engine, &[], &["acme", "globex"])
}

/// A statement that takes some seconds.
fn slow(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "SELECT pg_sleep(2)",
        Engine::MySql => "SELECT SLEEP(2)",
        Engine::Sqlite => {
            "INSERT INTO slow WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000000) \
             SELECT i FROM n WHERE i < 0"
        }
    }
}

/// A statement that ends when it is cancelled.
fn endless(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "SELECT pg_sleep(120)",
        // A SLEEP that is killed succeeds (MySQL manual, "Miscellaneous Functions"): it would count as done.
        Engine::MySql => "INSERT INTO slow SELECT seq FROM seq_1_to_1000000000000 WHERE seq % 7 = 9",
        Engine::Sqlite => {
            "INSERT INTO slow WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
             SELECT i FROM n WHERE i < 0"
        }
    }
}

fn finish(mut child: Child, mut lines: BufReader<std::process::ChildStdout>) -> (i32, String, String) {
    let (mut rest, mut said) = (String::new(), String::new());
    lines.read_to_string(&mut rest).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code().unwrap(), rest, said)
}

fn the_first_interrupt_waits_for_running_targets(engine: Engine) {
    let Some(platform) = prepared(engine) else { return };
    let (child, lines) = begin_slowly(&platform, slow(engine));
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
    let (mut child, lines) = begin_slowly(&platform, endless(engine));
    let begin = Instant::now();
    interrupt_twice(&mut child);
    let (exit, rest, said) = finish(child, lines);
    assert!(begin.elapsed() < Duration::from_secs(10), "{said}");
    assert_eq!(exit, 130, "{rest}\n{said}");
    platform.has_no_session_within(Duration::from_secs(5), &databases);
    let finished: serde_json::Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
    assert_eq!(finished["applied"], 0, "{finished}");
}

fn a_termination_and_a_hang_up_leave_a_run_that_can_be_resumed(engine: Engine) {
    for signal in ["-TERM", "-HUP"] {
        let Some(platform) = prepared(engine) else { return };
        let (mut child, lines) = begin_slowly(&platform, slow(engine));
        send(signal, &child);
        hears(&mut child, "ending. nothing new starts");
        let (exit, rest, said) = finish(child, lines);
        assert_eq!(exit, 143, "{signal} {rest}\n{said}");
        let finished: serde_json::Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
        assert_eq!(finished["applied"], 1, "{finished}");
        assert_eq!(finished["not_run"], 1, "{finished}");
        let help = finished["help"][0].as_str().unwrap();
        assert!(help.starts_with("tenantry migrate resume run_"), "{finished}");
        let resumed = platform.json(0, &["migrate", "resume"]);
        assert_eq!(resumed["applied"], 1, "{resumed}");
    }
}

fn a_termination_whose_grace_is_over_cancels_on_the_server(engine: Engine) {
    let Some(platform) = prepared(engine) else { return };
    let databases = ["acme", "globex"].map(|tenant| platform.database(tenant));
    is_cancelled_when_the_grace_is_over(&platform);
    platform.has_no_session_within(Duration::from_secs(5), &databases);
}

#[test]
fn a_termination_whose_grace_is_over_cancels_through_a_pooler() {
    let (Some(port), Some(platform)) = (pooler_port("20"), Platform::start(Engine::Postgres)) else {
        return;
    };
    let place = [
        "--engine",
        "postgres",
        "--jurisdiction",
        "eu",
        "--port",
        &port.to_string(),
    ];
    super::pooler::add(&platform, 0, &[&["behind"], &place[..]].concat());
    platform.ends(0, &["tenant", "create", "acme", "--jurisdiction", "eu"]);
    is_cancelled_when_the_grace_is_over(&platform);
    // The pooler keeps sessions of its own.
    let sleeping = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND wait_event = 'PgSleep'",
        platform.database("acme")
    );
    assert_eq!(platform.one("postgres", &sleeping), "0");
}

fn is_cancelled_when_the_grace_is_over(platform: &Platform) {
    write_slow(platform, "001", endless(platform.engine));
    let mut command = platform.command(&RUN);
    let (child, lines) = begins(command.env("TENANTRY_RUN__GRACE", "1s").spawn().unwrap());
    let _in_time = killed_after(Duration::from_secs(20), &child);
    send("-TERM", &child);
    let (exit, rest, said) = finish(child, lines);
    assert_eq!(exit, 143, "{rest}\n{said}");
    // Where the server was not asked, the connection is cut at last.
    assert!(!rest.contains("did not answer the request to cancel"), "{rest}");
    let finished: serde_json::Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
    assert_eq!(finished["applied"], 0, "{finished}");
}

/// Kills a child that does not end in time, unless the sender is dropped before: it would hang for ever.
fn killed_after(limit: Duration, child: &Child) -> Sender<()> {
    let (ended, waiting) = channel();
    let pid = child.id().to_string();
    std::thread::spawn(move || {
        if waiting.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            Command::new("kill").args(["-KILL", &pid]).status().unwrap();
        }
    });
    ended
}

fn a_hang_up_that_was_to_be_ignored_is_ignored(engine: Engine) {
    let Some(platform) = prepared(engine) else { return };
    write_slow(&platform, "001", slow(engine));
    let plain = platform.command(&RUN);
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "trap '' HUP; exec \"$0\" \"$@\""])
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(platform.folder.path())
        .env_clear()
        .envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (child, lines) = begins(command.spawn().unwrap());
    send("-HUP", &child);
    let (exit, rest, said) = finish(child, lines);
    assert_eq!(exit, 0, "{rest}\n{said}");
    let finished: serde_json::Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
    assert_eq!(finished["applied"], 2, "{finished}");
}

fn a_declaration_that_is_interrupted_says_what_is_left(engine: Engine) {
    let Some(platform) = Platform::with_tenants(engine, &[THINGS, THINGS_BACK], &["acme", "globex"]) else {
        return;
    };
    write_slow(&platform, "002", endless(engine));
    let (mut run, lines) = begins(platform.spawn(&["migrate", "tenant", "acme", "--ndjson"]));
    let path = format!("migrations/tenant/{}", THINGS.0);
    platform.write(&path, &THINGS.1.replace("'b'", "'c'"));
    let accept = "migrate mark 1 --accept-edit --all-tenants --reason x";
    let accept: Vec<&str> = accept.split(' ').collect();
    let mut mark = platform.spawn(&[&accept[..], &["-j", "1"]].concat());
    // It waits for the lock that the run holds, and says so.
    hears(&mut mark, "acme");
    interrupt(&mark);
    hears(&mut mark, "nothing new starts");
    interrupt_twice(&mut run);
    drop(finish(run, lines));
    let ended = mark.wait_with_output().unwrap();
    let said = crate::stdout(&ended);
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    assert!(said.contains("Marked  acme: 1_things"), "{said}");
    assert!(said.contains("not begun in globex"), "{said}");
    assert!(said.contains(&format!("tenantry {}", accept.join(" "))), "{said}");
    let central = match &platform.central.address {
        tenantry::engine::Address::Network(at) => &at.database,
        tenantry::engine::Address::Sqlite(at) => &at.file,
    };
    let open = "SELECT COUNT(*) FROM tenantry_marks WHERE finished_at IS NULL";
    assert_eq!(platform.one(central, open), "0");
    let reached = "SELECT label FROM tenantry_mark_targets WHERE changed IS NOT NULL";
    assert_eq!(platform.query(central, reached), [["acme"]]);
    let again = platform.json(0, &accept);
    assert_eq!(again["changed"][0]["target"], "globex", "{again}");
    assert_eq!(again["unchanged"][0], "acme", "{again}");
}

const CREATE: [&str; 4] = ["tenant", "create", "acme", "--product=kira"];

/// Begins to create `acme`, and returns when its slow statement runs on the server.
fn create_slowly(engine: Engine, slow: &str) -> Option<(Platform, Child)> {
    if engine == Engine::Sqlite {
        println!("skipped on SQLite: no server tells what it is at");
        return None;
    }
    let platform = Platform::start(engine)?;
    let sql = format!("CREATE TABLE slow (id BIGINT);\n{slow};\n");
    platform.write("migrations/tenant/001_slow.sql", &sql);
    platform.write(
        "migrations/products/kira/001_b.sql",
        "CREATE TABLE b (id INTEGER);\n",
    );
    let child = platform.spawn(&[&CREATE[..], &["--json"]].concat());
    wait_until_slow(&platform);
    Some((platform, child))
}

fn wait_until_slow(platform: &Platform) {
    let begin = Instant::now();
    loop {
        assert!(
            begin.elapsed() < Duration::from_mins(1),
            "the statement never ran"
        );
        let shown = platform
            .command(&["tenant", "show", "acme", "--json"])
            .output()
            .unwrap();
        let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap_or_default();
        let Some(database) = shown["databases"][0]["database"].as_str() else {
            continue;
        };
        let (catalog, running) = match platform.engine {
            Engine::Postgres => (
                "postgres",
                format!("FROM pg_stat_activity WHERE datname = '{database}' AND wait_event = 'PgSleep'"),
            ),
            Engine::MySql | Engine::Sqlite => (
                "mysql",
                format!(
                    "FROM information_schema.processlist WHERE db = '{database}' AND info LIKE 'INSERT INTO slow%'"
                ),
            ),
        };
        if platform.one(catalog, &format!("SELECT count(*) {running}")) != "0" {
            return;
        }
    }
}

/// Checks what a creation says that a signal ended, and that no run of it is taken for one that goes on.
fn says_how_to_go_on(platform: &Platform, child: Child) {
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let stopped = crate::only_json(&output);
    assert_eq!(stopped["code"], "TN-4006", "{stopped}");
    let help = stopped["help"][0].as_str().unwrap();
    assert!(
        help.contains("tenantry tenant create acme --product kira"),
        "{stopped}"
    );
    let central = match &platform.central.address {
        tenantry::engine::Address::Network(at) => at.database.clone(),
        tenantry::engine::Address::Sqlite(_) => return,
    };
    let running = "SELECT count(*) FROM tenantry_runs WHERE finished_at IS NULL";
    assert_eq!(platform.one(&central, running), "0");
}

fn a_creation_stops_after_its_step_and_goes_on_with_the_same_command(engine: Engine) {
    let slow = match engine {
        Engine::Postgres => "SELECT pg_sleep(2)",
        Engine::MySql | Engine::Sqlite => "INSERT INTO slow SELECT SLEEP(2)",
    };
    let Some((platform, child)) = create_slowly(engine, slow) else {
        return;
    };
    interrupt(&child);
    says_how_to_go_on(&platform, child);
    let shown = platform.json(0, &["tenant", "show", "acme"]);
    assert_eq!(shown["status"], "provisioning", "{shown}");
    assert_eq!(shown["databases"][0]["version"], "1", "{shown}");
    let made = platform.json(0, &CREATE);
    assert_eq!(made["status"], "active", "{made}");
}

fn the_second_interrupt_cancels_a_creation(engine: Engine) {
    let slow = match engine {
        Engine::Postgres => "SELECT pg_sleep(120)",
        Engine::MySql | Engine::Sqlite => {
            "INSERT INTO slow SELECT seq FROM seq_1_to_1000000000000 WHERE seq % 7 = 9"
        }
    };
    let Some((platform, mut child)) = create_slowly(engine, slow) else {
        return;
    };
    interrupt_twice(&mut child);
    says_how_to_go_on(&platform, child);
    // The statement that was cancelled, and so did not run, may be another.
    let quick = "CREATE TABLE slow (id BIGINT);\nINSERT INTO slow VALUES (1);\n";
    platform.write("migrations/tenant/001_slow.sql", quick);
    assert_eq!(platform.json(0, &CREATE)["status"], "active");
}
