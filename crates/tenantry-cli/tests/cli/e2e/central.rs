//! A central database that does not answer, and keys that do not fit.

use std::time::{Duration, Instant};

use tenantry::engine::Engine;

use super::{five, on_each_engine};
use crate::platform::{Platform, wait};
use crate::{only_json, stderr, stdout};

on_each_engine!(
    a_wrong_key_is_refused_and_nothing_is_touched,
    pending_central_migrations_are_planned_and_shown,
    before_the_registry_is_migrated_the_command_for_it_is_named,
);

/// A port that nobody listens on: it was free a moment ago.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn an_unreachable_central_database_ends_with_31_within_ten_seconds() {
    let port = closed_port();
    for scheme in ["postgres", "mysql"] {
        let folder = tempfile::tempdir().unwrap();
        let run = |words: &[&str]| {
            std::process::Command::new(env!("CARGO_BIN_EXE_tenantry"))
                .args(words)
                .current_dir(folder.path())
                .env_clear()
                .env(
                    "CENTRAL_DATABASE_URL",
                    format!("{scheme}://u:sesame@127.0.0.1:{port}/central"),
                )
                .output()
                .unwrap()
        };
        assert_eq!(run(&["init", "--engine", scheme]).status.code(), Some(0));
        for words in [
            &["migrate", "central"][..],
            &["migrate", "all-tenants"],
            &["migrate", "all"],
            &["migrate", "status"],
            &["tenant", "list"],
        ] {
            let begin = Instant::now();
            let output = run(&[words, &["--json"]].concat());
            assert!(begin.elapsed() < Duration::from_secs(10), "{words:?}");
            assert_eq!(output.status.code(), Some(31), "{scheme} {words:?} {output:?}");
            assert_eq!(only_json(&output)["code"], "TN-6009", "{scheme} {words:?}");
            let all = format!("{output:?}");
            assert!(!all.contains("sesame"), "{all}");
        }
    }
}

fn before_the_registry_is_migrated_the_command_for_it_is_named(engine: Engine) {
    let Some(platform) = Platform::initialised(engine) else {
        return;
    };
    for words in [
        &["migrate", "all-tenants"][..],
        &["tenant", "list"],
        &["migrate", "status"],
    ] {
        let output = platform.command(words).output().unwrap();
        assert_ne!(output.status.code(), Some(0), "{words:?}");
        assert!(
            stderr(&output).contains("tenantry migrate central"),
            "{words:?} {output:?}"
        );
    }
}

fn pending_central_migrations_are_planned_and_shown(engine: Engine) {
    let Some(platform) = five(engine) else { return };
    let plan = ["migrate", "plan", "--exit-code"];
    let status = ["migrate", "status", "--exit-code"];
    let live = ["migrate", "status", "--live", "--exit-code"];
    platform.ends(0, &plan);
    platform.ends(0, &status);
    platform.write("migrations/central/001_c.sql", "CREATE TABLE c (id INTEGER);\n");
    let planned = stdout(&platform.ends(10, &plan));
    assert!(planned.contains("Track central"), "{planned}");
    assert!(planned.contains("Next:  tenantry migrate central"), "{planned}");
    platform.ends(0, &["migrate", "plan", "--only", "acme", "--exit-code"]);
    for words in [&status[..], &live] {
        let shown = platform.json(10, words);
        let tracks = shown["tracks"].as_array().unwrap();
        assert_eq!(tracks.last().unwrap()["track"], "central", "{shown}");
        assert_eq!(tracks.last().unwrap()["behind"], 1, "{shown}");
    }
    platform.ends(0, &["migrate", "central"]);
    platform.ends(0, &plan);
    platform.ends(0, &status);
    assert_eq!(platform.json(0, &live)["tracks"][1]["current"], 1);
}

/// The registry's driver reads these; what it cannot be kept from obeying is refused.
#[test]
fn variables_of_postgres_clients_do_not_decide_how_the_registry_is_opened() {
    let Some(platform) = Platform::start(Engine::Postgres) else {
        return;
    };
    let hostile = [
        ("PGHOST", "203.0.113.1"),
        ("PGHOSTADDR", "203.0.113.1"),
        ("PGPORT", "1"),
        ("PGUSER", "nobody"),
        ("PGPASSWORD", "wrong"),
        ("PGPASSFILE", "/nowhere"),
        ("PGDATABASE", "nowhere"),
        ("PGAPPNAME", "somebody"),
        ("PGSSLMODE", "verify-full"),
        ("PGSSLROOTCERT", "/nowhere"),
        ("PGSSLCERT", "/nowhere"),
        ("PGSSLKEY", "/nowhere"),
        ("PGSERVICE", "nowhere"),
    ];
    let list = |more: &[(&str, &str)]| {
        let mut command = platform.command(&["server", "list", "--json"]);
        command.envs(more.iter().copied()).output().unwrap()
    };
    let output = list(&hostile);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(only_json(&output)["items"][0]["name"], "local");

    let output = list(&[("PGOPTIONS", "-c default_transaction_read_only=on")]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let refused = only_json(&output);
    assert_eq!(refused["code"], "TN-1007");
    assert!(refused.to_string().contains("unset PGOPTIONS"), "{refused}");

    let opened = platform.command(&[]);
    let url = opened
        .get_envs()
        .find(|(name, _)| *name == "CENTRAL_DATABASE_URL");
    let url = url.unwrap().1.unwrap().to_str().unwrap();
    let authority = super::create::variable("TENANTRY_TEST_POSTGRES_CA_FILE");
    let verified = format!("{url}?sslmode=verify-full");
    let output = list(&[("CENTRAL_DATABASE_URL", &verified), ("PGSSLROOTCERT", &authority)]);
    assert_eq!(
        output.status.code(),
        Some(31),
        "the variable was trusted: {output:?}"
    );
    let given = format!("{verified}&sslrootcert={authority}");
    let output = list(&[("CENTRAL_DATABASE_URL", &given), ("PGSSLROOTCERT", "/nowhere")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    let protected = "postgres://u@127.0.0.1:1/central?sslmode=require";
    for variable in ["PGSSLCERT", "PGSSLKEY"] {
        let output = list(&[("CENTRAL_DATABASE_URL", protected), (variable, "/nowhere")]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert!(only_json(&output).to_string().contains(variable), "{output:?}");
    }
}

fn a_wrong_key_is_refused_and_nothing_is_touched(engine: Engine) {
    let Some(platform) = five(engine) else { return };
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    let with_key = |key: &str, words: &[&str]| {
        platform
            .command(words)
            .env("DB_ENCRYPTION_KEY", key)
            .output()
            .unwrap()
    };
    let short = with_key(&"k".repeat(31), &["migrate", "all-tenants"]);
    assert_eq!(short.status.code(), Some(3), "{short:?}");
    assert!(stderr(&short).contains("31 bytes"), "{}", stderr(&short));

    if engine == Engine::Sqlite {
        // There is no password to open, so any key will do.
        return;
    }
    let other = "ab".repeat(32);
    let run = with_key(&other, &["migrate", "all-tenants"]);
    assert_eq!(run.status.code(), Some(3), "{run:?}");
    let said = stderr(&run);
    assert!(
        said.contains("error[TN-1005]") && said.contains("need key"),
        "{said}"
    );
    assert!(said.contains("and here are only"), "{said}");
    // No run was begun, so none is named.
    assert!(!said.contains("run_"), "{said}");
    let create = with_key(&other, &["tenant", "create", "initrode"]);
    assert_ne!(create.status.code(), Some(0), "{create:?}");
    platform.ends(4, &["tenant", "show", "initrode"]);
    let acme = platform.database("acme");
    assert_eq!(
        platform.one(&acme, "SELECT max(version) FROM _tenantry_history"),
        "1"
    );
    platform.write("password", "pw");
    let words = "server add second --jurisdiction eu --host localhost --admin-user a --admin-password-file";
    let words: Vec<&str> = words
        .split(' ')
        .chain(["password", "--engine", engine.as_str()])
        .collect();
    let added = with_key(&other, &words);
    assert_eq!(added.status.code(), Some(40), "{added:?}");
    assert!(stderr(&added).contains("error[TN-7005]"), "{added:?}");
    let servers = platform.json(0, &["server", "list"]);
    assert_eq!(servers["items"].as_array().unwrap().len(), 1, "{servers}");
    platform.ends(0, &["migrate", "all-tenants"]);
}

/// The server names the file and line of its own source with every error; nobody can do anything with that.
#[test]
fn an_error_of_the_central_database_does_not_show_the_source_of_its_server() {
    let Some(platform) = Platform::start(Engine::Postgres) else {
        return;
    };
    wait(
        platform
            .central
            .query("ALTER TABLE tenantry_servers RENAME COLUMN name TO called"),
    );
    let nowhere = "postgres://nobody:wrong@";
    for (url, says) in [(None, "does not exist"), (Some(nowhere), "nobody")] {
        let mut command = platform.command(&["server", "list"]);
        if let (Some(url), tenantry::engine::Address::Network(at)) = (url, &platform.central.address) {
            let url = format!("{url}{}:{}/{}", at.host, at.port, at.database);
            command.env("CENTRAL_DATABASE_URL", url);
        }
        let output = command.output().unwrap();
        assert_ne!(output.status.code(), Some(0), "{output:?}");
        let said = stdout(&output) + &stderr(&output);
        assert!(said.contains(says), "{said}");
        for source in [
            ".c:",
            ".c\"",
            "auth.c",
            "parse_relation",
            "errorMissingColumn",
            "routine",
        ] {
            assert!(!said.contains(source), "{source}: {said}");
        }
    }
}
