//! A status of what stopped half-way, and of who is not there: named, counted, and with the command that helps.

use tenantry::engine::Engine;

use super::{FIVE, THINGS, THINGS_BACK, five};
use crate::platform::Platform;
use crate::stdout;

#[test]
fn what_stopped_half_way_is_told_alike_by_the_registry_and_by_the_databases() {
    let Some(platform) = Platform::with_tenants(Engine::MySql, &[THINGS], &["acme", "globex"]) else {
        return;
    };
    let (more, second) = ("CREATE TABLE more (id INTEGER);\n", "migrations/tenant/002_more");
    platform.write(
        &format!("{second}.sql"),
        &format!("{more}INSERT INTO nowhere VALUES (1);\n"),
    );
    platform.json(20, &["migrate", "tenant", "acme"]);
    tells_interrupted(&platform, "tenantry migrate resume");
    tells_of_acme(&platform, "running", "\nNext:  tenantry migrate tenant acme");

    platform.write(
        &format!("{second}.sql"),
        &format!("{more}INSERT INTO more VALUES (1);\n"),
    );
    platform.write(
        &format!("{second}.down.sql"),
        "DROP TABLE more;\nDROP TABLE nowhere;\n",
    );
    platform.json(0, &["migrate", "resume"]);
    let back = ["migrate", "rollback", "acme", "--step", "1", "--confirm", "acme"];
    platform.json(20, &back);
    tells_interrupted(&platform, "tenantry migrate rollback acme --step 1");
    tells_of_acme(
        &platform,
        "reverting",
        "\nNext:  tenantry migrate rollback acme --step 1",
    );
}

/// The status of the one tenant that has a row half-way says so, and what comes next; it is not where it should be.
fn tells_of_acme(platform: &Platform, phase: &str, next: &str) {
    let said = stdout(&platform.ends(10, &["migrate", "status", "acme", "--exit-code"]));
    assert!(said.contains(phase) && said.contains(next), "{said}");
    assert!(said.contains("◪ is half-way: the next run resumes it"), "{said}");
}

fn tells_interrupted(platform: &Platform, command: &str) {
    for words in [&["migrate", "status"][..], &["migrate", "status", "--live"]] {
        let said = stdout(&platform.ends(0, words));
        assert!(
            said.contains("interrupted") && said.contains("1 needs you:"),
            "{said}"
        );
        assert!(said.contains(command), "{said}");
        let shown = platform.json(0, words);
        assert_eq!(shown["tracks"][0]["failed"], 1, "{shown}");
        assert_eq!(shown["not_current"][0]["target"], "acme", "{shown}");
    }
}

#[test]
fn after_a_rollback_that_failed_a_status_leads_to_the_rollback() {
    let platform = five(Engine::Sqlite).unwrap();
    platform.query(&platform.database("acme"), "DROP TABLE things");
    platform.json(
        20,
        &["migrate", "rollback", "acme", "--step", "1", "--confirm", "acme"],
    );
    let said = stdout(&platform.ends(0, &["migrate", "status"]));
    assert!(said.contains("tenantry migrate rollback acme --step 1"), "{said}");
    assert!(!said.contains("migrate resume"), "{said}");
}

#[test]
fn a_database_that_is_not_there_is_counted_and_named() {
    let files = [THINGS, THINGS_BACK];
    let platform = Platform::with_tenants(Engine::Sqlite, &files, &FIVE[..2]).unwrap();
    platform.write(
        "migrations/products/kira/001_a.sql",
        "CREATE TABLE a (id INTEGER);\n",
    );
    platform.ends(0, &["product", "provision", "kira", "--tenant", "acme"]);
    let forget = "DELETE FROM tenantry_databases WHERE product = '' AND tenant_id = ";
    let globex = "(SELECT id FROM tenantry_tenants WHERE slug = 'globex')";
    platform.query("central.db", &format!("{forget}{globex}"));
    let begun = "UPDATE tenantry_databases SET status = 'creating' WHERE product = 'kira'";
    platform.query("central.db", begun);
    for (words, exit) in [
        (&["migrate", "status"][..], 0),
        (&["migrate", "status", "--live"], 20),
    ] {
        let shown = platform.json(exit, words);
        for (at, total) in [(0, 2), (1, 1)] {
            let track = &shown["tracks"][at];
            assert_eq!(
                (&track["total"], &track["failed"]),
                (&total.into(), &1.into()),
                "{shown}"
            );
        }
        let named = shown["not_current"].as_array().unwrap().iter();
        let mut named: Vec<_> = named
            .map(|t| (t["target"].as_str(), t["code"].as_str()))
            .collect();
        named.sort_unstable();
        let code = Some("TN-6013");
        assert_eq!(
            named,
            [(Some("acme/kira"), code), (Some("globex"), code)],
            "{shown}"
        );
    }
}

#[test]
fn what_a_tenant_wrote_into_its_history_paints_nothing() {
    let platform = five(Engine::Sqlite).unwrap();
    let evil = "run_\u{202e}\u{1b}[2J\u{200b}\n  ● 9_all_is_well";
    let forge = format!("UPDATE _tenantry_history SET run_id = '{evil}'");
    platform.query(&platform.database("acme"), &forge);
    let said = stdout(&platform.ends(0, &["migrate", "status", "acme"]));
    assert!(said.contains("run_\\u{202e}\\u{1b}[2J\\u{200b}"), "{said}");
    assert_eq!(said.matches("\n  ● ").count(), 1, "{said}");
    let unseen = ['\u{202e}', '\u{1b}', '\u{200b}'];
    assert!(!said.contains(unseen), "{said:?}");
}
