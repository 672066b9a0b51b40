//! Servers as places for new databases: how many they take, which, and until when.

use serde_json::Value;
use tenantry::engine::Engine;

use crate::output::{stderr, stdout};
use crate::platform::Platform;

/// A platform with the servers `local` and `other`, and tracks for tenants and for the product `kira`.
fn platform() -> Platform {
    let platform = Platform::start(Engine::Sqlite).unwrap();
    platform.add_folder("other");
    let sql = "CREATE TABLE things (id INTEGER);\n";
    platform.write("migrations/tenant/001_things.sql", sql);
    platform.write("migrations/products/kira/001_things.sql", sql);
    platform
}

fn set(platform: &Platform, server: &str, words: &[&str]) {
    platform.ends(0, &[&["server", "set", server], words].concat());
}

fn create(platform: &Platform, slug: &str) {
    platform.ends(0, &["tenant", "create", slug]);
}

/// Returns on which servers a tenant's databases stand, each with its product.
fn places(platform: &Platform, slug: &str) -> Vec<(Option<String>, String)> {
    let shown = platform.json(0, &["tenant", "show", slug]);
    let databases = shown["databases"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    databases
        .map(|database| (text(&database["product"]), text(&database["server"]).unwrap()))
        .collect()
}

fn databases_on(platform: &Platform, server: &str) -> u64 {
    let list = platform.json(0, &["server", "list"]);
    let mut items = list["items"].as_array().unwrap().iter();
    let item = items.find(|item| item["name"] == server).unwrap();
    item["databases"].as_u64().unwrap()
}

#[test]
fn a_new_tenant_goes_where_the_least_share_of_the_room_is_taken() {
    let platform = platform();
    set(&platform, "local", &["--capacity", "2"]);
    set(&platform, "other", &["--capacity", "20"]);
    for slug in ["a", "b", "c", "d"] {
        create(&platform, slug);
    }
    assert_eq!(
        (databases_on(&platform, "local"), databases_on(&platform, "other")),
        (1, 3)
    );
    let list = stdout(&platform.ends(0, &["server", "list"]));
    assert!(list.contains("3 of 20"), "{list}");
}

#[test]
fn where_no_server_has_room_nothing_is_created_and_each_says_why() {
    let platform = platform();
    set(&platform, "local", &["--capacity", "1"]);
    platform.ends(0, &["server", "drain", "other"]);
    create(&platform, "a");
    let refused = platform.ends(40, &["tenant", "create", "b"]);
    let said = stderr(&refused);
    for what in [
        "error[TN-6018]: no server in uk takes a database for `tenant`",
        "local has no room: 1 of 1 databases",
        "other is being drained",
        "nothing was created",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    platform.ends(40, &["tenant", "create", "b", "--server", "other"]);
    platform.ends(4, &["tenant", "show", "b"]);
    set(&platform, "local", &["--capacity", "none"]);
    create(&platform, "b");
    platform.ends(0, &["server", "drain", "other", "--undo"]);
    create(&platform, "c");
    assert_eq!(databases_on(&platform, "other"), 1);
}

#[test]
fn what_stands_on_a_drained_server_is_migrated_and_its_creation_goes_on() {
    let platform = platform();
    platform.ends(0, &["server", "drain", "other"]);
    platform.write(
        "migrations/tenant/002_bad.sql",
        "CREATE TABLE things (id INTEGER);\n",
    );
    platform.ends(20, &["tenant", "create", "a"]);
    platform.ends(0, &["server", "drain", "local"]);
    platform.write(
        "migrations/tenant/002_bad.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    create(&platform, "a");
    platform.write(
        "migrations/tenant/003_later.sql",
        "CREATE TABLE later (id INTEGER);\n",
    );
    let done = platform.json(0, &["migrate", "all-tenants"]);
    assert_eq!(done["applied"], 1, "{done}");
}

#[test]
fn a_product_goes_to_a_server_that_takes_it() {
    let platform = platform();
    set(&platform, "local", &["--accepts", "tenant"]);
    set(&platform, "other", &["--accepts", "kira"]);
    platform.ends(0, &["tenant", "create", "a", "--product", "kira"]);
    create(&platform, "b");
    platform.ends(0, &["product", "provision", "kira", "--tenant", "b"]);
    let apart = [
        (None, "local".to_owned()),
        (Some("kira".to_owned()), "other".to_owned()),
    ];
    assert_eq!(places(&platform, "a"), apart);
    assert_eq!(places(&platform, "b"), apart);
    // Beside the tenant's own where that takes it, however full it is.
    set(&platform, "local", &["--accepts", "all"]);
    platform.ends(0, &["tenant", "create", "c", "--product", "kira"]);
    assert!(places(&platform, "c").iter().all(|(_, server)| server == "local"));
    let unknown = platform.ends(2, &["server", "set", "local", "--accepts", "Kira!"]);
    assert!(stderr(&unknown).contains("--accepts"), "{unknown:?}");
    platform.ends(2, &["server", "set", "local"]);
}

#[test]
fn who_come_at_one_moment_do_not_overfill_a_server() {
    let platform = platform();
    set(&platform, "local", &["--capacity", "3"]);
    set(&platform, "other", &["--capacity", "2"]);
    let slugs: Vec<String> = (0..8).map(|n| format!("t{n}")).collect();
    let creations: Vec<_> = slugs
        .iter()
        .map(|slug| platform.spawn(&["tenant", "create", slug]))
        .collect();
    let ended = creations
        .into_iter()
        .map(|child| child.wait_with_output().unwrap());
    let ends: Vec<Option<i32>> = ended.map(|output| output.status.code()).collect();
    let created = ends.iter().filter(|end| **end == Some(0)).count();
    assert_eq!(created, 5, "{ends:?}");
    assert!(ends.iter().all(|end| matches!(end, Some(0 | 40))), "{ends:?}");
    assert_eq!(
        (databases_on(&platform, "local"), databases_on(&platform, "other")),
        (3, 2)
    );
}

/// Ends a command that is bound to `uk`, and returns what it said.
fn bound(platform: &Platform, exit: i32, words: &[&str]) -> String {
    let mut command = platform.command(words);
    command.env("TENANTRY_NETWORK__JURISDICTIONS", "uk");
    let output = command.output().unwrap();
    let said = format!("{}{}", stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(exit), "{words:?}: {said}");
    said
}

/// A platform with a tenant in `uk`, and one in `eu` whose server is gone: whoever opened it would fail.
fn two_jurisdictions() -> Platform {
    let platform = platform();
    create(&platform, "acme");
    let eu = [
        "server",
        "add",
        "eu-1",
        "--engine",
        "sqlite",
        "--jurisdiction",
        "eu",
        "--path",
        "eu-1",
    ];
    platform.ends(0, &eu);
    platform.ends(0, &["tenant", "create", "globex", "--jurisdiction", "eu"]);
    std::fs::remove_dir_all(platform.path("eu-1")).unwrap();
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    platform
}

#[test]
fn a_command_that_is_bound_to_a_jurisdiction_opens_no_server_elsewhere() {
    let platform = two_jurisdictions();
    let bound = |exit: i32, words: &[&str]| bound(&platform, exit, words);
    let report = bound(0, &["migrate", "all-tenants", "--json"]);
    assert!(
        report.contains("\"applied\": 1") || report.contains("\"applied\":1"),
        "{report}"
    );
    bound(0, &["server", "check"]);
    let refusals: [&[&str]; 4] = [
        &["migrate", "tenant", "globex"],
        &["tenant", "create", "initech", "--jurisdiction", "eu"],
        &["server", "check", "eu-1"],
        &["tenant", "delete", "globex", "--confirm", "globex", "--now"],
    ];
    for words in refusals {
        let said = bound(40, words);
        assert!(
            said.contains("TN-6003") && said.contains("bound to uk"),
            "{words:?}: {said}"
        );
    }
    platform.ends(4, &["tenant", "show", "initech"]);
    let another = [
        "server",
        "add",
        "eu-2",
        "--engine",
        "sqlite",
        "--jurisdiction",
        "eu",
        "--path",
        "eu-2",
    ];
    bound(40, &another);
    assert!(
        bound(0, &["tenant", "list"]).contains("globex"),
        "what is known can be listed"
    );
    assert!(
        bound(0, &["tenant", "show", "globex"]).contains("active"),
        "nothing was half deleted"
    );
    let wrong = platform
        .command(&["tenant", "list"])
        .env("TENANTRY_NETWORK__JURISDICTIONS", "u k")
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(3));
}
