//! The one place that writes to stdout and stderr. A reader that has gone away is not an error.

use std::io::Write;

/// Writes the answer, on stdout.
pub(crate) fn answer(text: &str) {
    line(&mut std::io::stdout().lock(), text);
}

/// Writes progress or a message, on stderr.
pub(crate) fn say(text: &str) {
    line(&mut std::io::stderr().lock(), text);
}

fn line(to: &mut impl Write, text: &str) {
    let written = writeln!(to, "{text}").and_then(|()| to.flush());
    // `tenantry … | head` closes the pipe; there is nobody left to tell.
    drop(written);
}
