//! Which files share their session with no other: what they leave in it cannot be taken away by its name.

use super::functions::calls_own;
use super::object::skip_definer;
use super::results::results;
use super::values::is_for_the_next;
use super::{Class, body, changed_table, classify};
use crate::engine::Engine;
use crate::migration::cursor::{Cursor, mentions};
use crate::migration::script::Script;

/// Returns whether a script may leave something in its session that is not taken away by its name, or asks for what
/// another one may have left there.
///
/// What triggers and views run is not seen here.
pub(crate) fn needs_own_session(script: &Script) -> bool {
    (0..script.statements.len()).any(|at| is_bound(script.statement(at)))
}

/// Returns whether a script makes a trigger or a function that names what belongs to a session: whoever changes rows
/// may run it then.
pub(crate) fn makes_session_code(script: &Script) -> bool {
    (0..script.statements.len()).any(|at| has_session_code(script.statement(at)))
}

/// Returns whether a script has a statement that may fire a trigger.
pub(crate) fn may_fire(script: &Script) -> bool {
    (0..script.statements.len()).any(|at| classify(script.statement(at)) == Class::Dml)
}

fn has_session_code(statement: &str) -> bool {
    const WORDS: [&str; 7] = [
        "GET_LOCK",
        "TEMPORARY",
        "LAST_INSERT_ID",
        "ROW_COUNT",
        "FOUND_ROWS",
        "LASTVAL",
        "PREVIOUS",
    ];
    let mut cursor = Cursor::new(statement, Engine::MySql);
    if !cursor.eat("CREATE") {
        return false;
    }
    cursor.eat_all(&["OR", "REPLACE"]);
    skip_definer(&mut cursor);
    if cursor.eat_any(&["TRIGGER", "FUNCTION"]).is_none() {
        return false;
    }
    let start = cursor.peek().map_or(0, |token| token.start as usize);
    let rest = statement.get(start..).unwrap_or("");
    rest.contains('@') || WORDS.iter().any(|word| mentions(rest, word))
}

fn is_bound(statement: &str) -> bool {
    let class = classify(statement);
    class == Class::Opaque
        || makes_temporary(statement)
        || names(statement)
        || results(statement, &class).asks_for_earlier()
        || (class == Class::Session && is_for_the_next(statement))
        || (class == Class::Dml && runs_own_code(statement))
}

/// A renaming may give a temporary table any name.
fn makes_temporary(statement: &str) -> bool {
    let mut cursor = Cursor::new(body(statement), Engine::MySql);
    if !cursor.eat("CREATE") {
        return false;
    }
    cursor.eat_all(&["OR", "REPLACE"]);
    cursor.at("TEMPORARY")
}

/// Returns whether it names a user variable, or takes a lock that belongs to the session. An account with its host
/// looks like a variable, and costs a session.
fn names(statement: &str) -> bool {
    if !statement.contains('@') && !mentions(statement, "GET_LOCK") {
        return false;
    }
    let mut cursor = Cursor::new(statement, Engine::MySql);
    while let Some(token) = cursor.bump() {
        let text = cursor.text();
        let marked = token.is_symbol(text, b'@') && !cursor.eat_symbol(b'@');
        if marked || token.is(text, "GET_LOCK") {
            return true;
        }
    }
    false
}

/// A function of the user's may do in the session whatever a procedure may. The columns behind the table's name only
/// look like a call.
fn runs_own_code(statement: &str) -> bool {
    let mut cursor = Cursor::new(body(statement), Engine::MySql);
    changed_table(&mut cursor);
    calls_own(cursor)
}

#[cfg(test)]
mod tests {
    use super::needs_own_session;
    use crate::engine::Engine;
    use crate::migration::Track;
    use crate::target::TrackName;

    #[test]
    fn what_no_name_takes_away_needs_a_session_of_its_own() {
        for (text, expect) in [
            ("CALL p();", true),
            ("CREATE TABLE a SELECT 1 AS n;", true),
            (
                "INSERT INTO a (n) WITH RECURSIVE c (i) AS (SELECT 1) SELECT i FROM c;",
                false,
            ),
            ("HANDLER a OPEN;", true),
            ("BEGIN NOT ATOMIC SET sql_mode = ''; END;", true),
            ("CREATE TEMPORARY TABLE a (n INT);", true),
            ("CREATE OR REPLACE TEMPORARY SEQUENCE s;", true),
            (
                "SET STATEMENT max_statement_time=1 FOR CREATE TEMPORARY TABLE a (n INT);",
                true,
            ),
            ("CREATE /*!50000 TEMPORARY */ TABLE a (n INT);", true),
            ("UPDATE a SET n = (@i := 1);", true),
            ("SET @a = 1;", true),
            ("SET @'my var' = 1;", true),
            ("INSERT INTO a VALUES (@`b c`);", true),
            ("/*!40101 SET @OLD=@@SQL_MODE */;", true),
            ("INSERT INTO a VALUES (LAST_INSERT_ID());", true),
            ("INSERT INTO a VALUES (@@identity);", true),
            ("INSERT INTO a VALUES (FOUND_ROWS());", true),
            ("INSERT INTO a VALUES (ROW_COUNT());", true),
            ("INSERT INTO a VALUES (LASTVAL(s));", true),
            ("INSERT INTO a VALUES (PREVIOUS VALUE FOR s);", true),
            ("DO GET_LOCK('a', 1);", true),
            ("SET INSERT_ID = 5;", true),
            ("DO mine();", true),
            ("UPDATE a SET n = mine(n);", true),
            ("INSERT INTO a (n) SELECT mine(1);", true),
            (
                "CREATE TABLE a (n INT); ALTER TABLE a ADD m INT; INSERT INTO a (n, m) VALUES (1, 2);",
                false,
            ),
            ("INSERT INTO a (n) VALUES ('a@b'), ('GET_LOCK'), (NOW());", false),
            ("REPLACE INTO a (n) SELECT MAX(n) FROM b WHERE (n > 1);", false),
            ("DELETE FROM a WHERE n IN (1, 2);", false),
            (
                "SET sql_mode = ''; SET @@foreign_key_checks = 0; SET NAMES utf8mb4;",
                false,
            ),
            (
                "UPDATE a SET n = LAST_INSERT_ID(n + 1); DO IS_FREE_LOCK('a');",
                false,
            ),
            ("DROP TEMPORARY TABLE a; OPTIMIZE TABLE a;", false),
        ] {
            let files = [("1_a.sql", text)];
            let track = Track::from_files(TrackName::Tenant, Engine::MySql, &files).unwrap();
            let script = &track.migrations[0].up;
            assert_eq!(needs_own_session(script), expect, "{text}");
            assert_eq!(script.own_session, expect, "{text}");
        }
    }

    /// Returns which of some files have a session of their own.
    fn apart(files: &[&str]) -> Vec<bool> {
        let named: Vec<String> = (1..=files.len())
            .map(|number| format!("{number}_a.sql"))
            .collect();
        let files: Vec<(&str, &str)> = named
            .iter()
            .map(String::as_str)
            .zip(files.iter().copied())
            .collect();
        let track = Track::from_files(TrackName::Tenant, Engine::MySql, &files).unwrap();
        track
            .migrations
            .iter()
            .map(|migration| migration.up.own_session)
            .collect()
    }

    #[test]
    fn rows_that_fire_what_reads_a_session_need_one_of_their_own() {
        let (rows, table) = ("INSERT INTO a VALUES (1);", "CREATE TABLE c (n INT);");
        for (made, expect) in [
            (
                "CREATE TRIGGER g BEFORE INSERT ON a FOR EACH ROW SET NEW.n = (@c := 1);",
                true,
            ),
            (
                "CREATE DEFINER=r@h TRIGGER g AFTER INSERT ON a FOR EACH ROW INSERT INTO b VALUES (LAST_INSERT_ID());",
                true,
            ),
            (
                "CREATE FUNCTION f() RETURNS INT BEGIN CREATE TEMPORARY TABLE t (n INT); RETURN 1; END;",
                true,
            ),
            (
                "CREATE DEFINER=r@h TRIGGER g BEFORE INSERT ON a FOR EACH ROW SET NEW.n = 1;",
                false,
            ),
            ("CREATE PROCEDURE p() SET @c = 1;", false),
        ] {
            let found = apart(&[rows, table, made, rows, table]);
            assert_eq!(
                (found[0], found[1], found[3], found[4]),
                (false, false, expect, false),
                "{made}"
            );
        }
    }

    #[test]
    fn no_other_engine_gives_a_file_a_session_of_its_own() {
        for engine in [Engine::Postgres, Engine::Sqlite] {
            let files = [("1_a.sql", "CREATE TEMPORARY TABLE a (n INT);")];
            let track = Track::from_files(TrackName::Tenant, engine, &files).unwrap();
            assert!(!track.migrations[0].up.own_session);
        }
    }
}
