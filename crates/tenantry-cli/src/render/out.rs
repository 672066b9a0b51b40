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
    let mut to = Uncommanding::new(BufWriter::with_capacity(BUFFER, io::stdout().lock()));
    let written = serde_json::to_writer(&mut to, value).map_err(io::Error::from);
    unless_left(written.and_then(|()| line(&mut to, "")))
}

/// Passes JSON on in which a job of GitHub's finds no command: `##[` stands nowhere but in a string, where the bracket may be
/// written otherwise.
struct Uncommanding<W> {
    to: W,
    /// How many `#` came last.
    hashes: usize,
}

impl<W: Write> Uncommanding<W> {
    fn new(to: W) -> Self {
        Self { to, hashes: 0 }
    }
}

impl<W: Write> Write for Uncommanding<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut begin = 0;
        for (at, byte) in bytes.iter().enumerate() {
            if *byte == b'[' && self.hashes >= 2 {
                self.to.write_all(bytes.get(begin..at).unwrap_or_default())?;
                self.to.write_all(br"\u005b")?;
                begin = at + 1;
            }
            self.hashes = if *byte == b'#' { self.hashes + 1 } else { 0 };
        }
        self.to.write_all(bytes.get(begin..).unwrap_or_default())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_of_github_is_no_command_in_json() {
        let text = "a#[b]##[error]x###[y";
        let whole = serde_json::to_string(text).unwrap();
        for size in 1..whole.len() {
            let mut to = Uncommanding::new(Vec::new());
            for part in whole.as_bytes().chunks(size) {
                to.write_all(part).unwrap();
            }
            let written = String::from_utf8(to.to).unwrap();
            assert!(!written.contains("##["), "{written}");
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }
}
