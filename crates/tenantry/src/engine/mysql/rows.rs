//! Statements that change rows: many in one message, with their checkpoint in one transaction.
//!
//! Where a table cannot roll back, each has a message of its own.

use mysql_async::consts::StatusFlags;

use super::apply::Worker;
use super::checkpoint::Open;
use super::queue::{Progress, Queue, Queued};
use super::wire::{Part, Role, Sent, send};
use crate::engine::error::{ApplyError, StateAfter};
use crate::faults::{self, Point, Seed, is_seeded, point};
use crate::migration::mysql_class::{Class, sets_user_variables};
use crate::plan::Step;

/// A message of rows is closed behind this many bytes or statements, or where it can be cut next; the checkpoint
/// follows it.
const MESSAGE_BYTES: usize = 1 << 20;
const MESSAGE_STATEMENTS: usize = 500;

impl Worker<'_> {
    /// Runs statements that change rows, and their checkpoint, in one transaction that stays open.
    pub(super) async fn rows(&mut self, index: usize, step: &Step, from: usize) -> Result<usize, ApplyError> {
        if self.in_transaction {
            let parts = self.prelude();
            let sent = send(self.conn, &parts).await;
            self.accept(&sent, &parts, index).await?;
        }
        self.commit_ahead(index, from).await?;
        let until = self.end_of_rows(index, step, from);
        let mut parts = self.settling();
        parts.push(Part::new(Role::Own, "START TRANSACTION"));
        parts.extend(self.queue.parts(self.writer, self.steps()));
        for at in from..until {
            parts.push(Part::new(Role::Work(at), step.script().statement(at)));
        }
        // A session that the file has changed is set back before its row says that it is done.
        let ends = until == step.script().statements.len() && !self.changes_session(index);
        let mut after = self.queue.clone();
        after.committed();
        if ends {
            after.push(Queued::Finish(index));
        } else {
            after.note(Progress {
                step: index,
                next: until,
                open: Open::Nothing,
            });
        }
        if is_seeded(Seed::MysqlCheckpointApart) {
            return self.rows_apart(index, parts, after, until).await;
        }
        parts.extend(after.parts(self.writer, self.steps()));
        let checkpoint = parts.len().saturating_sub(2);
        parts.extend(self.foresee(index, until));
        let sent = faults::sent(Point::MysqlRowsSent, send(self.conn, &parts)).await;
        if sent.failure.is_some() {
            return Err(self.failed(sent, &parts, index, from).await);
        }
        still_open(&sent, checkpoint, index)?;
        point(Point::MysqlRowsAnswered);
        after.committed();
        self.queue = after;
        self.in_transaction = true;
        self.unsettled = false;
        self.finished = ends.then_some(index);
        self.remember(index, until, &sent, parts.len());
        Ok(until)
    }

    /// Commits rows and leaves what follows them to the next message: a defect that tests switch on.
    async fn rows_apart(
        &mut self,
        index: usize,
        mut parts: Vec<Part>,
        after: Queue,
        until: usize,
    ) -> Result<usize, ApplyError> {
        parts.push(Part::new(Role::Own, "COMMIT"));
        let sent = send(self.conn, &parts).await;
        self.accept(&sent, &parts, index).await?;
        point(Point::MysqlRowsAnswered);
        self.queue = after;
        let ends = self
            .classes
            .get(index)
            .is_some_and(|classes| until == classes.len());
        self.finished = (ends && !self.changes_session(index)).then_some(index);
        Ok(until)
    }

    /// Runs one statement that changes rows where a table may keep them at ROLLBACK: an intent before it, so
    /// that nobody runs it again who does not know what it did.
    pub(super) async fn row_alone(
        &mut self,
        index: usize,
        step: &Step,
        at: usize,
    ) -> Result<usize, ApplyError> {
        self.queue.note(Progress {
            step: index,
            next: at,
            open: Open::Unseen,
        });
        self.commit_ahead(index, at).await?;
        let mut parts = self.prelude();
        parts.push(Part::new(Role::Own, "START TRANSACTION"));
        parts.push(Part::new(Role::Work(at), step.script().statement(at)));
        let mut after = self.queue.clone();
        after.committed();
        after.note(Progress {
            step: index,
            next: at + 1,
            open: Open::Nothing,
        });
        parts.extend(after.parts(self.writer, self.steps()));
        parts.push(Part::new(Role::Own, "COMMIT"));
        let sent = send(self.conn, &parts).await;
        if sent.failure.is_some() {
            return Err(self.failed(sent, &parts, index, at).await);
        }
        self.queue = after;
        self.committed();
        Ok(at + 1)
    }

    /// A variable that is set between rows belongs to them: by itself it would commit what stands before it,
    /// and a failure behind it would leave a file that cannot go on.
    fn is_among_rows(&self, index: usize, step: &Step, at: usize) -> bool {
        match self.class(index, at) {
            Class::Dml => true,
            Class::Session => sets_user_variables(step.script().statement(at)),
            Class::AtomicDdl { .. }
            | Class::MultiObjectDdl { .. }
            | Class::Repeatable
            | Class::NotRepeatable
            | Class::Opaque => false,
        }
    }

    fn end_of_rows(&self, index: usize, step: &Step, from: usize) -> usize {
        let total = step.script().statements.len();
        let room = self.around.room.for_statements();
        // What the rest asks for is gone where the session dies at the boundary, and some of it where it lives: our
        // own statements stand there.
        let can_cut = |at| self.cuts.get(index).is_none_or(|cuts| cuts.is_sound(at));
        let mut last = None;
        let mut bytes = 0;
        let mut at = from;
        while at < total && self.is_among_rows(index, step, at) {
            // Two bytes stand between two statements.
            bytes += step.script().statement(at).len() + 2;
            if at > from {
                last = if can_cut(at) { Some(at) } else { last };
                let full = bytes > MESSAGE_BYTES.min(room) || at - from >= MESSAGE_STATEMENTS;
                if full && let Some(cut) = last {
                    return cut;
                }
                if bytes > room {
                    return at;
                }
            }
            at += 1;
        }
        at
    }
}

/// Requires that the server was still inside the transaction at the checkpoint.
fn still_open(sent: &Sent, checkpoint: usize, index: usize) -> Result<(), ApplyError> {
    let inside = sent
        .answers
        .get(checkpoint)
        .is_some_and(|answer| answer.status.contains(StatusFlags::SERVER_STATUS_IN_TRANS));
    if inside {
        return Ok(());
    }
    Err(ApplyError::SessionChanged {
        step: index,
        reason: "a statement that changes rows closed the transaction around it".to_owned(),
        state: StateAfter::Unknown,
    })
}
