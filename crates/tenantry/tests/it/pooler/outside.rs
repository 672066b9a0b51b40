//! Steps outside a transaction: refused at a pooler, carried out at the server's own endpoint beside it.

use std::time::Duration;

use secrecy::SecretString;
use tenantry::engine::{self, Address, ApplyError, Login, NewDatabase, OpenOptions, SessionError};
use tenantry::plan::Goal;
use tenantry::run::{Outcome, RunOptions};

use super::{NO_LOCK, carried_out, with_direct};
use crate::conformance::run_on;
use crate::database::{TestDatabase, pooled, query};
use crate::postgres_outside::{INDEX, LATER, PHASES, SEEN, TABLE, carry_on, to_head, track};

#[tokio::test]
async fn a_pooler_is_noticed_and_nothing_is_begun() {
    for pooler in ["1", "2", "20", "LENIENT"] {
        let Some(database) = pooled(pooler).await else {
            return;
        };
        to_head(&database, &track(&[TABLE])).await.unwrap();
        for _ in 0..2 {
            let refused = to_head(&database, &track(&[TABLE, INDEX])).await;
            let Err(ApplyError::Session {
                commit_sent: false,
                source: source @ SessionError::Pooled { .. },
            }) = refused
            else {
                panic!("{pooler}: {refused:?}")
            };
            assert_eq!(source.code().to_string(), "TN-5007");
        }
        assert_eq!(database.one(NO_LOCK).await, "t", "{pooler}");
        assert_eq!(database.one(SEEN).await, "NULL");
        assert_eq!(database.one(PHASES).await, "1 done");
    }
}

#[tokio::test]
async fn a_run_goes_to_the_server_for_what_needs_it() {
    let Some(database) = pooled("2").await else { return };
    let database = with_direct(database, None);
    let databases = [database];
    let report = run_on(&databases, track(&[TABLE, INDEX, LATER])).await;
    assert_eq!(report.count(Outcome::Applied), 1, "{:?}", report.targets);
    assert_eq!(report.targets[0].migrations.len(), 3);
    let [database] = databases;
    assert_eq!(database.one(SEEN).await, "true");
    assert_eq!(database.one(PHASES).await, "1 done, 2 done, 3 done");
}

#[tokio::test]
async fn everything_else_goes_through_the_pooler() {
    let Some(database) = pooled("2").await else { return };
    // Nobody listens there.
    let database = with_direct(database, Some(1));
    let options = || RunOptions {
        connect_timeout: Duration::from_secs(2),
        ..RunOptions::default()
    };
    let done = carried_out(&database, track(&[TABLE]), Goal::Head, options()).await;
    assert_eq!(done.outcome, Outcome::Applied, "{done:?}");
    let ended = carried_out(&database, track(&[TABLE, INDEX]), Goal::Head, options()).await;
    assert_eq!(ended.outcome, Outcome::Unreachable, "{ended:?}");
    assert!(ended.failure.unwrap().what.contains(":1 "));
    assert_eq!(database.one(PHASES).await, "1 done");
}

async fn is_blocked(address: &Address, database: &TestDatabase) -> bool {
    let options = OpenOptions {
        lock_window: Duration::from_millis(300),
        ..database.options()
    };
    let opened = engine::open(address, &options).await;
    matches!(opened, Err(SessionError::Blocked { .. }))
}

#[tokio::test]
async fn one_lock_keeps_both_ways_apart() {
    let Some(database) = pooled("2").await else { return };
    let (pooled, direct) = (&database.address, &database.direct);
    let vacuum = track(&[("1_v.sql", "-- tenantry: no-transaction\nVACUUM;\n")]);
    let mut session = engine::open(direct, &database.options()).await.unwrap();
    assert!(is_blocked(pooled, &database).await, "behind a transaction's lock");
    carry_on(session.as_mut(), &vacuum, &Goal::Head).await.unwrap();
    assert!(is_blocked(pooled, &database).await, "behind a session's lock");
    drop(session);
    let _session = engine::open(pooled, &database.options()).await.unwrap();
    assert!(is_blocked(direct, &database).await, "behind the pooler's");
}

#[tokio::test]
async fn a_database_is_made_through_a_pooler_that_keeps_no_lock_of_it() {
    for pooler in ["1", "LENIENT"] {
        let Some(database) = pooled(pooler).await else {
            return;
        };
        let name = format!("made_{}", uuid::Uuid::now_v7().simple());
        let login = Login {
            user: name.clone(),
            password: SecretString::from("ours"),
        };
        let new = NewDatabase {
            name: name.clone(),
            login: Some(login.clone()),
            database_id: database.id.clone(),
            tenant_id: "tenant".to_owned(),
            registry_id: "registry".to_owned(),
        };
        engine::create_database(&database.address, &new).await.unwrap();
        assert_eq!(database.one(NO_LOCK).await, "t", "{pooler}");
        let mut address = database.address.clone();
        if let Address::Network(at) = &mut address {
            (at.database, at.login) = (name, login);
        }
        let mut session = engine::open(&address, &database.options()).await.unwrap();
        carry_on(session.as_mut(), &track(&[TABLE]), &Goal::Head)
            .await
            .unwrap();
        assert_eq!(query(&address, "SELECT count(*) FROM t").await, [["2"]]);
    }
}
