//! Whether a saved plan still fits: its registry, its files, its targets, and where each of them is.

use std::collections::{HashMap, HashSet};

use super::super::blueprint::{PlannedTrack, changes_of, plan_of, tracks_of};
use super::super::{Fleet, FleetError, PlanOf, Selected, central_target};
use super::read::beginning;
use super::{Central, Found, Group, Key, Planned, Position, SavedPlan, found_in, key};
use crate::direction::Direction;
use crate::engine::Address;
use crate::registry::RegistryError;
use crate::run::{Driver, Job, Outcome, Preview, TargetReport};
use crate::target::TrackName;

/// How many changes of one kind are named; of more only the number is said.
const HANDFUL: usize = 5;

impl Fleet {
    /// Selects what a saved plan is about, the way it was asked then, with the files as they are. Connects to no target.
    ///
    /// # Errors
    /// [`FleetError::Replanned`] if registry, files or targets are not those of the plan; what [`Fleet::select`] says of
    /// files that must not run.
    pub async fn select_planned(&self, plan: &SavedPlan, central: &Address) -> Result<Selected, FleetError> {
        let here = self.registry.registry_id();
        if plan.registry != here {
            let theirs = beginning(&plan.registry);
            let change = format!("it is of the registry {theirs}; this one is {here}");
            return Err(unfit(vec![change]));
        }
        // It was checked when it was read.
        let scope = plan.scope().map_err(|error| unfit(vec![error.to_string()]))?;
        let selecting = self.select(&scope.selection, scope.tiers).await;
        let mut selected = selecting.map_err(gone)?;
        if scope.central == Central::Included {
            let target = central_target(central, here, TrackName::Central);
            let first = self.job(&mut selected, target)?;
            if !first.track.migrations.is_empty() {
                selected.begin_with(first);
            }
        }
        let now = tracks_of(selected.jobs.iter());
        let mut changes = handful(changes_of(&plan.tracks, &now));
        changes.extend(plan.other_targets(&selected));
        if changes.is_empty() {
            changes = handful(plan.without_files(&now));
        }
        if !changes.is_empty() {
            return Err(unfit(changes));
        }
        selected.aim(&scope.goal)?;
        Ok(selected)
    }

    /// Returns whether a run of this plan is under way, which [`Fleet::execute`] then follows, takes up if its driver is
    /// dead, or names if it waits. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// What the registry says.
    pub async fn is_under_way(&self, plan: &SavedPlan, selected: &Selected) -> Result<bool, FleetError> {
        let (hash, wanted) = (plan_of(selected, Direction::Up).hash, plan.pending());
        let driver = Driver::this();
        Ok(self.registry.is_under_way(&hash, &wanted, &driver).await?)
    }

    /// Holds a selection to its plan. What could not be asked is left out, with the reason why; all others are where the
    /// plan says, or all of them where it leads. Writes nothing.
    ///
    /// `looked` is the selection after [`Fleet::shorten`], with the previews of its jobs.
    ///
    /// # Errors
    /// [`FleetError::Replanned`] if a target is elsewhere.
    pub async fn hold_to_plan(
        &self,
        plan: &SavedPlan,
        selected: &mut Selected,
        (looked, previews): (&Selected, &[Preview]),
    ) -> Result<(), FleetError> {
        let found = found_in(looked, previews);
        let changes = plan.moved(&found);
        if !changes.is_empty() {
            let hash = plan_of(selected, Direction::Up).hash;
            let begun = self.registry.unfinished_run_of(&hash, &plan.pending()).await?;
            let of = PlanOf::File { begun };
            return Err(FleetError::Replanned { of, changes });
        }
        let silent = |job: &Job| matches!(found.get(&key(&job.target)), Some(Found::Silent) | None);
        let reports = previews.iter().filter_map(Preview::report);
        selected.left_out.extend(reports);
        selected.retain(|job| !silent(job));
        Ok(())
    }
}

fn unfit(changes: Vec<String>) -> FleetError {
    let of = PlanOf::File { begun: None };
    FleetError::Replanned { of, changes }
}

/// A name of the plan's that nobody has any more is a change; other errors are themselves.
fn gone(error: FleetError) -> FleetError {
    let is_gone = matches!(
        error,
        FleetError::UnknownProduct { .. }
            | FleetError::Registry(
                RegistryError::TenantNotFound { .. }
                    | RegistryError::ServerNotFound { .. }
                    | RegistryError::JurisdictionNotFound { .. }
            )
    );
    if is_gone {
        unfit(vec![error.to_string()])
    } else {
        error
    }
}

impl SavedPlan {
    /// Returns the targets that it has something to do in.
    fn pending(&self) -> HashSet<Key> {
        let pending = self.targets().filter(|(_, _, group)| !group.pending.is_empty());
        pending.map(|(key, _, _)| key).collect()
    }

    /// Names the tracks whose files the plan does not have, though it has all targets: somebody took them out.
    fn without_files(&self, now: &[PlannedTrack]) -> Vec<String> {
        let has = |track: &PlannedTrack| {
            let mut planned = self.tracks.iter();
            planned.any(|of| of.track == track.track && of.engine == track.engine)
        };
        let lost = now.iter().filter(|track| !has(track));
        let line = |track: &PlannedTrack| {
            format!("it does not hold the files of {} ({})", track.track, track.engine)
        };
        lost.map(line).collect()
    }

    /// Names the targets that were not planned, and the planned ones that are no longer selected, or not by that name.
    fn other_targets(&self, now: &Selected) -> Vec<String> {
        let label = |job: &Job| (key(&job.target), job.target.label());
        let present: HashMap<Key, String> = now.jobs.iter().map(label).collect();
        let planned: HashSet<Key> = self.targets().map(|(key, _, _)| key).collect();
        let changed = self
            .targets()
            .filter_map(|(key, planned, group)| match present.get(&key) {
                None => Some(absent(planned, group, &now.left_out)),
                Some(label) if *label != planned.target => Some(format!("{} is {label}", planned.target)),
                Some(_) => None,
            });
        let new = now.jobs.iter().filter(|job| !planned.contains(&key(&job.target)));
        let new = new.map(|job| format!("{} is new", job.target.label()));
        let known: HashSet<(&str, &str)> = self
            .targets()
            .map(|(_, planned, group)| (planned.target.as_str(), group.track.as_str()))
            .collect();
        let unusable = now.failures().filter_map(|target| {
            let is_new = !known.contains(&(target.label.as_str(), target.track.to_string().as_str()));
            let why = target.failure.as_ref().filter(|_| is_new)?;
            Some(format!(
                "{} is new, and cannot be worked on: {}",
                target.label, why.what
            ))
        });
        let lists = [changed.collect(), new.collect(), unusable.collect()];
        lists.into_iter().flat_map(handful).collect()
    }

    /// Names the targets that are not where the plan says; none if all of them are where it leads.
    fn moved(&self, found: &HashMap<Key, Found>) -> Vec<String> {
        let (mut arrived, mut elsewhere, mut waiting) = (Vec::new(), Vec::new(), 0);
        for (key, planned, group) in self.targets() {
            match found.get(&key) {
                Some(Found::At(now)) if group.is_at(now) => waiting += usize::from(!group.pending.is_empty()),
                Some(Found::At(now)) if group.leads_to(now) => arrived.push(format!(
                    "{} is at {} already, where the plan leads",
                    planned.target,
                    now.at()
                )),
                Some(Found::At(now)) => elsewhere.push(group.describe(planned, now)),
                Some(Found::Refused(why)) => elsewhere.push(format!("{}: {why}", planned.target)),
                // Whoever cannot be asked fails by itself, and stops nobody.
                Some(Found::Silent) | None => {}
            }
        }
        if waiting == 0 && elsewhere.is_empty() {
            return Vec::new();
        }
        [elsewhere, arrived].into_iter().flat_map(handful).collect()
    }
}

impl Group {
    fn is_at(&self, now: &Position) -> bool {
        self.version == now.version && self.pending == now.pending
    }

    fn leads_to(&self, now: &Position) -> bool {
        now.pending.is_empty()
            && self
                .pending
                .last()
                .is_some_and(|last| now.version.as_ref() == Some(last))
    }

    fn describe(&self, planned: &Planned, now: &Position) -> String {
        let then = self.version.as_deref().unwrap_or(NOTHING);
        if self.version == now.version {
            return format!(
                "{} is at {then} and has {} pending; {} were planned",
                planned.target,
                now.pending.len(),
                self.pending.len()
            );
        }
        format!(
            "{} is at {} now; it was planned at {then}",
            planned.target,
            now.at()
        )
    }
}

/// What a database is at to which nothing was applied.
const NOTHING: &str = "nothing";

impl Position {
    fn at(&self) -> &str {
        self.version.as_deref().unwrap_or(NOTHING)
    }
}

/// Says why a planned target is not among those that are selected now.
fn absent(planned: &Planned, group: &Group, left_out: &[TargetReport]) -> String {
    let is_it = |t: &&TargetReport| t.label == planned.target && t.track.to_string() == group.track;
    match left_out.iter().find(is_it) {
        Some(report) => match (&report.failure, report.outcome) {
            (Some(failure), _) => format!("{}: {}", planned.target, failure.what),
            (None, Outcome::Skipped) => format!("{} is not active any more", planned.target),
            (None, outcome) => format!("{} is left out ({})", planned.target, outcome.as_str()),
        },
        None => format!("{} is not selected any more", planned.target),
    }
}

/// Keeps a handful of lines, and says how many more there are.
fn handful(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(HANDFUL);
    lines.truncate(HANDFUL);
    if let (Some(last), true) = (lines.last_mut(), more > 0) {
        *last = format!("{last}; and {more} more like this");
    }
    lines
}
