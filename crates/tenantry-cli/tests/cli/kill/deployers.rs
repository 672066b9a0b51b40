//! Deployers are killed at random, again and again; every effect must be there once, with nobody's help.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Child;
use std::time::{Duration, Instant};

use tenantry::engine::Engine;

use super::ground::{DEPLOY_TELLING, Ground};
use super::row::{Row, Share};
use super::taken_up::TakenUp;
use super::track::Tracks;

const SHARE: Share = Share {
    row: "kills",
    ci: 60,
    whole: 1_000,
    minutes: 120,
};
/// How often deployers are started and killed in a third of the rounds, before a run may come to its end: a death may
/// meet what another one left. In the other rounds it is once.
const STARTS_IN_A_ROW: usize = 3;

#[test]
fn on_sqlite_every_effect_is_there_once_whenever_a_deployer_dies() {
    kill_again_and_again("SQLite", || Tracks::new(Engine::Sqlite));
}

#[test]
fn on_postgres_every_effect_is_there_once_whenever_a_deployer_dies() {
    kill_again_and_again("PostgreSQL", || Tracks::new(Engine::Postgres));
}

#[test]
fn on_postgres_every_index_is_there_once_whenever_a_deployer_dies() {
    kill_again_and_again("PostgreSQL, concurrent indexes", Tracks::of_concurrent_indexes);
}

#[test]
fn on_mariadb_every_effect_is_there_once_whenever_a_deployer_dies() {
    kill_again_and_again("MariaDB", || Tracks::new(Engine::MySql));
}

fn kill_again_and_again(subject: &'static str, tracks: fn() -> Tracks) {
    let mut row = Row::begin(&SHARE, subject);
    while row.wants_more() {
        let Some(mut ground) = Ground::prepare(tracks()) else {
            return row.skip("there is no server");
        };
        let mut round = 0;
        while row.wants_more() && !ground.tracks.are_long() {
            let (starts, deployers) = match round % 3 {
                0 => (1, 1),
                1 => (1, 2),
                _ => (STARTS_IN_A_ROW, 1),
            };
            kill_then_finish(&mut ground, (starts, deployers), &mut row);
            round += 1;
        }
        ground.close();
    }
}

/// Kills in a few starts, then lets a plain run finish.
fn kill_then_finish(ground: &mut Ground, (starts, deployers): (usize, usize), row: &mut Row) {
    let mut kills = 0;
    for _ in 0..starts {
        ground.grow();
        let killed = start_and_kill(ground, deployers, row);
        row.count(deployers, killed);
        kills += killed;
    }
    let half_way = ground.half_way();
    row.found_half_way(half_way);
    let finished = ground.finish(row);
    println!(
        "{kills} kills, {half_way} half-way, then {} applied, {} current",
        finished["applied"], finished["current"]
    );
}

/// Starts deployers at once and kills each at its own moment; returns how many were still running.
fn start_and_kill(ground: &Ground, deployers: usize, row: &mut Row) -> usize {
    let begin = Instant::now();
    let started: Vec<(Child, Duration)> = (0..deployers)
        .map(|_| {
            (
                ground.platform.spawn(&DEPLOY_TELLING),
                row.random.moment(ground.usual),
            )
        })
        .collect();
    let mut kills = 0;
    for (mut child, moment) in started {
        // The moment of death is what is tried out here, so this waits for nothing but the clock.
        std::thread::sleep(moment.saturating_sub(begin.elapsed()));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        row.took_up(TakenUp::in_stream(&output.stdout));
        if output.status.signal() == Some(9) {
            kills += 1;
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{said}");
        }
    }
    kills
}
