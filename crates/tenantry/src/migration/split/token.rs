//! The pieces of SQL text that decide where a statement ends and what it is.

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An unquoted keyword or name.
    Word,
    /// A number, or a word that begins with a digit.
    Number,
    /// A quoted name.
    Name,
    /// A string, dollar-quoted ones included.
    Text,
    /// A comment that ends with its line.
    LineComment,
    /// The `/*!80000` that opens a conditional comment.
    CodeOpen,
    /// The `*/` that closes it.
    CodeClose,
    /// The delimiter in force.
    Delimiter,
    /// Any other single byte.
    Symbol,
}

/// A piece of text, by byte range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Token {
    /// Returns the token's text; empty for a token of another text.
    pub(crate) fn text(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or("")
    }

    /// Returns whether it is this keyword, in any case.
    pub(crate) fn is(self, text: &str, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text(text).eq_ignore_ascii_case(keyword)
    }

    /// Returns whether it is this single byte.
    pub(crate) fn is_symbol(self, text: &str, symbol: u8) -> bool {
        self.kind == Kind::Symbol && self.text(text).as_bytes() == [symbol]
    }
}

/// Something that was opened and must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// A string in quotes.
    Text,
    /// A quoted name.
    Name,
    /// A `$tag$` string.
    DollarQuote,
    /// A `/*` comment.
    Comment,
    /// A `/*!` comment, whose content is code.
    ConditionalComment,
    /// A body: `BEGIN … END`.
    Body,
}

impl Opened {
    /// Returns what it is called in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Name => "quoted name",
            Self::DollarQuote => "dollar quote",
            Self::Comment => "comment",
            Self::ConditionalComment => "conditional comment",
            Self::Body => "BEGIN … END body",
        }
    }
}

/// Something is open where the text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unclosed {
    pub(crate) what: Opened,
    /// The byte offset of its opening.
    pub(crate) offset: usize,
}
