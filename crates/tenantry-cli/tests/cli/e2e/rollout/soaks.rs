//! Soaks and gates: what is waited for behind a wave is waited for, whatever becomes of the driver.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{MANY, count, many, mend, poison, write_unique};
use crate::output::{stderr, stdout};
use crate::platform::Platform;

/// Waits until the newest run is in a state, and returns what is shown of it.
fn run_that(platform: &Platform, is_so: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let run = platform.json(0, &["run", "show"]);
        if is_so(&run) {
            return run;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{run}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Returns the second at which a soak ends.
fn soaks_until(run: &Value) -> Option<i64> {
    let until = run["soaks_until"].as_str()?;
    let time: jiff::Timestamp = until.parse().unwrap();
    Some(time.as_second())
}

#[test]
fn every_soak_is_ended_by_a_promotion_of_its_own() {
    let (platform, _) = many();
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    let wave = |name: &str, matches: &str| {
        format!("\n[[rollout.wave]]\nname = \"{name}\"\nmatch = [\"{matches}\"]\nsoak = \"1h\"\n")
    };
    let waves = wave("one", "t1*") + &wave("two", "t2*") + "then = \"pause\"\n";
    platform.write("tenantry.toml", &format!("{config}{waves}"));
    let child = platform.spawn(&["migrate", "all-tenants", "--canary", "0", "--ndjson"]);
    for (done, then) in [(10, "goes on"), (14, "stops at the gate there")] {
        let run = run_that(&platform, |run| {
            count(run, "ok") == done && soaks_until(run).is_some()
        });
        let promoted = platform.ends(0, &["run", "promote", run["run"].as_str().unwrap()]);
        let said = stdout(&promoted);
        assert!(
            said.contains(" waits no longer behind ") && said.contains(then),
            "{said}"
        );
    }
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(21), "{}", stderr(&ended));
    let run = platform.json(0, &["run", "show"]);
    platform.ends(0, &["run", "promote", run["run"].as_str().unwrap()]);
    assert_eq!(count(&platform.json(0, &["run", "show"]), "ok"), MANY as u64);
}

#[test]
fn a_soak_goes_on_where_it_was_after_a_kill_and_after_a_pause() {
    let (platform, _) = many();
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    let wave = "\n[[rollout.wave]]\nname = \"one\"\nmatch = [\"t1*\"]\nsoak = \"1h\"\n";
    platform.write("tenantry.toml", &format!("{config}{wave}"));
    let words = ["migrate", "all-tenants", "--canary", "0", "--ndjson"];
    let mut killed = platform.spawn(&words);
    let soaking = run_that(&platform, |run| soaks_until(run).is_some());
    let (id, until) = (soaking["run"].as_str().unwrap(), soaks_until(&soaking).unwrap());
    let shown = platform.ends(0, &["run", "show", id]);
    assert!(
        stdout(&shown).contains("soaks    behind `one` until "),
        "{}",
        stdout(&shown)
    );
    std::thread::sleep(Duration::from_secs(4));
    killed.kill().unwrap();
    killed.wait().unwrap();
    let is_as_before = |run: &Value| soaks_until(run).is_some_and(|now| (now - until).abs() <= 2);
    let mut second = platform.spawn(&words);
    let taken = run_that(&platform, |run| run["driver"] != soaking["driver"]);
    assert_eq!(
        (taken["run"].as_str(), count(&taken, "ok")),
        (Some(id), 10),
        "{taken}"
    );
    std::thread::sleep(Duration::from_secs(2));
    let taken = platform.json(0, &["run", "show"]);
    assert!(is_as_before(&taken), "{until}: {taken}");
    platform.json(0, &["run", "pause", id]);
    assert!(!second.wait().unwrap().success());
    let paused = platform.json(0, &["run", "show"]);
    assert!(
        paused["status"] == "paused" && is_as_before(&paused),
        "{until}: {paused}"
    );
    let resumed = platform.spawn(&["migrate", "resume", id, "--ndjson"]);
    run_that(&platform, |run| run["status"] == "running");
    std::thread::sleep(Duration::from_secs(2));
    let waits = platform.json(0, &["run", "show"]);
    assert!(
        is_as_before(&waits) && count(&waits, "ok") == 10,
        "{until}: {waits}"
    );
    platform.json(0, &["run", "promote", id]);
    let ended = resumed.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", stderr(&ended));
    assert_eq!(count(&platform.json(0, &["run", "show"]), "ok"), MANY as u64);
}

/// Gives the run up, and begins it anew: as another run, which is not told to whom the wave belongs.
#[test]
fn nothing_that_is_waited_for_is_got_past_by_beginning_anew() {
    let (platform, _) = many();
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    let waves = "\n[[rollout.wave]]\nname = \"one\"\nmatch = [\"t1*\"]\nsoak = \"1h\"\n\
                 \n[[rollout.wave]]\nname = \"two\"\nmatch = [\"t2*\"]\nthen = \"pause\"\n";
    platform.write("tenantry.toml", &format!("{config}{waves}"));
    let soaks = |run: &Value| run["status"] == "running" && soaks_until(run).is_some();
    let mut child = platform.spawn(&["migrate", "all-tenants", "--canary", "0"]);
    let first = run_that(&platform, soaks);
    let until = soaks_until(&first).unwrap();
    platform.json(0, &["run", "cancel", first["run"].as_str().unwrap()]);
    child.wait().unwrap();
    std::thread::sleep(Duration::from_secs(4));
    let mut before = first["run"].clone();
    for words in [&["migrate", "resume"][..], &["migrate", "all-tenants"]] {
        let mut child = platform.spawn(words);
        let next = run_that(&platform, |run| run["run"] != before && soaks(run));
        if words[1] == "resume" {
            let later = soaks_until(&next).unwrap() - until;
            assert!(later.abs() <= 2 && count(&next, "ok") == 0, "{later}: {next}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        before = next["run"].clone();
    }
    let resumed = platform.spawn(&["migrate", "resume"]);
    let soaking = run_that(&platform, soaks);
    platform.json(0, &["run", "promote", soaking["run"].as_str().unwrap()]);
    let paused = resumed.wait_with_output().unwrap();
    assert!(stderr(&paused).contains("`two`"), "{}", stderr(&paused));
    let waits = platform.json(0, &["run", "show"]);
    assert_eq!(count(&waits, "not_run"), 10, "{waits}");
    platform.json(0, &["run", "cancel", waits["run"].as_str().unwrap()]);
    // Who names one tenant, or makes one, waits for no others.
    platform.ends(0, &["migrate", "tenant", "t05"]);
    platform.ends(0, &["tenant", "create", "another"]);
    let again = platform.ends(21, &["migrate", "resume"]);
    assert!(stderr(&again).contains("`two`"), "{}", stderr(&again));
    let waits = platform.json(0, &["run", "show"]);
    assert_eq!((count(&waits, "ok"), count(&waits, "not_run")), (0, 9), "{waits}");
    platform.json(0, &["run", "cancel", waits["run"].as_str().unwrap()]);
    platform.ends(21, &["migrate", "resume"]);
    let waits = platform.json(0, &["run", "show"]);
    let done = platform.json(0, &["run", "promote", waits["run"].as_str().unwrap()]);
    assert_eq!(count(&done, "applied"), 9, "{done}");
    // Where all are current there is nothing to look at.
    let idle = platform.json(0, &["migrate", "all-tenants"]);
    assert_eq!(count(&idle, "current"), MANY as u64 + 1, "{idle}");
}

#[test]
fn a_gate_is_not_got_past_by_resuming_some_of_its_wave_first() {
    let (platform, slugs) = many();
    let friend = &slugs[12..13];
    poison(&platform, friend);
    write_unique(&platform);
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    let wave = "\n[[rollout.wave]]\nname = \"one\"\nmatch = [\"t1*\"]\nthen = \"pause\"\n";
    platform.write("tenantry.toml", &format!("{config}{wave}"));
    let waits = platform.json(21, &["migrate", "all-tenants", "--canary", "0"]);
    assert_eq!(
        (count(&waits, "failed"), waits["cause"].as_str()),
        (1, Some("gate")),
        "{waits}"
    );
    platform.json(0, &["run", "cancel", waits["run"].as_str().unwrap()]);
    mend(&platform, friend);
    platform.json(0, &["migrate", "resume", "--only", &friend[0]]);
    let again = platform.json(21, &["migrate", "resume"]);
    assert_eq!(
        (count(&again, "ok"), count(&again, "not_run")),
        (0, 14),
        "{again}"
    );
}

#[test]
fn a_gate_behind_a_number_of_tenants_lets_no_others_pass() {
    let (platform, slugs) = many();
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    let waves = "\n[[rollout.wave]]\nname = \"few\"\nlimit = 2\n\
                 \n[[rollout.wave]]\nname = \"some\"\nlimit = 3\nthen = \"pause\"\n";
    platform.write("tenantry.toml", &format!("{config}{waves}"));
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    let first = platform.json(21, &["migrate", "all-tenants"]);
    let first = first["run"].as_str().unwrap();
    platform.ends(0, &["run", "cancel", first]);
    // One canary, two and three.
    let has_two = |slug: &&String| {
        let newest = "SELECT max(version) FROM _tenantry_history";
        platform.one(&platform.database(slug), newest) == "2"
    };
    let done = || slugs.iter().filter(has_two).count();
    for words in [&["migrate", "resume"][..], &["migrate", "all-tenants"]] {
        let again = platform.json(21, words);
        assert_eq!(count(&again, "applied"), 0, "{again}");
        platform.ends(0, &["run", "cancel", again["run"].as_str().unwrap()]);
    }
    assert_eq!(done(), 6);
    let waits = platform.json(21, &["migrate", "all-tenants"]);
    platform.ends(0, &["run", "promote", waits["run"].as_str().unwrap()]);
    assert_eq!(done(), MANY);
}

#[test]
fn two_promotions_of_one_gate_pass_it_alone() {
    let (platform, _) = many();
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    let wave = |name: &str| format!("\n[[rollout.wave]]\nname = \"{name}\"\nlimit = 3\nthen = \"pause\"\n");
    let waves = wave("one") + &wave("two") + &wave("three") + &wave("four");
    platform.write("tenantry.toml", &format!("{config}{waves}"));
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    let run = platform.json(21, &["migrate", "all-tenants", "--canary", "0"]);
    let id = run["run"].as_str().unwrap();
    // All of them look at the run before one of them can take it: who comes later promotes the next gate.
    let registry = rusqlite::Connection::open(platform.path("data/central.db")).unwrap();
    registry.execute_batch("BEGIN IMMEDIATE").unwrap();
    let promotions: Vec<_> = (0..4)
        .map(|_| platform.spawn(&["run", "promote", id, "--json"]))
        .collect();
    std::thread::sleep(Duration::from_secs(3));
    registry.execute_batch("ROLLBACK").unwrap();
    for promotion in promotions {
        let ended = promotion.wait_with_output().unwrap();
        // Who comes while another one goes on with it has nothing to promote.
        let exit = ended.status.code();
        assert!(matches!(exit, Some(0 | 21 | 40)), "{exit:?}: {}", stderr(&ended));
    }
    assert_eq!(count(&platform.json(0, &["run", "show", id]), "ok"), 6);
}

#[test]
fn a_paused_run_is_not_gone_past_by_another_plan_over_several() {
    let (platform, slugs) = many();
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    let wave = "\n[[rollout.wave]]\nname = \"one\"\nlimit = 3\nthen = \"pause\"\n";
    platform.write("tenantry.toml", &format!("{config}{wave}"));
    let write = |version: &str| {
        let sql = format!("CREATE TABLE t{version} (id INTEGER);\n");
        platform.write(&format!("migrations/tenant/{version}_t.sql"), &sql);
    };
    write("002");
    let run = platform.json(21, &["migrate", "all-tenants", "--canary", "0"]);
    let id = run["run"].as_str().unwrap();
    write("003");
    let open = slugs[MANY - 2..].join(",");
    for words in [
        &["migrate", "all-tenants"][..],
        &["migrate", "all-tenants", "--only", &open],
    ] {
        let refused = platform.json(40, words);
        assert_eq!(refused["code"], "TN-4015", "{refused}");
    }
    // Whoever names one tenant means that one.
    platform.ends(0, &["migrate", "tenant", &slugs[MANY - 1]]);
    platform.ends(0, &["run", "cancel", id]);
    platform.json(21, &["migrate", "all-tenants", "--canary", "0"]);
}
