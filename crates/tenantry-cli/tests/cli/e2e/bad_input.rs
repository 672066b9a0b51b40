//! Bad input to `tenant create`, `product provision` and `server add`: code, exit, what is true, what next.

use serde_json::Value;
use tenantry::engine::Engine;

use super::{THINGS, on_each_engine};
use crate::only_json;
use crate::platform::Platform;

on_each_engine!(
    names_that_nobody_has_are_answered_with_the_nearest,
    an_unknown_name_in_a_selection_selects_nothing,
    a_value_that_is_none_or_too_long_creates_nothing,
    an_administrator_without_rights_is_told_what_to_grant_and_how_to_go_on,
    a_server_that_does_not_answer_is_not_added,
);

/// What every refusal has: its code, the state, and a text in its help.
fn says(refused: &Value, code: &str, state: &str, help: &str) {
    assert_eq!(refused["code"], code, "{refused}");
    let details = refused["detail"].as_array().unwrap();
    let found = details.iter().find(|detail| detail["name"] == "state");
    assert_eq!(found.unwrap()["text"], state, "{refused}");
    assert!(refused["help"].to_string().contains(help), "{refused}");
}

fn names_that_nobody_has_are_answered_with_the_nearest(engine: Engine) {
    let Some(platform) = Platform::with_tenants(engine, &[THINGS], &["acme"]) else {
        return;
    };
    platform.write(
        "migrations/products/kira/001_b.sql",
        "CREATE TABLE b (id INTEGER);\n",
    );
    for (words, code, state, help) in [
        (
            &["tenant", "create", "new", "--jurisdiction", "ukk"][..],
            "TN-6015",
            "nothing was created",
            "did you mean  uk ?",
        ),
        (
            &["tenant", "create", "new", "--server", "locl"],
            "TN-6010",
            "nothing was changed",
            "did you mean  local ?",
        ),
        (
            &["tenant", "create", "new", "--product", "kirra"],
            "TN-6005",
            "nothing was created",
            "did you mean  kira ?",
        ),
        (
            &["product", "provision", "kirra", "--tenant", "acme"],
            "TN-6005",
            "nothing was created",
            "did you mean  kira ?",
        ),
        (
            &["product", "provision", "kira", "--tenant", "acmee"],
            "TN-6002",
            "nothing was changed",
            "did you mean  acme ?",
        ),
    ] {
        says(&platform.json(4, words), code, state, help);
    }
    platform.ends(4, &["tenant", "show", "new"]);
    let taken = platform.json(40, &["tenant", "create", "acme"]);
    says(
        &taken,
        "TN-6001",
        "nothing was changed",
        "tenantry tenant show acme",
    );
}

/// Beside a name that is known, an unknown one would be passed over in silence.
fn an_unknown_name_in_a_selection_selects_nothing(engine: Engine) {
    let Some(platform) = Platform::with_tenants(engine, &[THINGS], &["acme"]) else {
        return;
    };
    platform.write(
        "migrations/products/kira/001_b.sql",
        "CREATE TABLE b (id INTEGER);\n",
    );
    for (words, code, state, help) in [
        (
            &["migrate", "all-tenants", "--jurisdiction", "uk,ukk"][..],
            "TN-6010",
            "nothing was changed",
            "did you mean  uk ?",
        ),
        (
            &["tenant", "list", "--jurisdiction", "ukk"],
            "TN-6010",
            "nothing was changed",
            "did you mean  uk ?",
        ),
        (
            &["migrate", "products", "--product", "kira,kirra"],
            "TN-6005",
            "nothing ran; no target was touched",
            "did you mean  kira ?",
        ),
    ] {
        says(&platform.json(4, words), code, state, help);
    }
}

fn a_value_that_is_none_or_too_long_creates_nothing(engine: Engine) {
    let Some(platform) = Platform::start(engine) else {
        return;
    };
    let long = "x".repeat(192);
    for unfit in [
        ["--external-id", &long],
        ["--external-id", " "],
        ["--external-id", "4\u{1b}[2J2"],
        ["--name", ""],
        ["--name", "A\u{202e}cme"],
    ] {
        let refused = platform.json(2, &[&["tenant", "create", "new"][..], &unfit].concat());
        assert_eq!(refused["code"], "TN-6011", "{refused}");
    }
    platform.ends(4, &["tenant", "show", "new"]);
}

fn an_administrator_without_rights_is_told_what_to_grant_and_how_to_go_on(engine: Engine) {
    let Some(platform) = Platform::start(engine) else {
        return;
    };
    let user = format!("weak_{}", std::process::id());
    // Neither statement has a password in the clear: another test looks for them in the servers' logs.
    let (database, make, grant) = match engine {
        Engine::Sqlite => return,
        Engine::Postgres => (
            "postgres",
            format!("CREATE ROLE {user} LOGIN PASSWORD '{SESAME_SCRAM}'"),
            "CREATEDB CREATEROLE",
        ),
        Engine::MySql => (
            "mysql",
            format!("CREATE USER {user} IDENTIFIED VIA mysql_native_password USING '{SESAME_NATIVE}'"),
            "GRANT ALL PRIVILEGES",
        ),
    };
    platform.query(database, &make);
    platform.write("password", "sesame");
    let added = platform.add_another("weak", &user, "password");
    assert_eq!(added.status.code(), Some(0), "{added:?}");
    let refused = platform.json(20, &["tenant", "create", "acme", "--server", "weak"]);
    let kept = "what was made is kept and belongs to this tenant; nobody else can get the name";
    says(&refused, "TN-5004", kept, "tenantry tenant create acme");
    assert!(refused.to_string().contains(grant), "{refused}");
}

/// What PostgreSQL stores of `sesame`, with a salt of zeros.
const SESAME_SCRAM: &str = "SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAA==$p81rD7fyNHr2YTETaPKB+IV0iKnY3dZioKevYTRAZB0=:6Ucadz9USaDZGUpfNtEba0boX4tk9AuUj6J1LIovdHc=";
/// What MariaDB stores of it.
const SESAME_NATIVE: &str = "*EE33294C97C42FFF14EA73AB81E428A6FC7B9A8B";

fn a_server_that_does_not_answer_is_not_added(engine: Engine) {
    if engine == Engine::Sqlite {
        return;
    }
    let Some(platform) = Platform::start(engine) else {
        return;
    };
    platform.write("password", "sesame");
    let place = ["--engine", engine.as_str(), "--host", "127.0.0.1", "--port", "1"];
    let login = ["--admin-user", "u", "--admin-password-file", "password"];
    let add = ["server", "add", "away", "--jurisdiction", "eu", "--json"];
    let output = platform.command(&[&add[..], &place, &login].concat()).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(20), "{output:?}");
    says(&only_json(&output), "TN-5001", "nothing was added", "--host");
    platform.ends(4, &["server", "check", "away"]);
}
