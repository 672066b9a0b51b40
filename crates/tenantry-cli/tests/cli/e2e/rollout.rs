//! Waves, gates and rules: a bad migration stops before it is everywhere, and a run waits where it was told to.

use std::time::{Duration, Instant};

use serde_json::Value;
use tenantry::engine::Engine;

use crate::output::{stderr, stdout};
use crate::platform::Platform;

/// So many that the run begins with a canary by itself.
const MANY: usize = 24;

fn fleet(engine: Engine, tenants: usize) -> Option<(Platform, Vec<String>)> {
    let slugs: Vec<String> = (0..tenants).map(|n| format!("t{n:02}")).collect();
    let names: Vec<&str> = slugs.iter().map(String::as_str).collect();
    let first = (
        "001_things.sql",
        "CREATE TABLE things (id INTEGER, name VARCHAR(20));\n",
    );
    Some((Platform::with_tenants(engine, &[first], &names)?, slugs))
}

fn many() -> (Platform, Vec<String>) {
    fleet(Engine::Sqlite, MANY).unwrap()
}

fn write_unique(platform: &Platform) {
    let sql = "CREATE UNIQUE INDEX things_name ON things (name);\n";
    platform.write("migrations/tenant/002_unique.sql", sql);
}

/// Puts two equal names where the next migration wants none.
fn poison(platform: &Platform, slugs: &[String]) {
    for slug in slugs {
        let database = platform.database(slug);
        platform.query(&database, "INSERT INTO things VALUES (1, 'x'), (2, 'x')");
    }
}

fn mend(platform: &Platform, slugs: &[String]) {
    for slug in slugs {
        platform.query(&platform.database(slug), "DELETE FROM things WHERE id = 2");
    }
}

fn count(done: &Value, what: &str) -> u64 {
    done[what].as_u64().unwrap()
}

#[test]
fn a_migration_that_fails_everywhere_stops_at_the_canary() {
    fails_at_the_canary("all-tenants", 0);
}

#[test]
fn behind_the_central_database_the_canary_goes_alone_as_well() {
    fails_at_the_canary("all", 1);
}

fn fails_at_the_canary(whom: &str, before: u64) {
    let (platform, slugs) = many();
    poison(&platform, &slugs);
    write_unique(&platform);
    let stopped = platform.ends(21, &["migrate", whom]);
    let said = stderr(&stopped);
    assert!(
        said.contains("error[TN-4002]") && said.contains("a canary failed"),
        "{said}"
    );
    let run = platform.json(0, &["run", "show"]);
    assert_eq!(
        (count(&run, "ok"), count(&run, "failed"), count(&run, "not_run")),
        (before, 1, MANY as u64 - 1),
        "{run}"
    );
    mend(&platform, &slugs);
    let done = platform.json(0, &["migrate", "resume"]);
    assert_eq!(count(&done, "applied"), MANY as u64, "{done}");
}

#[test]
fn without_a_canary_the_first_that_fail_alike_stop_it_and_no_more_were_touched() {
    let (platform, slugs) = many();
    poison(&platform, &slugs);
    write_unique(&platform);
    let words = ["migrate", "all-tenants", "--canary", "0", "--same-error", "4"];
    let done = platform.json(21, &words);
    assert_eq!(
        (count(&done, "failed"), count(&done, "not_run")),
        (4, MANY as u64 - 4),
        "{done}"
    );
    let groups = done["failures"].as_array().unwrap();
    assert_eq!(
        (groups.len(), groups[0]["code"].as_str()),
        (1, Some("TN-2003")),
        "{done}"
    );
}

#[test]
fn a_few_bad_tenants_fail_by_name_and_more_than_the_run_bears_stop_it() {
    let (platform, slugs) = many();
    let bad = &slugs[3..6];
    poison(&platform, bad);
    write_unique(&platform);
    let words = [
        "migrate",
        "all-tenants",
        "--canary",
        "0",
        "-j",
        "1",
        "--same-error",
        "off",
    ];
    let stopped = platform.json(21, &[&words[..], &["--max-failures", "2"]].concat());
    assert_eq!(
        (count(&stopped, "failed"), stopped["cause"].as_str()),
        (3, Some("max_failures 2")),
        "{stopped}"
    );
    let failed = platform.json(20, &["migrate", "resume"]);
    let names = failed["failures"][0]["targets"].as_array().unwrap();
    let mut names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, bad, "{failed}");
    mend(&platform, bad);
    assert_eq!(count(&platform.json(0, &["migrate", "resume"]), "applied"), 3);
}

#[test]
fn waves_go_one_after_the_other_and_a_gate_waits_for_a_person() {
    let (platform, _) = many();
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    let waves = "\n[[rollout.wave]]\nname = \"internal\"\nmatch = [\"t2*\"]\nthen = \"pause\"\n\
                 \n[[rollout.wave]]\nname = \"tenth\"\nlimit = \"10%\"\nsoak = \"1s\"\n";
    platform.write("tenantry.toml", &format!("{config}{waves}"));
    let waiting = platform.ends(21, &["migrate", "all-tenants"]);
    let said = stderr(&waiting);
    assert!(
        said.contains("error[TN-4015]") && said.contains("`internal`"),
        "{said}"
    );
    assert!(!said.contains("migrate resume"), "it would be refused: {said}");
    let run = platform.json(0, &["run", "show", "--all"]);
    let id = run["run"].as_str().unwrap();
    let names: Vec<&str> = run["waves"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|w| w["name"].as_str())
        .collect();
    assert_eq!(names, ["canary", "internal", "tenth", "rest"], "{run}");
    // Four are called t2*, and the canary may be one of them.
    assert_eq!(run["status"].as_str(), Some("paused"), "{run}");
    assert!((4..=5).contains(&count(&run, "ok")), "{run}");
    assert_eq!(platform.json(40, &["migrate", "resume", id])["code"], "TN-4015");
    the_same_again_is_no_promotion(&platform, id);
    platform.write(
        "migrations/tenant/003_late.sql",
        "CREATE TABLE late (id INTEGER);\n",
    );
    let replanned = platform.json(40, &["run", "promote", id]);
    assert_eq!(replanned["code"], "TN-4005", "{replanned}");
    assert!(
        replanned
            .to_string()
            .contains("3_late is new on the track tenant"),
        "{replanned}"
    );
    std::fs::remove_file(platform.path("migrations/tenant/003_late.sql")).unwrap();
    platform.json(2, &["run", "promote", id, "--dry-run"]);
    platform.json(2, &["run", "promote", id, "--canary", "3"]);
    platform.json(0, &["migrate", "resume", id, "--dry-run"]);
    assert_eq!(platform.json(0, &["run", "show", id])["status"], "paused");
    let done = platform.json(0, &["run", "promote", id]);
    assert_eq!(
        (done["run"].as_str(), count(&done, "applied")),
        (Some(id), MANY as u64),
        "{done}"
    );
}

fn the_same_again_is_no_promotion(platform: &Platform, id: &str) {
    for _ in 0..2 {
        let again = platform.json(40, &["migrate", "all-tenants"]);
        assert_eq!(again["code"], "TN-4015", "{again}");
        assert!(
            again.to_string().contains(&format!("run promote {id}")),
            "{again}"
        );
    }
    let runs = platform.json(0, &["run", "list"]);
    let runs = runs["items"].as_array().unwrap().iter();
    assert_eq!(
        runs.filter(|run| run["command"] == "migrate all-tenants").count(),
        1
    );
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
    let waves = wave("one", "t1*") + &wave("two", "t2*");
    platform.write("tenantry.toml", &format!("{config}{waves}"));
    let child = platform.spawn(&["migrate", "all-tenants", "--canary", "0", "--ndjson"]);
    for done in [10, 14] {
        let run = run_that(&platform, |run| {
            count(run, "ok") == done && soaks_until(run).is_some()
        });
        let promoted = platform.ends(0, &["run", "promote", run["run"].as_str().unwrap()]);
        assert!(
            stdout(&promoted).contains(" waits no longer behind "),
            "{promoted:?}"
        );
    }
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert_eq!(count(&platform.json(0, &["run", "show"]), "ok"), MANY as u64);
}

#[test]
fn a_wave_that_cannot_be_is_refused_before_anything_runs() {
    let platform = Platform::initialised(Engine::Sqlite).unwrap();
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    for (wave, why) in [
        ("name = \"\"", "its name"),
        ("name = \"canary\"", "already"),
        ("name = \"a\"\nlimit = \"0%\"", "is no number from 1"),
        ("name = \"a\"\nsoak = \"soon\"", "soon"),
        ("name = \"a\"\nwhen = \"x\"", "unknown key `when`"),
    ] {
        platform.write("tenantry.toml", &format!("{config}\n[[rollout.wave]]\n{wave}\n"));
        let refused = platform.ends(3, &["config", "check"]);
        assert!(stderr(&refused).contains(why), "{wave}: {}", stderr(&refused));
    }
}

#[test]
fn a_wave_that_is_waited_behind_and_fits_nobody_is_refused_before_anything_runs() {
    let (platform, _) = fleet(Engine::Sqlite, 3).unwrap();
    let sql = "CREATE TABLE more (id INTEGER);\n";
    platform.write("migrations/tenant/002_more.sql", sql);
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    let wave = |rest: &str| {
        let wave = format!("[[rollout.wave]]\nname = \"one\"\nmatch = [\"intrenal\"]\n{rest}\n");
        platform.write("tenantry.toml", &format!("{config}\n{wave}"));
    };
    for relied_on in ["then = \"pause\"", "soak = \"10m\""] {
        wave(relied_on);
        let refused = platform.ends(3, &["migrate", "all-tenants"]);
        let said = stderr(&refused);
        assert!(
            said.contains("TN-1007") && said.contains("`one` fits no tenant"),
            "{said}"
        );
    }
    wave("limit = 5");
    let done = platform.json(0, &["migrate", "all-tenants"]);
    assert_eq!(count(&done, "applied"), 3, "{done}");
}

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
}
