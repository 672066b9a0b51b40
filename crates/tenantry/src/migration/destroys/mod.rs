//! Which statements of a script take data away for good: their rollback must be confirmed by hand.

mod body;

use super::cursor::Cursor;
use super::script::Script;
use crate::engine::Engine;

/// A statement that takes data away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destruction {
    /// Its index in the script.
    pub statement: usize,
    /// What it does, in SQL's words: `DROP TABLE`.
    pub word: &'static str,
}

/// Returns the statements that drop tables, columns, schemas or databases, or delete rows, and those that
/// may: `CALL`, and whatever runs a text that cannot be seen.
///
/// `DO` blocks and the strings that are executed are looked into. What a function does that is called in a
/// query, or by a trigger, is not seen.
pub fn destroys_data(script: &Script, engine: Engine) -> Vec<Destruction> {
    let texts = (0..script.statements.len()).map(|index| (index, script.statement(index)));
    texts
        .filter_map(|(statement, text)| {
            let cursor = Cursor::new(text, engine);
            let word = destroyer(cursor.clone(), engine).or_else(|| body::hidden(cursor, engine))?;
            Some(Destruction { statement, word })
        })
        .collect()
}

fn destroyer(mut cursor: Cursor<'_>, engine: Engine) -> Option<&'static str> {
    match cursor.eat_any(&[
        "DROP", "TRUNCATE", "DELETE", "WITH", "MERGE", "ALTER", "CREATE", "EXPLAIN",
    ])? {
        "DROP" => dropped(cursor),
        "TRUNCATE" => Some("TRUNCATE"),
        "DELETE" => Some("DELETE"),
        "WITH" | "MERGE" | "EXPLAIN" => has_word(cursor, "DELETE").then_some("DELETE"),
        "CREATE" => cursor
            .eat_all(&["OR", "REPLACE", "TABLE"])
            .then_some("CREATE OR REPLACE TABLE"),
        _ => altered(cursor, engine),
    }
}

fn dropped(mut cursor: Cursor<'_>) -> Option<&'static str> {
    cursor.eat_any(&["TEMPORARY", "FOREIGN"]);
    match cursor.eat_any(&[
        "TABLE",
        "TABLES",
        "SCHEMA",
        "DATABASE",
        "OWNED",
        "TYPE",
        "DOMAIN",
        "EXTENSION",
    ])? {
        "TABLE" | "TABLES" => Some("DROP TABLE"),
        "SCHEMA" => Some("DROP SCHEMA"),
        "DATABASE" => Some("DROP DATABASE"),
        "OWNED" => Some("DROP OWNED"),
        _ => has_word(cursor, "CASCADE").then_some("DROP … CASCADE"),
    }
}

fn has_word(mut cursor: Cursor<'_>, word: &str) -> bool {
    while let Some(token) = cursor.bump() {
        if token.is(cursor.text(), word) {
            return true;
        }
    }
    false
}

/// Looks at the first words of every action of an `ALTER TABLE`.
fn altered(mut cursor: Cursor<'_>, engine: Engine) -> Option<&'static str> {
    cursor.eat_any(&["ONLINE", "IGNORE", "FOREIGN"]);
    if !cursor.eat("TABLE") {
        return None;
    }
    cursor.eat_all(&["IF", "EXISTS"]);
    cursor.eat("ONLY");
    // `format('ALTER TABLE %I …')` fills the name in later.
    cursor.eat_symbol(b'%');
    cursor.qualified()?;
    cursor.eat_symbol(b'*');
    loop {
        if let Some(word) = action(cursor.clone(), engine) {
            return Some(word);
        }
        to_next_action(&mut cursor)?;
    }
}

fn action(mut cursor: Cursor<'_>, engine: Engine) -> Option<&'static str> {
    const KEPT: [&str; 6] = ["INDEX", "KEY", "PRIMARY", "FOREIGN", "CHECK", "PERIOD"];
    let verb = cursor.eat_any(&["DROP", "TRUNCATE"])?;
    if cursor.at("PARTITION") && engine == Engine::MySql {
        return Some(if verb == "DROP" {
            "DROP PARTITION"
        } else {
            "TRUNCATE"
        });
    }
    let kept = cursor.at("CONSTRAINT") || (engine == Engine::MySql && cursor.at_any(&KEPT).is_some());
    (verb == "DROP" && !kept).then_some("DROP COLUMN")
}

/// Steps over the next comma outside parentheses; `None` if there is no more.
fn to_next_action(cursor: &mut Cursor<'_>) -> Option<()> {
    let mut depth = 0_usize;
    loop {
        let token = cursor.bump()?;
        match cursor.text_of(token) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "," if depth == 0 => return Some(()),
            // In a body the next statement begins here.
            ";" => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::destroys_data;
    use crate::engine::Engine::{self, MySql, Postgres, Sqlite};
    use crate::migration::Track;
    use crate::target::TrackName;

    #[track_caller]
    fn check(engine: Engine, text: &str, expected: &[(usize, &str)]) {
        let track = Track::from_files(TrackName::Tenant, engine, &[("1_a.sql", text)]).expect(text);
        let up = &track.migrations.first().expect("one migration").up;
        let found: Vec<_> = destroys_data(up, engine)
            .iter()
            .map(|d| (d.statement, d.word))
            .collect();
        assert_eq!(found, expected, "{engine}: {text}");
    }

    #[test]
    fn what_takes_data_away_is_named_by_statement() {
        check(
            Postgres,
            "SELECT 1; DROP TABLE a; DELETE FROM b",
            &[(1, "DROP TABLE"), (2, "DELETE")],
        );
        check(
            Postgres,
            "ALTER TABLE ONLY a.b ADD x int CHECK (x > 1), DROP c",
            &[(0, "DROP COLUMN")],
        );
        check(
            Postgres,
            "WITH a AS (DELETE FROM b RETURNING *) SELECT 1",
            &[(0, "DELETE")],
        );
        check(
            Postgres,
            "DROP SCHEMA a; DROP TYPE t CASCADE",
            &[(0, "DROP SCHEMA"), (1, "DROP … CASCADE")],
        );
        check(MySql, "ALTER TABLE a DROP PARTITION p", &[(0, "DROP PARTITION")]);
        check(Sqlite, "ALTER TABLE a DROP COLUMN b", &[(0, "DROP COLUMN")]);
    }

    #[test]
    fn bodies_and_executed_strings_are_looked_into() {
        for (body, word) in [
            ("BEGIN DELETE FROM a; END", "DELETE"),
            ("BEGIN IF true THEN DROP TABLE a; END IF; END", "DROP TABLE"),
            ("BEGIN ALTER TABLE a DROP COLUMN b; END", "DROP COLUMN"),
            ("BEGIN EXECUTE 'TRUNCATE a'; END", "TRUNCATE"),
            (
                "BEGIN EXECUTE format('ALTER TABLE %I DROP COLUMN b', n); END",
                "DROP COLUMN",
            ),
            ("BEGIN EXECUTE 'SELECT ''x'''; EXECUTE wanted; END", "EXECUTE"),
            ("BEGIN EXECUTE 'DROP ' || kind; END", "DROP"),
            ("BEGIN CALL other(); END", "CALL"),
        ] {
            check(Postgres, &format!("DO $x$ {body} $x$"), &[(0, word)]);
        }
        check(Postgres, "CALL tidy()", &[(0, "CALL")]);
        check(Postgres, "DO LANGUAGE plpython3u $$ pass $$", &[(0, "DO")]);
        check(Postgres, "DO 'BEGIN DELETE FROM a; END'", &[(0, "DELETE")]);
        check(Postgres, "PREPARE p AS DELETE FROM a", &[(0, "DELETE")]);
        check(MySql, "CALL tidy()", &[(0, "CALL")]);
        check(
            MySql,
            "PREPARE p FROM 'DROP TABLE a'; EXECUTE p",
            &[(0, "DROP TABLE")],
        );
        check(MySql, "SET @x = 1; PREPARE p FROM @x", &[(1, "PREPARE")]);
        check(MySql, "EXECUTE IMMEDIATE 'TRUNCATE TABLE a'", &[(0, "TRUNCATE")]);
    }

    #[test]
    fn bodies_that_keep_the_data_need_no_confirmation() {
        for body in [
            "BEGIN PERFORM 1; UPDATE a SET b = 'DELETE'; END",
            "BEGIN CREATE TRIGGER t AFTER DELETE OR TRUNCATE ON a EXECUTE FUNCTION f(); END",
            "BEGIN ALTER TABLE a ADD b int REFERENCES c ON DELETE CASCADE; DROP INDEX i; END",
            "BEGIN GRANT SELECT, DELETE ON a TO b; EXECUTE 'ALTER TABLE a ADD c int'; END",
            "BEGIN EXECUTE format('CREATE INDEX ON %I (n)', t); END",
        ] {
            check(Postgres, &format!("DO $$ {body} $$"), &[]);
        }
        check(MySql, "PREPARE p FROM 'SELECT TRUNCATE(1.5, 1)'; EXECUTE p", &[]);
        check(Sqlite, "UPDATE a SET b = 'DROP TABLE c'", &[]);
    }

    #[test]
    fn what_keeps_the_data_is_left_alone() {
        check(
            Postgres,
            "ALTER TABLE a ALTER b DROP DEFAULT, DROP CONSTRAINT c; DROP INDEX i; DROP TYPE t",
            &[],
        );
        check(
            Postgres,
            "SELECT 'DROP TABLE a'; COMMENT ON TABLE a IS 'DELETE'; UPDATE a SET b = 1",
            &[],
        );
        check(
            MySql,
            "ALTER TABLE a DROP INDEX b, DROP PRIMARY KEY, DROP FOREIGN KEY c",
            &[],
        );
    }
}
