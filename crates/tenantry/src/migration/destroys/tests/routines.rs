//! What the file hides in a body that it makes: functions, procedures, triggers and rules.

use super::destroys_in;
use crate::engine::Engine::{self, MySql, Postgres, Sqlite};

#[track_caller]
fn check(engine: Engine, text: &str, expected: &[&str]) {
    let found: Vec<String> = destroys_in(engine, text)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(found, expected, "{engine}: {text}");
}

#[test]
fn a_body_that_the_file_makes_is_looked_into_and_named() {
    for (text, said) in [
        (
            "CREATE FUNCTION undo() RETURNS void LANGUAGE sql AS 'DELETE FROM inv'; SELECT undo()",
            "DELETE in function undo",
        ),
        (
            "CREATE OR REPLACE FUNCTION s.f() RETURNS void LANGUAGE sql AS $$ TRUNCATE a $$",
            "TRUNCATE in function f",
        ),
        (
            "CREATE FUNCTION f() RETURNS void AS $f$ BEGIN DROP TABLE a; END $f$ LANGUAGE 'plpgsql'",
            "DROP TABLE in function f",
        ),
        (
            "CREATE FUNCTION f(n int) RETURNS int BEGIN ATOMIC DELETE FROM a; SELECT 1; END",
            "DELETE in function f",
        ),
        (
            "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN EXECUTE wanted; END $$",
            "EXECUTE in procedure p",
        ),
        (
            "CREATE FUNCTION f() RETURNS void LANGUAGE plpython3u AS $$ pass $$",
            "CREATE FUNCTION in function f",
        ),
        (
            "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS E'DEL\\x45TE FROM a'",
            "CREATE FUNCTION in function f",
        ),
        (
            "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DEL'\n'ETE FROM a'",
            "CREATE FUNCTION in function f",
        ),
        (
            "CREATE RULE r AS ON INSERT TO a DO INSTEAD DELETE FROM a",
            "DELETE in rule r",
        ),
        (
            "CREATE OR REPLACE RULE r AS ON INSERT TO a DO ALSO (UPDATE b SET c = NULL; DELETE FROM a)",
            "UPDATE in rule r",
        ),
    ] {
        check(Postgres, text, &[said]);
    }
}

#[test]
fn a_body_that_a_block_makes_is_looked_into() {
    for (text, said) in [
        (
            "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS E'DEL\\x45TE FROM a'; PERFORM f()",
            "CREATE FUNCTION",
        ),
        (
            "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DELETE FROM a'",
            "DELETE",
        ),
        ("CREATE RULE r AS ON INSERT TO a DO DELETE FROM a", "DELETE"),
        (
            "CREATE RULE r AS ON INSERT TO a DO UPDATE b SET c = NULL",
            "UPDATE",
        ),
    ] {
        check(Postgres, &format!("DO $x$ BEGIN {text}; END $x$"), &[said]);
    }
    let kept = "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; PERFORM E'\\n', 'a'";
    check(Postgres, &format!("DO $x$ BEGIN {kept}; END $x$"), &[]);
}

#[test]
fn a_trigger_of_sqlite_is_looked_into_and_named() {
    for (text, said) in [
        (
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END",
            "DELETE in trigger t",
        ),
        (
            "CREATE TEMP TRIGGER IF NOT EXISTS x.\"t t\" UPDATE OF c ON a WHEN 1 BEGIN SELECT 1; UPDATE b SET c = NULL; END",
            "UPDATE in trigger t t",
        ),
        (
            "CREATE TRIGGER t INSERT ON a BEGIN INSERT OR REPLACE INTO b VALUES (1); END",
            "REPLACE in trigger t",
        ),
        (
            "CREATE TRIGGER t INSERT ON a BEGIN UPDATE OR REPLACE b SET c = d; END",
            "REPLACE in trigger t",
        ),
    ] {
        check(Sqlite, text, &[said]);
    }
}

#[test]
fn a_body_that_mariadb_makes_is_looked_into_and_named() {
    for (text, said) in [
        (
            "CREATE FUNCTION f() RETURNS int MODIFIES SQL DATA BEGIN DELETE FROM a; RETURN 1; END",
            "DELETE in function f",
        ),
        (
            "CREATE OR REPLACE DEFINER=`x`@`y` TRIGGER t BEFORE INSERT ON a FOR EACH ROW DELETE FROM b",
            "DELETE in trigger t",
        ),
        (
            "CREATE TRIGGER IF NOT EXISTS t AFTER DELETE ON a FOR EACH ROW FOLLOWS u BEGIN REPLACE b VALUES (1); END",
            "REPLACE in trigger t",
        ),
        ("CREATE PROCEDURE p() TRUNCATE TABLE a", "TRUNCATE in procedure p"),
        (
            "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM a",
            "DELETE in event e",
        ),
    ] {
        check(MySql, &format!("DELIMITER //\n{text}//\nDELIMITER ;"), &[said]);
    }
}

#[test]
fn a_body_that_keeps_the_data_is_not_asked_for() {
    for text in [
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := now(); \
         IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; UPDATE a SET n = n + 1 WHERE id = NEW.id; RETURN NEW; END $$",
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '$libdir/a', 'drop table b'",
        "CREATE TRIGGER t BEFORE DELETE OR UPDATE OF b ON a FOR EACH ROW EXECUTE FUNCTION f()",
        "CREATE CONSTRAINT TRIGGER t AFTER DELETE ON a FOR EACH ROW EXECUTE PROCEDURE s.f()",
        "CREATE RULE r AS ON DELETE TO a DO INSTEAD NOTHING",
        "CREATE RULE r AS ON DELETE TO a DO INSTEAD UPDATE a SET gone = true WHERE id = OLD.id",
        "CREATE VIEW v AS SELECT 1",
    ] {
        check(Postgres, text, &[]);
    }
    for text in [
        "CREATE TRIGGER t AFTER DELETE ON a BEGIN INSERT INTO b SELECT replace(OLD.c, 'x', 'y'); END",
        "CREATE TRIGGER t DELETE ON a BEGIN SELECT raise(ABORT, 'do not delete from a'); END",
    ] {
        check(Sqlite, text, &[]);
    }
    for text in [
        "CREATE TRIGGER t BEFORE DELETE ON a FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'do not delete this'",
        "CREATE FUNCTION f(a INT) RETURNS INT DETERMINISTIC COMMENT 'delete all' RETURN a + 1",
        "CREATE FUNCTION f RETURNS STRING SONAME 'drop.so'",
        "CREATE DEFINER=`x`@`y` SQL SECURITY INVOKER VIEW v AS SELECT 1",
    ] {
        check(MySql, text, &[]);
    }
}

#[test]
fn a_cursor_that_changes_rows_is_no_lock_on_them() {
    for (body, said) in [
        ("OPEN c FOR DELETE FROM a RETURNING *", "DELETE"),
        ("OPEN c FOR UPDATE a SET x = NULL RETURNING *", "UPDATE"),
        ("OPEN c FOR UPDATE ONLY a SET x = NULL RETURNING *", "UPDATE"),
        ("OPEN c FOR UPDATE of SET x = NULL RETURNING *", "UPDATE"),
    ] {
        let block = format!("DO $$ DECLARE c refcursor; r record; BEGIN {body}; FETCH c INTO r; END $$");
        check(Postgres, &block, &[said]);
    }
    let declared =
        "DECLARE c CURSOR FOR DELETE FROM a RETURNING *; r record; BEGIN OPEN c; FETCH c INTO r; END";
    check(Postgres, &format!("DO $$ {declared} $$"), &["DELETE"]);
    check(
        Postgres,
        &format!("CREATE FUNCTION u() RETURNS void LANGUAGE plpgsql AS $$ {declared} $$; SELECT u()"),
        &["DELETE in function u"],
    );
    for locked in [
        "FOR UPDATE",
        "FOR NO KEY UPDATE",
        "FOR UPDATE OF a",
        "FOR NO KEY UPDATE OF a NOWAIT",
        "FOR UPDATE SKIP LOCKED",
        "FOR UPDATE NOWAIT",
    ] {
        let rows = format!("FOR r IN SELECT * FROM a {locked} LOOP SET LOCAL b = 1; END LOOP");
        let rows = if locked.ends_with("UPDATE") {
            format!("PERFORM 1 FROM a {locked}; SET LOCAL b = 1")
        } else {
            rows
        };
        check(
            Postgres,
            &format!("DO $$ DECLARE r record; BEGIN {rows}; END $$"),
            &[],
        );
    }
    for event in ["DELETE USING (b)", "UPDATE USING (b) WITH CHECK (c)"] {
        let policy = format!("CREATE POLICY p ON a FOR {event}");
        check(Postgres, &policy, &[]);
        check(
            Postgres,
            &format!("DO $$ BEGIN {policy}; SET LOCAL b = 1; END $$"),
            &[],
        );
    }
}
