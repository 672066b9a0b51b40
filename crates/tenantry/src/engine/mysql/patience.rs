//! Messages that meet somebody's lock on our tables while a statement has run that only their session knows of.

use std::time::{Duration, Instant};

use mysql_async::Error;

use super::apply::Worker;
use super::error::class_of;
use super::wire::{Part, Role, Sent, send};
use crate::engine::error::LOCK_TIMEOUT;
use crate::engine::poll::pause;

impl Worker<'_> {
    /// Sends a message. Behind a statement whose effect leaves nothing to look at, its writes to our tables are sent again
    /// until the window ends if they meet a lock: another session could not tell that the statement has ended. Everything
    /// else fails at once, and is tried again by whoever plans anew.
    pub(super) async fn exchange(&mut self, parts: &[Part]) -> Sent {
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

    /// Returns the part that a message is sent again from: never one in the middle of a transaction, and none of the
    /// migration's own, nor the COMMIT of what a statement of it left open. `None` if it is not sent again.
    fn goes_on_at(&self, sent: &Sent, parts: &[Part]) -> Option<usize> {
        let Some(Error::Server(error)) = &sent.failure else {
            return None;
        };
        let at = sent.answers.len();
        let before = parts.get(..at)?;
        let is_work = |part: &Part| matches!(part.role, Role::Work(_));
        // Rows that wait for their COMMIT would go with the rest.
        if !self.unheard
            || self.in_transaction
            || class_of(error.code) != LOCK_TIMEOUT
            || at < self.settling().len()
            || before.iter().chain(parts.get(at)).any(is_work)
        {
            return None;
        }
        let edge = before.iter().rposition(|part| part.begins() || part.commits());
        match edge {
            Some(edge) if before.get(edge).is_some_and(Part::begins) => Some(edge),
            Some(_) | None => Some(at),
        }
    }
}
