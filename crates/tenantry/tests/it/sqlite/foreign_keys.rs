//! Foreign keys are not enforced while a migration runs; rows that it leaves without a parent are found.

use tenantry::Code;
use tenantry::engine::{ApplyError, StateAfter};

use super::{Bench, track};

const FAMILY: &str = "CREATE TABLE p (id INTEGER PRIMARY KEY); \
    CREATE TABLE c (id INTEGER PRIMARY KEY, p INT REFERENCES p (id) ON DELETE CASCADE); \
    INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (10, 1), (20, 2)";

#[tokio::test]
async fn a_migration_that_leaves_orphans_fails_and_leaves_nothing() {
    let bench = Bench::new();
    let first = track(&[FAMILY]);
    bench.apply(&first).await.unwrap();
    let error = bench
        .apply(&track(&[FAMILY, "SELECT 1; DELETE FROM p WHERE id = 2"]))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code(2004));
    let ApplyError::Statement {
        state,
        statement,
        source,
        ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!((state, statement), (StateAfter::RolledBack, 1));
    assert_eq!(
        source.message,
        "row 20 of table `c` refers to a row of `p` that is not there"
    );
    assert_eq!(bench.number("SELECT count(*) FROM p"), 2);
    assert_eq!(bench.history().await.rows.len(), 1);
}

#[tokio::test]
async fn orphans_that_are_gone_at_the_end_of_the_file_are_none() {
    let bench = Bench::new();
    let mended = "DELETE FROM p WHERE id = 2; DELETE FROM c WHERE p = 2";
    bench.apply(&track(&[FAMILY, mended])).await.unwrap();
    assert_eq!(bench.number("SELECT count(*) FROM c"), 1);
}

#[tokio::test]
async fn a_table_can_be_rebuilt_under_the_rows_that_refer_to_it() {
    let bench = Bench::new();
    let rebuilt = "PRAGMA foreign_keys = OFF; CREATE TABLE p2 (id INTEGER PRIMARY KEY, name TEXT); \
        INSERT INTO p2 (id) SELECT id FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p; \
        PRAGMA foreign_keys = ON";
    bench.apply(&track(&[FAMILY, rebuilt])).await.unwrap();
    assert_eq!(bench.number("SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

#[tokio::test]
async fn orphans_from_before_stop_no_other_migration() {
    let bench = Bench::new();
    bench.apply(&track(&[FAMILY])).await.unwrap();
    bench.execute("PRAGMA foreign_keys = OFF; INSERT INTO c VALUES (30, 7)");
    let harmless = "INSERT INTO c VALUES (40, 1); ALTER TABLE c RENAME TO d";
    bench.apply(&track(&[FAMILY, harmless])).await.unwrap();
    let more = "INSERT INTO d VALUES (50, 8)";
    let error = bench.apply(&track(&[FAMILY, harmless, more])).await.unwrap_err();
    assert_eq!(error.code(), Code(2004));
}

#[tokio::test]
async fn a_key_that_cannot_be_checked_stops_nothing() {
    let bench = Bench::new();
    let mismatch = "CREATE TABLE a (n INT); CREATE TABLE b (n INT REFERENCES a (n)); \
        INSERT INTO b VALUES (1)";
    bench.apply(&track(&[mismatch])).await.unwrap();
}

#[tokio::test]
async fn a_key_that_cannot_be_checked_hides_no_orphan_of_another() {
    let bench = Bench::new();
    let mismatch = "CREATE TABLE a (n INT); CREATE TABLE \"b \"\"1\"\"\" (n INT REFERENCES a (n))";
    let orphan = "CREATE TABLE \"p \"\"2\"\"\" (id INTEGER PRIMARY KEY); \
        CREATE TABLE \"c \"\"3\"\"\" (p INT REFERENCES \"p \"\"2\"\"\" (id)); \
        INSERT INTO \"c \"\"3\"\"\" VALUES (9)";
    let error = bench.apply(&track(&[mismatch, orphan])).await.unwrap_err();
    assert_eq!(error.code(), Code(2004));
}

#[tokio::test]
async fn an_orphan_that_one_file_mends_is_no_licence_for_the_next() {
    let bench = Bench::new();
    bench.apply(&track(&[FAMILY])).await.unwrap();
    bench.execute("PRAGMA foreign_keys = OFF; INSERT INTO c VALUES (30, 7)");
    let (mended, again) = ("DELETE FROM c WHERE id = 30", "INSERT INTO c VALUES (40, 8)");
    let error = bench.apply(&track(&[FAMILY, mended, again])).await.unwrap_err();
    let ApplyError::Statement { step, source, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(step, 1);
    assert_eq!(
        source.message,
        "row 40 of table `c` refers to a row of `p` that is not there"
    );
}
