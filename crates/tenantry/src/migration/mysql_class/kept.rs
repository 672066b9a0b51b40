//! What a file keeps in its session, and whether it can go on in another one.

use std::fmt;

use super::{Class, body, classify};
use crate::engine::Engine;
use crate::migration::cursor::{Cursor, unquoted};
use crate::migration::script::{OnResume, Script};

/// Functions that give the same in any session; whatever is not here may not.
const SAME_ANYWHERE: [&str; 11] = [
    "CAST",
    "COALESCE",
    "CONCAT",
    "CONCAT_WS",
    "IF",
    "IFNULL",
    "LOWER",
    "NULLIF",
    "REPLACE",
    "SELECT",
    "UPPER",
];

/// Words without parentheses that give something else each time, or read rows.
const CHANGING: [&str; 8] = [
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "FROM",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "UTC_TIME",
    "UTC_TIMESTAMP",
];

/// What a statement keeps in its session that another session cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// A temporary table.
    TemporaryTable,
    /// A variable whose value was computed: from rows, by a function, from the clock.
    ComputedVariable,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TemporaryTable => "a temporary table",
            Self::ComputedVariable => "a variable with a computed value",
        })
    }
}

/// Returns what is missing when a script goes on in a new session behind its first `done` statements: the
/// statement that made it, and what it is. `None` if the rest can run, or if nothing is left to run.
pub(crate) fn missing(script: &Script, done: usize) -> Option<(usize, Kept)> {
    let done = past_drops(script, done);
    if done >= script.statements.len() {
        return None;
    }
    let kept = kept_before(script, done);
    kept.first().map(|first| (first.at, first.what))
}

/// Steps over statements that drop a temporary table which the lost session has taken with it.
pub(crate) fn past_drops(script: &Script, done: usize) -> usize {
    let kept = kept_before(script, done);
    let is_gone = |name: &String| kept.iter().any(|kept| kept.table.as_ref() == Some(name));
    let is_over = |at: usize| {
        let tables = dropped(script.statement(at));
        !tables.is_empty() && tables.iter().all(is_gone)
    };
    let total = script.statements.len();
    (done..total).find(|at| !is_over(*at)).unwrap_or(total)
}

/// Returns whether a script's session has a temporary table behind its first `done` statements.
pub(crate) fn has_temporary_table(script: &Script, done: usize) -> bool {
    kept_before(script, done)
        .iter()
        .any(|kept| kept.what == Kept::TemporaryTable)
}

/// Returns whether a statement makes or drops a temporary table by that word.
pub(crate) fn is_about_temporary_table(statement: &str) -> bool {
    let mut cursor = Cursor::new(body(statement), Engine::MySql);
    if cursor.eat("DROP") {
        return cursor.eat("TEMPORARY");
    }
    made(statement).is_some()
}

/// Returns whether a statement sets variables of the user's and nothing else: such a statement may stand
/// between rows in their transaction.
pub(crate) fn sets_user_variables(statement: &str) -> bool {
    if classify(statement) != Class::Session {
        return false;
    }
    let mut cursor = Cursor::new(statement, Engine::MySql);
    if !cursor.eat("SET") {
        return cursor.at("SELECT");
    }
    let mut changes = super::SessionChanges::default();
    changes.note(statement);
    changes.system.is_empty() && cursor.eat_symbol(b'@') && !cursor.eat_symbol(b'@')
}

/// Returns the statement on whose account a failure behind it may leave a file that no run can go on with, and
/// what it keeps; `None` if there is none.
pub(crate) fn cannot_go_on(script: &Script) -> Option<(usize, Kept)> {
    let total = script.statements.len();
    kept_before(script, total).first()?;
    let (mut rows, mut lasting) = (None, false);
    for at in 0..total {
        let text = script.statement(at);
        let class = classify(text);
        // Rows that stand together are rolled back together.
        rows = match class {
            Class::Dml => rows.or(Some((at, lasting))),
            Class::Session if sets_user_variables(text) => rows,
            Class::AtomicDdl { .. }
            | Class::MultiObjectDdl { .. }
            | Class::Repeatable
            | Class::NotRepeatable
            | Class::Opaque
            | Class::Session => None,
        };
        let (base, in_place) = rows.unwrap_or((at, lasting));
        if in_place && let Some(found) = missing(script, base) {
            return Some(found);
        }
        lasting |= class != Class::Session;
    }
    None
}

/// One thing that is kept.
struct Thing {
    at: usize,
    what: Kept,
    table: Option<String>,
}

fn kept_before(script: &Script, until: usize) -> Vec<Thing> {
    let mut kept: Vec<Thing> = Vec::new();
    for at in 0..until {
        let text = script.statement(at);
        if let Some(table) = made(text) {
            kept.push(Thing {
                at,
                what: Kept::TemporaryTable,
                table: Some(table),
            });
        } else if script.directives.on_resume == OnResume::Ask && computes(text) {
            kept.push(Thing {
                at,
                what: Kept::ComputedVariable,
                table: None,
            });
        } else {
            let gone = dropped(text);
            kept.retain(|kept| kept.table.as_ref().is_none_or(|table| !gone.contains(table)));
        }
    }
    kept
}

/// Returns the temporary table that a statement makes.
fn made(statement: &str) -> Option<String> {
    let mut cursor = Cursor::new(body(statement), Engine::MySql);
    if !cursor.eat("CREATE") {
        return None;
    }
    cursor.eat_all(&["OR", "REPLACE"]);
    if !cursor.eat("TEMPORARY") || cursor.eat_any(&["TABLE", "SEQUENCE"]).is_none() {
        return None;
    }
    cursor.eat_all(&["IF", "NOT", "EXISTS"]);
    Some(cursor.qualified()?.name.into_owned())
}

/// Returns the tables that a statement drops.
fn dropped(statement: &str) -> Vec<String> {
    let mut cursor = Cursor::new(body(statement), Engine::MySql);
    if !cursor.eat("DROP") {
        return Vec::new();
    }
    cursor.eat("TEMPORARY");
    if cursor.eat_any(&["TABLE", "TABLES", "SEQUENCE"]).is_none() {
        return Vec::new();
    }
    cursor.eat_all(&["IF", "EXISTS"]);
    let mut tables = Vec::new();
    while let Some(table) = cursor.qualified() {
        tables.push(table.name.into_owned());
        if !cursor.eat_symbol(b',') {
            break;
        }
    }
    tables
}

/// Returns whether a statement sets something that another session may compute to something else.
fn computes(statement: &str) -> bool {
    let mut cursor = Cursor::new(statement, Engine::MySql);
    if classify(statement) != Class::Session || is_about_temporary_table(statement) {
        return false;
    }
    if !cursor.eat("SET") {
        return true;
    }
    while let Some(token) = cursor.bump() {
        let is_any = |words: &[&str]| words.iter().any(|word| token.is(statement, word));
        let called = cursor.peek().is_some_and(|next| next.is_symbol(statement, b'('));
        let named = called && unquoted(token, statement).is_some();
        if is_any(&CHANGING) || (named && !is_any(&SAME_ANYWHERE)) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{Kept, cannot_go_on, missing, past_drops};
    use crate::engine::Engine;
    use crate::migration::{Script, Track};
    use crate::target::TrackName;

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
        let behind = "CREATE TABLE a (n INT); CREATE TEMPORARY TABLE t (n INT); INSERT INTO t VALUES (1); \
                      CREATE TABLE b (n INT);";
        assert_eq!(on(behind, cannot_go_on), Some((1, Kept::TemporaryTable)));
    }

    #[test]
    fn a_table_that_went_with_its_session_needs_no_drop() {
        let text = "CREATE TEMPORARY TABLE t (n INT); INSERT INTO a VALUES (1); DROP TABLE t; SELECT 1;";
        assert_eq!(on(text, |script| past_drops(script, 2)), 3);
        assert_eq!(on(text, |script| past_drops(script, 0)), 0);
        assert_eq!(on(text, |script| missing(script, 2)), None);
        assert_eq!(
            on(text, |script| missing(script, 1)),
            Some((0, Kept::TemporaryTable))
        );
    }
}
