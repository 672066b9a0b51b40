//! Servers that read strings differently than a file was cut into statements.

use tenantry::engine::{ApplyError, Session, StateAfter};
use tenantry::plan::Goal;
use tokio::sync::Mutex;

use super::fixture::{Database, migrate_on, track, unchecked};

/// Held by a test that sets the server's own `sql_mode`, and by those that look at it.
pub(super) static SERVERS_MODE: Mutex<()> = Mutex::const_new(());

/// Opens a session on a server that has one mode more than everybody else's.
async fn opened_under(db: &mut Database, mode: &str) -> Box<dyn Session> {
    let _guard = SERVERS_MODE.lock().await;
    let before = db.one("SELECT @@GLOBAL.sql_mode").await;
    db.run(&format!("SET GLOBAL sql_mode = '{before},{mode}'")).await;
    let opened = db.open().await;
    db.run(&format!("SET GLOBAL sql_mode = '{before}'")).await;
    opened.unwrap()
}

#[tokio::test]
async fn a_string_that_the_server_ends_elsewhere_is_refused_before_anything_is_written() {
    for (mode, quote) in [("NO_BACKSLASH_ESCAPES", '\''), ("ANSI_QUOTES", '"')] {
        let Some(mut db) = Database::create().await else {
            return;
        };
        // By the usual rules the string ends behind `customer`, and DROP is a part of the same statement.
        let text = format!(
            "CREATE TABLE p (path VARCHAR(60));\nINSERT INTO p VALUES ({quote}C:\\{quote}); -- the customer{quote}s\nDROP TABLE p;\n"
        );
        let mut session = opened_under(&mut db, mode).await;
        let error = migrate_on(session.as_mut(), &track(&[(&text, None)]), &Goal::Head)
            .await
            .unwrap_err();
        assert_eq!(error.code().to_string(), "TN-2016", "{error:?}");
        assert!(error.to_string().contains(mode), "{error}");
        let ApplyError::StringRules {
            statement,
            offset,
            state,
            ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!((statement, state), (1, StateAfter::RolledBack));
        assert_eq!(Some(offset), text.find(quote));
        assert_eq!(db.rows::<String>("SHOW TABLES").await, Vec::<String>::new());
        db.drop().await;
    }
}

#[tokio::test]
async fn a_string_that_ends_at_the_same_place_is_sent_under_every_mode() {
    for mode in ["NO_BACKSLASH_ESCAPES", "ANSI_QUOTES"] {
        let Some(mut db) = Database::create().await else {
            return;
        };
        let text = "CREATE TABLE p (path VARCHAR(60));\n-- it\\'s\nINSERT INTO p VALUES ('C:\\dir;''');\n";
        let mut session = opened_under(&mut db, mode).await;
        migrate_on(session.as_mut(), &track(&[(text, None)]), &Goal::Head)
            .await
            .unwrap();
        assert_eq!(db.one("SELECT COUNT(*) FROM p").await, "1", "{mode}");
        db.drop().await;
    }
}

#[tokio::test]
async fn a_statement_that_hides_in_another_is_not_passed_over() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let mut session = db.open().await.unwrap();
    db.run("CREATE TABLE a (n INT)").await;
    let hidden = unchecked("INSERT INTO a VALUES (1); INSERT INTO a VALUES (2)");
    let error = migrate_on(session.as_mut(), &hidden, &Goal::Head)
        .await
        .unwrap_err();
    assert_eq!(error.code().to_string(), "TN-2012", "{error:?}");
    assert!(
        matches!(
            error,
            ApplyError::Session {
                commit_sent: true,
                ..
            }
        ),
        "{error:?}"
    );
    drop(session);
    db.alone().await;
    assert_eq!(db.one("SELECT COUNT(*) FROM a").await, "0");
    db.drop().await;
}

#[tokio::test]
async fn a_statement_in_a_comment_that_the_server_skips_passes() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let text = "CREATE TABLE a (n INT);
/*!99999 INSERT INTO a VALUES (2) */;
INSERT INTO a VALUES (3);
/*!80000 CREATE TABLE z (n INT) */;
CREATE TABLE y (n INT);
INSERT INTO a VALUES (4);
/*!80000 SET @a = 1 */;
/*!50003 INSERT INTO a VALUES (5) */;
/*!80000 DROP TABLE a */;
";
    db.migrate(&track(&[(text, None)]), &Goal::Head).await.unwrap();
    assert_eq!(db.one("SELECT GROUP_CONCAT(n ORDER BY n) FROM a").await, "3,4,5");
    db.drop().await;
}
