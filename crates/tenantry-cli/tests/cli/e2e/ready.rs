//! What an application asks the registry: whether a tenant is ready for it, and where its files are.

use tenantry::engine::Engine;

use super::THINGS;
use crate::platform::Platform;
use crate::stderr;

fn readiness(platform: &Platform, exit: i32, words: &[&str]) -> String {
    let answer = platform.json(exit, &[&["tenant", "ready"], words].concat());
    answer["readiness"].as_str().unwrap().to_owned()
}

#[test]
fn a_tenant_is_current_pending_or_ahead_and_its_database_is_not_asked() {
    let platform = Platform::with_tenants(Engine::Sqlite, &[THINGS], &["acme"]).unwrap();
    let kira = "migrations/products/kira/001_tickets.sql";
    platform.write(kira, "CREATE TABLE tickets (id INTEGER);\n");
    assert_eq!(readiness(&platform, 0, &["acme"]), "current");
    let lacks = stderr(&platform.ends(20, &["tenant", "ready", "acme", "--product", "kira"]));
    assert!(lacks.contains("TN-6013"), "{lacks}");
    platform.ends(0, &["product", "provision", "kira", "--tenant", "acme"]);
    assert_eq!(readiness(&platform, 0, &["acme", "--product", "kira"]), "current");

    platform.write(
        "migrations/products/kira/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    assert_eq!(readiness(&platform, 0, &["acme"]), "current", "of its own");
    assert_eq!(
        readiness(&platform, 10, &["acme", "--product", "kira"]),
        "pending"
    );
    platform.ends(0, &["migrate", "all", "--only", "acme"]);
    assert_eq!(readiness(&platform, 0, &["acme", "--product", "kira"]), "current");

    // An application of yesterday, and a database that nobody can ask.
    std::fs::remove_file(platform.path("migrations/products/kira/002_more.sql")).unwrap();
    std::fs::remove_file(platform.path("data").join(platform.database("acme"))).unwrap();
    assert_eq!(readiness(&platform, 0, &["acme", "--product", "kira"]), "ahead");
    assert_eq!(readiness(&platform, 0, &["acme"]), "current");

    platform.ends(4, &["tenant", "ready", "nobody"]);
    platform.ends(0, &["tenant", "suspend", "acme"]);
    let suspended = stderr(&platform.ends(40, &["tenant", "ready", "acme"]));
    assert!(suspended.contains("TN-6024"), "{suspended}");
}

#[test]
fn a_database_carries_the_path_of_its_files_as_it_was_decided() {
    let platform = Platform::with_tenants(Engine::Sqlite, &[THINGS], &["before"]).unwrap();
    platform.write(
        "migrations/products/kira/001_tickets.sql",
        "CREATE TABLE tickets (id INTEGER);\n",
    );
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    let configured = |path: &str| {
        let storage = format!("\n[storage]\npath = \"{path}\"\nplatform = \"shop\"\n");
        platform.write("tenantry.toml", &format!("{config}{storage}"));
    };
    configured("{platform}-{jurisdiction}/{tenant_id}/{product}");
    platform.ends(0, &["tenant", "create", "acme"]);
    configured("elsewhere/{slug}/{product}");
    platform.ends(0, &["product", "provision", "kira", "--tenant", "acme"]);
    platform.ends(0, &["tenant", "rename", "acme", "umbrella"]);
    let shown = platform.json(0, &["tenant", "show", "umbrella"]);
    let id = shown["id"].as_str().unwrap();
    assert_eq!(
        shown["databases"][0]["storage_path"],
        format!("shop-uk/{id}/shared")
    );
    assert_eq!(shown["databases"][1]["storage_path"], "elsewhere/acme/kira");
    let before = platform.json(0, &["tenant", "show", "before"]);
    assert!(before["databases"][0].get("storage_path").is_none(), "{before}");
}
