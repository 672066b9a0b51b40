//! Text for people: numbers, names, durations, paths, lines of a given width.

use std::path::Path;
use std::time::Duration;

/// How many names a list shows before "and N more".
pub(crate) const NAMES: usize = 5;

/// Writes a number with commas: `1,790`.
pub(crate) fn number(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a number and its noun: `1 migration`, `3 migrations`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    let ending = if n == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", number(n))
}

/// Writes a number as a place in an order: `1st`, `18th`.
pub(crate) fn ordinal(n: usize) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{}{ending}", number(n))
}

/// Writes the first five names: `a, b, c, d, e and 11 more`.
pub(crate) fn names<'a>(all: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<&str> = all.into_iter().collect();
    let shown = all.iter().take(NAMES).copied().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(NAMES) {
        0 => shown,
        more => format!("{shown} and {} more", number(more)),
    }
}

/// Writes how long something took: `412 ms`, `1.9 s`, `3m58s`.
pub(crate) fn elapsed(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// Writes a duration without spaces: `0.4s`, `12s`, `3m50s`.
pub(crate) fn elapsed_short(duration: Duration) -> String {
    match duration.as_secs() {
        0..10 => format!("{:.1}s", duration.as_secs_f64()),
        seconds @ 10..60 => format!("{seconds}s"),
        _ => elapsed(duration),
    }
}

/// Writes a duration as a clock does: `00:02:41`.
pub(crate) fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Replaces what a database or a file name could use to paint over the terminal, control characters and those that nobody
/// sees, and what it could use to command a job of GitHub's: a further line that begins with `::`, and `##[` anywhere.
pub(crate) fn printable(text: &str) -> String {
    let shown: String = text
        .chars()
        .flat_map(|c| {
            let escaped = (c.is_control() && c != '\n') || is_unseen(c);
            let kept = (!escaped).then_some(c);
            kept.into_iter()
                .chain(c.escape_unicode().filter(move |_| escaped))
        })
        .collect();
    let shown = shown.replace("##[", "#\\u{23}[");
    if !shown.contains("::") {
        return shown;
    }
    let mut lines = shown.split('\n');
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |mut all, line| {
        all.push('\n');
        let commands = line.trim_start().starts_with("::");
        if commands {
            all.push_str(&line.replacen("::", "\\u{3a}:", 1));
        } else {
            all.push_str(line);
        }
        all
    })
}

/// Returns whether a character is not seen and changes how others are: their direction, whether two names look alike.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        // Without a width; to the left, to the right.
        | '\u{200b}'..='\u{200f}'
        // Ends of lines and paragraphs; the beginning and the end of a direction.
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}'
    )
}

/// Writes a path relative to a folder if it lies in it, as it is otherwise.
pub(crate) fn path_from(folder: &Path, path: &Path) -> String {
    let shown = path.strip_prefix(folder).unwrap_or(path);
    printable(&shown.display().to_string())
}

/// Writes a path relative to the present folder if it lies in it.
pub(crate) fn path(path: &Path) -> String {
    match std::env::current_dir() {
        Ok(here) => path_from(&here, path),
        Err(_) => printable(&path.display().to_string()),
    }
}

/// Breaks text at spaces so that no line is longer than `width` characters; every line but the first begins
/// with `indent` spaces. A word longer than a line is kept whole, so that it can be copied.
pub(crate) fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let mut present = if lines.is_empty() {
            String::new()
        } else {
            " ".repeat(indent)
        };
        let mut column = present.len();
        for (at, word) in line.split(' ').enumerate() {
            let length = seen(word);
            if at > 0 && column + 1 + length > width {
                lines.push(present.trim_end().to_owned());
                present = " ".repeat(indent);
                column = indent;
            } else if at > 0 {
                present.push(' ');
                column += 1;
            }
            present.push_str(word);
            column += length;
        }
        lines.push(present.trim_end().to_owned());
    }
    lines.join("\n")
}

/// Returns how many characters of a text are seen: colours take no room.
fn seen(text: &str) -> usize {
    let mut parts = text.split('\u{1b}');
    let plain = parts.next().map_or(0, |part| part.chars().count());
    let coloured = parts.map(|part| part.split_once('m').map_or("", |(_, rest)| rest).chars().count());
    plain + coloured.sum::<usize>()
}

/// Cuts a line to `width` characters; the last one is then `…`.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut shown: String = text.chars().take(width.saturating_sub(1)).collect();
    shown.push('…');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_with_names_and_an_end() {
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(number(12), "12");
        assert_eq!(names(["a", "b"]), "a, b");
        assert_eq!(names(["a", "b", "c", "d", "e", "f"]), "a, b, c, d, e and 1 more");
        assert_eq!(count(1, "migration"), "1 migration");
        let places = [1, 2, 3, 6, 11, 18, 22, 111].map(ordinal);
        assert_eq!(
            places,
            ["1st", "2nd", "3rd", "6th", "11th", "18th", "22nd", "111th"]
        );
    }

    #[test]
    fn durations_are_as_precise_as_they_are_useful() {
        assert_eq!(elapsed(Duration::from_millis(41)), "41 ms");
        assert_eq!(elapsed(Duration::from_millis(1_904)), "1.9 s");
        assert_eq!(elapsed(Duration::from_secs(238)), "3m58s");
        assert_eq!(elapsed(Duration::from_mins(62)), "1h02m");
        assert_eq!(clock(Duration::from_secs(161)), "00:02:41");
    }

    #[test]
    fn escape_sequences_of_others_are_not_passed_on() {
        assert_eq!(printable("a\u{1b}[31mb\r"), "a\\u{1b}[31mb\\u{d}");
        assert_eq!(
            printable("a::b\n  ::stop-commands::x\n##[error]y"),
            "a::b\n  \\u{3a}:stop-commands::x\n#\\u{23}[error]y"
        );
    }

    #[test]
    fn characters_that_nobody_sees_are_shown() {
        assert_eq!(printable("a\u{202e}cba\u{202c}"), "a\\u{202e}cba\\u{202c}");
        for unseen in [
            '\u{61c}', '\u{200b}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202e}', '\u{2028}',
            '\u{2066}', '\u{2069}', '\u{feff}',
        ] {
            assert_eq!(
                printable(&unseen.to_string()),
                unseen.escape_unicode().to_string()
            );
        }
        let seen = "Zürich · 東京 · שלום · مرحبا · é · ✗";
        assert_eq!(printable(seen), seen);
    }

    #[test]
    fn text_is_broken_at_spaces_only() {
        assert_eq!(wrap("aa bb cc", 7, 2), "aa bb\n  cc");
        assert_eq!(wrap("aaaaaaaaaa b", 5, 0), "aaaaaaaaaa\nb");
        assert_eq!(wrap("\u{1b}[32maa\u{1b}[0m bb", 5, 2), "\u{1b}[32maa\u{1b}[0m bb");
        assert_eq!(cut("abcdef", 4), "abc…");
    }
}
