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

#[test]
fn a_storage_engine_is_named_in_quotes_too() {
    for (engine, word) in [
        ("\"MEMORY\"", "ENGINE = MEMORY"),
        ("'heap'", "ENGINE = MEMORY"),
        ("`Memory`", "ENGINE = MEMORY"),
        ("'BLACKHOLE'", "ENGINE = BLACKHOLE"),
    ] {
        check(MySql, &format!("ALTER TABLE a ENGINE={engine}"), &[(0, word)]);
    }
    for kept in ["'InnoDB'", "\"Aria\"", "`InnoDB`"] {
        check(
            MySql,
            &format!("ALTER TABLE a ENGINE {kept}, ADD memory INT"),
            &[],
        );
    }
}

#[test]
fn nothing_is_written_in_many_ways() {
    for (engines, values) in [
        (
            &[Postgres, MySql, Sqlite][..],
            &["('')", "CAST('' AS char(9))", "x''", "lower('')"][..],
        ),
        (
            &[MySql],
            &[
                r"\N",
                "N''",
                "_utf8mb4''",
                "_utf8mb4 x''",
                "'' COLLATE utf8mb4_bin",
                "CONVERT('' USING utf8mb4)",
            ],
        ),
        (
            &[Postgres],
            &[
                "''::text",
                "''::character varying(9)",
                "''::pg_catalog.text",
                "text ''",
                "E''",
                "e''::text",
                "$$$$",
                "$a$$a$",
                "U&''",
                "CAST('' AS text)",
                "'' COLLATE \"C\"",
            ],
        ),
        (&[Sqlite], &["\"\"", "X''"]),
    ] {
        for (engine, value) in engines.iter().flat_map(|e| values.iter().map(move |v| (*e, v))) {
            check(
                engine,
                &format!("UPDATE a SET b = {value} WHERE c = 1"),
                &[(0, "UPDATE")],
            );
            check(
                engine,
                &format!("UPDATE a SET d = e, b = {value} WHERE c = 1"),
                &[(0, "UPDATE")],
            );
        }
    }
}

#[test]
fn nothing_is_found_in_rows_in_the_way_and_in_variables() {
    let upsert = "INSERT INTO a VALUES (1) ON DUPLICATE KEY UPDATE b =";
    check(MySql, &format!(r"{upsert} \N"), &[(0, "UPDATE")]);
    check(MySql, &format!("{upsert} N''"), &[(0, "UPDATE")]);
    check(MySql, "UPDATE a SET b = @undefined", &[(0, "UPDATE")]);
    check(MySql, "UPDATE a SET b = @kept WHERE c = 1", &[]);
    for engine in [Postgres, MySql, Sqlite] {
        for value in [
            "'x'",
            "('x')",
            "CAST('x' AS char(9))",
            "replace(b, 'x', '')",
            "coalesce(c, '')",
        ] {
            check(engine, &format!("UPDATE a SET b = {value} WHERE c = 1"), &[]);
        }
    }
}

#[test]
fn a_condition_must_say_what_the_column_held_and_nothing_else() {
    for engine in [Postgres, MySql, Sqlite] {
        for condition in [
            "x = 'one' IS NOT NULL",
            "x IS NULL = 0",
            "x IN ('one', x)",
            "x IN ('one', 'two') = 0",
            "'one' = x = 0",
            "q.x = 'one'",
            "c BETWEEN 1 AND x = 'one'",
            "x = 'one' COLLATE c = 1",
            "x = 'one' AND c = 1 || d = 2",
            "(x = 'one') IS NOT NULL",
        ] {
            let text = format!("UPDATE a SET x = NULL WHERE {condition}");
            check(engine, &text, &[(0, "UPDATE")]);
        }
        for condition in [
            "a.x = 'one' AND c = 2",
            "c BETWEEN 1 AND 2 AND x = 'one'",
            "x IN (-1, 2.5, 'three') AND c",
            "c IS NOT NULL AND x IS NULL",
        ] {
            check(engine, &format!("UPDATE a SET x = NULL WHERE {condition}"), &[]);
        }
    }
}

#[test]
fn a_condition_must_be_about_the_table_that_is_changed() {
    for (engine, text) in [
        (Sqlite, "UPDATE a SET x = NULL WHERE x = 'one' NOTNULL"),
        (Postgres, "UPDATE a SET x = NULL WHERE x = 'one' NOTNULL"),
        (Postgres, "UPDATE a SET x = NULL FROM q WHERE q.x = 'one'"),
        (Postgres, "UPDATE a AS t SET x = NULL FROM a WHERE a.x = 'one'"),
        (Postgres, "UPDATE a SET (x, y) = (NULL, NULL) WHERE x = 'one'"),
        (
            Postgres,
            "UPDATE a SET x = NULL WHERE x = 'one'::text IS NOT NULL",
        ),
        (
            MySql,
            "UPDATE a JOIN q ON a.n = q.n SET a.x = NULL WHERE q.x = 'one'",
        ),
        (MySql, "UPDATE a, q SET x = NULL WHERE q.x = 'one'"),
    ] {
        check(engine, text, &[(0, "UPDATE")]);
    }
    for (engine, text) in [
        (
            Postgres,
            "UPDATE ONLY s.a AS t SET x = NULL FROM q WHERE t.x = 'one' AND q.y = t.y",
        ),
        (
            Postgres,
            "UPDATE a t SET x = NULL WHERE t.x = 'one'::varchar(9) RETURNING *",
        ),
        (
            Postgres,
            "UPDATE s.a SET x = NULL WHERE s.a.x IN ('one'::text, 'two')",
        ),
        (
            Postgres,
            "UPDATE a SET (x, y) = (NULL, NULL) WHERE x = 'one' AND y = 2",
        ),
        (
            MySql,
            "UPDATE a JOIN q ON a.n = q.n SET a.x = NULL WHERE a.x = 'one' AND q.x = 'two'",
        ),
        (MySql, "UPDATE a SET x = NULL WHERE x = 'one' ORDER BY n LIMIT 5"),
        (Sqlite, "UPDATE OR IGNORE a SET x = NULL WHERE a.x = 'one'"),
    ] {
        check(engine, text, &[]);
    }
}

#[test]
fn large_objects_that_are_cut_or_written_over_are_named() {
    for (text, word) in [
        ("SELECT \"lo_unlink\"(4711)", "lo_unlink"),
        ("SELECT lo_truncate(lo_open(4711, 131072), 0)", "lo_truncate"),
        ("SELECT lo_truncate64(lo_open(4711, 131072), 0)", "lo_truncate"),
        ("SELECT lo_put(4711, 0, 'x')", "lo_put"),
        ("DO $$ BEGIN PERFORM \"lo_put\"(4711, 0, 'x'); END $$", "lo_put"),
        ("SELECT lowrite(lo_open(4711, 131072), 'x')", "lowrite"),
    ] {
        check(Postgres, text, &[(0, word)]);
    }
    check(
        Postgres,
        "SELECT lo_from_bytea(0, 'x'), lo_get(4711), \"LO_PUT\"(1)",
        &[],
    );
}
