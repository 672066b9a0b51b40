//! What statements leave in their session, and statements that look as if they changed nothing else.

use tenantry::engine::{ApplyError, StateAfter};
use tenantry::plan::Goal;

use super::fixture::{Database, track};

const BASE: &str = "CREATE TABLE a (id INT PRIMARY KEY AUTO_INCREMENT, n INT);
CREATE TABLE u (n INT UNIQUE);
CREATE TABLE c (pid INT, n INT);
CREATE FUNCTION fw() RETURNS INT BEGIN INSERT INTO a (n) VALUES (77); RETURN 5; END;
INSERT INTO u VALUES (1);
";

/// Carries a file out behind the tables, which must fail; returns what is true then.
async fn state_of(db: &mut Database, text: &str) -> StateAfter {
    db.alone().await;
    let files = track(&[(BASE, None), (text, None)]);
    let error = db.migrate(&files, &Goal::Head).await.unwrap_err();
    let ApplyError::Statement { state, .. } = error else {
        panic!("{error:?}");
    };
    state
}

async fn goes_on(db: &mut Database, text: &str) -> Result<(), ApplyError> {
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
    for set in ["SET @id = fw()", "SELECT fw() INTO @id", "SELECT @id := fw()"] {
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
