//! What somebody wants of a rollout, and the waves and rules that follow from it for the targets at hand. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::rollout::{Place, Rollout, Then, Wave, WaveKind};
use super::runner::Job;
use crate::engine::Engine;
use crate::selection::Pattern;
use crate::target::TrackName;
use crate::tenant::{Slug, TenantId};

/// From how many targets on a run begins with a canary by itself.
const CANARY_ABOVE: usize = 20;
/// The waves of a run that nobody divided: the central database goes before all others anyway.
const UNASKED: [&str; 2] = ["central", "rest"];
/// How many failures a run bears at least, unless a number is given.
const BEARS_AT_LEAST: usize = 5;

/// What somebody wants of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What goes first and alone.
    pub canary: Canary,
    /// The waves behind it, in order; what they leave over is the last one.
    pub waves: Vec<WaveRule>,
    /// How many failures it bears.
    pub max_failures: Budget,
    /// It stops if the first so many that finish fail alike; `None` does not.
    pub same_error: Option<usize>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            canary: Canary::Auto,
            waves: Vec::new(),
            max_failures: Budget::Usual,
            same_error: Some(3),
        }
    }
}

/// What goes first and alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// One target of each engine if there are more than 20.
    Auto,
    /// So many targets.
    Count(usize),
}

/// How many failures a run bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// One in a hundred, and at least 5.
    Usual,
    /// So many.
    Count(usize),
    /// So many in a hundred.
    Percent(usize),
    /// All.
    All,
}

impl Budget {
    /// Returns how many of `targets` may fail; `None` if all may.
    pub fn of(self, targets: usize) -> Option<usize> {
        match self {
            Self::Usual => Some((targets / 100).max(BEARS_AT_LEAST)),
            Self::Count(count) => Some(count),
            Self::Percent(percent) => Some(share(targets, percent)),
            Self::All => None,
        }
    }
}

/// A wave as it is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaveRule {
    /// Its name.
    pub name: String,
    /// Which tenants, by slug or id; none is all.
    pub matches: Vec<Pattern>,
    /// How many of these at most; `None` is all.
    pub limit: Option<Limit>,
    /// What comes behind it.
    pub then: Then,
    /// How long nothing begins behind it.
    pub soak: Duration,
}

/// How many targets a wave takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So many.
    Count(usize),
    /// So many in a hundred of all of the run, those not counted that go along with another; and at least one.
    Percent(usize),
}

impl Limit {
    fn of(self, targets: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => share(targets, percent).max(1),
        }
    }
}

/// Databases by their id and track.
type Members = HashSet<(String, TrackName)>;

/// Waves that no earlier run of the same work has got past, and what is known of those that it has begun.
#[derive(Clone, Debug, Default)]
pub struct Unpassed {
    /// How long is to be waited behind each, by name.
    pub waits: HashMap<String, Duration>,
    /// Those that an earlier run has got past, by name.
    pub passed: HashSet<String>,
    /// Who was in those of a limited size that had begun, also in those that were got past, by name: they count against the
    /// limit.
    pub begun: HashMap<String, Members>,
    /// The engines on which the work was done before.
    pub proven: HashSet<Engine>,
}

fn share(targets: usize, percent: usize) -> usize {
    targets.saturating_mul(percent) / 100
}

impl Policy {
    /// Bears every failure and knows no waves.
    pub fn none() -> Self {
        Self {
            canary: Canary::Count(0),
            waves: Vec::new(),
            max_failures: Budget::All,
            same_error: None,
        }
    }

    /// Puts every job into its wave. `durations` are how long databases took when they were changed last, in
    /// milliseconds: who took long goes first in its wave, and is the more telling canary. `unpassed` waves stay
    /// also where nothing is left of them and somebody comes behind them, and those that were begun are not filled up; an
    /// engine on which the work was done before needs no other canary, unless a number of them was given.
    pub fn rollout(&self, jobs: &[Job], durations: &HashMap<String, u64>, unpassed: &Unpassed) -> Rollout {
        let expected = |job: &Job| durations.get(&job.target.database_id).copied().unwrap_or(0);
        let mut sorting = Sorting {
            jobs,
            wave_of: vec![None; jobs.len()],
            waves: Vec::new(),
        };
        let canaries = self.canaries(jobs, (&expected, &unpassed.proven));
        let owed: BTreeSet<Engine> = canaries
            .iter()
            .map(|job| jobs[*job].target.address.engine())
            .collect();
        sorting.add(named("central"), &first_of_all(jobs));
        sorting.add(canary(), &canaries);
        let behind = behind_with_products(jobs);
        for rule in &self.waves {
            let fits: Vec<usize> = sorting.left().filter(|job| rule.takes(&jobs[*job])).collect();
            let before = unpassed.begun.get(&rule.name);
            let taken = rule.slice((jobs, &behind), fits, before);
            let waits = unpassed.waits.get(&rule.name);
            let is_open = rule.then == Then::Pause && unpassed.passed.contains(&rule.name);
            // It would have been one of those that the wave names.
            let is_named = |job: &usize| !rule.matches.is_empty() && rule.takes(&jobs[*job]) && behind[*job];
            let went_ahead = rule.is_relied_on() && !is_open && canaries.iter().any(is_named);
            let mut wave = rule.wave();
            // Something was done in it, or is in front of it, whatever is left to do.
            wave.was_worked_on = waits.is_some() || went_ahead;
            let is_done = !went_ahead && !taken.iter().any(|job| behind[*job]);
            wave.soak = waits.copied().filter(|_| is_done).unwrap_or(rule.soak);
            if taken.is_empty() && wave.was_worked_on {
                sorting.keep(wave);
            } else {
                sorting.add(wave, &taken);
            }
        }
        let rest: Vec<usize> = sorting.left().collect();
        sorting.add(named("rest"), &rest);
        let (waves, places) = sorting.into_waves();
        // One wave is no wave, unless somebody promotes or waits behind it.
        let is_one = waves.len() < 2 || waves.iter().all(|wave| UNASKED.contains(&wave.name.as_str()));
        let place = |(wave, job): (usize, &Job)| Place {
            wave: if is_one { 0 } else { wave },
            expected_ms: expected(job),
        };
        Rollout {
            waves: if is_one { Vec::new() } else { waves },
            places: places.into_iter().zip(jobs).map(place).collect(),
            max_failures: self.max_failures.of(jobs.len()),
            owed: owed.into_iter().collect(),
            same_error: self.same_error.filter(|first| *first > 0),
            ..Rollout::default()
        }
    }

    /// Chooses the targets that go first: of each engine in turn those that are behind furthest, of these the ones that
    /// took longest.
    fn canaries(
        &self,
        jobs: &[Job],
        (expected, proven): (&impl Fn(&Job) -> u64, &HashSet<Engine>),
    ) -> Vec<usize> {
        let mut by_engine: BTreeMap<Engine, Vec<usize>> = BTreeMap::new();
        // A number of canaries that somebody gave holds in any case.
        let is_proven = |engine: Engine| self.canary == Canary::Auto && proven.contains(&engine);
        for (index, job) in jobs.iter().enumerate() {
            // The central database goes before all others anyway, and who waits for another cannot go first.
            let waits = job
                .after
                .is_some_and(|before| jobs[before].target.owner.is_some());
            let engine = job.target.address.engine();
            if job.target.owner.is_some() && !waits && !is_proven(engine) {
                by_engine.entry(engine).or_default().push(index);
            }
        }
        let count = match self.canary {
            Canary::Count(count) => count,
            Canary::Auto if jobs.len() > CANARY_ABOVE => by_engine.len(),
            Canary::Auto => 0,
        };
        let telling = |index: &usize| {
            let target = &jobs[*index].target;
            // One to which nothing was ever applied has no data that a migration could stumble over.
            (
                target.known_version.is_none(),
                target.known_version,
                Reverse(expected(&jobs[*index])),
                target.label(),
            )
        };
        for of_engine in by_engine.values_mut() {
            of_engine.sort_by_cached_key(telling);
        }
        let longest = by_engine.values().map(Vec::len).max().unwrap_or(0);
        let turns =
            (0..longest).flat_map(|turn| by_engine.values().filter_map(move |of| of.get(turn).copied()));
        turns.take(count).collect()
    }
}

impl WaveRule {
    /// Returns whether something is waited for behind it: who writes that relies on it.
    pub fn is_relied_on(&self) -> bool {
        self.then == Then::Pause || !self.soak.is_zero()
    }

    /// Returns whether it is about a tenant.
    pub fn fits(&self, slug: &Slug, id: &TenantId) -> bool {
        let fits = |pattern: &Pattern| pattern.matches(slug.as_str()) || pattern.matches(id.as_str());
        self.matches.is_empty() || self.matches.iter().any(fits)
    }

    fn takes(&self, job: &Job) -> bool {
        let owner = job.target.owner.as_ref();
        self.matches.is_empty() || owner.is_some_and(|owner| self.fits(&owner.slug, &owner.id))
    }

    /// Returns those that the wave takes of the jobs that it fits. Where it has a limit, who was in it before comes first, and
    /// counts also if it is done; then who is behind. A product's database goes along with its tenant's, and counts only where
    /// it goes alone.
    fn slice(
        &self,
        (jobs, behind): (&[Job], &[bool]),
        fits: Vec<usize>,
        before: Option<&Members>,
    ) -> Vec<usize> {
        let Some(limit) = self.limit else {
            return fits;
        };
        let had = |job: &usize| {
            let (id, track) = jobs[*job].target.key();
            before.is_some_and(|before| before.contains(&(id.to_owned(), track.clone())))
        };
        let leads = |job: &usize| tenants_job(&jobs[*job], jobs).is_none();
        let (mut taken, mut others): (Vec<usize>, Vec<usize>) = fits.into_iter().filter(leads).partition(had);
        others.sort_by_key(|job| !behind[*job]);
        let is_tenants = |job: &usize| jobs[*job].target.owner.is_some();
        let tenants = (0..jobs.len()).filter(leads).filter(is_tenants).count();
        let room = limit.of(tenants).saturating_sub(before.map_or(0, counted));
        taken.extend(others.into_iter().take(room));
        taken.sort_unstable();
        taken
    }

    fn wave(&self) -> Wave {
        Wave {
            then: self.then,
            soak: self.soak,
            ..named(&self.name)
        }
    }
}

/// Returns the job of a tenant's shared database that a product's waits for; `None` if it waits for none.
fn tenants_job(job: &Job, jobs: &[Job]) -> Option<usize> {
    job.after.filter(|before| jobs[*before].target.owner.is_some())
}

/// Returns for each job whether it is behind, or one that goes along with it.
fn behind_with_products(jobs: &[Job]) -> Vec<bool> {
    let mut behind: Vec<bool> = jobs.iter().map(Job::is_behind).collect();
    for (index, job) in jobs.iter().enumerate() {
        if let Some(before) = tenants_job(job, jobs) {
            behind[before] |= behind[index];
        }
    }
    behind
}

/// Counts who was in a wave: the tenants, or where only products were in it those.
fn counted(members: &Members) -> usize {
    let tenants = members
        .iter()
        .filter(|(_, track)| *track == TrackName::Tenant)
        .count();
    if tenants == 0 { members.len() } else { tenants }
}

/// Returns the jobs that all others wait for: the central database's.
fn first_of_all(jobs: &[Job]) -> Vec<usize> {
    let owners = jobs.iter().map(|job| job.target.owner.as_ref());
    let places = owners.enumerate().filter(|(_, owner)| owner.is_none());
    places.map(|(job, _)| job).collect()
}

fn named(name: &str) -> Wave {
    Wave {
        name: name.to_owned(),
        ..Wave::default()
    }
}

fn canary() -> Wave {
    Wave {
        kind: WaveKind::Canary,
        ..named("canary")
    }
}

/// Jobs on their way into waves.
struct Sorting<'a> {
    jobs: &'a [Job],
    wave_of: Vec<Option<usize>>,
    waves: Vec<Wave>,
}

impl Sorting<'_> {
    /// The jobs that are in no wave yet. A product's goes with its tenant's, wherever that goes.
    fn left(&self) -> impl Iterator<Item = usize> {
        (0..self.jobs.len()).filter(|job| self.wave_of[*job].is_none())
    }

    /// Adds a wave of some jobs, and of those that wait for them; nothing if there are none.
    fn add(&mut self, wave: Wave, jobs: &[usize]) {
        if jobs.is_empty() {
            return;
        }
        let number = self.waves.len();
        self.waves.push(wave);
        for job in jobs {
            self.wave_of[*job] = Some(number);
        }
        for (index, job) in self.jobs.iter().enumerate() {
            let goes_along = |before: usize| {
                self.jobs[before].target.owner.is_some() && self.wave_of[before] == Some(number)
            };
            if self.wave_of[index].is_none() && job.after.is_some_and(goes_along) {
                self.wave_of[index] = Some(number);
            }
        }
    }

    /// Adds a wave of which nothing is left.
    fn keep(&mut self, wave: Wave) {
        self.waves.push(wave);
    }

    /// Returns the waves as far as somebody is in them, and each job's.
    fn into_waves(mut self) -> (Vec<Wave>, Vec<usize>) {
        let last = self.wave_of.iter().flatten().max().map_or(0, |last| last + 1);
        self.waves.truncate(last);
        let places = self.wave_of.into_iter().map(Option::unwrap_or_default).collect();
        (self.waves, places)
    }
}
