//! A run tells what it took up that an earlier attempt had left half-way, and how.

use tenantry::engine::Engine;

use crate::deployer::run;
use crate::fleet::leave_half_made;
use crate::scenes::{DEPLOY, Stage, both};
use crate::track::Kind;

#[test]
fn on_postgres_a_run_tells_what_it_took_up() {
    let Some(mut stage) = Stage::set(Engine::Postgres, &[Kind::Index]) else {
        return;
    };
    takes_up(&mut stage, ("postgres.statement_done", "adopted"), |_| ());
    takes_up(&mut stage, ("postgres.intent_committed", "resumed"), |_| ());
    takes_up(&mut stage, ("postgres.intent_committed", "repaired"), |stage| {
        leave_half_made(&stage.platform, stage.acme());
    });
}

#[test]
fn on_mariadb_a_run_tells_what_it_took_up() {
    let Some(mut stage) = Stage::set(Engine::MySql, &[Kind::Column]) else {
        return;
    };
    takes_up(&mut stage, ("mysql.objects_answered", "adopted"), |_| ());
    takes_up(&mut stage, ("mysql.objects_answered", "resumed"), |stage| {
        let undone = format!("ALTER TABLE wide DROP COLUMN c_{}", stage.tracks.newest());
        stage.platform.query(stage.acme(), &undone);
    });
}

#[test]
fn on_sqlite_a_run_tells_what_it_took_up() {
    let mut stage = Stage::set(Engine::Sqlite, &[Kind::Own]).unwrap();
    takes_up(&mut stage, ("sqlite.outside_done", "resumed"), |_| ());
}

/// A deployer dies; what comes between changes what it left; the next run must say how it took that up.
fn takes_up(stage: &mut Stage, (point, how): (&str, &str), between: fn(&Stage)) {
    stage.grow(1);
    // Which of several would be the first depends on how long each took before.
    let died = run(
        &stage.platform,
        &["migrate", "tenant", "acme"],
        &both("", "kill", point),
    );
    assert!(died.killed, "nobody came to {point}: {}", died.said);
    between(stage);
    let told = stage.platform.json(0, &DEPLOY);
    let version = stage.tracks.newest().to_string();
    let expect = serde_json::json!([{"target": "acme", "track": "tenant", "version": version, "how": how}]);
    assert_eq!(told["taken_up"], expect, "{told}");
    stage.grow(1);
    let calm = stage.platform.json(0, &DEPLOY);
    assert_eq!(calm.get("taken_up"), None, "{calm}");
    stage.finishes("");
}
