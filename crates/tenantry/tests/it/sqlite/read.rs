//! Reading: what it sees, and that it leaves the folder as it was.

use tenantry::engine::{self, SessionError};
use tenantry::plan::Goal;

use super::{Bench, CUSTOMERS, VAT, carry_out, files_in, track, version};

#[tokio::test]
async fn reading_leaves_every_byte_and_makes_no_file() {
    for wal in ["", "PRAGMA journal_mode = WAL"] {
        let bench = Bench::new();
        bench.execute(wal);
        bench.apply(&track(&[CUSTOMERS])).await.unwrap();
        let before = std::fs::read(bench.path()).unwrap();
        assert_eq!(bench.history().await.rows.len(), 1);
        assert_eq!(std::fs::read(bench.path()).unwrap(), before);
        assert_eq!(files_in(bench.folder.path()), ["acme.db"], "{wal}");
    }
}

#[tokio::test]
async fn reading_a_file_that_is_not_there_does_not_make_it() {
    let bench = Bench::without_file();
    let error = engine::read(&bench.address(), &bench.options)
        .await
        .err()
        .unwrap();
    assert!(matches!(error, SessionError::NoDatabase { .. }), "{error:?}");
    assert!(files_in(bench.folder.path()).is_empty());
}

#[tokio::test]
async fn tables_of_somebody_else_are_told_from_none() {
    let bench = Bench::new();
    assert!(!bench.history().await.occupied);
    bench.execute("CREATE TABLE theirs (x)");
    let history = bench.history().await;
    assert!(history.occupied && history.meta.is_none());
}

#[tokio::test]
async fn a_reader_does_not_wait_for_a_session_and_sees_what_it_commits() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let mut reader = engine::read(&bench.address(), &bench.options).await.unwrap();
    assert!(reader.history().await.unwrap().meta.is_none());
    let one = track(&[CUSTOMERS]);
    carry_out(session.as_mut(), &one, &Goal::Head).await.unwrap();
    assert_eq!(
        reader.history().await.unwrap().current(&one.name),
        Some(version(1))
    );
}

#[tokio::test]
async fn a_damaged_history_is_named() {
    for (sql, word) in [
        ("DROP TABLE _tenantry_history", "_tenantry_history"),
        ("DROP TABLE _tenantry_meta", "_tenantry_meta"),
        ("UPDATE _tenantry_history SET checksum = 'x'", "checksum"),
        ("UPDATE _tenantry_history SET version = -1", "version"),
    ] {
        let bench = Bench::new();
        bench.apply(&track(&[CUSTOMERS])).await.unwrap();
        bench.execute(sql);
        match bench.try_open().await.err() {
            Some(SessionError::HistoryDamaged { reason }) => {
                assert!(reason.contains(word), "{reason}");
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_file_whose_writer_died_can_be_read_and_migrated() {
    let crashed = Bench::new();
    crashed.apply(&track(&[CUSTOMERS])).await.unwrap();
    crashed.execute("CREATE TABLE big (b)");
    // A copy of the file and its journal in mid-transaction is what a killed writer leaves.
    let writer = rusqlite::Connection::open(crashed.path()).unwrap();
    writer
        .execute_batch(
            "PRAGMA cache_size = 5; BEGIN; DELETE FROM _tenantry_history;
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
             INSERT INTO big SELECT randomblob(4000) FROM n",
        )
        .unwrap();
    let bench = Bench::without_file();
    for name in ["acme.db", "acme.db-journal"] {
        let to = bench.folder.path().join(name);
        std::fs::copy(crashed.folder.path().join(name), to).unwrap();
    }
    assert_eq!(bench.history().await.rows.len(), 1);
    bench.apply(&track(&[CUSTOMERS, VAT])).await.unwrap();
    assert_eq!(bench.history().await.rows.len(), 2);
}
