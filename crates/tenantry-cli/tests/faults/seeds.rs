//! Defects that were put in on purpose: each must be caught, by the scene that is made for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use tenantry::engine::Engine;
use tenantry::faults::Seed;

use crate::scenes::{self, Stage};
use crate::track::Kind;
use crate::{clocks, marks, say};

#[test]
fn on_postgres_every_defect_is_caught() {
    catch_every_defect(Engine::Postgres);
}

#[test]
fn on_mariadb_every_defect_is_caught() {
    catch_every_defect(Engine::MySql);
}

#[test]
fn on_sqlite_every_defect_is_caught() {
    catch_every_defect(Engine::Sqlite);
}

/// How a defect is caught.
struct Case {
    /// Where it is played.
    engines: Vec<Engine>,
    /// The migrations that it is about.
    kinds: &'static [Kind],
    scene: fn(&mut Stage, &str),
    /// What the check says that fails.
    caught_by: &'static str,
}

fn case(
    engine: Engine,
    kinds: &'static [Kind],
    scene: fn(&mut Stage, &str),
    caught_by: &'static str,
) -> Case {
    Case {
        engines: vec![engine],
        kinds,
        scene,
        caught_by,
    }
}

/// A defect of a clock, which is the same for every server.
fn clock(scene: fn(&mut Stage, &str), caught_by: &'static str) -> Case {
    case(Engine::Postgres, &[Kind::Rows], scene, caught_by)
}

impl Case {
    fn on(self, engines: &[Engine]) -> Self {
        Self {
            engines: engines.to_vec(),
            ..self
        }
    }
}

fn case_of(seed: Seed) -> Case {
    use Engine::{MySql, Postgres, Sqlite};
    const ROWS: &[Kind] = &[Kind::Rows];
    const COLUMN: &[Kind] = &[Kind::Column];
    const INDEX: &[Kind] = &[Kind::Index];
    const CALLED: &[Kind] = &[Kind::Called];
    match seed {
        Seed::PostgresHistoryOutsideTransaction => {
            case(Postgres, ROWS, scenes::dies_behind_a_commit, ": effects")
        }
        Seed::PostgresEpochNotChecked => case(Postgres, ROWS, scenes::two_ways_back, ": counter"),
        Seed::PostgresLockNotTaken => case(
            Postgres,
            INDEX,
            scenes::two_deployers,
            "the first deployer failed",
        ),
        Seed::PostgresLockWaitedFor => case(Postgres, INDEX, scenes::waits_beside_an_index, "deadlocks"),
        Seed::PostgresLostCommitAssumed => case(Postgres, ROWS, scenes::its_session_is_killed, ": effects"),
        Seed::PostgresNoIntent => case(
            Postgres,
            INDEX,
            scenes::dies_behind_an_index,
            "the plain run failed",
        ),
        Seed::PostgresInvalidIndexAdopted | Seed::PostgresIfNotExists => {
            case(Postgres, INDEX, scenes::leaves_half_an_index, ": invalid indexes")
        }
        Seed::MysqlNoIntent | Seed::MysqlOpenRerun => case(
            MySql,
            COLUMN,
            scenes::dies_behind_an_object,
            "the plain run failed",
        ),
        Seed::MysqlLockNotTaken => case(
            MySql,
            COLUMN,
            scenes::two_deployers_wait_for_a_reader,
            "a deployer failed",
        ),
        Seed::MysqlCheckpointApart => case(MySql, ROWS, scenes::dies_behind_rows, ": effects"),
        Seed::MysqlOpenAdopted => case(MySql, COLUMN, scenes::dies_before_an_object, ": columns"),
        Seed::MysqlVerifyNotAsked => case(MySql, CALLED, scenes::dies_behind_a_call, ": effects"),
        Seed::SqliteHistoryInSecondTransaction => {
            case(Sqlite, ROWS, scenes::dies_behind_a_commit, ": effects")
        }
        Seed::SqliteBusyCommitIgnored => case(Sqlite, ROWS, scenes::a_reader_delays_the_commit, ": effects"),
        Seed::SqliteFileNotChecked => case(Sqlite, ROWS, scenes::the_file_is_replaced, ": effects"),
        Seed::IdentityNotChecked => case(Sqlite, ROWS, scenes::two_databases_are_swapped, ": effects"),
        Seed::OpeningWithoutEnd => {
            clock(clocks::nobody_answers, "nobody said `RETRY`").on(&[Postgres, MySql])
        }
        Seed::SilenceBorne => clock(clocks::its_server_falls_silent, "nobody said `RETRY`"),
        Seed::TargetTimeIgnored => clock(clocks::its_time_is_up, "nobody said `target_timeout`"),
        Seed::MarkNotCommitted => {
            case(Sqlite, ROWS, marks::dies_behind_its_commit, marks::WRITTEN).on(&Engine::ALL)
        }
        Seed::RegistryAppliedInAdvance => case(Sqlite, ROWS, scenes::another_goes_on, ": effects"),
    }
}

fn catch_every_defect(engine: Engine) {
    let mut wrong = Vec::new();
    for seed in Seed::ALL {
        let case = case_of(*seed);
        if !case.engines.contains(&engine) {
            continue;
        }
        let begin = Instant::now();
        let Some(mut stage) = Stage::set(engine, case.kinds) else {
            return;
        };
        let without = violation(|| (case.scene)(&mut stage, ""));
        let with = violation(|| (case.scene)(&mut stage, &format!("seed={}", seed.name())));
        let name = seed.name();
        let caught = with.as_deref().is_some_and(|said| said.contains(case.caught_by));
        say(&format!(
            "{engine}: {name:<40} {:>5.1} s, {} by `{}`",
            begin.elapsed().as_secs_f64(),
            if caught { "caught" } else { "NOT CAUGHT" },
            case.caught_by
        ));
        wrong.extend(without.map(|said| format!("{name}: fails without the defect: {said}")));
        if !caught {
            wrong.push(format!("{name}: not caught by `{}`: {with:?}", case.caught_by));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Returns what a check says that fails; `None` if all hold.
pub(crate) fn violation(check: impl FnOnce()) -> Option<String> {
    let caught = catch_unwind(AssertUnwindSafe(check)).err()?;
    let text = caught.downcast_ref::<String>().cloned();
    text.or_else(|| caught.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .or_else(|| Some("a panic without words".to_owned()))
}
