//! What a MySQL statement is when it is interrupted: can its effect be seen, and may it run again?

mod apart;
mod conditional;
mod functions;
mod kept;
mod object;
mod parts;
mod results;
mod session;
mod storage;
mod values;
mod variables;

#[cfg(test)]
mod tests;

pub(crate) use apart::{makes_session_code, may_fire, needs_own_session};
pub(super) use conditional::is_executed_by_all;
pub use kept::Kept;
pub(crate) use kept::{
    Reading, cannot_go_on, is_about_temporary_table, missing, past_drops, sets_user_variables,
    temporary_tables,
};
pub(crate) use object::starts;
pub use object::{Object, ObjectKind};
pub(crate) use parts::Parts;
pub(crate) use results::Cuts;
pub(crate) use session::SessionChanges;
pub(crate) use storage::{Storage, storage};

use std::borrow::Cow;

use object::Named;

use super::cursor::{Cursor, Qualified};
use crate::engine::Engine;

/// The class of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// It changes or reads rows: atomic together with a checkpoint.
    Dml,
    /// It changes the schema atomically; whether it did shows in the definitions of the named objects.
    AtomicDdl {
        /// The objects it names, in its order; for a renaming the old name and the new one.
        objects: Vec<Object>,
    },
    /// It changes several objects and can stop between two of them.
    MultiObjectDdl {
        /// The objects it names, in its order.
        objects: Vec<Object>,
    },
    /// Its effect cannot be seen, and it may run again.
    Repeatable,
    /// Its effect cannot be seen, and it may not run again: `TRUNCATE`, `ALTER TABLE … EXCHANGE PARTITION`.
    NotRepeatable,
    /// Nobody can say: `CALL`, `CREATE TABLE … SELECT` and whatever is not known here.
    Opaque,
    /// It changes the session only, so a later session needs it again.
    Session,
}

/// Returns the class of a statement, comments and conditional comments included.
///
/// What is not recognised is [`Class::Opaque`].
pub fn classify(statement: &str) -> Class {
    let class = class(Cursor::new(statement, Engine::MySql), &mut Named::default());
    let shares_a_message = matches!(
        class,
        Class::Dml | Class::AtomicDdl { .. } | Class::MultiObjectDdl { .. }
    );
    if shares_a_message && conditional::may_be_skipped(statement) {
        return Class::Opaque;
    }
    if let Class::AtomicDdl { objects } | Class::MultiObjectDdl { objects } = &class
        && conditional::hides_name(statement, objects)
    {
        return Class::Opaque;
    }
    class
}

/// Returns a statement without the `SET STATEMENT … FOR` before it ("SET STATEMENT"), which sets variables for
/// that one statement.
pub(crate) fn body(statement: &str) -> &str {
    let mut cursor = Cursor::new(statement, Engine::MySql);
    if !step_over_settings(&mut cursor) {
        return statement;
    }
    let start = cursor.peek().map(|token| token.start as usize);
    start.and_then(|start| statement.get(start..)).unwrap_or("")
}

fn step_over_settings(cursor: &mut Cursor<'_>) -> bool {
    let mut found = false;
    while cursor.eat_all(&["SET", "STATEMENT"]) {
        cursor.skip_past("FOR");
        found = true;
    }
    found
}

/// Returns the database that a statement names before an object; `None` if it names none.
///
/// A migration never knows its database's name: every tenant has another.
pub(super) fn other_database(mut cursor: Cursor<'_>) -> Option<String> {
    step_over_settings(&mut cursor);
    if let Some(table) = changed_table(&mut cursor.clone()) {
        return table.before.map(Cow::into_owned);
    }
    let mut named = Named::default();
    class(cursor, &mut named);
    named.database
}

/// Returns the table whose rows a statement changes.
fn changed_table<'a>(cursor: &mut Cursor<'a>) -> Option<Qualified<'a>> {
    const WORDS: [&str; 7] = [
        "LOW_PRIORITY",
        "HIGH_PRIORITY",
        "DELAYED",
        "QUICK",
        "IGNORE",
        "INTO",
        "TABLE",
    ];
    let verb = cursor.eat_any(&["INSERT", "REPLACE", "UPDATE", "DELETE", "TRUNCATE"])?;
    while cursor.eat_any(&WORDS).is_some() {}
    if verb == "DELETE" && !cursor.eat("FROM") {
        return None;
    }
    cursor.qualified()
}

fn class(mut cursor: Cursor<'_>, named: &mut Named) -> Class {
    const DML: [&str; 9] = [
        "INSERT", "REPLACE", "UPDATE", "DELETE", "SELECT", "WITH", "VALUES", "TABLE", "DO",
    ];
    const AGAIN: [&str; 10] = [
        "OPTIMIZE", "CHECK", "CHECKSUM", "GRANT", "REVOKE", "FLUSH", "SHOW", "EXPLAIN", "DESCRIBE", "DESC",
    ];
    step_over_settings(&mut cursor);
    if analyses_tables(&mut cursor) {
        return Class::Repeatable;
    }
    while cursor.eat_symbol(b'(') {}
    if cursor.at_any(&DML).is_some() {
        return if sets_variable(cursor.clone()) {
            session_or_rows(cursor)
        } else {
            Class::Dml
        };
    }
    if cursor.at_any(&AGAIN).is_some() {
        return Class::Repeatable;
    }
    match cursor.eat_any(&["CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE", "SET"]) {
        Some("CREATE") => create(cursor, named),
        Some("ALTER") => alter(cursor, named),
        Some("DROP") => drop_objects(cursor, named),
        Some("RENAME") => rename(cursor, named),
        Some("TRUNCATE") => Class::NotRepeatable,
        Some("SET") if cursor.at_any(&["PASSWORD", "DEFAULT"]).is_some() => Class::Repeatable,
        Some("SET") => session_or_rows(cursor),
        _ => Class::Opaque,
    }
}

/// `ANALYZE TABLE` is a statement; before another one `ANALYZE`, in MySQL `EXPLAIN ANALYZE`, carries it out ("ANALYZE
/// Statement", "EXPLAIN Statement"). Stands then before that one.
fn analyses_tables(cursor: &mut Cursor<'_>) -> bool {
    let mut ahead = cursor.clone();
    ahead.eat_any(&["EXPLAIN", "DESCRIBE", "DESC"]);
    if !ahead.eat("ANALYZE") {
        return false;
    }
    if ahead
        .at_any(&["TABLE", "TABLES", "LOCAL", "NO_WRITE_TO_BINLOG"])
        .is_some()
    {
        return true;
    }
    if ahead.eat("FORMAT") {
        ahead.eat_symbol(b'=');
        ahead.bump();
    }
    *cursor = ahead;
    false
}

/// A function of the user's may write rows, which a session does not take with it.
fn session_or_rows(cursor: Cursor<'_>) -> Class {
    if functions::calls_own(cursor) {
        Class::Opaque
    } else {
        Class::Session
    }
}

/// The query of `CREATE TEMPORARY TABLE … SELECT` may call such a function too. What stands before it cannot: the
/// columns would only look like calls.
fn temporary(mut cursor: Cursor<'_>) -> Class {
    while cursor.peek().is_some() && cursor.at_any(&["SELECT", "VALUES"]).is_none() {
        cursor.bump();
    }
    session_or_rows(cursor)
}

/// `SELECT … INTO @x` and `SELECT @x := …` change nothing but the session.
fn sets_variable(mut cursor: Cursor<'_>) -> bool {
    if !cursor.eat("SELECT") {
        return false;
    }
    while let Some(token) = cursor.bump() {
        let mut ahead = cursor.clone();
        let into = token.is(cursor.text(), "INTO") && ahead.eat_symbol(b'@');
        let assigned = token.is_symbol(cursor.text(), b':') && cursor.clone().eat_symbol(b'=');
        if into || assigned {
            return true;
        }
    }
    false
}

fn create(mut cursor: Cursor<'_>, named: &mut Named) -> Class {
    const WHAT: [&str; 10] = [
        "TABLE",
        "SEQUENCE",
        "INDEX",
        "VIEW",
        "TRIGGER",
        "PROCEDURE",
        "FUNCTION",
        "EVENT",
        "USER",
        "ROLE",
    ];
    let replaces = cursor.eat_all(&["OR", "REPLACE"]);
    if cursor.eat("TEMPORARY") {
        return temporary(cursor);
    }
    cursor.eat_any(&["UNIQUE", "FULLTEXT", "SPATIAL", "AGGREGATE"]);
    object::skip_definer(&mut cursor);
    let Some(what) = cursor.eat_any(&WHAT) else {
        return Class::Opaque;
    };
    let guarded = cursor.eat_all(&["IF", "NOT", "EXISTS"]);
    if what == "INDEX" {
        return named.index_table(&mut cursor);
    }
    let Some(kind) = ObjectKind::of(what) else {
        return if guarded || replaces {
            Class::Repeatable
        } else {
            Class::Opaque
        };
    };
    if !named.take(&mut cursor, kind) || copies_rows(cursor.clone(), kind) {
        return Class::Opaque;
    }
    named.atomic()
}

/// `CREATE TABLE … SELECT` is two things in one, and a loaded function has no text to compare.
fn copies_rows(mut cursor: Cursor<'_>, kind: ObjectKind) -> bool {
    let word = match kind {
        ObjectKind::Table => "SELECT",
        ObjectKind::Function => "SONAME",
        ObjectKind::View | ObjectKind::Trigger | ObjectKind::Procedure | ObjectKind::Event => return false,
    };
    while let Some(token) = cursor.bump() {
        if token.is(cursor.text(), word) {
            return true;
        }
    }
    false
}

/// Some forms of `ALTER TABLE` change rows or files and leave the definition as it is.
fn moves_rows(mut cursor: Cursor<'_>) -> bool {
    const VERBS: [&str; 4] = ["EXCHANGE", "TRUNCATE", "DISCARD", "IMPORT"];
    while cursor.skip_past_any(&VERBS).is_some() {
        // Else it is a name: a column may be called so.
        if cursor.at_any(&["PARTITION", "TABLESPACE"]).is_some() {
            return true;
        }
    }
    false
}

fn alter(mut cursor: Cursor<'_>, named: &mut Named) -> Class {
    const WHAT: [&str; 9] = [
        "TABLE",
        "SEQUENCE",
        "VIEW",
        "PROCEDURE",
        "FUNCTION",
        "EVENT",
        "DATABASE",
        "SCHEMA",
        "USER",
    ];
    while cursor.eat_any(&["ONLINE", "IGNORE"]).is_some() {}
    object::skip_definer(&mut cursor);
    let Some(what) = cursor.eat_any(&WHAT) else {
        return Class::Opaque;
    };
    cursor.eat_all(&["IF", "EXISTS"]);
    let Some(kind) = ObjectKind::of(what) else {
        return Class::Repeatable;
    };
    if kind == ObjectKind::Table && moves_rows(cursor.clone()) {
        return Class::NotRepeatable;
    }
    if !named.take(&mut cursor, kind) {
        return Class::Opaque;
    }
    if matches!(kind, ObjectKind::Table | ObjectKind::Event) {
        named.second_name(cursor, kind);
    }
    named.atomic()
}

fn drop_objects(mut cursor: Cursor<'_>, named: &mut Named) -> Class {
    const WHAT: [&str; 11] = [
        "TABLE",
        "TABLES",
        "SEQUENCE",
        "INDEX",
        "VIEW",
        "TRIGGER",
        "PROCEDURE",
        "FUNCTION",
        "EVENT",
        "USER",
        "ROLE",
    ];
    if cursor.at("TEMPORARY") {
        return Class::Session;
    }
    let Some(what) = cursor.eat_any(&WHAT) else {
        return if cursor.at_any(&["DATABASE", "SCHEMA"]).is_some() {
            named.several()
        } else {
            Class::Opaque
        };
    };
    let guarded = cursor.eat_all(&["IF", "EXISTS"]);
    if what == "INDEX" {
        return named.index_table(&mut cursor);
    }
    let Some(kind) = ObjectKind::of(what) else {
        return if guarded { Class::Repeatable } else { Class::Opaque };
    };
    while named.take(&mut cursor, kind) && cursor.eat_symbol(b',') {}
    if named.objects.len() > 1 {
        named.several()
    } else {
        named.atomic()
    }
}

fn rename(mut cursor: Cursor<'_>, named: &mut Named) -> Class {
    if cursor.eat_any(&["TABLE", "TABLES"]).is_none() {
        return Class::Opaque;
    }
    cursor.eat_all(&["IF", "EXISTS"]);
    while named.take(&mut cursor, ObjectKind::Table) {
        while cursor.peek().is_some() && !cursor.eat("TO") {
            cursor.bump();
        }
        if !named.take(&mut cursor, ObjectKind::Table) || !cursor.eat_symbol(b',') {
            break;
        }
    }
    if named.objects.len() > 2 {
        named.several()
    } else {
        named.atomic()
    }
}
