//! Statements that ask what an earlier one of their session did: `LAST_INSERT_ID()` and the like.

use super::{Class, body, classify};
use crate::engine::Engine;
use crate::migration::cursor::Cursor;
use crate::migration::script::Script;

/// Functions that ask when they stand without an argument; with one, `LAST_INSERT_ID` sets the answer.
const FUNCTIONS: [&str; 3] = ["LAST_INSERT_ID", "FOUND_ROWS", "ROW_COUNT"];

const VARIABLES: [&str; 2] = ["LAST_INSERT_ID", "IDENTITY"];

/// What a statement has to do with the results of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Results {
    /// Nothing.
    Unconcerned,
    /// It asks for what a statement before it did.
    Asks,
    /// It asks for nothing, and what follows asks for what it did.
    Gives,
}

/// Returns what a statement has to do with the results of others. An `INSERT` counts as the one that is asked
/// for, although only one that generates an id is.
pub(super) fn results(statement: &str, class: &Class) -> Results {
    let mut cursor = Cursor::new(body(statement), Engine::MySql);
    cursor.eat("ANALYZE");
    let inserts = cursor.at_any(&["INSERT", "REPLACE"]).is_some();
    // A definition only holds such statements.
    let defines = matches!(class, Class::AtomicDdl { .. } | Class::MultiObjectDdl { .. });
    if defines
        || !FUNCTIONS
            .iter()
            .chain(&VARIABLES)
            .any(|word| mentions(statement, word))
    {
        return if inserts {
            Results::Gives
        } else {
            Results::Unconcerned
        };
    }
    let mut found = if inserts {
        Results::Gives
    } else {
        Results::Unconcerned
    };
    while let Some(token) = cursor.bump() {
        let is_any = |words: &[&str]| words.iter().any(|word| token.is(cursor.text(), word));
        let mut ahead = cursor.clone();
        if is_any(&FUNCTIONS) && ahead.eat_symbol(b'(') {
            if ahead.eat_symbol(b')') {
                return Results::Asks;
            }
            found = Results::Gives;
        }
        if token.is_symbol(cursor.text(), b'@') && ahead.eat_symbol(b'@') && reads_variable(ahead) {
            return Results::Asks;
        }
    }
    found
}

/// Stands behind `@@`.
fn reads_variable(mut cursor: Cursor<'_>) -> bool {
    if cursor.eat_any(&["SESSION", "LOCAL"]).is_some() {
        cursor.eat_symbol(b'.');
    }
    let name = cursor.name();
    name.is_some_and(|name| VARIABLES.iter().any(|known| known.eq_ignore_ascii_case(&name)))
}

/// Looks before reading word by word: rows can be many megabytes.
fn mentions(statement: &str, word: &str) -> bool {
    statement
        .as_bytes()
        .windows(word.len())
        .any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

/// Returns the last place in `first..=last` before which a script can be cut in two sessions, as far as the
/// results of its statements go; `None` if there is none.
pub(crate) fn last_cut(script: &Script, first: usize, last: usize) -> Option<usize> {
    let of = |at: usize| {
        let text = script.statement(at);
        results(text, &classify(text))
    };
    let total = script.statements.len();
    let next = (last..total).map(of).find(|found| *found != Results::Unconcerned);
    let mut asked = next == Some(Results::Asks);
    let mut at = last;
    while asked && at > first {
        at -= 1;
        asked = match of(at) {
            Results::Asks => true,
            Results::Gives => false,
            Results::Unconcerned => asked,
        };
    }
    (!asked && at >= first).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::{Results, last_cut, results};
    use crate::engine::Engine;
    use crate::migration::Track;
    use crate::migration::mysql_class::classify;
    use crate::target::TrackName;

    #[test]
    fn who_asks_and_who_gives() {
        for (statement, expect) in [
            ("INSERT INTO c VALUES (LAST_INSERT_ID(), 1)", Results::Asks),
            ("SET @a = last_insert_id ( )", Results::Asks),
            ("SELECT @@identity, @@SESSION.`last_insert_id`", Results::Asks),
            ("SELECT FOUND_ROWS()", Results::Asks),
            ("UPDATE s SET n = LAST_INSERT_ID(n + 1)", Results::Gives),
            (
                "SET STATEMENT max_statement_time=1 FOR INSERT INTO a VALUES (1)",
                Results::Gives,
            ),
            ("REPLACE INTO a VALUES ('LAST_INSERT_ID()')", Results::Gives),
            (
                "CREATE PROCEDURE p() INSERT INTO c VALUES (LAST_INSERT_ID())",
                Results::Unconcerned,
            ),
            ("UPDATE a SET n = 1", Results::Unconcerned),
        ] {
            assert_eq!(results(statement, &classify(statement)), expect, "{statement}");
        }
    }

    #[test]
    fn rows_are_not_cut_before_a_statement_that_asks() {
        let text = "INSERT INTO a VALUES (1);\nINSERT INTO a VALUES (2);\nUPDATE a SET n = 3;\n\
                    INSERT INTO c VALUES (LAST_INSERT_ID());\nINSERT INTO a VALUES (4);\n";
        let track = Track::from_files(TrackName::Tenant, Engine::MySql, &[("1_a.sql", text)]).unwrap();
        let script = &track.migrations[0].up;
        for (last, expect) in [
            (1, Some(1)),
            (2, Some(1)),
            (3, Some(1)),
            (4, Some(4)),
            (5, Some(5)),
        ] {
            assert_eq!(last_cut(script, 1, last), expect, "{last}");
        }
        assert_eq!(last_cut(script, 2, 3), None);
    }
}
