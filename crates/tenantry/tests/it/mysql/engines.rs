//! Tables without transactions: what stays at ROLLBACK is never applied a second time.

use tenantry::engine::{ApplyError, StateAfter};
use tenantry::plan::Goal;

use super::fixture::{Database, migrate_on, track};
use super::proxy::Cut;

/// What the track below takes where every table is `InnoDB`, behind the log-in: two to open a new database,
/// one for our tables, three for two tables, two messages of rows with one of objects between, and the end.
const MESSAGES: usize = 10;

const MAKE: &str = "CREATE TABLE log (n INT PRIMARY KEY AUTO_INCREMENT, m INT) ENGINE=MyISAM;
CREATE TABLE u (n INT PRIMARY KEY);
INSERT INTO u VALUES (1);
";

async fn fails(db: &mut Database, files: &[(&str, Option<&str>)]) -> (usize, StateAfter) {
    db.alone().await;
    let error = db.migrate(&track(files), &Goal::Head).await.unwrap_err();
    let ApplyError::Statement { statement, state, .. } = error else {
        panic!("{error:?}");
    };
    (statement, state)
}

async fn is_ambiguous(db: &mut Database, files: &[(&str, Option<&str>)], at: usize) {
    for _ in 0..2 {
        db.alone().await;
        let error = db.migrate(&track(files), &Goal::Head).await.unwrap_err();
        let ApplyError::Ambiguous {
            statement, reason, ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!(statement, at);
        assert!(reason.contains("not InnoDB"), "{reason}");
    }
}

async fn rows_of_log(db: &mut Database) -> String {
    db.one("SELECT COUNT(*) FROM log").await
}

#[tokio::test]
async fn rows_that_stay_are_told_and_not_written_again() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let wrong = "INSERT INTO log (m) VALUES (1);\nINSERT INTO u VALUES (1);\n";
    let right = "INSERT INTO log (m) VALUES (1);\nINSERT INTO u VALUES (2);\n";
    let made = (MAKE, None);
    let failed = fails(&mut db, &[made, (wrong, None)]).await;
    assert_eq!(failed, (1, StateAfter::HalfWay { done: 1 }));
    db.alone().await;
    db.migrate(&track(&[made, (right, None)]), &Goal::Head)
        .await
        .unwrap();
    assert_eq!(rows_of_log(&mut db).await, "1");
    assert_eq!(db.one("SELECT COUNT(*) FROM u").await, "2");
    db.drop().await;
}

#[tokio::test]
async fn a_table_that_the_file_itself_makes_counts_too() {
    for make in [
        "CREATE TABLE log (m INT) ENGINE=MEMORY",
        "CREATE TABLE log (m INT);\nALTER TABLE log ENGINE=Aria",
        "SET SESSION default_storage_engine = MyISAM;\nCREATE TABLE log (m INT)",
    ] {
        let Some(mut db) = Database::create().await else {
            return;
        };
        let text = |last: u8| {
            format!(
                "CREATE TABLE u (n INT PRIMARY KEY);\n{make};\nINSERT INTO u VALUES (1);\n\
                 INSERT INTO log VALUES (1);\nINSERT INTO u VALUES ({last});\n"
            )
        };
        let (_, state) = fails(&mut db, &[(&text(1), None)]).await;
        assert_ne!(state, StateAfter::RolledBack);
        db.alone().await;
        db.migrate(&track(&[(&text(2), None)]), &Goal::Head)
            .await
            .unwrap();
        assert_eq!(rows_of_log(&mut db).await, "1", "{make}");
        db.drop().await;
    }
}

#[tokio::test]
async fn half_of_a_statement_is_ambiguous_and_nothing_of_one_is_not() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let made = (MAKE, None);
    let nothing = "INSERT INTO log VALUES (5, 1);\nINSERT INTO log VALUES (5, 2);\n";
    let failed = fails(&mut db, &[made, (nothing, None)]).await;
    assert_eq!(failed, (1, StateAfter::HalfWay { done: 1 }));
    let half = "INSERT INTO log VALUES (5, 1);\nINSERT INTO log VALUES (6, 2), (5, 3);\n";
    let failed = fails(&mut db, &[made, (half, None)]).await;
    assert_eq!(failed, (1, StateAfter::Ambiguous));
    is_ambiguous(&mut db, &[made, (half, None)], 1).await;
    assert_eq!(rows_of_log(&mut db).await, "2");
    db.drop().await;
}

#[tokio::test]
async fn every_engine_without_transactions_says_that_half_of_a_statement_stayed() {
    for engine in ["MyISAM", "Aria TRANSACTIONAL=1", "Aria TRANSACTIONAL=0", "MEMORY"] {
        let Some(mut db) = Database::create().await else {
            return;
        };
        let make = format!("CREATE TABLE log (n INT PRIMARY KEY) ENGINE={engine};\n");
        let half = "INSERT INTO log VALUES (6), (7), (6);\n";
        let files = [(make.as_str(), None), (half, None)];
        let (_, state) = fails(&mut db, &files).await;
        assert_eq!(state, StateAfter::Ambiguous, "{engine}");
        is_ambiguous(&mut db, &files, 0).await;
        assert_eq!(rows_of_log(&mut db).await, "2", "{engine}");
        db.drop().await;
    }
}

#[tokio::test]
async fn a_default_of_another_engine_is_noticed() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    // Only a table that is made by a server's own default has no word about it in the file.
    let make = "SET default_storage_engine = MyISAM;\nCREATE TABLE log (n INT PRIMARY KEY);\n\
                SET default_storage_engine = InnoDB;\nCREATE TABLE u (n INT PRIMARY KEY);\n\
                INSERT INTO log VALUES (1), (2), (1);\n";
    let files = [(make, None)];
    let (at, state) = fails(&mut db, &files).await;
    assert_eq!((at, state), (4, StateAfter::Ambiguous));
    db.drop().await;
}

/// How many messages it takes to open a session and to carry a track out.
async fn messages(db: &mut Database, files: &[(&str, Option<&str>)]) -> usize {
    let took = db.migrate_cut(&track(files), &Goal::Head, Cut::Never).await;
    took.unwrap()
}

#[tokio::test]
async fn where_everything_is_innodb_the_question_costs_no_message() {
    for (engine, expected) in [("InnoDB", MESSAGES), ("MyISAM", MESSAGES + 4)] {
        // A database that nobody has had: a lock that is not free yet costs a message too.
        let Some(mut db) = Database::create().await else {
            return;
        };
        let make = format!("CREATE TABLE a (n INT) ENGINE={engine};\nCREATE TABLE b (n INT);\n");
        let rows = "INSERT INTO a VALUES (1);\nINSERT INTO b VALUES (1);\nALTER TABLE b ADD m INT;\n\
                    UPDATE b SET m = 1;\nINSERT INTO a VALUES (2);\n";
        assert_eq!(
            messages(&mut db, &[(&make, None), (rows, None)]).await,
            expected,
            "{engine}"
        );
        db.drop().await;
    }
}

#[tokio::test]
async fn a_killed_session_is_ambiguous_where_rows_may_have_stayed() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let text = "INSERT INTO log (m) VALUES (1);\nINSERT INTO log (m) VALUES (2), (SLEEP(60));\n";
    let files: [(&str, Option<&str>); 2] = [(MAKE, None), (text, None)];
    let tracked = track(&files);
    let mut session = db.open().await.unwrap();
    let running = migrate_on(session.as_mut(), &tracked, &Goal::Head);
    let stop = db.kill_sleeping("KILL CONNECTION");
    // The administrator's question is never dropped half-way: the connection is needed again.
    let (result, ()) = tokio::join!(running, stop);
    assert!(matches!(result, Err(ApplyError::Session { .. })), "{result:?}");
    drop(session);
    db.alone().await;
    let before = rows_of_log(&mut db).await;
    is_ambiguous(&mut db, &files, 1).await;
    assert_eq!(rows_of_log(&mut db).await, before);
    db.drop().await;
}

#[tokio::test]
async fn a_trigger_into_another_database_is_noticed_at_the_rollback() {
    let (Some(mut db), Some(mut other)) = (Database::create().await, Database::create().await) else {
        return;
    };
    other.run("CREATE TABLE log (n INT) ENGINE=MyISAM").await;
    let quoted = other.name.replace('`', "``");
    let make = format!(
        "CREATE TABLE u (n INT PRIMARY KEY);\n\
         CREATE TRIGGER t AFTER INSERT ON u FOR EACH ROW INSERT INTO `{quoted}`.log VALUES (NEW.n);\n"
    );
    let text = "INSERT INTO u VALUES (1);\nINSERT INTO u VALUES (1);\n";
    let files: [(&str, Option<&str>); 2] = [(&make, None), (text, None)];
    let (_, state) = fails(&mut db, &files).await;
    assert_eq!(state, StateAfter::Ambiguous);
    is_ambiguous(&mut db, &files, 0).await;
    assert_eq!(rows_of_log(&mut other).await, "1");
    db.drop().await;
    other.drop().await;
}

#[tokio::test]
async fn the_engine_of_a_table_that_is_made_like_another_counts_too() {
    for (drop, expect) in [
        ("", StateAfter::SessionLost { done: 3 }),
        ("DROP TEMPORARY TABLE tmp;\n", StateAfter::HalfWay { done: 4 }),
    ] {
        let Some(mut db) = Database::create().await else {
            return;
        };
        let make = "CREATE TABLE u (n INT PRIMARY KEY);\nINSERT INTO u VALUES (1);\n";
        let text = format!(
            "CREATE TEMPORARY TABLE tmp (n INT) ENGINE=MyISAM;\nCREATE TABLE log LIKE tmp;\n{drop}\
             INSERT INTO log VALUES (1);\nINSERT INTO u VALUES (1);\n"
        );
        let (_, state) = fails(&mut db, &[(make, None), (&text, None)]).await;
        assert_eq!(state, expect, "{drop}");
        assert_eq!(rows_of_log(&mut db).await, "1");
        db.drop().await;
    }
}

#[tokio::test]
async fn a_temporary_table_that_rolls_back_hides_no_other_table() {
    let (Some(mut db), Some(mut other)) = (Database::create().await, Database::create().await) else {
        return;
    };
    other.run("CREATE TABLE log (n INT) ENGINE=MyISAM").await;
    let quoted = other.name.replace('`', "``");
    let make = format!(
        "CREATE TABLE u (n INT PRIMARY KEY);\n\
         CREATE TRIGGER t AFTER INSERT ON u FOR EACH ROW INSERT INTO `{quoted}`.log VALUES (NEW.n);\n"
    );
    let text = "CREATE TEMPORARY TABLE t (n INT);\nINSERT INTO u VALUES (1);\nINSERT INTO u VALUES (1);\n";
    let (_, state) = fails(&mut db, &[(&make, None), (text, None)]).await;
    assert_eq!(state, StateAfter::Ambiguous);
    db.drop().await;
    other.drop().await;
}

#[tokio::test]
async fn a_server_that_keeps_no_warnings_is_asked_to() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let before = db.one("SELECT @@GLOBAL.max_error_count").await;
    db.run("SET GLOBAL max_error_count = 0").await;
    let half = "INSERT INTO log VALUES (6, 2), (7, 2), (6, 3);\n";
    let failed = fails(&mut db, &[(MAKE, None), (half, None)]).await;
    db.run(&format!("SET GLOBAL max_error_count = {before}")).await;
    assert_eq!(failed, (0, StateAfter::Ambiguous));
    assert_eq!(rows_of_log(&mut db).await, "2");
    db.drop().await;
}
