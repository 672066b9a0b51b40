//! Taking up a file that was cut off: what cannot be known is never guessed.

use mysql_async::prelude::Queryable as _;
use tenantry::engine::{self, Address, ApplyError, Login, SessionError, StateAfter};
use tenantry::plan::Goal;

use super::fixture::{Database, migrate_on, track, unique};

/// Makes a user who may do everything in the database but see how its views are made.
async fn user_without_show_view(db: &mut Database) -> Login {
    let user = unique("no_show_view");
    let database = db.name.replace('`', "``");
    db.run(&format!(
        "CREATE USER `{user}`@'%' IDENTIFIED BY 'S3cret-of-a-test'"
    ))
    .await;
    db.run(&format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, CREATE VIEW ON `{database}`.* \
         TO `{user}`@'%'"
    ))
    .await;
    Login {
        user,
        password: "S3cret-of-a-test".to_owned().into(),
    }
}

#[tokio::test]
async fn evidence_that_is_refused_is_an_error_and_not_an_absent_object() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let login = user_without_show_view(&mut db).await;
    db.migrate(
        &track(&[("CREATE VIEW v AS SELECT 1 AS n;\n", None)]),
        &Goal::Head,
    )
    .await
    .unwrap();
    let mut address = db.network();
    address.login = login.clone();
    for first in ["", "UPDATE m SET n = 2;\n"] {
        db.run("CREATE OR REPLACE TABLE m (n INT)").await;
        let second = format!("{first}CREATE OR REPLACE VIEW v AS SELECT 2 AS n;\n");
        let files = track(&[("CREATE VIEW v AS SELECT 1 AS n;\n", None), (&second, None)]);
        let mut session = engine::open(&Address::Network(address.clone()), &db.options())
            .await
            .unwrap();
        let error = migrate_on(session.as_mut(), &files, &Goal::Head)
            .await
            .unwrap_err();
        let ApplyError::Session {
            source: SessionError::Database(source),
            ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert!(source.code.contains("1142"), "{source:?}");
        // Nothing ran on what could not be seen.
        assert_eq!(db.one("SELECT n FROM v").await, "1");
        drop(session);
        db.alone().await;
    }
    let user = &login.user;
    db.admin
        .query_drop(format!("DROP USER `{user}`@'%'"))
        .await
        .unwrap();
    db.drop().await;
}

#[tokio::test]
async fn a_variable_that_cannot_be_computed_again_needs_a_decision() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let text = |last: &str| {
        format!(
            "SET @rows = (SELECT COUNT(*) FROM a);\nINSERT INTO a VALUES (2);\nCREATE TABLE b (n INT);\n{last};\n"
        )
    };
    let files = |last: &str| {
        let second = text(last);
        track(&[("CREATE TABLE a (n INT);\n", None), (&second, None)])
    };
    let error = db
        .migrate(&files("INSERT INTO missing VALUES (@rows)"), &Goal::Head)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ApplyError::Statement {
                statement: 3,
                state: StateAfter::SessionLost { done: 3 },
                ..
            }
        ),
        "{error:?}"
    );
    // Counted again it would be 1.
    for _ in 0..2 {
        db.alone().await;
        let error = db
            .migrate(&files("INSERT INTO b VALUES (@rows)"), &Goal::Head)
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                ApplyError::SessionLost {
                    step: 0,
                    statement: 0,
                    done: 3,
                    ..
                }
            ),
            "{error:?}"
        );
    }
    db.alone().await;
    assert_eq!(db.one("SELECT COUNT(*) FROM b").await, "0");
    db.drop().await;
}

/// Carries two files out, of which the second must fail; returns what is true then.
async fn state_of(db: &mut Database, text: &str) -> StateAfter {
    db.alone().await;
    let files = track(&[("CREATE TABLE a (n INT PRIMARY KEY);\n", None), (text, None)]);
    let error = db.migrate(&files, &Goal::Head).await.unwrap_err();
    let ApplyError::Statement { state, .. } = error else {
        panic!("{error:?}");
    };
    state
}

async fn goes_on(db: &mut Database, text: &str) -> Result<(), ApplyError> {
    db.alone().await;
    let files = track(&[("CREATE TABLE a (n INT PRIMARY KEY);\n", None), (text, None)]);
    db.migrate(&files, &Goal::Head).await.map(drop)
}

#[tokio::test]
async fn a_temporary_table_that_is_gone_needs_a_decision() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let text = |last: &str| {
        format!(
            "CREATE TEMPORARY TABLE t (n INT);\nINSERT INTO t VALUES (1);\nCREATE TABLE b (n INT);\n\
             INSERT INTO {last} SELECT n FROM t;\n"
        )
    };
    let state = state_of(&mut db, &text("missing")).await;
    assert_eq!(state, StateAfter::SessionLost { done: 3 });
    for _ in 0..2 {
        let error = goes_on(&mut db, &text("b")).await.unwrap_err();
        assert!(
            matches!(
                error,
                ApplyError::SessionLost {
                    statement: 0,
                    done: 3,
                    ..
                }
            ),
            "{error:?}"
        );
        assert_eq!(error.code().to_string(), "TN-2011");
        assert!(error.to_string().contains("made a temporary table"), "{error}");
    }
    assert_eq!(db.one("SELECT COUNT(*) FROM b").await, "0");
    db.drop().await;
}

#[tokio::test]
async fn before_anything_lasts_a_file_with_a_temporary_table_is_rolled_back_whole() {
    for engine in ["", " ENGINE=MEMORY", " ENGINE=MyISAM", " ENGINE=Aria"] {
        let Some(mut db) = Database::create().await else {
            return;
        };
        let text = |last: u8| {
            format!(
                "CREATE TEMPORARY TABLE t (n INT){engine};\nSET @most = (SELECT MAX(n) FROM a);\n\
                 INSERT INTO t VALUES (1);\nINSERT INTO a SELECT n FROM t;\nSET @n = LAST_INSERT_ID();\n\
                 INSERT INTO a VALUES ({last});\n"
            )
        };
        assert_eq!(
            state_of(&mut db, &text(1)).await,
            StateAfter::RolledBack,
            "{engine}"
        );
        assert_eq!(db.one("SELECT COUNT(*) FROM a").await, "0");
        goes_on(&mut db, &text(2)).await.unwrap();
        assert_eq!(db.one("SELECT COUNT(*) FROM a").await, "2");
        db.drop().await;
    }
}

#[tokio::test]
async fn a_temporary_table_that_its_file_has_dropped_is_not_missed() {
    for (drop, table) in [("DROP TEMPORARY TABLE t", "b"), ("DROP TABLE IF EXISTS t", "c")] {
        let Some(mut db) = Database::create().await else {
            return;
        };
        let text = |last: &str| {
            format!(
                "CREATE TEMPORARY TABLE t (n INT);\nINSERT INTO a VALUES (1);\n{drop};\n\
                 CREATE TABLE {table} (n INT);\nINSERT INTO {last} VALUES (1);\n"
            )
        };
        let state = state_of(&mut db, &text("missing")).await;
        assert_eq!(state, StateAfter::HalfWay { done: 4 }, "{drop}");
        goes_on(&mut db, &text(table)).await.unwrap();
        assert_eq!(db.one(&format!("SELECT COUNT(*) FROM {table}")).await, "1");
        db.drop().await;
    }
}

#[tokio::test]
async fn a_session_that_dies_before_anything_lasts_is_begun_again() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let text = "SET @a = (SELECT COUNT(*) FROM a);\nCREATE TEMPORARY TABLE t (n INT);\n\
                INSERT INTO t VALUES (@a + 1);\nINSERT INTO a SELECT n FROM t WHERE SLEEP(@wait) = 0;\n";
    let text = format!("SET @wait = 1;\n{text}");
    let files = track(&[("CREATE TABLE a (n INT PRIMARY KEY);\n", None), (&text, None)]);
    let mut session = db.open().await.unwrap();
    let running = migrate_on(session.as_mut(), &files, &Goal::Head);
    let stop = db.kill_sleeping("KILL CONNECTION");
    let (result, ()) = tokio::join!(running, stop);
    assert!(matches!(result, Err(ApplyError::Session { .. })), "{result:?}");
    drop(session);
    goes_on(&mut db, &text).await.unwrap();
    assert_eq!(db.one("SELECT GROUP_CONCAT(n) FROM a").await, "1");
    db.drop().await;
}

#[tokio::test]
async fn a_variable_with_a_constant_is_set_again() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let files = |last: &str| {
        let second = format!("SET @rows = 7;\nCREATE TABLE b (n INT);\n{last};\n");
        track(&[(&second, None)])
    };
    db.migrate(&files("INSERT INTO missing VALUES (@rows)"), &Goal::Head)
        .await
        .unwrap_err();
    db.alone().await;
    db.migrate(&files("INSERT INTO b VALUES (@rows)"), &Goal::Head)
        .await
        .unwrap();
    assert_eq!(db.one("SELECT n FROM b").await, "7");
    db.drop().await;
}

#[tokio::test]
async fn a_statement_that_somebody_else_stops_is_a_failure_with_the_servers_words() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let text = "CREATE TABLE a (n INT);\nINSERT INTO a VALUES (1), (SLEEP(60));\n";
    let files = track(&[(text, None)]);
    let mut session = db.open().await.unwrap();
    let running = migrate_on(session.as_mut(), &files, &Goal::Head);
    let stop = db.kill_sleeping("KILL QUERY");
    let (result, ()) = tokio::join!(running, stop);
    let error = result.unwrap_err();
    let ApplyError::Statement {
        source, statement: 1, ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert!(source.code.contains("1317"), "{source:?}");
    drop(session);
    db.drop().await;
}
