//! Bytes to text: what may be in a migration file before anyone looks at SQL.

use super::problem::FileProblemKind as Kind;

/// A reason and the byte offset in the text it belongs to; `text` is as much as could be read.
#[derive(Debug)]
pub(super) struct TextProblem {
    pub(super) text: String,
    pub(super) offset: usize,
    pub(super) kind: Kind,
}

/// Returns the text without byte order mark and with lone CR turned into LF, so that files that differ only
/// in line endings, which have one checksum, also do one thing. A large file is in memory once.
pub(super) fn decode(bytes: Vec<u8>) -> Result<String, TextProblem> {
    if bytes.is_empty() {
        return Err(TextProblem {
            text: String::new(),
            offset: 0,
            kind: Kind::Empty,
        });
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        not_utf8(&error.into_bytes(), offset)
    })?;
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    if let Some((offset, kind)) = first_bad(&text) {
        return Err(TextProblem { text, offset, kind });
    }
    Ok(unix_lines(text))
}

fn not_utf8(bytes: &[u8], offset: usize) -> TextProblem {
    let text = bytes
        .get(..offset)
        .and_then(|b| std::str::from_utf8(b).ok())
        .unwrap_or("");
    TextProblem {
        text: text.to_owned(),
        offset,
        kind: Kind::NotUtf8 {
            offset,
            encoding: encoding(bytes, offset),
        },
    }
}

fn encoding(bytes: &[u8], offset: usize) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] => Some("UTF-32LE"),
        [0, 0, 0xfe, 0xff, ..] => Some("UTF-32BE"),
        [0xff, 0xfe, ..] => Some("UTF-16LE"),
        [0xfe, 0xff, ..] => Some("UTF-16BE"),
        _ => (bytes.get(offset)? >= &0xa0).then_some("Latin-1"),
    }
}

/// Returns the encoding of a text that is full of NUL bytes; `None` if the NUL is a stray one.
fn wide_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0, 0, 0, b, ..] if *b != 0 => Some("UTF-32BE"),
        [a, 0, 0, 0, ..] if *a != 0 => Some("UTF-32LE"),
        [0, b, 0, d, ..] if *b != 0 && *d != 0 => Some("UTF-16BE"),
        [a, 0, c, 0, ..] if *a != 0 && *c != 0 => Some("UTF-16LE"),
        _ => None,
    }
}

fn first_bad(text: &str) -> Option<(usize, Kind)> {
    let mut bytes = text.as_bytes().iter().enumerate();
    let (offset, byte) = bytes.find(|(at, b)| match **b {
        0 | 0x1a => true,
        0xe2 | 0xef => text
            .get(*at..)
            .and_then(|t| t.chars().next())
            .is_some_and(is_refused),
        _ => false,
    })?;
    let character = text.get(offset..).and_then(|t| t.chars().next()).unwrap_or('\0');
    let kind = match (byte, character) {
        (0, _) => match wide_encoding(text.as_bytes()) {
            Some(encoding) => Kind::NotUtf8 {
                offset,
                encoding: Some(encoding),
            },
            None => Kind::NulByte,
        },
        (0x1a, _) => Kind::CtrlZ,
        (_, '\u{feff}') => Kind::MarkInside,
        (_, other) => Kind::Bidi(other),
    };
    Some((offset, kind))
}

fn is_refused(c: char) -> bool {
    c == '\u{feff}' || is_bidi(c)
}

/// Returns whether a character embeds or overrides the direction of text (Unicode, "Explicit Directional
/// Embeddings, Overrides and Isolates").
pub(super) fn is_bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns whether a character looks like a blank or like nothing but is no white space for a database.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{80}'..='\u{a0}' | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{1680}' | '\u{180e}'
            | '\u{61c}' | '\u{2000}'..='\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}'..='\u{2064}'
            | '\u{3000}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
    )
}

fn unix_lines(text: String) -> String {
    let lone = |at: usize| text.as_bytes().get(at + 1) != Some(&b'\n');
    if !text.bytes().enumerate().any(|(at, b)| b == b'\r' && lone(at)) {
        return text;
    }
    text.char_indices()
        .map(|(at, c)| if c == '\r' && lone(at) { '\n' } else { c })
        .collect()
}
