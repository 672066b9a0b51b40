//! The marker in a PostgreSQL database's comment: when it is written, who is in its way, and what a survey makes of it.

mod expected;
mod survey;

use secrecy::SecretString;
use tenantry::TrackName;
use tenantry::engine::{self, Address, Amendment, Engine, Login, Marker, Whose};
use tenantry::history::{Entry, History};
use tenantry::migration::Track;
use tenantry::plan::Goal;

use crate::conformance::unit;
use crate::database::{TestDatabase, fresh, pooled};
use crate::postgres_outside::{INDEX, LATER, Other, TABLE, to_head, track};

const COMMENT: &str = "SELECT shobj_description(oid, 'pg_database') FROM pg_database \
                       WHERE datname = current_database()";

async fn history(database: &TestDatabase) -> History {
    let mut reader = engine::read(&database.address, &database.options())
        .await
        .unwrap();
    reader.history().await.unwrap()
}

/// Returns what the comment must end with: the marker of the database's own history.
async fn deserved(database: &TestDatabase) -> String {
    let options = database.options();
    let whose = Whose {
        registry_id: &options.registry_id,
        database_id: &options.database_id,
    };
    Marker::of_history(whose, &TrackName::Tenant, &history(database).await)
        .unwrap()
        .to_string()
}

/// Lets a session settle the marker, as a run does that finds nothing to do.
async fn settle(database: &TestDatabase) {
    let mut session = engine::open(&database.address, &database.options())
        .await
        .unwrap();
    session.settle_marker(&TrackName::Tenant).await;
}

async fn back(database: &TestDatabase, track: &Track) {
    let mut session = engine::open(&database.address, &database.options())
        .await
        .unwrap();
    let plan = tenantry::plan::plan(track, session.history(), &Goal::BackSteps(1)).unwrap();
    session.carry_out(&unit(plan.steps)).await.unwrap();
}

#[tokio::test]
async fn every_way_of_writing_a_history_writes_the_marker() {
    for pooler in ["", "2", "LENIENT"] {
        let database = match pooler {
            "" => fresh(Engine::Postgres).await,
            pooler => pooled(pooler).await,
        };
        let Some(database) = database else { return };
        let (one, both) = (track(&[TABLE]), track(&[TABLE, LATER]));
        to_head(&database, &one).await.unwrap();
        assert_eq!(database.one(COMMENT).await, deserved(&database).await, "{pooler}");
        to_head(&database, &both).await.unwrap();
        assert_eq!(database.one(COMMENT).await, deserved(&database).await, "{pooler}");
        if pooler.is_empty() {
            let all = track(&[TABLE, INDEX, LATER]);
            let other = fresh(Engine::Postgres).await.unwrap();
            to_head(&other, &all).await.unwrap();
            assert_eq!(other.one(COMMENT).await, deserved(&other).await);
        }
        // What a person declares changes the history, and the marker with it.
        let mut session = engine::open(&database.address, &database.options())
            .await
            .unwrap();
        let amendment = Amendment {
            track: TrackName::Tenant,
            entries: vec![Entry::Remove(both.migrations[1].version)],
            mark_id: "mark_test".to_owned(),
            attempt_id: uuid::Uuid::now_v7().to_string(),
        };
        session.amend(&amendment).await.unwrap();
        drop(session);
        assert_eq!(history(&database).await.rows.len(), 1);
        assert_eq!(database.one(COMMENT).await, deserved(&database).await, "{pooler}");
    }
}

#[tokio::test]
async fn a_way_back_to_nothing_leaves_no_marker() {
    let Some(database) = fresh(Engine::Postgres).await else {
        return;
    };
    let files = track(&[TABLE, ("1_table.down.sql", "DROP TABLE t;\n")]);
    to_head(&database, &files).await.unwrap();
    back(&database, &files).await;
    assert_eq!(database.one(COMMENT).await, "NULL");
}

#[tokio::test]
async fn a_comment_that_the_file_itself_writes_stays() {
    let Some(database) = fresh(Engine::Postgres).await else {
        return;
    };
    let name = database.one("SELECT current_database()").await;
    let text = format!("COMMENT ON DATABASE {name} IS 'from the file';\n");
    to_head(&database, &track(&[TABLE, ("2_comment.sql", &text)]))
        .await
        .unwrap();
    assert_eq!(database.one(COMMENT).await, "from the file");
    settle(&database).await;
    let marker = deserved(&database).await;
    assert_eq!(database.one(COMMENT).await, format!("from the file {marker}"));
}

/// Migrates a database, and lets somebody else write a comment there that is not committed.
async fn writes_open_comment(database: &TestDatabase) -> Other {
    to_head(database, &track(&[TABLE])).await.unwrap();
    let name = database.one("SELECT current_database()").await;
    let other = Other::connect(database).await;
    other
        .run(&format!("BEGIN; COMMENT ON DATABASE {name} IS 'theirs'"))
        .await;
    other
}

/// Their comment stands alone, and the next look writes ours beside it.
async fn is_kept_beside_ours(database: &TestDatabase) {
    assert_eq!(database.one(COMMENT).await, "theirs");
    settle(database).await;
    let marker = deserved(database).await;
    assert_eq!(database.one(COMMENT).await, format!("theirs {marker}"));
}

/// Somebody else has written a comment and not committed it: ours would wait, and gives way.
#[tokio::test]
async fn somebody_elses_open_comment_fails_nothing_and_is_not_lost() {
    let Some(database) = fresh(Engine::Postgres).await else {
        return;
    };
    let other = writes_open_comment(&database).await;
    let done = to_head(&database, &track(&[TABLE, LATER])).await.unwrap();
    assert_eq!(done.len(), 1);
    other.run("COMMIT").await;
    is_kept_beside_ours(&database).await;
}

/// The same, and it is committed while ours would wait for it: written behind it, ours would say what was there before.
#[tokio::test]
async fn somebody_elses_comment_that_is_committed_at_that_moment_is_not_lost() {
    let Some(database) = fresh(Engine::Postgres).await else {
        return;
    };
    let other = writes_open_comment(&database).await;
    let files = track(&[TABLE, LATER]);
    let commit = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        other.run("COMMIT").await;
    };
    let (done, ()) = tokio::join!(to_head(&database, &files), commit);
    assert_eq!(done.unwrap().len(), 1);
    is_kept_beside_ours(&database).await;
}

/// Between two units of one session the lock is away.
#[tokio::test]
async fn a_comment_that_changes_in_mid_session_is_not_overwritten() {
    let Some(database) = fresh(Engine::Postgres).await else {
        return;
    };
    let name = database.one("SELECT current_database()").await;
    let files = track(&[TABLE, LATER]);
    let mut session = engine::open(&database.address, &database.options())
        .await
        .unwrap();
    let plan = tenantry::plan::plan(&files, session.history(), &Goal::Head).unwrap();
    let (first, second) = (plan.steps[..1].to_vec(), plan.steps[1..].to_vec());
    session.carry_out(&unit(first)).await.unwrap();
    database
        .query(&format!("COMMENT ON DATABASE {name} IS 'theirs'"))
        .await;
    session.carry_out(&unit(second)).await.unwrap();
    assert_eq!(database.one(COMMENT).await, "theirs");
    session.settle_marker(&TrackName::Tenant).await;
    let marker = deserved(&database).await;
    assert_eq!(database.one(COMMENT).await, format!("theirs {marker}"));
}

#[tokio::test]
async fn a_comment_that_is_long_or_kept_from_us_is_let_be() {
    let Some(database) = fresh(Engine::Postgres).await else {
        return;
    };
    let name = database.one("SELECT current_database()").await;
    let long = format!(
        "DO $$ BEGIN EXECUTE 'COMMENT ON DATABASE {name} IS ''' || repeat('x', 1000000) || ''''; END $$"
    );
    database.query(&long).await;
    to_head(&database, &track(&[TABLE])).await.unwrap();
    settle(&database).await;
    assert_eq!(
        database
            .one(&COMMENT.replacen(
                "shobj_description(oid, 'pg_database')",
                "length(shobj_description(oid, 'pg_database'))",
                1
            ))
            .await,
        "1000000"
    );
}

/// Its owner may write the comment, and not read it: the server keeps the catalog of comments from everybody.
#[tokio::test]
async fn a_server_that_tells_no_comments_is_migrated_all_the_same() {
    let Some(mut database) = fresh(Engine::Postgres).await else {
        return;
    };
    let name = database.one("SELECT current_database()").await;
    let role = format!("owner_of_{name}");
    // The server's log has what it is sent, and no password is to be in it.
    let stored = postgres_protocol::password::scram_sha_256(b"kept");
    for sql in [
        format!("CREATE ROLE {role} LOGIN PASSWORD '{stored}'"),
        format!("ALTER DATABASE {name} OWNER TO {role}"),
        format!("COMMENT ON DATABASE {name} IS 'theirs'"),
        "REVOKE SELECT ON pg_catalog.pg_shdescription FROM PUBLIC".to_owned(),
    ] {
        database.query(&sql).await;
    }
    if let Address::Network(network) = &mut database.address {
        network.login = Login {
            user: role,
            password: SecretString::from("kept"),
        };
    }
    let done = to_head(&database, &track(&[TABLE, LATER])).await.unwrap();
    assert_eq!(done.len(), 2);
    settle(&database).await;
    assert_eq!(database.one(COMMENT).await, "theirs");
    assert!(
        engine::survey(&[&database.address], &database.options())
            .await
            .is_none()
    );
}

#[tokio::test]
async fn what_an_older_program_migrated_is_marked_by_one_run() {
    let Some(database) = fresh(Engine::Postgres).await else {
        return;
    };
    to_head(&database, &track(&[TABLE])).await.unwrap();
    let (name, marker) = (
        database.one("SELECT current_database()").await,
        deserved(&database).await,
    );
    for other in ["NULL", "'[tenantry tenant 7 00000000000000000000000000000000]'"] {
        database
            .query(&format!("COMMENT ON DATABASE {name} IS {other}"))
            .await;
        // Reading writes nothing.
        history(&database).await;
        assert_ne!(database.one(COMMENT).await, marker);
        settle(&database).await;
        assert_eq!(database.one(COMMENT).await, marker);
    }
}
