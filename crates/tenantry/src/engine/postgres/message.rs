//! A message of several statements, and the way back from a failure in it to a place in a file.

use std::ops::Range;

use crate::migration::Script;

/// The largest message in bytes. 16 MiB in one message cost the server's process 183 MB (measured).
pub(super) const LARGEST: usize = 1 << 20;

/// What a statement of a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Begins the transaction, reads, settings: nothing that a migration can make fail.
    Own,
    /// Takes the migration lock; fails if somebody else holds it.
    Lock,
    /// Claims the epoch; fails if somebody else has claimed the database.
    Claim,
    /// Changes the database's comment: the unit goes once more without if it is refused.
    Comment,
    /// A statement of a migration.
    Migration {
        /// Index of the step in the unit.
        step: usize,
        /// Index of the statement in its script.
        statement: usize,
    },
    /// Writes the history row of a step; also asserts that the transaction is still the one it began in.
    Record {
        /// Index of the step in the unit.
        step: usize,
    },
    /// Commits.
    Commit,
}

/// A stretch of a script inside a message.
#[derive(Debug)]
struct Stretch {
    step: usize,
    in_message: Range<usize>,
    in_file: usize,
}

/// Statements that are sent together, with what each is for.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) text: String,
    pub(super) parts: Vec<Part>,
    stretches: Vec<Stretch>,
}

impl Message {
    /// Adds one statement of ours.
    pub(super) fn push(&mut self, part: Part, sql: &str) {
        self.text.push_str(sql);
        self.text.push_str(";\n");
        self.parts.push(part);
    }

    fn push_script(&mut self, step: usize, script: &Script, statements: Range<usize>) {
        let ranges = script.statements.get(statements.clone()).unwrap_or_default();
        let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else {
            return;
        };
        let bytes = first.range().start..last.range().end;
        let start = self.text.len();
        self.text
            .push_str(script.text.get(bytes.clone()).unwrap_or_default());
        self.stretches.push(Stretch {
            step,
            in_message: start..self.text.len(),
            in_file: bytes.start,
        });
        self.text.push_str(";\n");
        self.parts
            .extend(statements.map(|statement| Part::Migration { step, statement }));
    }

    /// Returns the step and the byte offset in its file of a position in characters from 1, as the server
    /// counts it; `None` if the position is in a statement of ours.
    pub(super) fn place(&self, position: usize) -> Option<(usize, usize)> {
        let at = self
            .text
            .char_indices()
            .nth(position.checked_sub(1)?)
            .map_or(self.text.len(), |(at, _)| at);
        // The end counts: the server points behind the last byte when a statement stops too early.
        let stretch = self
            .stretches
            .iter()
            .find(|s| s.in_message.start <= at && at <= s.in_message.end)?;
        Some((stretch.step, at - stretch.in_message.start + stretch.in_file))
    }
}

/// A piece of a message that is not written out yet, so that a large file is never in memory twice.
#[derive(Debug)]
enum Piece {
    Ours(Part, String),
    Script { step: usize, statements: Range<usize> },
}

/// The outline of one message.
#[derive(Debug, Default)]
pub(super) struct Outline {
    pieces: Vec<Piece>,
    bytes: usize,
}

impl Outline {
    /// Writes the message out; `scripts` are those of the unit's steps.
    pub(super) fn write(&self, scripts: &[&Script]) -> Message {
        let mut message = Message {
            text: String::with_capacity(self.bytes + 64),
            ..Message::default()
        };
        for piece in &self.pieces {
            match piece {
                Piece::Ours(part, sql) => message.push(*part, sql),
                Piece::Script { step, statements } => {
                    if let Some(script) = scripts.get(*step) {
                        message.push_script(*step, script, statements.clone());
                    }
                }
            }
        }
        message
    }
}

/// The outlines of a unit's messages in the order of sending.
#[derive(Debug, Default)]
pub(super) struct Outlines {
    done: Vec<Outline>,
    present: Outline,
}

impl Outlines {
    fn make_room(&mut self, bytes: usize) {
        if self.present.bytes > 0 && self.present.bytes + bytes > LARGEST {
            self.done.push(std::mem::take(&mut self.present));
        }
    }

    /// Ends the present message: what follows goes into another one.
    pub(super) fn cut(&mut self) {
        self.done.push(std::mem::take(&mut self.present));
    }

    /// Adds one statement of ours.
    pub(super) fn push(&mut self, part: Part, sql: impl Into<String>) {
        let sql = sql.into();
        self.make_room(sql.len());
        self.present.bytes += sql.len() + 2;
        self.present.pieces.push(Piece::Ours(part, sql));
    }

    /// Adds several statements of ours, each for the same end.
    pub(super) fn push_all(&mut self, part: Part, statements: impl IntoIterator<Item = impl Into<String>>) {
        for sql in statements {
            self.push(part, sql);
        }
    }

    /// Adds a script, cut between statements where a message would become too large.
    pub(super) fn push_script(&mut self, step: usize, script: &Script) {
        let mut from = 0;
        while let Some(first) = script.statements.get(from) {
            self.make_room(first.range().len());
            let room = LARGEST.saturating_sub(self.present.bytes);
            let begin = first.range().start;
            let rest = script.statements.get(from..).unwrap_or_default();
            let fit = rest
                .iter()
                .take_while(|s| s.range().end - begin <= room)
                .count()
                .max(1);
            let end = rest.get(fit - 1).map_or(begin, |s| s.range().end);
            self.present.bytes += end - begin + 2;
            self.present.pieces.push(Piece::Script {
                step,
                statements: from..from + fit,
            });
            from += fit;
        }
    }

    /// Returns the outlines.
    pub(super) fn into_vec(mut self) -> Vec<Outline> {
        if self.present.bytes > 0 {
            self.done.push(self.present);
        }
        self.done
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::migration::{Checksum, Directives, Statement};

    fn script(text: &str, cuts: &[(usize, usize)]) -> Script {
        let cut = |n: usize| u32::try_from(n).unwrap();
        Script {
            path: PathBuf::from("x.sql"),
            text: text.to_owned(),
            checksum: Checksum::of(text),
            statements: cuts
                .iter()
                .map(|(s, e)| Statement {
                    start: cut(*s),
                    end: cut(*e),
                })
                .collect(),
            directives: Directives::default(),
            own_session: false,
        }
    }

    #[test]
    fn a_position_in_the_message_leads_to_the_file() {
        let script = script("-- é\nSELECT 1; SELECT x", &[(6, 14), (16, 24)]);
        let mut outlines = Outlines::default();
        outlines.push(Part::Own, "BEGIN /* ö */");
        outlines.push_script(0, &script);
        let message = outlines.into_vec()[0].write(&[&script]);
        let x = message.text.chars().position(|c| c == 'x').unwrap() + 1;
        assert_eq!(message.place(x), Some((0, 23)));
        assert_eq!(message.place(1), None);
    }

    #[test]
    fn a_large_script_is_cut_between_statements() {
        let one = format!("SELECT '{}'", "a".repeat(400_000));
        let text = [one.as_str(); 5].join(";");
        let cuts: Vec<_> = (0..5)
            .map(|i| (i * (one.len() + 1), i * (one.len() + 1) + one.len()))
            .collect();
        let script = script(&text, &cuts);
        let mut outlines = Outlines::default();
        outlines.push(Part::Own, "BEGIN");
        outlines.push_script(0, &script);
        outlines.push(Part::Commit, "COMMIT");
        let messages: Vec<_> = outlines.into_vec().iter().map(|o| o.write(&[&script])).collect();
        assert_eq!(messages.len(), 3);
        assert!(messages.iter().all(|m| m.text.len() <= LARGEST + 16));
        let parts: Vec<_> = messages.iter().flat_map(|m| m.parts.clone()).collect();
        assert_eq!(parts.len(), 7);
        assert_eq!(
            parts[5],
            Part::Migration {
                step: 0,
                statement: 4
            }
        );
    }
}
