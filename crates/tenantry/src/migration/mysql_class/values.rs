//! Which statements give variables a value that another session would not have.

use super::{Class, body};
use crate::engine::Engine;
use crate::migration::cursor::{Cursor, unquoted};

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

/// Words without parentheses that give something else each time, or read rows; the last two stand before
/// `VALUE FOR` a sequence.
const CHANGING: [&str; 10] = [
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "FROM",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "UTC_TIME",
    "UTC_TIMESTAMP",
    "NEXT",
    "PREVIOUS",
];

/// System variables that a new session has as well, once what the file set was set again; others, such as
/// `last_insert_id`, may tell what only the lost one did.
const SETTINGS: [&str; 19] = [
    "autocommit",
    "character_set_client",
    "character_set_connection",
    "character_set_database",
    "character_set_results",
    "collation_connection",
    "collation_database",
    "default_storage_engine",
    "foreign_key_checks",
    "group_concat_max_len",
    "note_verbosity",
    "sql_log_bin",
    "sql_mode",
    "sql_notes",
    "sql_quote_show_create",
    "sql_safe_updates",
    "time_zone",
    "unique_checks",
    "version",
];

/// System variables that the next `INSERT`, or what asks for the last id, takes its value from: set a second time
/// they would serve another statement.
const ONCE: [&str; 5] = [
    "insert_id",
    "last_insert_id",
    "identity",
    "rand_seed1",
    "rand_seed2",
];

/// Returns whether a `SET` is meant for the statement behind it.
pub(super) fn is_for_the_next(statement: &str) -> bool {
    let mut changes = super::SessionChanges::default();
    changes.note(statement);
    ONCE.iter().any(|name| changes.system.contains(*name))
}

/// Returns whether a statement of class [`Class::Session`] sets something that another session may compute to
/// something else when it is run again there.
pub(super) fn computes(statement: &str) -> bool {
    let mut cursor = Cursor::new(body(statement), Engine::MySql);
    if !cursor.eat("SET") {
        return true;
    }
    let mut is_target = true;
    while let Some(token) = cursor.bump() {
        let text = cursor.text();
        if token.is_symbol(text, b'@') {
            if cursor.eat_symbol(b'@') && !names_setting(&mut cursor) && !(is_target && is_assigned(&cursor))
            {
                return true;
            }
            // A variable's name is no keyword and no function.
            cursor.bump();
            is_target = false;
            continue;
        }
        is_target = token.is_symbol(text, b',');
        let is_any = |words: &[&str]| words.iter().any(|word| token.is(text, word));
        let called = cursor.peek().is_some_and(|next| next.is_symbol(text, b'('));
        let named = called && unquoted(token, text).is_some();
        if is_any(&CHANGING) || (named && !is_any(&SAME_ANYWHERE)) {
            return true;
        }
    }
    false
}

/// Stands behind `@@`: steps on to the variable's own name; returns whether it is a setting.
fn names_setting(cursor: &mut Cursor<'_>) -> bool {
    let mut ahead = cursor.clone();
    while ahead.eat_any(&["SESSION", "LOCAL", "GLOBAL"]).is_some() && ahead.eat_symbol(b'.') {
        *cursor = ahead.clone();
    }
    let name = cursor.clone().name();
    name.is_some_and(|name| SETTINGS.iter().any(|known| known.eq_ignore_ascii_case(&name)))
}

/// Stands before a name: returns whether it is given a value.
fn is_assigned(cursor: &Cursor<'_>) -> bool {
    let mut ahead = cursor.clone();
    ahead.bump();
    ahead.eat_symbol(b':');
    ahead.eat_symbol(b'=')
}

/// Returns whether a statement that is not run again in a new session may give a variable of the user's a value.
pub(super) fn assigns(statement: &str, class: &Class) -> bool {
    // A definition only holds such statements.
    let defines = matches!(class, Class::AtomicDdl { .. } | Class::MultiObjectDdl { .. });
    if defines || !statement.contains('@') {
        return false;
    }
    let mut cursor = Cursor::new(body(statement), Engine::MySql);
    // `CREATE USER a@b` names nobody's variable.
    let may_pass = *class == Class::Opaque && cursor.at_any(&["CREATE", "ALTER", "DROP"]).is_none();
    let mut into = false;
    while let Some(token) = cursor.bump() {
        let text = cursor.text();
        let variable = token.is_symbol(text, b'@') && !cursor.eat_symbol(b'@');
        let given = token.is_symbol(text, b':') && cursor.clone().eat_symbol(b'=');
        if given || (variable && (into || may_pass)) {
            return true;
        }
        into = token.is(text, "INTO");
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{assigns, computes};
    use crate::migration::mysql_class::classify;

    #[test]
    fn a_value_that_only_this_session_knows_is_computed() {
        for (statement, expect) in [
            ("SET @l = @@last_insert_id", true),
            ("SET @l = @@SESSION.identity", true),
            ("SET @n = NEXT VALUE FOR s", true),
            ("SET @n = NEXTVAL(s)", true),
            ("SET STATEMENT max_statement_time=1 FOR SET @n = NOW()", true),
            ("SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='ANSI'", false),
            ("SET @@SESSION.max_statement_time = 5, @@wait_timeout := 9", false),
            ("SET @next = 1, @from = @next", false),
        ] {
            assert_eq!(computes(statement), expect, "{statement}");
        }
    }

    #[test]
    fn a_variable_is_given_a_value_in_many_places() {
        for (statement, expect) in [
            ("UPDATE a SET n = (@i := @i + 10)", true),
            ("DO @d := 88", true),
            ("WITH w AS (SELECT 1 AS n) SELECT n INTO @w FROM w", true),
            ("CALL p(1, @o)", true),
            ("EXECUTE s USING @a", true),
            ("BEGIN NOT ATOMIC SET @a = 1; END", true),
            ("SET @id = fw()", true),
            ("CALL p(@@sql_mode)", false),
            ("INSERT INTO a VALUES (@a)", false),
            ("CREATE USER a@b", false),
            ("CREATE PROCEDURE p() SET @a = (@b := 1)", false),
        ] {
            assert_eq!(assigns(statement, &classify(statement)), expect, "{statement}");
        }
    }
}
