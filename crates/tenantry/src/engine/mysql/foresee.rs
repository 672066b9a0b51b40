//! Fingerprints that are asked for ahead, in the message before the one that needs them.

use super::apply::{Worker, lost_or_refused};
use super::fingerprint;
use super::wire::{Part, Sent};
use crate::engine::error::ApplyError;
use crate::migration::mysql_class::{Class, Object};

/// The fingerprint of a statement that is about to run, asked for with the statement before it.
#[derive(Debug)]
pub(super) struct Foreseen {
    step: usize,
    statement: usize,
    fingerprint: String,
}

impl Worker<'_> {
    /// Returns how a statement's objects look before it.
    pub(super) async fn fingerprint(
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
    pub(super) fn foresee(&self, step: usize, statement: usize) -> Option<Part> {
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
    pub(super) fn remember(&mut self, step: usize, statement: usize, sent: &Sent, parts: usize) {
        let Some((step, statement, _)) = self.next_object(step, statement) else {
            return;
        };
        self.foreseen = Some(Foreseen {
            step,
            statement,
            fingerprint: fingerprint::of_rows(sent.rows(parts.saturating_sub(1))),
        });
    }
}
