//! Values that are cut, rounded or forgotten while their rows stay.

use super::check;
use crate::engine::Engine::{MySql, Postgres, Sqlite};

#[test]
fn a_new_type_may_lose_values() {
    let using = [(0, "ALTER COLUMN … USING")];
    let plain = [(0, "ALTER COLUMN … TYPE")];
    for (new, expected) in [
        ("int USING NULL", using),
        ("int USING b::int", using),
        ("int USING CASE WHEN b = b THEN NULL::int END, ADD d int", using),
        ("int", plain),
        ("numeric(10, 2), ADD d int", plain),
        ("text[]", plain),
        ("text USING left(b, 1)", using),
    ] {
        for alter in ["ALTER COLUMN b TYPE", "ALTER \"b\" SET DATA TYPE"] {
            let text = format!("ALTER TABLE a ADD c int, {alter} {new}");
            check(Postgres, &text, &expected);
        }
    }
    check(Postgres, "ALTER TABLE a ALTER attribute TYPE int", &plain);
    check(Postgres, "ALTER TYPE t ALTER ATTRIBUTE b TYPE int", &plain);
    check(
        Postgres,
        "DO $$ BEGIN ALTER TABLE a ALTER b TYPE int USING 0; UPDATE a SET c = b; END $$",
        &using,
    );
    for text in [
        "ALTER TABLE a ALTER b TYPE text, ADD c int",
        "ALTER TABLE a ALTER b SET DATA TYPE text",
        "ALTER TABLE a ALTER b SET DEFAULT NULL, ALTER c DROP NOT NULL",
        "ALTER TABLE a ADD type int",
    ] {
        check(Postgres, text, &[]);
    }
}

#[test]
fn what_mariadb_stores_in_another_way_may_lose_values() {
    for (action, word) in [
        ("MODIFY x date", "MODIFY"),
        ("ADD y int, MODIFY COLUMN IF EXISTS x int", "MODIFY"),
        ("CHANGE x x int", "CHANGE"),
        ("CONVERT TO CHARACTER SET latin1", "CONVERT TO CHARACTER SET"),
        ("CONVERT TO CHARSET = latin1", "CONVERT TO CHARACTER SET"),
        ("ENGINE = MEMORY", "ENGINE = MEMORY"),
        ("ENGINE=HEAP", "ENGINE = MEMORY"),
    ] {
        check(MySql, &format!("ALTER TABLE a {action}"), &[(0, word)]);
        let block = format!("BEGIN NOT ATOMIC ALTER TABLE a {action}; END");
        check(MySql, &block, &[(0, word)]);
    }
    for action in [
        "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "CONVERT PARTITION p TO TABLE b",
        "RENAME COLUMN x TO y",
        "ADD modify int",
        "ALTER x SET DEFAULT 1",
    ] {
        check(MySql, &format!("ALTER TABLE a {action}"), &[]);
    }
}

#[test]
fn an_update_may_forget_in_other_words() {
    for engine in [Postgres, MySql, Sqlite] {
        for text in [
            "UPDATE a SET b = (SELECT NULL)",
            "UPDATE a SET b = '' WHERE c = 1",
            "UPDATE a SET b = '' WHERE 1",
            "UPDATE a SET b = 'x' WHERE true",
            "UPDATE a SET b = 1 WHERE 1 = 1",
            "UPDATE a SET b = CASE WHEN b IS NOT NULL THEN NULL ELSE b END",
            "UPDATE a SET (b, c) = (d, NULL)",
            "UPDATE a SET b = NULL WHERE c = b OR 1 = 1 OR b = 'x'",
            "UPDATE a SET b = NULL WHERE b = c",
            "UPDATE a SET b = NULL WHERE b = 'x' || c",
            "UPDATE a SET b = NULL WHERE NOT b = 'x'",
            "UPDATE a SET b = NULL WHERE NOT a.b IN (1)",
            "UPDATE a SET b = NULL WHERE b IN (SELECT b FROM a)",
            "UPDATE a SET b = NULL WHERE EXISTS (SELECT 1 FROM c WHERE b = 'x')",
        ] {
            check(engine, text, &[(0, "UPDATE")]);
        }
        for text in [
            "UPDATE a SET b = '' WHERE b = 'x'",
            "UPDATE a SET b = c IS NULL, d = e IS NOT NULL",
            "UPDATE a SET b = (SELECT count(*) FROM c)",
            "UPDATE a SET b = NULL WHERE b = -1 AND c = 'x' OR b",
            "UPDATE a SET b = NULL WHERE a.b IN (1, 2) AND (c OR d)",
        ] {
            let expected: &[_] = if text.ends_with("OR b") {
                &[(0, "UPDATE")]
            } else {
                &[]
            };
            check(engine, text, expected);
        }
    }
}

#[test]
fn rows_in_the_way_may_forget_what_they_held() {
    let losing = [(0, "UPDATE")];
    for engine in [Postgres, Sqlite] {
        for (text, expected) in [
            ("DO UPDATE SET x = NULL", &losing[..]),
            ("(id) DO UPDATE SET y = excluded.y, x = '' WHERE a.z", &losing),
            ("(id) DO UPDATE SET x = excluded.x", &[]),
            ("(id) DO UPDATE SET x = 'v'", &[]),
            ("DO NOTHING", &[]),
        ] {
            let text = format!("INSERT INTO a VALUES (1, 2) ON CONFLICT {text}");
            check(engine, &text, expected);
        }
    }
    let block = "DO $$ BEGIN INSERT INTO a VALUES (1) ON CONFLICT (id) DO UPDATE SET x = NULL; END $$";
    check(Postgres, block, &losing);
    let mysql = "INSERT INTO a VALUES (1) ON DUPLICATE KEY UPDATE";
    check(MySql, &format!("{mysql} x = NULL"), &losing);
    check(MySql, &format!("BEGIN NOT ATOMIC {mysql} x = NULL; END"), &losing);
    check(MySql, &format!("{mysql} x = VALUES(x), y = y + 1"), &[]);
}

#[test]
fn large_objects_that_are_unlinked_are_gone() {
    let gone = [(0, "lo_unlink")];
    check(Postgres, "SELECT pg_catalog.lo_unlink(a.b) FROM a", &gone);
    check(Postgres, "DO $$ BEGIN PERFORM lo_unlink(4711); END $$", &gone);
    let query = "WITH b AS (SELECT 1) INSERT INTO c SELECT lo_unlink(n) FROM b";
    check(Postgres, query, &gone);
    check(Postgres, "SELECT lo_unlink FROM a", &[]);
}
