//! What the three engines' SQL differs in where a scanner looks: quotes, comments, strings.

use super::token::Kind;
use crate::engine::Engine;

/// The lexical rules of one engine, as data.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Every byte that opens a quoted thing.
    pub(crate) quotes: &'static [Quote],
    /// What opens a comment that ends with its line.
    pub(crate) line_comments: LineComments,
    /// What `/* … */` means.
    pub(crate) block_comments: BlockComments,
    /// What the engine has that the others have not.
    pub(crate) extras: Extras,
}

/// One kind of quotation; a doubled closing byte stands for itself.
#[derive(Debug)]
pub(crate) struct Quote {
    pub(crate) open: u8,
    pub(crate) close: u8,
    pub(crate) kind: Kind,
    pub(crate) escape: Escape,
}

/// How the closing byte is written inside a quotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    /// It cannot be: SQLite's `[…]`.
    Never,
    /// Only doubled.
    Doubled,
    /// Doubled or after a backslash.
    Backslash,
}

/// What opens a comment that ends with its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineComments {
    /// `--`.
    Dashes,
    /// `#`, and `--` before white space (MySQL, "Comments": `5--3` is no comment).
    SpacedDashesAndHash,
}

/// What `/* … */` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockComments {
    /// Comments nest (PostgreSQL, "Comments").
    Nested,
    /// The first `*/` ends it.
    Flat,
    /// The first `*/` ends it, and `/*! … */` and `/*M! … */` are code.
    FlatOrCode,
}

/// What one engine has that the others have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extras {
    /// `$tag$ … $tag$` and `E'…'`.
    DollarQuotes,
    /// The client command `DELIMITER`.
    DelimiterCommand,
    /// Nothing.
    Plain,
}

const fn quote(byte: u8, kind: Kind, escape: Escape) -> Quote {
    Quote {
        open: byte,
        close: byte,
        kind,
        escape,
    }
}

static POSTGRES: Dialect = Dialect {
    quotes: &[
        quote(b'\'', Kind::Text, Escape::Doubled),
        quote(b'"', Kind::Name, Escape::Doubled),
    ],
    line_comments: LineComments::Dashes,
    block_comments: BlockComments::Nested,
    extras: Extras::DollarQuotes,
};

static MYSQL: Dialect = Dialect {
    quotes: &[
        quote(b'\'', Kind::Text, Escape::Backslash),
        quote(b'"', Kind::Text, Escape::Backslash),
        quote(b'`', Kind::Name, Escape::Doubled),
    ],
    line_comments: LineComments::SpacedDashesAndHash,
    block_comments: BlockComments::FlatOrCode,
    extras: Extras::DelimiterCommand,
};

static SQLITE: Dialect = Dialect {
    quotes: &[
        quote(b'\'', Kind::Text, Escape::Doubled),
        quote(b'"', Kind::Name, Escape::Doubled),
        quote(b'`', Kind::Name, Escape::Doubled),
        Quote {
            open: b'[',
            close: b']',
            kind: Kind::Name,
            escape: Escape::Never,
        },
    ],
    line_comments: LineComments::Dashes,
    block_comments: BlockComments::Flat,
    extras: Extras::Plain,
};

impl Dialect {
    /// Returns the rules of an engine.
    pub(crate) fn of(engine: Engine) -> &'static Self {
        match engine {
            Engine::Postgres => &POSTGRES,
            Engine::MySql => &MYSQL,
            Engine::Sqlite => &SQLITE,
        }
    }

    /// Returns the quotation that a byte opens; `None` if it opens none.
    pub(crate) fn quote(&self, byte: u8) -> Option<&'static Quote> {
        self.quotes.iter().find(|q| q.open == byte)
    }
}
