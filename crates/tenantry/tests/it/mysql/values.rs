//! What statements leave in their session, and statements that look as if they changed nothing else.

use tenantry::engine::{ApplyError, StateAfter};
use tenantry::plan::Goal;

use super::fixture::{Database, migrate_on, track};

pub(super) const BASE: &str = "CREATE TABLE a (id INT PRIMARY KEY AUTO_INCREMENT, n INT);
CREATE TABLE u (n INT UNIQUE);
CREATE TABLE c (pid INT, n INT);
CREATE FUNCTION fw() RETURNS INT BEGIN INSERT INTO a (n) VALUES (77); RETURN 5; END;
CREATE FUNCTION st_new_invoice() RETURNS INT BEGIN INSERT INTO a (n) VALUES (78); RETURN 7; END;
CREATE FUNCTION any_value(x INT) RETURNS INT BEGIN INSERT INTO a (n) VALUES (79); RETURN 7; END;
INSERT INTO u VALUES (1);
";

/// Carries a file out behind the tables, which must fail; returns what is true then.
pub(super) async fn state_of(db: &mut Database, text: &str) -> StateAfter {
    db.alone().await;
    let files = track(&[(BASE, None), (text, None)]);
    let error = db.migrate(&files, &Goal::Head).await.unwrap_err();
    let ApplyError::Statement { state, .. } = error else {
        panic!("{error:?}");
    };
    state
}

pub(super) async fn goes_on(db: &mut Database, text: &str) -> Result<(), ApplyError> {
    db.alone().await;
    let files = track(&[(BASE, None), (text, None)]);
    db.migrate(&files, &Goal::Head).await.map(drop)
}

#[tokio::test]
async fn a_statement_with_settings_of_its_own_is_what_it_is_without_them() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let text = |last: u8| {
        format!(
            "SET STATEMENT max_statement_time=10 FOR INSERT INTO a (n) VALUES (1);\n\
             INSERT INTO u VALUES ({last});\n"
        )
    };
    assert_eq!(state_of(&mut db, &text(1)).await, StateAfter::RolledBack);
    assert_eq!(db.one("SELECT COUNT(*) FROM a").await, "0");
    goes_on(&mut db, &text(2)).await.unwrap();
    assert_eq!(db.one("SELECT COUNT(*) FROM a").await, "1");
    db.drop().await;
}

#[tokio::test]
async fn a_variable_from_a_function_that_writes_is_never_set_a_second_time() {
    for set in [
        "SET @id = fw()",
        "SELECT fw() INTO @id",
        "SELECT @id := fw()",
        "SET @id = st_new_invoice()",
        "SET @id = any_value(1)",
    ] {
        for rerun in ["", "-- tenantry: resume rerun\n"] {
            let Some(mut db) = Database::create().await else {
                return;
            };
            let text = |last: u8| format!("{rerun}{set};\nINSERT INTO u VALUES ({last});\n");
            let state = state_of(&mut db, &text(1)).await;
            assert_ne!(state, StateAfter::RolledBack, "{set}");
            assert_eq!(db.one("SELECT COUNT(*) FROM a").await, "1", "{set}");
            // Whether it goes on or needs a person: the row is not written again.
            drop(goes_on(&mut db, &text(2)).await);
            assert_eq!(db.one("SELECT COUNT(*) FROM a").await, "1", "{set}");
            db.drop().await;
        }
    }
}

#[tokio::test]
async fn a_temporary_table_from_a_function_that_writes_is_never_made_a_second_time() {
    for make in [
        "CREATE TEMPORARY TABLE tt AS SELECT fw() AS x",
        "SET STATEMENT max_statement_time=9 FOR CREATE TEMPORARY TABLE tt (n INT DEFAULT 1) SELECT fw() AS x",
    ] {
        let Some(mut db) = Database::create().await else {
            return;
        };
        let text = |last: u8| format!("{make};\nINSERT INTO u VALUES ({last});\n");
        let state = state_of(&mut db, &text(1)).await;
        assert_eq!(state, StateAfter::SessionLost { done: 1 }, "{make}");
        let error = goes_on(&mut db, &text(2)).await.unwrap_err();
        assert!(matches!(error, ApplyError::SessionLost { .. }), "{error:?}");
        assert_eq!(db.one("SELECT COUNT(*) FROM a").await, "1", "{make}");
        db.drop().await;
    }
}

#[tokio::test]
async fn a_variable_from_the_servers_functions_stays_in_the_transaction_of_its_rows() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let text = |last: u8| {
        format!(
            "INSERT INTO a (n) VALUES (1);\nSET @id = LAST_INSERT_ID();\nINSERT INTO c VALUES (@id, 1);\n\
             INSERT INTO u VALUES ({last});\n"
        )
    };
    assert_eq!(state_of(&mut db, &text(1)).await, StateAfter::RolledBack);
    assert_eq!(db.one("SELECT COUNT(*) FROM a").await, "0");
    goes_on(&mut db, &text(2)).await.unwrap();
    assert_eq!(db.one("SELECT pid = id FROM c JOIN a").await, "1");
    db.drop().await;
}

#[tokio::test]
async fn a_generated_id_that_went_with_its_session_needs_a_decision() {
    for (first, done) in [
        ("INSERT INTO a (n) VALUES (1);\nALTER TABLE u ADD m INT;\n", 2),
        (
            "CREATE TABLE m (n INT) ENGINE=MyISAM;\nINSERT INTO a (n) VALUES (1);\n",
            2,
        ),
    ] {
        for ask in ["LAST_INSERT_ID()", "@@last_insert_id", "@@SESSION.identity"] {
            let Some(mut db) = Database::create().await else {
                return;
            };
            let text = |table: &str| format!("{first}INSERT INTO {table} (pid, n) VALUES ({ask}, 1);\n");
            let state = state_of(&mut db, &text("missing")).await;
            assert_eq!(state, StateAfter::SessionLost { done }, "{first}{ask}");
            let error = goes_on(&mut db, &text("c")).await.unwrap_err();
            assert!(matches!(error, ApplyError::SessionLost { .. }), "{error:?}");
            assert_eq!(db.one("SELECT COUNT(*) FROM c").await, "0");
            db.drop().await;
        }
    }
}

#[tokio::test]
async fn rows_are_not_committed_between_an_id_and_its_use() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let many = "INSERT INTO c VALUES (0, 0);\n".repeat(499);
    let text = |seconds: u8| {
        format!(
            "{many}INSERT INTO a (n) VALUES (6);\nINSERT INTO c SELECT LAST_INSERT_ID(), SLEEP({seconds});\n"
        )
    };
    let slow = text(60);
    let files = track(&[(BASE, None), (&slow, None)]);
    let mut session = db.open().await.unwrap();
    let running = migrate_on(session.as_mut(), &files, &Goal::Head);
    let stop = db.kill_sleeping("KILL CONNECTION");
    let (result, ()) = tokio::join!(running, stop);
    assert!(matches!(result, Err(ApplyError::Session { .. })), "{result:?}");
    drop(session);
    goes_on(&mut db, &text(0)).await.unwrap();
    assert_eq!(db.one("SELECT COUNT(*) FROM c JOIN a ON pid = id").await, "1");
    assert_eq!(db.one("SELECT COUNT(*) FROM c").await, "500");
    db.drop().await;
}

#[tokio::test]
async fn a_variable_is_missed_wherever_it_was_given_its_value() {
    for give in [
        "UPDATE u SET n = (@v := n + 10)",
        "WITH w AS (SELECT 1 AS n) SELECT n INTO @v FROM w",
        "DO @v := 88",
        "CREATE PROCEDURE po(OUT x INT) SET x = 3;\nCALL po(@v)",
        "SET @v = @@last_insert_id",
        "CREATE SEQUENCE s;\nSET @v = NEXT VALUE FOR s",
    ] {
        let Some(mut db) = Database::create().await else {
            return;
        };
        let text =
            |table: &str| format!("{give};\nCREATE TABLE e (n INT);\nINSERT INTO {table} VALUES (@v);\n");
        let state = state_of(&mut db, &text("missing")).await;
        assert!(
            matches!(state, StateAfter::SessionLost { .. }),
            "{give}: {state:?}"
        );
        let error = goes_on(&mut db, &text("e")).await.unwrap_err();
        assert!(
            matches!(error, ApplyError::SessionLost { .. }),
            "{give}: {error:?}"
        );
        assert_eq!(db.one("SELECT COUNT(*) FROM e").await, "0");
        db.drop().await;
    }
}

#[tokio::test]
async fn what_analyze_carries_out_is_in_the_transaction_of_its_rows() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let text = "ANALYZE UPDATE u SET n = 9;\nINSERT INTO u VALUES (9);\n";
    assert_eq!(state_of(&mut db, text).await, StateAfter::RolledBack);
    assert_eq!(db.one("SELECT n FROM u").await, "1");
    db.drop().await;
}

#[tokio::test]
async fn a_lasting_table_is_dropped_behind_a_temporary_one_of_its_name() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let text = |name: &str| {
        format!(
            "CREATE TABLE t (n INT);\nCREATE TEMPORARY TABLE t (n INT);\nINSERT INTO u VALUES (2);\n\
             DROP TEMPORARY TABLE {name};\nDROP TABLE t;\n"
        )
    };
    state_of(&mut db, &text("missing")).await;
    goes_on(&mut db, &text("t")).await.unwrap();
    assert_eq!(
        db.rows::<String>("SHOW TABLES LIKE 't'").await,
        Vec::<String>::new()
    );
    db.drop().await;
}
