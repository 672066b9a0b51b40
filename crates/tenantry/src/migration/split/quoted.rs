//! Where quoted things and comments end.

use super::dialect::{Escape, Quote};

/// Returns the offset after the closing byte of a quotation whose content begins at `from`.
pub(super) fn quotation(bytes: &[u8], from: usize, quote: &Quote) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = bytes.get(at..)?;
        let backslash = quote.escape == Escape::Backslash;
        at += rest
            .iter()
            .position(|b| *b == quote.close || (backslash && *b == b'\\'))?;
        let escaped = bytes.get(at) != Some(&quote.close);
        let doubled = quote.escape != Escape::Never && bytes.get(at + 1) == Some(&quote.close);
        if escaped || doubled {
            at += 2;
        } else {
            return Some(at + 1);
        }
    }
}

/// Returns the offset of the content of the next part of a string that was closed just before `from`:
/// after white space with a line break in it, comments included, comes another quote.
pub(super) fn continuation(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    let mut broken = false;
    loop {
        match *bytes.get(at)? {
            b'\n' | b'\r' => broken = true,
            b' ' | b'\t' | 0x0b | 0x0c => {}
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                at += bytes.get(at..)?.iter().position(|b| *b == b'\n')?;
                broken = true;
            }
            b'\'' if broken => return Some(at),
            _ => return None,
        }
        at += 1;
    }
}

/// Returns the `$tag$` that opens at an offset; `None` if that `$` opens no string.
pub(super) fn dollar_tag(text: &str, at: usize) -> Option<&str> {
    let rest = text.as_bytes().get(at + 1..)?;
    let fits = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || *b >= 0x80;
    let length = rest.iter().take_while(|b| fits(b)).count();
    if rest.get(length) != Some(&b'$') || rest.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    text.get(at..at + length + 2)
}

/// Returns the offset after a comment that the first `*/` ends.
pub(super) fn comment(text: &str, at: usize) -> Option<usize> {
    let body = at + 2;
    Some(body + text.get(body..)?.find("*/")? + 2)
}

/// Returns the offset after a comment in which comments nest.
pub(super) fn nested_comment(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = at + 2;
    let mut depth = 1;
    while depth > 0 {
        at += bytes.get(at..)?.iter().position(|b| *b == b'*' || *b == b'/')?;
        match (bytes.get(at)?, bytes.get(at + 1)?) {
            (b'*', b'/') => {
                depth -= 1;
                at += 2;
            }
            (b'/', b'*') => {
                depth += 1;
                at += 2;
            }
            _ => at += 1,
        }
    }
    Some(at)
}

/// Returns the length of `/*!`, `/*M!` and the version number behind it; 0 if an ordinary comment opens.
///
/// What `/*M!999999\-` opens is one: no server runs it, and only the client of MariaDB obeys it ("mariadb-dump").
///
/// Five or six digits are a version (MySQL, "Comments"; MariaDB, "Comment Syntax").
pub(super) fn conditional_marker(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or(&[]);
    if is_sandbox_mark(rest) {
        return 0;
    }
    let marker = if rest.starts_with(b"/*!") {
        3
    } else if rest.starts_with(b"/*M!") {
        4
    } else {
        return 0;
    };
    let digits = rest
        .iter()
        .skip(marker)
        .take(6)
        .take_while(|b| b.is_ascii_digit())
        .count();
    if digits >= 5 { marker + digits } else { marker }
}

/// Whether the comment that opens a dump of MariaDB begins here; a comment in it would be read in two ways.
fn is_sandbox_mark(bytes: &[u8]) -> bool {
    const MARKS: [&[u8]; 2] = [br"/*M!999999\-", br"/*!999999\-"];
    let inner = MARKS.iter().find_map(|mark| bytes.strip_prefix(*mark));
    inner.is_some_and(|inner| {
        let opens_or_closes = inner.windows(2).find(|two| matches!(*two, b"*/" | b"/*"));
        opens_or_closes == Some(b"*/")
    })
}
