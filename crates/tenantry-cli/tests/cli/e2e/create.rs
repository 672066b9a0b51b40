//! Setting a platform up, and creating tenants and products.

use std::fs;

use serde_json::Value;
use tenantry::engine::Engine;

use super::on_each_engine;
use crate::platform::Platform;
use crate::{stderr, stdout};

on_each_engine!(
    a_platform_is_set_up_and_a_tenant_has_its_databases,
    a_creation_that_failed_is_finished_by_the_same_command,
    a_creation_that_goes_on_finishes_products_that_are_not_named_again,
    a_product_is_provisioned_later,
    a_creation_is_a_stream_of_numbered_lines_where_one_is_asked_for,
    three_creations_of_one_tenant_at_once_do_no_harm,
    a_second_server_takes_its_password_from_a_file,
);

const CREATE: [&str; 7] = [
    "tenant",
    "create",
    "acme",
    "--jurisdiction",
    "uk",
    "--product",
    "kira",
];

fn a_platform_is_set_up_and_a_tenant_has_its_databases(engine: Engine) {
    let Some(platform) = Platform::initialised(engine) else {
        return;
    };
    platform.copy_the_demo();
    platform.ends(0, &["migrate", "central"]);
    assert_eq!(platform.json(0, &["migrate", "central"])["current"], 1);
    platform.add_server();
    platform.ends(0, &["server", "check"]);

    let made = platform.json(0, &CREATE);
    assert_eq!(made["status"], "active");
    let databases = made["databases"].as_array().unwrap();
    assert_eq!(databases.len(), 2);
    let (shared, kira) = (name(&databases[0]), name(&databases[1]));
    assert_eq!(
        platform.one(shared, "SELECT count(*) FROM _tenantry_history"),
        "10"
    );
    assert_eq!(platform.one(shared, "SELECT count(*) FROM users"), "20");
    assert_eq!(platform.one(kira, "SELECT count(*) FROM tickets"), "0");
    owns_only_what_is_its_own(&platform, shared);

    let again = platform.json(40, &CREATE);
    assert_eq!(again["code"], "TN-6001");
    assert_eq!(platform.one(shared, "SELECT count(*) FROM users"), "20");
    let listed = platform.json(0, &["tenant", "list"]);
    assert_eq!(listed["items"].as_array().or(listed.as_array()).unwrap().len(), 1);
    platform.ends(0, &["tenant", "show", "acme"]);
    no_password_is_in_the_clear(&platform);
}

fn name(database: &Value) -> &str {
    database["database"].as_str().unwrap()
}

/// The migrations ran as the tenant's own role: it owns what they made, and it is no administrator.
fn owns_only_what_is_its_own(platform: &Platform, database: &str) {
    let rows = match platform.engine {
        Engine::Sqlite => return,
        Engine::Postgres => platform.query(
            database,
            "SELECT t.tableowner, r.rolsuper, r.rolcreatedb, r.rolcreaterole FROM pg_tables t \
             JOIN pg_roles r ON r.rolname = t.tableowner WHERE t.tablename = 'users'",
        ),
        Engine::MySql => platform.query(
            database,
            "SELECT user, super_priv, create_user_priv, grant_priv FROM mysql.user \
             WHERE user IN (SELECT user FROM mysql.db WHERE REPLACE(db, '\\\\', '') = DATABASE())",
        ),
    };
    assert_eq!(rows.len(), 1, "{rows:?}");
    let row = &rows[0];
    assert!(
        !row[0].starts_with("postgres") && !row[0].starts_with("root"),
        "{row:?}"
    );
    assert!(row[1..].iter().all(|can| can == "f" || can == "N"), "{row:?}");
}

/// A password that we make is 48 hexadecimal digits, which nothing else is.
fn no_password_is_in_the_clear(platform: &Platform) {
    let prefix = match platform.engine {
        Engine::Sqlite => return,
        Engine::Postgres => "TENANTRY_TEST_POSTGRES_LOG",
        Engine::MySql => "TENANTRY_TEST_MARIADB_LOG",
    };
    let log = fs::read(variable(prefix)).unwrap();
    let log = String::from_utf8_lossy(&log);
    let Some(central) = central_name(platform) else {
        return;
    };
    let sealed = platform.query(&central, "SELECT * FROM tenantry_databases");
    let cells = sealed.iter().flatten().map(String::as_str);
    for text in cells.chain(log.lines()) {
        let digits = text.split(|c: char| !c.is_ascii_hexdigit());
        assert!(
            digits.into_iter().all(|run| run.len() != 48),
            "a password: {text}"
        );
    }
    let mut seen = 0;
    for line in log.lines().filter(|line| line.contains("PASSWORD '")) {
        let after = line.split("PASSWORD '").nth(1).unwrap();
        assert!(after.starts_with("SCRAM-SHA-256$"), "{line}");
        seen += 1;
    }
    for line in log
        .lines()
        .filter(|line| line.contains("mysql_native_password USING '"))
    {
        let after = line.split("USING '").nth(1).unwrap();
        assert!(after.starts_with('*') && after.get(41..42) == Some("'"), "{line}");
        seen += 1;
    }
    assert!(seen >= 2, "the log does not show how roles were made");
}

fn central_name(platform: &Platform) -> Option<String> {
    match &platform.central.address {
        tenantry::engine::Address::Network(at) => Some(at.database.clone()),
        tenantry::engine::Address::Sqlite(_) => None,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "xtask hands the logs over in the environment"
)]
pub(super) fn variable(name: &str) -> String {
    std::env::var(name).unwrap()
}

fn a_creation_that_failed_is_finished_by_the_same_command(engine: Engine) {
    let Some(platform) = Platform::start(engine) else {
        return;
    };
    platform.write("migrations/tenant/001_a.sql", "CREATE TABLE a (id INTEGER);\n");
    platform.write(
        "migrations/products/kira/001_b.sql",
        "INSERT INTO nowhere VALUES (1);\n",
    );

    let failed = platform.json(20, &CREATE);
    assert_eq!(failed["code"], "TN-2002");
    let shown = platform.json(0, &["tenant", "show", "acme"]);
    assert_eq!(shown["status"], "provisioning", "{shown}");
    let alone = platform.json(20, &["product", "provision", "kira", "--tenant", "acme"]);
    assert_eq!(alone["code"], "TN-6013", "{alone}");
    assert!(
        alone["help"]
            .to_string()
            .contains("tenant create acme --jurisdiction uk --product kira"),
        "{alone}"
    );
    let shared = platform.database("acme");
    let attempt = "SELECT attempt_id FROM _tenantry_history";
    let first = platform.one(&shared, attempt);

    platform.write(
        "migrations/products/kira/001_b.sql",
        "CREATE TABLE b (id INTEGER);\n",
    );
    let made = platform.json(0, &CREATE);
    assert_eq!(made["status"], "active");
    assert_eq!(made["id"], shown["id"]);
    assert_eq!(
        platform.one(&shared, attempt),
        first,
        "the first database was made again"
    );
    assert_eq!(platform.json(40, &CREATE)["code"], "TN-6001");
}

fn a_creation_that_goes_on_finishes_products_that_are_not_named_again(engine: Engine) {
    let Some(platform) = Platform::start(engine) else {
        return;
    };
    let shared = "migrations/tenant/001_a.sql";
    platform.write(shared, "INSERT INTO nowhere VALUES (1);\n");
    platform.write(
        "migrations/products/kira/001_b.sql",
        "CREATE TABLE b (id INTEGER);\n",
    );
    platform.ends(20, &CREATE);
    platform.write(shared, "CREATE TABLE a (id INTEGER);\n");
    let made = platform.json(0, &["tenant", "create", "acme"]);
    assert_eq!(made["status"], "active");
    assert_eq!(made["databases"][1]["product"], "kira", "{made}");
    let kira = name(&made["databases"][1]);
    assert_eq!(platform.one(kira, "SELECT count(*) FROM b"), "0");
}

/// Whoever comes while it is being created joins in; whoever comes later is told that it is there.
fn three_creations_of_one_tenant_at_once_do_no_harm(engine: Engine) {
    let Some(platform) = Platform::start(engine) else {
        return;
    };
    platform.write(
        "migrations/tenant/001_a.sql",
        "CREATE TABLE a (id INTEGER);\nINSERT INTO a VALUES (1);\n",
    );
    platform.write(
        "migrations/products/kira/001_b.sql",
        "CREATE TABLE b (id INTEGER);\n",
    );
    let words = [&CREATE[..], &["--domain", "acme.example.com", "--json"]].concat();
    let at_once = [0; 3].map(|_| platform.spawn(&words));
    let mut done = 0;
    for child in at_once {
        let output = child.wait_with_output().unwrap();
        match output.status.code() {
            Some(0) => done += 1,
            Some(40) => assert_eq!(crate::only_json(&output)["code"], "TN-6001", "{output:?}"),
            Some(_) | None => panic!("{output:?}"),
        }
    }
    assert!(done > 0);
    let shown = platform.json(0, &["tenant", "show", "acme"]);
    assert_eq!(shown["status"], "active", "{shown}");
    let databases = shown["databases"].as_array().unwrap();
    assert_eq!(databases.len(), 2, "{shown}");
    assert_eq!(platform.one(name(&databases[0]), "SELECT count(*) FROM a"), "1");
    platform.ends(0, &["migrate", "status", "--live", "--exit-code"]);
}

fn a_second_server_takes_its_password_from_a_file(engine: Engine) {
    let Some(platform) = Platform::start(engine) else {
        return;
    };
    let Some(server) = &platform.server else { return };
    let add = |file: &str| platform.add_another("second", &server.user, file);
    platform.write("wrong", "not the password\n");
    let refused = add("wrong");
    assert_eq!(refused.status.code(), Some(20), "{refused:?}");
    assert!(
        !format!("{refused:?}").contains("not the password"),
        "{refused:?}"
    );
    platform.ends(4, &["server", "check", "second"]);

    platform.write("right", &format!("{}\n", server.password));
    let added = add("right");
    assert_eq!(added.status.code(), Some(0), "{added:?}");
    assert!(!format!("{added:?}").contains(&server.password), "{added:?}");
    platform.ends(0, &["server", "check", "second"]);
    let made = platform.json(0, &["tenant", "create", "acme", "--jurisdiction", "eu"]);
    assert_eq!(made["databases"][0]["server"], "second");
}

fn a_creation_is_a_stream_of_numbered_lines_where_one_is_asked_for(engine: Engine) {
    let Some(platform) = Platform::start(engine) else {
        return;
    };
    platform.write("migrations/tenant/001_a.sql", "CREATE TABLE a (id INTEGER);\n");
    let lines = |words: &[&str]| -> Vec<Value> {
        let output = platform.ends(0, &[words, &["--ndjson"]].concat());
        let lines = stdout(&output);
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let made = lines(&["tenant", "create", "acme"]);
    let types: Vec<&str> = made.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(types[..2], ["version", "database.creating"], "{types:?}");
    assert!(types.contains(&"migration.finished"), "{types:?}");
    assert_eq!(types.last(), Some(&"tenant.created"));
    for (seq, line) in made.iter().enumerate().skip(1) {
        assert_eq!(line["seq"], seq, "{line}");
    }
    assert_eq!(made.last().unwrap()["status"], "active");
    platform.write(
        "migrations/products/kira/001_b.sql",
        "CREATE TABLE b (id INTEGER);\n",
    );
    let made = lines(&["product", "provision", "kira", "--tenant", "acme"]);
    assert_eq!(made.last().unwrap()["type"], "product.provisioned");
}

fn a_product_is_provisioned_later(engine: Engine) {
    let Some(platform) = Platform::start(engine) else {
        return;
    };
    platform.copy_the_demo();
    platform.ends(0, &["migrate", "central"]);
    platform.ends(0, &["tenant", "create", "acme"]);
    let unknown = platform
        .command(&["product", "provision", "novva", "--tenant", "acme"])
        .output();
    let unknown = unknown.unwrap();
    assert_ne!(unknown.status.code(), Some(0));
    assert!(stderr(&unknown).contains("nova"), "{unknown:?}");
    platform.ends(4, &["product", "provision", "nova", "--tenant", "acmee"]);
    platform.ends(0, &["product", "provision", "nova", "--tenant", "acme"]);
    let shown = platform.json(0, &["tenant", "show", "acme"]);
    assert_eq!(shown["databases"][1]["product"], "nova");
    let nova = name(&shown["databases"][1]);
    assert_eq!(platform.one(nova, "SELECT count(*) FROM widgets"), "2");
    platform.ends(0, &["migrate", "plan", "--exit-code"]);
    platform.ends(0, &["migrate", "status", "--live", "--exit-code"]);
}
