//! Reading one statement word by word, past comments and into conditional ones.

use std::borrow::Cow;

use super::split::{Kind, Lexer, Token};
use crate::engine::Engine;

/// A place between two tokens of a statement. A clone looks ahead.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    next: Option<Token>,
}

/// A name with the schema or database before it, unquoted.
#[derive(Debug)]
pub(super) struct Qualified<'a> {
    pub(super) before: Option<Cow<'a, str>>,
    pub(super) name: Cow<'a, str>,
}

impl<'a> Cursor<'a> {
    /// Stands before the first token of a statement.
    pub(super) fn new(text: &'a str, engine: Engine) -> Self {
        let mut cursor = Self {
            text,
            lexer: Lexer::new(text, engine),
            next: None,
        };
        cursor.bump();
        cursor
    }

    /// Returns the next token and steps over it; `None` at the end.
    pub(super) fn bump(&mut self) -> Option<Token> {
        let skipped = |t: &Token| matches!(t.kind, Kind::LineComment | Kind::CodeOpen | Kind::CodeClose);
        let next = loop {
            match self.lexer.next() {
                Some(Ok(token)) if skipped(&token) => {}
                Some(Ok(token)) => break Some(token),
                Some(Err(_)) | None => break None,
            }
        };
        std::mem::replace(&mut self.next, next)
    }

    /// Returns the statement.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// Returns a token's text.
    pub(super) fn text_of(&self, token: Token) -> &'a str {
        self.text
            .get(token.start as usize..token.end as usize)
            .unwrap_or("")
    }

    /// Returns the next token; `None` at the end.
    pub(super) fn peek(&self) -> Option<Token> {
        self.next
    }

    /// Returns whether the next token is this keyword.
    pub(super) fn at(&self, keyword: &str) -> bool {
        self.next.is_some_and(|t| t.is(self.text, keyword))
    }

    /// Returns which of these keywords the next token is.
    pub(super) fn at_any(&self, keywords: &[&'static str]) -> Option<&'static str> {
        keywords.iter().copied().find(|k| self.at(k))
    }

    /// Steps over this keyword if it is next.
    pub(super) fn eat(&mut self, keyword: &str) -> bool {
        let found = self.at(keyword);
        if found {
            self.bump();
        }
        found
    }

    /// Steps over one of these keywords if it is next.
    pub(super) fn eat_any(&mut self, keywords: &[&'static str]) -> Option<&'static str> {
        let found = self.at_any(keywords);
        if found.is_some() {
            self.bump();
        }
        found
    }

    /// Steps over all of these keywords if they are next in this order, else over none.
    pub(super) fn eat_all(&mut self, keywords: &[&str]) -> bool {
        let mut ahead = self.clone();
        let found = keywords.iter().all(|k| ahead.eat(k));
        if found {
            *self = ahead;
        }
        found
    }

    /// Steps over this byte if it is next.
    pub(super) fn eat_symbol(&mut self, symbol: u8) -> bool {
        let found = self.next.is_some_and(|t| t.is_symbol(self.text, symbol));
        if found {
            self.bump();
        }
        found
    }

    /// Steps over a name, quoted or not, and returns it unquoted.
    pub(super) fn name(&mut self) -> Option<Cow<'a, str>> {
        let name = unquoted(self.next?, self.text)?;
        self.bump();
        Some(name)
    }

    /// Steps over `name` or `before.name`; with more parts the last two count.
    pub(super) fn qualified(&mut self) -> Option<Qualified<'a>> {
        let mut found = Qualified {
            before: None,
            name: self.name()?,
        };
        while self.eat_symbol(b'.') {
            let name = self.name()?;
            found = Qualified {
                before: Some(found.name),
                name,
            };
        }
        Some(found)
    }

    /// Steps on until this keyword, outside parentheses; returns whether it was found. Stands after it.
    pub(super) fn skip_past(&mut self, keyword: &str) -> bool {
        self.skip_past_any(&[keyword]).is_some()
    }

    /// Steps on until one of these keywords, outside parentheses; returns its place in the list.
    pub(super) fn skip_past_any(&mut self, keywords: &[&str]) -> Option<usize> {
        let mut depth = 0_usize;
        while let Some(token) = self.bump() {
            if token.is_symbol(self.text, b'(') {
                depth += 1;
            } else if token.is_symbol(self.text, b')') {
                depth = depth.saturating_sub(1);
            } else if depth == 0 {
                let found = keywords.iter().position(|k| token.is(self.text, k));
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }
}

/// Whether a text holds a word, whatever its case. Looks before reading word by word: rows can be many megabytes.
pub(super) fn mentions(text: &str, word: &str) -> bool {
    text.as_bytes()
        .windows(word.len())
        .any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

/// Returns the name that a token is; `None` if it is no name.
pub(super) fn unquoted(token: Token, text: &str) -> Option<Cow<'_, str>> {
    let raw = text.get(token.start as usize..token.end as usize)?;
    match token.kind {
        Kind::Word | Kind::Number => Some(Cow::Borrowed(raw)),
        Kind::Name => {
            let inner = raw.get(1..raw.len().checked_sub(1)?)?;
            let quote = raw.get(raw.len() - 1..)?;
            let doubled = quote.repeat(2);
            let plain = quote == "]" || !inner.contains(&doubled);
            Some(if plain {
                Cow::Borrowed(inner)
            } else {
                Cow::Owned(inner.replace(&doubled, quote))
            })
        }
        Kind::Text
        | Kind::LineComment
        | Kind::CodeOpen
        | Kind::CodeClose
        | Kind::Delimiter
        | Kind::Symbol => None,
    }
}
