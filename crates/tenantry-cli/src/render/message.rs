//! A message as people read it: what, where, the lines, the facts, the next command.

use tenantry::run::Snippet;

use super::invocation::Invocation;
use super::style::Paint;
use super::text;
use crate::exit::Exit;
use crate::failure::{Message, Severity};

/// How wide the names of facts are, colon included.
const NAME_WIDTH: usize = 11;

/// What a text is drawn for.
#[derive(Clone, Debug)]
pub(crate) struct Canvas {
    /// How many characters a line has; `usize::MAX` where nobody looks at columns.
    pub(crate) width: usize,
    /// Whether colour is used.
    pub(crate) paint: Paint,
    /// What printed commands need besides their words.
    pub(crate) invocation: Invocation,
}

/// Draws a message, without a final line break.
pub(crate) fn message(message: &Message, canvas: &Canvas) -> String {
    let name = match message.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let word = match message.code {
        Some(code) => format!("{name}[{code}]"),
        None => name.to_owned(),
    };
    let word = match message.severity {
        Severity::Error => canvas.paint.red(&word),
        Severity::Warning => canvas.paint.yellow(&word),
    };
    let title = format!("{word}: {}", text::printable(&message.title));
    let mut lines = vec![text::wrap(&title, canvas.width, 2)];
    for at in &message.at {
        let place = at
            .place
            .map_or(String::new(), |p| format!(":{}:{}", p.line, p.column));
        lines.push(format!("  --> {}{place}", text::path(&at.path)));
    }
    if let Some(snippet) = &message.snippet {
        draw_snippet(&mut lines, snippet, message, canvas);
    }
    for (name, value) in &message.facts {
        let name = format!("{name}: ");
        let fact = format!("   = {name:NAME_WIDTH$}{}", text::printable(value));
        lines.push(text::wrap(&fact, canvas.width, 5 + NAME_WIDTH));
    }
    draw_help(&mut lines, message, canvas);
    lines.join("\n")
}

/// Draws a message and the exit code that goes with it.
pub(crate) fn ending(message_of: &Message, exit: Exit, canvas: &Canvas) -> String {
    format!(
        "{}\nexit {} ({})",
        message(message_of, canvas),
        exit.code(),
        exit.name()
    )
}

fn draw_help(lines: &mut Vec<String>, message: &Message, canvas: &Canvas) {
    let explain = message.code.map(|code| format!("tenantry explain {code}"));
    let mut help = message.help.clone();
    if let Some(explain) = explain
        && !help.contains(&explain)
    {
        help.push(explain);
    }
    for (at, line) in help.iter().enumerate() {
        let word = if at == 0 { "help:" } else { "     " };
        let line = text::printable(&canvas.invocation.fill(line));
        lines.extend(help_lines(&format!("{word} "), &line, canvas.width));
    }
}

/// Breaks a line of help that is too long for what precedes it: prose at its spaces, and before the command
/// that follows two of them. A command is never broken, for it is there to be copied.
pub(super) fn help_lines(head: &str, line: &str, width: usize) -> Vec<String> {
    let indent = head.chars().count();
    if indent + line.chars().count() <= width {
        return vec![format!("{head}{line}")];
    }
    let is_command = |part: &str| part.starts_with("tenantry ") || part.starts_with("git ");
    let mut lines = Vec::new();
    for part in line.split("  ").map(str::trim).filter(|part| !part.is_empty()) {
        let start = if lines.is_empty() {
            head.to_owned()
        } else {
            " ".repeat(indent + 2)
        };
        let line = format!("{start}{part}");
        lines.push(if is_command(part) {
            line
        } else {
            text::wrap(&line, width, indent)
        });
    }
    lines
}

fn draw_snippet(lines: &mut Vec<String>, snippet: &Snippet, message: &Message, canvas: &Canvas) {
    let (caret, severity) = (message.caret.as_deref(), message.severity);
    let last = snippet.first_line + snippet.lines.len().saturating_sub(1);
    let gutter = last.to_string().len().max(2);
    let room = canvas.width.saturating_sub(gutter + 3).max(20);
    // A line that is too long is shown from where its caret stays in sight.
    let skip = match snippet.caret + snippet.width {
        end if end > room => snippet.caret.saturating_sub(room / 2),
        _ => 0,
    };
    let bar = format!("{:gutter$} |", "");
    lines.push(bar.clone());
    for (at, line) in snippet.lines.iter().enumerate() {
        let shown: String = line.chars().skip(skip).collect();
        let shown = text::cut(&text::printable(&shown), room);
        lines.push(
            format!("{:>gutter$} | {shown}", snippet.first_line + at)
                .trim_end()
                .to_owned(),
        );
    }
    let marks = "^".repeat(snippet.width.clamp(1, room));
    let under = format!(
        "{bar} {:pad$}{}",
        "",
        match severity {
            Severity::Error => canvas.paint.red(&marks),
            Severity::Warning => canvas.paint.yellow(&marks),
        },
        pad = snippet.caret - skip
    );
    lines.push(match caret {
        Some(caret) => text::wrap(&format!("{under} {caret}"), canvas.width, gutter + 3),
        None => under,
    });
    lines.push(bar);
}

#[cfg(test)]
mod tests {
    use super::help_lines;

    #[test]
    fn a_long_line_of_help_is_broken_around_its_command() {
        let line = "put the file back; its past:  git log -p -- migrations/tenant/001.sql";
        assert_eq!(help_lines("help: ", line, 100), [format!("help: {line}")]);
        assert_eq!(
            help_lines("help: ", line, 44),
            [
                "help: put the file back; its past:",
                "        git log -p -- migrations/tenant/001.sql"
            ]
        );
        assert_eq!(
            help_lines("      ", "write the SQL into it, or remove it", 30),
            ["      write the SQL into it,\n      or remove it"]
        );
        let command = "tenantry migrate resume run_7f3a";
        assert_eq!(help_lines("help: ", command, 20), [format!("help: {command}")]);
    }
}
