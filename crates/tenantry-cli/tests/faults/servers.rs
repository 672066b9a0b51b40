//! The server dies when a deployer stands at a named step, and starts again: the deployer goes on or says so, and the
//! next plain run finishes.

use std::time::Instant;

use tenantry::engine::Engine;
use tenantry::faults::{Point, Seed};

use crate::deployer::{End, end, frozen, thaw, with_faults};
use crate::fleet::points_of;
use crate::own_server::OwnServer;
use crate::say;
use crate::scenes::{DEPLOY, Held, Stage, both, until};
use crate::seeds::violation;
use crate::track::{Kind, Tracks};

/// What makes work for every step.
const KINDS: &[Kind] = &[Kind::Column, Kind::Index, Kind::Own, Kind::Rows];
/// The same without PostgreSQL's own, whose files are large.
const SMALL: &[Kind] = &[Kind::Column, Kind::Index, Kind::Rows];
/// Steps that need something to be prepared; deployers die there in `matrix.rs`.
const ELSEWHERE: [Point; 3] = [
    Point::MysqlTablesMade,
    Point::MysqlTakenUp,
    Point::PostgresHalfMadeRemoved,
];

#[test]
fn on_postgres_the_server_may_die_at_every_step() {
    dies_at_every_step(Engine::Postgres, SMALL);
}

#[test]
fn on_mariadb_the_server_may_die_at_every_step() {
    dies_at_every_step(Engine::MySql, KINDS);
}

fn dies_at_every_step(engine: Engine, kinds: &'static [Kind]) {
    let Some((mut server, mut stage)) = prepare(engine, kinds) else {
        return;
    };
    for point in points_of(engine) {
        if ELSEWHERE.contains(&point) {
            continue;
        }
        let begin = Instant::now();
        dies(&mut stage, &mut server, "", point.name());
        let name = point.name();
        say(&format!(
            "{engine}: server dies at {name:<28} {:>5.1} s",
            begin.elapsed().as_secs_f64()
        ));
    }
}

#[test]
fn what_a_server_may_have_done_that_stays_away_is_not_told_as_untouched() {
    for (engine, kinds, point) in [
        (Engine::Postgres, &[Kind::Index][..], "postgres.statement_done"),
        (Engine::MySql, &[Kind::Column], "mysql.objects_answered"),
    ] {
        let Some((mut server, mut stage)) = prepare(engine, kinds) else {
            return;
        };
        stage.grow(2);
        let words = ["migrate", "tenant", "acme"];
        let deployer = frozen(&mut with_faults(
            &stage.platform,
            &words,
            &both("", "freeze", point),
        ));
        server.kill();
        let ended = thaw(deployer);
        let said = &ended.said;
        assert_eq!(ended.code, Some(20), "{said}");
        assert!(said.contains("what is in place is not known"), "{said}");
        assert!(
            !said.contains("untouched") && !said.contains("Nothing is half-way"),
            "{said}"
        );
        server.start_again();
        stage.finishes("");
    }
}

#[test]
fn a_mark_that_may_be_written_is_not_told_as_untouched() {
    for engine in [Engine::Postgres, Engine::MySql] {
        let Some((mut server, stage)) = prepare(engine, &[Kind::Rows]) else {
            return;
        };
        let text = format!("-- edited\n{}", Tracks::base());
        stage.platform.write("migrations/tenant/001_base.sql", &text);
        let words = [
            "migrate",
            "mark",
            "1",
            "--accept-edit",
            "--all-tenants",
            "--reason",
            "so",
        ];
        let faults = both("", "freeze", "amend.committed");
        let marking = frozen(&mut with_faults(&stage.platform, &words, &faults));
        server.kill();
        let said = thaw(marking).said;
        assert!(said.contains("what is in place is not known"), "{said}");
        assert!(!said.contains("untouched"), "{said}");
        server.start_again();
        let again = stage.platform.json(0, &words);
        assert_eq!(again["unchanged"].as_array().unwrap().len(), 1, "{again}");
    }
}

fn prepare(engine: Engine, kinds: &'static [Kind]) -> Option<(OwnServer, Stage)> {
    let server = OwnServer::start(engine)?;
    let stage = Stage::set_on(&server, kinds)?;
    Some((server, stage))
}

fn dies(stage: &mut Stage, server: &mut OwnServer, seed: &str, point: &str) {
    stage.grow(4);
    let faults = both(seed, "freeze", point);
    let deployer = frozen(&mut with_faults(&stage.platform, &DEPLOY, &faults));
    server.kill();
    server.start_again();
    goes_on(stage, &thaw(deployer), seed);
}

/// A deployer whose server died is done, or says which target is not; what it calls done is there.
fn goes_on(stage: &Stage, ended: &End, seed: &str) {
    assert!(matches!(ended.code, Some(0 | 20)), "{}", ended.said);
    stage.is_right(ended, &stage.databases);
    stage.finishes(seed);
}

/// The server dies with a message in its hands whose COMMIT it never came to.
fn dies_before_a_commit(stage: &mut Stage, server: &mut OwnServer, seed: &str) {
    stage.grow(1);
    let lock = "BEGIN; LOCK TABLE effects, counter IN ACCESS EXCLUSIVE MODE";
    let held = Held::postgres(stage, lock);
    let deployer = with_faults(&stage.platform, &DEPLOY, seed).spawn().unwrap();
    let waiting = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND wait_event_type = 'Lock'",
        stage.acme()
    );
    until(|| stage.platform.one("postgres", &waiting) == "1");
    server.kill();
    drop(held);
    server.start_again();
    goes_on(stage, &end(deployer), seed);
}

#[test]
fn on_postgres_a_server_that_dies_shows_defects() {
    const ROWS: &[Kind] = &[Kind::Rows];
    let outside = Seed::PostgresHistoryOutsideTransaction;
    shows(
        Engine::Postgres,
        ROWS,
        (outside, ": effects"),
        |stage, server, seed| {
            dies(stage, server, seed, "postgres.committed");
        },
    );
    let assumed = Seed::PostgresLostCommitAssumed;
    shows(
        Engine::Postgres,
        ROWS,
        (assumed, ": effects"),
        dies_before_a_commit,
    );
}

#[test]
fn on_mariadb_a_server_that_dies_shows_defects() {
    let without = (Seed::MysqlNoIntent, "the plain run failed");
    shows(Engine::MySql, &[Kind::Column], without, |stage, server, seed| {
        dies(stage, server, seed, "mysql.objects_answered");
    });
}

/// Plays a scene without a defect and then with it, which must be caught.
fn shows(
    engine: Engine,
    kinds: &'static [Kind],
    (seed, caught_by): (Seed, &str),
    scene: fn(&mut Stage, &mut OwnServer, &str),
) {
    let begin = Instant::now();
    let Some((mut server, mut stage)) = prepare(engine, kinds) else {
        return;
    };
    scene(&mut stage, &mut server, "");
    let name = seed.name();
    let with = violation(|| scene(&mut stage, &mut server, &format!("seed={name}")));
    let caught = with.as_deref().is_some_and(|said| said.contains(caught_by));
    assert!(caught, "{name}: not caught by `{caught_by}`: {with:?}");
    say(&format!(
        "{engine}: {name:<40} {:>5.1} s, caught by `{caught_by}` where the server dies",
        begin.elapsed().as_secs_f64()
    ));
}
