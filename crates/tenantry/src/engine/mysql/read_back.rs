//! The end of a unit: only what is read back from the history counts.

use super::apply::Worker;
use super::tables::text;
use super::wire::{Sent, send};
use crate::direction::Direction;
use crate::engine::error::ApplyError;
use crate::engine::session::Recorded;
use crate::faults::{Point, point};
use crate::history::Phase;

impl Worker<'_> {
    /// Commits what waits and reads the unit's rows back.
    pub(super) async fn close(&mut self) -> Result<Sent, ApplyError> {
        let mut parts = self.prelude();
        parts.push(self.writer.read_back());
        let sent = send(self.conn, &parts).await;
        let last = self.steps().len().saturating_sub(1);
        self.accept(&sent, &parts, last).await?;
        point(Point::MysqlUnitClosed);
        Ok(sent)
    }

    /// Returns what the answer to the question for the unit's rows says.
    pub(super) fn recorded(
        &self,
        sent: &Sent,
        took: std::time::Duration,
    ) -> Result<Vec<Recorded>, ApplyError> {
        let rows = sent.answers.last().map_or(&[][..], |answer| &answer.rows);
        let mut recorded = Vec::with_capacity(self.steps().len());
        for (index, step) in self.steps().iter().enumerate() {
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
            recorded.push(Recorded {
                version,
                duration_ms,
                taken_up: self.taken_up.get(&index).copied(),
            });
        }
        Ok(recorded)
    }
}
