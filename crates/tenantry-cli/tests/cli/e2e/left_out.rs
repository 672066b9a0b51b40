//! Who cannot be worked on: told by name and by the exit code, whichever way the run leads.

use tenantry::engine::{Address, Engine};

use super::{THINGS, THINGS_BACK};
use crate::platform::Platform;
use crate::{stderr, stdout};

const VERSIONS: &str = "SELECT max(version) FROM _tenantry_history";
const VIEW: (&str, &str) = ("002_v.sql", "CREATE VIEW v AS SELECT 1 AS one;\n");
const VIEW_BACK: (&str, &str) = ("002_v.down.sql", "DROP VIEW v;\n");

/// Two tenants at 001, with 002 pending.
fn two(engine: Engine) -> Option<Platform> {
    let platform = Platform::with_tenants(engine, &[THINGS, THINGS_BACK], &["acme", "globex"])?;
    for (name, sql) in [VIEW, VIEW_BACK] {
        platform.write(&format!("migrations/tenant/{name}"), sql);
    }
    Some(platform)
}

pub(super) fn central(platform: &Platform) -> &str {
    match &platform.central.address {
        Address::Network(at) => &at.database,
        Address::Sqlite(at) => &at.file,
    }
}

/// Lets the registry forget `globex`' shared database.
fn lose_globex(platform: &Platform) {
    platform.query(
        central(platform),
        "DELETE FROM tenantry_databases WHERE product = '' \
         AND tenant_id = (SELECT id FROM tenantry_tenants WHERE slug = 'globex')",
    );
}

fn product_database(platform: &Platform, tenant: &str) -> String {
    let shown = platform.json(0, &["tenant", "show", tenant]);
    let mut databases = shown["databases"].as_array().unwrap().iter();
    let found = databases.find(|database| database["product"] == "kira");
    found.unwrap()["database"].as_str().unwrap().to_owned()
}

#[test]
fn a_rehearsal_ends_as_it_says_when_somebody_is_left_out() {
    let platform = two(Engine::Sqlite).unwrap();
    let words = ["migrate", "all-tenants", "--dry-run"];
    platform.ends(0, &words);
    lose_globex(&platform);
    let shown = stdout(&platform.ends(20, &words));
    assert!(shown.contains("exit 20 (failed)"), "{shown}");
    platform.json(20, &["migrate", "all", "--dry-run"]);
    platform.json(20, &["migrate", "tenant", "globex", "--dry-run"]);
}

#[test]
fn a_resume_does_not_say_that_nothing_is_left_of_who_was_left_out() {
    let platform = two(Engine::Sqlite).unwrap();
    lose_globex(&platform);
    let failed = platform.json(20, &["migrate", "all-tenants"]);
    let run = failed["run"].as_str().unwrap();
    for words in [&["migrate", "resume", run][..], &["migrate", "resume"]] {
        let resumed = platform.ends(20, words);
        assert!(stderr(&resumed).contains("TN-6013"), "{resumed:?}");
    }
}

#[test]
fn a_product_does_not_run_whose_tenant_was_left_out() {
    let platform = two(Engine::Sqlite).unwrap();
    let folder = "migrations/products/kira";
    platform.write(&format!("{folder}/001_a.sql"), "CREATE TABLE a (id INTEGER);\n");
    for tenant in ["acme", "globex"] {
        platform.ends(0, &["product", "provision", "kira", "--tenant", tenant]);
    }
    platform.write(&format!("{folder}/{}", VIEW.0), VIEW.1);
    lose_globex(&platform);
    let run = platform.json(20, &["migrate", "all"]);
    assert_eq!((&run["failed"], &run["not_run"]), (&1.into(), &1.into()), "{run}");
    let versions = ["acme", "globex"].map(|t| platform.one(&product_database(&platform, t), VERSIONS));
    assert_eq!(versions, ["2", "1"]);
    platform.json(20, &["migrate", "resume"]);
    let alone = platform.json(0, &["migrate", "products"]);
    assert_eq!(alone["applied"], 1, "{alone}");
}

#[test]
fn a_product_does_not_run_behind_a_failure_either_when_its_run_is_gone_on_with() {
    let platform = two(Engine::Sqlite).unwrap();
    let folder = "migrations/products/kira";
    platform.write(&format!("{folder}/001_a.sql"), "CREATE TABLE a (id INTEGER);\n");
    for tenant in ["acme", "globex"] {
        platform.ends(0, &["product", "provision", "kira", "--tenant", tenant]);
    }
    platform.write(&format!("{folder}/{}", VIEW.0), VIEW.1);
    platform.query(&platform.database("acme"), "CREATE TABLE v (in_the_way INTEGER)");
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    let wave = "\n[rollout]\nmax_failures = \"all\"\n\
                \n[[rollout.wave]]\nname = \"first\"\nmatch = [\"acme\"]\nthen = \"pause\"\n";
    platform.write("tenantry.toml", &format!("{config}{wave}"));
    let waits = platform.json(21, &["migrate", "all"]);
    assert_eq!(
        (&waits["failed"], &waits["not_run"]),
        (&1.into(), &3.into()),
        "{waits}"
    );
    let done = platform.json(20, &["run", "promote", waits["run"].as_str().unwrap()]);
    assert_eq!(
        (&done["failed"], &done["not_run"]),
        (&1.into(), &1.into()),
        "{done}"
    );
    let versions = ["acme", "globex"].map(|t| platform.one(&product_database(&platform, t), VERSIONS));
    assert_eq!(versions, ["1", "2"]);
}

#[test]
fn a_rollback_names_who_has_no_database() {
    let platform = two(Engine::Sqlite).unwrap();
    platform.ends(0, &["migrate", "all-tenants"]);
    lose_globex(&platform);
    let back = platform.ends(20, &["migrate", "rollback", "--all-tenants"]);
    assert!(stderr(&back).contains("TN-6013"), "{back:?}");
    assert_eq!(platform.one(&platform.database("acme"), VERSIONS), "1");
    for unit in [&[][..], &["--step", "1"], &["--step", "1", "--dry-run"]] {
        let alone = platform.ends(20, &[&["migrate", "rollback", "globex"], unit].concat());
        assert!(stderr(&alone).contains("TN-6013"), "{alone:?}");
    }
}

#[test]
fn a_rollback_does_not_pass_over_a_password_that_does_not_open() {
    let Some(platform) = two(Engine::Postgres) else {
        return;
    };
    platform.ends(0, &["migrate", "all-tenants"]);
    platform.write(
        "migrations/tenant/003_w.sql",
        "CREATE VIEW w AS SELECT 1 AS one;\n",
    );
    platform.write("migrations/tenant/003_w.down.sql", "DROP VIEW w;\n");
    platform.ends(0, &["migrate", "all-tenants"]);
    let names = ["acme", "globex"].map(|tenant| platform.database(tenant));
    let versions = || names.each_ref().map(|name| platform.one(name, VERSIONS));
    let envelope = |to: &str| {
        let sql = format!(
            "UPDATE tenantry_databases SET secret = {to} \
             WHERE tenant_id = (SELECT id FROM tenantry_tenants WHERE slug = 'globex')"
        );
        platform.query(central(&platform), &sql);
    };
    envelope("reverse(secret)");
    let all = ["migrate", "rollback", "--all-tenants"];
    for _ in 0..2 {
        let back = platform.ends(20, &all);
        assert!(stderr(&back).contains("TN-7004"), "{back:?}");
        assert_eq!(versions(), ["2", "3"], "an older run was taken back");
    }
    let listed = platform.json(0, &["tenant", "list"]);
    let shown = listed["items"].as_array().unwrap().iter();
    let shown: Vec<&str> = shown
        .filter_map(|t| t["databases"][0]["database"].as_str())
        .collect();
    assert_eq!(shown, names, "{listed}");
    let shown = platform.json(0, &["tenant", "show", "globex"]);
    assert_eq!(shown["databases"][0]["database"], names[1].as_str(), "{shown}");
    let alone = platform.json(20, &["migrate", "rollback", "globex"]);
    assert!(alone.to_string().contains("TN-7004"), "{alone}");
    envelope("reverse(secret)");
    let rest = platform.json(0, &all);
    assert_eq!(rest["applied"], 1, "{rest}");
    assert_eq!(versions(), ["2", "2"]);
}
