//! The writes to our tables that have been decided and not been committed.
//!
//! They ride in the next message; what a later write of the same row overtakes is not sent at all.

use super::checkpoint::Open;
use super::wire::{Part, Role};
use super::writes::{Writer, guard};
use crate::plan::Step;

/// How far one step's row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// Index of the step in the unit.
    pub(super) step: usize,
    /// How many statements have run.
    pub(super) next: usize,
    /// Whether the one behind them has begun.
    pub(super) open: Open,
}

/// One write that has been decided.
#[derive(Clone, Debug)]
pub(super) enum Queued {
    /// The claim of the database.
    Claim(Part),
    /// A step begins or is taken up again.
    Begin(Progress),
    /// A step has come this far.
    Checkpoint(Progress),
    /// A step is done.
    Finish(usize),
    /// A step is as if it had never begun.
    GiveUp(usize),
}

/// The queue, in the order of the writes.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    waiting: Vec<Queued>,
    /// What the history is known to say of the newest step; spares writes that change nothing.
    written: Option<Progress>,
}

impl Queue {
    /// Decides a write.
    pub(super) fn push(&mut self, write: Queued) {
        self.waiting.push(write);
    }

    /// Notes how far a step is; nothing if the history says so already.
    pub(super) fn note(&mut self, progress: Progress) {
        match self.waiting.last_mut() {
            // An inserted row begins at statement 0.
            Some(Queued::Begin(last)) if last.step == progress.step && last.next == progress.next => {
                *last = progress;
            }
            Some(Queued::Checkpoint(last)) if last.step == progress.step => *last = progress,
            None if self.written.as_ref() == Some(&progress) => {}
            Some(_) | None => self.waiting.push(Queued::Checkpoint(progress)),
        }
    }

    /// Takes back a step of which nothing is in place; writes nothing if its row was never touched.
    pub(super) fn give_up(&mut self, index: usize, step: &Step) {
        let of_step = |write: &Queued| match write {
            Queued::Begin(progress) | Queued::Checkpoint(progress) => progress.step == index,
            Queued::Finish(step) | Queued::GiveUp(step) => *step == index,
            Queued::Claim(_) => false,
        };
        let begins = |write: &Queued| matches!(write, Queued::Begin(progress) if progress.step == index);
        let untouched = step.interrupted.is_none() && self.waiting.iter().any(begins);
        self.waiting.retain(|write| !of_step(write));
        if !untouched {
            self.waiting.push(Queued::GiveUp(index));
        }
    }

    /// Returns whether the claim still waits.
    pub(super) fn claims(&self) -> bool {
        self.waiting.iter().any(|write| matches!(write, Queued::Claim(_)))
    }

    /// Notes that everything that waited was committed.
    pub(super) fn committed(&mut self) {
        for write in self.waiting.drain(..) {
            match write {
                Queued::Begin(progress) | Queued::Checkpoint(progress) => self.written = Some(progress),
                Queued::Finish(_) | Queued::GiveUp(_) => self.written = None,
                Queued::Claim(_) => {}
            }
        }
    }

    /// Returns the statements, each write with its guard.
    pub(super) fn parts(&self, writer: Writer<'_>, steps: &[Step]) -> Vec<Part> {
        let mut parts = Vec::with_capacity(self.waiting.len() * 2);
        for write in &self.waiting {
            if let Some(part) = rendered(write, writer, steps) {
                parts.push(part);
                parts.push(guard());
            }
        }
        parts
    }

    /// Returns the statements in a transaction of their own; none if nothing waits.
    pub(super) fn transaction(&self, writer: Writer<'_>, steps: &[Step]) -> Vec<Part> {
        match self.waiting.as_slice() {
            [] => return Vec::new(),
            // One statement is a transaction by itself: files that change `autocommit` are refused.
            [_] => return self.parts(writer, steps),
            [_, _, ..] => {}
        }
        let mut parts = vec![Part::new(Role::Own, "START TRANSACTION")];
        parts.extend(self.parts(writer, steps));
        parts.push(Part::new(Role::Own, "COMMIT"));
        parts
    }
}

fn rendered(write: &Queued, writer: Writer<'_>, steps: &[Step]) -> Option<Part> {
    Some(match write {
        Queued::Claim(part) => part.clone(),
        Queued::Begin(at) => writer.begin(steps.get(at.step)?, at.next, &at.open),
        Queued::Checkpoint(at) => writer.checkpoint(steps.get(at.step)?, at.next, &at.open),
        Queued::Finish(step) => writer.finish(steps.get(*step)?),
        Queued::GiveUp(step) => writer.give_up(steps.get(*step)?),
    })
}
