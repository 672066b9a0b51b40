//! What counts as a promotion, and what does not: only a run that waited, was let go on, and was not taken back.

use std::time::Instant;

use tenantry::engine::Engine;

use super::gates::{add, give_up_at_gate, id_of, write_gates};
use super::rest::{activate, suspend};
use super::{count, fleet, mend, poison, write_unique};
use crate::output::stderr;
use crate::platform::Platform;

pub(super) const ALL: &[&str] = &["migrate", "all-tenants"];

pub(super) fn write_with_way_back(platform: &Platform) {
    write_unique(platform);
    platform.write(
        "migrations/tenant/002_unique.down.sql",
        "DROP INDEX things_name;\n",
    );
}

/// Lets nothing begin behind the first tenant for so many seconds.
pub(super) fn write_soak(platform: &Platform, slug: &str, seconds: u32) {
    let wave = format!("\n[[rollout.wave]]\nname = \"one\"\nmatch = [{slug:?}]\nsoak = \"{seconds}s\"\n");
    add(platform, &wave);
}

/// Migrates everybody behind a gate that somebody promotes; returns the run.
pub(super) fn promoted(platform: &Platform) -> String {
    let waits = platform.json(21, ALL);
    platform.ends(0, &["run", "promote", id_of(&waits)]);
    id_of(&waits).to_owned()
}

#[test]
fn a_run_that_had_nothing_to_wait_for_opens_no_gate() {
    let (platform, slugs) = fleet(Engine::Sqlite, 6).unwrap();
    write_gates(&platform, &[("one", &slugs[..1])]);
    write_unique(&platform);
    suspend(&platform, &slugs[5]);
    for slug in &slugs[..2] {
        platform.ends(0, &["migrate", "tenant", slug]);
    }
    let both = slugs[..2].join(",");
    let idle = platform.json(0, &["migrate", "all-tenants", "--only", &both]);
    assert_eq!(count(&idle, "current"), 2, "{idle}");
    assert_eq!(give_up_at_gate(&platform, ALL), 0);
    for slug in &slugs[2..5] {
        platform.ends(0, &["migrate", "tenant", slug]);
    }
    // Nothing to do, whatever was given up before.
    for _ in 0..2 {
        let idle = platform.json(0, ALL);
        assert_eq!(count(&idle, "current"), 5, "{idle}");
    }
    activate(&platform, &slugs[5]);
    assert_eq!(give_up_at_gate(&platform, ALL), 0);
}

#[test]
fn a_run_that_had_nothing_to_wait_for_ends_no_soak() {
    let (platform, slugs) = fleet(Engine::Sqlite, 4).unwrap();
    write_soak(&platform, &slugs[0], 8);
    write_unique(&platform);
    let mut soaking = platform.spawn(ALL);
    let done = || {
        let newest = "SELECT max(version) FROM _tenantry_history";
        platform.one(&platform.database(&slugs[0]), newest) == "2"
    };
    while !done() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let soaked = Instant::now();
    std::thread::sleep(std::time::Duration::from_secs(1));
    soaking.kill().unwrap();
    soaking.wait().unwrap();
    platform.ends(0, &["migrate", "tenant", &slugs[1]]);
    let both = slugs[..2].join(",");
    platform.json(0, &["migrate", "all-tenants", "--only", &both]);
    let last = platform.json(0, ALL);
    let after = soaked.elapsed().as_secs_f32();
    assert_eq!(count(&last, "applied"), 2, "{last}");
    // It is the rest of the soak that was waited for: neither nothing nor all of it once more.
    assert!((7.0..14.0).contains(&after), "{after}: {last}");
}

#[test]
fn a_rollback_over_several_closes_a_gate_though_it_had_no_waves() {
    let (platform, slugs) = fleet(Engine::Sqlite, 24).unwrap();
    write_gates(&platform, &[("one", &slugs[..1])]);
    write_with_way_back(&platform);
    let run = promoted(&platform);
    let words = ["migrate", "rollback", "--all-tenants", "--except", &slugs[0]];
    let words = [&words[..], &["--canary", "0", "--run", &run]].concat();
    let back = platform.json(0, &words);
    assert_eq!(count(&back, "applied"), 23, "{back}");
    // One canary.
    assert_eq!(give_up_at_gate(&platform, ALL), 1);
}

#[test]
fn who_is_left_of_one_tenants_run_must_be_that_tenant() {
    let (platform, slugs) = fleet(Engine::Sqlite, 6).unwrap();
    write_gates(&platform, &[("one", &slugs[..1])]);
    write_unique(&platform);
    poison(&platform, &slugs[5..]);
    let waits = platform.json(21, ALL);
    platform.ends(20, &["run", "promote", id_of(&waits)]);
    mend(&platform, &slugs[5..]);
    platform.write(
        "migrations/tenant/003_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    let in_the_way = "CREATE TABLE more (id INTEGER)";
    platform.query(&platform.database(&slugs[3]), in_the_way);
    platform.ends(20, &["migrate", "tenant", &slugs[3]]);
    suspend(&platform, &slugs[3]);
    let waits = platform.json(21, &["migrate", "resume"]);
    assert_eq!(count(&waits, "applied"), 0, "{waits}");
}

#[test]
fn what_was_given_up_is_not_waited_for_where_all_are_current() {
    let (platform, slugs) = fleet(Engine::Sqlite, 3).unwrap();
    write_gates(&platform, &[("one", &slugs[..1])]);
    platform.write(
        "migrations/products/kira/001_own.sql",
        "CREATE TABLE own (id INTEGER);\n",
    );
    platform.ends(0, &["product", "provision", "kira", "--tenant", &slugs[1]]);
    write_unique(&platform);
    give_up_at_gate(&platform, &["migrate", "all"]);
    promoted(&platform);
    for _ in 0..2 {
        let idle = platform.json(0, &["migrate", "all"]);
        assert_eq!(
            (count(&idle, "applied"), count(&idle, "failed")),
            (0, 0),
            "{idle}"
        );
    }
}

#[test]
fn a_canary_that_failed_is_asked_again_whatever_others_did() {
    let (platform, slugs) = fleet(Engine::Sqlite, 20).unwrap();
    write_soak(&platform, &slugs[0], 1);
    write_unique(&platform);
    poison(&platform, &slugs[5..12]);
    let words = ["migrate", "all-tenants", "--canary", "14"];
    for _ in 0..2 {
        let stopped = platform.ends(21, &words);
        assert!(stderr(&stopped).contains("a canary failed"), "{stopped:?}");
    }
}

#[test]
fn an_open_gate_is_not_waited_at_by_who_takes_a_run_up() {
    let (platform, slugs) = fleet(Engine::Sqlite, 6).unwrap();
    let soak = format!(
        "\n[[rollout.wave]]\nname = \"s\"\nmatch = [{:?}, {:?}]\nsoak = \"4s\"\n",
        slugs[0], slugs[2]
    );
    add(&platform, &soak);
    write_gates(&platform, &[("two", &slugs[1..2])]);
    write_unique(&platform);
    suspend(&platform, &slugs[2]);
    promoted(&platform);
    activate(&platform, &slugs[2]);
    let soaking = platform.spawn(ALL);
    let run = loop {
        let run = platform.json(0, &["run", "show"]);
        if run["soaks_until"].is_string() {
            break run;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    platform.ends(0, &["run", "pause", id_of(&run)]);
    soaking.wait_with_output().unwrap();
    let done = platform.json(0, &["run", "resume", id_of(&run)]);
    assert_eq!(
        (count(&done, "failed"), count(&done, "not_run")),
        (0, 0),
        "{done}"
    );
}

#[test]
fn who_is_suspended_after_a_rollback_bars_no_resume() {
    let (platform, slugs) = fleet(Engine::Sqlite, 5).unwrap();
    write_gates(&platform, &[("one", &slugs[..1])]);
    write_with_way_back(&platform);
    let run = promoted(&platform);
    let back = ["migrate", "rollback", "--all-tenants", "--run", &run];
    let waits = platform.json(21, &back);
    platform.ends(0, &["run", "cancel", id_of(&waits)]);
    suspend(&platform, &slugs[4]);
    let waits = platform.json(21, &back);
    platform.ends(0, &["run", "promote", id_of(&waits)]);
    platform.ends(0, &["migrate", "resume"]);
    activate(&platform, &slugs[4]);
    let refused = platform.json(40, &["migrate", "resume"]);
    assert_eq!(refused["code"], "TN-4010", "{refused}");
}

#[test]
fn a_run_forwards_with_nothing_to_do_opens_no_gate_on_the_way_back() {
    let (platform, slugs) = fleet(Engine::Sqlite, 5).unwrap();
    write_gates(&platform, &[("one", &slugs[..1])]);
    write_with_way_back(&platform);
    let run = promoted(&platform);
    let back = ["migrate", "rollback", "--all-tenants", "--run", &run];
    assert_eq!(give_up_at_gate(&platform, &back), 1);
    let some = slugs[2..4].join(",");
    let idle = platform.json(0, &["migrate", "all-tenants", "--only", &some]);
    assert_eq!(count(&idle, "current"), 2, "{idle}");
    assert_eq!(give_up_at_gate(&platform, &back), 0);
}

#[test]
fn one_promotion_of_a_run_goes_past_all_gates_that_are_open() {
    let (platform, slugs) = fleet(Engine::Sqlite, 6).unwrap();
    let waves = [
        ("one", &slugs[..1]),
        ("two", &slugs[1..2]),
        ("three", &slugs[2..3]),
    ];
    write_gates(&platform, &waves);
    write_with_way_back(&platform);
    suspend(&platform, &slugs[5]);
    let waits = platform.json(21, ALL);
    for exit in [21, 21, 0] {
        platform.ends(exit, &["run", "promote", id_of(&waits)]);
    }
    platform.ends(0, &["migrate", "rollback", &slugs[0], "--step", "1"]);
    activate(&platform, &slugs[5]);
    // Something is done in the first.
    let waits = platform.json(21, ALL);
    let done = platform.json(0, &["run", "promote", id_of(&waits)]);
    assert_eq!(count(&done, "not_run"), 0, "{done}");
}
