//! The server is killed in mid-run and started again: the deployer goes on, or the next plain run finishes.

use tenantry::engine::Engine;

use super::ground::{DEPLOY_TELLING, Ground};
use super::row::{Row, Share};
use super::sessions::goes_on_or_says_so;
use super::taken_up::TakenUp;
use super::track::Tracks;
use crate::own_server::OwnServer;

const SHARE: Share = Share {
    row: "servers",
    ci: 3,
    whole: 50,
    minutes: 90,
};

#[test]
fn on_postgres_every_effect_is_there_once_whenever_the_server_dies() {
    kill_again_and_again("PostgreSQL", || Tracks::new(Engine::Postgres));
}

#[test]
fn on_postgres_every_index_is_there_once_whenever_the_server_dies() {
    kill_again_and_again("PostgreSQL, concurrent indexes", Tracks::of_concurrent_indexes);
}

#[test]
fn on_mariadb_every_effect_is_there_once_whenever_the_server_dies() {
    kill_again_and_again("MariaDB", || Tracks::new(Engine::MySql));
}

fn kill_again_and_again(subject: &'static str, tracks: fn() -> Tracks) {
    let mut row = Row::begin(&SHARE, subject);
    let Some(mut server) = OwnServer::start(tracks().engine()) else {
        return row.skip("there are no programs of a server");
    };
    while row.wants_more() {
        let mut ground = Ground::prepare_on(tracks(), Some(server.place())).unwrap();
        while row.wants_more() && !ground.tracks.are_long() {
            ground.grow();
            let killed = deploy_and_kill(&ground, &mut server, &mut row);
            row.count(1, usize::from(killed));
            row.found_half_way(ground.half_way());
            ground.finish(&mut row);
        }
        ground.close();
    }
}

/// Starts a deployer, kills the server at a random moment, and starts it again; returns whether the deployer was
/// still at work.
fn deploy_and_kill(ground: &Ground, server: &mut OwnServer, row: &mut Row) -> bool {
    let mut child = ground.platform.spawn(&DEPLOY_TELLING);
    // The moment of death is what is tried out here.
    std::thread::sleep(row.random.moment(ground.usual));
    let is_at_work = child.try_wait().unwrap().is_none();
    server.kill();
    server.start_again();
    let output = goes_on_or_says_so(child);
    row.took_up(TakenUp::in_stream(&output.stdout));
    println!("the server died, then exit {:?}", output.status.code());
    is_at_work
}
