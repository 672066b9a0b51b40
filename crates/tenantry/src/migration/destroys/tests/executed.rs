//! Text that is put together and run: asked for unless all of it can be seen.

use super::check;
use crate::engine::Engine::{MySql, Postgres};

#[test]
fn what_is_put_together_is_asked_for() {
    for (run, word) in [
        ("format('TRUNCATE %I', t)", "TRUNCATE"),
        ("'TRUNCATE ' || quote_ident(t)", "EXECUTE"),
        ("format('ALTER TABLE %I.%I DROP COLUMN x', s, t)", "DROP COLUMN"),
        ("format('ALTER TABLE %1$I DROP COLUMN %2$I', t, c)", "DROP COLUMN"),
        ("format('ALTER TABLE %s DROP COLUMN x', t)", "DROP COLUMN"),
        ("'ALTER TABLE ' || quote_ident(t) || ' DROP COLUMN x'", "EXECUTE"),
        ("format('UPDATE %I SET x = NULL', t)", "UPDATE"),
        ("format('UPDATE %I SET x = %L', t, v)", "UPDATE"),
        ("format('UPDATE %I SET x = %L WHERE y', t, v)", "EXECUTE"),
        ("'DELETE' || ' FROM a'", "EXECUTE"),
        ("concat('DRO', 'P TABLE a')", "EXECUTE"),
        ("format('%s TABLE a', 'DROP')", "EXECUTE"),
        ("format('ALTER TABLE a %I COLUMN x', 'drop')", "EXECUTE"),
        (
            "format('ALTER TABLE a ADD b int, %I COLUMN x', 'drop')",
            "EXECUTE",
        ),
        ("format('GRANT SELECT ON %I TO b', t) || more", "EXECUTE"),
        ("format('GRANT SELECT ON a TO b; ' || '%s', more)", "EXECUTE"),
        ("format('GRANT SELECT ON a TO b; %I FROM a', 'delete')", "EXECUTE"),
        ("'GRANT SELECT ON ' || t", "EXECUTE"),
        ("E'DEL\\x45TE FROM a'", "EXECUTE"),
        ("'DEL'\n'ETE FROM a'", "EXECUTE"),
        ("'DO E''BEGIN DE\\x4cETE FROM a; END'''", "EXECUTE"),
        (
            "$q$ DO $r$ BEGIN EXECUTE $s$ DELETE FROM a $s$; END $r$ $q$",
            "DELETE",
        ),
        ("(wanted) INTO n", "EXECUTE"),
        ("function || ' a'", "EXECUTE"),
    ] {
        let block = format!("DO $x$ BEGIN EXECUTE {run}; END $x$");
        check(Postgres, &block, &[(0, word)]);
    }
    for text in [
        "DO E'BEGIN DE\\x4cETE FROM a; END'",
        "DO U&'BEGIN DE\\004cETE FROM a; END'",
        "DO U&'BEGIN DE!004cETE FROM a; END' UESCAPE '!'",
        "DO 'BEGIN DEL'\n'ETE FROM a; END'",
    ] {
        check(Postgres, text, &[(0, "DO")]);
    }
}

#[test]
fn what_mariadb_puts_together_is_asked_for() {
    for text in [
        "CONCAT('TRUNCATE ', 'a')",
        "CONCAT('ALTER TABLE ', 'a', ' DROP COLUMN x')",
        "CONCAT('DELETE', ' FROM a')",
        "CONCAT('DRO', 'P TABLE a')",
        "'DEL\\ETE FROM a'",
        "'DEL' 'ETE FROM a'",
        "@text",
    ] {
        check(MySql, &format!("EXECUTE IMMEDIATE {text}"), &[(0, "EXECUTE")]);
        check(MySql, &format!("PREPARE p FROM {text}"), &[(0, "PREPARE")]);
    }
    for text in ["'DELETE FROM a'", "\"DELETE FROM a\""] {
        check(MySql, &format!("EXECUTE IMMEDIATE {text}"), &[(0, "DELETE")]);
        check(MySql, &format!("PREPARE p FROM {text}"), &[(0, "DELETE")]);
    }
}

#[test]
fn what_is_seen_whole_and_loses_nothing_is_not_asked_for() {
    for run in [
        "'ALTER TABLE a ADD c int' USING x",
        "'SELECT count(*) FROM a' INTO n",
        "format('CREATE INDEX %I ON %I.%I (n)', i, s, t)",
        "format('GRANT SELECT ON %I TO %I', t, r)",
        "format('COMMENT ON TABLE %I IS %L', t, 'DELETE')",
        "format('ALTER TABLE %1$I ADD COLUMN %2$I int DEFAULT %3$L, ADD d int', t, c, 1)",
        "format('ALTER TABLE %I DROP CONSTRAINT %I', t, c)",
        "format('DROP INDEX %I;', i)",
    ] {
        check(Postgres, &format!("DO $x$ BEGIN EXECUTE {run}; END $x$;"), &[]);
    }
    let block = "BEGIN NOT ATOMIC PREPARE p FROM 'INSERT INTO a VALUES (1)'; EXECUTE p; END";
    check(MySql, &format!("DELIMITER //\n{block}//\nDELIMITER ;"), &[]);
    check(MySql, "EXECUTE IMMEDIATE 'ALTER TABLE a ADD b INT' USING 1", &[]);
}
