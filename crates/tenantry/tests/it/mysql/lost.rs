//! What goes with its session without a statement of the file saying so, and where rows may be cut.

use tenantry::engine::{ApplyError, StateAfter};

use super::fixture::Database;
use super::values::{goes_on, state_of};

#[tokio::test]
async fn what_only_the_lost_session_knew_needs_a_decision() {
    let sequence = "CREATE SEQUENCE s;\nINSERT INTO u VALUES (NEXTVAL(s) + 10)";
    for (first, ask) in [
        (sequence, "LASTVAL(s)"),
        (sequence, "PREVIOUS VALUE FOR s"),
        ("CREATE PROCEDURE p() SET @new = 42;\nCALL p()", "@new"),
        (
            "CREATE TRIGGER g AFTER INSERT ON u FOR EACH ROW SET @new = 42;\nINSERT INTO u VALUES (7)",
            "@new",
        ),
        (
            "PREPARE q FROM 'SELECT MAX(n) INTO @m FROM u';\nEXECUTE q;\nDEALLOCATE PREPARE q",
            "@m",
        ),
        (
            "INSERT INTO c VALUES (CONNECTION_ID(), 1)",
            "(SELECT n FROM c WHERE pid = CONNECTION_ID())",
        ),
        ("SET INSERT_ID = 500;\nINSERT INTO a (n) VALUES (1)", "1"),
    ] {
        let Some(mut db) = Database::create().await else {
            return;
        };
        let text = |table: &str| {
            format!("{first};\nCREATE TABLE e (n BIGINT);\nINSERT INTO {table} VALUES ({ask});\n")
        };
        let state = state_of(&mut db, &text("missing")).await;
        assert!(
            matches!(state, StateAfter::SessionLost { .. }),
            "{first} {ask}: {state:?}"
        );
        let error = goes_on(&mut db, &text("e")).await.unwrap_err();
        assert!(
            matches!(error, ApplyError::SessionLost { .. }),
            "{first} {ask}: {error:?}"
        );
        assert_eq!(db.one("SELECT COUNT(*) FROM e").await, "0");
        db.drop().await;
    }
}

#[tokio::test]
async fn many_rows_are_not_cut_between_a_statement_and_its_row_count() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let mut text = "INSERT INTO c VALUES (1, 0), (2, 0), (3, 0);\n".to_owned();
    text.push_str(&"UPDATE c SET n = n + 1;\nINSERT INTO a (n) VALUES (ROW_COUNT());\n".repeat(300));
    goes_on(&mut db, &text).await.unwrap();
    assert_eq!(db.one("SELECT COUNT(*) FROM a").await, "300");
    assert_eq!(db.one("SELECT COUNT(*) FROM a WHERE n <> 3").await, "0");
    db.drop().await;
}

#[tokio::test]
async fn rows_that_cannot_be_cut_go_together_however_many_they_are() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let text = "INSERT INTO a (n) VALUES (1);\n".to_owned()
        + &"INSERT INTO a (n) VALUES (ROW_COUNT());\n".repeat(1100);
    goes_on(&mut db, &text).await.unwrap();
    assert_eq!(db.one("SELECT COUNT(*) FROM a WHERE n = 1").await, "1101");
    db.drop().await;
}
