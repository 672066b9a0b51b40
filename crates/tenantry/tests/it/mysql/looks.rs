//! What objects look like is evidence only where it is compared with its like.

use tenantry::engine::{ApplyError, StateAfter};
use tenantry::plan::Goal;

use super::fixture::{Database, migrate_on, track};
use super::proxy::Cut;

const EVENTS: &str =
    "CREATE TABLE ev (n INT COMMENT 'Größe', at TIMESTAMP NOT NULL DEFAULT '2000-01-01 00:00:00');\n";

/// Ends the session that carries a file out while its statement waits for a table; the statement never runs.
pub(super) async fn never_runs(db: &mut Database, files: &[(&str, Option<&str>)], table: &str) {
    db.run("START TRANSACTION").await;
    db.one(&format!("SELECT COUNT(*) FROM {table}")).await;
    let files = track(files);
    let mut session = db.open().await.unwrap();
    let running = migrate_on(session.as_mut(), &files, &Goal::Head);
    let stop = db.kill_waiting("KILL CONNECTION", "Waiting for table metadata lock");
    let (result, ()) = tokio::join!(running, stop);
    assert!(matches!(result, Err(ApplyError::Session { .. })), "{result:?}");
    drop(session);
    db.run("COMMIT").await;
    db.alone().await;
}

async fn columns(db: &mut Database, column: &str) -> String {
    db.one(&format!(
        "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() \
         AND column_name = '{column}'"
    ))
    .await
}

#[tokio::test]
async fn a_statement_that_never_ran_is_not_taken_for_done_under_the_settings_of_its_file() {
    for setting in [
        "SET time_zone = '+02:00'",
        "/*!40103 SET TIME_ZONE='+05:00' */",
        "SET NAMES latin1",
        "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
    ] {
        let Some(mut db) = Database::create().await else {
            return;
        };
        let text = format!("{setting};\nALTER TABLE ev ADD COLUMN extra INT NULL;\n");
        let files = [(EVENTS, None), (text.as_str(), None)];
        db.migrate(&track(&files[..1]), &Goal::Head).await.unwrap();
        db.alone().await;
        never_runs(&mut db, &files, "ev").await;
        assert_eq!(columns(&mut db, "extra").await, "0");
        db.migrate(&track(&files), &Goal::Head).await.unwrap();
        assert_eq!(columns(&mut db, "extra").await, "1", "{setting}");
        db.drop().await;
    }
}

#[tokio::test]
async fn a_setting_that_nobody_can_repeat_makes_a_lost_statement_ambiguous() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let make = format!("{EVENTS}CREATE PROCEDURE z() SET SESSION time_zone = '+02:00';\n");
    let text = "CALL z();\nALTER TABLE ev ADD COLUMN extra INT NULL;\n";
    let files = [(make.as_str(), None), (text, None)];
    db.migrate(&track(&files[..1]), &Goal::Head).await.unwrap();
    db.alone().await;
    never_runs(&mut db, &files, "ev").await;
    let error = db.migrate(&track(&files), &Goal::Head).await.unwrap_err();
    assert!(
        matches!(error, ApplyError::Ambiguous { statement: 1, .. }),
        "{error:?}"
    );
    db.drop().await;
}

#[tokio::test]
async fn a_failing_statement_fails_again_behind_a_file_with_settings() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let first = format!("{EVENTS}SET time_zone = '+02:00';\nCREATE TABLE z (n INT);\n");
    let text = "ALTER TABLE ev ADD COLUMN extra INTT NULL;\n";
    let files = [(first.as_str(), None), (text, None)];
    for _ in 0..2 {
        db.alone().await;
        let error = db.migrate(&track(&files), &Goal::Head).await.unwrap_err();
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
    }
    let mended = [files[0], ("ALTER TABLE ev ADD COLUMN extra INT NULL;\n", None)];
    db.alone().await;
    db.migrate(&track(&mended), &Goal::Head).await.unwrap();
    assert_eq!(columns(&mut db, "extra").await, "1");
    db.drop().await;
}

#[tokio::test]
async fn a_definition_that_changes_by_itself_is_no_evidence() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let make = "CREATE TABLE h (n INT) WITH SYSTEM VERSIONING PARTITION BY SYSTEM_TIME LIMIT 100 AUTO;\n";
    let text = "CREATE INDEX h_n ON h (n);\n";
    let files = [(make, None), (text, None)];
    db.migrate(&track(&files[..1]), &Goal::Head).await.unwrap();
    db.alone().await;
    never_runs(&mut db, &files, "h").await;
    let error = db.migrate(&track(&files), &Goal::Head).await.unwrap_err();
    assert!(matches!(error, ApplyError::Ambiguous { .. }), "{error:?}");
    db.drop().await;
}

/// Cuts a run at every message and goes on; what was in place once is never taken back in silence.
pub(super) async fn is_done_once(make: &str, text: &str, question: &str, expected: &str) {
    let mut ambiguous = 0;
    for cut in (1..).flat_map(|at| [Cut::Before(at), Cut::After(at)]) {
        let Some(mut db) = Database::create().await else {
            return;
        };
        let files = [(make, None), (text, None)];
        db.migrate(&track(&files[..1]), &Goal::Head).await.unwrap();
        db.alone().await;
        let whole = db.migrate_cut(&track(&files), &Goal::Head, cut).await.is_some();
        db.alone().await;
        match db.migrate(&track(&files), &Goal::Head).await {
            Ok(_) => assert_eq!(db.one(question).await, expected, "{cut:?}"),
            Err(ApplyError::Ambiguous { .. }) => ambiguous += 1,
            Err(error) => panic!("{error:?}"),
        }
        db.drop().await;
        if whole {
            break;
        }
    }
    assert!(ambiguous > 0, "nothing was cut while the statement ran");
}

#[tokio::test]
async fn a_swap_of_equal_tables_is_never_undone() {
    let make = "CREATE TABLE live (n INT);\nCREATE TABLE fresh (n INT);\nINSERT INTO fresh VALUES (7);\n";
    let text = "RENAME TABLE live TO other, fresh TO live, other TO fresh;\nUPDATE live SET n = 7;\n";
    is_done_once(make, text, "SELECT COALESCE(MAX(n), 0) FROM live", "7").await;
}

#[tokio::test]
async fn a_table_that_was_replaced_is_not_replaced_again() {
    let make = "CREATE TABLE cache (n INT);\nINSERT INTO cache VALUES (7);\n";
    let text = "CREATE OR REPLACE TABLE cache (n INT);\nINSERT INTO cache VALUES (8);\n";
    is_done_once(make, text, "SELECT GROUP_CONCAT(n) FROM cache", "8").await;
}

/// A number or a bit says whether a statement took effect; of a text nobody knows what its author meant.
#[tokio::test]
async fn a_query_that_is_not_true_says_that_a_statement_was_not_applied() {
    for (query, is_applied) in [
        ("SUM(paid)", Some(false)),
        ("unset", Some(false)),
        ("''", Some(false)),
        ("NULL", Some(false)),
        ("is_set", Some(true)),
        ("0.5", Some(true)),
        ("COUNT(*) = 1", Some(true)),
        ("'no'", None),
        ("'1 of 5'", None),
        ("state", None),
        ("CAST('00:30:00' AS TIME)", None),
    ] {
        let Some(mut db) = Database::create().await else {
            return;
        };
        let make = "CREATE TABLE acct (paid DECIMAL(9,2), unset BIT(1), is_set BIT(1), state ENUM('done'));\n\
                    INSERT INTO acct VALUES (0, b'0', b'1', 'done');\nCREATE PROCEDURE pay() DO SLEEP(60);\n";
        let text = format!("-- tenantry: verify SELECT {query} FROM acct\nCALL pay();\n");
        let files = [(make, None), (text.as_str(), None)];
        let tracked = track(&files);
        let mut session = db.open().await.unwrap();
        let running = migrate_on(session.as_mut(), &tracked, &Goal::Head);
        let (result, ()) = tokio::join!(running, db.kill_sleeping("KILL CONNECTION"));
        assert!(matches!(result, Err(ApplyError::Session { .. })), "{result:?}");
        drop(session);
        db.alone().await;
        db.run("CREATE OR REPLACE PROCEDURE pay() UPDATE acct SET paid = 1")
            .await;
        let again = db.migrate(&tracked, &Goal::Head).await;
        let asks = matches!(again, Err(ApplyError::Ambiguous { .. }));
        assert!(again.is_ok() || asks, "{query}: {again:?}");
        assert_eq!(asks, is_applied.is_none(), "{query}");
        let ran = if is_applied == Some(false) { "1.00" } else { "0.00" };
        assert_eq!(db.one("SELECT SUM(paid) FROM acct").await, ran, "{query}");
        db.drop().await;
    }
}

#[tokio::test]
async fn a_setting_that_cannot_be_set_again_says_what_the_history_says() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let make = "CREATE TABLE a (n INT);\nCREATE TABLE log (n INT);\n\
                CREATE PROCEDURE p() INSERT INTO log VALUES (1);\n";
    let text = |call: &str| {
        format!(
            "-- tenantry: resume rerun\nSET @x = (SELECT MAX(n) FROM a);\nCREATE TABLE b (n INT);\nCALL {call}();\n"
        )
    };
    let (wrong, right) = (text("pp"), text("p"));
    db.migrate(&track(&[(make, None), (&wrong, None)]), &Goal::Head)
        .await
        .unwrap_err();
    db.alone().await;
    let files = track(&[(make, None), (&right, None)]);
    db.run("LOCK TABLES a WRITE").await;
    let error = db.migrate(&files, &Goal::Head).await.unwrap_err();
    db.run("UNLOCK TABLES").await;
    assert!(
        matches!(
            error,
            ApplyError::Statement {
                state: StateAfter::HalfWay { done: 2 },
                ..
            }
        ),
        "{error:?}"
    );
    db.alone().await;
    db.migrate(&files, &Goal::Head).await.unwrap();
    assert_eq!(db.one("SELECT COUNT(*) FROM log").await, "1");
    db.drop().await;
}
