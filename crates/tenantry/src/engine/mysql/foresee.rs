//! Fingerprints that are asked for ahead, in the message before the one that needs them.

use super::apply::{Worker, lost_or_refused};
use super::fingerprint::{self, Fingerprints};
use super::wire::{Part, Sent};
use crate::engine::error::ApplyError;
use crate::migration::mysql_class::{Class, Object};

/// The fingerprint of a statement that is about to run, asked for with the statement before it.
#[derive(Debug)]
pub(super) struct Foreseen {
    step: usize,
    statement: usize,
    fingerprints: Fingerprints,
}

impl Worker<'_> {
    /// Returns how a statement's objects look before it.
    pub(super) async fn fingerprint(
        &mut self,
        step: usize,
        statement: usize,
        objects: &[Object],
    ) -> Result<Fingerprints, ApplyError> {
        if let Some(foreseen) = self.foreseen.take()
            && (foreseen.step, foreseen.statement) == (step, statement)
        {
            return Ok(foreseen.fingerprints);
        }
        fingerprint::of_objects(self.conn, self.writer.names, objects)
            .await
            .map_err(lost_or_refused)
    }

    /// The questions for the object of the statement that comes next; none unless it has just one, and its
    /// session will be as it is now.
    pub(super) fn foresee(&self, step: usize, statement: usize) -> Vec<Part> {
        match self.next_object(step, statement) {
            Some((_, _, object)) => vec![fingerprint::look(), fingerprint::probe(self.writer.names, object)],
            None => Vec::new(),
        }
    }

    fn next_object(&self, step: usize, statement: usize) -> Option<(usize, usize, &Object)> {
        let here = self.classes.get(step)?;
        let (step, statement) = if statement < here.len() {
            (step, statement)
        } else if self.changes_session(step) {
            // What the file has set, and its temporary tables, are taken away between the two.
            return None;
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

    /// Keeps the answers to [`Self::foresee`], which were the message's last parts.
    pub(super) fn remember(&mut self, step: usize, statement: usize, sent: &Sent, parts: usize) {
        let Some((step, statement, _)) = self.next_object(step, statement) else {
            return;
        };
        self.foreseen = Some(Foreseen {
            step,
            statement,
            fingerprints: Fingerprints::of_one(
                sent.rows(parts.saturating_sub(2)),
                sent.rows(parts.saturating_sub(1)),
            ),
        });
    }
}
