//! Statements that the server refuses or stops: what is known to have done nothing leaves nothing behind.

use std::sync::Arc;

use tenantry::engine::{ApplyError, StateAfter};
use tenantry::migration::Track;
use tenantry::plan::Goal;

use super::{
    INDEX, LATER, OLD_SNAPSHOT, Other, PHASES, TABLE, begin, carry_on, fresh_with_table, open, to_head, track,
};
use crate::database::TestDatabase;

const OUTSIDE: &str = "-- tenantry: no-transaction\n";

fn with(second: &str) -> Track {
    let text = format!("{OUTSIDE}{second};\n");
    track(&[TABLE, ("2_second.sql", &text), LATER])
}

/// Returns the state and the code that a refused second file ends with.
async fn refused(database: &TestDatabase, second: &str) -> (StateAfter, String) {
    let error = to_head(database, &with(second)).await.unwrap_err();
    let ApplyError::Statement { state, source, .. } = error else {
        panic!("{error:?}")
    };
    (state, source.code)
}

#[tokio::test]
async fn a_statement_that_was_plainly_refused_just_runs_once_it_is_corrected() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    for (second, sqlstate) in [
        ("INSRT INTO t VALUES (7)", "42601"),
        ("INSERT INTO nowhere VALUES (7)", "42P01"),
        ("CALL nothing()", "42883"),
        ("CREATE INDEX CONCURRENTLY t_m ON t (nope)", "42703"),
    ] {
        let (state, code) = refused(&database, second).await;
        assert_eq!(code, format!("SQLSTATE {sqlstate}"));
        assert_eq!(state, StateAfter::RolledBack, "{second}");
        assert_eq!(database.one(PHASES).await, "1 done", "{second}");
    }
    to_head(&database, &with("INSERT INTO t VALUES (7)"))
        .await
        .unwrap();
    assert_eq!(database.one("SELECT count(*) FROM t WHERE n = 7").await, "1");
    assert_eq!(database.one(PHASES).await, "1 done, 2 done, 3 done");
}

#[tokio::test]
async fn a_refusal_inside_a_procedure_proves_nothing() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    let second = "DO $$ BEGIN INSERT INTO t VALUES (7); COMMIT; INSERT INTO nowhere VALUES (8); END $$";
    let (state, code) = refused(&database, second).await;
    assert_eq!(
        (state, code.as_str()),
        (StateAfter::HalfWay { done: 0 }, "SQLSTATE 42P01")
    );
    assert_eq!(database.one(PHASES).await, "1 done, 2 running");
    let error = to_head(&database, &with("INSERT INTO t VALUES (7)"))
        .await
        .unwrap_err();
    assert!(matches!(error, ApplyError::Edited { .. }), "{error:?}");
    assert_eq!(database.one("SELECT count(*) FROM t WHERE n = 7").await, "1");
}

#[tokio::test]
async fn a_refused_way_back_leaves_the_migration_applied() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    let down = |text: &'static str| track(&[TABLE, INDEX, ("2_index.down.sql", text)]);
    let wrong = down("-- tenantry: no-transaction\nDROP INDEKS t_n;\n");
    to_head(&database, &wrong).await.unwrap();
    let back = Goal::BackSteps(1);
    let error = carry_on(open(&database).await.as_mut(), &wrong, &back)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ApplyError::Statement {
                state: StateAfter::RolledBack,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(database.one(PHASES).await, "1 done, 2 done");
    let right = down("-- tenantry: no-transaction\nDROP INDEX CONCURRENTLY t_n;\n");
    carry_on(open(&database).await.as_mut(), &right, &back)
        .await
        .unwrap();
    assert_eq!(database.one(PHASES).await, "1 done");
}

/// Stops the waiting index from another session, as an administrator does.
#[tokio::test]
async fn a_statement_that_somebody_else_stops_is_a_failure_with_the_servers_words() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    let blocker = Other::connect(&database).await;
    blocker.run(OLD_SNAPSHOT).await;
    let mut task = begin(&database, &Arc::new(track(&[TABLE, INDEX])));
    let administrator = Other::connect(&database).await;
    administrator.until_waiting("CREATE INDEX").await;
    administrator
        .run(
            "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND query LIKE 'CREATE INDEX%'",
        )
        .await;
    let error = task.join_next().await.unwrap().unwrap().unwrap_err();
    let ApplyError::Statement { state, source, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(state, StateAfter::HalfWay { done: 0 });
    assert_eq!(source.code, "SQLSTATE 57014");
    assert!(source.message.contains("user request"), "{source:?}");
}
