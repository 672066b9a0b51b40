//! The write lock, cancelling, and files that are taken away.

use std::pin::pin;
use std::time::Duration;

use tenantry::engine::{self, ApplyError, SessionError, StateAfter};
use tenantry::history::History;
use tenantry::plan::Goal;

use super::{Bench, CUSTOMERS, VAT, carry_out, reason, track, unit, version};

/// Counts for many seconds; a defect makes a test fail late, not hang.
const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
    LIMIT 30000000) \
    SELECT count(*) FROM n";

#[tokio::test]
async fn a_second_session_waits_and_then_sees_the_history() {
    let bench = Bench::new();
    let mut first = bench.open().await;
    let (address, options) = (bench.address(), bench.options.clone());
    let mut second = pin!(engine::open(&address, &options));
    let early = tokio::time::timeout(Duration::from_millis(100), &mut second).await;
    assert!(early.is_err(), "two sessions at once");
    carry_out(first.as_mut(), &track(&[CUSTOMERS]), &Goal::Head)
        .await
        .unwrap();
    drop(first);
    let second = second.await.unwrap();
    assert_eq!(
        second.history().current(&tenantry::TrackName::Tenant),
        Some(version(1))
    );
}

#[tokio::test]
async fn a_lock_that_is_held_for_the_whole_window_is_a_block() {
    let mut bench = Bench::new();
    let first = bench.open().await;
    bench.options.lock_window = Duration::from_millis(120);
    match bench.try_open().await.err() {
        Some(SessionError::Blocked { waited, holders }) => {
            assert!(waited >= Duration::from_millis(120));
            // Linux tells which process it is: here our own.
            let pids: Vec<i64> = holders.iter().map(|holder| holder.pid).collect();
            let ours = i64::from(std::process::id());
            assert_eq!(
                pids,
                if cfg!(target_os = "linux") {
                    vec![ours]
                } else {
                    Vec::new()
                }
            );
        }
        other => panic!("{other:?}"),
    }
    drop(first);
    bench.open().await;
}

#[tokio::test]
async fn a_session_that_was_overtaken_between_two_units_is_fenced() {
    let bench = Bench::new();
    let both = track(&[CUSTOMERS, VAT]);
    let mut slow = bench.open().await;
    carry_out(slow.as_mut(), &both, &Goal::UpTo(version(1)))
        .await
        .unwrap();
    bench.apply(&both).await.unwrap();
    let error = carry_out(slow.as_mut(), &both, &Goal::Head).await.unwrap_err();
    assert!(matches!(error, ApplyError::Fenced), "{error:?}");
    drop(slow);
    assert_eq!(bench.history().await.rows.len(), 2);
}

#[tokio::test]
async fn a_reader_in_the_way_of_the_commit_keeps_it_for_lock_timeout_and_nothing_is_lost() {
    let mut bench = Bench::new();
    bench.execute("CREATE TABLE old (x)");
    bench.options.lock_timeout = Duration::from_millis(5);
    let reader = rusqlite::Connection::open(bench.path()).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM old").unwrap();
    let mut session = bench.open().await;
    let unit = unit(&track(&[CUSTOMERS]), &History::default(), &Goal::Head);
    let error = session.carry_out(&unit).await.unwrap_err();
    assert!(
        matches!(
            error,
            ApplyError::Session {
                commit_sent: false,
                source: SessionError::CommitDelayed { .. }
            }
        ),
        "{error:?}"
    );
    reader.execute_batch("COMMIT").unwrap();
    session.carry_out(&unit).await.unwrap();
}

#[tokio::test]
async fn another_task_can_interrupt_a_statement() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let canceller = session.canceller();
    let endless = track(&[CUSTOMERS, ENDLESS]);
    let cancel = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            canceller.cancel().await;
        }
    };
    let error = tokio::select! {
        result = carry_out(session.as_mut(), &endless, &Goal::Head) => result.unwrap_err(),
        () = cancel => unreachable!(),
    };
    assert!(
        matches!(
            error,
            ApplyError::Cancelled {
                state: StateAfter::RolledBack,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(bench.tables(), 0);
    carry_out(session.as_mut(), &track(&[CUSTOMERS]), &Goal::Head)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_call_that_is_dropped_stops_its_statement_and_frees_the_lock() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let endless = track(&[CUSTOMERS, ENDLESS]);
    let call = carry_out(session.as_mut(), &endless, &Goal::Head);
    tokio::time::timeout(Duration::from_millis(50), call)
        .await
        .unwrap_err();
    drop(session);
    let history = bench.open().await.history().clone();
    assert!(history.meta.is_none() && !history.occupied, "{history:?}");
}

#[tokio::test]
async fn a_file_that_was_replaced_is_not_committed() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let other = bench.folder.path().join("other.db");
    std::fs::write(&other, "").unwrap();
    std::fs::rename(&other, bench.path()).unwrap();
    let error = carry_out(session.as_mut(), &track(&[CUSTOMERS]), &Goal::Head)
        .await
        .unwrap_err();
    let ApplyError::Session {
        commit_sent: false,
        source,
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(reason(&source), "the file was replaced during the migration");
    assert_eq!(std::fs::metadata(bench.path()).unwrap().len(), 0);
}
