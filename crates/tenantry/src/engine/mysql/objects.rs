//! Statements that change objects, and those that are sent alone: intent, statement, checkpoint.

use std::collections::BTreeMap;

use super::apply::Worker;
use super::checkpoint::Open;
use super::fingerprint::ABSENT;
use super::queue::{Progress, Queue, Queued};
use super::wire::{Part, Role, send, send_alone};
use crate::engine::error::ApplyError;
use crate::faults::{self, Point, Seed, is_seeded, point};
use crate::migration::mysql_class::{Object, ObjectKind, Parts, starts};
use crate::plan::Step;

/// Returns whether it can be seen of the objects that a statement took effect.
fn leaves_a_trace(statement: &str, objects: &[Object], before: &[String]) -> bool {
    // An event that is over changes or goes by itself.
    let passes = objects.iter().any(|object| object.kind == ObjectKind::Event);
    !passes
        && !replaces_table(statement)
        && !restarts_sequence(statement)
        && !Parts::of(statement).replace_columns()
        && !swaps(statement, objects, before)
}

/// A sequence is shown without its next value.
fn restarts_sequence(statement: &str) -> bool {
    starts(statement, &["ALTER", "SEQUENCE"]) && statement.to_ascii_uppercase().contains("RESTART")
}

/// A table may be replaced by an empty one that looks the same.
fn replaces_table(statement: &str) -> bool {
    starts(statement, &["CREATE", "OR", "REPLACE", "TABLE"])
        || starts(statement, &["CREATE", "OR", "REPLACE", "SEQUENCE"])
}

/// Returns whether a renaming leaves an object under every name that had one: they may look the same.
fn swaps(statement: &str, objects: &[Object], before: &[String]) -> bool {
    starts(statement, &["RENAME"]) && renamed(objects, before) == present(objects, before)
}

/// Returns which of a statement's objects are there.
pub(super) fn present<'a>(objects: &'a [Object], looks: &[String]) -> BTreeMap<&'a Object, bool> {
    let there = looks.iter().map(|fingerprint| fingerprint != ABSENT);
    objects.iter().zip(there).collect()
}

/// Returns which of a renaming's objects are there behind it, given how they look before it.
pub(super) fn renamed<'a>(objects: &'a [Object], before: &[String]) -> BTreeMap<&'a Object, bool> {
    let mut now = present(objects, before);
    for pair in objects.chunks(2) {
        if let [from, to] = pair {
            let moved = now.insert(from, false).unwrap_or(false);
            now.insert(to, moved);
        }
    }
    now
}

impl Worker<'_> {
    /// Runs one statement that changes objects: intent, statement, and what can ride behind it.
    pub(super) async fn objects(
        &mut self,
        index: usize,
        step: &Step,
        at: usize,
        objects: &[Object],
    ) -> Result<usize, ApplyError> {
        let before = self.fingerprint(index, at, objects).await?;
        let open = if is_seeded(Seed::MysqlNoIntent) {
            Open::Nothing
        } else if leaves_a_trace(step.script().statement(at), objects, &before.objects) {
            Open::seen(&before)
        } else {
            Open::Unseen
        };
        self.before = Some(before);
        let keeps = self.is_ours_to_tell(index, at, &open);
        self.queue.note(Progress {
            step: index,
            next: at,
            open,
        });
        self.commit_ahead(index, at).await?;
        let mut parts = self.prelude();
        parts.push(Part::new(Role::Work(at), step.script().statement(at)));
        let closing = !keeps && self.closes(index, at);
        if closing {
            let mut last = Queue::default();
            last.push(Queued::Finish(index));
            parts.extend(last.transaction(self.writer, self.steps()));
            parts.push(self.writer.read_back());
        } else if !keeps {
            parts.extend(self.foresee(index, at + 1));
        }
        let sent = faults::sent(Point::MysqlObjectsSent, send(self.conn, &parts)).await;
        if sent.failure.is_some() {
            return Err(self.failed(sent, &parts, index, at).await);
        }
        self.committed();
        point(if closing {
            Point::MysqlLastAnswered
        } else {
            Point::MysqlObjectsAnswered
        });
        if keeps {
            self.keep(index, at + 1).await?;
        } else if closing {
            self.read_back = Some(sent);
        } else {
            self.remember(index, at + 1, &sent, parts.len());
            self.after(index, step, at + 1);
        }
        Ok(at + 1)
    }

    /// Runs one statement by itself; `open` is the intent it needs, if it needs one.
    pub(super) async fn alone(
        &mut self,
        index: usize,
        step: &Step,
        at: usize,
        open: Option<Open>,
    ) -> Result<usize, ApplyError> {
        let is_unseen = open == Some(Open::Unseen);
        if let Some(open) = open {
            self.queue.note(Progress {
                step: index,
                next: at,
                open,
            });
        }
        self.commit_ahead(index, at).await?;
        let parts = self.prelude();
        if !parts.is_empty() {
            let sent = send(self.conn, &parts).await;
            self.accept(&sent, &parts, index).await?;
            point(Point::MysqlIntentCommitted);
        }
        self.unsettled = true;
        // It may give any number of results, so nothing shares its message.
        let parts = [Part::new(Role::Work(at), step.script().statement(at))];
        let sent = faults::sent(Point::MysqlAloneSent, send_alone(self.conn, &parts)).await;
        if sent.failure.is_some() {
            return Err(self.failed(sent, &parts, index, at).await);
        }
        point(Point::MysqlAloneAnswered);
        if is_unseen {
            self.keep(index, at + 1).await?;
        } else {
            self.after(index, step, at + 1);
        }
        Ok(at + 1)
    }

    /// Notes that statements have run; the last one's checkpoint is the row's end.
    fn after(&mut self, index: usize, step: &Step, next: usize) {
        if next < step.script().statements.len() {
            self.queue.note(Progress {
                step: index,
                next,
                open: Open::Nothing,
            });
        }
    }

    /// Returns whether this statement is the unit's last, so that its end can ride in the same message.
    fn closes(&self, index: usize, at: usize) -> bool {
        index + 1 == self.steps().len()
            && self.classes.get(index).is_some_and(|c| at + 1 == c.len())
            && !self.changes_session(index)
    }
}
