//! Waves that are a share of the fleet, and soaks whose tenants went elsewhere: nobody gets past them for that.

use std::time::Instant;

use serde_json::Value;
use tenantry::engine::Engine;

use super::gates::add;
use super::promoted::{ALL, write_soak, write_with_way_back};
use super::{MANY, count, fleet, many, write_unique};
use crate::platform::Platform;

/// Runs a command to its end; returns its report and for how many seconds it went.
fn timed(platform: &Platform, words: &[&str]) -> (Value, f32) {
    let begun = Instant::now();
    (platform.json(0, words), begun.elapsed().as_secs_f32())
}

/// Lets nothing begin behind so many tenants for three seconds.
fn write_slice(platform: &Platform, limit: &str) {
    let wave = format!("\n[[rollout.wave]]\nname = \"first\"\nlimit = {limit}\nsoak = \"3s\"\n");
    add(platform, &wave);
}

#[test]
fn a_soak_is_that_of_the_tenant_that_went_ahead_as_canary() {
    let (platform, slugs) = many();
    write_soak(&platform, &slugs[MANY - 1], 3);
    took_long(&platform, &slugs[MANY - 1]);
    write_unique(&platform);
    let (done, took) = timed(&platform, ALL);
    assert_eq!(count(&done, "applied"), MANY as u64, "{done}");
    assert!(took >= 3.0, "{took}: {done}");
    // With nothing to do there is nothing to wait for.
    took_long(&platform, &slugs[MANY - 1]);
    let (done, took) = timed(&platform, ALL);
    assert_eq!(count(&done, "current"), MANY as u64, "{done}");
    assert!(took < 3.0, "{took}: {done}");
}

/// Makes a tenant the canary.
fn took_long(platform: &Platform, slug: &str) {
    let long = format!("UPDATE tenantry_run_targets SET duration_ms = 99999 WHERE label = '{slug}'");
    platform.query("central.db", &long);
}

#[test]
fn a_slice_counts_tenants_and_takes_their_products_along() {
    let (platform, slugs) = fleet(Engine::Sqlite, 4).unwrap();
    let own = "migrations/products/kira/001_own.sql";
    platform.write(own, "CREATE TABLE own (id INTEGER);\n");
    for slug in &slugs[2..] {
        platform.ends(0, &["product", "provision", "kira", "--tenant", slug]);
    }
    write_slice(&platform, "1");
    let more = "migrations/products/kira/002_more.sql";
    platform.write(more, "CREATE TABLE more (id INTEGER);\n");
    let (done, took) = timed(&platform, &["migrate", "all"]);
    assert_eq!(count(&done, "applied"), 2, "{done}");
    assert!(took >= 3.0, "{took}: {done}");
}

#[test]
fn a_canary_that_no_wave_names_is_waited_for_behind_none() {
    let (platform, slugs) = fleet(Engine::Sqlite, 6).unwrap();
    super::gates::write_slice(&platform, "some", 2);
    write_unique(&platform);
    super::poison(&platform, &slugs[5..]);
    let waits = platform.json(21, ALL);
    platform.ends(20, &["run", "promote", waits["run"].as_str().unwrap()]);
    super::mend(&platform, &slugs[5..]);
    let done = platform.json(0, &["migrate", "resume", "--canary", "1"]);
    assert_eq!(count(&done, "applied"), 1, "{done}");
}

#[test]
fn a_slice_is_of_those_who_are_behind() {
    let (platform, _) = fleet(Engine::Sqlite, 4).unwrap();
    write_slice(&platform, "2");
    write_unique(&platform);
    for early in ["a1", "a2"] {
        platform.ends(0, &["tenant", "create", early]);
    }
    let (done, took) = timed(&platform, ALL);
    assert_eq!(count(&done, "applied"), 4, "{done}");
    assert!(took >= 3.0, "{took}: {done}");
}

#[test]
fn a_trial_with_a_few_does_not_use_up_the_slice_of_all() {
    let (platform, slugs) = many();
    write_slice(&platform, "\"25%\"");
    write_unique(&platform);
    let few = slugs[2..4].join(",");
    platform.ends(0, &["migrate", "all-tenants", "--only", &few]);
    let (done, took) = timed(&platform, ALL);
    assert_eq!(count(&done, "failed"), 0, "{done}");
    assert!(took >= 3.0, "{took}: {done}");
}

#[test]
fn a_rollback_of_others_ends_no_soak() {
    let (platform, slugs) = fleet(Engine::Sqlite, 5).unwrap();
    write_soak(&platform, &slugs[0], 6);
    write_with_way_back(&platform);
    for slug in &slugs[3..] {
        platform.ends(0, &["migrate", "tenant", slug]);
    }
    let mut soaking = platform.spawn(ALL);
    let begun = loop {
        let run = platform.json(0, &["run", "show"]);
        if run["soaks_until"].is_string() {
            break Instant::now();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    soaking.kill().unwrap();
    soaking.wait().unwrap();
    let others = slugs[3..].join(",");
    let back = [
        "migrate",
        "rollback",
        "--all-tenants",
        "--only",
        &others,
        "--step",
        "1",
    ];
    platform.ends(0, &back);
    let done = platform.json(0, ALL);
    let after = begun.elapsed().as_secs_f32();
    assert_eq!(count(&done, "applied"), 4, "{done}");
    assert!((5.0..12.0).contains(&after), "{after}: {done}");
}
