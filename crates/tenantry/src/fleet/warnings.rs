//! What is to be told about the files that a selection is about to run.

use super::Selected;
use crate::direction::Direction;
use crate::migration::{Version, Warning, add};
use crate::run::Preview;

impl Selected {
    /// Returns the warnings of files that are pending by what the registry knows, or that may go back; each
    /// once, though several engines read a file. Opens no connection.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut found = Vec::new();
        for job in &self.jobs {
            let direction = job.goal.direction();
            let concerns = |version: Version| match direction {
                Direction::Up => job.target.known_version.is_none_or(|known| version > known),
                Direction::Down => job.target.known_version.is_some_and(|known| version <= known),
            };
            for warning in &job.track.warnings {
                if warning.direction == direction && concerns(warning.version) {
                    add(&mut found, warning);
                }
            }
        }
        found
    }

    /// Returns what these previews found otherwise in the histories than in the files, and the warnings of the
    /// files that would run; each once, however many targets it is about.
    pub fn warnings_of(&self, previews: &[Preview]) -> Vec<Warning> {
        let mut found = Vec::new();
        for preview in previews {
            let engine = preview.target.address.engine();
            let (Ok((plan, _)), Some(track)) =
                (&preview.planned, self.tracks.find(&preview.target.track, engine))
            else {
                continue;
            };
            for warning in &plan.warnings {
                add(&mut found, warning);
            }
            for warning in &track.warnings {
                let runs = plan.steps.iter().any(|step| {
                    step.migration.version == warning.version && step.direction == warning.direction
                });
                if runs {
                    add(&mut found, warning);
                }
            }
        }
        found
    }
}
