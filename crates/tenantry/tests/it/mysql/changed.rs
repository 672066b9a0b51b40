//! What the application does to a table while its migration waits is not taken for the migration's own effect.

use tenantry::engine::{ApplyError, StateAfter};
use tenantry::plan::Goal;

use super::fixture::{Database, migrate_on, track};
use super::looks::{is_done_once, never_runs};

const JOBS: &str = "CREATE TABLE jobs (id INT AUTO_INCREMENT PRIMARY KEY, n INT);\n";

async fn columns(db: &mut Database) -> String {
    db.one(
        "SELECT GROUP_CONCAT(column_name ORDER BY ordinal_position) FROM information_schema.columns \
         WHERE table_schema = DATABASE() AND table_name IN ('jobs', 'tasks')",
    )
    .await
}

/// Makes the tables of a first file and loses the second one's first statement before it has run.
async fn lost(first: &str, second: &str, table: &str) -> Option<Database> {
    let mut db = Database::create().await?;
    let files = [(first, None), (second, None)];
    db.migrate(&track(&files[..1]), &Goal::Head).await.unwrap();
    db.alone().await;
    never_runs(&mut db, &files, table).await;
    Some(db)
}

#[tokio::test]
async fn the_first_row_ever_is_not_taken_for_a_lost_statement() {
    for (second, expected) in [
        ("ALTER TABLE jobs ADD COLUMN kind INT;\n", "id,n,kind"),
        (
            "RENAME TABLE jobs TO tasks;\nALTER TABLE tasks ADD m INT;\n",
            "id,n,m",
        ),
    ] {
        let Some(mut db) = lost(JOBS, second, "jobs").await else {
            return;
        };
        db.run("INSERT INTO jobs (n) VALUES (1)").await;
        let files = track(&[(JOBS, None), (second, None)]);
        db.migrate(&files, &Goal::Head).await.unwrap();
        assert_eq!(columns(&mut db).await, expected);
        db.drop().await;
    }
}

#[tokio::test]
async fn a_truncate_between_two_attempts_is_not_taken_for_a_lost_statement() {
    let filled = format!("{JOBS}INSERT INTO jobs (n) VALUES (1), (2);\n");
    let second = "CREATE INDEX by_n ON jobs (n);\n";
    let Some(mut db) = lost(&filled, second, "jobs").await else {
        return;
    };
    db.run("TRUNCATE jobs").await;
    let files = track(&[(&filled, None), (second, None)]);
    db.migrate(&files, &Goal::Head).await.unwrap();
    let there = "SELECT COUNT(*) FROM information_schema.statistics \
                 WHERE table_schema = DATABASE() AND index_name = 'by_n'";
    assert_eq!(db.one(there).await, "1");
    db.drop().await;
}

#[tokio::test]
async fn the_first_row_ever_while_a_statement_waits_changes_nothing() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    db.migrate(&track(&[(JOBS, None)]), &Goal::Head).await.unwrap();
    db.alone().await;
    let files = track(&[(JOBS, None), ("ALTER TABLE jobs ADD COLUMN kind INT;\n", None)]);
    db.run("START TRANSACTION").await;
    db.run("DELETE FROM jobs WHERE n = 5").await;
    let mut session = db.open().await.unwrap();
    let running = migrate_on(session.as_mut(), &files, &Goal::Head);
    let filled = async {
        db.when("Waiting for table metadata lock").await;
        db.run("INSERT INTO jobs (n) VALUES (1)").await;
    };
    let (result, ()) = tokio::join!(running, filled);
    let Err(ApplyError::Statement { state, source, .. }) = &result else {
        panic!("{result:?}")
    };
    assert!(source.transient, "{source:?}");
    assert_eq!(*state, StateAfter::RolledBack);
    drop(session);
    db.run("COMMIT").await;
    db.alone().await;
    db.migrate(&files, &Goal::Head).await.unwrap();
    assert_eq!(columns(&mut db).await, "id,n,kind");
    db.drop().await;
}

#[tokio::test]
async fn a_partition_that_a_job_adds_is_not_taken_for_a_lost_column_or_index() {
    let log = "CREATE TABLE log (n INT) PARTITION BY RANGE (n) (PARTITION p1 VALUES LESS THAN (10));\n";
    for second in [
        "ALTER TABLE log ADD COLUMN kind INT;\n",
        "CREATE INDEX by_n ON log (n);\n",
        "RENAME TABLE log TO logs;\n",
    ] {
        let Some(mut db) = lost(log, second, "log").await else {
            return;
        };
        db.run("ALTER TABLE log ADD PARTITION (PARTITION p2 VALUES LESS THAN (20))")
            .await;
        let files = track(&[(log, None), (second, None)]);
        let error = db.migrate(&files, &Goal::Head).await.unwrap_err();
        assert!(
            matches!(error, ApplyError::Ambiguous { statement: 0, .. }),
            "{error:?}"
        );
        db.drop().await;
    }
}

#[tokio::test]
async fn columns_that_change_places_change_them_once() {
    let make = "CREATE TABLE places (id INT PRIMARY KEY, lat INT, lon INT);\nINSERT INTO places VALUES (1, 51, 7);\n";
    for (text, expected) in [
        (
            "ALTER TABLE places CHANGE lon lat INT AFTER id, CHANGE lat lon INT;\n",
            "7/51",
        ),
        (
            "ALTER TABLE places DROP lat, CHANGE lon lat INT, ADD lon INT;\n",
            "7/-",
        ),
    ] {
        let text = format!("{text}CREATE TABLE z (n INT);\n");
        let question = "SELECT CONCAT(COALESCE(lat, '-'), '/', COALESCE(lon, '-')) FROM places";
        is_done_once(make, &text, question, expected).await;
    }
}

#[tokio::test]
async fn a_sequence_is_set_back_once() {
    let make = "CREATE SEQUENCE inv START WITH 1;\nCREATE TABLE i (n INT);\n";
    let text =
        "ALTER SEQUENCE inv RESTART WITH 100;\nINSERT INTO i SELECT NEXTVAL(inv);\nCREATE TABLE z (n INT);\n";
    // A value that is drawn does not come back with a rollback.
    let question = "SELECT COUNT(*) = 1 AND MAX(n) BETWEEN 100 AND 101 AND NEXTVAL(inv) > MAX(n) FROM i";
    is_done_once(make, text, question, "1").await;
}

#[tokio::test]
async fn a_copy_that_cannot_be_prepared_has_done_nothing() {
    for bad in [
        "CREATE TABLE b AS SELECT * FROM missing",
        "CREATE TABLE b AS SELECT nothing FROM a",
        "PREPARE s FROM 'SELECT * FROM missing'",
    ] {
        let Some(mut db) = Database::create().await else {
            return;
        };
        let first = "CREATE TABLE a (n INT);\n";
        let files = |second: &str| track(&[(first, None), (&format!("{second};\n"), None)]);
        let error = db.migrate(&files(bad), &Goal::Head).await.unwrap_err();
        assert!(
            matches!(
                error,
                ApplyError::Statement {
                    state: StateAfter::RolledBack,
                    ..
                }
            ),
            "{bad}: {error:?}"
        );
        db.alone().await;
        db.migrate(&files("CREATE TABLE b AS SELECT * FROM a"), &Goal::Head)
            .await
            .unwrap();
        assert_eq!(db.one("SELECT COUNT(*) FROM b").await, "0");
        db.drop().await;
    }
}

#[tokio::test]
async fn a_trigger_that_is_not_there_is_no_lost_connection() {
    let Some(db) = Database::create().await else {
        return;
    };
    let text = "CREATE TABLE a (n INT);\nCREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW FOLLOWS missing SET NEW.n = 1;\n";
    let error = db
        .migrate(&track(&[(text, None)]), &Goal::Head)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ApplyError::Statement {
                statement: 1,
                state: StateAfter::HalfWay { done: 1 },
                ..
            }
        ),
        "{error:?}"
    );
    db.drop().await;
}
