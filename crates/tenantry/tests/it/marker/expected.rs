//! A session that was told which marker its database has: it asks for the comment where something has to change alone.

use tenantry::TrackName;
use tenantry::engine::{self, Amendment, Engine, Expects, Marker, OpenOptions, Session, Whose};
use tenantry::history::Entry;
use tenantry::plan::Goal;

use super::{COMMENT, deserved, history};
use crate::conformance::unit;
use crate::database::{TestDatabase, fresh, pooled};
use crate::postgres_outside::{INDEX, LATER, TABLE, to_head, track};

async fn marker(database: &TestDatabase) -> Marker {
    let options = database.options();
    let whose = Whose {
        registry_id: &options.registry_id,
        database_id: &options.database_id,
    };
    Marker::of_history(whose, &TrackName::Tenant, &history(database).await).unwrap()
}

async fn open(database: &TestDatabase, marker: &Marker) -> Box<dyn Session> {
    let options = OpenOptions {
        expects: Expects::Marker(Box::new(marker.clone())),
        ..database.options()
    };
    engine::open(&database.address, &options).await.unwrap()
}

async fn comment(database: &TestDatabase, text: &str) {
    let name = database.one("SELECT current_database()").await;
    database
        .query(&format!("COMMENT ON DATABASE {name} IS '{text}'"))
        .await;
}

/// Straight, and through poolers that keep a session's settings from the server.
async fn everywhere() -> Vec<TestDatabase> {
    let mut found = Vec::new();
    found.extend(fresh(Engine::Postgres).await);
    for pooler in ["2", "LENIENT"] {
        found.extend(pooled(pooler).await);
    }
    found
}

#[tokio::test]
async fn a_marker_that_its_history_contradicts_is_mended() {
    for database in everywhere().await {
        to_head(&database, &track(&[TABLE, LATER])).await.unwrap();
        let stale = marker(&database).await;
        comment(&database, &format!("theirs {stale}")).await;
        // As a backup from before leaves it.
        database
            .query("DELETE FROM _tenantry_history WHERE version = 3")
            .await;
        open(&database, &stale)
            .await
            .settle_marker(&TrackName::Tenant)
            .await;
        let right = deserved(&database).await;
        assert_ne!(right, stale.to_string());
        assert_eq!(database.one(COMMENT).await, format!("theirs {right}"));
    }
}

#[tokio::test]
async fn where_it_fits_nobody_asks_again() {
    for database in everywhere().await {
        to_head(&database, &track(&[TABLE])).await.unwrap();
        let right = marker(&database).await;
        // Whoever changes it behind the question is noticed by the next one.
        comment(&database, "theirs").await;
        open(&database, &right)
            .await
            .settle_marker(&TrackName::Tenant)
            .await;
        assert_eq!(database.one(COMMENT).await, "theirs");
        // Another track's is not the one that was expected.
        let mut session = open(&database, &right).await;
        session.settle_marker(&TrackName::Central).await;
        session.settle_marker(&TrackName::Tenant).await;
        assert_eq!(database.one(COMMENT).await, format!("theirs {right}"));
    }
}

#[tokio::test]
async fn what_writes_a_history_keeps_the_text_that_it_did_not_know() {
    // The index is built outside a transaction, which needs the server itself.
    let (whole, short) = (track(&[TABLE, INDEX, LATER]), track(&[TABLE, LATER]));
    for (database, all) in everywhere().await.iter().zip([&whole, &short, &short]) {
        to_head(database, &track(&[TABLE])).await.unwrap();
        comment(database, "theirs").await;
        let mut session = open(database, &marker(database).await).await;
        let plan = tenantry::plan::plan(all, session.history(), &Goal::Head).unwrap();
        for step in plan.steps {
            session.carry_out(&unit(vec![step])).await.unwrap();
        }
        drop(session);
        let whole = format!("theirs {}", deserved(database).await);
        assert_eq!(database.one(COMMENT).await, whole);
        let mut session = open(database, &marker(database).await).await;
        let amendment = Amendment {
            track: TrackName::Tenant,
            entries: vec![Entry::Remove(all.migrations.last().unwrap().version)],
            mark_id: "mark_test".to_owned(),
            attempt_id: uuid::Uuid::now_v7().to_string(),
        };
        session.amend(&amendment).await.unwrap();
        drop(session);
        let less = format!("theirs {}", deserved(database).await);
        assert_ne!(less, whole);
        assert_eq!(database.one(COMMENT).await, less);
    }
}
