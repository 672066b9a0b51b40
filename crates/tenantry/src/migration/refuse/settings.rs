//! What a MySQL `SET` gives a value, item by item, and which user variables only keep what a setting was.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Engine;
use crate::migration::cursor::{Cursor, unquoted};
use crate::migration::script::Script;
use crate::migration::split::{Kind as TokenKind, Token};

/// What one item of a `SET` gives a value. Names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A system variable, without its scope.
    System(String),
    /// A user variable, without its `@`.
    User(String),
    /// Neither: `NAMES utf8mb4`, `ROLE a`, `PASSWORD FOR a = …`; the words are the value.
    Words,
}

/// One item of a `SET`.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) target: Target,
    /// What stands behind its `=`.
    pub(super) value: Vec<Token>,
}

/// Returns the items of a `SET` and of `SET STATEMENT … FOR`; empty for any other statement.
pub(super) fn settings(mut cursor: Cursor<'_>) -> Vec<Setting> {
    let text = cursor.text();
    let (mut found, mut item, mut depth) = (Vec::new(), Vec::new(), 0_usize);
    if !cursor.eat("SET") {
        return found;
    }
    let for_one = cursor.eat("STATEMENT");
    while let Some(token) = cursor.bump() {
        match cursor.text_of(token) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                found.push(setting(std::mem::take(&mut item), text));
                continue;
            }
            word if for_one && depth == 0 && word.eq_ignore_ascii_case("FOR") => {
                if !cursor.eat_all(&["SET", "STATEMENT"]) {
                    break;
                }
                found.push(setting(std::mem::take(&mut item), text));
                continue;
            }
            _ => {}
        }
        item.push(token);
    }
    found.push(setting(item, text));
    found
}

fn setting(mut tokens: Vec<Token>, text: &str) -> Setting {
    let words = |value| Setting {
        target: Target::Words,
        value,
    };
    let by_itself = |t: &Token| t.is(text, "PASSWORD") || t.is(text, "ROLE");
    let equals = tokens.iter().position(|t| t.is_symbol(text, b'='));
    let Some(at) = equals.filter(|_| !tokens.first().is_some_and(by_itself)) else {
        return words(tokens);
    };
    let value = tokens.split_off(at + 1);
    tokens.pop();
    tokens.pop_if(|t| t.is_symbol(text, b':'));
    let target = user_variable(&tokens, text).map(Target::User);
    let name = tokens.last().and_then(|t| unquoted(*t, text));
    let target = target.or_else(|| Some(Target::System(name?.to_ascii_lowercase())));
    Setting {
        target: target.unwrap_or(Target::Words),
        value,
    }
}

/// Returns the name of the user variable that begins the tokens; of `@a.b` the first part.
fn user_variable(tokens: &[Token], text: &str) -> Option<String> {
    let [at, name, ..] = tokens else { return None };
    let is_name = at.is_symbol(text, b'@') && !name.is_symbol(text, b'@');
    is_name.then(|| plain(*name, text))
}

/// Returns a token without its quotes, in lower case.
pub(super) fn plain(token: Token, text: &str) -> String {
    token
        .text(text)
        .trim_matches(['\'', '"', '`'])
        .to_ascii_lowercase()
}

/// Which user variables of a file only keep what a system variable was, as dumps write it:
/// `SET @old = @@sql_mode`.
#[derive(Debug, Default)]
pub(super) struct Saved {
    /// For each user variable the system variables, with `global.` before one of the whole server.
    kept: BTreeMap<String, BTreeSet<String>>,
    /// User variables that may hold something else.
    other: BTreeSet<String>,
}

impl Saved {
    /// Reads the statements of a file.
    pub(super) fn of(script: &Script) -> Self {
        let mut saved = Self::default();
        for index in 0..script.statements.len() {
            let statement = script.statement(index);
            if statement.contains('@') {
                saved.note(Cursor::new(statement, Engine::MySql));
            }
        }
        saved
    }

    fn note(&mut self, mut cursor: Cursor<'_>) {
        let text = cursor.text();
        let mut ahead = cursor.clone();
        if !ahead.eat("SET") || ahead.at("STATEMENT") {
            let tokens: Vec<Token> = std::iter::from_fn(|| cursor.bump()).collect();
            return self.mentioned(&tokens, text);
        }
        for Setting { target, value } in settings(cursor) {
            if let Target::User(name) = target {
                match system_variable(&value, text) {
                    Some(system) => drop(self.kept.entry(name).or_default().insert(system)),
                    None => drop(self.other.insert(name)),
                }
            }
            // `@a` alone is only read; in an expression it may be given a value.
            if value.len() > 2 {
                self.mentioned(&value, text);
            }
        }
    }

    fn mentioned(&mut self, tokens: &[Token], text: &str) {
        for (at, token) in tokens.iter().enumerate() {
            let doubled = at > 0 && tokens.get(at - 1).is_some_and(|t| t.is_symbol(text, b'@'));
            if token.is_symbol(text, b'@') && !doubled {
                self.other
                    .extend(user_variable(tokens.get(at..).unwrap_or(&[]), text));
            }
        }
    }

    /// Returns whether a value is one of these system variables, or a user variable that keeps nothing else.
    pub(super) fn is_one_of(&self, systems: &[&str], value: &[Token], text: &str) -> bool {
        let fits = |system: &String| systems.contains(&system.as_str());
        if let Some(system) = system_variable(value, text) {
            return fits(&system);
        }
        let name = user_variable(value, text).filter(|_| value.len() == 2);
        name.is_some_and(|name| {
            let kept = self.kept.get(&name);
            !self.other.contains(&name) && kept.is_some_and(|kept| kept.iter().all(fits))
        })
    }
}

/// Returns the system variable that a value is, such as `@@SESSION.sql_mode`; `None` if it is anything else.
fn system_variable(value: &[Token], text: &str) -> Option<String> {
    let [one, two, rest @ ..] = value else { return None };
    if !one.is_symbol(text, b'@') || !two.is_symbol(text, b'@') {
        return None;
    }
    let (scope, name) = match rest {
        [name] => (None, *name),
        [scope, dot, name] if dot.is_symbol(text, b'.') => (Some(*scope), *name),
        _ => return None,
    };
    let name = unquoted(name, text).filter(|_| name.kind != TokenKind::Number)?;
    let whole = scope.is_some_and(|scope| scope.is(text, "GLOBAL"));
    let before = if whole { "global." } else { "" };
    Some(format!("{before}{}", name.to_ascii_lowercase()))
}
