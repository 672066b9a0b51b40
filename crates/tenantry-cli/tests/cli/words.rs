//! What the command prints where: errors with codes, commands that work as printed, silence when asked for.

use std::fs::{self, OpenOptions};
use std::process::Stdio;

use tenantry::engine::Engine;

use super::platform::Platform;
use super::{only_json, stderr, stdout, tenantry};

const ONE: (&str, &str) = ("001_things.sql", "CREATE TABLE things (id INTEGER);\n");

fn two_tenants() -> Platform {
    Platform::with_tenants(Engine::Sqlite, &[ONE], &["acme", "globex"]).unwrap()
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let platform = two_tenants();
    for (exit, words) in [
        (1, &["migrate", "status"][..]),
        (1, &["migrate", "all-tenants", "--json"]),
        (1, &["migrate", "all-tenants", "--ndjson"]),
        (1, &["config", "schema"]),
        (1, &["--help"]),
        (1, &["help", "exit-codes"]),
        (2, &["nonsense", "--json"]),
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = platform.command(words).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{words:?} {output:?}");
        let said = stderr(&output);
        assert!(exit == 2 || said.contains("error[TN-1009]"), "{words:?} {said}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let platform = two_tenants();
    let mut child = platform.command(&["config", "schema"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn printed_commands_lead_to_the_project_that_was_named() {
    let platform = two_tenants();
    let outside = tempfile::tempdir().unwrap();
    let folder = platform.folder.path().display().to_string();
    let run = |words: &[&str]| tenantry(outside.path(), &[&["-C", &folder], words].concat());
    let wanted = |command: &str| format!("tenantry -C {folder} {command}");

    let unknown = stderr(&run(&["tenant", "show", "nobody"]));
    assert!(unknown.contains(&wanted("tenant list")), "{unknown}");
    assert!(unknown.contains("tenantry explain TN-6002"), "{unknown}");
    let created = stdout(&run(&["tenant", "create", "initech"]));
    assert!(created.contains(&wanted("tenant show initech")), "{created}");
    let made = stderr(&run(&["migrate", "make", "more"]));
    assert!(made.contains(&wanted("migrate plan")), "{made}");
    fs::remove_file(platform.path(&only_file(&platform, "_more.down.sql"))).ok();
    platform.write(
        &only_file(&platform, "_more.sql"),
        "INSERT INTO nowhere VALUES (1);\n",
    );
    let failed = run(&["migrate", "all-tenants"]);
    assert!(stdout(&failed).contains(&wanted("migrate resume run_")));
    assert!(stderr(&failed).contains(&wanted("migrate resume run_")));
    let failed = only_json(&run(&["migrate", "all-tenants", "--json"]));
    assert!(
        failed["help"][0]
            .as_str()
            .unwrap()
            .starts_with(&wanted("migrate"))
    );
}

/// Returns the path of the one migration whose name ends so, from the project's folder.
fn only_file(platform: &Platform, ending: &str) -> String {
    let files = fs::read_dir(platform.path("migrations/tenant")).unwrap();
    let mut names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let name = names.find(|name| name.ends_with(ending)).unwrap_or_default();
    format!("migrations/tenant/{name}")
}

#[test]
fn the_demo_is_one_document_and_its_commands_lead_into_it() {
    let folder = tempfile::tempdir().unwrap();
    let told = only_json(&tenantry(folder.path(), &["demo", "--json"]));
    assert_eq!((&told["current"], &told["tenants"]), (&25.into(), &25.into()));
    assert_eq!(told["runs"].as_array().unwrap().len(), 2);
    assert_eq!(told["runs"][0]["failed"], 1);
    let resume = told["runs"][0]["help"][0].as_str().unwrap();
    assert!(resume.starts_with("tenantry -C tenantry-demo migrate resume run_"));
}

#[test]
fn every_line_of_a_stream_is_json() {
    let folder = tempfile::tempdir().unwrap();
    for words in [
        &["config", "schema", "--ndjson"][..],
        &["completions", "bash", "--ndjson"],
        &["explain", "TN-2003", "--ndjson"],
        &["help", "exit-codes", "--ndjson"],
    ] {
        let text = stdout(&tenantry(folder.path(), words));
        assert_eq!(text.lines().count(), 1, "{words:?}");
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }
}

#[test]
fn quiet_says_nothing_unless_something_is_wrong() {
    let platform = two_tenants();
    for words in [
        &["migrate", "all-tenants", "-q"][..],
        &["migrate", "all-tenants", "-q", "--progress", "lines"],
        &["migrate", "status", "-q"],
        &["migrate", "plan", "-q"],
        &["migrate", "make", "later", "--no-down", "-q"],
        &["tenant", "list", "-q"],
    ] {
        let output = platform.ends(0, words);
        let said = (stdout(&output), stderr(&output));
        assert_eq!(said, (String::new(), String::new()), "{words:?}");
    }
    let add = [
        "server",
        "add",
        "other",
        "--engine",
        "sqlite",
        "--jurisdiction",
        "uk",
    ];
    platform.ends(0, &[&add[..], &["--path", "gone", "-q"]].concat());
    fs::remove_dir(platform.path("gone")).unwrap();
    let checked = platform.ends(20, &["server", "check", "-q"]);
    assert_eq!(stdout(&checked), "");
    assert!(stderr(&checked).starts_with("✗ other  TN-5005"), "{checked:?}");
    platform.write(
        &only_file(&platform, "_later.sql"),
        "INSERT INTO nowhere VALUES (1);\n",
    );
    let failed = platform.ends(20, &["migrate", "all-tenants", "-q"]);
    assert!(stderr(&failed).starts_with("error[TN-2002]"), "{failed:?}");
    assert!(!stdout(&platform.ends(20, &["migrate", "all-tenants", "-q", "--json"])).is_empty());
}

#[test]
fn every_error_of_the_command_has_a_code_with_a_page() {
    let platform = two_tenants();
    let nowhere = platform.path("tenantry.toml/x").display().to_string();
    for words in [
        &["nonsense"][..],
        &["migrate", "make"],
        &["migrate", "make", "é"],
        &["migrate", "status", "--progress", "loud"],
        &["db:migrate"],
        &["explain", "TN-9999"],
        &["init", &nowhere],
        &["demo", &nowhere],
        &["server", "add", "x", "--engine", "sqlite", "--jurisdiction", "uk"],
        &[
            "server",
            "add",
            "x",
            "--engine",
            "postgres",
            "--jurisdiction",
            "uk",
        ],
        &[
            "server",
            "add",
            "x",
            "--engine",
            "sqlite",
            "--jurisdiction",
            "uk",
            "--path",
            &nowhere,
        ],
    ] {
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        let output = platform.command(&words).output().unwrap();
        let code = only_json(&output)["code"].as_str().unwrap_or("none").to_owned();
        platform.ends(0, &["explain", &code]);
        assert!(
            stderr(&output).contains(&format!("error[{code}]: ")),
            "{output:?}"
        );
    }
}

#[test]
fn a_wrong_flag_is_answered_with_the_help_of_its_command() {
    let folder = tempfile::tempdir().unwrap();
    let said = stderr(&tenantry(
        folder.path(),
        &["migrate", "status", "--progres", "lines"],
    ));
    assert!(
        said.contains("error[TN-1011]: unexpected argument '--progres' found"),
        "{said}"
    );
    assert!(said.contains("--progress"), "{said}");
    assert!(said.contains("help: tenantry migrate status --help"), "{said}");
}

#[test]
fn a_central_database_that_cannot_be_made_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    tenantry(folder.path(), &["init"]);
    let names = || {
        let entries = fs::read_dir(folder.path()).unwrap().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    for url in [
        format!("sqlite:new/deep/{}.db", "n".repeat(300)),
        "sqlite:new/deep/tenantry.toml/../../../tenantry.toml/x.db".to_owned(),
        format!("sqlite:new/{}/central.db", "n".repeat(300)),
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_tenantry"))
            .args(["migrate", "central"])
            .current_dir(folder.path())
            .env_clear()
            .env("CENTRAL_DATABASE_URL", &url)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_ne!(output.status.code(), Some(0), "{url} {output:?}");
        assert!(stderr(&output).contains("error[TN-"), "{output:?}");
        assert_eq!(names(), before, "{url}");
    }
}

#[test]
fn the_help_of_a_refused_history_is_something_that_helps() {
    let platform = two_tenants();
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    platform.ends(0, &["migrate", "all-tenants"]);
    let first = "migrations/tenant/001_things.sql";

    platform.write(first, "CREATE TABLE things (id INTEGER, name TEXT);\n");
    let said = stderr(&platform.ends(40, &["migrate", "all-tenants"]));
    assert!(said.contains(&format!("--> {first}\n")), "{said}");
    assert!(said.contains(&format!("git log -p -- {first}\n")), "{said}");
    assert!(
        said.contains("\n      then  tenantry migrate resume run_"),
        "{said}"
    );
    platform.write(first, ONE.1);
    platform.ends(0, &["migrate", "resume"]);

    fs::remove_file(platform.path(first)).unwrap();
    let said = stderr(&platform.ends(40, &["migrate", "all-tenants"]));
    assert!(said.contains("--> migrations/tenant\n"), "{said}");
    assert!(
        said.contains("1 migration is applied and not in the folder"),
        "{said}"
    );
    assert!(
        said.contains("git log --diff-filter=D --summary -- migrations/tenant\n"),
        "{said}"
    );
    platform.write(first, ONE.1);

    let said = stderr(&platform.ends(40, &["migrate", "rollback", "acme", "--step", "1"]));
    assert!(said.contains("--> migrations/tenant/002_more.sql\n"), "{said}");
    assert!(
        said.contains("write migrations/tenant/002_more.down.sql"),
        "{said}"
    );
}

#[test]
fn a_central_database_of_somebody_else_is_not_migrated_again_and_again() {
    let platform = Platform::initialised(Engine::Sqlite).unwrap();
    platform.query("central.db", "CREATE TABLE theirs (id INTEGER)");
    let said = stderr(&platform.ends(40, &["migrate", "central"]));
    assert!(said.contains("error[TN-3006]"), "{said}");
    assert!(
        said.contains("help: name an empty database under [central]"),
        "{said}"
    );
    assert!(!said.contains("migrate central"), "{said}");
}
