//! The one place that writes to stdout and stderr. A reader that has gone away is not an error.

use std::io::{self, ErrorKind, Write};

/// Writes the answer, on stdout.
///
/// # Errors
/// What the system says, but for a closed pipe: after `tenantry … | head` there is nobody left to tell.
pub(crate) fn answer(text: &str) -> io::Result<()> {
    match line(&mut io::stdout().lock(), text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes progress or a message, on stderr.
pub(crate) fn say(text: &str) {
    // There is no third place to say that this failed.
    drop(line(&mut io::stderr().lock(), text));
}

fn line(to: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(to, "{text}").and_then(|()| to.flush())
}
