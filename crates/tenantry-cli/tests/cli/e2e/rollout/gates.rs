//! Gates: what was promoted for some migrations is open to them, and nothing else is.

use serde_json::Value;
use tenantry::engine::Engine;

use super::rest::{activate, suspend};
use super::{count, fleet, mend, poison, write_unique};
use crate::platform::Platform;

/// Writes waves that end with a pause, each with its tenants.
pub(super) fn write_gates(platform: &Platform, waves: &[(&str, &[String])]) {
    let wave = |(name, slugs): &(&str, &[String])| {
        format!("\n[[rollout.wave]]\nname = \"{name}\"\nmatch = {slugs:?}\nthen = \"pause\"\n")
    };
    add(platform, &waves.iter().map(wave).collect::<String>());
}

/// Writes a wave of so many tenants that ends with a pause.
pub(super) fn write_slice(platform: &Platform, name: &str, limit: usize) {
    let wave = format!("\n[[rollout.wave]]\nname = \"{name}\"\nlimit = {limit}\nthen = \"pause\"\n");
    add(platform, &wave);
}

pub(super) fn add(platform: &Platform, waves: &str) {
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    platform.write("tenantry.toml", &format!("{config}{waves}"));
}

pub(super) fn id_of(run: &Value) -> &str {
    run["run"].as_str().unwrap()
}

/// Begins a run that comes to a gate, and gives it up there; returns how many it had applied.
pub(super) fn give_up_at_gate(platform: &Platform, words: &[&str]) -> u64 {
    let waits = platform.json(21, words);
    assert_eq!(waits["cause"], "gate", "{waits}");
    platform.ends(0, &["run", "cancel", id_of(&waits)]);
    count(&waits, "applied")
}

#[test]
fn what_is_left_of_several_does_not_follow_one_tenant_past_a_gate() {
    let (platform, slugs) = fleet(Engine::Sqlite, 6).unwrap();
    write_gates(&platform, &[("one", &slugs[..1])]);
    write_unique(&platform);
    poison(&platform, &slugs[4..]);
    for slug in &slugs[4..] {
        platform.ends(20, &["migrate", "tenant", slug]);
    }
    mend(&platform, &slugs[4..]);
    let waits = platform.json(21, &["migrate", "all-tenants"]);
    poison(&platform, &slugs[1..2]);
    platform.ends(20, &["migrate", "tenant", &slugs[1]]);
    mend(&platform, &slugs[1..2]);
    let refused = platform.json(40, &["migrate", "resume"]);
    assert_eq!(refused["code"], "TN-4015", "{refused}");
    platform.ends(0, &["run", "cancel", id_of(&waits)]);
    assert_eq!(give_up_at_gate(&platform, &["migrate", "resume"]), 0);
    // Who was named goes on alone.
    let named = platform.json(0, &["migrate", "resume", "--only", &slugs[1]]);
    assert_eq!(count(&named, "applied"), 1, "{named}");
}

#[test]
fn every_gate_is_promoted_for_itself() {
    let (platform, slugs) = fleet(Engine::Sqlite, 8).unwrap();
    write_gates(&platform, &[("one", &slugs[..1]), ("two", &slugs[1..3])]);
    write_unique(&platform);
    assert_eq!(give_up_at_gate(&platform, &["migrate", "all-tenants"]), 1);
    let two = slugs[1..3].join(",");
    let some = platform.json(21, &["migrate", "resume", "--only", &two]);
    assert_eq!(count(&some, "applied"), 0, "{some}");
    let done = platform.json(0, &["run", "promote", id_of(&some)]);
    assert_eq!(count(&done, "applied"), 2, "{done}");
    // Nobody was behind the second one there, and nobody promoted it.
    for words in [&["migrate", "resume"][..], &["migrate", "all-tenants"]] {
        assert_eq!(give_up_at_gate(&platform, words), 0);
    }
    let waits = platform.json(21, &["migrate", "all-tenants"]);
    let done = platform.json(0, &["run", "promote", id_of(&waits)]);
    assert_eq!(count(&done, "applied"), 5, "{done}");
}

#[test]
fn a_run_that_is_not_about_the_wave_of_a_gate_waits_there_as_well() {
    let (platform, slugs) = fleet(Engine::Sqlite, 6).unwrap();
    write_gates(&platform, &[("one", &slugs[..1])]);
    write_unique(&platform);
    let others = slugs[1..3].join(",");
    let waits = platform.json(21, &["migrate", "all-tenants", "--only", &others]);
    assert_eq!(count(&waits, "applied"), 0, "{waits}");
    let done = platform.json(0, &["run", "promote", id_of(&waits)]);
    assert_eq!(count(&done, "applied"), 2, "{done}");
    // It is open to these migrations now.
    let more = slugs[3..].join(",");
    let done = platform.json(0, &["migrate", "all-tenants", "--only", &more]);
    assert_eq!(count(&done, "applied"), 3, "{done}");
    // What is done in the wave itself is looked at.
    let waits = platform.json(21, &["migrate", "all-tenants"]);
    assert_eq!(count(&waits, "applied"), 1, "{waits}");
    platform.ends(0, &["run", "promote", id_of(&waits)]);
    for _ in 0..2 {
        let idle = platform.json(0, &["migrate", "all-tenants"]);
        assert_eq!(count(&idle, "current"), 6, "{idle}");
    }
}

#[test]
fn where_all_are_current_no_gate_is_waited_at() {
    let (platform, slugs) = fleet(Engine::Sqlite, 4).unwrap();
    write_gates(&platform, &[("one", &slugs[..1])]);
    let idle = platform.json(0, &["migrate", "all-tenants"]);
    assert_eq!(count(&idle, "current"), 4, "{idle}");
    write_unique(&platform);
    for slug in &slugs {
        platform.ends(0, &["migrate", "tenant", slug]);
    }
    let idle = platform.json(0, &["migrate", "all-tenants"]);
    assert_eq!(count(&idle, "current"), 4, "{idle}");
}

#[test]
fn a_gate_is_open_to_the_migrations_that_it_was_promoted_for() {
    let (platform, _) = fleet(Engine::Sqlite, 25).unwrap();
    write_slice(&platform, "one", 2);
    write_unique(&platform);
    // The canary, and two.
    assert_eq!(give_up_at_gate(&platform, &["migrate", "all-tenants"]), 3);
    platform.write(
        "migrations/tenant/003_bad.sql",
        "CREATE TABLE things (id INTEGER);\n",
    );
    let to = ["migrate", "all-tenants", "--to", "002"];
    assert_eq!(give_up_at_gate(&platform, &to), 0);
    // What nobody ran begins with a canary.
    let stopped = platform.json(21, &["migrate", "all-tenants"]);
    assert_eq!(
        (count(&stopped, "failed"), count(&stopped, "applied")),
        (1, 0),
        "{stopped}"
    );
    let waits = platform.json(21, &to);
    let done = platform.json(0, &["run", "promote", id_of(&waits)]);
    assert_eq!(count(&done, "failed"), 0, "{done}");
    let idle = platform.json(0, &to);
    assert_eq!(count(&idle, "current"), 25, "{idle}");
}

#[test]
fn who_becomes_active_later_waits_at_the_gate_too() {
    let (platform, slugs) = fleet(Engine::Sqlite, 5).unwrap();
    write_gates(&platform, &[("one", &slugs[..1])]);
    write_unique(&platform);
    suspend(&platform, &slugs[4]);
    assert_eq!(give_up_at_gate(&platform, &["migrate", "all-tenants"]), 1);
    for slug in &slugs[1..4] {
        platform.ends(0, &["migrate", "tenant", slug]);
    }
    activate(&platform, &slugs[4]);
    assert_eq!(give_up_at_gate(&platform, &["migrate", "all-tenants"]), 0);
    // The wave's own tenant is not there.
    suspend(&platform, &slugs[0]);
    assert_eq!(give_up_at_gate(&platform, &["migrate", "all-tenants"]), 0);
}

#[test]
fn who_is_named_is_let_through_also_as_the_last_one() {
    let (platform, slugs) = fleet(Engine::Sqlite, 4).unwrap();
    write_gates(&platform, &[("one", &slugs[..2])]);
    write_unique(&platform);
    let waits = platform.json(21, &["migrate", "all-tenants"]);
    poison(&platform, &slugs[2..3]);
    let failed = platform.json(20, &["migrate", "all", "--only", &slugs[2]]);
    mend(&platform, &slugs[2..3]);
    let resumed = platform.json(0, &["migrate", "resume", id_of(&failed)]);
    assert_eq!(count(&resumed, "applied"), 1, "{resumed}");
    platform.ends(0, &["migrate", "tenant", &slugs[3]]);
    let done = platform.json(0, &["run", "promote", id_of(&waits)]);
    assert_eq!(
        (count(&done, "applied"), count(&done, "failed")),
        (2, 0),
        "{done}"
    );
}

#[test]
fn a_way_back_that_was_given_up_at_a_gate_can_be_finished_as_it_says() {
    let (platform, slugs) = fleet(Engine::Sqlite, 5).unwrap();
    write_gates(&platform, &[("one", &slugs[..1])]);
    write_unique(&platform);
    platform.write(
        "migrations/tenant/002_unique.down.sql",
        "DROP INDEX things_name;\n",
    );
    let up = platform.json(21, &["migrate", "all-tenants"]);
    platform.ends(0, &["run", "cancel", id_of(&up)]);
    let back = ["migrate", "rollback", "--all-tenants", "--run", id_of(&up)];
    let waits = platform.json(21, &back);
    let says = |exit: u8, words: &[&str], what: &str| {
        let said = crate::output::stderr(&platform.ends(i32::from(exit), words));
        assert!(said.contains(what), "{what}: {said}");
    };
    let promote = format!("tenantry run promote {}", id_of(&waits));
    says(40, &["migrate", "resume"], &promote);
    says(
        2,
        &["migrate", "resume", id_of(&waits), "--only", &slugs[1]],
        &promote,
    );
    platform.ends(0, &["run", "cancel", id_of(&waits)]);
    let again = format!("tenantry {}", back.join(" "));
    says(40, &["migrate", "resume"], &again);
    says(
        40,
        &["migrate", "resume"],
        "or go forwards again:  tenantry migrate all-tenants",
    );
    // Nothing is left to take back; the registry is told that.
    let waits = platform.json(21, &back);
    let told = platform.json(0, &["run", "promote", id_of(&waits)]);
    assert_eq!(count(&told, "current"), 5, "{told}");
    platform.ends(0, &["migrate", "resume"]);
}
