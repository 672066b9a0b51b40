//! Carrying out: what is there afterwards, and what a failure leaves.

use tenantry::engine::{ApplyError, DatabaseError, Engine, StateAfter};
use tenantry::history::Phase;
use tenantry::migration::Track;
use tenantry::plan::Goal;
use tenantry::{Code, TrackName};

use super::{Bench, CUSTOMERS, VAT, carry_out, script, track, track_with, version};

#[tokio::test]
async fn a_fresh_database_takes_all_migrations_at_once() {
    let bench = Bench::new();
    let recorded = bench.apply(&track(&[CUSTOMERS, VAT])).await.unwrap();
    assert_eq!(recorded.len(), 2);

    let history = bench.history().await;
    let meta = history.meta.as_ref().unwrap();
    assert_eq!(
        (meta.database_id.as_str(), meta.tenant_id.as_str()),
        ("db-1", "tenant-1")
    );
    assert_eq!((meta.registry_id.as_str(), meta.epoch), ("registry-1", 1));
    assert_eq!(history.rows.len(), 2);
    let row = history.rows.last().unwrap();
    assert_eq!((row.version, row.phase), (version(2), Phase::Done));
    assert_eq!((row.next_stmt, row.total_stmts), (2, 2));
    assert_eq!(row.started_at.len(), "2026-01-01T00:00:00.000Z".len());
    assert!(row.done_at.as_ref().is_some_and(|done| *done >= row.started_at));
}

#[tokio::test]
async fn a_new_migration_is_added_and_nothing_is_repeated() {
    let bench = Bench::new();
    bench.apply(&track(&[CUSTOMERS])).await.unwrap();
    let recorded = bench.apply(&track(&[CUSTOMERS, VAT])).await.unwrap();
    assert_eq!(
        recorded.iter().map(|r| r.version).collect::<Vec<_>>(),
        [version(2)]
    );
    let history = bench.history().await;
    assert_eq!(history.rows.iter().map(|r| r.epoch).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn a_session_without_work_changes_no_byte() {
    let bench = Bench::new();
    bench.apply(&track(&[CUSTOMERS])).await.unwrap();
    let before = std::fs::read(bench.path()).unwrap();
    drop(bench.open().await);
    assert_eq!(std::fs::read(bench.path()).unwrap(), before);
}

#[tokio::test]
async fn units_one_after_the_other_in_one_session() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let both = track(&[CUSTOMERS, VAT]);
    carry_out(session.as_mut(), &both, &Goal::UpTo(version(1)))
        .await
        .unwrap();
    let mut rest = both.clone();
    rest.migrations.remove(0);
    carry_out(session.as_mut(), &rest, &Goal::Head).await.unwrap();
    drop(session);
    assert_eq!(bench.history().await.current(&both.name), Some(version(2)));
}

fn statement_error(error: ApplyError) -> (usize, usize, usize, bool, StateAfter, DatabaseError) {
    let ApplyError::Statement {
        step,
        statement,
        offset,
        exact,
        state,
        source,
        ..
    } = error
    else {
        panic!("{error:?}");
    };
    (step, statement, offset, exact, state, source)
}

#[tokio::test]
async fn a_failing_statement_in_the_middle_leaves_no_trace() {
    let bench = Bench::new();
    let bad = "INSERT INTO customers VALUES (1, 'a'); INSERT INTO customers VALUES (1, 'b'); \
               CREATE TABLE never (x)";
    let error = bench.apply(&track(&[CUSTOMERS, bad])).await.unwrap_err();
    let (step, statement, offset, exact, state, source) = statement_error(error);
    assert_eq!((step, statement, state), (1, 1, StateAfter::RolledBack));
    assert_eq!((offset, exact), (39, false));
    assert_eq!(source.class, Code(2003));
    assert_eq!(source.code, "SQLite 1555 (SQLITE_CONSTRAINT_PRIMARYKEY)");
    assert_eq!(bench.tables(), 0);
    // The lock is free and the same migrations pass once they are mended.
    bench.apply(&track(&[CUSTOMERS, VAT])).await.unwrap();
}

#[tokio::test]
async fn an_error_points_at_the_byte_that_sqlite_names() {
    for (sql, word, exactly, class) in [
        ("SELECT 'é';\n  SELEC 2", "SELEC", true, 2001),
        ("SELECT 'é'; SELECT 1 +", "SELECT", false, 2001),
        (
            "SELECT 'é'; SELECT 'ü', missing FROM sqlite_schema",
            "missing",
            true,
            2002,
        ),
        ("SELECT 'é'; DROP TABLE nowhere", "DROP", false, 2002),
    ] {
        let bench = Bench::new();
        let error = bench.apply(&track(&[sql])).await.unwrap_err();
        let (_, statement, offset, exact, _, source) = statement_error(error);
        assert_eq!((statement, exact), (1, exactly), "{sql}");
        assert_eq!(Some(offset), sql.rfind(word), "{sql}");
        assert_eq!(source.class, Code(class), "{sql}: {source}");
    }
}

#[tokio::test]
async fn constraint_errors_have_their_classes() {
    let table = "CREATE TABLE t (a NOT NULL UNIQUE, b CHECK (b > 0)); INSERT INTO t VALUES (1, 1)";
    for (sql, class) in [
        ("INSERT INTO t VALUES (1, 1)", 2003),
        ("INSERT INTO t VALUES (NULL, 1)", 2004),
        ("INSERT INTO t VALUES (2, 0)", 2004),
        ("CREATE TABLE t (x)", 2000),
        ("VACUUM", 2008),
    ] {
        let bench = Bench::new();
        let error = bench.apply(&track(&[table, sql])).await.unwrap_err();
        assert_eq!(statement_error(error).5.class, Code(class), "{sql}");
    }
}

#[tokio::test]
async fn a_full_database_rolls_everything_back() {
    let bench = Bench::new();
    let fill = "PRAGMA max_page_count = 40; CREATE TABLE blobs (b); \
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
        INSERT INTO blobs SELECT randomblob(4000) FROM n; CREATE TABLE never (x)";
    let error = bench.apply(&track(&[CUSTOMERS, fill])).await.unwrap_err();
    let (_, statement, _, _, state, source) = statement_error(error);
    assert_eq!(
        (statement, state, source.class),
        (2, StateAfter::RolledBack, Code(2009))
    );
    assert_eq!(bench.tables(), 0);
}

#[tokio::test]
async fn a_rollback_inside_a_migration_is_seen_and_the_rest_does_not_run() {
    let bench = Bench::new();
    let sql = "CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1); \
        INSERT OR ROLLBACK INTO t VALUES (1); CREATE TABLE never (x)";
    let error = bench.apply(&track(&[sql])).await.unwrap_err();
    assert_eq!(statement_error(error).1, 2);
    assert_eq!(bench.tables(), 0);
}

#[tokio::test]
async fn a_revert_undoes_the_newest_and_deletes_its_row() {
    let bench = Bench::new();
    let both = track_with(vec![
        (script(CUSTOMERS), None),
        (
            script("CREATE TABLE orders (id)"),
            Some(script("DROP TABLE orders")),
        ),
    ]);
    bench.apply(&both).await.unwrap();
    let mut session = bench.open().await;
    let recorded = carry_out(session.as_mut(), &both, &Goal::BackSteps(1))
        .await
        .unwrap();
    drop(session);
    assert_eq!(
        recorded.iter().map(|r| r.version).collect::<Vec<_>>(),
        [version(2)]
    );
    assert_eq!(bench.history().await.current(&both.name), Some(version(1)));
    assert_eq!(
        bench.number("SELECT count(*) FROM sqlite_schema WHERE name = 'orders'"),
        0
    );
}

#[tokio::test]
async fn up_down_up_with_files_as_people_write_them() {
    let bench = Bench::new();
    let files = [
        (
            "001_customers.sql",
            "-- The customers.\nCREATE TABLE customers (id INTEGER PRIMARY KEY, n TEXT);\n",
        ),
        (
            "002_log.sql",
            "CREATE TABLE log (n);\nCREATE TRIGGER t AFTER INSERT ON customers BEGIN\n  \
             INSERT INTO log VALUES (CASE WHEN NEW.n IS NULL THEN ';' ELSE NEW.n END);\nEND;\n\
             INSERT INTO customers (n) VALUES (NULL), ('ü') RETURNING id;",
        ),
        (
            "002_log.down.sql",
            "DROP TRIGGER t;\nDROP TABLE log;\nDELETE FROM customers;",
        ),
    ];
    let both = Track::from_files(TrackName::Tenant, Engine::Sqlite, &files).unwrap();
    bench.apply(&both).await.unwrap();
    assert_eq!(bench.number("SELECT count(*) FROM log"), 2);
    let mut session = bench.open().await;
    carry_out(session.as_mut(), &both, &Goal::BackSteps(1))
        .await
        .unwrap();
    drop(session);
    assert_eq!(bench.number("SELECT count(*) FROM customers"), 0);
    bench.apply(&both).await.unwrap();
    assert_eq!(bench.number("SELECT count(*) FROM log"), 2);
}

#[tokio::test]
async fn a_failed_revert_keeps_the_row() {
    let bench = Bench::new();
    let one = track_with(vec![(
        script(CUSTOMERS),
        Some(script("DROP TABLE customers; DROP TABLE customers")),
    )]);
    bench.apply(&one).await.unwrap();
    let mut session = bench.open().await;
    let error = carry_out(session.as_mut(), &one, &Goal::BackSteps(1))
        .await
        .unwrap_err();
    drop(session);
    assert_eq!(statement_error(error).4, StateAfter::RolledBack);
    assert_eq!(bench.history().await.current(&one.name), Some(version(1)));
    assert_eq!(bench.number("SELECT count(*) FROM customers"), 0);
}

#[tokio::test]
async fn a_migration_runs_with_the_settings_that_it_is_written_for() {
    let bench = Bench::new();
    let settings = "CREATE TABLE settings AS SELECT synchronous * 100 + foreign_keys * 10 + trusted_schema \
        AS v FROM pragma_synchronous, pragma_foreign_keys, pragma_trusted_schema";
    bench.apply(&track(&[settings])).await.unwrap();
    assert_eq!(bench.number("SELECT v FROM settings"), 200);
}

#[tokio::test]
async fn the_sqlite3_program_can_read_the_history() {
    let bench = Bench::new();
    bench.apply(&track(&[CUSTOMERS])).await.unwrap();
    let program = std::process::Command::new("sqlite3")
        .arg(bench.path())
        .arg("SELECT version || ' ' || phase FROM _tenantry_history; PRAGMA integrity_check")
        .output();
    let Ok(output) = program else {
        println!("skipped: there is no sqlite3 program");
        return;
    };
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "1 done\nok\n",
        "{output:?}"
    );
}
