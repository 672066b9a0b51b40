//! What earlier runs left over, and who was not active in them: what a resume works on.

use std::collections::HashSet;

use super::{Fleet, FleetError, Selected, Tiers};
use crate::registry::{Run, RunTarget};
use crate::run::{Job, Outcome};
use crate::target::{Target, TrackName};

/// Where [`Fleet::among`] looks for databases that are not at their goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// In one run only.
    OfRun,
    /// In that run, and wherever the registry does not know a database as current.
    Anywhere,
}

impl Fleet {
    /// Keeps of `everything` what a run and those that went on with it left over, and who was not active in it; `tiers` are
    /// those that it was about.
    ///
    /// # Errors
    /// What the registry says.
    pub async fn unfinished(
        &self,
        run: &Run,
        tiers: Tiers,
        everything: Selected,
    ) -> Result<Selected, FleetError> {
        let mut left = self.registry.unfinished_of(&run.id).await?;
        left.retain(|row| row.outcome != Outcome::Skipped);
        left.extend(self.skipped_in(run, tiers, &everything).await?);
        self.among(left, Unfinished::OfRun, everything).await
    }

    /// Returns who was not active in a run and in all others of its chain: some may be now. Where `tiers` has products, those of
    /// these tenants, of `everything`: they stand in no report of their own.
    ///
    /// # Errors
    /// What the registry says.
    pub async fn skipped_in(
        &self,
        run: &Run,
        tiers: Tiers,
        everything: &Selected,
    ) -> Result<Vec<RunTarget>, FleetError> {
        let (mut skipped, mut reached) = (Vec::new(), HashSet::new());
        for id in self.registry.chain_of(&run.id).await? {
            for row in self.registry.targets_of(&id).await? {
                if row.outcome == Outcome::Skipped {
                    skipped.push(row);
                } else {
                    reached.insert((row.label, row.track));
                }
            }
        }
        let is_product = |track: &&TrackName| matches!(track, TrackName::Product(_));
        let tracks = reached
            .iter()
            .map(|(_, track)| track)
            .filter(is_product)
            .collect();
        let products = match tiers {
            Tiers::Tenant => Vec::new(),
            Tiers::Products | Tiers::Both => products_of((&skipped, &tracks), everything),
        };
        if tiers == Tiers::Products {
            skipped.clear();
        }
        skipped.extend(products);
        skipped.retain(|row| !reached.contains(&(row.label.clone(), row.track.clone())));
        Ok(skipped)
    }

    /// Keeps of a selection what is named in `rows`, also those of their tenants that are not active; with
    /// [`Unfinished::Anywhere`] also every database that the registry does not know as current.
    ///
    /// # Errors
    /// What the registry says.
    pub async fn among(
        &self,
        rows: Vec<RunTarget>,
        scope: Unfinished,
        mut selected: Selected,
    ) -> Result<Selected, FleetError> {
        let slugs = slugs_of(&rows);
        let mut keys: HashSet<(String, String)> = rows
            .into_iter()
            .map(|row| (row.database_id, row.track.to_string()))
            .collect();
        if scope == Unfinished::Anywhere {
            let status = self.registry.fleet_status().await?.not_current.into_iter();
            keys.extend(status.map(|t| (t.database_id, t.track.to_string())));
        }
        let keep = |id: &str, track: &TrackName| keys.contains(&(id.to_owned(), track.to_string()));
        // Who was skipped, or had no database, is known by name.
        let is_named = |job: &Job| keep(&job.target.label(), &job.target.track);
        selected.retain(|job| keep(&job.target.database_id, &job.target.track) || is_named(job));
        selected.left_out.retain(|report| {
            let is_inactive = report.outcome == Outcome::Skipped;
            keep(&report.database_id, &report.track) || (is_inactive && slugs.contains(&report.label))
        });
        Ok(selected)
    }
}

/// Returns the tenants of targets, by slug.
fn slugs_of(rows: &[RunTarget]) -> HashSet<String> {
    let slug = |row: &RunTarget| row.label.split('/').next().unwrap_or_default().to_owned();
    rows.iter().map(slug).collect()
}

/// Returns the product databases of the tenants that targets belong to: of the products that others had in the run, or of all
/// if nobody had any.
fn products_of(
    (rows, tracks): (&[RunTarget], &HashSet<&TrackName>),
    everything: &Selected,
) -> Vec<RunTarget> {
    let slugs = slugs_of(rows);
    let is_theirs = |target: &Target| {
        let owner = target.owner.as_ref();
        owner.is_some_and(|owner| slugs.contains(owner.slug.as_str()))
    };
    let is_meant = |track: &TrackName| {
        matches!(track, TrackName::Product(_)) && (tracks.is_empty() || tracks.contains(track))
    };
    let targets = everything.jobs.iter().map(|job| &job.target);
    let theirs = targets.filter(|target| is_meant(&target.track) && is_theirs(target));
    theirs.map(|target| RunTarget::not_run(target, 0)).collect()
}
