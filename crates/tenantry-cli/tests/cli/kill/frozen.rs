//! A deployer is frozen in the middle, as a suspended machine is: the servers end its sessions, another
//! deployer finishes, and when the first one wakes up it changes nothing any more.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use tenantry::engine::Engine;

use super::track::Tracks;
use super::{DEPLOY, NEW_MIGRATIONS, Random, TENANTS, invariants, nothing_is_left_to_do};
use crate::platform::Platform;

/// How often each engine's deployer is frozen.
const FREEZES: usize = 3;
/// The shortest that can be set: after this long a server ends a silent session.
const IDLE: &str = "3s";
/// How long a server may take for that, and for ending what the session was at.
const FREED_WITHIN: Duration = Duration::from_secs(20);

#[test]
fn on_postgres_a_deployer_that_was_frozen_holds_nobody_up_and_changes_nothing_later() {
    freeze_again_and_again(Engine::Postgres);
}

#[test]
fn on_mariadb_a_deployer_that_was_frozen_holds_nobody_up_and_changes_nothing_later() {
    freeze_again_and_again(Engine::MySql);
}

/// SQLite has no server that could end a session: whoever has the file's lock keeps it while it is frozen.
fn freeze_again_and_again(engine: Engine) {
    let mut tracks = Tracks::new(engine);
    let base = Tracks::base();
    let Some(platform) = Platform::with_tenants(engine, &[("001_base.sql", &base)], &TENANTS) else {
        return;
    };
    let databases: Vec<String> = TENANTS.iter().map(|tenant| platform.database(tenant)).collect();
    let mut random = Random::seeded(engine);
    tracks.grow(&platform, NEW_MIGRATIONS);
    let begin = Instant::now();
    platform.ends(0, &DEPLOY);
    let usual = begin.elapsed();
    let (mut freezes, mut tries) = (0, 0);
    while freezes < FREEZES {
        tries += 1;
        assert!(
            tries < FREEZES * 8,
            "only {freezes} of {tries} freezes met a running process"
        );
        tracks.grow(&platform, NEW_MIGRATIONS);
        let Some(frozen) = freeze(&platform, random.moment(usual)) else {
            continue;
        };
        freezes += 1;
        platform.has_no_session_within(FREED_WITHIN, &databases);
        let finished = platform.json(0, &DEPLOY);
        println!("{engine}: freeze {freezes}, then {} applied", finished["applied"]);
        invariants::hold(&platform, &databases, &tracks);
        thaw(frozen);
        invariants::hold(&platform, &databases, &tracks);
    }
    nothing_is_left_to_do(&platform, &databases);
}

/// Starts a deployer and stops its process at the moment; `None` if it had come to its end by then.
fn freeze(platform: &Platform, moment: Duration) -> Option<Child> {
    let mut command = platform.command(&DEPLOY);
    let mut child = command.env("TENANTRY_RUN__IDLE_TIMEOUT", IDLE).spawn().unwrap();
    std::thread::sleep(moment);
    if child.try_wait().unwrap().is_some() {
        return None;
    }
    signal(&child, "-STOP");
    Some(child)
}

/// Wakes the deployer up; it finds everything done, by whomever, and ends well.
fn thaw(child: Child) {
    signal(&child, "-CONT");
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
}

fn signal(child: &Child, which: &str) {
    let status = Command::new("kill")
        .args([which, &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}
