//! Waves, gates and rules: a bad migration stops before it is everywhere, and a run waits where it was told to.

use serde_json::Value;
use tenantry::engine::Engine;

use super::left_out::central;
use crate::output::{stderr, stdout};
use crate::platform::Platform;

mod gates;
mod promoted;
mod rest;
mod slices;
mod soaks;

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

/// Returns what a stream tells of waves and targets, in its order.
fn course(stream: &str) -> Vec<String> {
    let lines = stream
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told = lines.filter_map(|line| {
        let kind = line["type"].as_str()?;
        let what = ["wave.started", "wave.finished"]
            .contains(&kind)
            .then(|| line["wave"].clone());
        let what = what.or_else(|| (kind == "target.finished").then(|| Value::from("target")))?;
        Some(format!("{kind} {}", what.as_str().unwrap()))
    });
    told.collect()
}

#[test]
fn whoever_looks_later_at_a_run_that_waits_is_told_the_same_in_the_same_order() {
    let (platform, _) = many();
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    let waves = "\n[[rollout.wave]]\nname = \"internal\"\nmatch = [\"t2*\"]\nthen = \"pause\"\n";
    platform.write("tenantry.toml", &format!("{config}{waves}"));
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    let drove = stdout(&platform.ends(21, &["migrate", "all-tenants", "--ndjson"]));
    let watched = stdout(&platform.ends(21, &["run", "watch", "--ndjson"]));
    let (mut drove, watched) = (course(&drove), course(&watched));
    // Those that were not run are no event of the run.
    let end = drove
        .iter()
        .rposition(|told| told == "wave.finished internal")
        .unwrap();
    assert!(
        drove[end + 1..]
            .iter()
            .all(|told| told.starts_with("target.finished"))
    );
    drove.truncate(end + 1);
    assert_eq!(watched, drove);
}

#[test]
fn who_is_not_active_any_more_when_a_run_goes_on_is_skipped() {
    let (platform, slugs) = fleet(Engine::Sqlite, 5).unwrap();
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    let waves = "\n[[rollout.wave]]\nname = \"first\"\nlimit = 2\nthen = \"pause\"\n";
    platform.write("tenantry.toml", &format!("{config}{waves}"));
    write_unique(&platform);
    let run = platform.json(21, &["migrate", "all-tenants"]);
    let id = run["run"].as_str().unwrap();
    let suspend =
        |slug: &str| format!("UPDATE tenantry_tenants SET status = 'suspended' WHERE slug = '{slug}'");
    platform.query("central.db", &suspend(&slugs[3]));
    let of_gone = format!("(SELECT id FROM tenantry_tenants WHERE slug = '{}')", slugs[4]);
    let gone = format!("DELETE FROM tenantry_databases WHERE tenant_id = {of_gone}");
    platform.query("central.db", &gone);
    let done = platform.json(0, &["run", "promote", id]);
    assert_eq!(
        (count(&done, "applied"), count(&done, "not_run")),
        (3, 0),
        "{done}"
    );
    let shown = platform.json(0, &["run", "show", id, "--all"]);
    let outcomes: Vec<&str> = shown["targets_listed"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|target| target["status"].as_str())
        .collect();
    assert_eq!(
        outcomes,
        ["applied", "applied", "applied", "skipped", "skipped"],
        "{shown}"
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
fn a_wave_that_cannot_be_is_refused_before_anything_runs() {
    let platform = Platform::initialised(Engine::Sqlite).unwrap();
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    for (wave, why) in [
        ("name = \"\"", "its name"),
        ("name = \"canary\"", "already"),
        ("name = \"a\"\nlimit = \"0%\"", "is no number from 1"),
        ("name = \"a\"\nlimit = -99999999999999", "is no number from 1"),
        ("name = \"a\"\nlimit = true", "a number, or a text with one"),
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

#[test]
fn a_canary_that_could_not_be_tried_stops_no_run_that_is_gone_on_with() {
    let (platform, slugs) = many();
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
    let wave = "\n[[rollout.wave]]\nname = \"one\"\nmatch = [\"t1*\"]\nthen = \"pause\"\n";
    platform.write("tenantry.toml", &format!("{config}{wave}"));
    // Who took longest is the canary.
    let canary = &slugs[MANY - 1];
    let longest = format!("UPDATE tenantry_run_targets SET duration_ms = 99999 WHERE label = '{canary}'");
    platform.query(central(&platform), &longest);
    std::fs::remove_file(file_of(&platform, canary)).unwrap();
    let waits = platform.json(21, &["migrate", "all-tenants"]);
    assert_eq!(
        (count(&waits, "failed"), waits["cause"].as_str()),
        (1, Some("gate")),
        "{waits}"
    );
    let done = platform.json(20, &["run", "promote", waits["run"].as_str().unwrap()]);
    assert_eq!(
        (count(&done, "failed"), count(&done, "not_run")),
        (1, 0),
        "{done}"
    );
}

fn file_of(platform: &Platform, slug: &str) -> std::path::PathBuf {
    match platform.address(&platform.database(slug)) {
        tenantry::engine::Address::Sqlite(at) => at.folder.join(at.file),
        tenantry::engine::Address::Network(_) => panic!("it is no file"),
    }
}

/// Five migrations whose ways back take a moment.
fn write_slow_ways_back(platform: &Platform) {
    let wait = "INSERT INTO things WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000) \
                SELECT i, 'x' FROM n WHERE i < 0;\n";
    for version in 2..=6 {
        let name = format!("migrations/tenant/00{version}_t");
        platform.write(
            &format!("{name}.sql"),
            &format!("CREATE TABLE t{version} (id INTEGER);\n"),
        );
        platform.write(
            &format!("{name}.down.sql"),
            &format!("{wait}DROP TABLE t{version};\n"),
        );
    }
}

/// The same command means one more database than the run that died: those that have gone back would go once more.
fn goes_no_further_with(platform: &Platform, back: &[&str], run: &str) {
    platform.ends(0, &["tenant", "create", "late"]);
    let mut wider = back.to_vec();
    wider.pop();
    let refused = platform.ends(40, &[&wider[..], &["5 tenants"]].concat());
    let said = stderr(&refused);
    assert!(
        said.contains("TN-4015") && said.contains(&format!("run resume {run}")),
        "{said}"
    );
    // It does not vanish behind a run that has nothing to do there, nor behind a file that came later.
    let single = platform.json(40, &["migrate", "tenant", "t00"]);
    assert_eq!(single["code"], "TN-4015", "{single}");
    platform.json(0, &["run", "pause", run]);
    platform.write(
        "migrations/tenant/007_late.sql",
        "CREATE TABLE t7 (id INTEGER);\n",
    );
    let paused = platform.json(40, &[&wider[..], &["5 tenants"]].concat());
    assert_eq!(paused["code"], "TN-4015", "{paused}");
    let shown = stdout(&platform.ends(0, &["run", "show", run]));
    assert!(
        shown.contains(&format!("Go on:  tenantry run resume {run}")),
        "{shown}"
    );
}

/// A run back by steps whose driver dies before it has written down how far it came.
#[test]
fn a_way_back_by_steps_goes_no_further_when_another_takes_it_up() {
    let (platform, slugs) = fleet(Engine::Sqlite, 4).unwrap();
    write_slow_ways_back(&platform);
    platform.ends(0, &["migrate", "all-tenants"]);
    let back = [
        "migrate",
        "rollback",
        "--all-tenants",
        "--step",
        "1",
        "-j",
        "1",
        "--confirm",
        "4 tenants",
    ];
    for again in ["the same command", "promote", "resume", "one more tenant"] {
        let versions = |slug: &String| {
            platform.one(
                &platform.database(slug),
                "SELECT max(version) FROM _tenantry_history",
            )
        };
        let before: Vec<i64> = slugs.iter().map(|slug| versions(slug).parse().unwrap()).collect();
        let mut child = platform.spawn(&[&back[..], &["--ndjson"]].concat());
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        lines
            .find(|line| line.as_ref().unwrap().contains("\"target.finished\""))
            .unwrap()
            .unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let run = platform.json(0, &["run", "show"])["run"]
            .as_str()
            .unwrap()
            .to_owned();
        match again {
            "promote" => platform.ends(0, &["run", "promote", &run]),
            "resume" => {
                platform.json(0, &["run", "pause", &run]);
                platform.ends(0, &["run", "resume", &run])
            }
            "one more tenant" => {
                goes_no_further_with(&platform, &back, &run);
                platform.ends(0, &["migrate", "resume", &run])
            }
            _ => platform.ends(0, &back),
        };
        let after: Vec<i64> = slugs.iter().map(|slug| versions(slug).parse().unwrap()).collect();
        let one_less: Vec<i64> = before.iter().map(|version| version - 1).collect();
        assert_eq!(after, one_less, "{again}");
    }
}
