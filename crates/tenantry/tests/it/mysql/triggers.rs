//! A cancelled statement breaks no trigger of the application.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use tenantry::engine::ApplyError;
use tenantry::plan::Goal;

use super::fixture::{Database, migrate_on, track};

const FIRST: &str = "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, n INT);
CREATE TABLE seen (n INT);
CREATE TRIGGER counts BEFORE INSERT ON t FOR EACH ROW INSERT INTO seen VALUES (NEW.n);
CREATE TRIGGER follows AFTER UPDATE ON t FOR EACH ROW INSERT INTO seen VALUES (NEW.n);
";
const ROUNDS: u32 = 300;
/// How many of them are to be cancelled: without the cure one in thirty breaks a trigger.
const ENOUGH: u32 = 100;

/// Opens the table anew in every second statement.
fn changes() -> String {
    let change = |n| format!("ALTER TABLE t ADD COLUMN c{n} INT;\nINSERT INTO t (n) VALUES ({n});\n");
    (0..10).map(change).collect()
}

#[tokio::test]
async fn a_cancelled_statement_leaves_the_applications_triggers_whole() {
    let (first, changes) = (track(&[(FIRST, None)]), changes());
    let both = track(&[(FIRST, None), (&changes, None)]);
    let mut took = None;
    let mut stopped = 0;
    for round in 0..ROUNDS {
        if stopped >= ENOUGH {
            break;
        }
        let Some(mut db) = Database::create().await else {
            return;
        };
        db.migrate(&first, &Goal::Head).await.unwrap();
        let mut session = db.open().await.unwrap();
        let canceller = session.canceller();
        let began = Instant::now();
        let delay = took.map(|took| took * (round * 37 % 100) / 100);
        let running = migrate_on(session.as_mut(), &both, &Goal::Head);
        let stop = async {
            if let Some(delay) = delay {
                tokio::time::sleep(delay).await;
                canceller.cancel().await;
            }
        };
        let (result, ()) = tokio::join!(running, stop);
        if result.is_ok() {
            // As it is now: the machine is busier at one time than at another.
            took = Some(began.elapsed());
        }
        stopped += u32::from(matches!(result, Err(ApplyError::Cancelled { .. })));
        let written = db.admin.query_drop("INSERT INTO t (n) VALUES (1)").await;
        assert!(written.is_ok(), "round {round}: {result:?} {written:?}");
        drop(session);
        db.drop().await;
    }
    assert!(stopped >= ENOUGH / 3, "only {stopped} were cancelled");
}

/// A reader is not waited for, and nobody waits behind us.
#[tokio::test]
async fn a_table_that_somebody_reads_holds_no_cancel_up() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let first = track(&[(FIRST, None)]);
    db.migrate(&first, &Goal::Head).await.unwrap();
    db.admin.query_drop("BEGIN").await.unwrap();
    db.admin.query_drop("SELECT * FROM t").await.unwrap();
    let slow = track(&[(FIRST, None), ("INSERT INTO seen VALUES (SLEEP(60));\n", None)]);
    let mut session = db.open().await.unwrap();
    let canceller = session.canceller();
    let running = migrate_on(session.as_mut(), &slow, &Goal::Head);
    let stop = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        canceller.cancel().await;
        Instant::now()
    };
    let (result, asked) = tokio::join!(running, stop);
    assert!(matches!(result, Err(ApplyError::Cancelled { .. })), "{result:?}");
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    db.admin.query_drop("COMMIT").await.unwrap();
    db.drop().await;
}
