//! What is selected, under which names, and what a program reads on stdout.

use std::process::Output;

use tenantry::engine::Engine;

use super::{five, on_each_engine};
use crate::platform::Platform;
use crate::{only_json, stderr, stdout};

on_each_engine!(
    selectors_narrow_the_fleet_and_unknown_names_are_answered,
    stdout_is_json_in_success_and_in_failure,
    the_colon_names_do_the_same,
);

fn selectors_narrow_the_fleet_and_unknown_names_are_answered(engine: Engine) {
    let Some(platform) = five(engine) else { return };
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    let unknown = platform.ends(4, &["migrate", "tenant", "glbex"]);
    let said = stderr(&unknown);
    assert!(said.contains("error[TN-6002]: Tenant not found: glbex"), "{said}");
    assert!(said.contains("did you mean  globex ?"), "{said}");
    let unknown = platform.json(4, &["migrate", "all-tenants", "--only", "glbex"]);
    assert_eq!(unknown["code"], "TN-6002", "{unknown}");
    assert_eq!(
        platform.json(4, &["migrate", "resume", "run_00000000"])["code"],
        "TN-4009"
    );

    let empty = ["migrate", "all-tenants", "--only", "zz*"];
    assert_eq!(platform.json(22, &empty)["code"], "TN-4003");
    platform.ends(0, &[&empty[..], &["--allow-empty"]].concat());
    only_json(&platform.ends(0, &[&empty[..], &["--allow-empty", "--json"]].concat()));
    let (nothing, again) = (&empty[..], &["migrate", "resume"][..]);
    for words in [&[nothing, &["--allow-empty"]].concat()[..], again] {
        is_a_stream_of_nothing(&platform.ends(0, &[words, &["--ndjson"]].concat()));
    }

    platform.write("migrations/central/001_c.sql", "CREATE TABLE c (id INTEGER);\n");
    let nobody = ["migrate", "all", "--only", "nobody*"];
    assert_eq!(platform.json(22, &nobody)["code"], "TN-4003");
    platform.ends(0, &[&nobody[..], &["--allow-empty"]].concat());
    assert_eq!(platform.json(0, &["migrate", "central"])["applied"], 1);

    let applied = |words: &[&str]| {
        let words = [&["migrate", "all-tenants"], words].concat();
        platform.json(0, &words)["applied"].as_u64().unwrap()
    };
    platform.ends(0, &["migrate", "all-tenants", "--dry-run"]);
    assert_eq!(applied(&["--only", "w*"]), 1);
    assert_eq!(applied(&["--tenants", "acme,wonka"]), 1);
    assert_eq!(applied(&["--except", "globex,initech"]), 1);
    assert_eq!(applied(&["--jurisdiction", "uk", "--server", "local"]), 2);
    assert_eq!(applied(&[]), 0);
}

/// Checks that a stream has its version and its end, and tells of no run.
fn is_a_stream_of_nothing(output: &Output) {
    let text = stdout(output);
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let types: Vec<&str> = lines.iter().filter_map(|line| line["type"].as_str()).collect();
    assert_eq!(types, ["version", "run.finished"], "{text}");
    assert_eq!(lines[1]["seq"], 1, "{text}");
    assert_eq!((&lines[1]["exit_code"], &lines[1]["ok"]), (&0.into(), &0.into()));
    assert!(lines[1].get("run").is_none(), "{text}");
}

#[test]
fn an_unused_server_of_another_engine_is_no_reason_to_refuse_a_status() {
    let files = [("1_a.postgres.sql", "CREATE TABLE a (id INTEGER);\n")];
    let Some(platform) = Platform::with_tenants(Engine::Postgres, &files, &["acme"]) else {
        return;
    };
    platform.add_folder("a-folder");
    let shown = platform.json(0, &["migrate", "status", "--exit-code"]);
    assert_eq!(shown["tracks"][0]["current"], 1, "{shown}");
}

fn stdout_is_json_in_success_and_in_failure(engine: Engine) {
    let Some(platform) = five(engine) else { return };
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    for (exit, words) in [
        (0, &["migrate", "plan"][..]),
        (0, &["migrate", "status"]),
        (0, &["migrate", "status", "acme"]),
        (0, &["tenant", "list"]),
        (0, &["tenant", "show", "acme"]),
        (0, &["server", "list"]),
        (0, &["server", "check"]),
        (0, &["product", "list"]),
        (0, &["migrate", "all-tenants", "--dry-run"]),
        (0, &["migrate", "all-tenants"]),
        (0, &["migrate", "resume"]),
        (0, &["migrate", "all"]),
        (4, &["tenant", "show", "nobody"]),
        (40, &["migrate", "rollback"]),
        (40, &["tenant", "create", "acme"]),
    ] {
        platform.json(exit, words);
    }
    platform.write(
        "migrations/tenant/003_broken.sql",
        "INSERT INTO nowhere VALUES (1);\n",
    );
    let all = ["migrate", "all-tenants", "--same-error", "off"];
    assert_eq!(platform.json(20, &all)["failed"], 5);
    for (exit, words) in [
        (21, &["migrate", "all-tenants", "--ndjson"][..]),
        (4, &["migrate", "tenant", "nobody", "--ndjson"]),
        (0, &["migrate", "all-tenants", "--ndjson", "--to", "2"]),
    ] {
        let output = platform.ends(exit, words);
        let lines: Vec<serde_json::Value> = stdout(&output)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect();
        assert!(lines.iter().all(|line| line["type"].is_string()), "{words:?}");
        assert_eq!(lines.last().unwrap()["exit_code"], exit, "{words:?}");
    }
}

fn the_colon_names_do_the_same(engine: Engine) {
    let Some(platform) = five(engine) else { return };
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    platform.write("migrations/tenant/002_more.down.sql", "DROP TABLE more;\n");
    platform.write(
        "migrations/products/kira/001_k.sql",
        "CREATE TABLE k (id INTEGER);\n",
    );
    platform.ends(0, &["product", "provision", "kira", "--tenant", "acme"]);
    platform.write(
        "migrations/products/kira/002_l.sql",
        "CREATE TABLE l (id INTEGER);\n",
    );
    platform.ends(10, &["migrate:status", "--exit-code"]);
    platform.ends(10, &["migrate:plan", "--exit-code"]);
    assert_eq!(platform.json(0, &["migrate:tenant", "acme"])["applied"], 1);
    assert_eq!(
        platform.json(0, &["migrate:all-tenants", "--only", "globex"])["applied"],
        1
    );
    assert_eq!(platform.json(0, &["migrate:tenants"])["applied"], 3);
    assert_eq!(
        platform.json(0, &["migrate:products", "--product=kira"])["applied"],
        1
    );
    assert_eq!(platform.json(0, &["migrate:central"])["current"], 1);
    let reverted = platform.json(
        0,
        &["migrate:rollback", "acme", "--step", "1", "--confirm", "acme"],
    );
    assert_eq!(reverted["applied"], 1, "{reverted}");
    platform.ends(0, &["migrate:resume"]);
    platform.ends(10, &["migrate:status", "--exit-code"]);
}
