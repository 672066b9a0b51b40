//! What every engine must do, written once and run on each of them: here the reader and the session, beside
//! it refused histories, fleets, and sessions that are killed.

use std::sync::Arc;

use tenantry::engine::{self, ApplyError, Engine, Recorded, SessionError, StateAfter, Unit};
use tenantry::history::Phase;
use tenantry::migration::Track;
use tenantry::plan::{Goal, Plan, PlanError, Step, plan};
use tenantry::run::{Control, Job, RunOptions, RunReport};
use tenantry::{Direction, Owner, Target, TenantId, TrackName};

use crate::database::TestDatabase;

const FIRST: (&str, &str) = (
    "1_first.sql",
    "CREATE TABLE effect (n int NOT NULL);\nINSERT INTO effect VALUES (1);\n",
);
const FIRST_DOWN: (&str, &str) = ("1_first.down.sql", "DROP TABLE effect;\n");
const SECOND: (&str, &str) = ("2_second.sql", "INSERT INTO effect VALUES (2);\n");
const SECOND_DOWN: (&str, &str) = ("2_second.down.sql", "DELETE FROM effect WHERE n = 2;\n");

fn track(engine: Engine, files: &[(&str, &str)]) -> Track {
    Track::from_files(TrackName::Tenant, engine, files).unwrap()
}

pub(super) fn unit(steps: Vec<Step>) -> Unit {
    Unit {
        track: TrackName::Tenant,
        direction: steps.first().map_or(Direction::Up, |s| s.direction),
        steps,
        run_id: "run_test".to_owned(),
        attempt_id: uuid::Uuid::now_v7().to_string(),
    }
}

async fn planned(database: &TestDatabase, track: &Track, goal: &Goal) -> Result<Plan, PlanError> {
    let mut reader = engine::read(&database.address, &database.options())
        .await
        .unwrap();
    plan(track, &reader.history().await.unwrap(), goal)
}

/// Opens a session, plans under its lock and carries everything out in one unit.
async fn migrate(database: &TestDatabase, track: &Track, goal: &Goal) -> Result<Vec<Recorded>, ApplyError> {
    let mut session = engine::open(&database.address, &database.options())
        .await
        .unwrap();
    let plan = plan(track, session.history(), goal).unwrap();
    if plan.steps.is_empty() {
        return Ok(Vec::new());
    }
    session.carry_out(&unit(plan.steps)).await
}

/// Makes a run's job of a database; its tenant has this slug.
pub(super) fn job(database: &TestDatabase, slug: &str, track: &Arc<Track>) -> Job {
    let options = database.options();
    Job {
        target: Target {
            database_id: options.database_id,
            registry_id: options.registry_id.into(),
            track: TrackName::Tenant,
            owner: Some(Arc::new(Owner {
                id: TenantId::from_text(options.tenant_id),
                slug: slug.parse().unwrap(),
                name: slug.to_owned(),
            })),
            server: Some("server".parse().unwrap()),
            jurisdiction: None,
            max_parallel: None,
            known_version: None,
            known_outcome: None,
            address: database.address.clone(),
        },
        track: Arc::clone(track),
        goal: Goal::Head,
        after: None,
        marker: None,
    }
}

/// Brings every database to the head in one run, two at a time.
pub(super) async fn run_on(databases: &[TestDatabase], track: Track) -> RunReport {
    let track = Arc::new(track);
    let jobs = databases.iter().enumerate();
    let jobs = jobs.map(|(at, database)| job(database, &format!("tenant{at}"), &track));
    let options = RunOptions {
        concurrency: Some(2),
        ..RunOptions::default()
    };
    let (events, _unheard) = tokio::sync::mpsc::unbounded_channel();
    tenantry::run::run("run_test", jobs.collect(), options, Control::default(), events).await
}

/// Returns versions and phases as the database's own reader finds them.
async fn phases(database: &TestDatabase) -> Vec<(i64, Phase)> {
    let mut reader = engine::read(&database.address, &database.options())
        .await
        .unwrap();
    let history = reader.history().await.unwrap();
    let rows = history.rows.iter();
    rows.map(|row| (row.version.number(), row.phase)).collect()
}

/// Runs a case on every engine whose server is there.
macro_rules! on_every_engine {
    ($($case:ident),* $(,)?) => {
        on_every_engine!(@ postgres, Postgres: $($case)*);
        on_every_engine!(@ mysql, MySql: $($case)*);
        on_every_engine!(@ sqlite, Sqlite: $($case)*);
    };
    (@ $module:ident, $engine:ident: $($case:ident)*) => {
        mod $module {
            $(#[tokio::test]
            async fn $case() {
                if let Some(database) = crate::database::fresh(tenantry::engine::Engine::$engine).await {
                    super::$case(database).await;
                }
            })*
        }
    };
}

/// The same on every engine, and on PostgreSQL behind poolers.
macro_rules! on_every_engine_and_pooler {
    ($($case:ident),* $(,)?) => {
        on_every_engine!($($case),*);
        on_every_engine_and_pooler!(@ pool_of_two, "2": $($case)*);
        on_every_engine_and_pooler!(@ pool_of_twenty, "20": $($case)*);
        on_every_engine_and_pooler!(@ lenient_pool, "LENIENT": $($case)*);
    };
    (@ $module:ident, $pooler:literal: $($case:ident)*) => {
        mod $module {
            $(#[tokio::test]
            async fn $case() {
                if let Some(database) = crate::database::pooled($pooler).await {
                    super::$case(database).await;
                }
            })*
        }
    };
}

mod blocked;
mod clocks;
mod fleet;
mod killed;
mod refused;

on_every_engine_and_pooler!(
    a_fresh_database_takes_everything_and_records_it,
    only_what_is_new_is_applied,
    reading_writes_nothing,
    a_failing_statement_leaves_no_trace_where_ddl_is_transactional,
    a_failure_has_its_place_in_the_file,
    an_edited_file_is_noticed,
    a_revert_goes_back_and_forth,
    a_second_session_waits_for_the_first_and_sees_its_work,
    a_session_that_never_gets_the_lock_is_blocked,
    a_dropped_session_frees_the_lock,
    another_tenants_database_is_refused,
    tables_without_a_history_are_refused,
);

async fn a_fresh_database_takes_everything_and_records_it(database: TestDatabase) {
    let track = track(database.engine, &[FIRST, SECOND]);
    let recorded = migrate(&database, &track, &Goal::Head).await.unwrap();
    assert_eq!(
        recorded.iter().map(|r| r.version.number()).collect::<Vec<_>>(),
        vec![1, 2]
    );
    assert_eq!(database.one("SELECT count(*) FROM effect").await, "2");
    let rows = database
        .query("SELECT version, name, phase, next_stmt FROM _tenantry_history ORDER BY version")
        .await;
    assert_eq!(
        rows,
        vec![vec!["1", "first", "done", "2"], vec!["2", "second", "done", "1"]]
    );
    assert!(
        planned(&database, &track, &Goal::Head)
            .await
            .unwrap()
            .steps
            .is_empty()
    );
}

async fn only_what_is_new_is_applied(database: TestDatabase) {
    migrate(&database, &track(database.engine, &[FIRST]), &Goal::Head)
        .await
        .unwrap();
    let both = track(database.engine, &[FIRST, SECOND]);
    let recorded = migrate(&database, &both, &Goal::Head).await.unwrap();
    assert_eq!(recorded.len(), 1);
    assert!(migrate(&database, &both, &Goal::Head).await.unwrap().is_empty());
    assert_eq!(database.one("SELECT count(*) FROM effect").await, "2");
}

async fn reading_writes_nothing(database: TestDatabase) {
    let track = track(database.engine, &[FIRST]);
    let plan = planned(&database, &track, &Goal::Head).await.unwrap();
    assert_eq!((plan.steps.len(), plan.fresh), (1, true));
    drop(
        engine::open(&database.address, &database.options())
            .await
            .unwrap(),
    );
    let mut reader = engine::read(&database.address, &database.options())
        .await
        .unwrap();
    let history = reader.history().await.unwrap();
    assert_eq!(
        (history.meta, history.rows.len(), history.occupied),
        (None, 0, false)
    );
}

async fn a_failing_statement_leaves_no_trace_where_ddl_is_transactional(database: TestDatabase) {
    migrate(&database, &track(database.engine, &[FIRST]), &Goal::Head)
        .await
        .unwrap();
    let broken = (
        "2_broken.sql",
        "CREATE TABLE extra (n int);\nINSERT INTO missing VALUES (1);\nSELECT 1;\n",
    );
    let error = migrate(&database, &track(database.engine, &[FIRST, broken]), &Goal::Head)
        .await
        .unwrap_err();
    let ApplyError::Statement {
        step: 0,
        statement: 1,
        statements: 3,
        state,
        ..
    } = error
    else {
        panic!("{error:?}")
    };
    if database.engine.has_transactional_ddl() {
        assert_eq!(state, StateAfter::RolledBack);
        assert_eq!(database.one("SELECT count(*) FROM _tenantry_history").await, "1");
    } else {
        assert_eq!(state, StateAfter::HalfWay { done: 1 });
    }
    // The lock is free, and the mended file goes through: once.
    let mended = (
        "2_broken.sql",
        "CREATE TABLE extra (n int);\nINSERT INTO extra VALUES (1);\nSELECT 1;\n",
    );
    migrate(&database, &track(database.engine, &[FIRST, mended]), &Goal::Head)
        .await
        .unwrap();
    assert_eq!(database.one("SELECT count(*) FROM extra").await, "1");
}

async fn a_failure_has_its_place_in_the_file(database: TestDatabase) {
    let text = "-- é\nCREATE TABLE a (n int);\nCREATE TABLE b (\n  id int PRIMARY KYE\n);\n";
    let error = migrate(
        &database,
        &track(database.engine, &[("1_x.sql", text)]),
        &Goal::Head,
    )
    .await
    .unwrap_err();
    let ApplyError::Statement {
        statement: 1,
        offset,
        exact,
        source,
        ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!(source.class.to_string(), "TN-2001");
    if exact {
        assert_eq!(&text[offset..offset + 3], "KYE");
    } else {
        assert_eq!(&text[offset..offset + 14], "CREATE TABLE b");
    }
}

async fn an_edited_file_is_noticed(database: TestDatabase) {
    migrate(&database, &track(database.engine, &[FIRST]), &Goal::Head)
        .await
        .unwrap();
    let edited = (
        FIRST.0,
        "CREATE TABLE effect (n bigint NOT NULL);\nINSERT INTO effect VALUES (1);\n",
    );
    let track = track(database.engine, &[edited]);
    let refused = planned(&database, &track, &Goal::Head).await;
    assert!(matches!(refused, Err(PlanError::Modified { .. })), "{refused:?}");
}

async fn a_revert_goes_back_and_forth(database: TestDatabase) {
    let track = track(database.engine, &[FIRST, FIRST_DOWN, SECOND, SECOND_DOWN]);
    migrate(&database, &track, &Goal::Head).await.unwrap();
    let reverted = migrate(&database, &track, &Goal::BackSteps(1)).await.unwrap();
    assert_eq!(
        reverted.iter().map(|r| r.version.number()).collect::<Vec<_>>(),
        vec![2]
    );
    assert_eq!(database.one("SELECT count(*) FROM effect").await, "1");
    migrate(&database, &track, &Goal::Head).await.unwrap();
    migrate(&database, &track, &Goal::BackTo(None)).await.unwrap();
    assert_eq!(database.one("SELECT count(*) FROM _tenantry_history").await, "0");
    migrate(&database, &track, &Goal::Head).await.unwrap();
    assert_eq!(database.one("SELECT count(*) FROM effect").await, "2");
}

async fn a_second_session_waits_for_the_first_and_sees_its_work(database: TestDatabase) {
    let track = Arc::new(track(database.engine, &[FIRST, SECOND]));
    let database = Arc::new(database);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (database, track) = (Arc::clone(&database), Arc::clone(&track));
        tasks.spawn(async move { migrate(&database, &track, &Goal::Head).await.unwrap().len() });
    }
    let applied: usize = tasks.join_all().await.into_iter().sum();
    assert_eq!(applied, 2);
    assert_eq!(database.one("SELECT count(*) FROM effect").await, "2");
}

async fn a_session_that_never_gets_the_lock_is_blocked(database: TestDatabase) {
    let holder = engine::open(&database.address, &database.options())
        .await
        .unwrap();
    let options = engine::OpenOptions {
        lock_window: std::time::Duration::from_millis(300),
        ..database.options()
    };
    let refused = engine::open(&database.address, &options).await;
    let Err(SessionError::Blocked { holders, .. }) = refused else {
        panic!("{:?}", refused.err())
    };
    if database.engine != Engine::Sqlite {
        assert_eq!(holders.len(), 1);
        assert!(holders[0].pid > 0);
    }
    drop(holder);
}

async fn a_dropped_session_frees_the_lock(database: TestDatabase) {
    drop(
        engine::open(&database.address, &database.options())
            .await
            .unwrap(),
    );
    let options = engine::OpenOptions {
        lock_window: std::time::Duration::from_secs(5),
        ..database.options()
    };
    drop(engine::open(&database.address, &options).await.unwrap());
}

async fn another_tenants_database_is_refused(database: TestDatabase) {
    migrate(&database, &track(database.engine, &[FIRST]), &Goal::Head)
        .await
        .unwrap();
    let options = engine::OpenOptions {
        tenant_id: "somebody else".to_owned(),
        ..database.options()
    };
    let refused = engine::open(&database.address, &options).await;
    assert!(
        matches!(refused, Err(SessionError::IdentityMismatch { .. })),
        "{:?}",
        refused.err()
    );
}

async fn tables_without_a_history_are_refused(database: TestDatabase) {
    database.query("CREATE TABLE somebody (n int)").await;
    let refused = planned(&database, &track(database.engine, &[FIRST]), &Goal::Head).await;
    assert_eq!(refused, Err(PlanError::Occupied));
}
