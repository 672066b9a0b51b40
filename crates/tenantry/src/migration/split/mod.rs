//! A text to its statements, by the rules of the engine that will run them.
//!
//! One pass, no copy: a statement is a byte range from its first token to its last.

mod body;
mod dialect;
mod escapes;
mod lexer;
mod quoted;
mod token;

#[cfg(test)]
mod tests;

pub(crate) use escapes::read_differently;
pub(crate) use lexer::Lexer;
pub use token::Opened;
pub(crate) use token::{Kind, Token, Unclosed};

use body::Body;
use thiserror::Error;

use super::script::Statement;
use crate::engine::Engine;

/// Why a text cannot be split. `offset` is in bytes.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the text cannot be split into statements at byte {offset}")]
pub struct SplitError {
    /// Where it is: for something that is not closed, where it was opened.
    pub offset: usize,
    /// What it is.
    #[source]
    pub kind: SplitErrorKind,
}

/// What keeps a text from being split.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SplitErrorKind {
    /// Something is opened and not closed.
    #[error("this {} is never closed", .0.as_str())]
    Unclosed(Opened),
    /// A `DELIMITER` line without a usable delimiter.
    #[error("this line names no delimiter")]
    NoDelimiter,
    /// A statement under a changed delimiter is not ended by it, or the delimiter is not put back.
    #[error("the delimiter `{}` is never used again or never put back", .0.escape_debug())]
    UnbalancedDelimiter(String),
    /// `#` opens no comment on this engine.
    #[error("`#` opens no comment here")]
    HashComment,
    /// A command of psql, mysql or sqlite3, not SQL.
    #[error("this is a command of the client program, not SQL")]
    ClientCommand,
    /// `COPY … FROM STDIN`: what follows is data.
    #[error("COPY … FROM STDIN expects data, and a migration file holds SQL only")]
    CopyFromStdin,
}

/// A line comment that speaks to us: `-- tenantry: …`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    /// The byte range of the comment, dashes included.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// How many statements began before it.
    pub(crate) statements_before: usize,
}

/// What a text consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) statements: Vec<Statement>,
    pub(crate) remarks: Vec<Remark>,
}

/// Splits a text into statements, for example to send them one by one.
///
/// Returns none for a text without statements. Empty statements (`;;`) and comments between statements
/// are left out; comments inside a statement belong to it.
pub fn split(text: &str, engine: Engine) -> Result<Vec<Statement>, SplitError> {
    parts(text, engine).map(|parts| parts.statements)
}

/// Splits a text into statements and the comments that speak to us.
pub(crate) fn parts(text: &str, engine: Engine) -> Result<Parts, SplitError> {
    let mut splitter = Splitter {
        text,
        engine,
        lexer: Lexer::new(text, engine),
        body: Body::new(text, engine),
        open: None,
        delimiter_set: 0,
        copies: false,
        parts: Parts::default(),
    };
    while let Some(token) = splitter.lexer.next() {
        splitter.take(token.map_err(unclosed)?)?;
    }
    splitter.finish()
}

fn unclosed(at: Unclosed) -> SplitError {
    SplitError {
        offset: at.offset,
        kind: SplitErrorKind::Unclosed(at.what),
    }
}

#[derive(Debug)]
struct Splitter<'a> {
    text: &'a str,
    engine: Engine,
    lexer: Lexer<'a>,
    body: Body<'a>,
    /// The statement that has begun; its end moves with every token.
    open: Option<Statement>,
    /// Where the delimiter in force was set.
    delimiter_set: usize,
    /// The statement in hand is a `COPY`.
    copies: bool,
    parts: Parts,
}

impl Splitter<'_> {
    fn take(&mut self, token: Token) -> Result<(), SplitError> {
        match token.kind {
            Kind::LineComment => {
                self.remark(token);
                return Ok(());
            }
            Kind::Delimiter if self.lexer.delimiter() != ";" || !self.body.holds() => {
                return self.end_statement();
            }
            Kind::Symbol => self.check_symbol(token)?,
            Kind::Word => {
                if self.client_delimiter(token)? {
                    return Ok(());
                }
                self.check_copy(token)?;
            }
            Kind::Number | Kind::Name | Kind::Text | Kind::CodeOpen | Kind::CodeClose | Kind::Delimiter => {}
        }
        self.open
            .get_or_insert(Statement {
                start: token.start,
                end: token.end,
            })
            .end = token.end;
        if !matches!(token.kind, Kind::CodeOpen | Kind::CodeClose) {
            self.body.take(token);
        }
        Ok(())
    }

    fn end_statement(&mut self) -> Result<(), SplitError> {
        if self.lexer.in_conditional() {
            let offset = self.open.as_ref().map_or(0, |s| s.start as usize);
            return fail(offset, SplitErrorKind::Unclosed(Opened::ConditionalComment));
        }
        self.parts.statements.extend(self.open.take());
        self.body.reset();
        self.copies = false;
        Ok(())
    }

    fn remark(&mut self, comment: Token) {
        let words = comment
            .text(self.text)
            .trim_start_matches(['-', '#'])
            .trim_start();
        if words.get(..8).is_some_and(|w| w.eq_ignore_ascii_case("tenantry")) {
            self.parts.remarks.push(Remark {
                start: comment.start,
                end: comment.end,
                statements_before: self.parts.statements.len() + usize::from(self.open.is_some()),
            });
        }
    }

    /// Obeys `DELIMITER x`; returns whether the word was that command.
    fn client_delimiter(&mut self, word: Token) -> Result<bool, SplitError> {
        if self.engine != Engine::MySql || !word.is(self.text, "DELIMITER") || !self.at_line_start(word) {
            return Ok(false);
        }
        if self.open.is_some() {
            return match self.lexer.delimiter() {
                ";" => Ok(false),
                other => fail(
                    self.delimiter_set,
                    SplitErrorKind::UnbalancedDelimiter(other.to_owned()),
                ),
            };
        }
        let offset = word.start as usize;
        if self.lexer.take_delimiter().is_none() {
            return fail(offset, SplitErrorKind::NoDelimiter);
        }
        self.delimiter_set = offset;
        Ok(true)
    }

    fn at_line_start(&self, word: Token) -> bool {
        let before = self.text.get(..word.start as usize).unwrap_or("");
        before
            .trim_end_matches([' ', '\t'])
            .chars()
            .next_back()
            .is_none_or(|c| c == '\n')
    }

    /// `COPY` data is not SQL: a quote in it would be read as the start of a string.
    fn check_copy(&mut self, word: Token) -> Result<(), SplitError> {
        if self.engine != Engine::Postgres {
            return Ok(());
        }
        if self.open.is_none() {
            self.copies = word.is(self.text, "COPY");
        }
        let from_stdin = self.copies
            && word.is(self.text, "STDIN")
            && self.body.previous().is_some_and(|p| p.is(self.text, "FROM"));
        match &self.open {
            Some(statement) if from_stdin => fail(statement.start as usize, SplitErrorKind::CopyFromStdin),
            _ => Ok(()),
        }
    }

    /// Refuses the bytes that are no SQL on this engine and after which nothing can be relied on.
    fn check_symbol(&self, token: Token) -> Result<(), SplitError> {
        let offset = token.start as usize;
        let next = self.text.as_bytes().get(offset + 1).copied();
        match (self.text.as_bytes().get(offset), self.engine) {
            (Some(b'\\'), Engine::MySql) if next == Some(b'N') => Ok(()),
            (Some(b'\\'), _) => fail(offset, SplitErrorKind::ClientCommand),
            (Some(b'.'), Engine::Sqlite) if self.open.is_none() => {
                fail(offset, SplitErrorKind::ClientCommand)
            }
            (Some(b'#'), Engine::Sqlite) => fail(offset, SplitErrorKind::HashComment),
            (Some(b'#'), Engine::Postgres) if self.no_operand_before() && !is_operator(next) => {
                fail(offset, SplitErrorKind::HashComment)
            }
            _ => Ok(()),
        }
    }

    /// `#` is an operator on PostgreSQL: it is meant as a comment where nothing stands before it.
    fn no_operand_before(&self) -> bool {
        self.open.is_none()
            || self.body.previous().is_some_and(|p| {
                p.kind == Kind::Delimiter || p.is_symbol(self.text, b',') || p.is_symbol(self.text, b'(')
            })
    }

    fn finish(mut self) -> Result<Parts, SplitError> {
        let delimiter = self.lexer.delimiter();
        if delimiter != ";" {
            return fail(
                self.delimiter_set,
                SplitErrorKind::UnbalancedDelimiter(delimiter.to_owned()),
            );
        }
        if let Some(offset) = self.body.open_since() {
            return fail(offset, SplitErrorKind::Unclosed(Opened::Body));
        }
        self.parts.statements.extend(self.open.take());
        Ok(self.parts)
    }
}

fn is_operator(byte: Option<u8>) -> bool {
    byte.is_some_and(|b| b"#-=><~&|*+/@!%^".contains(&b))
}

fn fail<T>(offset: usize, kind: SplitErrorKind) -> Result<T, SplitError> {
    Err(SplitError { offset, kind })
}
