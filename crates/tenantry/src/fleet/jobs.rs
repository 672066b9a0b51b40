//! From a selection of tenants to the jobs of a run.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Fleet, FleetError};
use crate::code::Code;
use crate::engine::Engine;
use crate::migration::{Track, Version};
use crate::plan::Goal;
use crate::registry::{LockedTarget, Targets, Tier, label};
use crate::run::{Failure, Job, Outcome, Preview, Reach, TargetReport, Tracks};
use crate::selection::{Selection, nearest};
use crate::target::{Owner, Target, TargetKey, TrackName};
use crate::tenant::{ProductType, Tenant, TenantStatus};

/// Which databases of the selected tenants are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tiers {
    /// Their shared databases.
    Tenant,
    /// Their product databases.
    Products,
    /// Both; a product database waits for its tenant's shared one.
    Both,
}

/// What a run works on, and what it leaves out by name.
#[derive(Clone, Debug, Default)]
pub struct Selected {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// Selected targets that cannot be worked on: skipped, not provisioned, or without a usable password.
    pub left_out: Vec<TargetReport>,
    /// Targets that are at their goal by their server's word; set by [`Fleet::shorten`].
    pub settled: Vec<TargetReport>,
    /// The tracks that were read.
    pub tracks: Tracks,
    /// Where the jobs shall come to, as the registry keeps it; set by [`Self::aim`].
    pub goal: Goal,
    /// About whom somebody asked, however many there are; set by [`Fleet::select`].
    pub reach: Reach,
}

impl Selected {
    /// Returns whether nothing at all was selected.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.left_out.is_empty() && self.settled.is_empty()
    }

    /// Returns whether there is neither a job nor anybody left out for another reason than that it was asked
    /// for: a run would have nothing to do and nothing to tell.
    pub fn is_settled(&self) -> bool {
        self.jobs.is_empty() && self.left_out.iter().all(|t| t.outcome == Outcome::Skipped)
    }

    /// Returns those who are left out because they cannot be worked on.
    pub fn failures(&self) -> impl Iterator<Item = &TargetReport> {
        self.left_out.iter().filter(|target| target.failure.is_some())
    }

    /// Returns the databases that were selected, by id and track; also those that cannot be worked on.
    pub(super) fn databases(&self) -> impl Iterator<Item = TargetKey<'_>> {
        let jobs = self.jobs.iter().map(|job| job.target.key());
        // Who has no database is named by its tenant.
        let locked = self
            .failures()
            .filter(|target| target.database_id != target.label);
        jobs.chain(locked.map(|target| (target.database_id.as_str(), &target.track)))
    }

    /// Keeps the jobs that a condition holds for; a job whose predecessor goes waits for nobody.
    pub fn retain(&mut self, mut keep: impl FnMut(&Job) -> bool) {
        // In place: there may be very many.
        let mut places: Vec<Option<usize>> = Vec::with_capacity(self.jobs.len());
        let mut kept = 0;
        self.jobs.retain(|job| {
            let stays = keep(job);
            places.push(stays.then_some(kept));
            kept += usize::from(stays);
            stays
        });
        for job in &mut self.jobs {
            job.after = job.after.and_then(|before| places.get(before).copied().flatten());
        }
    }

    /// Drops the jobs that wait, directly or not, for one whose target has ended badly in the run that they are left of.
    pub(super) fn drop_behind(&mut self, ended_badly: &HashSet<TargetKey<'_>>) {
        let is_bad = |job: &Job| ended_badly.contains(&job.target.key());
        let mut held = vec![false; self.jobs.len()];
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            for (index, job) in self.jobs.iter().enumerate() {
                let waits = job
                    .after
                    .is_some_and(|before| held[before] || is_bad(&self.jobs[before]));
                is_settled &= held[index] || !waits;
                held[index] |= waits;
            }
        }
        let mut held = held.into_iter();
        self.retain(|_| !held.next().unwrap_or_default());
    }

    /// Leaves out, as not run, every product database that would have waited for one which was left out
    /// itself.
    pub(super) fn hold_back_products(&mut self) {
        let of_tenants = self.failures().filter(|target| target.track == TrackName::Tenant);
        let failed: HashSet<String> = of_tenants.map(|target| target.label.clone()).collect();
        let waits = |job: &Job| {
            let owner = job.target.owner.as_ref().map(|owner| owner.slug.as_str());
            matches!(job.target.track, TrackName::Product(_))
                && owner.is_some_and(|slug| failed.contains(slug))
        };
        let held = self.jobs.iter().filter(|job| waits(job));
        let held = held.map(|job| TargetReport::untried(&job.target, Outcome::NotRun, None));
        self.left_out.extend(held.collect::<Vec<_>>());
        self.retain(|job| !waits(job));
    }

    /// Puts a job before all others, which then wait for it.
    pub fn begin_with(&mut self, first: Job) {
        for job in &mut self.jobs {
            job.after = Some(job.after.map_or(0, |before| before + 1));
        }
        self.jobs.insert(0, first);
    }

    /// Sets every job's goal, also that of jobs that are only known by name. Opens no connection.
    ///
    /// Fails with [`FleetError::UnknownVersion`], and sets nothing, if the goal names a version that one of
    /// the jobs' tracks does not have; a track without files has nothing to do and is passed over.
    pub fn aim(&mut self, goal: &Goal) -> Result<(), FleetError> {
        if let Some(version) = goal.version() {
            self.check_version(version)?;
        }
        for job in &mut self.jobs {
            job.goal = goal.clone();
        }
        self.goal = goal.clone();
        Ok(())
    }

    /// Holds every way back to what a preview of it found, so that the run takes back what was looked at and
    /// nothing else. What could not be looked at is left out, with the reason why, and a job without a
    /// preview goes; a goal forwards stays.
    pub fn hold_to(&mut self, previews: &[Preview]) {
        let seen: HashMap<_, &Preview> = previews.iter().map(|p| (p.target.key(), p)).collect();
        let look = |job: &Job| seen.get(&job.target.key()).copied();
        for job in &mut self.jobs {
            if let Some(Ok((plan, _))) = look(job).map(|preview| &preview.planned) {
                job.goal = plan.fixed(&job.goal);
            }
        }
        self.left_out.extend(previews.iter().filter_map(Preview::report));
        self.retain(|job| look(job).is_some_and(|preview| preview.planned.is_ok()));
    }

    fn check_version(&self, version: Version) -> Result<(), FleetError> {
        let lacks = |job: &&Job| job.track.find(version).is_none();
        let has_files = |job: &&Job| !job.track.migrations.is_empty();
        let lacking = self.jobs.iter().filter(has_files).find(lacks);
        // Where no track has files, nobody knows the version.
        let unknown = self
            .jobs
            .first()
            .filter(|_| !self.jobs.iter().any(|job| has_files(&job)));
        lacking
            .or(unknown)
            .map_or(Ok(()), |job| Err(lacks_version(&job.track, version)))
    }

    /// Returns the error of a version that neither the files nor the databases have; `None` if nobody was selected,
    /// or if a database cannot be asked.
    pub(super) fn unknown_version(&self, version: Version) -> Option<FleetError> {
        let job = self.jobs.first().filter(|_| self.failures().next().is_none())?;
        Some(lacks_version(&job.track, version))
    }
}

fn lacks_version(track: &Track, version: Version) -> FleetError {
    let known: Vec<String> = track.migrations.iter().map(|m| m.version.to_string()).collect();
    FleetError::UnknownVersion {
        version,
        track: track.name.clone(),
        nearest: nearest(&version.to_string(), known.iter().map(String::as_str)),
    }
}

impl Fleet {
    /// Reads the registry and the tracks' files, and returns what a run over the selection works on, each
    /// target with the goal to apply everything pending. Opens no connection to a tenant.
    ///
    /// Names that nobody has are refused as [`Registry::targets`] says, a product that has neither a folder
    /// nor a database with [`FleetError::UnknownProduct`].
    ///
    /// [`Registry::targets`]: crate::registry::Registry::targets
    pub async fn select(&self, selection: &Selection, tiers: Tiers) -> Result<Selected, FleetError> {
        for product in &selection.products {
            if !self.registry.has_product(product).await? {
                self.check_product(product)?;
            }
        }
        let mut selected = Selected {
            reach: if selection.names_one() {
                Reach::One
            } else {
                Reach::Several
            },
            ..Selected::default()
        };
        if tiers != Tiers::Products {
            let found = self.registry.targets(selection, Tier::Tenant).await?;
            self.add(&mut selected, found, &TrackName::Tenant)?;
        }
        if tiers != Tiers::Tenant {
            let mut found = self.registry.targets(selection, Tier::Product).await?;
            if tiers == Tiers::Both {
                // They stand in the report already, with their shared database.
                found.skipped.clear();
            }
            self.add(&mut selected, found, &TrackName::Tenant)?;
        }
        Ok(selected)
    }

    /// Fails with [`FleetError::UnknownProduct`] if a product has no folder.
    pub fn check_product(&self, product: &ProductType) -> Result<(), FleetError> {
        let products = &self.folders.products;
        if products.contains_key(product) {
            return Ok(());
        }
        Err(FleetError::UnknownProduct {
            product: product.clone(),
            known: products.keys().cloned().collect(),
        })
    }

    /// Makes the job of one target, its track read if it was not yet.
    pub fn job(&self, selected: &mut Selected, target: Target) -> Result<Job, FleetError> {
        let engine = target.address.engine();
        let track = self.track(&mut selected.tracks, &target.track, engine)?;
        Ok(Job {
            target,
            track,
            goal: Goal::Head,
            after: None,
            marker: None,
        })
    }

    /// Returns a track, read if it was not yet.
    pub(crate) fn track(
        &self,
        tracks: &mut Tracks,
        name: &TrackName,
        engine: Engine,
    ) -> Result<Arc<Track>, FleetError> {
        if let Some(track) = tracks.find(name, engine) {
            return Ok(Arc::clone(track));
        }
        tracks.insert(self.folders.read(name, engine)?);
        let read = tracks.find(name, engine).map(Arc::clone);
        read.map_or_else(|| Ok(Arc::new(self.folders.read(name, engine)?)), Ok)
    }

    fn add(&self, selected: &mut Selected, found: Targets, track: &TrackName) -> Result<(), FleetError> {
        let shared: HashMap<String, usize> = selected
            .jobs
            .iter()
            .enumerate()
            .filter_map(|(index, job)| Some((job.target.owner.as_ref()?.id.to_string(), index)))
            .collect();
        for target in found.targets {
            let after = target
                .owner
                .as_ref()
                .and_then(|owner| shared.get(owner.id.as_str()).copied());
            let job = self.job(selected, target)?;
            selected.jobs.push(Job { after, ..job });
        }
        selected.left_out.extend(
            found
                .skipped
                .iter()
                .map(|(label, status)| skipped(label, *status, track)),
        );
        selected.left_out.extend(
            found
                .not_provisioned
                .iter()
                .map(|(t, track)| not_provisioned(t, track)),
        );
        selected.left_out.extend(found.locked.iter().map(locked));
        Ok(())
    }
}

pub(super) fn left_out(label: &str, track: &TrackName, outcome: Outcome) -> TargetReport {
    TargetReport {
        database_id: label.to_owned(),
        track: track.clone(),
        label: label.to_owned(),
        owner: None,
        server: None,
        database: String::new(),
        outcome,
        from: None,
        to: None,
        migrations: Vec::new(),
        failure: None,
        attempts: 0,
        duration: std::time::Duration::ZERO,
    }
}

fn skipped(label: &str, status: TenantStatus, track: &TrackName) -> TargetReport {
    tracing::debug!(tenant = label, status = status.as_str(), "not active");
    left_out(label, track, Outcome::Skipped)
}

fn not_provisioned(tenant: &Tenant, track: &TrackName) -> TargetReport {
    let what = match track {
        TrackName::Product(product) => format!("Database of {product} not provisioned: {}", tenant.id),
        TrackName::Tenant | TrackName::Central | TrackName::Registry => {
            format!("Tenant database not provisioned: {}", tenant.id)
        }
    };
    let owner = Owner {
        id: tenant.id.clone(),
        slug: tenant.slug.clone(),
        name: tenant.name.clone(),
    };
    TargetReport {
        owner: Some(Arc::new(owner)),
        failure: Some(Arc::new(Failure::bare(Code(6013), what))),
        ..left_out(&label(tenant, track), track, Outcome::Failed)
    }
}

fn locked(target: &LockedTarget) -> TargetReport {
    let what = format!("the password of {} cannot be used: {}", target.of, target.error);
    let failure = Failure::bare(Code(7004), what);
    TargetReport {
        database_id: target.database_id.clone(),
        failure: Some(Arc::new(failure)),
        ..left_out(&target.label, &target.track, Outcome::AuthFailed)
    }
}
