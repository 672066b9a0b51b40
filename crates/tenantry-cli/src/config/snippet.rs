//! Which lines of a configuration file may be shown in a message: messages end up in logs.

use tenantry::run::Snippet;

/// Sections whose values are no secrets.
const OPEN: [&str; 3] = ["migrations", "naming", "run"];

/// Words in a line that may stand beside a secret, wherever it was put.
const SECRET: [&str; 6] = ["://", "secret", "password", "passwd", "token", "key"];

/// Returns whether every line of a snippet of a configuration file may be shown: it is the head of a section,
/// or stands in one that has no secrets.
pub(super) fn may_be_shown(text: &str, snippet: &Snippet) -> bool {
    let last = snippet.first_line + snippet.lines.len();
    let mut section = "";
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        if number >= last {
            break;
        }
        let is_head = line.starts_with('[');
        if is_head {
            section = line.trim_start_matches('[').split(']').next().unwrap_or_default();
        }
        let shown = line.is_empty() || (is_head && is_plain(line)) || is_open(section, line);
        if number >= snippet.first_line && !shown {
            return false;
        }
    }
    true
}

/// Whether a line can be nothing but the head of a section.
fn is_plain(line: &str) -> bool {
    line.chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '[' | ']' | '.' | '_' | '-'))
}

fn is_open(section: &str, line: &str) -> bool {
    // `run.grace = "1s"` above the first section.
    let path = if section.is_empty() { line } else { section };
    let first = path.split(['.', '=']).next().unwrap_or_default().trim();
    let lower = line.to_lowercase();
    OPEN.contains(&first) && !SECRET.iter().any(|word| lower.contains(word))
}
