//! Statements and their classes.

use super::{Class, Object, ObjectKind, classify};

fn names(objects: &[Object]) -> Vec<(ObjectKind, &str)> {
    objects.iter().map(|o| (o.kind, o.name.as_str())).collect()
}

#[track_caller]
fn atomic(statement: &str, expected: &[(ObjectKind, &str)]) {
    let class = classify(statement);
    let Class::AtomicDdl { objects } = &class else {
        panic!("{class:?}: {statement}");
    };
    assert_eq!(names(objects), expected, "{statement}");
}

#[test]
fn one_atomic_statement_names_its_objects() {
    use ObjectKind::{Event, Function, Procedure, Table, Trigger, View};
    atomic(
        "CREATE TABLE IF NOT EXISTS `a``b` (id INT, c SET('x'))",
        &[(Table, "a`b")],
    );
    atomic("create or replace table t like u", &[(Table, "t")]);
    atomic(
        "CREATE /* x */ UNIQUE INDEX i USING BTREE ON db.t (a)",
        &[(Table, "t")],
    );
    atomic("DROP INDEX i ON t", &[(Table, "t")]);
    atomic(
        "ALTER ONLINE TABLE t RENAME COLUMN a TO b, ADD c INT",
        &[(Table, "t")],
    );
    atomic(
        "ALTER TABLE t ADD c INT, RENAME TO u",
        &[(Table, "t"), (Table, "u")],
    );
    atomic("RENAME TABLE a TO `b`", &[(Table, "a"), (Table, "b")]);
    atomic("DROP TABLE IF EXISTS a", &[(Table, "a")]);
    atomic(
        "CREATE ALGORITHM=MERGE DEFINER=`a`@`%` SQL SECURITY INVOKER VIEW v AS SELECT 1",
        &[(View, "v")],
    );
    atomic(
        "/*!50003 CREATE*/ /*!50017 DEFINER=a@b*/ /*!50003 TRIGGER g AFTER INSERT ON t FOR EACH ROW SET @a=1 */",
        &[(Trigger, "g")],
    );
    atomic(
        "CREATE DEFINER=CURRENT_USER() PROCEDURE p() SELECT 1",
        &[(Procedure, "p")],
    );
    atomic("DROP FUNCTION f", &[(Function, "f")]);
    atomic(
        "SET STATEMENT max_statement_time = 10, sort_buffer_size = 9 FOR ALTER TABLE t ADD c INT",
        &[(Table, "t")],
    );
    atomic("ALTER EVENT e RENAME TO e2", &[(Event, "e"), (Event, "e2")]);
}

#[test]
fn several_objects_can_stop_half_way() {
    for statement in [
        "DROP TABLE a, b",
        "DROP VIEW a,b",
        "RENAME TABLE a TO b, c TO d",
        "DROP DATABASE x",
    ] {
        assert!(
            matches!(classify(statement), Class::MultiObjectDdl { .. }),
            "{statement}"
        );
    }
}

#[test]
fn the_other_classes() {
    for (class, statements) in [
        (
            Class::Dml,
            &[
                "INSERT INTO t VALUES (1)",
                "(SELECT 1)",
                "WITH a AS (SELECT 1) DELETE FROM t",
                "# x\nUPDATE t SET a = 1",
            ][..],
        ),
        (
            Class::Repeatable,
            &[
                "ANALYZE TABLE t",
                "ANALYZE LOCAL TABLE t",
                "EXPLAIN UPDATE t SET a = 1",
                "GRANT SELECT ON t TO u",
                "CREATE USER IF NOT EXISTS u",
                "ALTER DATABASE CHARACTER SET utf8mb4",
            ],
        ),
        (
            Class::NotRepeatable,
            &[
                "TRUNCATE t",
                "/*! TRUNCATE */ TABLE t",
                "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u",
            ],
        ),
        (
            Class::Session,
            &[
                "SET @a = 1",
                "SET NAMES utf8mb4",
                "SELECT 1 INTO @a",
                "SELECT @a := 1",
                "CREATE TEMPORARY TABLE t (a INT)",
                "CREATE OR REPLACE TEMPORARY TABLE t SELECT 1",
                "DROP TEMPORARY TABLE IF EXISTS t",
            ],
        ),
        (
            Class::Opaque,
            &[
                "CALL p()",
                "CREATE TABLE t AS SELECT 1",
                "PREPARE s FROM 'x'",
                "BEGIN NOT ATOMIC SELECT 1; END",
                "CREATE USER u",
                "whatever",
                "",
            ],
        ),
    ] {
        for statement in statements {
            assert_eq!(classify(statement), class, "{statement}");
        }
    }
}

#[test]
fn what_may_write_rows_is_no_change_of_the_session() {
    for (class, statements) in [
        (
            Class::Dml,
            &[
                "SET STATEMENT max_statement_time=10 FOR INSERT INTO t VALUES (1)",
                "SELECT fw()",
                "ANALYZE UPDATE t SET a = 1",
                "ANALYZE FORMAT=JSON INSERT INTO t VALUES (1)",
                "EXPLAIN ANALYZE SELECT 1",
            ][..],
        ),
        (
            Class::Session,
            &[
                "SET STATEMENT max_statement_time=10 FOR SET @a = 1",
                "SET @id = LAST_INSERT_ID()",
            ],
        ),
        (
            Class::Opaque,
            &[
                "SET @a = fw()",
                "SELECT fw() INTO @a",
                "SELECT @a := db.now()",
                "SET STATEMENT max_statement_time=10 FOR CALL p()",
            ],
        ),
    ] {
        for statement in statements {
            assert_eq!(classify(statement), class, "{statement}");
        }
    }
}
