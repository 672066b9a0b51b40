//! A cancelled statement breaks no trigger of the application.

use std::time::Instant;

use mysql_async::prelude::Queryable as _;
use tenantry::engine::ApplyError;
use tenantry::plan::Goal;

use super::fixture::{Database, migrate_on, track};

const FIRST: &str = "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, n INT);
CREATE TABLE seen (n INT);
CREATE TRIGGER counts BEFORE INSERT ON t FOR EACH ROW INSERT INTO seen VALUES (NEW.n);
CREATE TRIGGER follows AFTER UPDATE ON t FOR EACH ROW INSERT INTO seen VALUES (NEW.n);
";
const ROUNDS: u32 = 40;

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
    assert!(stopped >= 2, "only {stopped} were cancelled");
}
