//! Text that comes from a server or goes to it: cleaning, quoting.

/// The longest message of a server that is kept, in bytes.
const LONGEST: usize = 4096;

/// Returns a server's text with control and direction characters replaced and its length limited, fit for
/// terminals and logs. Line breaks and tabs stay.
pub(crate) fn clean(text: &str) -> String {
    let cut = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text);
    let mut cleaned: String = cut
        .chars()
        .map(|c| if is_hostile(c) { '\u{fffd}' } else { c })
        .collect();
    if cut.len() < text.len() {
        cleaned.push('…');
    }
    cleaned
}

fn is_hostile(c: char) -> bool {
    let direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    direction || (c.is_control() && c != '\n' && c != '\t')
}

/// Returns the text as an SQL string literal for PostgreSQL with `standard_conforming_strings` on or off:
/// quotes doubled, and an `E''` string where a backslash occurs.
pub(crate) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_text_cannot_steer_a_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\u{202e}c\nd"), "a\u{fffd}[2Jb\u{fffd}c\nd");
        assert!(clean(&"é".repeat(5000)).len() <= LONGEST + 3);
    }

    #[test]
    fn a_literal_holds_exactly_its_text() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'b"), r"E'a\\''b'");
    }
}
