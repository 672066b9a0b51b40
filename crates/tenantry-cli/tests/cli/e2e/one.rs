//! Commands about one tenant, and names that could mean another one.

use tenantry::engine::Engine;

use super::{THINGS, on_each_engine};
use crate::platform::Platform;
use crate::stderr;

on_each_engine!(
    the_name_of_a_tenant_cannot_become_another_tenants,
    a_creation_whose_migration_fails_says_what_a_run_says,
);

fn the_name_of_a_tenant_cannot_become_another_tenants(engine: Engine) {
    let Some(platform) = Platform::with_tenants(engine, &[THINGS], &["acme"]) else {
        return;
    };
    let id = platform.json(0, &["tenant", "show", "acme"])["id"].clone();
    let id = id.as_str().unwrap();
    for name in [id, "acme"] {
        let create = ["tenant", "create", "evil", "--external-id", name];
        assert_eq!(platform.json(40, &create)["code"], "TN-6001", "{name}");
    }
    platform.ends(4, &["tenant", "show", "evil"]);
    platform.ends(0, &["tenant", "create", "globex", "--external-id", "crm-7"]);
    let shown = platform.json(0, &["tenant", "show", "crm-7"]);
    assert_eq!(shown["slug"], "globex");
}

fn a_creation_whose_migration_fails_says_what_a_run_says(engine: Engine) {
    let broken = (
        "2_b.sql",
        "CREATE TABLE b (id INTEGER);\nINSERT INTO nowhere VALUES (1);\n",
    );
    let Some(platform) = Platform::with_tenants(engine, &[THINGS], &[]) else {
        return;
    };
    platform.write(&format!("migrations/tenant/{}", broken.0), broken.1);
    let refused = platform.json(20, &["tenant", "create", "acme"]);
    let detail = |name: &str| {
        let details = refused["detail"].as_array().unwrap();
        let found = details.iter().find(|detail| detail["name"] == name);
        found.unwrap_or_else(|| panic!("{name}: {refused}"))["text"].to_string()
    };
    let place = detail("where");
    assert!(
        place.contains("local") && place.contains("statement 2 of 2"),
        "{place}"
    );
    let state = detail("state");
    let expected = if engine == Engine::MySql {
        "half-way: statement 1 of 2"
    } else {
        "rolled back"
    };
    assert!(state.contains(expected), "{state}");
    assert!(detail("kept").contains("belongs to this tenant"), "{refused}");
    assert!(
        refused["help"]
            .to_string()
            .contains("tenantry tenant create acme"),
        "{refused}"
    );
}

#[test]
fn commands_about_one_tenant_touch_nobody_who_has_its_id_as_a_name() {
    let engine = Engine::Sqlite;
    let more = ("002_more.sql", "CREATE TABLE more (id INTEGER);\n");
    let back = ("002_more.down.sql", "DROP TABLE more;\n");
    let Some(platform) = Platform::with_tenants(engine, &[THINGS], &["acme", "evil"]) else {
        return;
    };
    rusqlite::Connection::open(platform.path("data/central.db"))
        .unwrap()
        .execute_batch(
            "UPDATE tenantry_tenants SET external_id =
             (SELECT id FROM tenantry_tenants WHERE slug = 'acme') WHERE slug = 'evil'",
        )
        .unwrap();
    for (name, sql) in [more, back] {
        platform.write(&format!("migrations/tenant/{name}"), sql);
    }
    let run = platform.json(0, &["migrate", "tenant", "acme"]);
    assert_eq!(
        (&run["applied"], &run["current"]),
        (&1.into(), &0.into()),
        "{run}"
    );
    let status = platform.json(0, &["migrate", "status", "acme"]);
    assert_eq!(status["databases"].as_array().unwrap().len(), 1, "{status}");

    platform.ends(0, &["migrate", "tenant", "evil"]);
    let back = ["migrate", "rollback", "acme", "--step", "1", "--confirm", "acme"];
    assert_eq!(platform.json(0, &back)["applied"], 1);
    let evil = platform.json(0, &["migrate", "status", "evil"]);
    assert_eq!(evil["databases"][0]["pending"], serde_json::json!([]), "{evil}");

    let id = platform.json(0, &["tenant", "show", "acme"])["id"].clone();
    let refused = platform.ends(40, &["migrate", "all-tenants", "--only", id.as_str().unwrap()]);
    let said = stderr(&refused);
    assert!(said.contains("error[TN-6017]"), "{said}");
    assert!(said.contains("acme  or  evil"), "{said}");
}
