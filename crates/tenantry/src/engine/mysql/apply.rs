//! Carries a unit out statement by statement, so that it can be taken up again wherever it is cut off.
//!
//! Rows and their checkpoint share a transaction. Before a statement that changes objects an intent is
//! committed: which statement, and how its objects look. The lock proves that whoever wrote an intent is
//! gone; comparing the objects then tells whether the statement took effect. Where a table cannot roll back,
//! rows get an intent too, and nothing tells afterwards.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use mysql_async::Conn;

use super::checkpoint::Open;
use super::clean;
use super::engines::Engines;
use super::fingerprint::Fingerprints;
use super::foresee::Foreseen;
use super::queue::{Queue, Queued};
use super::room::Room;
use super::wire::{Part, Role, Sent};
use super::writes::Writer;
use crate::engine::error::ApplyError;
use crate::engine::session::{Recorded, TakenUp};
use crate::faults::{Point, point};
use crate::migration::mysql_class::{Class, Cuts, Reading, classify};
use crate::plan::Step;

/// What a server that dies inside one DDL statement leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ddl {
    /// All of the statement or nothing: MySQL 8.0 and MariaDB 10.6 ("Atomic Data Definition Statement
    /// Support", "Atomic DDL").
    Atomic,
    /// Anything.
    Divisible,
}

/// What a unit needs to know of its session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around<'a> {
    /// How the server treats one DDL statement.
    pub(super) ddl: Ddl,
    /// How long a message it takes.
    pub(super) room: Room,
    /// How long to go on trying to write to our tables.
    pub(super) lock_window: Duration,
    /// What sets the session back to how we opened it.
    pub(super) reset: &'a [Part],
    /// Whether we asked the server to stop a statement.
    pub(super) cancel_asked: &'a AtomicBool,
    /// What the tables are kept in, as far as it is known.
    pub(super) engines: Engines,
}

/// Carries one unit out on one connection.
#[derive(Debug)]
pub(super) struct Worker<'a> {
    /// The connection, which holds the lock.
    pub(super) conn: &'a mut Conn,
    /// Writes the rows.
    pub(super) writer: Writer<'a>,
    /// What it needs to know of its session.
    pub(super) around: Around<'a>,
    /// What waits to be committed.
    pub(super) queue: Queue,
    /// Whether rows of the migration wait for their COMMIT.
    pub(super) in_transaction: bool,
    /// Whether a statement ran that may have left a transaction open or changed `autocommit`.
    pub(super) unsettled: bool,
    /// The classes of every step's statements.
    pub(super) classes: Vec<Vec<Class>>,
    /// How the objects of the newest statement looked before it.
    pub(super) before: Option<Fingerprints>,
    /// Where the rows of every step can be cut.
    pub(super) cuts: Vec<Cuts>,
    /// What every step keeps in its session, where it was asked for.
    pub(super) readings: Vec<OnceLock<Reading>>,
    /// The fingerprint that was asked for ahead.
    pub(super) foreseen: Option<Foreseen>,
    /// The step whose end already waits in the queue.
    pub(super) finished: Option<usize>,
    /// What the tables are kept in by now.
    pub(super) engines: Engines,
    /// The answer to the question for the unit's rows, if it rode with the last statement.
    pub(super) read_back: Option<Sent>,
    /// How those steps were taken up that were found half-way.
    pub(super) taken_up: BTreeMap<usize, TakenUp>,
}

impl<'a> Worker<'a> {
    /// Prepares a unit; `queue` may hold a claim.
    pub(super) fn new(conn: &'a mut Conn, writer: Writer<'a>, around: Around<'a>, queue: Queue) -> Self {
        let steps = writer.unit.steps.iter();
        let classes = steps.clone().map(classes_of).collect();
        let cuts = steps.clone().map(|step| Cuts::of(step.script())).collect();
        let readings = steps.map(|_| OnceLock::new()).collect();
        Self {
            conn,
            writer,
            around,
            queue,
            in_transaction: false,
            unsettled: false,
            classes,
            before: None,
            cuts,
            readings,
            foreseen: None,
            finished: None,
            engines: around.engines,
            read_back: None,
            taken_up: BTreeMap::new(),
        }
    }

    /// Carries the unit out and reads its rows back.
    pub(super) async fn run(&mut self) -> Result<Vec<Recorded>, ApplyError> {
        self.check_room()?;
        let began = std::time::Instant::now();
        for step in 0..self.steps().len() {
            self.step(step).await?;
        }
        let sent = match self.read_back.take() {
            Some(sent) => sent,
            None => self.close().await?,
        };
        let recorded = self.recorded(&sent, began.elapsed())?;
        point(Point::MysqlReadBack);
        Ok(recorded)
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
            let (ran, class) = (at, self.class(index, at).clone());
            at = match &class {
                Class::Dml if self.rolls_back().await? => self.rows(index, step, at).await?,
                Class::Dml => self.row_alone(index, step, at).await?,
                Class::AtomicDdl { objects } | Class::MultiObjectDdl { objects } => {
                    self.objects(index, step, at, objects).await?
                }
                Class::Session => self.alone(index, step, at, None).await?,
                Class::Repeatable => self.alone(index, step, at, Some(Open::Nothing)).await?,
                Class::NotRepeatable | Class::Opaque => {
                    self.alone(index, step, at, Some(Open::Unseen)).await?
                }
            };
            self.engines.note(&class, step.script().statement(ran));
        }
        if self.read_back.is_some() {
            return Ok(());
        }
        if self.changes_session(index) {
            self.clean_up(index, step).await?;
        }
        if self.finished != Some(index) {
            self.queue.push(Queued::Finish(index));
        }
        Ok(())
    }

    /// Returns whether a step may leave something in the session that must be taken away behind it.
    pub(super) fn changes_session(&self, step: usize) -> bool {
        self.classes
            .get(step)
            .is_some_and(|classes| clean::may_leave_traces(classes))
    }

    /// Returns what must be committed before the next statement may run.
    pub(super) fn prelude(&self) -> Vec<Part> {
        if !self.in_transaction {
            let mut parts = self.settling();
            parts.extend(self.queue.transaction(self.writer, self.steps()));
            return parts;
        }
        let mut parts = self.queue.parts(self.writer, self.steps());
        parts.push(Part::new(Role::Own, "COMMIT"));
        parts
    }

    /// Returns what commits whatever the last statement left open, before anything of ours is written: a
    /// write inside its transaction would be gone with the session.
    pub(super) fn settling(&self) -> Vec<Part> {
        if self.unsettled {
            clean::commit_rest()
        } else {
            Vec::new()
        }
    }

    /// Notes that the prelude was committed.
    pub(super) fn committed(&mut self) {
        self.queue.committed();
        self.in_transaction = false;
        self.unsettled = false;
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
