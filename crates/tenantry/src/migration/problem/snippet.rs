//! The line of a place, made safe to print.

/// The longest snippet in characters.
const WIDTH: usize = 200;

/// Returns the line of a byte offset, cut to 200 characters around it and escaped, and the column of the
/// offset in it, from 1.
pub(in crate::migration) fn around(text: &str, offset: usize) -> (String, usize) {
    let offset = text.floor_char_boundary(offset);
    let (before, after) = text.split_at(offset);
    let before = before.rsplit('\n').next().unwrap_or("");
    let after = after.split('\n').next().unwrap_or("");
    let left = tail(before, WIDTH / 2);
    let right: String = after
        .trim_end()
        .chars()
        .flat_map(escape)
        .take(WIDTH - left.chars().count())
        .collect();
    let caret = left.chars().count() + 1;
    (left + &right, caret)
}

/// Returns the last characters of a line, escaped; at most `width`.
fn tail(line: &str, width: usize) -> String {
    let mut kept = Vec::new();
    for c in line.chars().rev() {
        let escaped: Vec<char> = escape(c).collect();
        if kept.len() + escaped.len() > width {
            break;
        }
        kept.extend(escaped.into_iter().rev());
    }
    kept.into_iter().rev().collect()
}

/// Returns what is shown for a character: itself, a blank for a tab, or its escape if it could act on a
/// terminal or hide.
pub(super) fn escape(c: char) -> impl Iterator<Item = char> {
    let hidden =
        c.is_control() || crate::migration::text::is_invisible(c) || crate::migration::text::is_bidi(c);
    let plain = if c == '\t' {
        Some(' ')
    } else {
        (!hidden).then_some(c)
    };
    let escaped = plain.is_none().then(|| c.escape_unicode());
    plain.into_iter().chain(escaped.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::around;

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("first\n{}X{}\nlast", "a".repeat(500), "b".repeat(500));
        let (snippet, caret) = around(&text, 506);
        assert_eq!(snippet.chars().count(), 200);
        assert_eq!(snippet.chars().nth(caret - 1), Some('X'));
    }

    #[test]
    fn control_characters_are_shown_not_sent() {
        assert_eq!(around("a\u{1b}[31m\tb", 0).0, "a\\u{1b}[31m b");
        assert_eq!(around("a\u{1b}b", 2), ("a\\u{1b}b".to_owned(), 8));
    }
}
