//! Text to tokens, one at a time and in one pass; nothing is copied.

use super::dialect::{BlockComments, Dialect, Escape, Extras, LineComments, Quote};
use super::quoted;
use super::token::{Kind, Opened, Token, Unclosed};
use crate::engine::Engine;

/// Reads one token after the other. Block comments and white space yield none.
#[derive(Clone, Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    dialect: &'static Dialect,
    delimiter: &'a str,
    /// Where the conditional comment that we are in was opened.
    conditional: Option<usize>,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str, engine: Engine) -> Self {
        Self {
            text,
            at: 0,
            dialect: Dialect::of(engine),
            delimiter: ";",
            conditional: None,
        }
    }

    /// Returns the delimiter in force.
    pub(crate) fn delimiter(&self) -> &'a str {
        self.delimiter
    }

    /// Returns whether the text is inside a conditional comment here.
    pub(crate) fn in_conditional(&self) -> bool {
        self.conditional.is_some()
    }

    /// Takes the rest of the line as the new delimiter, as the client command does.
    ///
    /// `None`, with the old one still in force, if that is no usable delimiter.
    pub(crate) fn take_delimiter(&mut self) -> Option<&'a str> {
        let rest = self.text.get(self.at..).unwrap_or("");
        let line = rest.lines().next().unwrap_or("");
        self.at += line.len();
        let word = line.split_ascii_whitespace().next()?;
        if word.contains(['\\', '\'', '"', '`']) {
            return None;
        }
        self.delimiter = word;
        Some(word)
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn at_delimiter(&self) -> bool {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or(&[]);
        rest.first() == self.delimiter.as_bytes().first() && rest.starts_with(self.delimiter.as_bytes())
    }

    fn skip_space(&mut self) {
        while self.byte(0).is_some_and(|b| b.is_ascii_whitespace() || b == 0x0b) {
            self.at += 1;
        }
    }

    /// Reads a token, or nothing where a block comment was skipped.
    fn read(&mut self, byte: u8) -> Result<Option<Kind>, Unclosed> {
        if self.at_delimiter() {
            self.at += self.delimiter.len();
            return Ok(Some(Kind::Delimiter));
        }
        let kind = match byte {
            b'-' | b'#' if self.at_line_comment(byte) => {
                self.skip_line();
                Kind::LineComment
            }
            b'/' if self.byte(1) == Some(b'*') => return self.block_comment(),
            b'*' if self.conditional.is_some() && self.byte(1) == Some(b'/') => {
                self.at += 2;
                self.conditional = None;
                Kind::CodeClose
            }
            b'$' if self.dialect.extras == Extras::DollarQuotes => self.dollar()?,
            b'0'..=b'9' => {
                self.skip_while(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
                Kind::Number
            }
            b'\'' | b'"' | b'`' | b'[' => match self.dialect.quote(byte) {
                Some(quote) => self.quotation(quote, self.at)?,
                None => self.symbol(),
            },
            _ if is_word_start(byte) => self.word()?,
            _ => self.symbol(),
        };
        Ok(Some(kind))
    }

    fn symbol(&mut self) -> Kind {
        self.at += 1;
        Kind::Symbol
    }

    fn at_line_comment(&self, byte: u8) -> bool {
        match (self.dialect.line_comments, byte) {
            (LineComments::Dashes, b'-') => self.byte(1) == Some(b'-'),
            (LineComments::Dashes, _) => false,
            (LineComments::SpacedDashesAndHash, b'-') => {
                self.byte(1) == Some(b'-') && self.byte(2).is_none_or(|b| b <= b' ')
            }
            (LineComments::SpacedDashesAndHash, _) => true,
        }
    }

    fn skip_line(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or(&[]);
        self.at += rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
    }

    /// Goes on while the bytes fit, but not into the delimiter: `END$$` is a word and a delimiter.
    fn skip_while(&mut self, fits: impl Fn(u8) -> bool) {
        self.at += 1;
        while self.byte(0).is_some_and(&fits) && !self.at_delimiter() {
            self.at += 1;
        }
    }

    fn block_comment(&mut self) -> Result<Option<Kind>, Unclosed> {
        let start = self.at;
        if self.dialect.block_comments == BlockComments::FlatOrCode {
            let marker = quoted::conditional_marker(self.text.as_bytes(), start);
            if marker > 0 {
                self.at += marker;
                self.conditional.get_or_insert(start);
                return Ok(Some(Kind::CodeOpen));
            }
        }
        let nested = self.dialect.block_comments == BlockComments::Nested;
        let end = if nested {
            quoted::nested_comment(self.text, start)
        } else {
            quoted::comment(self.text, start)
        };
        self.at = end.ok_or(Unclosed {
            what: Opened::Comment,
            offset: start,
        })?;
        Ok(None)
    }

    fn dollar(&mut self) -> Result<Kind, Unclosed> {
        let Some(tag) = quoted::dollar_tag(self.text, self.at) else {
            return Ok(self.symbol());
        };
        let body = self.at + tag.len();
        let unclosed = Unclosed {
            what: Opened::DollarQuote,
            offset: self.at,
        };
        let rest = self.text.get(body..).unwrap_or("");
        self.at = body + rest.find(tag).ok_or(unclosed)? + tag.len();
        Ok(Kind::Text)
    }

    fn quotation(&mut self, quote: &Quote, opened: usize) -> Result<Kind, Unclosed> {
        let what = if quote.kind == Kind::Name {
            Opened::Name
        } else {
            Opened::Text
        };
        let end = quoted::quotation(self.text.as_bytes(), self.at + 1, quote);
        self.at = end.ok_or(Unclosed { what, offset: opened })?;
        Ok(quote.kind)
    }

    fn word(&mut self) -> Result<Kind, Unclosed> {
        let start = self.at;
        let escapes =
            self.dialect.extras == Extras::DollarQuotes && matches!(self.byte(0), Some(b'e' | b'E'));
        self.skip_while(|b| is_word_start(b) || b.is_ascii_digit() || b == b'$');
        if escapes && self.at == start + 1 && self.byte(0) == Some(b'\'') {
            return self.escape_string(start);
        }
        Ok(Kind::Word)
    }

    /// Reads `E'…'` with its continuations: a string that goes on after a line break keeps the backslash
    /// rules of its first part (PostgreSQL, "String Constants").
    fn escape_string(&mut self, opened: usize) -> Result<Kind, Unclosed> {
        let quote = Quote {
            open: b'\'',
            close: b'\'',
            kind: Kind::Text,
            escape: Escape::Backslash,
        };
        loop {
            self.quotation(&quote, opened)?;
            match quoted::continuation(self.text.as_bytes(), self.at) {
                Some(at) => self.at = at,
                None => return Ok(Kind::Text),
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a text is at most 64 MiB")]
    fn token(&self, kind: Kind, start: usize) -> Token {
        Token {
            kind,
            start: start as u32,
            end: self.at as u32,
        }
    }
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

impl Iterator for Lexer<'_> {
    type Item = Result<Token, Unclosed>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.skip_space();
            let start = self.at;
            let Some(byte) = self.byte(0) else {
                let offset = self.conditional.take()?;
                return Some(Err(Unclosed {
                    what: Opened::ConditionalComment,
                    offset,
                }));
            };
            match self.read(byte) {
                Ok(Some(kind)) => return Some(Ok(self.token(kind, start))),
                Ok(None) => {}
                Err(unclosed) => {
                    self.at = self.text.len();
                    self.conditional = None;
                    return Some(Err(unclosed));
                }
            }
        }
    }
}
