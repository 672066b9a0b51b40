//! Runs whose driver is killed: nobody is told for ever that they are running.

use std::time::{Duration, Instant};

use serde_json::Value;
use tenantry::engine::{Address, Engine};

use crate::output::{stderr, stdout};
use crate::platform::Platform;

const TENANTS: [&str; 6] = ["acme", "globex", "hooli", "initech", "umbrella", "wonka"];
/// How long the first target of a run may take.
const BEGUN_WITHIN: Duration = Duration::from_mins(1);

/// Six tenants with a migration before them that takes its time.
fn slow(engine: Engine) -> Option<Platform> {
    let first = ("001_first.sql", "CREATE TABLE effects (id INTEGER, n BIGINT);\n");
    let platform = Platform::with_tenants(engine, &[first], &TENANTS)?;
    let busy = match engine {
        Engine::Postgres => "SELECT pg_sleep(0.7)",
        Engine::MySql => "DO SLEEP(0.7)",
        Engine::Sqlite => {
            "INSERT INTO effects WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000000) \
             SELECT i, i FROM n WHERE i < 0"
        }
    };
    let sql = format!("INSERT INTO effects VALUES (2, 1);\n{busy};\n");
    platform.write("migrations/tenant/002_busy.sql", &sql);
    Some(platform)
}

/// Kills a run when the first of its targets has been recorded; returns its id.
fn kill_half_way(platform: &Platform) -> String {
    let mut driver = platform.spawn(&["migrate", "all-tenants", "-j", "1", "--canary", "0"]);
    let begun = Instant::now();
    let id = loop {
        let run = newest(platform);
        if run["command"] == "migrate all-tenants" && run["ok"].as_u64() >= Some(1) {
            assert_eq!(
                (&run["status"], &run["driven"]),
                (&"running".into(), &true.into()),
                "{run}"
            );
            break run["run"].as_str().unwrap().to_owned();
        }
        assert!(driver.try_wait().unwrap().is_none(), "it has ended: {run}");
        assert!(begun.elapsed() < BEGUN_WITHIN, "{run}");
        std::thread::sleep(Duration::from_millis(50));
    };
    driver.kill().unwrap();
    driver.wait().unwrap();
    id
}

fn newest(platform: &Platform) -> Value {
    platform.json(0, &["run", "list", "--limit", "1"])["items"][0].take()
}

fn in_registry(platform: &Platform, sql: &str) -> String {
    let central = match &platform.central.address {
        Address::Network(at) => at.database.clone(),
        Address::Sqlite(at) => at.file.clone(),
    };
    platform.one(&central, sql)
}

#[test]
fn on_sqlite_a_run_that_is_killed_half_way_says_so_and_how_it_is_gone_on_with() {
    is_told_half_way(Engine::Sqlite);
}

#[test]
fn on_postgres_a_run_that_is_killed_half_way_says_so_and_how_it_is_gone_on_with() {
    is_told_half_way(Engine::Postgres);
}

fn is_told_half_way(engine: Engine) {
    let Some(platform) = slow(engine) else {
        return;
    };
    let id = kill_half_way(&platform);
    let run = newest(&platform);
    assert_eq!(run["run"], id.as_str(), "{run}");
    let told = (&run["status"], &run["cause"], &run["driven"]);
    assert_eq!(
        told,
        (&"interrupted".into(), &"driver_gone".into(), &false.into()),
        "{run}"
    );
    let list = platform.ends(0, &["run", "list"]);
    let resume = format!("tenantry migrate resume {id}");
    assert!(stdout(&list).contains("interrupted: driver gone"), "{list:?}");
    assert!(stderr(&list).contains(&resume), "{list:?}");
    let show = stdout(&platform.ends(0, &["run", "show", &id]));
    assert!(
        show.contains("interrupted: driver gone") && show.contains(&resume),
        "{show}"
    );
    let watch = stderr(&platform.ends(21, &["run", "watch", &id]));
    assert!(watch.contains("error[TN-4018]") && watch.contains(&id), "{watch}");

    platform.ends(0, &["migrate", "resume", &id]);
    let all = platform.json(0, &["run", "list", "--limit", "2"]);
    let stand: Vec<&Value> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["status"])
        .collect();
    assert_eq!(stand, ["completed", "interrupted"], "{all}");
}

#[test]
fn on_sqlite_a_run_whose_driver_is_killed_behind_the_last_outcome_is_completed_by_the_next_look() {
    is_completed_by_the_next_look(Engine::Sqlite);
}

#[test]
fn on_postgres_a_run_whose_driver_is_killed_behind_the_last_outcome_is_completed_by_the_next_look() {
    is_completed_by_the_next_look(Engine::Postgres);
}

/// Between the last outcome and the end of a run there are milliseconds, so that the rest of the outcomes of a killed run
/// is put into the registry by hand.
fn is_completed_by_the_next_look(engine: Engine) {
    let Some(platform) = slow(engine) else {
        return;
    };
    let id = kill_half_way(&platform);
    let recorded = format!(
        "UPDATE tenantry_run_targets SET state = 'ended', outcome = 'applied', migrations = 1 WHERE run_id = '{id}'"
    );
    in_registry(&platform, &recorded);
    let status = format!("SELECT status FROM tenantry_runs WHERE id = '{id}'");
    let again = format!("UPDATE tenantry_runs SET status = 'running' WHERE id = '{id}'");
    for look in [
        &["run", "list"][..],
        &["run", "show", &id],
        &["run", "watch", &id],
        &["migrate", "central"],
        &["migrate", "all-tenants"],
    ] {
        in_registry(&platform, &again);
        assert_eq!(in_registry(&platform, &status), "running");
        let output = platform.ends(0, look);
        assert_eq!(
            in_registry(&platform, &status),
            "completed",
            "{look:?}: {output:?}"
        );
        assert!(!stdout(&output).contains("running"), "{look:?}: {output:?}");
    }
    let run = platform.json(0, &["run", "show", &id]);
    assert_eq!(
        (&run["status"], &run["failed"], &run["ok"]),
        (&"completed".into(), &0.into(), &6.into()),
        "{run}"
    );
}
