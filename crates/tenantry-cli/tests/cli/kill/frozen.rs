//! A deployer is frozen in the middle, as a suspended machine is: the servers end its sessions, another
//! deployer finishes, and when the first one wakes up it changes nothing any more.

use std::process::{Child, Command};
use std::time::Duration;

use tenantry::engine::Engine;

use super::ground::{DEPLOY_TELLING, Ground};
use super::row::{Row, Share};
use super::taken_up::TakenUp;
use super::track::Tracks;

const SHARE: Share = Share {
    row: "frozen",
    ci: 3,
    whole: 50,
    minutes: 90,
};
/// The shortest that can be set: after this long a server ends a silent session.
const IDLE: &str = "3s";
/// How long a server may take for that, and for ending what the session was at.
const FREED_WITHIN: Duration = Duration::from_secs(20);
/// The same for whoever waits for the lock, in pauses of up to two seconds.
const WINDOW: &str = "25s";

#[test]
fn on_postgres_a_deployer_that_was_frozen_holds_nobody_up_and_changes_nothing_later() {
    freeze_again_and_again("PostgreSQL", Engine::Postgres);
}

#[test]
fn on_mariadb_a_deployer_that_was_frozen_holds_nobody_up_and_changes_nothing_later() {
    freeze_again_and_again("MariaDB", Engine::MySql);
}

/// SQLite has no server that could end a session: whoever has the file's lock keeps it while it is frozen.
fn freeze_again_and_again(subject: &'static str, engine: Engine) {
    let mut row = Row::begin(&SHARE, subject);
    while row.wants_more() {
        let Some(mut ground) = Ground::prepare(Tracks::new(engine)) else {
            return row.skip("there is no server");
        };
        while row.wants_more() && !ground.tracks.are_long() {
            ground.grow();
            let frozen = freeze(&ground, &mut row);
            row.count(1, usize::from(frozen.is_some()));
            if let Some(frozen) = frozen {
                another_finishes(&ground, frozen, &mut row);
            }
        }
        ground.close();
    }
}

/// Starts a deployer and stops its process at a random moment; `None` if it had come to its end by then.
fn freeze(ground: &Ground, row: &mut Row) -> Option<Child> {
    let mut command = ground.platform.command(&DEPLOY_TELLING);
    let mut child = command.env("TENANTRY_RUN__IDLE_TIMEOUT", IDLE).spawn().unwrap();
    std::thread::sleep(row.random.moment(ground.usual));
    if child.try_wait().unwrap().is_some() {
        return None;
    }
    signal(&child, "-STOP");
    Some(child)
}

/// A session that was frozen between its log-in and its first question has the server's own limit on MariaDB, which may
/// be hours. It holds no lock yet, so there the other deployer itself must get on in time.
fn another_finishes(ground: &Ground, frozen: Child, row: &mut Row) {
    let platform = &ground.platform;
    if platform.engine == Engine::Postgres {
        platform.has_no_session_within(FREED_WITHIN, &ground.databases);
    }
    row.found_half_way(ground.half_way());
    let mut another = platform.command(&DEPLOY_TELLING);
    let ended = another.env("TENANTRY_RUN__LOCK_WINDOW", WINDOW).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{said}");
    row.took_up(TakenUp::in_stream(&ended.stdout));
    ground.is_whole();
    row.took_up(thaw(frozen));
    ground.is_whole();
}

/// Wakes the deployer up; it finds everything done, by whomever, and ends well. Returns what it had taken up.
fn thaw(child: Child) -> TakenUp {
    signal(&child, "-CONT");
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    TakenUp::in_stream(&output.stdout)
}

fn signal(child: &Child, which: &str) {
    let status = Command::new("kill")
        .args([which, &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}
