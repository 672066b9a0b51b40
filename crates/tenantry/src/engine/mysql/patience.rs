//! Messages that meet somebody's lock on our tables: they wait where nobody waits for them.

use std::time::{Duration, Instant};

use mysql_async::Error;

use super::apply::Worker;
use super::wire::{Part, Role, Sent, send};
use crate::engine::error::LOCK_TIMEOUT;
use crate::engine::poll::pause;

impl Worker<'_> {
    /// Sends a message. Where a part of ours meets a lock, it and what follows it is sent again until the window ends:
    /// what ran before it is there, and its session alone knows that for certain. Not where rows of the migration wait
    /// for their COMMIT, which others may wait for.
    pub(super) async fn exchange(&mut self, parts: &[Part]) -> Sent {
        let (begun, window) = (Instant::now(), self.around.lock_window);
        let mut sent = send(self.conn, parts).await;
        while self.may_wait(&sent, parts) && begun.elapsed() < window {
            pause(
                window
                    .saturating_sub(begun.elapsed())
                    .max(Duration::from_millis(1)),
            )
            .await;
            let rest = parts.get(sent.answers.len()..).unwrap_or_default();
            let again = send(self.conn, rest).await;
            sent.answers.extend(again.answers);
            sent.failure = again.failure;
        }
        sent
    }

    fn may_wait(&self, sent: &Sent, parts: &[Part]) -> bool {
        let Some(Error::Server(error)) = &sent.failure else {
            return false;
        };
        let done = sent.answers.len();
        let committed = parts.iter().take(done).any(Part::is_commit);
        let is_ours = parts
            .get(done)
            .is_some_and(|part| !matches!(part.role, Role::Work(_)));
        super::error::class_of(error.code) == LOCK_TIMEOUT && is_ours && (committed || !self.in_transaction)
    }
}
