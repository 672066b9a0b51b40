//! A creation that goes on: what is said anew, what contradicts it, and what is somebody else's.

use std::process::Output;

use serde_json::Value;
use tenantry::engine::Engine;

use super::on_each_engine;
use crate::only_json;
use crate::platform::Platform;

on_each_engine!(
    what_is_said_anew_is_taken_over_and_what_contradicts_is_refused,
    names_that_are_no_host_names_or_are_taken_create_nothing,
    somebody_elses_user_of_the_same_name_is_refused_by_name,
    a_name_that_is_too_long_creates_nothing,
    a_database_name_of_another_tenant_is_refused_before_the_tenant_is_written,
);

/// Leaves `acme` half-made: its shared database is there, its product's cannot be migrated.
fn half_made(engine: Engine) -> Option<Platform> {
    let platform = Platform::start(engine)?;
    platform.write("migrations/tenant/001_a.sql", "CREATE TABLE a (id INTEGER);\n");
    platform.write(
        "migrations/products/kira/001_b.sql",
        "INSERT INTO nowhere VALUES (1);\n",
    );
    let create = ["tenant", "create", "acme", "--product", "kira"];
    let first = ["--name", "Acme", "--domain", "Old.Acme.Test"];
    platform.json(20, &[&create[..], &first].concat());
    Some(platform)
}

fn what_is_said_anew_is_taken_over_and_what_contradicts_is_refused(engine: Engine) {
    let Some(platform) = half_made(engine) else {
        return;
    };
    let shown = || platform.json(0, &["tenant", "show", "acme"]);
    let before = shown();
    assert_eq!(before["domains"], serde_json::json!(["old.acme.test"]));

    let refused = platform.json(40, &["tenant", "create", "acme", "--jurisdiction", "eu"]);
    assert_eq!(refused["code"], "TN-6016", "{refused}");
    platform.add_folder("second");
    let refused = platform.json(40, &["tenant", "create", "acme", "--server", "second"]);
    assert_eq!(refused["code"], "TN-6016", "{refused}");
    assert!(refused.to_string().contains("`local`"), "{refused}");
    assert_eq!(shown(), before);
    finish(&platform, &before);
}

fn finish(platform: &Platform, before: &Value) {
    platform.write(
        "migrations/products/kira/001_b.sql",
        "CREATE TABLE b (id INTEGER);\n",
    );
    let create = ["tenant", "create", "acme", "--product", "kira"];
    let anew = ["--external-id", "42", "--domain", "acme.test,WWW.acme.test"];
    let made = platform.json(0, &[&create[..], &anew].concat());
    assert_eq!(made["status"], "active");
    assert_eq!(
        (&made["id"], &made["name"]),
        (&before["id"], &Value::from("Acme"))
    );
    assert_eq!(made["external_id"], "42");
    assert_eq!(made["domains"], serde_json::json!(["acme.test", "www.acme.test"]));
    assert_eq!(
        platform.json(0, &["tenant", "show", "acme"])["domains"],
        made["domains"]
    );
}

fn names_that_are_no_host_names_or_are_taken_create_nothing(engine: Engine) {
    let Some(platform) = Platform::start(engine) else {
        return;
    };
    platform.ends(0, &["tenant", "create", "acme", "--domain", "Acme.Test"]);
    for bad in ["bücher.test", "https://acme.test", "acme_x.test", "192.0.2.1"] {
        let refused = platform.json(2, &["tenant", "create", "globex", "--domain", bad]);
        assert!(refused.to_string().contains(bad), "{refused}");
    }
    let taken = platform.json(40, &["tenant", "create", "globex", "--domain", "ACME.test"]);
    assert_eq!(taken["code"], "TN-6001");
    assert!(taken.to_string().contains("by tenant `acme`"), "{taken}");
    platform.ends(4, &["tenant", "show", "globex"]);
}

fn somebody_elses_user_of_the_same_name_is_refused_by_name(engine: Engine) {
    let Some(platform) = Platform::start(engine) else {
        return;
    };
    // The server is shared with other tests, and the slug is the whole name.
    let slug = format!("own-{}", std::process::id());
    let (database, theirs, gone, word) = match engine {
        Engine::Sqlite => return,
        Engine::Postgres => (
            "postgres",
            // Without a password: another test looks for passwords in the server's log.
            format!("CREATE ROLE \"{slug}\" LOGIN"),
            format!("DROP ROLE \"{slug}\""),
            "role",
        ),
        Engine::MySql => (
            "mysql",
            format!("CREATE USER '{slug}'@'%' IDENTIFIED BY 'their own'"),
            format!("DROP USER '{slug}'@'%'"),
            "user",
        ),
    };
    let create = |exit: i32| {
        let output = under_its_slug(&platform, &["tenant", "create", &slug, "--json"]);
        assert_eq!(output.status.code(), Some(exit), "{output:?}");
        only_json(&output)
    };
    platform.query(database, &theirs);
    let refused = create(40);
    assert_eq!(refused["code"], "TN-6008");
    let named = format!("{word} `{slug}` exists");
    assert!(refused.to_string().contains(&named), "{refused}");
    platform.query(database, &gone);
    let made = create(0);
    assert_eq!(made["databases"][0]["database"], slug.as_str());
}

fn under_its_slug(platform: &Platform, words: &[&str]) -> Output {
    let mut command = platform.command(words);
    command.env("TENANTRY_NAMING__TENANT", "{slug}");
    command.env("TENANTRY_NAMING__PRODUCT", "{slug}_{product}");
    command.output().unwrap()
}

fn a_name_that_is_too_long_creates_nothing(engine: Engine) {
    let Some(platform) = Platform::start(engine) else {
        return;
    };
    let template = format!("{}_{{slug}}", "x".repeat(200));
    let output = platform
        .command(&["tenant", "create", "acme", "--json"])
        .env("TENANTRY_NAMING__TENANT", template)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(40), "{output:?}");
    assert_eq!(only_json(&output)["code"], "TN-6014");
    platform.ends(4, &["tenant", "show", "acme"]);
}

fn a_database_name_of_another_tenant_is_refused_before_the_tenant_is_written(engine: Engine) {
    let Some(platform) = Platform::start(engine) else {
        return;
    };
    platform.write(
        "migrations/products/kira/001_b.sql",
        "CREATE TABLE b (id INTEGER);\n",
    );
    // The server is shared with other tests, and the slug is most of the name.
    let slug = format!("half-{}", std::process::id());
    let create = |exit: i32, words: &[&str]| {
        let output = under_its_slug(&platform, &[&["tenant", "create"], words, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(exit), "{output:?}");
        only_json(&output)
    };
    create(0, &[&format!("{slug}_kira")]);
    let refused = create(40, &[&slug, "--product", "kira"]);
    assert_eq!(refused["code"], "TN-6001");
    assert!(
        !refused.to_string().contains("what was made is kept"),
        "{refused}"
    );
    platform.ends(4, &["tenant", "show", &slug]);
}
