//! Our own writes wait for whoever keeps our tables locked, where somebody would have to ask a person otherwise.

use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use tenantry::engine::{ApplyError, StateAfter};
use tenantry::migration::Track;
use tenantry::plan::Goal;

use super::fixture::{Database, migrate_on, track};
use super::proxy::Cut;

const TABLES: &str = "CREATE TABLE t (n INT);\nCREATE TABLE u (n INT);\nINSERT INTO t VALUES (2);\n";
const READ: &str = "LOCK TABLES _tenantry_history READ";
/// Longer than a statement waits, and shorter than our writes do.
const DUMP: Duration = Duration::from_secs(8);

fn files(second: &str) -> Track {
    track(&[(TABLES, None), (second, None)])
}

async fn with_tables() -> Option<Database> {
    let mut db = Database::create().await?;
    db.migrate(&track(&[(TABLES, None)]), &Goal::Head).await.unwrap();
    db.alone().await;
    Some(db)
}

/// Another connection to the same database.
async fn another(db: &Database) -> Conn {
    let mut conn = db.server.admin().await;
    let quoted = db.name.replace('`', "``");
    conn.query_drop(format!("USE `{quoted}`")).await.unwrap();
    conn
}

/// Locks the history for a while, as a dump does.
async fn dump(dump: &mut Conn) {
    dump.query_drop(READ).await.unwrap();
    tokio::time::sleep(DUMP).await;
    dump.query_drop("UNLOCK TABLES").await.unwrap();
}

/// Somebody else's ALTER kept ours from running: its change must not be taken for ours.
#[tokio::test]
async fn what_a_refused_statement_leaves_open_is_written_although_the_history_is_locked() {
    let Some(mut db) = with_tables().await else {
        return;
    };
    let files = files("ALTER TABLE t COMMENT = 'ours';\n");
    let mut dumping = another(&db).await;
    db.run("LOCK TABLES t WRITE").await;
    let mut session = db.open().await.unwrap();
    let running = migrate_on(session.as_mut(), &files, &Goal::Head);
    let theirs = async {
        db.when("Waiting for table metadata lock").await;
        db.run("ALTER TABLE t ADD COLUMN theirs INT").await;
        dump(&mut dumping).await;
    };
    let (result, ()) = tokio::join!(running, theirs);
    db.run("UNLOCK TABLES").await;
    let state = StateAfter::Ambiguous;
    assert!(
        matches!(&result, Err(ApplyError::Statement { state: left, .. }) if *left == state),
        "{result:?}"
    );
    drop(session);
    dumping.disconnect().await.unwrap();
    db.alone().await;
    let again = db.migrate(&files, &Goal::Head).await;
    assert!(matches!(again, Err(ApplyError::Ambiguous { .. })), "{again:?}");
    db.drop().await;
}

/// A renaming in a ring leaves nothing to look at, but this session heard that it was refused.
#[tokio::test]
async fn what_was_refused_is_written_although_the_history_is_locked() {
    let Some(mut db) = with_tables().await else {
        return;
    };
    let files = files("RENAME TABLE t TO t_x, u TO t, t_x TO u;\n");
    let mut dumping = another(&db).await;
    db.run("START TRANSACTION").await;
    db.one("SELECT COUNT(*) FROM t").await;
    let mut session = db.open().await.unwrap();
    let running = migrate_on(session.as_mut(), &files, &Goal::Head);
    let reading = async {
        db.when("Waiting for table metadata lock").await;
        dump(&mut dumping).await;
    };
    let (result, ()) = tokio::join!(running, reading);
    let state = StateAfter::RolledBack;
    assert!(
        matches!(&result, Err(ApplyError::Statement { state: left, .. }) if *left == state),
        "{result:?}"
    );
    drop(session);
    dumping.disconnect().await.unwrap();
    db.run("COMMIT").await;
    db.alone().await;
    db.migrate(&files, &Goal::Head).await.unwrap();
    assert_eq!(db.one("SELECT COUNT(*) FROM u").await, "1");
    db.drop().await;
}

/// What is asked of the next statement's table comes behind the checkpoint.
#[tokio::test]
async fn a_table_that_is_locked_next_takes_no_checkpoint_along() {
    let Some(mut db) = with_tables().await else {
        return;
    };
    let files = files(
        "CREATE OR REPLACE TABLE c (n INT);\nALTER TABLE t ADD COLUMN x INT;\nINSERT INTO c VALUES (1);\n",
    );
    let mut theirs = another(&db).await;
    let mut session = db.open().await.unwrap();
    let copying = theirs.query_drop("CREATE OR REPLACE TABLE t AS SELECT 1 AS n, SLEEP(6) AS s");
    let running = async {
        db.when("User sleep").await;
        migrate_on(session.as_mut(), &files, &Goal::Head).await
    };
    let (copied, result) = tokio::join!(copying, running);
    copied.unwrap();
    result.unwrap_err();
    drop(session);
    theirs.disconnect().await.unwrap();
    db.alone().await;
    db.migrate(&files, &Goal::Head).await.unwrap();
    assert_eq!(db.one("SELECT COUNT(*) FROM c").await, "1");
    db.drop().await;
}

/// The temporary table is gone with its session, so an intent must not end it.
#[tokio::test]
async fn an_intent_waits_where_only_its_session_can_go_on() {
    let Some(mut db) = with_tables().await else {
        return;
    };
    for next in [
        "CREATE TABLE b (n INT);\nINSERT INTO b SELECT n FROM kept;\n",
        "SET @x = (SELECT MAX(n) FROM kept);\nINSERT INTO a SELECT n FROM kept;\nRENAME TABLE a TO b;\n",
    ] {
        let second = format!(
            "CREATE TABLE a (n INT);\nCREATE TEMPORARY TABLE kept AS SELECT 2 AS n;\n\
             CREATE TEMPORARY TABLE more AS SELECT SLEEP(1) AS n;\n{next}DROP TABLE IF EXISTS a;\n"
        );
        let files = files(&second);
        let mut dumping = another(&db).await;
        let mut session = db.open().await.unwrap();
        let running = migrate_on(session.as_mut(), &files, &Goal::Head);
        let locking = async {
            db.when("User sleep").await;
            dump(&mut dumping).await;
        };
        let (result, ()) = tokio::join!(running, locking);
        result.unwrap();
        assert_eq!(db.one("SELECT GROUP_CONCAT(n) FROM b").await, "2", "{next}");
        drop(session);
        dumping.disconnect().await.unwrap();
        db.run("DROP TABLE b").await;
        db.run("DELETE FROM _tenantry_history WHERE version = 2").await;
        db.alone().await;
    }
    db.drop().await;
}

/// Nothing is left to run, so nothing has to be set again.
#[tokio::test]
async fn a_file_of_which_everything_is_in_place_ends_wherever_it_is_cut() {
    let second = "CREATE TABLE a (n INT);\nSET @old = (SELECT COUNT(*) FROM u);\nCALL p();\n";
    let procedure = "CREATE PROCEDURE p() DROP TABLE u;\n";
    let files = track(&[(TABLES, None), (procedure, None), (second, None)]);
    let mut number = 0;
    let mut finished = 0;
    loop {
        number += 1;
        let Some(mut db) = Database::create().await else {
            return;
        };
        let before = Goal::UpTo("2".parse().unwrap());
        db.migrate(&files, &before).await.unwrap();
        let ended = db.migrate_cut(&files, &Goal::Head, Cut::After(number)).await;
        db.alone().await;
        let again = db.migrate(&files, &Goal::Head).await;
        let asks = matches!(again, Err(ApplyError::Ambiguous { .. }));
        assert!(again.is_ok() || asks, "cut at {number}: {again:?}");
        finished += usize::from(again.is_ok());
        db.drop().await;
        if ended.is_some() {
            break;
        }
    }
    // The intent of the CALL is there, or the CALL as well.
    assert_eq!(number - finished, 2);
}
