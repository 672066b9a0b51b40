//! What a statement is, dialect by dialect.

use super::{Opened, SplitErrorKind, split};
use crate::engine::Engine::{self, MySql, Postgres, Sqlite};

#[track_caller]
fn check(engine: Engine, text: &str, expected: &[&str]) {
    let found: Vec<&str> = match split(text, engine) {
        Ok(statements) => statements.iter().map(|s| &text[s.range()]).collect(),
        Err(error) => panic!("{engine}: {error:?} in {text:?}"),
    };
    assert_eq!(found, expected, "{engine}: {text:?}");
}

#[track_caller]
fn refused(engine: Engine, text: &str, offset: usize, kind: SplitErrorKind) {
    let error = split(text, engine).expect_err(text);
    assert_eq!((error.offset, error.kind), (offset, kind), "{engine}: {text:?}");
}

#[test]
fn a_statement_goes_from_its_first_token_to_its_last() {
    for engine in Engine::ALL {
        check(
            engine,
            "  -- a;\n/* b; */ SELECT 1 /* c */ + 2 -- d\n ; ;;\n\nSELECT 3 -- e",
            &["SELECT 1 /* c */ + 2", "SELECT 3"],
        );
        check(engine, "", &[]);
        check(engine, "-- only a comment", &[]);
        check(
            engine,
            "SELECT ';' ';''' , 2;SELECT 4",
            &["SELECT ';' ';''' , 2", "SELECT 4"],
        );
        check(engine, "SELECT 'é';SELECT 'ü'", &["SELECT 'é'", "SELECT 'ü'"]);
    }
}

#[test]
fn postgres_strings() {
    check(
        Postgres,
        r"SELECT '\'; SELECT E'\';'; SELECT e'a''\\';",
        &[r"SELECT '\'", r"SELECT E'\';'", r"SELECT e'a''\\'"],
    );
    check(
        Postgres,
        "SELECT E'a' -- x;'\n  '\\';b'; SELECT 2",
        &["SELECT E'a' -- x;'\n  '\\';b'", "SELECT 2"],
    );
    check(
        Postgres,
        r#"SELECT U&"a;""b", U&'\0441;', e1';'"#,
        &[r#"SELECT U&"a;""b", U&'\0441;', e1';'"#],
    );
    check(
        Postgres,
        "SELECT name'\\'; SELECT 2",
        &["SELECT name'\\'", "SELECT 2"],
    );
}

#[test]
fn postgres_dollar_quotes() {
    check(
        Postgres,
        "DO $$ BEGIN; $a$ ; END $$; SELECT $é1$;$é$;$é1$",
        &["DO $$ BEGIN; $a$ ; END $$", "SELECT $é1$;$é$;$é1$"],
    );
}

#[test]
fn a_dollar_inside_a_name_opens_nothing() {
    check(
        Postgres,
        "SELECT a$b$c; SELECT $1; SELECT x$$; SELECT 2",
        &["SELECT a$b$c", "SELECT $1", "SELECT x$$", "SELECT 2"],
    );
    refused(
        Postgres,
        "SELECT 1; DO $x$ a $X$",
        13,
        SplitErrorKind::Unclosed(Opened::DollarQuote),
    );
}

#[test]
fn comments_nest_on_postgres_only() {
    check(
        Postgres,
        "/* /* ; */ ; */ SELECT 1; SELECT /* /**/ ; */ 2",
        &["SELECT 1", "SELECT /* /**/ ; */ 2"],
    );
    check(MySql, "/* /* ; */ SELECT 1", &["SELECT 1"]);
    check(Sqlite, "/* /* ; */ SELECT 1", &["SELECT 1"]);
    for engine in Engine::ALL {
        refused(
            engine,
            "SELECT 1; /*/ ",
            10,
            SplitErrorKind::Unclosed(Opened::Comment),
        );
        refused(
            engine,
            "SELECT 1; SELECT 'a",
            17,
            SplitErrorKind::Unclosed(Opened::Text),
        );
    }
}

#[test]
fn postgres_bodies_keep_their_semicolons() {
    let body = "CREATE OR REPLACE FUNCTION f(a int) RETURNS int BEGIN ATOMIC; SELECT CASE WHEN a=1 THEN 2 END; SELECT t.end, 1 AS case FROM t; END";
    check(Postgres, &format!("{body}; SELECT 1;"), &[body, "SELECT 1"]);
    let rule = "CREATE RULE r AS ON UPDATE TO t DO ALSO (INSERT INTO a VALUES (1); DELETE FROM b)";
    check(Postgres, &format!("{rule}; SELECT 1"), &[rule, "SELECT 1"]);
    check(
        Postgres,
        "CREATE TABLE begin (a int); BEGIN; END; SELECT 1",
        &["CREATE TABLE begin (a int)", "BEGIN", "END", "SELECT 1"],
    );
    refused(
        Postgres,
        "CREATE PROCEDURE p() BEGIN ATOMIC SELECT 1; ",
        21,
        SplitErrorKind::Unclosed(Opened::Body),
    );
}

#[test]
fn mysql_strings_and_comments() {
    check(
        MySql,
        r#"SELECT '\';', "a"";\";", `b;``\`; SELECT 5--3; SELECT 1 # ;'"#,
        &[r#"SELECT '\';', "a"";\";", `b;``\`"#, "SELECT 5--3", "SELECT 1"],
    );
    check(
        MySql,
        "SELECT 1 -- ;\n;SELECT 2 --".replace("\\n", "\n").as_str(),
        &["SELECT 1", "SELECT 2"],
    );
    check(
        MySql,
        "/*!50000 CREATE TABLE a (b char(1) default ';') */; /*M!100100 SELECT 1 */",
        &[
            "/*!50000 CREATE TABLE a (b char(1) default ';') */",
            "/*M!100100 SELECT 1 */",
        ],
    );
    check(
        MySql,
        "SELECT 1 /*! + /* ; */ 2 */; SELECT \\N",
        &["SELECT 1 /*! + /* ; */ 2 */", "SELECT \\N"],
    );
    refused(
        MySql,
        "SELECT 1; /*!50000 SELECT 2",
        10,
        SplitErrorKind::Unclosed(Opened::ConditionalComment),
    );
    refused(
        MySql,
        "/*!50000 SELECT 2; SELECT 3 */",
        0,
        SplitErrorKind::Unclosed(Opened::ConditionalComment),
    );
}

#[test]
fn mysql_delimiters() {
    check(
        MySql,
        "DELIMITER $$\nCREATE PROCEDURE p() BEGIN SELECT 1; END$$\nSELECT 1$$\ndelimiter ;\nSELECT 2",
        &["CREATE PROCEDURE p() BEGIN SELECT 1; END", "SELECT 1", "SELECT 2"],
    );
    check(MySql, "DELIMITER //\nSELECT 4/2//\nDELIMITER ;", &["SELECT 4/2"]);
    let unbalanced = SplitErrorKind::UnbalancedDelimiter("//".to_owned());
    refused(
        MySql,
        "SELECT 1;\nDELIMITER //\nSELECT 2;\nDELIMITER ;",
        10,
        unbalanced.clone(),
    );
    refused(MySql, "DELIMITER //\nSELECT 2//", 0, unbalanced);
    refused(MySql, "DELIMITER \nSELECT 2", 0, SplitErrorKind::NoDelimiter);
}

#[test]
fn mysql_bodies_are_kept_whole_without_a_delimiter() {
    for body in [
        "CREATE DEFINER=`a`@`b` PROCEDURE p(IN a INT, OUT b DECIMAL(1,2)) BEGIN IF a THEN SET b = IF(a, 1, 2); ELSEIF (b) THEN SET b = 1; END IF; END",
        "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET NEW.a = IF(NEW.b, REPEAT('a', 2), 2)",
        "CREATE TRIGGER t AFTER UPDATE ON x FOR EACH ROW IF NEW.a THEN SET @a = 1; END IF",
        "CREATE OR REPLACE FUNCTION f(a INT) RETURNS SET('a;') DETERMINISTIC RETURN CASE WHEN a THEN IF(a,1,2) ELSE IF(b,1,2) END",
        "CREATE EVENT IF NOT EXISTS e ON SCHEDULE EVERY 1 DAY ON COMPLETION PRESERVE DO BEGIN l: LOOP LEAVE l; END LOOP l; END",
        "CREATE FUNCTION f() RETURNS INT READS SQL DATA BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END; WHILE 1 DO SET a = 1; END WHILE; REPEAT SET b = CASE a WHEN 1 THEN 2 END; UNTIL b END REPEAT; CASE a WHEN 1 THEN CASE b WHEN 2 THEN SELECT end FROM t; END CASE; END CASE; FOR i IN 1..3 DO SELECT i; END FOR; RETURN 1; END",
        "/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`h`*/ /*!50003 TRIGGER t AFTER DELETE ON x FOR EACH ROW BEGIN DELETE FROM y; END */",
        "BEGIN NOT ATOMIC SELECT 1; END",
        "CREATE PROCEDURE p() SELECT 1",
        "CREATE TABLE event (a int, `end` int)",
    ] {
        check(MySql, &format!("{body}; SELECT 9;"), &[body, "SELECT 9"]);
    }
    refused(
        MySql,
        "CREATE PROCEDURE p() BEGIN IF a THEN SELECT 1; END;",
        21,
        SplitErrorKind::Unclosed(Opened::Body),
    );
}

#[test]
fn sqlite_names_and_triggers() {
    check(
        Sqlite,
        r#"SELECT [a;"] , "b;""" , `c;``` , 'd\'; SELECT 1"#,
        &[r#"SELECT [a;"] , "b;""" , `c;``` , 'd\'"#, "SELECT 1"],
    );
    let trigger = "CREATE TEMP TRIGGER t AFTER INSERT ON x BEGIN UPDATE x SET a = CASE WHEN b THEN 1 END; SELECT end FROM y; END";
    check(Sqlite, &format!("{trigger};SELECT 1"), &[trigger, "SELECT 1"]);
    refused(Sqlite, "SELECT 1;\n.read x", 10, SplitErrorKind::ClientCommand);
    refused(Sqlite, "SELECT 1 # don't", 9, SplitErrorKind::HashComment);
}

#[test]
fn what_only_a_client_program_understands_is_refused_at_its_place() {
    refused(
        Postgres,
        "SELECT 1;\n\\i it's.sql",
        10,
        SplitErrorKind::ClientCommand,
    );
    refused(
        Postgres,
        "COPY t (a) FROM STDIN;\n1\tdon't\n\\.\n",
        0,
        SplitErrorKind::CopyFromStdin,
    );
    refused(
        Postgres,
        "CREATE TABLE t (a int, # don't\n b int)",
        23,
        SplitErrorKind::HashComment,
    );
    check(
        Postgres,
        "SELECT a\n# b, c #> '{a}', #- d",
        &["SELECT a\n# b, c #> '{a}', #- d"],
    );
}

#[test]
fn a_routine_of_one_statement_ends_with_it() {
    for routine in [
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DROP TABLE IF EXISTS a",
        "CREATE PROCEDURE p() DROP TABLE IF EXISTS a",
        "CREATE PROCEDURE p() COMMENT 'x' CREATE TABLE IF NOT EXISTS a (n INT)",
        "CREATE PROCEDURE p() MODIFIES SQL DATA ALTER TABLE a ADD COLUMN IF NOT EXISTS c INT",
        "CREATE PROCEDURE p() TRUNCATE a",
        "CREATE PROCEDURE p() PREPARE s FROM 'DROP TABLE IF EXISTS a'",
        "CREATE PROCEDURE p() DO IF(1, 2, 3)",
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW FOLLOWS truncate BEGIN SET @a = 1; SET @b = 2; END",
        "CREATE FUNCTION f() RETURNS varchar(9) CHARACTER SET utf8mb4 BEGIN SET @a = 1; RETURN 'x'; END",
        "CREATE PROCEDURE p() IF 1 THEN SELECT 1; SELECT 2; END IF",
    ] {
        check(MySql, &format!("{routine}; SELECT 3"), &[routine, "SELECT 3"]);
    }
}

#[test]
fn a_new_body_of_an_event_is_one_statement() {
    for event in [
        "ALTER EVENT e ON SCHEDULE EVERY 2 DAY DO BEGIN DELETE FROM a; SELECT 1; END",
        "ALTER DEFINER=`x`@`y` EVENT e DO BEGIN DELETE FROM a; SELECT 1; END",
        "ALTER EVENT e DISABLE",
        "ALTER EVENT e RENAME TO f DO DROP TABLE IF EXISTS a",
        "ALTER TABLE a ADD event INT",
        "ALTER PROCEDURE p COMMENT 'x'",
    ] {
        check(MySql, &format!("{event}; SELECT 3"), &[event, "SELECT 3"]);
    }
}

#[test]
fn what_switches_the_client_of_mariadb_to_sandbox_mode_is_a_comment() {
    for mark in [
        r"/*M!999999\- enable the sandbox mode */",
        r"/*!999999\- enable the sandbox mode */",
    ] {
        check(MySql, &format!("{mark} \nSELECT 1"), &["SELECT 1"]);
        check(MySql, mark, &[]);
    }
    for other in [
        r"/*M!999999 \- a */",
        r"/*M!100100\- a */",
        r"/*M!999999\- a /* b */ */",
    ] {
        refused(
            MySql,
            other,
            other.find('\\').expect("one"),
            SplitErrorKind::ClientCommand,
        );
    }
}
