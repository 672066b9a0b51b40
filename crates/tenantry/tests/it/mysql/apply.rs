//! Applying and reverting: fresh databases, new files, failures half-way, what is left behind.

use tenantry::engine::{ApplyError, StateAfter};
use tenantry::plan::Goal;

use super::fixture::{Database, track};

const FIRST: &str = "CREATE TABLE users (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50));
CREATE INDEX users_name ON users (name);
INSERT INTO users (name) VALUES ('ann'), ('bob');
UPDATE users SET name = 'eve' WHERE id = 2;
";
const FIRST_BACK: &str = "DROP TABLE users;\n";
const SECOND: &str = "ALTER TABLE users ADD COLUMN age INT;
INSERT INTO users (name, age) VALUES ('kim', 7);
CREATE TABLE posts (id INT PRIMARY KEY, body TEXT);
INSERT INTO posts VALUES (1, 'a;b');
";

#[tokio::test]
async fn a_fresh_database_gets_every_file_and_a_second_run_finds_nothing() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let track = track(&[(FIRST, Some(FIRST_BACK)), (SECOND, None)]);
    let recorded = db.migrate(&track, &Goal::Head).await.unwrap();
    assert_eq!(recorded.len(), 2);
    assert_eq!(db.one("SELECT COUNT(*) FROM users").await, "3");
    assert_eq!(db.one("SELECT COUNT(*) FROM posts").await, "1");
    let rows: Vec<(i64, String, i64, i64, Option<String>)> = db
        .rows("SELECT version, phase, next_stmt, total_stmts, pre_fp FROM _tenantry_history ORDER BY 1")
        .await;
    let done = |version| (version, "done".to_owned(), 4, 4, None);
    assert_eq!(rows, [done(1), done(2)]);
    assert_eq!(db.migrate(&track, &Goal::Head).await.unwrap(), []);
    assert_eq!(db.one("SELECT epoch FROM _tenantry_meta").await, "1");
    db.drop().await;
}

#[tokio::test]
async fn one_new_file_is_applied_alone_under_a_new_claim() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let old = track(&[(FIRST, None)]);
    db.migrate(&old, &Goal::Head).await.unwrap();
    let new = track(&[(FIRST, None), (SECOND, None)]);
    assert_eq!(db.migrate(&new, &Goal::Head).await.unwrap().len(), 1);
    assert_eq!(db.one("SELECT COUNT(*) FROM users").await, "3");
    assert_eq!(db.one("SELECT epoch FROM _tenantry_meta").await, "2");
    db.drop().await;
}

#[tokio::test]
async fn a_failure_in_the_middle_is_half_way_and_the_mended_file_finishes_it() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let broken = "CREATE TABLE a (n INT);
INSERT INTO a VALUES (1);
CREATE TABLE b (n INT);
INSERT INTO a VALUES (2);
INSERT INTO missing VALUES (1);
CREATE TABLE c (n INT);
";
    let error = db
        .migrate(&track(&[(broken, None)]), &Goal::Head)
        .await
        .unwrap_err();
    let ApplyError::Statement {
        statement,
        state,
        source,
        ..
    } = error
    else {
        panic!("{error:?}");
    };
    // The rows of statement 3 share a transaction with the refused one.
    assert_eq!((statement, state), (4, StateAfter::HalfWay { done: 3 }));
    assert_eq!(source.class, tenantry::Code(2002));
    assert_eq!(source.code, "errno 1146, SQLSTATE 42S02");
    assert_eq!(db.one("SELECT GROUP_CONCAT(n) FROM a").await, "1");
    let mended = broken.replace("missing", "b");
    db.migrate(&track(&[(&mended, None)]), &Goal::Head).await.unwrap();
    assert_eq!(db.one("SELECT GROUP_CONCAT(n ORDER BY n) FROM a").await, "1,2");
    assert_eq!(db.one("SELECT COUNT(*) FROM b").await, "1");
    assert_eq!(db.one("SELECT COUNT(*) FROM c").await, "0");
    db.drop().await;
}

#[tokio::test]
async fn editing_what_has_run_stops_the_resume() {
    let Some(db) = Database::create().await else {
        return;
    };
    let broken = "CREATE TABLE a (n INT);\nCREATE TABLE a (m INT);\n";
    db.migrate(&track(&[(broken, None)]), &Goal::Head)
        .await
        .unwrap_err();
    let edited = "CREATE TABLE a (n BIGINT);\nCREATE TABLE b (m INT);\n";
    let error = db
        .migrate(&track(&[(edited, None)]), &Goal::Head)
        .await
        .unwrap_err();
    assert!(matches!(error, ApplyError::Edited { done: 1, .. }), "{error:?}");
    db.drop().await;
}

#[tokio::test]
async fn a_failing_first_statement_leaves_no_row() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    for text in ["CREATE TABLE a (n NOPE);\n", "INSERT INTO nowhere VALUES (1);\n"] {
        let error = db
            .migrate(&track(&[(text, None)]), &Goal::Head)
            .await
            .unwrap_err();
        let ApplyError::Statement { state, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(state, StateAfter::RolledBack);
        assert_eq!(db.one("SELECT COUNT(*) FROM _tenantry_history").await, "0");
    }
    db.drop().await;
}

#[tokio::test]
async fn a_syntax_error_is_pointed_at_exactly_and_in_the_files_own_text() {
    let Some(db) = Database::create().await else {
        return;
    };
    for (text, wrong) in [
        (
            "CREATE TABLE a (n INT);\nCREATE TABLE b (\n  n INT,\n  m INT WRONG WORDS\n);\n",
            "WORDS\n",
        ),
        (
            "CREATE TABLE a (n INT);\nINSERT INTO a VALEUS (1);\n",
            "VALEUS (1)",
        ),
    ] {
        let error = db
            .migrate(&track(&[(text, None)]), &Goal::Head)
            .await
            .unwrap_err();
        let ApplyError::Statement {
            offset,
            exact,
            source,
            ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert!(exact, "{source}");
        assert_eq!(offset, text.find(wrong).unwrap(), "{source}");
        assert!(!source.message.contains("_tenantry"), "{source}");
        let back = track(&[(
            text.split_inclusive('\n').next().unwrap(),
            Some("DROP TABLE a;\n"),
        )]);
        db.migrate(&back, &Goal::Head).await.unwrap();
        db.migrate(&back, &Goal::BackTo(None)).await.unwrap();
    }
    db.drop().await;
}

#[tokio::test]
async fn a_revert_deletes_the_row_and_the_file_can_be_applied_again() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let track = track(&[(FIRST, Some(FIRST_BACK))]);
    db.migrate(&track, &Goal::Head).await.unwrap();
    db.migrate(&track, &Goal::BackSteps(1)).await.unwrap();
    assert_eq!(db.one("SELECT COUNT(*) FROM _tenantry_history").await, "0");
    db.migrate(&track, &Goal::Head).await.unwrap();
    assert_eq!(db.one("SELECT COUNT(*) FROM users").await, "2");
    db.drop().await;
}
