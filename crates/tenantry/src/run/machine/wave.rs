//! The waves of a run: which one it is in, and what comes behind it.

use std::time::Duration;

use super::rules::Rule;
use super::spec::{Care, JobIndex, JobSpec, WaveSpec};

/// The waves of a run.
#[derive(Debug)]
pub(super) struct Waves {
    all: Vec<Wave>,
    current: usize,
    unsettled: usize,
    /// Until when nothing begins; `None` while a wave is worked on.
    soaks_until: Option<Duration>,
}

#[derive(Debug)]
struct Wave {
    spec: WaveSpec,
    /// Its jobs, the longest first, until it begins.
    jobs: Vec<JobIndex>,
    unsettled: usize,
    failed: usize,
    /// Whether it has begun and its end was not told.
    has_begun: bool,
    /// Whether something was done or tried in it, so that there is something to look at behind it.
    is_worked_on: bool,
}

/// What comes behind a wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing yet.
    Soaks,
    /// A person.
    Gate,
    /// Another wave.
    Next,
    /// The end.
    Over,
}

impl Waves {
    /// Arranges jobs in waves. The run is in `current`; for how long nothing begins behind that one is `soak`, if it has
    /// ended.
    pub(super) fn new(
        specs: Vec<WaveSpec>,
        (current, soak): (usize, Option<Duration>),
        jobs: &[JobSpec],
    ) -> Self {
        let wave = |spec: WaveSpec| Wave {
            failed: spec.failed_before,
            is_worked_on: spec.was_worked_on,
            spec,
            jobs: Vec::new(),
            unsettled: 0,
            has_begun: false,
        };
        let mut waves: Vec<Wave> = specs.into_iter().map(wave).collect();
        if waves.is_empty() {
            waves.push(wave(WaveSpec::default()));
        }
        let last = waves.len() - 1;
        for (index, job) in jobs.iter().enumerate() {
            let wave = &mut waves[job.wave];
            wave.jobs.push(index);
            wave.unsettled += 1;
        }
        for wave in &mut waves {
            wave.jobs
                .sort_by_key(|job| std::cmp::Reverse(jobs[*job].expected_ms));
        }
        Self {
            all: waves,
            current: current.min(last),
            unsettled: jobs.len(),
            soaks_until: soak,
        }
    }

    pub(super) fn current(&self) -> usize {
        self.current
    }

    /// Takes the jobs of the wave that begins.
    pub(super) fn take_jobs(&mut self) -> Vec<JobIndex> {
        let wave = &mut self.all[self.current];
        wave.has_begun |= wave.is_worked_on || !wave.jobs.is_empty();
        std::mem::take(&mut wave.jobs)
    }

    /// Notes that a wave's end is told; returns whether there is one to tell.
    pub(super) fn end(&mut self, wave: usize) -> bool {
        std::mem::take(&mut self.all[wave].has_begun)
    }

    /// Takes the jobs of waves that have not begun.
    pub(super) fn take_rest(&mut self) -> Vec<JobIndex> {
        self.all
            .iter_mut()
            .flat_map(|wave| std::mem::take(&mut wave.jobs))
            .collect()
    }

    /// Returns whether the present wave stands for all others.
    pub(super) fn is_canary(&self) -> bool {
        self.all[self.current].spec.care == Care::Canary
    }

    /// Takes the first job of the waves behind the present one that a condition holds for into the present one; `None` if
    /// there is none.
    pub(super) fn bring_forward(&mut self, fits: impl Fn(JobIndex) -> bool) -> Option<JobIndex> {
        let mut behind = self.all.iter().enumerate().skip(self.current + 1);
        let (wave, at) =
            behind.find_map(|(number, wave)| Some((number, wave.jobs.iter().position(|job| fits(*job))?)))?;
        let job = self.all[wave].jobs.remove(at);
        self.all[wave].unsettled -= 1;
        self.all[self.current].unsettled += 1;
        Some(job)
    }

    /// A job of a wave has ended.
    pub(super) fn settled(&mut self, wave: usize) {
        self.unsettled -= 1;
        self.all[wave].unsettled -= 1;
    }

    /// Something was done or tried in a wave.
    pub(super) fn worked_on(&mut self, wave: usize) {
        self.all[wave].is_worked_on = true;
    }

    /// A job of the present wave has failed.
    pub(super) fn failed(&mut self) {
        self.all[self.current].failed += 1;
    }

    /// Returns the rule that a wave breaks; `None` if it does not.
    pub(super) fn broken(&self) -> Option<Rule> {
        let is_broken = |wave: &Wave| wave.spec.care == Care::Canary && wave.failed > 0;
        self.all.iter().any(is_broken).then_some(Rule::Canary)
    }

    /// Returns how many jobs have not ended, of all waves.
    pub(super) fn unsettled(&self) -> usize {
        self.unsettled
    }

    pub(super) fn is_current_over(&self) -> bool {
        self.all[self.current].unsettled == 0
    }

    pub(super) fn are_over(&self) -> bool {
        self.unsettled == 0
    }

    pub(super) fn soaks_until(&self) -> Option<Duration> {
        self.soaks_until
    }

    /// Ends the soak.
    pub(super) fn promote(&mut self) {
        if self.soaks_until.is_some() {
            self.soaks_until = Some(Duration::ZERO);
        }
    }

    /// Leaves the present wave, which is over, unless it soaks.
    pub(super) fn leave(&mut self, now: Duration) -> Left {
        if self.unsettled == 0 {
            return Left::Over;
        }
        let wave = &self.all[self.current];
        let until = match self.soaks_until {
            Some(until) => until,
            None if wave.is_worked_on => now + wave.spec.soak,
            None => now,
        };
        if now < until {
            self.soaks_until = Some(until);
            return Left::Soaks;
        }
        self.soaks_until = None;
        if wave.spec.gate.is_some() && wave.is_worked_on {
            return Left::Gate;
        }
        self.current += 1;
        Left::Next
    }
}
