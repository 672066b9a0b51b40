//! Sessions that are killed or cancelled in a step, and what the next one makes of it.

use std::sync::Arc;

use tenantry::engine::{ApplyError, StateAfter};
use tenantry::migration::Track;
use tenantry::plan::Goal;
use tokio::task::JoinSet;

use super::{
    INDEX, OLD_SNAPSHOT, Other, PHASES, SEEN, TABLE, begin, carry_on, fresh_with_table, kill_in, open,
    to_head, track,
};
use crate::database::TestDatabase;

#[tokio::test]
async fn a_session_killed_while_the_index_grows_is_finished_by_the_next() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    let track = Arc::new(track(&[TABLE, INDEX]));
    kill_in(&database, &track, OLD_SNAPSHOT, "CREATE INDEX").await;
    assert_eq!(database.one(SEEN).await, "false");
    assert_eq!(database.one(PHASES).await, "1 done, 2 running");
    assert_eq!(to_head(&database, &track).await.unwrap().len(), 1);
    assert_eq!(database.one(SEEN).await, "true");
    assert_eq!(database.one(PHASES).await, "1 done, 2 done");
}

/// Lets the index be finished and keeps the record from being written; kills the session there.
async fn finished_but_not_recorded(database: &Arc<TestDatabase>, track: &Arc<Track>) -> String {
    let (snapshot, history) = (Other::connect(database).await, Other::connect(database).await);
    snapshot.run(OLD_SNAPSHOT).await;
    let mut task = begin(database, track);
    history.until_waiting("CREATE INDEX").await;
    history
        .run("BEGIN; LOCK TABLE _tenantry_history IN SHARE MODE")
        .await;
    snapshot.run("COMMIT").await;
    let killer = Other::connect(database).await;
    killer.until_waiting("BEGIN").await;
    killer.kill().await;
    task.join_next().await.unwrap().unwrap().unwrap_err();
    history.run("ROLLBACK").await;
    assert_eq!(database.one(SEEN).await, "true");
    assert_eq!(database.one(PHASES).await, "1 done, 2 running");
    database.one("SELECT 't_n'::regclass::oid").await
}

#[tokio::test]
async fn an_index_that_was_finished_but_not_recorded_is_adopted() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    let track = Arc::new(track(&[TABLE, INDEX]));
    let oid = finished_but_not_recorded(&database, &track).await;
    assert_eq!(to_head(&database, &track).await.unwrap().len(), 1);
    assert_eq!(database.one("SELECT 't_n'::regclass::oid").await, oid);
    assert_eq!(database.one(PHASES).await, "1 done, 2 done");
}

#[tokio::test]
async fn a_finished_index_is_not_adopted_for_an_edited_file() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    let original = Arc::new(track(&[TABLE, INDEX]));
    finished_but_not_recorded(&database, &original).await;
    let text = "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY t_n ON t ((n + 1));\n";
    let edited = track(&[TABLE, (INDEX.0, text)]);
    for _ in 0..2 {
        let error = to_head(&database, &edited).await.unwrap_err();
        assert!(matches!(error, ApplyError::Edited { .. }), "{error:?}");
    }
    assert_eq!(database.one(PHASES).await, "1 done, 2 running");
}

/// Blocks an INSERT into `t`.
const LOCK_TABLE: &str = "BEGIN; LOCK TABLE t IN SHARE MODE";

async fn insert_killed(directives: &str) -> Option<(Arc<TestDatabase>, Arc<Track>)> {
    let database = fresh_with_table().await?;
    let text = format!("-- tenantry: no-transaction\n{directives}\nINSERT INTO t VALUES (7);\n");
    let track = Arc::new(track(&[TABLE, ("2_insert.sql", &text)]));
    kill_in(&database, &track, LOCK_TABLE, "INSERT").await;
    Some((database, track))
}

#[tokio::test]
async fn what_cannot_be_seen_is_ambiguous_and_stays_untouched() {
    let Some((database, track)) = insert_killed("").await else {
        return;
    };
    for _ in 0..2 {
        let error = to_head(&database, &track).await.unwrap_err();
        assert!(matches!(error, ApplyError::Ambiguous { .. }), "{error:?}");
    }
    assert_eq!(database.one("SELECT count(*) FROM t WHERE n = 7").await, "0");
    assert_eq!(database.one(PHASES).await, "1 done, 2 running");
}

#[tokio::test]
async fn what_may_be_repeated_runs_again() {
    let Some((database, track)) = insert_killed("-- tenantry: resume rerun").await else {
        return;
    };
    to_head(&database, &track).await.unwrap();
    assert_eq!(database.one("SELECT count(*) FROM t WHERE n = 7").await, "1");
}

const VERIFY: &str = "-- tenantry: verify SELECT EXISTS (SELECT FROM t WHERE n = 7)";

#[tokio::test]
async fn the_files_own_query_decides_that_it_runs() {
    let Some((database, track)) = insert_killed(VERIFY).await else {
        return;
    };
    to_head(&database, &track).await.unwrap();
    assert_eq!(database.one("SELECT count(*) FROM t WHERE n = 7").await, "1");
}

#[tokio::test]
async fn the_files_own_query_decides_that_it_is_done() {
    let Some((database, track)) = insert_killed(VERIFY).await else {
        return;
    };
    database.query("INSERT INTO t VALUES (7)").await;
    to_head(&database, &track).await.unwrap();
    assert_eq!(database.one("SELECT count(*) FROM t WHERE n = 7").await, "1");
    assert_eq!(database.one(PHASES).await, "1 done, 2 done");
}

#[tokio::test]
async fn a_cancelled_index_is_interrupted_and_resumed() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    let track = Arc::new(track(&[TABLE, INDEX]));
    let blocker = Other::connect(&database).await;
    blocker.run(OLD_SNAPSHOT).await;
    let mut session = open(&database).await;
    let canceller = session.canceller();
    let shared = Arc::clone(&track);
    let mut task = JoinSet::new();
    task.spawn(async move { carry_on(session.as_mut(), &shared, &Goal::Head).await });
    // Inside its transaction the blocker would see the server's activity as it was at first.
    let watcher = Other::connect(&database).await;
    watcher.until_waiting("CREATE INDEX").await;
    canceller.cancel().await;
    let ended = task.join_next().await.unwrap().unwrap();
    let half_way = StateAfter::HalfWay { done: 0 };
    assert!(
        matches!(ended, Err(ApplyError::Cancelled { step: 0, state }) if state == half_way),
        "{ended:?}"
    );
    blocker.run("COMMIT").await;
    assert_eq!(to_head(&database, &track).await.unwrap().len(), 1);
    assert_eq!(database.one(SEEN).await, "true");
}
