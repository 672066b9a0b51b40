//! Values of MySQL's `sql_mode` that nothing can be made of but what the server had and names that are known.

use std::collections::{BTreeMap, BTreeSet};

use super::saved::Given;
use super::settings::{arguments, is_word, plain, system_variable, user_variable};
use crate::migration::split::{Kind as TokenKind, Token};

/// Modes that leave it as it is where a string ends ("Server SQL Modes" of MySQL, "SQL Mode" of MariaDB).
const KNOWN: [&str; 29] = [
    "ALLOW_INVALID_DATES",
    "EMPTY_STRING_IS_NULL",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "HIGH_NOT_PRECEDENCE",
    "IGNORE_BAD_TABLE_OPTIONS",
    "IGNORE_SPACE",
    "MYSQL323",
    "MYSQL40",
    "NO_AUTO_CREATE_USER",
    "NO_AUTO_VALUE_ON_ZERO",
    "NO_DIR_IN_CREATE",
    "NO_ENGINE_SUBSTITUTION",
    "NO_FIELD_OPTIONS",
    "NO_KEY_OPTIONS",
    "NO_TABLE_OPTIONS",
    "NO_UNSIGNED_SUBTRACTION",
    "NO_ZERO_DATE",
    "NO_ZERO_IN_DATE",
    "ONLY_FULL_GROUP_BY",
    "PAD_CHAR_TO_FULL_LENGTH",
    "PIPES_AS_CONCAT",
    "REAL_AS_FLOAT",
    "SIMULTANEOUS_ASSIGNMENT",
    "STRICT_ALL_TABLES",
    "STRICT_TRANS_TABLES",
    "TIME_ROUND_FRACTIONAL",
    "TIME_TRUNCATE_FRACTIONAL",
    "TRADITIONAL",
    "",
];

/// Where a mode is kept that the server was asked for.
const MODES: [&str; 2] = ["sql_mode", "global.sql_mode"];

/// How many tokens of a value are looked at; a longer one is not known.
pub(super) const LONGEST: usize = 200;

/// How often the variables are gone through: what depends on more of them, one on the other, is not known.
const ROUNDS: usize = 20;

/// Returns the user variables that hold nothing but such values.
pub(super) fn held(given: &BTreeMap<String, Vec<Given<'_>>>, other: &BTreeSet<String>) -> BTreeSet<String> {
    let names = given.keys().filter(|name| !other.contains(*name));
    let mut held: BTreeSet<String> = names.cloned().collect();
    for _ in 0..ROUNDS {
        let is_known = |one: &Given<'_>| is_known(&one.value, one.text, &held);
        let is_lost = |name: &&String| !given.get(*name).is_some_and(|all| all.iter().all(is_known));
        let lost: BTreeSet<String> = held.iter().filter(is_lost).cloned().collect();
        if lost.is_empty() {
            return held;
        }
        held.retain(|name| !lost.contains(name));
    }
    BTreeSet::new()
}

/// Returns whether a value is what the mode is or was, known names, or one made of such in a way that adds nothing
/// else: then parts of it can be put together too.
pub(super) fn is_known(value: &[Token], text: &str, held: &BTreeSet<String>) -> bool {
    if value.len() > LONGEST {
        return false;
    }
    match value {
        [one] => is_literal(*one, text) && plain(*one, text).split(',').all(is_mode),
        [open, inner @ .., close] if open.is_symbol(text, b'(') && close.is_symbol(text, b')') => {
            is_known(inner, text, held)
        }
        [select, inner @ ..] if select.is(text, "SELECT") => is_known(inner, text, held),
        [name, open, inner @ .., close] if open.is_symbol(text, b'(') && close.is_symbol(text, b')') => {
            is_known_call(*name, inner, (text, held))
        }
        _ => match system_variable(value, text) {
            Some(system) => MODES.contains(&system.as_str()),
            None => value.len() == 2 && user_variable(value, text).is_some_and(|name| held.contains(&name)),
        },
    }
}

fn is_known_call(name: Token, inner: &[Token], (text, held): (&str, &BTreeSet<String>)) -> bool {
    const JOINING: [&str; 4] = ["CONCAT", "CONCAT_WS", "IFNULL", "COALESCE"];
    let is_known = |value: &[Token]| is_known(value, text, held);
    let parts = arguments(inner, text);
    if JOINING.iter().any(|word| name.is(text, word)) {
        return parts.into_iter().all(is_known);
    }
    match parts.as_slice() {
        // What is left of a mode is harmless if the mode is.
        [mode, [away], by] if name.is(text, "REPLACE") => {
            is_known(mode) && is_literal(*away, text) && by.len() == 1 && is_known(by)
        }
        [trimmed] if name.is(text, "TRIM") => is_known(behind_from(trimmed, text)),
        _ => false,
    }
}

/// Returns what `BOTH ',' FROM x` is about.
fn behind_from<'a>(trimmed: &'a [Token], text: &str) -> &'a [Token] {
    const SIDES: [&str; 3] = ["BOTH", "LEADING", "TRAILING"];
    match trimmed {
        [side, what, from, rest @ ..]
            if from.is(text, "FROM")
                && is_literal(*what, text)
                && SIDES.iter().any(|word| side.is(text, word)) =>
        {
            rest
        }
        [what, from, rest @ ..] if from.is(text, "FROM") && is_literal(*what, text) => rest,
        _ => trimmed,
    }
}

fn is_literal(token: Token, text: &str) -> bool {
    token.kind == TokenKind::Text && is_word(token, text)
}

fn is_mode(name: &str) -> bool {
    KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name.trim()))
}
