//! The session-level lock: polled for, told from the first one, and in nobody's way.

use std::sync::Arc;
use std::time::Duration;

use tenantry::engine::{self, ApplyError, Session, SessionError};
use tenantry::plan::Goal;
use tokio::task::JoinSet;

use super::{INDEX, Other, PHASES, SEEN, TABLE, carry_on, fresh_with_table, open, to_head, track};
use crate::database::TestDatabase;

#[tokio::test]
async fn two_sessions_make_one_index() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    let track = Arc::new(track(&[TABLE, INDEX]));
    let mut tasks = JoinSet::new();
    for _ in 0..3 {
        let (database, track) = (Arc::clone(&database), Arc::clone(&track));
        tasks.spawn(async move { to_head(&database, &track).await.unwrap().len() });
    }
    assert_eq!(tasks.join_all().await.into_iter().sum::<usize>(), 1);
    assert_eq!(database.one(SEEN).await, "true");
    assert_eq!(database.one(PHASES).await, "1 done, 2 done");
}

/// Opens a session of ours, and queues the other program so that it gets the lock next.
async fn overtake(database: &TestDatabase, other: &Arc<Other>) -> (Box<dyn Session>, JoinSet<String>) {
    let session = open(database).await;
    let watcher = Other::connect(database).await;
    let ours = "FROM pg_locks WHERE locktype = 'advisory' \
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let key = watcher
        .run(&format!(
            "SELECT classid::bigint << 32 | objid::bigint {ours} AND granted"
        ))
        .await;
    let mut queued = JoinSet::new();
    let waiting = Arc::clone(other);
    queued.spawn(async move { waiting.run(&format!("SELECT pg_advisory_lock({key})")).await });
    watcher
        .until(&format!("SELECT EXISTS (SELECT {ours} AND NOT granted)"))
        .await;
    (session, queued)
}

/// True once a session of ours has asked for the session lock.
const ASKED: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
 AND application_name = 'tenantry test' AND query LIKE '%advisory_lock(%')";

#[tokio::test]
async fn waiting_for_the_lock_keeps_no_index_from_being_made() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    let track = Arc::new(track(&[TABLE, INDEX]));
    let other = Arc::new(Other::connect(&database).await);
    let (mut session, mut queued) = overtake(&database, &other).await;
    let mut task = JoinSet::new();
    let shared = Arc::clone(&track);
    task.spawn(async move { carry_on(session.as_mut(), &shared, &Goal::Head).await });
    queued.join_next().await.unwrap().unwrap();
    other.until(ASKED).await;
    other.run("CREATE INDEX CONCURRENTLY other ON t (n)").await;
    other.run("SELECT pg_advisory_unlock_all()").await;
    let recorded = task.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(recorded.len(), 1);
    assert_eq!(database.one(SEEN).await, "true");
}

#[tokio::test]
async fn who_worked_between_the_two_locks_is_noticed() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    let track = Arc::new(track(&[TABLE, INDEX]));
    let other = Arc::new(Other::connect(&database).await);
    let (mut session, mut queued) = overtake(&database, &other).await;
    let mut task = JoinSet::new();
    let shared = Arc::clone(&track);
    task.spawn(async move { carry_on(session.as_mut(), &shared, &Goal::Head).await });
    queued.join_next().await.unwrap().unwrap();
    other.run("UPDATE _tenantry_meta SET epoch = epoch + 1").await;
    other.run("SELECT pg_advisory_unlock_all()").await;
    let ended = task.join_next().await.unwrap().unwrap();
    assert!(matches!(ended, Err(ApplyError::Fenced)), "{ended:?}");
    assert_eq!(database.one(SEEN).await, "NULL");
    assert_eq!(database.one(PHASES).await, "1 done");
}

#[tokio::test]
async fn a_session_that_never_gets_the_session_lock_is_blocked() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    let track = track(&[TABLE, INDEX]);
    let other = Arc::new(Other::connect(&database).await);
    let (session, mut queued) = overtake(&database, &other).await;
    drop(session);
    queued.join_next().await.unwrap().unwrap();
    other.run("SELECT pg_advisory_unlock_all()").await;
    let options = engine::OpenOptions {
        lock_window: Duration::from_millis(300),
        ..database.options()
    };
    let mut session = engine::open(&database.address, &options).await.unwrap();
    let watcher = Other::connect(&database).await;
    let key = watcher
        .run("SELECT classid::bigint << 32 | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted \
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
        .await;
    let waiting = Arc::clone(&other);
    queued.spawn(async move { waiting.run(&format!("SELECT pg_advisory_lock({key})")).await });
    watcher
        .until("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)")
        .await;
    let ended = carry_on(session.as_mut(), &track, &Goal::Head).await;
    let Err(ApplyError::Session {
        source: SessionError::Blocked { holders, .. },
        ..
    }) = ended
    else {
        panic!("{ended:?}")
    };
    assert_eq!(holders[0].application, "another program");
    assert_eq!(database.one(PHASES).await, "1 done");
}
