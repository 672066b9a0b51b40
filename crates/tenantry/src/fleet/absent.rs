//! Who is left of a run and is not there any more when somebody goes on with it.

use std::collections::{HashMap, HashSet};

use super::jobs::left_out;
use super::{Fleet, FleetError, Selected};
use crate::code::Code;
use crate::engine::StateAfter;
use crate::registry::RunTarget;
use crate::run::{Failure, Outcome, TargetReport, TargetState};
use crate::target::TrackName;

impl Fleet {
    /// Writes down what becomes of those who are left of a run and are not active any more, or have no such database: they
    /// are skipped, unless a driver had begun with them and nobody knows how far it came.
    pub(super) async fn end_absent(
        &self,
        (run_id, epoch): (&str, i64),
        targets: &mut [RunTarget],
        selected: &Selected,
    ) -> Result<(), FleetError> {
        let absent = Absent {
            present: self.registry.database_names(run_id).await?,
            inactive: selected
                .left_out
                .iter()
                .filter(|target| target.outcome == Outcome::Skipped)
                .map(|target| target.label.as_str())
                .collect(),
        };
        let mut ended = Vec::new();
        for target in targets.iter_mut().filter(|t| t.state != TargetState::Ended) {
            if let Some(end) = absent.end_of(target) {
                *target = RunTarget {
                    wave: target.wave,
                    goal: target.goal.take(),
                    ..RunTarget::reported(&end)
                };
                ended.push(target.clone());
            }
        }
        if !ended.is_empty() {
            self.registry.record(run_id, epoch, &ended).await?;
        }
        Ok(())
    }
}

/// What there is of a run's databases and tenants.
struct Absent<'a> {
    /// The databases that are registered, by id.
    present: HashMap<String, String>,
    /// The tenants that are not active.
    inactive: HashSet<&'a str>,
}

impl Absent<'_> {
    /// Returns what becomes of a target; `None` if it is there.
    fn end_of(&self, target: &RunTarget) -> Option<TargetReport> {
        let tenant = match target.track {
            TrackName::Central | TrackName::Registry => return None,
            TrackName::Tenant | TrackName::Product(_) => target.label.split('/').next().unwrap_or_default(),
        };
        let is_registered = self.present.contains_key(&target.database_id);
        if is_registered && !self.inactive.contains(tenant) {
            return None;
        }
        let (outcome, what) = match (target.state, is_registered) {
            (TargetState::Pending, _) => (Outcome::Skipped, None),
            (_, true) => (
                Outcome::Interrupted,
                Some("its tenant is not active any more, and its history was not read"),
            ),
            (_, false) => (Outcome::TargetGone, Some("it is not registered any more")),
        };
        let failure = what.map(|what| Failure {
            state: StateAfter::Unknown,
            ..Failure::bare(Code(6013), what.to_owned())
        });
        Some(TargetReport {
            database_id: target.database_id.clone(),
            server: target.server.as_deref().and_then(|name| name.parse().ok()),
            failure: failure.map(std::sync::Arc::new),
            attempts: target.attempts,
            ..left_out(&target.label, &target.track, outcome)
        })
    }
}
