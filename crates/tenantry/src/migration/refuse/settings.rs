//! What a MySQL `SET` gives a value, item by item, and what a value is.

use crate::migration::cursor::{Cursor, unquoted};
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
pub(super) fn user_variable(tokens: &[Token], text: &str) -> Option<String> {
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

/// Whether a token says by itself what it is: a name, or a string without anything escaped.
pub(super) fn is_word(token: Token, text: &str) -> bool {
    match token.kind {
        TokenKind::Word | TokenKind::Name => true,
        TokenKind::Text => {
            let raw = token.text(text);
            let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or("");
            !inner.contains(['\\', '\'', '"'])
        }
        TokenKind::Number
        | TokenKind::LineComment
        | TokenKind::CodeOpen
        | TokenKind::CodeClose
        | TokenKind::Delimiter
        | TokenKind::Symbol => false,
    }
}

/// Splits arguments at the commas outside parentheses.
pub(super) fn arguments<'a>(tokens: &'a [Token], text: &str) -> Vec<&'a [Token]> {
    let mut depth = 0_usize;
    let split = tokens.split(|token| {
        match token.text(text) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token.is_symbol(text, b',')
    });
    split.collect()
}

/// Returns the system variable that a value is, such as `@@SESSION.sql_mode`; `None` if it is anything else.
pub(super) fn system_variable(value: &[Token], text: &str) -> Option<String> {
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
