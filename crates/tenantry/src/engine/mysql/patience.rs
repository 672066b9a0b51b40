//! Our own writes that wait for whoever keeps our tables locked: without them somebody would have to ask a person.

use std::time::{Duration, Instant};

use mysql_async::Error;

use super::apply::{Ddl, Worker};
use super::checkpoint::Open;
use super::error::class_of;
use super::queue::Progress;
use super::wire::{Part, Role, Sent, send};
use crate::engine::error::{ApplyError, LOCK_TIMEOUT};
use crate::engine::poll::pause;
use crate::migration::mysql_class::Reading;

impl Worker<'_> {
    /// Returns whether nobody but this session could go on behind a statement that changes objects: its effect leaves
    /// nothing to look at, or what the file kept in the session goes with it.
    pub(super) fn is_ours_to_tell(&self, index: usize, at: usize, open: &Open) -> bool {
        *open == Open::Unseen || self.around.ddl == Ddl::Divisible || self.misses_anything(index, at + 1)
    }

    /// Returns whether a new session could not go on behind the first `done` statements.
    fn misses_anything(&self, index: usize, done: usize) -> bool {
        let misses = |reading: &Reading| reading.misses_anything(done);
        done > 0 && self.reading(index).is_some_and(misses)
    }

    /// Returns what a step keeps in its session, read the first time that somebody asks.
    fn reading(&self, index: usize) -> Option<&Reading> {
        let step = self.steps().get(index)?;
        let kept = self.readings.get(index)?;
        Some(kept.get_or_init(|| Reading::of(step.script())))
    }

    /// Writes at once that the first `next` statements of a step are in place.
    pub(super) async fn keep(&mut self, index: usize, next: usize) -> Result<(), ApplyError> {
        self.queue.note(Progress {
            step: index,
            next,
            open: Open::Nothing,
        });
        self.commit_waiting(index).await
    }

    /// Commits what waits before a statement that only this session can go on with: a lock that the statement's own
    /// message met would end the session.
    pub(super) async fn commit_ahead(&mut self, index: usize, at: usize) -> Result<(), ApplyError> {
        if self.in_transaction || !self.misses_anything(index, at) {
            return Ok(());
        }
        self.commit_waiting(index).await
    }

    /// Commits what waits. Somebody's lock on our tables is waited for until the window ends; not where rows of the
    /// migration would have to be kept locked for so long.
    pub(super) async fn commit_waiting(&mut self, index: usize) -> Result<(), ApplyError> {
        let parts = self.prelude();
        if parts.is_empty() {
            return Ok(());
        }
        let sent = self.patiently(&parts).await;
        self.accept(&sent, &parts, index).await
    }

    /// Sends a message of our own writes, and sends it again where they meet a lock.
    async fn patiently(&mut self, parts: &[Part]) -> Sent {
        let (begun, window) = (Instant::now(), self.around.lock_window);
        let mut sent = send(self.conn, parts).await;
        while let Some(from) = self.goes_on_at(&sent, parts)
            && begun.elapsed() < window
        {
            // What was written in the transaction is gone where its COMMIT was refused, and goes where a write was.
            let rolled_back = send(self.conn, &[Part::new(Role::Own, "ROLLBACK")]).await;
            if rolled_back.failure.is_some() {
                return sent;
            }
            pause(
                window
                    .saturating_sub(begun.elapsed())
                    .max(Duration::from_millis(1)),
            )
            .await;
            sent.answers.truncate(from);
            let again = send(self.conn, parts.get(from..).unwrap_or_default()).await;
            sent.answers.extend(again.answers);
            sent.failure = again.failure;
        }
        sent
    }

    /// Returns the part that a message is sent again from: never one in the middle of a transaction, nor the COMMIT of what
    /// a statement left open. `None` if it is not sent again.
    fn goes_on_at(&self, sent: &Sent, parts: &[Part]) -> Option<usize> {
        let Some(Error::Server(error)) = &sent.failure else {
            return None;
        };
        let at = sent.answers.len();
        if self.in_transaction || class_of(error.code) != LOCK_TIMEOUT || at < self.settling().len() {
            return None;
        }
        let before = parts.get(..at)?;
        let edge = before.iter().rposition(|part| part.begins() || part.commits());
        match edge {
            Some(edge) if before.get(edge).is_some_and(Part::begins) => Some(edge),
            Some(_) | None => Some(at),
        }
    }
}
