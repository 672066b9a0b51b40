//! Destruction by a statement that makes something: it replaces what was there, or runs what it was given.

use super::routine::Routine;
use super::{body, update, within};
use crate::engine::Engine;
use crate::migration::cursor::Cursor;

/// Returns what a `CREATE` takes away. Stands behind the verb.
pub(super) fn created(cursor: Cursor<'_>, engine: Engine) -> Option<&'static str> {
    match Routine::read(cursor.clone(), engine) {
        Some(routine) => routine.destroys(engine),
        None => replaced(cursor, engine),
    }
}

/// Returns what a new table takes the place of, or its query changes. Stands behind the verb.
pub(super) fn replaced(mut cursor: Cursor<'_>, engine: Engine) -> Option<&'static str> {
    let replaces = cursor.eat_all(&["OR", "REPLACE"]);
    cursor.eat_any(&["GLOBAL", "LOCAL", "UNLOGGED"]);
    let is_kept = cursor.eat_any(&["TEMPORARY", "TEMP"]).is_none();
    if !cursor.eat("TABLE") {
        return None;
    }
    if replaces && is_kept {
        return Some("CREATE OR REPLACE TABLE");
    }
    queried(cursor, engine)
}

/// Returns what the query of an `INSERT` or of a new table changes: in PostgreSQL WITH may hold a `DELETE`.
pub(super) fn queried(mut cursor: Cursor<'_>, engine: Engine) -> Option<&'static str> {
    if engine != Engine::Postgres {
        return None;
    }
    // Columns that refer to others say `ON DELETE` before it.
    while !cursor.eat("WITH") {
        cursor.bump()?;
    }
    within(cursor)
}

/// Returns what an `INSERT` changes beside its own rows: in its query, or in the rows that are in its way.
pub(super) fn inserted(mut cursor: Cursor<'_>, engine: Engine) -> Option<&'static str> {
    let found = queried(cursor.clone(), engine);
    while found.is_none() {
        let token = cursor.bump()?;
        let is = |word| token.is(cursor.text(), word);
        if (is("DO") || is("KEY")) && cursor.eat("UPDATE") {
            return update::upserted(cursor);
        }
    }
    found
}

/// Returns what the new body of a MySQL event does. Stands behind the word.
pub(super) fn scheduled(mut cursor: Cursor<'_>, engine: Engine) -> Option<&'static str> {
    (engine == Engine::MySql && cursor.skip_past("DO"))
        .then(|| body::scan(cursor, engine, 0))
        .flatten()
}
