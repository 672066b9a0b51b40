//! The server ends sessions of ours at random, those of the registry included: the deployer goes on in new ones, or
//! the next plain run finishes.

use std::process::{Child, Output};

use tenantry::engine::Engine;

use super::ground::{DEPLOY_TELLING, Ground};
use super::observer::Observer;
use super::row::{Random, Row, Share};
use super::taken_up::TakenUp;
use super::track::Tracks;
use crate::platform::wait;

const SHARE: Share = Share {
    row: "sessions",
    ci: 30,
    whole: 500,
    minutes: 90,
};
/// How many sessions one deployer loses at most: with more it would be right to give a target up.
const OF_ONE_DEPLOYER: usize = 4;

#[test]
fn on_postgres_every_effect_is_there_once_whatever_sessions_the_server_ends() {
    end_again_and_again("PostgreSQL", || Tracks::new(Engine::Postgres));
}

#[test]
fn on_postgres_every_index_is_there_once_whatever_sessions_the_server_ends() {
    end_again_and_again("PostgreSQL, concurrent indexes", Tracks::of_concurrent_indexes);
}

#[test]
fn on_mariadb_every_effect_is_there_once_whatever_sessions_the_server_ends() {
    end_again_and_again("MariaDB", || Tracks::new(Engine::MySql));
}

fn end_again_and_again(subject: &'static str, tracks: fn() -> Tracks) {
    let mut row = Row::begin(&SHARE, subject);
    while row.wants_more() {
        let Some(mut ground) = Ground::prepare(tracks()) else {
            return row.skip("there is no server");
        };
        while row.wants_more() && !ground.tracks.are_long() {
            ground.grow();
            let ended = deploy_and_end_sessions(&ground, &mut row);
            row.count(1, ended);
            row.found_half_way(ground.half_way());
            ground.finish(&mut row);
        }
        ground.close();
    }
}

/// Starts a deployer and ends a session of its now and then; returns how many.
fn deploy_and_end_sessions(ground: &Ground, row: &mut Row) -> usize {
    let mut child = ground.platform.spawn(&DEPLOY_TELLING);
    let mut ended = 0;
    while ended < OF_ONE_DEPLOYER {
        // The moment is what is tried out here.
        std::thread::sleep(row.random.moment(ground.usual / 2));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        ended += usize::from(wait(end_one(ground, &mut row.random)));
    }
    let output = goes_on_or_says_so(child);
    row.took_up(TakenUp::in_stream(&output.stdout));
    println!("{ended} sessions ended, then exit {:?}", output.status.code());
    ended
}

/// A deployer that lost sessions is done, says which targets are not, or that the registry went away.
pub(super) fn goes_on_or_says_so(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 20 | 31)), "{said}");
    output
}

/// Ends one of the sessions that are not the administrator's own, at best one that is in a statement; returns
/// whether there was one.
async fn end_one(ground: &Ground, random: &mut Random) -> bool {
    let platform = &ground.platform;
    let names = ground.all_databases();
    let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let names = names.join(", ");
    let (place, all, at_work) = match platform.engine {
        Engine::MySql => (
            "mysql",
            format!("SELECT id FROM information_schema.processlist WHERE db IN ({names})"),
            "AND info IS NOT NULL",
        ),
        Engine::Postgres | Engine::Sqlite => (
            "postgres",
            format!("SELECT pid FROM pg_stat_activity WHERE datname IN ({names})"),
            "AND state = 'active'",
        ),
    };
    let server = platform.server.as_ref().unwrap();
    let mut observer = Observer::connect(&server.address(platform.engine, place)).await;
    let mut sessions = observer.list(&format!("{all} {at_work}")).await;
    if sessions.is_empty() {
        sessions = observer.list(&all).await;
    }
    let Some(session) = random.one_of(&sessions) else {
        return false;
    };
    // It may end by itself meanwhile.
    if platform.engine == Engine::MySql {
        let kill = format!("KILL CONNECTION {session}");
        return observer.try_list(&kill).await.is_ok();
    }
    let terminate = format!("SELECT pg_terminate_backend({session})");
    observer.list(&terminate).await == ["t"]
}
