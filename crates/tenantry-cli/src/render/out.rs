//! The one place that writes to stdout and stderr. A reader that has gone away is not an error.

use std::io::{self, BufWriter, ErrorKind, Write};

use serde::Serialize;

/// How much is written at once, in bytes.
const BUFFER: usize = 64 * 1024;

/// Writes the answer, on stdout.
///
/// # Errors
/// What the system says, but for a closed pipe: after `tenantry … | head` there is nobody left to tell.
pub(crate) fn answer(text: &str) -> io::Result<()> {
    unless_left(line(&mut io::stdout().lock(), text))
}

/// Writes the answer as one line of JSON, on stdout: never the whole of it in memory.
///
/// # Errors
/// As [`answer`].
pub(crate) fn answer_json(value: &impl Serialize) -> io::Result<()> {
    let mut to = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    let written = serde_json::to_writer(&mut to, value).map_err(io::Error::from);
    unless_left(written.and_then(|()| line(&mut to, "")))
}

fn unless_left(written: io::Result<()>) -> io::Result<()> {
    match written {
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
