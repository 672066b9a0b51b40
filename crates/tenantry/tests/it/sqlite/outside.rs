//! Statements that SQLite refuses inside a transaction.

use tenantry::engine::{ApplyError, StateAfter};
use tenantry::history::Phase;
use tenantry::migration::{Directives, Script};

use super::{Bench, CUSTOMERS, VAT, script, track_with, version};

fn outside(text: &str) -> Script {
    Script {
        directives: Directives {
            no_transaction: true,
            ..Directives::default()
        },
        ..script(text)
    }
}

#[tokio::test]
async fn vacuum_runs_between_two_transactions() {
    let bench = Bench::new();
    let three = track_with(vec![
        (script(CUSTOMERS), None),
        (outside("VACUUM"), None),
        (script(VAT), None),
    ]);
    bench.apply(&three).await.unwrap();
    let history = bench.history().await;
    assert!(history.rows.iter().all(|row| row.phase == Phase::Done));
    assert_eq!(history.current(&three.name), Some(version(3)));
}

#[tokio::test]
async fn a_failure_outside_is_half_way_and_the_next_run_repeats_it() {
    let bench = Bench::new();
    let bad = track_with(vec![(script(CUSTOMERS), None), (outside("VACUUM nowhere"), None)]);
    let error = bench.apply(&bad).await.unwrap_err();
    assert!(
        matches!(
            error,
            ApplyError::Statement {
                step: 1,
                state: StateAfter::HalfWay { done: 0 },
                ..
            }
        ),
        "{error:?}"
    );
    let phases: Vec<Phase> = bench.history().await.rows.iter().map(|row| row.phase).collect();
    assert_eq!(phases, [Phase::Done, Phase::Running]);
    let mended = track_with(vec![(script(CUSTOMERS), None), (outside("VACUUM"), None)]);
    bench.apply(&mended).await.unwrap();
    assert_eq!(bench.history().await.current(&mended.name), Some(version(2)));
}

#[tokio::test]
async fn vacuum_into_another_file_is_refused() {
    let bench = Bench::new();
    let copy = bench.folder.path().join("copy.db");
    let sql = format!("VACUUM INTO '{}'", copy.display());
    let error = bench.apply(&track_with(vec![(outside(&sql), None)])).await;
    assert!(matches!(error, Err(ApplyError::Statement { .. })), "{error:?}");
    assert!(!copy.exists());
}
