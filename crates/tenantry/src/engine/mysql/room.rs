//! How long a message may be: a server closes the connection on one that is above its limit.

use super::apply::Worker;
use super::checkpoint::left;
use crate::engine::error::{ApplyError, StateAfter};

/// What is kept free beside the statements of a file, in bytes: intent, checkpoint, fence, and the questions
/// that ride in the same message.
const OURS: usize = 16 << 10;

/// How long a message may be, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    limit: usize,
}

impl Room {
    /// Reads the server's `max_allowed_packet`; one that it does not say is no limit.
    pub(super) fn from_text(limit: Option<&str>) -> Self {
        Self {
            limit: limit.and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX),
        }
    }

    /// Returns how many bytes of a file's statements fit in one message.
    pub(super) fn for_statements(self) -> usize {
        self.limit.saturating_sub(OURS)
    }
}

impl Worker<'_> {
    /// Refuses a unit with a statement that the server would not take, before anything of it is sent.
    pub(super) fn check_room(&self) -> Result<(), ApplyError> {
        let most = self.around.room.for_statements();
        for (index, step) in self.steps().iter().enumerate() {
            let script = step.script();
            let done = step.interrupted.as_ref().map_or(0, |row| row.next_stmt);
            let long = |at: &usize| script.statement(*at).len() > most;
            if let Some(statement) = (done..script.statements.len()).find(long) {
                return Err(ApplyError::TooLong {
                    step: index,
                    statement,
                    statements: script.statements.len(),
                    size: script.statement(statement).len(),
                    ours: OURS,
                    setting: "max_allowed_packet",
                    limit: self.around.room.limit,
                    state: step.interrupted.as_ref().map_or(StateAfter::RolledBack, left),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Room;

    #[test]
    fn a_limit_leaves_room_for_what_is_ours() {
        assert_eq!(
            Room::from_text(Some("1048576")).for_statements(),
            (1 << 20) - (16 << 10)
        );
        assert_eq!(Room::from_text(Some("1024")).for_statements(), 0);
        assert!(Room::from_text(None).for_statements() > 1 << 30);
    }
}
