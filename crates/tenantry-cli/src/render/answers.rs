//! What stdout gets: one answer, or a stream of numbered JSON lines.

use std::io;

use serde::Serialize;

use super::wire::{Numbered, VersionLine};
use super::{json, out};

/// Writes answers until one cannot be written.
#[derive(Debug)]
pub(crate) struct Answers {
    seq: u64,
    /// The first answer that could not be written; the work goes on all the same.
    written: io::Result<()>,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            seq: 0,
            written: Ok(()),
        }
    }
}

impl Answers {
    /// Writes one answer, as it is.
    pub(crate) fn text(&mut self, text: &str) {
        if self.written.is_ok() {
            self.written = out::answer(text);
        }
    }

    /// Writes one answer as a line of JSON, never the whole of it in memory.
    pub(crate) fn json(&mut self, value: &impl Serialize) {
        if self.written.is_ok() {
            self.written = out::answer_json(value);
        }
    }

    /// Writes the first line of a stream.
    pub(crate) fn version(&mut self) {
        self.text(&json(&VersionLine::new()));
    }

    /// Writes the next line of a stream.
    pub(crate) fn event(&mut self, event: &impl Serialize) {
        self.seq += 1;
        self.text(&json(&Numbered::now(self.seq, event)));
    }

    /// Returns whether everything was written.
    ///
    /// # Errors
    /// The first answer that could not be written.
    pub(crate) fn end(self) -> io::Result<()> {
        self.written
    }
}
