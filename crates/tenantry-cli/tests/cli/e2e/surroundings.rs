//! Odd surroundings: no home, another locale, a nonsense time zone, closed streams, files that are no database.

use std::process::{Command, Stdio};

use tenantry::engine::Engine;

use super::{THINGS, THINGS_BACK};
use crate::platform::Platform;
use crate::{stderr, stdout};

fn platform() -> Platform {
    Platform::with_tenants(Engine::Sqlite, &[THINGS, THINGS_BACK], &["acme", "globex"]).unwrap()
}

/// Ends without a signal, and with an exit code that is in the table.
fn ends_orderly(mut command: Command, allowed: &[i32]) -> String {
    let output = command.output().unwrap();
    let said = format!("{}{}", stdout(&output), stderr(&output));
    let code = output.status.code().unwrap_or_else(|| panic!("{output:?}"));
    assert!(allowed.contains(&code), "{code} {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn a_run_needs_no_home_no_terminal_and_no_known_place_or_time() {
    // Every command of these tests runs without any variable of ours; these are worse.
    let platform = platform();
    for (number, (name, value)) in [
        ("LANG", "C"),
        ("LC_ALL", "xx_YY.nonsense"),
        ("TZ", "Nowhere/Nothing"),
        ("COLUMNS", "0"),
        ("TERM", ""),
        ("HOME", "/nowhere"),
    ]
    .into_iter()
    .enumerate()
    {
        let file = format!("migrations/tenant/{:03}_more.sql", number + 10);
        platform.write(&file, &format!("CREATE TABLE more_{number} (id INTEGER);\n"));
        let mut command = platform.command(&["migrate", "all-tenants"]);
        command.env(name, value);
        let said = ends_orderly(command, &[0]);
        assert!(said.contains("2 of 2 tenants migrated"), "{name} {said}");
    }
}

#[test]
fn whoever_reads_no_further_changes_nothing_but_the_answer() {
    let platform = platform();
    platform.write(
        "migrations/tenant/010_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    let mut command = platform.command(&["migrate", "all-tenants", "--json"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    drop(child.stderr.take());
    let status = child.wait().unwrap();
    assert!(matches!(status.code(), Some(0 | 1)), "{status:?}");
    platform.ends(0, &["migrate", "status", "--exit-code", "--live"]);
}

/// The command with some of its streams closed by a shell, as `<&-` does it.
fn closed(platform: &Platform, streams: &str, words: &[&str]) -> Command {
    let given = platform.command(words);
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("exec \"$0\" \"$@\" {streams}"));
    command.arg(given.get_program()).args(given.get_args());
    command.current_dir(platform.path("")).env_clear();
    command
}

#[test]
fn closed_streams_reach_no_database() {
    let platform = platform();
    for (number, streams) in ["<&-", "<&- 2>&-", "<&- >&- 2>&-"].into_iter().enumerate() {
        let file = format!("migrations/tenant/{:03}_more.sql", number + 10);
        platform.write(&file, &format!("CREATE TABLE more_{number} (id INTEGER);\n"));
        let status = closed(&platform, streams, &["migrate", "all-tenants"]).status();
        // What cannot be told is an error; the work is done all the same.
        let code = status.unwrap().code();
        assert!(matches!(code, Some(0 | 1)), "{streams} {code:?}");
        for tenant in ["acme", "globex"] {
            let database = platform.database(tenant);
            assert_eq!(
                platform.one(&database, "PRAGMA integrity_check"),
                "ok",
                "{streams}"
            );
        }
        platform.ends(0, &["migrate", "status", "--exit-code", "--live"]);
    }
}

#[test]
fn a_confirmation_that_nobody_can_type_is_a_refusal() {
    let platform = platform();
    let rows = || platform.query(&platform.database("acme"), "SELECT id, name FROM things");
    let before = rows();
    let back = ["migrate", "rollback", "acme", "--step", "1"];
    let said = ends_orderly(closed(&platform, "<&-", &back), &[40]);
    assert!(said.contains("TN-") && said.contains("--confirm"), "{said}");
    assert_eq!(rows(), before);
}

#[test]
fn a_password_that_nobody_can_type_adds_no_server() {
    let platform = platform();
    let add = [
        "server",
        "add",
        "away",
        "--engine",
        "postgres",
        "--jurisdiction",
        "uk",
    ];
    let place = [
        "--host",
        "127.0.0.1",
        "--admin-user",
        "a",
        "--admin-password-stdin",
    ];
    let said = ends_orderly(
        closed(&platform, "<&-", &[&add[..], &place].concat()),
        &[2, 3, 20],
    );
    assert!(said.contains("nothing was added"), "{said}");
    platform.ends(4, &["server", "check", "away"]);
}

#[test]
fn a_file_that_is_no_database_fails_alone_and_is_left_as_it_is() {
    for (bytes, what) in [
        (b"SQLite format 3\0".to_vec(), "the beginning of one"),
        (vec![0xa5; 8192], "an encrypted one"),
        (
            b"not a database at all, but long enough to be read as one ".repeat(40),
            "a text",
        ),
    ] {
        let platform = platform();
        let found = platform.path(&format!("data/{}", platform.database("acme")));
        std::fs::write(&found, &bytes).unwrap();
        platform.write(
            "migrations/tenant/010_more.sql",
            "CREATE TABLE more (id INTEGER);\n",
        );
        let run = platform.json(20, &["migrate", "all-tenants"]);
        assert_eq!(
            (&run["applied"], &run["failed"]),
            (&1.into(), &1.into()),
            "{what} {run}"
        );
        let failed = run["targets"]
            .as_array()
            .unwrap()
            .iter()
            .find(|t| t["target"] == "acme");
        assert_eq!(failed.unwrap()["error"]["code"], "TN-5005", "{what} {run}");
        assert_eq!(std::fs::read(&found).unwrap(), bytes, "{what}");
    }
}
