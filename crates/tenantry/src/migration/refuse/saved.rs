//! What the user variables of a MySQL file are given: which only keep what a setting was.

use std::collections::{BTreeMap, BTreeSet};

use super::modes;
use super::settings::{Setting, Target, arguments, settings, system_variable, user_variable};
use crate::engine::Engine;
use crate::migration::cursor::Cursor;
use crate::migration::script::Script;
use crate::migration::split::{Kind as TokenKind, Token};

/// A value that a user variable is given, in the text that its tokens are of.
#[derive(Debug)]
pub(super) struct Given<'a> {
    pub(super) value: Vec<Token>,
    pub(super) text: &'a str,
}

/// What the user variables of a file are given, as dumps write it: `SET @old = @@sql_mode`.
#[derive(Debug, Default)]
pub(super) struct Saved<'a> {
    given: BTreeMap<String, Vec<Given<'a>>>,
    /// User variables that may hold something else.
    other: BTreeSet<String>,
    /// User variables that hold nothing but modes under which strings are read as usual.
    pub(super) modes: BTreeSet<String>,
}

impl<'a> Saved<'a> {
    /// Reads the statements of a file.
    pub(super) fn of(script: &'a Script) -> Self {
        let mut saved = Self::default();
        for index in 0..script.statements.len() {
            let statement = script.statement(index);
            if statement.contains('@') {
                saved.note(Cursor::new(statement, Engine::MySql));
            }
        }
        saved.modes = modes::held(&saved.given, &saved.other);
        saved
    }

    fn note(&mut self, mut cursor: Cursor<'a>) {
        const ROWS: [&str; 4] = ["INSERT", "REPLACE", "UPDATE", "DELETE"];
        let text = cursor.text();
        let mut ahead = cursor.clone();
        if ahead.eat("SET") && !ahead.at("STATEMENT") {
            for Setting { target, value } in settings(cursor) {
                self.assigned(&value, text);
                self.in_strings(&value, text);
                if let Target::User(name) = target {
                    self.given.entry(name).or_default().push(Given { value, text });
                }
            }
            return;
        }
        let changes_rows = cursor.at_any(&ROWS).is_some();
        let selects = cursor.at("SELECT");
        let tokens: Vec<Token> = std::iter::from_fn(|| cursor.bump()).collect();
        if !changes_rows {
            self.in_strings(&tokens, text);
        }
        if !changes_rows && !selects {
            self.mentioned(&tokens, text);
        } else if !(selects && self.selected(&tokens, text)) {
            self.assigned(&tokens, text);
        }
    }

    /// Takes `SELECT 1, 2 INTO @a, @b`; returns whether it is such a statement.
    fn selected(&mut self, tokens: &[Token], text: &'a str) -> bool {
        let Some(at) = tokens.iter().position(|token| token.is(text, "INTO")) else {
            return false;
        };
        let values = arguments(tokens.get(1..at).unwrap_or(&[]), text);
        let targets = arguments(tokens.get(at + 1..).unwrap_or(&[]), text);
        let names = targets.iter().map(|target| match target {
            [_, _] => user_variable(target, text),
            _ => None,
        });
        let Some(names) = names.collect::<Option<Vec<String>>>() else {
            return false;
        };
        if names.len() != values.len() {
            return false;
        }
        for (name, value) in names.into_iter().zip(values) {
            self.assigned(value, text);
            let value = value.to_vec();
            self.given.entry(name).or_default().push(Given { value, text });
        }
        true
    }

    /// Takes the variables that get a value in an expression or behind INTO; the others are only read.
    fn assigned(&mut self, tokens: &[Token], text: &str) {
        let is = |at: usize, symbol| tokens.get(at).is_some_and(|t| t.is_symbol(text, symbol));
        let mut is_target = false;
        for (at, token) in tokens.iter().enumerate() {
            let is_doubled = at > 0 && is(at - 1, b'@');
            if token.is_symbol(text, b'@') && !is_doubled {
                let mut end = at + 2;
                while is(end, b'.') {
                    end += 2;
                }
                if is_target || (is(end, b':') && is(end + 1, b'=')) {
                    self.other
                        .extend(user_variable(tokens.get(at..).unwrap_or(&[]), text));
                }
            }
            let is_listed = token.kind != TokenKind::Symbol || matches!(token.text(text), "@" | "." | ",");
            is_target = token.is(text, "INTO") || (is_target && is_listed);
        }
    }

    /// Takes every variable: the statement may give it a value in a way of its own.
    fn mentioned(&mut self, tokens: &[Token], text: &str) {
        for (at, token) in tokens.iter().enumerate() {
            let doubled = at > 0 && tokens.get(at - 1).is_some_and(|t| t.is_symbol(text, b'@'));
            if token.is_symbol(text, b'@') && !doubled {
                self.other
                    .extend(user_variable(tokens.get(at..).unwrap_or(&[]), text));
            }
        }
    }

    /// Takes the variables in strings, which may be prepared and run.
    fn in_strings(&mut self, tokens: &[Token], text: &str) {
        let strings = tokens.iter().filter(|token| token.kind == TokenKind::Text);
        for string in strings.map(|token| token.text(text)) {
            let behind = string.split('@').skip(1);
            let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
            let names = behind.map(|rest| rest.trim_start_matches(['`', '\'', '"', '\\']));
            let ends = names.map(|rest| rest.split(|c| !is_part(c)).next().unwrap_or(rest));
            self.other.extend(ends.map(str::to_lowercase));
        }
    }

    /// Returns whether a value is this system variable, or a user variable that keeps nothing else.
    pub(super) fn is_kept(&self, system: &str, value: &[Token], text: &str) -> bool {
        let fits = |value: &[Token], text| system_variable(value, text).is_some_and(|found| found == system);
        let name = user_variable(value, text).filter(|_| value.len() == 2);
        fits(value, text)
            || name.is_some_and(|name| {
                let given = self.given.get(&name);
                let all_fit = given.is_some_and(|given| given.iter().all(|one| fits(&one.value, one.text)));
                !self.other.contains(&name) && all_fit
            })
    }
}
