//! What a file must leave as it was behind its statements: its transaction, its rights, the meaning of names.

use super::connect::SEARCH_PATH;
use crate::engine::text::literal;
use crate::engine::{ApplyError, StateAfter, Unit};
use crate::migration::Script;
use crate::migration::postgres_session::{Guarded, changes_openly};

/// What [`unchanged`] raises for a transaction that ended.
pub(super) const DIVISION_BY_ZERO: &str = "22012";
/// What it raises for anything else, with the word for it; [`super::hold::still_held`] too.
pub(super) const INVALID_TEXT: &str = "22P02";

/// The words that the server repeats in its message.
const RIGHTS: &str = "rights";
const NAMES: &str = "names";

/// Notes whose rights the file's last statement had, before the login's own come back.
pub(super) const NOTE: &str = "SELECT pg_catalog.set_config('tenantry.rights', pg_catalog.concat(\
     current_user, '/', session_user), true)";

/// Returns an expression that is 1 behind a file that has changed nothing but what it changes in the open; to be asked
/// with the login's own rights. Every name and operator says its schema, because the file's `search_path` holds still.
pub(super) fn unchanged(unit: &Unit, script: &Script) -> String {
    let rights = "pg_catalog.current_setting('tenantry.rights', true) OPERATOR(pg_catalog.<>) \
                  pg_catalog.concat(current_user, '/', session_user)";
    // The same schemas may be written otherwise.
    let names = format!(
        "pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) '{SEARCH_PATH}' AND \
         pg_catalog.array_to_string(pg_catalog.current_schemas(false), ',') OPERATOR(pg_catalog.<>) '{SEARCH_PATH}'"
    );
    let cases: Vec<String> = [
        (Guarded::Rights, rights, RIGHTS),
        (Guarded::SearchPath, names.as_str(), NAMES),
    ]
    .into_iter()
    // Nothing in the file comes behind its only statement.
    .filter(|(guarded, ..)| script.statements.len() > 1 && !changes_openly(script, *guarded))
    .map(|(_, differs, word)| format!("WHEN {differs} THEN {}", fails(word)))
    .collect();
    let cases = cases.join(" ");
    let mark = literal(&unit.attempt_id);
    format!(
        "CASE WHEN pg_catalog.current_setting('tenantry.mark', true) OPERATOR(pg_catalog.=) {mark} \
         THEN CASE {cases} WHEN true THEN 1 END ELSE 0 END"
    )
}

/// An expression that fails and says a word; no constant, which would fail before anything is looked at.
fn fails(word: &str) -> String {
    format!("pg_catalog.concat('{word} ', pg_catalog.pg_backend_pid())::pg_catalog.int4")
}

/// Returns what a step has changed, by the error that the server raised; `None` if it is another error.
pub(super) fn changed(step: usize, sqlstate: &str, message: &str) -> Option<ApplyError> {
    let says = |word: &str| message.contains(&format!("{word} "));
    let (reason, state) = match sqlstate {
        // What ran before the transaction ended may be committed.
        DIVISION_BY_ZERO => ("it ended the transaction it ran in", StateAfter::Unknown),
        INVALID_TEXT if says(RIGHTS) => (
            "a function, procedure or block in it took another role, and what came behind it had other rights",
            StateAfter::RolledBack,
        ),
        INVALID_TEXT if says(NAMES) => (
            "a function, procedure or block in it changed search_path, and the names behind it meant other objects",
            StateAfter::RolledBack,
        ),
        INVALID_TEXT => ("it let go of the migration lock", StateAfter::Unknown),
        _ => return None,
    };
    Some(ApplyError::SessionChanged {
        step,
        reason: reason.to_owned(),
        state,
    })
}
