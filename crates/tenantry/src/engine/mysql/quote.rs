//! The one place that puts names and texts into SQL.

use std::fmt::Write as _;

/// Quotes an identifier by doubling its backticks; `None` if it holds a NUL, which no name may.
///
/// "Schema Object Names" of the MySQL manual: NUL is not permitted in quoted identifiers.
pub(super) fn identifier(name: &str) -> Option<String> {
    (!name.is_empty() && !name.contains('\0')).then(|| format!("`{}`", name.replace('`', "``")))
}

/// Writes a text as a literal that means the same under every `sql_mode` and character set.
pub(super) fn literal(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_graphic() && b != b'\'' && b != b'\\' || b == b' ';
    if text.bytes().all(plain) {
        return format!("'{text}'");
    }
    let mut out = String::with_capacity(text.len() * 2 + 12);
    out.push_str("_utf8mb4 X'");
    for byte in text.bytes() {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out.push('\'');
    out
}

/// Writes a text as a literal, or NULL.
pub(super) fn literal_or_null(text: Option<&str>) -> String {
    text.map_or_else(|| "NULL".to_owned(), literal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_identifier() {
        assert_eq!(identifier("a`b").as_deref(), Some("`a``b`"));
        assert_eq!(identifier("a\0b"), None);
        assert_eq!(identifier(""), None);
    }

    #[test]
    fn a_literal_does_not_depend_on_how_backslashes_are_read() {
        assert_eq!(literal("product:kira"), "'product:kira'");
        assert_eq!(literal("a'b"), "_utf8mb4 X'612762'");
        assert_eq!(literal("\\"), "_utf8mb4 X'5c'");
    }
}
