//! Statements and their classes, and what whole files keep in their session.

use super::{Class, Kept, Object, ObjectKind, cannot_go_on, classify, missing, past_drops};
use crate::engine::Engine;
use crate::migration::{Script, Track};
use crate::target::TrackName;

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
                "CREATE TEMPORARY TABLE t (n DECIMAL(9, 2), KEY k (n)) SELECT MAX(n) FROM u WHERE n IN (1)",
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
                "CREATE TEMPORARY TABLE t AS SELECT fw() AS x",
                "CREATE OR REPLACE TEMPORARY TABLE t (n INT DEFAULT 1, KEY k (n)) (SELECT fw())",
                "CREATE TEMPORARY TABLE t AS VALUES (fw())",
                "CREATE TEMPORARY TABLE t AS WITH w (n) AS (SELECT fw()) SELECT n FROM w",
                "SET STATEMENT max_statement_time=9 FOR CREATE TEMPORARY TABLE t SELECT fw()",
                "SET STATEMENT max_statement_time=10 FOR CALL p()",
            ],
        ),
    ] {
        for statement in statements {
            assert_eq!(classify(statement), class, "{statement}");
        }
    }
}

fn on<T>(text: &str, look: impl Fn(&Script) -> T) -> T {
    let track = Track::from_files(TrackName::Tenant, Engine::MySql, &[("1_a.sql", text)]).unwrap();
    look(&track.migrations[0].up)
}

#[test]
fn what_stands_before_a_statement_that_lasts_is_missing_behind_it() {
    let table = Some((0, Kept::TemporaryTable));
    let variable = Some((0, Kept::ComputedVariable));
    for (text, expect) in [
        (
            "CREATE TEMPORARY TABLE t (n INT); CREATE TABLE a (n INT); INSERT INTO a SELECT n FROM t;",
            table,
        ),
        (
            "SET @x = (SELECT MAX(n) FROM a); CREATE TABLE b (n INT); INSERT INTO b VALUES (@x);",
            variable,
        ),
        (
            "SELECT MAX(n) INTO @x FROM a; CREATE TABLE b (n INT); INSERT INTO b VALUES (@x);",
            variable,
        ),
        (
            "SET @now = CURRENT_TIMESTAMP; CREATE TABLE b (n INT); SELECT 1;",
            variable,
        ),
        (
            "CREATE TEMPORARY TABLE t (n INT); INSERT INTO t VALUES (1); INSERT INTO a SELECT n FROM t;",
            None,
        ),
        (
            "CREATE TEMPORARY TABLE t (n INT); INSERT INTO a VALUES (1); DROP TEMPORARY TABLE t;",
            None,
        ),
        (
            "CREATE TEMPORARY TABLE t (n INT); DROP TEMPORARY TABLE t; CREATE TABLE a (n INT); SELECT 1;",
            None,
        ),
        (
            "INSERT INTO a VALUES (1); SET @id = LAST_INSERT_ID(); INSERT INTO b VALUES (@id);",
            None,
        ),
        ("CREATE TABLE a (n INT); SET @id = LAST_INSERT_ID();", None),
        (
            "SET @x = 7; CREATE TABLE a (n INT); INSERT INTO a VALUES (@x);",
            None,
        ),
        (
            "SET @mode = (SELECT CONCAT(@@sql_mode, ',ANSI')); CREATE TABLE a (n INT); SELECT 1;",
            None,
        ),
        (
            "-- tenantry: resume rerun\nSET @x = NOW(); CREATE TABLE b (n INT); INSERT INTO b VALUES (@x);",
            None,
        ),
    ] {
        assert_eq!(on(text, cannot_go_on), expect, "{text}");
    }
    let writes = "CREATE TEMPORARY TABLE t AS SELECT fw() AS x; INSERT INTO a SELECT x FROM t;";
    assert_eq!(on(writes, cannot_go_on), table);
    let behind = "CREATE TABLE a (n INT); CREATE TEMPORARY TABLE t (n INT); INSERT INTO t VALUES (1); \
                  CREATE TABLE b (n INT);";
    assert_eq!(on(behind, cannot_go_on), Some((1, Kept::TemporaryTable)));
    let dropped = "CREATE TABLE a (n INT); CREATE TEMPORARY TABLE t (n INT); INSERT INTO t VALUES (1); \
                   CREATE TABLE b (n INT); INSERT INTO a SELECT n FROM t; DROP TEMPORARY TABLE t;";
    assert_eq!(on(dropped, cannot_go_on), Some((1, Kept::TemporaryTable)));
}

#[test]
fn what_no_new_session_can_compute_or_ask_for_is_missing() {
    let variable = Some((0, Kept::ComputedVariable));
    for (text, expect) in [
        (
            "INSERT INTO a VALUES (1); CREATE TABLE b (n INT); INSERT INTO b VALUES (LAST_INSERT_ID());",
            Some((0, Kept::Result)),
        ),
        (
            "INSERT INTO a VALUES (1); CREATE TABLE b (n INT); INSERT INTO a VALUES (2); SELECT @@identity;",
            None,
        ),
        (
            "CREATE TABLE b (n INT); INSERT INTO a VALUES (1); INSERT INTO b VALUES (LAST_INSERT_ID());",
            None,
        ),
        (
            "UPDATE a SET n = (@i := @i + 10); CREATE TABLE b (n INT); INSERT INTO b SELECT @i;",
            variable,
        ),
        ("CALL p(@o); INSERT INTO a VALUES (@o);", variable),
        (
            "-- tenantry: resume rerun\nDO @d := 88; CREATE TABLE b (n INT); INSERT INTO b VALUES (@d);",
            variable,
        ),
        (
            "-- tenantry: resume rerun\nINSERT INTO a VALUES (1); SET @d = LAST_INSERT_ID(); \
             CREATE TABLE b (n INT); INSERT INTO b VALUES (@d);",
            Some((1, Kept::ComputedVariable)),
        ),
    ] {
        assert_eq!(on(text, cannot_go_on), expect, "{text}");
    }
}

#[test]
fn what_somebody_else_may_have_given_is_missing_behind_a_cut() {
    let given = |at| Some((at, Kept::ComputedVariable));
    for (text, expect) in [
        (
            "CALL p(); CREATE TABLE b (n INT); INSERT INTO b VALUES (@new);",
            given(0),
        ),
        (
            "INSERT INTO a VALUES (1); CREATE TABLE b (n INT); INSERT INTO b VALUES (@`New`);",
            given(0),
        ),
        (
            "SET @new = 1; CALL p(); CREATE TABLE b (n INT); INSERT INTO b VALUES (@new);",
            given(1),
        ),
        (
            "CALL p(); SET @id = @new; CREATE TABLE b (n INT); INSERT INTO b VALUES (@id);",
            given(0),
        ),
        (
            "PREPARE s FROM 'SELECT 1 INTO @m'; EXECUTE s; CREATE TABLE b (n INT); SET @b = @m; SELECT 1;",
            given(0),
        ),
        (
            "SET @x = 7; INSERT INTO a VALUES (@x); CREATE TABLE b (n INT); INSERT INTO b VALUES (@X);",
            None,
        ),
        (
            "CALL p(); CREATE TABLE b (n INT); SET @x = 7, @y = @x + 1; INSERT INTO b VALUES (@y);",
            None,
        ),
        (
            "CALL p(); CREATE TABLE b (n INT); SET @x = @x + 1; INSERT INTO b VALUES (1);",
            given(0),
        ),
        (
            "INSERT INTO a VALUES (1); CREATE TABLE b (n INT); INSERT INTO b SELECT @i := @i + 1 FROM a, \
             (SELECT @i := 0) i;",
            None,
        ),
        (
            "CALL p(); CREATE TABLE b (n INT); CREATE USER a@b; SELECT @@sql_mode;",
            None,
        ),
        ("CREATE TABLE b (n INT); INSERT INTO b VALUES (@never);", None),
    ] {
        assert_eq!(on(text, cannot_go_on), expect, "{text}");
    }
}

#[test]
fn a_dump_can_go_on() {
    let text = "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n\
                /*M!100616 SET @OLD_NOTE_VERBOSITY=@@NOTE_VERBOSITY, NOTE_VERBOSITY=0 */;\n\
                CREATE TABLE a (n INT);\nINSERT INTO a VALUES (1);\n\
                SET @saved_cs_client = @@character_set_client;\n\
                CREATE TABLE b (n INT);\nSET character_set_client = @saved_cs_client;\n\
                INSERT INTO b VALUES ('a@b');\n\
                /*!50003 CREATE*/ /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER g AFTER INSERT ON a FOR EACH ROW \
                SET @n = @n + 1 */;\n\
                /*M!100616 SET NOTE_VERBOSITY=@OLD_NOTE_VERBOSITY */;\n\
                /*!40101 SET SQL_MODE=@OLD_SQL_MODE */;\n";
    assert_eq!(on(text, cannot_go_on), None);
}

#[test]
fn what_is_asked_of_the_lost_session_is_missing() {
    let result = |at| Some((at, Kept::Result));
    let value = Some((1, Kept::ComputedVariable));
    for (text, expect) in [
        (
            "INSERT INTO a VALUES (NEXTVAL(s)); CREATE TABLE b (n INT); INSERT INTO b VALUES (LASTVAL(s));",
            result(0),
        ),
        (
            "INSERT INTO a VALUES (1); CREATE TABLE b (n INT); SELECT PREVIOUS VALUE FOR `S`;",
            result(0),
        ),
        (
            "INSERT INTO a VALUES (1); CREATE TABLE b (n INT); SELECT NEXTVAL(s); SELECT LASTVAL(s);",
            None,
        ),
        (
            "INSERT INTO a VALUES (1); CREATE TABLE b (n INT); SELECT NEXTVAL(q); SELECT LASTVAL(s);",
            result(0),
        ),
        (
            "INSERT INTO a VALUES (CONNECTION_ID()); CREATE TABLE b (n INT); \
             DELETE FROM a WHERE n = CONNECTION_ID();",
            result(0),
        ),
        (
            "INSERT INTO a VALUES (1); CREATE TABLE b (n INT); DELETE FROM a WHERE n = CONNECTION_ID();",
            None,
        ),
        (
            "CREATE TABLE b (n INT); SET INSERT_ID = 5; INSERT INTO b VALUES (1); CREATE TABLE c (n INT); SELECT 1;",
            value,
        ),
        (
            "CREATE TABLE b (n INT); SET @@identity = 5; UPDATE b SET n = 1; CREATE TABLE c (n INT); SELECT 1;",
            value,
        ),
        (
            "CREATE TABLE b (n INT); SET INSERT_ID = 5; INSERT INTO b VALUES (1);",
            None,
        ),
        (
            "CREATE TABLE b (n INT); SET @insert_id = 5; INSERT INTO b VALUES (1); CREATE TABLE c (n INT); SELECT 1;",
            None,
        ),
    ] {
        assert_eq!(on(text, cannot_go_on), expect, "{text}");
    }
}

#[test]
fn a_table_that_went_with_its_session_needs_no_drop() {
    let text = "CREATE TEMPORARY TABLE t (n INT); INSERT INTO a VALUES (1); DROP TABLE t; SELECT 1;";
    assert_eq!(on(text, |script| past_drops(script, 2)), 3);
    assert_eq!(on(text, |script| past_drops(script, 0)), 0);
    let twice =
        "CREATE TEMPORARY TABLE t (n INT); INSERT INTO a VALUES (1); DROP TEMPORARY TABLE t; DROP TABLE t;";
    assert_eq!(on(twice, |script| past_drops(script, 2)), 3);
    assert_eq!(on(text, |script| missing(script, 2)), None);
    assert_eq!(
        on(text, |script| missing(script, 1)),
        Some((0, Kept::TemporaryTable))
    );
}

#[test]
fn a_column_that_is_called_as_what_moves_rows_is_a_column() {
    for statement in [
        "ALTER TABLE a ADD exchange VARCHAR(10)",
        "ALTER TABLE a ADD COLUMN import INT, DROP discard, ADD truncate INT",
        "ALTER TABLE a RENAME COLUMN x TO exchange",
    ] {
        assert!(
            matches!(classify(statement), Class::AtomicDdl { .. }),
            "{statement}"
        );
    }
    for statement in [
        "ALTER TABLE a EXCHANGE PARTITION p WITH TABLE b",
        "ALTER TABLE a ADD exchange INT, DISCARD TABLESPACE",
        "ALTER TABLE a IMPORT PARTITION p TABLESPACE",
        "ALTER TABLE a TRUNCATE PARTITION p",
        "ALTER TABLE a /*!50100 TRUNCATE */ PARTITION ALL",
    ] {
        assert_eq!(classify(statement), Class::NotRepeatable, "{statement}");
    }
}

#[test]
fn an_object_whose_name_a_server_may_skip_is_not_known() {
    for statement in [
        "ALTER TABLE /*!80000 a */ /*M!100000 b */ ADD c INT",
        "CREATE TABLE /*M! a */ /*!50700 b */ (n INT)",
        "ALTER TABLE a /*!80000 RENAME b */",
        "DROP TABLE a /*M! , `b` */",
        "CREATE INDEX i ON /*!80000 a */ /*M! b */ (n)",
        "CREATE /*!80000 TABLE a */ /*M! VIEW a */ AS SELECT 1",
    ] {
        assert_eq!(classify(statement), Class::Opaque, "{statement}");
    }
    for statement in [
        "CREATE TABLE a (n INT /*!80023 INVISIBLE */) /*!80016 ENCRYPTION='N' */",
        "CREATE INDEX /*M!100100 IF NOT EXISTS */ i ON a (n) /*!80000 INVISIBLE */",
        "CREATE /*M! OR REPLACE */ TABLE /*M! IF NOT EXISTS */ a (n INT)",
        "ALTER TABLE /*!40000 a */ ADD c INT /*!80023 INVISIBLE */",
        "/*!50001 CREATE VIEW a AS SELECT 1 */",
    ] {
        assert!(
            matches!(classify(statement), Class::AtomicDdl { .. }),
            "{statement}"
        );
    }
}

#[test]
fn a_table_with_another_name_is_not_taken_for_the_one_that_is_dropped() {
    for (rename, expect) in [
        ("ALTER TABLE t RENAME TO u", 3),
        ("ALTER TABLE T ADD m INT, RENAME u", 3),
        ("RENAME TABLE t TO u", 3),
        ("ALTER TABLE t RENAME COLUMN n TO m", 4),
        ("ALTER TABLE a RENAME TO u", 4),
        ("CALL p()", 3),
        ("EXECUTE IMMEDIATE 'ALTER TABLE t RENAME TO u'", 3),
        ("UPDATE a SET n = 1", 4),
    ] {
        let text = |drop: &str| {
            format!("CREATE TEMPORARY TABLE t (n INT); {rename}; CREATE TABLE x (n INT); {drop} t; SELECT 1;")
        };
        assert_eq!(
            on(&text("DROP TABLE"), |script| past_drops(script, 3)),
            expect,
            "{rename}"
        );
        let is_missing = on(&text("DROP TABLE"), |script| missing(script, 3)).is_some();
        assert_eq!(is_missing, expect == 3, "{rename}");
    }
    let renamed = "CREATE TEMPORARY TABLE t (n INT); ALTER TABLE t RENAME TO u; DROP TABLE t; CREATE TABLE x (n INT); SELECT 1;";
    let table = Some((0, Kept::TemporaryTable));
    assert_eq!(on(renamed, |script| missing(script, 4)), table);
    let called = "CREATE TEMPORARY TABLE t (n INT); CALL p(); DROP TEMPORARY TABLE t; SELECT 1;";
    assert_eq!(on(called, |script| past_drops(script, 2)), 3);
}
