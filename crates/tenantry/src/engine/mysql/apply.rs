//! Carries a unit out statement by statement, so that it can be taken up again wherever it is cut off.
//!
//! Rows and their checkpoint share a transaction. Before a statement that changes objects an intent is
//! committed: which statement, and how its objects look. The lock proves that whoever wrote an intent is
//! gone; comparing the objects then tells whether the statement took effect.

use mysql_async::Conn;
use mysql_async::consts::StatusFlags;

use super::fingerprint;
use super::mark::Open;
use super::queue::{Progress, Queue, Queued};
use super::tables::text;
use super::wire::{Part, Role, Sent, send};
use super::writes::Writer;
use crate::direction::Direction;
use crate::engine::error::ApplyError;
use crate::engine::session::Recorded;
use crate::history::Phase;
use crate::migration::mysql_class::{Class, Object, classify};
use crate::plan::Step;

/// A message of rows is closed behind this many bytes or statements; the checkpoint follows it.
const MESSAGE_BYTES: usize = 1 << 20;
const MESSAGE_STATEMENTS: usize = 500;

/// The fingerprint of a statement that is about to run, asked for with the statement before it.
#[derive(Debug)]
struct Foreseen {
    step: usize,
    statement: usize,
    fingerprint: String,
}

/// What a server that dies inside one DDL statement leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ddl {
    /// All of the statement or nothing: MySQL 8.0 and MariaDB 10.6 ("Atomic Data Definition Statement
    /// Support", "Atomic DDL").
    Atomic,
    /// Anything.
    Divisible,
}

/// Carries one unit out on one connection.
#[derive(Debug)]
pub(super) struct Worker<'a> {
    /// The connection, which holds the lock.
    pub(super) conn: &'a mut Conn,
    /// Writes the rows.
    pub(super) writer: Writer<'a>,
    /// How the server treats one DDL statement.
    pub(super) ddl: Ddl,
    /// What sets the session back to how we opened it.
    pub(super) reset: &'a [Part],
    /// What waits to be committed.
    pub(super) queue: Queue,
    /// Whether rows of the migration wait for their COMMIT.
    pub(super) in_transaction: bool,
    /// The classes of every step's statements.
    pub(super) classes: Vec<Vec<Class>>,
    foreseen: Option<Foreseen>,
    /// The step whose end already waits in the queue.
    finished: Option<usize>,
    read_back: Option<Sent>,
}

impl<'a> Worker<'a> {
    /// Prepares a unit; `queue` may hold a claim.
    pub(super) fn new(
        conn: &'a mut Conn,
        writer: Writer<'a>,
        reset: &'a [Part],
        ddl: Ddl,
        queue: Queue,
    ) -> Self {
        let classes = writer.unit.steps.iter().map(classes_of).collect();
        Self {
            conn,
            writer,
            ddl,
            reset,
            queue,
            in_transaction: false,
            classes,
            foreseen: None,
            finished: None,
            read_back: None,
        }
    }

    /// Carries the unit out and reads its rows back.
    pub(super) async fn run(&mut self) -> Result<Vec<Recorded>, ApplyError> {
        let began = std::time::Instant::now();
        for step in 0..self.steps().len() {
            self.step(step).await?;
        }
        let sent = match self.read_back.take() {
            Some(sent) => sent,
            None => self.close().await?,
        };
        self.recorded(&sent, began.elapsed())
    }

    /// Returns the unit's steps.
    pub(super) fn steps(&self) -> &'a [Step] {
        &self.writer.unit.steps
    }

    /// Returns the class of a statement; opaque if there is none.
    pub(super) fn class(&self, step: usize, statement: usize) -> &Class {
        self.classes
            .get(step)
            .and_then(|classes| classes.get(statement))
            .unwrap_or(&Class::Opaque)
    }

    async fn step(&mut self, index: usize) -> Result<(), ApplyError> {
        let Some(step) = self.steps().get(index) else {
            return Ok(());
        };
        let total = step.script().statements.len();
        let mut at = self.take_up(index, step).await?;
        while at < total {
            at = match self.class(index, at).clone() {
                Class::Dml => self.rows(index, step, at).await?,
                Class::AtomicDdl { objects } | Class::MultiObjectDdl { objects } => {
                    self.objects(index, step, at, &objects).await?
                }
                Class::Session => self.alone(index, step, at, None).await?,
                Class::Repeatable => self.alone(index, step, at, Some(Open::Nothing)).await?,
                Class::NotRepeatable | Class::Opaque => {
                    self.alone(index, step, at, Some(Open::Unseen)).await?
                }
            };
        }
        if self.read_back.is_some() {
            return Ok(());
        }
        if self.changes_session(index) {
            let mut parts = self.prelude();
            parts.extend_from_slice(self.reset);
            let sent = send(self.conn, &parts).await;
            self.accept(&sent, &parts, index).await?;
        }
        if self.finished != Some(index) {
            self.queue.push(Queued::Finish(index));
        }
        Ok(())
    }

    fn changes_session(&self, step: usize) -> bool {
        self.classes
            .get(step)
            .is_some_and(|classes| classes.contains(&Class::Session))
    }

    /// Returns what must be committed before the next statement may run.
    pub(super) fn prelude(&self) -> Vec<Part> {
        if !self.in_transaction {
            return self.queue.transaction(self.writer, self.steps());
        }
        let mut parts = self.queue.parts(self.writer, self.steps());
        parts.push(Part::new(Role::Own, "COMMIT"));
        parts
    }

    /// Notes that the prelude was committed.
    pub(super) fn committed(&mut self) {
        self.queue.committed();
        self.in_transaction = false;
    }

    /// Runs statements that change rows, and their checkpoint, in one transaction that stays open.
    async fn rows(&mut self, index: usize, step: &Step, from: usize) -> Result<usize, ApplyError> {
        if self.in_transaction {
            let parts = self.prelude();
            let sent = send(self.conn, &parts).await;
            self.accept(&sent, &parts, index).await?;
        }
        let until = self.end_of_rows(index, step, from);
        let mut parts = vec![Part::new(Role::Own, "START TRANSACTION")];
        parts.extend(self.queue.parts(self.writer, self.steps()));
        for at in from..until {
            parts.push(Part::new(Role::Work(at), step.script().statement(at)));
        }
        let mut after = self.queue.clone();
        after.committed();
        // A session that the file has changed is set back before its row says that it is done.
        let ends = until == step.script().statements.len() && !self.changes_session(index);
        if ends {
            after.push(Queued::Finish(index));
        } else {
            after.note(Progress {
                step: index,
                next: until,
                open: Open::Nothing,
            });
        }
        parts.extend(after.parts(self.writer, self.steps()));
        let checkpoint = parts.len().saturating_sub(2);
        parts.extend(self.foresee(index, until));
        let sent = send(self.conn, &parts).await;
        if sent.failure.is_some() {
            return Err(self.failed(sent, &parts, index, from).await);
        }
        let still_open = sent
            .answers
            .get(checkpoint)
            .is_some_and(|answer| answer.status.contains(StatusFlags::SERVER_STATUS_IN_TRANS));
        if !still_open {
            return Err(ApplyError::SessionChanged {
                step: index,
                reason: "a statement that changes rows closed the transaction around it".to_owned(),
            });
        }
        after.committed();
        self.queue = after;
        self.in_transaction = true;
        self.finished = ends.then_some(index);
        self.remember(index, until, &sent, parts.len());
        Ok(until)
    }

    fn end_of_rows(&self, index: usize, step: &Step, from: usize) -> usize {
        let total = step.script().statements.len();
        let mut bytes = 0;
        let mut at = from;
        while at < total && *self.class(index, at) == Class::Dml {
            bytes += step.script().statement(at).len();
            if at > from && (bytes > MESSAGE_BYTES || at - from >= MESSAGE_STATEMENTS) {
                break;
            }
            at += 1;
        }
        at
    }

    /// Runs one statement that changes objects: intent, statement, and what can ride behind it.
    async fn objects(
        &mut self,
        index: usize,
        step: &Step,
        at: usize,
        objects: &[Object],
    ) -> Result<usize, ApplyError> {
        let before = self.fingerprint(index, at, objects).await?;
        self.queue.note(Progress {
            step: index,
            next: at,
            open: Open::seen(before),
        });
        let mut parts = self.prelude();
        parts.push(Part::new(Role::Work(at), step.script().statement(at)));
        let closing = self.closes(index, at);
        if closing {
            let mut last = Queue::default();
            last.push(Queued::Finish(index));
            parts.extend(last.transaction(self.writer, self.steps()));
            parts.push(self.writer.read_back());
        } else {
            parts.extend(self.foresee(index, at + 1));
        }
        let sent = send(self.conn, &parts).await;
        if sent.failure.is_some() {
            return Err(self.failed(sent, &parts, index, at).await);
        }
        self.committed();
        if closing {
            self.read_back = Some(sent);
        } else {
            self.remember(index, at + 1, &sent, parts.len());
            self.after(index, step, at + 1);
        }
        Ok(at + 1)
    }

    /// Runs one statement by itself; `open` is the intent it needs, if it needs one.
    async fn alone(
        &mut self,
        index: usize,
        step: &Step,
        at: usize,
        open: Option<Open>,
    ) -> Result<usize, ApplyError> {
        if let Some(open) = open {
            self.queue.note(Progress {
                step: index,
                next: at,
                open,
            });
        }
        let parts = self.prelude();
        if !parts.is_empty() {
            let sent = send(self.conn, &parts).await;
            self.accept(&sent, &parts, index).await?;
        }
        // It may give any number of results, so nothing shares its message.
        let parts = [Part::new(Role::Work(at), step.script().statement(at))];
        let sent = send(self.conn, &parts).await;
        if sent.failure.is_some() {
            return Err(self.failed(sent, &parts, index, at).await);
        }
        self.after(index, step, at + 1);
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

    async fn fingerprint(
        &mut self,
        step: usize,
        statement: usize,
        objects: &[Object],
    ) -> Result<String, ApplyError> {
        if let Some(foreseen) = self.foreseen.take()
            && (foreseen.step, foreseen.statement) == (step, statement)
        {
            return Ok(foreseen.fingerprint);
        }
        fingerprint::of_objects(self.conn, self.writer.names, objects)
            .await
            .map_err(lost_or_refused)
    }

    /// The question for the object of the statement that comes next, if it has just one.
    fn foresee(&self, step: usize, statement: usize) -> Option<Part> {
        let (_, _, object) = self.next_object(step, statement)?;
        Some(fingerprint::probe(self.writer.names, object))
    }

    fn next_object(&self, step: usize, statement: usize) -> Option<(usize, usize, &Object)> {
        let here = self.classes.get(step)?;
        let (step, statement) = if statement < here.len() {
            (step, statement)
        } else {
            (step + 1, 0)
        };
        if statement == 0 && self.steps().get(step)?.interrupted.is_some() {
            return None;
        }
        let Class::AtomicDdl { objects } = self.classes.get(step)?.get(statement)? else {
            return None;
        };
        match objects.as_slice() {
            [object] => Some((step, statement, object)),
            _ => None,
        }
    }

    /// Keeps the answer to [`Self::foresee`], which was the message's last part.
    fn remember(&mut self, step: usize, statement: usize, sent: &Sent, parts: usize) {
        let Some((step, statement, _)) = self.next_object(step, statement) else {
            return;
        };
        self.foreseen = Some(Foreseen {
            step,
            statement,
            fingerprint: fingerprint::of_rows(sent.rows(parts.saturating_sub(1))),
        });
    }

    /// Commits what waits and reads the unit's rows back.
    async fn close(&mut self) -> Result<Sent, ApplyError> {
        let mut parts = self.prelude();
        parts.push(self.writer.read_back());
        let sent = send(self.conn, &parts).await;
        let last = self.steps().len().saturating_sub(1);
        self.accept(&sent, &parts, last).await?;
        Ok(sent)
    }

    fn recorded(&self, sent: &Sent, took: std::time::Duration) -> Result<Vec<Recorded>, ApplyError> {
        let rows = sent.answers.last().map_or(&[][..], |answer| &answer.rows);
        let mut recorded = Vec::with_capacity(self.steps().len());
        for step in self.steps() {
            let version = step.migration.version;
            let row = rows
                .iter()
                .find(|row| text(row, 0).as_deref() == Some(version.to_string().as_str()));
            let is_last = self
                .steps()
                .iter()
                .rfind(|other| other.migration.version == version)
                .is_some_and(|other| std::ptr::eq(other, step));
            let duration_ms = match (step.direction, row) {
                (Direction::Up, Some(row))
                    if text(row, 1).as_deref() == Some(Phase::Done.as_str())
                        && text(row, 2).as_deref() == Some(self.writer.unit.attempt_id.as_str()) =>
                {
                    text(row, 3).and_then(|ms| ms.parse().ok()).unwrap_or_default()
                }
                (Direction::Down, None) => u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                // A revert that is followed by applying the same migration again.
                (Direction::Down, Some(_)) if !is_last => 0,
                (Direction::Up | Direction::Down, _) => return Err(ApplyError::NotReadBack),
            };
            recorded.push(Recorded { version, duration_ms });
        }
        Ok(recorded)
    }
}

/// Wraps the error of a question of ours.
pub(super) fn lost_or_refused(source: crate::engine::error::SessionError) -> ApplyError {
    ApplyError::Session {
        commit_sent: true,
        source,
    }
}

fn classes_of(step: &Step) -> Vec<Class> {
    let script = step.script();
    (0..script.statements.len())
        .map(|index| classify(script.statement(index)))
        .collect()
}
