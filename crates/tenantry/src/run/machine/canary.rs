//! Canaries that could not be tried: another target of their kind stands in, so that nothing begins untried.

use std::collections::{BTreeMap, BTreeSet};

use super::rules::Rule;
use super::spec::{Action, End, JobIndex, JobSpec};
use super::{Came, Machine};

/// So many stand in for canaries in a run, and nobody is left to hope for.
const STAND_INS_MAX: usize = 5;

/// The kinds of targets for which a canary has to go well before the rest begins.
#[derive(Debug)]
pub(super) struct Canaries {
    owed: BTreeSet<usize>,
    stand_ins: usize,
    /// The waves that those were in who stand in.
    pub(super) came_from: BTreeMap<JobIndex, usize>,
}

impl Canaries {
    pub(super) fn new(owed: &[usize]) -> Self {
        Self {
            owed: owed.iter().copied().collect(),
            stand_ins: 0,
            came_from: BTreeMap::new(),
        }
    }

    /// A target of a kind went well.
    pub(super) fn went_well(&mut self, kind: usize) {
        self.owed.remove(&kind);
    }

    /// Nothing of a kind can be tried: nothing of it can do harm either.
    fn give_up(&mut self, kind: usize) {
        self.owed.remove(&kind);
    }

    /// Returns a kind of which nothing has gone well yet; `None` if there is none.
    fn owed(&self) -> Option<usize> {
        self.owed.first().copied()
    }

    /// Counts another one that stands in; returns whether it may.
    fn stands_in(&mut self) -> bool {
        self.stand_ins += 1;
        self.stand_ins <= STAND_INS_MAX
    }
}

impl Machine {
    /// Lets another one go first of each kind whose canary could not be tried. Returns whether there is something to look at
    /// again.
    pub(super) fn is_stood_in_for(&mut self, actions: &mut Vec<Action>) -> bool {
        while let Some(kind) = self.canaries.owed() {
            let Some(job) = self.stand_in_of(kind) else {
                self.canaries.give_up(kind);
                continue;
            };
            let former = std::mem::replace(&mut self.jobs[job].wave, self.waves.current());
            self.canaries.came_from.insert(job, former);
            self.lanes[self.jobs[job].server].push(job);
            if !self.canaries.stands_in() {
                self.halt(End::Stopped(Rule::NoCanary), actions);
            }
            return true;
        }
        false
    }

    /// Brings a job of a kind forward that can be tried; `None` if there is none.
    fn stand_in_of(&mut self, kind: usize) -> Option<JobIndex> {
        let (jobs, ends, lanes) = (&self.jobs, &self.ends, &self.lanes);
        let fits = |job: JobIndex| {
            let spec: &JobSpec = &jobs[job];
            let waits = spec.after.is_some_and(|before| ends[before] != Some(Came::Well));
            let is_hopeless = spec.login.is_some_and(|login| self.logins.is_given_up(login));
            spec.kind == Some(kind) && !waits && !is_hopeless && !lanes[spec.server].is_given_up(self.now)
        };
        self.waves.bring_forward(fits)
    }
}
