//! What was cut off is compared with what the file says now and with what stands there: nothing is taken for another.

use std::sync::Arc;

use tenantry::engine::{ApplyError, Engine, StateAfter};
use tenantry::migration::Track;

use super::{INDEX, OLD_SNAPSHOT, Other, PHASES, SEEN, TABLE, fresh_with_table, kill_in, to_head, track};
use crate::database::{TestDatabase, fresh};

const OUTSIDE: &str = "-- tenantry: no-transaction\n";
/// Blocks an INSERT into `t`, and an index on it before it is there.
const LOCK_TABLE: &str = "BEGIN; LOCK TABLE t IN SHARE MODE";

fn second(text: &str) -> Arc<Track> {
    Arc::new(track(&[TABLE, ("2_second.sql", text)]))
}

/// A database in which a second file outside a transaction was killed while it waited.
async fn killed(statement: &str, blocking: &str) -> Option<Arc<TestDatabase>> {
    let database = fresh_with_table().await?;
    let word = statement.split(' ').next().unwrap();
    let track = second(&format!("{OUTSIDE}{statement};\n"));
    kill_in(&database, &track, blocking, word).await;
    assert_eq!(database.one(PHASES).await, "1 done, 2 running");
    Some(database)
}

async fn is_edited(database: &TestDatabase, text: &str) {
    let error = to_head(database, &second(text)).await.unwrap_err();
    assert!(matches!(error, ApplyError::Edited { .. }), "{error:?}");
    assert_eq!(database.one(PHASES).await, "1 done, 2 running");
}

#[tokio::test]
async fn an_index_of_another_definition_is_not_adopted() {
    let file = "CREATE UNIQUE INDEX CONCURRENTLY t_n ON t (n)";
    for other in [
        "CREATE INDEX t_n ON t (n)",
        "CREATE UNIQUE INDEX t_n ON t ((n + 1))",
        "CREATE UNIQUE INDEX t_n ON t (n) WHERE n > 0",
    ] {
        let Some(database) = killed(file, LOCK_TABLE).await else {
            return;
        };
        database.query(other).await;
        let track = second(&format!("{OUTSIDE}{file};\n"));
        for _ in 0..2 {
            let error = to_head(&database, &track).await.unwrap_err();
            let ApplyError::Ambiguous { reason, .. } = &error else {
                panic!("{other}: {error:?}")
            };
            assert!(reason.contains("t_n"), "{reason}");
        }
        assert_eq!(database.one(PHASES).await, "1 done, 2 running");
        // Made by hand as the file says, it counts.
        database.query("DROP INDEX t_n").await;
        database
            .query("CREATE UNIQUE INDEX t_n ON t USING btree (n ASC)")
            .await;
        to_head(&database, &track).await.unwrap();
        assert_eq!(database.one(PHASES).await, "1 done, 2 done");
    }
}

#[tokio::test]
async fn an_edited_statement_is_not_taken_for_the_one_that_was_cut_off() {
    let Some(database) = killed("INSERT INTO t VALUES (7)", LOCK_TABLE).await else {
        return;
    };
    let index = format!("{OUTSIDE}CREATE INDEX CONCURRENTLY t_m ON t (n);\n");
    is_edited(&database, &index).await;
    is_edited(&database, "INSERT INTO t VALUES (8);\n").await;
    let seen = format!("{OUTSIDE}-- tenantry: verify SELECT true\nVACUUM;\n");
    is_edited(&database, &seen).await;
    // What the message asks for changes no statement.
    let again = format!("{OUTSIDE}-- tenantry: resume rerun\nINSERT INTO t VALUES (7);\n");
    to_head(&database, &second(&again)).await.unwrap();
    assert_eq!(database.one("SELECT count(*) FROM t WHERE n = 7").await, "1");
}

#[tokio::test]
async fn the_index_of_an_edited_file_is_not_left_behind() {
    let file = "CREATE UNIQUE INDEX CONCURRENTLY t_n ON t (n)";
    let Some(database) = killed(file, OLD_SNAPSHOT).await else {
        return;
    };
    assert_eq!(database.one(SEEN).await, "false");
    let other = format!("{OUTSIDE}CREATE INDEX CONCURRENTLY other ON t (n);\n");
    is_edited(&database, &other).await;
    // The same index, corrected, takes the place of the half-made one.
    let plain = format!("{OUTSIDE}CREATE INDEX CONCURRENTLY t_n ON t (n);\n");
    to_head(&database, &second(&plain)).await.unwrap();
    assert_eq!(database.one(SEEN).await, "true");
}

#[tokio::test]
async fn a_partition_that_has_begun_to_leave_is_let_go() {
    let Some(database) = fresh(Engine::Postgres).await.map(Arc::new) else {
        return;
    };
    let parted = (
        "1_parted.sql",
        "CREATE TABLE p (n int) PARTITION BY LIST (n);\nCREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);\n",
    );
    let detach = format!("{OUTSIDE}ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;\n");
    let track = Arc::new(track(&[parted, ("2_detach.sql", &detach)]));
    to_head(&database, &super::track(&[parted])).await.unwrap();
    kill_in(&database, &track, "BEGIN; SELECT count(*) FROM p", "ALTER").await;
    let pending = "SELECT string_agg(inhdetachpending::text, ',') FROM pg_inherits";
    assert_eq!(database.one(pending).await, "true");
    to_head(&database, &track).await.unwrap();
    assert_eq!(database.one(pending).await, "NULL");
    assert_eq!(database.one(PHASES).await, "1 done, 2 done");
}

#[tokio::test]
async fn what_a_reindex_left_half_made_is_removed() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    let reindex = format!("{OUTSIDE}REINDEX (VERBOSE) TABLE CONCURRENTLY t;\n");
    let track = Arc::new(track(&[TABLE, INDEX, ("3_reindex.sql", &reindex)]));
    to_head(&database, &super::track(&[TABLE, INDEX])).await.unwrap();
    kill_in(&database, &track, OLD_SNAPSHOT, "REINDEX").await;
    assert_eq!(database.one(SEEN).await, "true,false");
    to_head(&database, &track).await.unwrap();
    assert_eq!(database.one(SEEN).await, "true");
    assert_eq!(database.one(PHASES).await, "1 done, 2 done, 3 done");
}

#[tokio::test]
async fn what_a_reindex_of_a_partitioned_index_left_half_made_is_removed() {
    let Some(database) = fresh(Engine::Postgres).await.map(Arc::new) else {
        return;
    };
    let parted = (
        "1_parted.sql",
        "CREATE TABLE t (n int) PARTITION BY LIST (n);\nCREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);\n\
         CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2) PARTITION BY LIST (n);\n\
         CREATE TABLE t3 PARTITION OF t2 FOR VALUES IN (2);\nCREATE INDEX t_n ON t (n);\n",
    );
    let reindex = format!("{OUTSIDE}REINDEX INDEX CONCURRENTLY t_n;\n");
    let track = Arc::new(track(&[parted, ("2_reindex.sql", &reindex)]));
    to_head(&database, &super::track(&[parted])).await.unwrap();
    let whole = "SELECT count(*) FILTER (WHERE indisvalid) || ' of ' || count(*) FROM pg_index i \
                 JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname LIKE 't%\\_n%'";
    assert_eq!(database.one(whole).await, "4 of 4");
    kill_in(&database, &track, OLD_SNAPSHOT, "REINDEX").await;
    assert_ne!(database.one(whole).await, "4 of 4");
    to_head(&database, &track).await.unwrap();
    assert_eq!(database.one(whole).await, "4 of 4");
    assert_eq!(database.one(PHASES).await, "1 done, 2 done");
}

#[tokio::test]
async fn what_somebody_elses_reindex_left_behind_stays() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    let reindex = format!("{OUTSIDE}REINDEX SCHEMA CONCURRENTLY public;\n");
    let track = Arc::new(track(&[TABLE, INDEX, ("3_reindex.sql", &reindex)]));
    to_head(&database, &super::track(&[TABLE, INDEX])).await.unwrap();
    database.query("CREATE TABLE theirs (n int)").await;
    database.query("CREATE INDEX theirs_n ON theirs (n)").await;
    database.query("CREATE INDEX theirs_n_ccnew ON theirs (n)").await;
    let invalid = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'theirs_n_ccnew'::regclass";
    database.query(invalid).await;
    kill_in(&database, &track, OLD_SNAPSHOT, "REINDEX").await;
    to_head(&database, &track).await.unwrap();
    let theirs = "SELECT count(*) FROM pg_class WHERE relname = 'theirs_n_ccnew'";
    assert_eq!(database.one(theirs).await, "1");
    assert_eq!(database.one(PHASES).await, "1 done, 2 done, 3 done");
}

#[tokio::test]
async fn a_refused_statement_of_one_transaction_leaves_nothing_to_decide() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    let twice = second(&format!("{OUTSIDE}CREATE UNIQUE INDEX t_n ON t ((n / n));\n"));
    let error = to_head(&database, &twice).await.unwrap_err();
    let rolled_back = StateAfter::RolledBack;
    assert!(
        matches!(error, ApplyError::Statement { state, .. } if state == rolled_back),
        "{error:?}"
    );
    assert_eq!(database.one(PHASES).await, "1 done");
    let other = Other::connect(&database).await;
    other.run(LOCK_TABLE).await;
    let column = second(&format!("{OUTSIDE}ALTER TABLE t ADD COLUMN b int;\n"));
    let error = to_head(&database, &column).await.unwrap_err();
    assert!(
        matches!(error, ApplyError::Statement { state, .. } if state == rolled_back),
        "{error:?}"
    );
    other.run("ROLLBACK").await;
    to_head(&database, &column).await.unwrap();
    assert_eq!(database.one(PHASES).await, "1 done, 2 done");
}

#[tokio::test]
async fn a_migration_that_lets_go_of_the_lock_is_noticed() {
    let Some(database) = fresh(Engine::Postgres).await else {
        return;
    };
    let index = format!("{OUTSIDE}VACUUM;\n");
    let outside = format!("{OUTSIDE}SELECT cleanup();\n");
    let cleanup = "CREATE FUNCTION cleanup() RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_unlock_all()';\n\
                   CREATE TABLE t (n int);\n";
    let first = [("1_cleanup.sql", cleanup), ("2_vacuum.sql", &index)];
    for file in ["SELECT cleanup();\nINSERT INTO t VALUES (1);\n", &outside] {
        let files = [&first[..], &[("3_release.sql", file)]].concat();
        let error = to_head(&database, &track(&files)).await.unwrap_err();
        assert!(
            matches!(error, ApplyError::SessionChanged { .. }),
            "{file}: {error:?}"
        );
        assert_eq!(database.one("SELECT count(*) FROM t").await, "0");
        assert!(!database.one(PHASES).await.contains("3 done"));
    }
}

#[tokio::test]
async fn strings_are_read_as_they_were_cut_whatever_the_database_says() {
    let Some(database) = fresh(Engine::Postgres).await else {
        return;
    };
    let rules = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET standard_conforming_strings = off', \
                 current_database()); END $$";
    Other::connect(&database).await.run(rules).await;
    let note = "CREATE TABLE note (x text);\nCREATE TABLE t (n int);\nINSERT INTO t VALUES (1);\n\
                INSERT INTO note SELECT 'it\\'';DELETE FROM t;--';\n";
    to_head(&database, &track(&[("1_note.sql", note)])).await.unwrap();
    assert_eq!(database.one("SELECT count(*) FROM t").await, "1");
    assert_eq!(database.one("SELECT x FROM note").await, "it\\';DELETE FROM t;--");
}
