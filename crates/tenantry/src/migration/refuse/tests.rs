//! The corpus of bad input: numbers B03 to B56 of the reliability report, as far as no database is needed.

use crate::engine::Engine::{self, MySql, Postgres, Sqlite};
use crate::migration::{FileProblem, Track};
use crate::target::TrackName;

const ALL: &[Engine] = &Engine::ALL;
const PG: &[Engine] = &[Postgres];
const MY: &[Engine] = &[MySql];
const LITE: &[Engine] = &[Sqlite];
const NOT_MY: &[Engine] = &[Postgres, Sqlite];

/// Number, engines, text, expected code, line and column.
type Case = (&'static str, &'static [Engine], &'static str, u16, usize, usize);

fn problems(engine: Engine, text: &str) -> Vec<FileProblem> {
    match Track::from_files(TrackName::Tenant, engine, &[("1_a.sql", text)]) {
        Ok(_) => Vec::new(),
        Err(crate::migration::ReadError::Files { problems, .. }) => problems,
        Err(error) => panic!("{error}"),
    }
}

#[track_caller]
fn check(cases: &[Case]) {
    for (number, engines, text, code, line, column) in cases {
        for engine in *engines {
            let found = problems(*engine, text);
            let at = |p: &FileProblem| p.place.map_or((0, 0), |p| (p.line, p.column));
            let found: Vec<_> = found.iter().map(|p| (p.code().0, at(p))).collect();
            assert_eq!(
                found,
                [(*code, (*line, *column))],
                "{number} on {engine}: {text:?}"
            );
        }
    }
}

#[track_caller]
fn allowed(engines: &[Engine], texts: &[&str]) {
    for engine in engines {
        for text in texts {
            let found = problems(*engine, text);
            assert!(found.is_empty(), "{engine}: {text:?}: {found:?}");
        }
    }
}

#[test]
fn bytes_that_are_no_sql_text() {
    check(&[
        ("B03", ALL, "", 3011, 0, 0),
        ("B04", ALL, " \n\t", 3012, 0, 0),
        ("B04", ALL, "-- a\n/* b */;;", 3012, 0, 0),
        ("B06", ALL, "SELECT 1;\n\u{feff}SELECT 2", 3016, 2, 1),
        ("B09", ALL, "SELECT 1;\nSELECT '\0'", 3014, 2, 9),
        ("B12", ALL, "SELECT 1;\n\u{1a}", 3015, 2, 1),
        ("B13", ALL, "SELECT 1; -- é\u{202e}", 3017, 1, 15),
        ("B14", ALL, "SELECT\u{a0}1", 3018, 1, 7),
        ("B14", ALL, "SELECT 1 FROM a\u{200b}b", 3018, 1, 16),
    ]);
    allowed(
        ALL,
        &["\u{feff}SELECT 1", "SELECT '\u{a0}\u{200d}\u{200e}' -- \u{a0}"],
    );
}

#[test]
fn what_is_opened_and_never_closed() {
    check(&[
        ("B28", ALL, "SELECT 1;\n SELECT 'a", 3030, 2, 9),
        ("B28", ALL, "SELECT \"a", 3030, 1, 8),
        ("B28", ALL, "SELECT 1 /* a", 3030, 1, 10),
        ("B28", &[MySql, Sqlite], "SELECT `a", 3030, 1, 8),
        ("B28", LITE, "SELECT [a", 3030, 1, 8),
        ("B28", PG, "DO $a$ x", 3030, 1, 4),
        ("B28", PG, "/* /* */ SELECT 1", 3030, 1, 1),
        ("B31", PG, "SELECT E'\\'", 3030, 1, 8),
        ("B31", PG, "SET standard_conforming_strings = off", 3037, 1, 1),
        (
            "B31",
            MY,
            "SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')",
            3037,
            1,
            1,
        ),
        ("B32", MY, "DELIMITER //\nSELECT 1;\nDELIMITER ;", 3031, 1, 1),
        ("B35", NOT_MY, "# a\nSELECT 1", 3032, 1, 1),
        (
            "B36",
            PG,
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1;",
            3030,
            1,
            33,
        ),
        (
            "B37",
            LITE,
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;",
            3030,
            1,
            36,
        ),
    ]);
    allowed(PG, &["SET standard_conforming_strings = on; SELECT '\\'"]);
    allowed(
        MY,
        &[
            "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
            "SELECT 5--3",
            "# a\nSELECT 1",
        ],
    );
}

#[test]
fn commands_of_client_programs() {
    check(&[
        ("B38", PG, "SELECT 1;\n\\i other.sql", 3033, 2, 1),
        ("B38", PG, "\\copy t from 'x'", 3033, 1, 1),
        ("B38", LITE, ".read x", 3033, 1, 1),
        ("B39", PG, "COPY t (a) FROM STDIN;\n1\tit's\n\\.\n", 3034, 1, 1),
        ("B39", PG, "COPY (SELECT a FROM t) TO STDOUT", 3034, 1, 1),
        ("B45", PG, "\\c other", 3033, 1, 1),
        ("B45", ALL, "USE other", 3039, 1, 1),
        ("B45", MY, "CREATE TABLE `other`.t (a INT)", 3039, 1, 1),
        ("B45", MY, "INSERT INTO other . t VALUES (1)", 3039, 1, 1),
        ("B45", MY, "CREATE DATABASE x", 3039, 1, 1),
        ("B56", ALL, "SELECT 1 FROM tenant_${id}", 3050, 1, 22),
        ("B56", ALL, "SELECT {{ id }}", 3050, 1, 8),
    ]);
    allowed(ALL, &["SELECT '${id} {{x}}' -- ${y}"]);
    allowed(PG, &["DO $$ ${x} $$", "SELECT a.b.c FROM a.b"]);
    allowed(MY, &["SELECT t.a FROM t WHERE t.b = 1", "UPDATE t SET t.a = 1"]);
}

#[test]
fn a_file_names_its_own_savepoints_only() {
    check(&[
        ("B40", NOT_MY, "ROLLBACK TO a", 3035, 1, 1),
        (
            "B40",
            NOT_MY,
            "SAVEPOINT b;\nROLLBACK TRANSACTION TO SAVEPOINT a",
            3035,
            2,
            1,
        ),
        ("B40", NOT_MY, "SELECT 1;\nRELEASE a", 3035, 2, 1),
        (
            "B40",
            NOT_MY,
            "SAVEPOINT a;\nRELEASE a;\nROLLBACK TO a",
            3035,
            3,
            1,
        ),
        (
            "B40",
            NOT_MY,
            "SAVEPOINT a;\nSAVEPOINT b;\nROLLBACK TO a;\nRELEASE b",
            3035,
            4,
            1,
        ),
        ("B40", PG, "SAVEPOINT \"A\";\nROLLBACK TO A", 3035, 2, 1),
    ]);
    allowed(
        NOT_MY,
        &[
            "SAVEPOINT a; ROLLBACK TO SAVEPOINT a; RELEASE a",
            "SAVEPOINT a; SAVEPOINT b; ROLLBACK TRANSACTION TO A; ROLLBACK TO a; RELEASE SAVEPOINT a",
            "SAVEPOINT a; SAVEPOINT a; RELEASE a; ROLLBACK TO a",
            "SAVEPOINT \"a\"; ROLLBACK TO a",
        ],
    );
}

#[test]
fn transaction_control() {
    check(&[
        ("B40", ALL, "SELECT 1;\nBEGIN", 3035, 2, 1),
        ("B40", ALL, "COMMIT", 3035, 1, 1),
        ("B40", ALL, "/* x */ ROLLBACK", 3035, 1, 9),
        ("B40", NOT_MY, "END", 3035, 1, 1),
        ("B40", &[Postgres, MySql], "START/**/TRANSACTION", 3035, 1, 1),
        ("B40", PG, "ABORT", 3035, 1, 1),
        (
            "B40",
            PG,
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            3035,
            1,
            1,
        ),
        (
            "B40",
            &[Postgres, MySql],
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            3035,
            1,
            1,
        ),
        ("B42", PG, "PREPARE TRANSACTION 'x'", 3035, 1, 1),
        ("B42", PG, "COMMIT PREPARED 'x'", 3035, 1, 1),
    ]);
    allowed(
        PG,
        &[
            "PREPARE p AS SELECT 1",
            "LOCK TABLE a",
            "SET CONSTRAINTS ALL DEFERRED",
            "DO $$ BEGIN COMMIT; END $$",
        ],
    );
}

#[test]
fn transaction_control_in_the_words_of_mysql() {
    check(&[
        ("B40", MY, "/*!50000 COMMIT */", 3035, 1, 1),
        (
            "B40",
            MY,
            "SET STATEMENT max_statement_time=1 FOR COMMIT",
            3035,
            1,
            1,
        ),
        ("B40", MY, "SET @a = 1, autocommit = 0", 3035, 1, 1),
        ("B40", MY, "SET @@session.autocommit := 0", 3035, 1, 1),
        ("B40", MY, "SET completion_type = 1", 3035, 1, 1),
        ("B40", MY, "SET SESSION tx_read_only = 1", 3035, 1, 1),
        ("B40", MY, "SET @@transaction_read_only := 1", 3035, 1, 1),
        ("B40", MY, "SET @a = 1, tx_isolation = 'SERIALIZABLE'", 3035, 1, 1),
        (
            "B40",
            MY,
            "SET LOCAL transaction_isolation = 'READ-COMMITTED'",
            3035,
            1,
            1,
        ),
        (
            "B40",
            MY,
            "SET STATEMENT completion_type = 2 FOR SELECT 1",
            3035,
            1,
            1,
        ),
        ("B40", MY, "SAVEPOINT a", 3035, 1, 1),
        ("B40", MY, "LOCK TABLES a WRITE", 3035, 1, 1),
        ("B40", MY, "XA START 'a'", 3035, 1, 1),
    ]);
    allowed(
        MY,
        &[
            "SET @autocommit = 1",
            "SET @a = @@autocommit",
            "BEGIN NOT ATOMIC SELECT 1; END",
            "SELECT 'COMMIT', `commit` FROM `begin`",
        ],
    );
}

#[test]
fn changes_of_the_session() {
    check(&[
        ("B43", PG, "SET search_path = a", 3036, 1, 1),
        ("B43", PG, "SET SESSION \"search_path\" TO a", 3036, 1, 1),
        ("B43", PG, "SET ROLE a", 3036, 1, 1),
        ("B43", PG, "SET/* */SCHEMA 'a'", 3036, 1, 1),
        ("B43", PG, "RESET ALL", 3036, 1, 1),
        ("B43", PG, "RESET SESSION AUTHORIZATION", 3036, 1, 1),
        ("B43", PG, "DISCARD ALL", 3036, 1, 1),
        ("B43", PG, "SET SESSION AUTHORIZATION a", 3036, 1, 1),
        ("B43", PG, "SET SESSION SESSION AUTHORIZATION a", 3036, 1, 1),
        ("B43", MY, "SET ROLE a", 3036, 1, 1),
        (
            "B44",
            PG,
            "SELECT 1,\n pg_catalog.pg_advisory_unlock_all ()",
            3038,
            2,
            13,
        ),
        ("B44", PG, "SELECT \"pg_advisory_unlock\"(1)", 3038, 1, 8),
        ("B44", MY, "DO RELEASE_ALL_LOCKS()", 3038, 1, 4),
    ]);
    allowed(
        PG,
        &[
            "SET LOCAL search_path = a",
            "SET statement_timeout = 0; SET lock_timeout = 0; SET client_encoding = 'UTF8'; \
             SET check_function_bodies = false; SET xmloption = content; SET row_security = off; \
             SET default_table_access_method = heap; SET default_tablespace = ''",
            "SELECT pg_catalog.set_config('search_path', '', false)",
            "SET TIME ZONE 'UTC'; RESET statement_timeout",
            "SELECT 'pg_advisory_unlock()' -- pg_advisory_unlock()",
        ],
    );
    allowed(MY, &["CREATE PROCEDURE p() BEGIN DO RELEASE_LOCK('a'); END"]);
}

#[test]
fn statements_that_cannot_run_in_a_transaction() {
    check(&[
        (
            "B46",
            PG,
            "CREATE/**/INDEX/**/CONCURRENTLY i ON t (a)",
            3040,
            1,
            1,
        ),
        (
            "B46",
            PG,
            "SELECT 1; CREATE UNIQUE INDEX CONCURRENTLY ON t (a)",
            3040,
            1,
            11,
        ),
        ("B46", PG, "DROP INDEX CONCURRENTLY i", 3040, 1, 1),
        ("B46", PG, "REINDEX (VERBOSE, CONCURRENTLY) TABLE t", 3040, 1, 1),
        (
            "B46",
            PG,
            "ALTER TABLE a DETACH PARTITION b.c CONCURRENTLY",
            3040,
            1,
            1,
        ),
        ("B46", PG, "VACUUM", 3040, 1, 1),
        ("B46", PG, "ALTER SYSTEM SET a = 1", 3040, 1, 1),
        ("B46", PG, "CREATE DATABASE x", 3040, 1, 1),
    ]);
    allowed(PG, &["CREATE INDEX i ON t (a); REINDEX TABLE t"]);
}

#[test]
fn files_without_a_transaction() {
    check(&[
        (
            "B47",
            ALL,
            "-- tenantry: no-transaction\nSELECT 1;\nSELECT 2",
            3041,
            3,
            1,
        ),
        (
            "B48",
            PG,
            "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)",
            3042,
            2,
            1,
        ),
        ("B49", LITE, "VACUUM", 3040, 1, 1),
        ("B49", LITE, "PRAGMA main.journal_mode = WAL", 3040, 1, 1),
        ("B51", MY, "TRUNCATE TABLE t", 3043, 1, 1),
    ]);
    allowed(
        PG,
        &[
            "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY i ON t (a)",
            "-- tenantry: no-transaction\nSELECT 1",
        ],
    );
    allowed(
        LITE,
        &["-- tenantry: no-transaction\nVACUUM", "PRAGMA foreign_keys = OFF"],
    );
    allowed(MY, &["-- tenantry: resume rerun\nTRUNCATE TABLE t"]);
}

#[test]
fn what_reaches_beyond_the_database() {
    check(&[
        ("B52", MY, "LOAD DATA LOCAL INFILE 'x' INTO TABLE t", 3044, 1, 1),
        ("B52", MY, "SELECT 1 INTO OUTFILE 'x'", 3044, 1, 15),
        ("B52", MY, "SELECT LOAD_FILE('x')", 3044, 1, 8),
        ("B52", PG, "COPY t FROM PROGRAM 'x'", 3044, 1, 1),
        ("B52", PG, "COPY t (a) TO '/x'", 3044, 1, 1),
        ("B52", PG, "SELECT lo_import('x')", 3044, 1, 8),
        ("B52", LITE, "ATTACH 'x' AS y", 3044, 1, 1),
        ("B52", LITE, "SELECT load_extension('x')", 3044, 1, 8),
        ("B53", ALL, "DROP DATABASE x", 3045, 1, 1),
        ("B53", MY, "DROP SCHEMA x", 3045, 1, 1),
        ("B53", MY, "SHUTDOWN", 3045, 1, 1),
        ("B53", MY, "KILL 5", 3045, 1, 1),
        ("B53", MY, "FLUSH TABLES a, b WITH READ LOCK", 3045, 1, 1),
        ("B53", MY, "SET @@GLOBAL.read_only = 1", 3045, 1, 1),
        ("B54", ALL, "DELETE FROM _tenantry_history", 3046, 1, 13),
        ("B54", NOT_MY, "DROP TABLE public.\"_tenantry_meta\"", 3046, 1, 19),
        ("B54", MY, "DROP TABLE `_TENANTRY_META`", 3046, 1, 12),
    ]);
    allowed(
        ALL,
        &[
            "SELECT '_tenantry_history' -- _tenantry_meta",
            "SELECT a_tenantry_history FROM t",
        ],
    );
    allowed(PG, &["DROP SCHEMA x"]);
    allowed(
        MY,
        &["FLUSH TABLES", "SET @a = @@global.read_only", "SHOW TABLES"],
    );
}

#[test]
fn directives() {
    check(&[
        ("B55", ALL, "-- tenantry: no-transacton\nSELECT 1", 3047, 1, 1),
        ("B55", NOT_MY, "--tenantry: No-Transaction\nSELECT 1", 3047, 1, 1),
        ("B55", ALL, "-- a\n-- tenantry: frobnicate\nSELECT 1", 3047, 2, 1),
        ("B55", ALL, "-- tenantry: resume retry\nSELECT 1", 3048, 1, 1),
        ("B55", ALL, "-- tenantry: verify\nSELECT 1", 3048, 1, 1),
        (
            "B55",
            ALL,
            "-- tenantry: verify DELETE FROM a\nSELECT 1",
            3048,
            1,
            1,
        ),
        (
            "B55",
            ALL,
            "SELECT 1;\n  -- tenantry: no-transaction\nSELECT 2",
            3049,
            2,
            3,
        ),
        ("B55", ALL, "SELECT 1\n-- tenantry: resume rerun", 3049, 2, 1),
    ]);
    allowed(
        ALL,
        &[
            "-- tenantry keeps this\nSELECT '-- tenantry: x'",
            "-- tenantry: verify SELECT 1;\n\n-- tenantry: resume ask\nSELECT 1",
        ],
    );
    let found = problems(Postgres, "-- tenantry: no-transacton\nSELECT 1");
    let helps: Vec<_> = found.iter().map(FileProblem::help).collect();
    assert_eq!(helps, ["did you mean  -- tenantry: no-transaction"]);
}

#[test]
fn every_problem_of_a_file_is_listed_in_its_order() {
    let found = problems(
        Postgres,
        "BEGIN;\nSET ROLE a;\nSELECT pg_read_file('x'), lo_import('y');\nCOMMIT;",
    );
    let shown: Vec<_> = found.iter().map(|p| (p.code().0, p.location())).collect();
    let expected = [
        (3035, "1_a.sql:1:1"),
        (3036, "1_a.sql:2:1"),
        (3044, "1_a.sql:3:8"),
        (3044, "1_a.sql:3:27"),
        (3035, "1_a.sql:4:1"),
    ];
    assert_eq!(shown, expected.map(|(code, place)| (code, place.to_owned())));
    assert_eq!(
        found.get(2).and_then(|p| p.snippet.as_deref()),
        Some("SELECT pg_read_file('x'), lo_import('y');")
    );
}

#[test]
fn what_dump_programs_write_is_left_alone() {
    allowed(
        MY,
        &[
            "/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n\
             /*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;\n\
             /*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n\
             DROP TABLE IF EXISTS `a`;\n/*!40000 ALTER TABLE `a` DISABLE KEYS */;\n",
            "DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`h`*/ /*!50003 TRIGGER t BEFORE INSERT ON a \
             FOR EACH ROW BEGIN SET NEW.b = 1; SET NEW.c = 2; END */;;\nDELIMITER ;\n",
        ],
    );
    allowed(
        PG,
        &[
            "ALTER TABLE ONLY public.a ADD CONSTRAINT b PRIMARY KEY (c);\n\
             SELECT pg_catalog.setval('public.a_id_seq', 1, false);\n\
             CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN COMMIT; END$$;",
            "SELECT '{\"a\": 1}'::jsonb #>> '{a}', 5 # 3",
        ],
    );
}

#[test]
fn a_statement_of_more_than_16_mib_is_refused_and_one_of_16_is_not() {
    for engine in Engine::ALL {
        let of = |bytes: usize| {
            let text = format!(
                "CREATE TABLE a (b INT);\n{};",
                sized("INSERT INTO a VALUES ('", bytes)
            );
            let found = problems(engine, &text);
            found
                .iter()
                .map(|p| (p.code().0, p.place.map(|p| p.line)))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(16 << 20), []);
        assert_eq!(of((16 << 20) + 1), [(3056, Some(2))], "B25 on {engine}");
    }
}

/// Returns a statement of so many bytes.
fn sized(begin: &str, bytes: usize) -> String {
    format!("{begin}{}')", "x".repeat(bytes - begin.len() - 2))
}
