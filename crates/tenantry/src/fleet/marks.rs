//! Declarations about the fleet's histories, recorded in the registry with their reason.

use std::collections::HashSet;

use super::{Fleet, FleetError, Selected};
use crate::mark::Mark;
use crate::registry::{Known, MarkTarget, NewMark};
use crate::run::{Declaration, Declared, Job, Says, Unrecorded, Watch, declare};
use crate::target::Target;

/// Who declares something, with what, and why.
#[derive(Clone, Debug)]
pub struct Declarer {
    /// The command as it was given, without secrets.
    pub command: String,
    /// Who asks.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// What became of a declaration.
#[derive(Clone, Debug)]
pub struct Declarations {
    /// Each target of the selection that was reached, in its order.
    pub targets: Vec<Declared>,
    /// Those that a stop kept from being begun.
    pub not_begun: Vec<Target>,
    /// What the registry does not have of it; `None` if it has all.
    pub unrecorded: Option<Unrecorded>,
}

impl Fleet {
    /// Declares something on every selected target and records it: that it begins, and what became of it.
    /// Histories are written and nothing else; no migration runs.
    ///
    /// A declaration is no run: no rollback takes it back, and no resume goes on with it.
    ///
    /// # Errors
    /// [`FleetError::NotBegun`] if it could not be written down before it begins: nothing was declared then;
    /// [`FleetError::UnknownVersion`] if every database was asked, and neither a file nor a history has the version.
    pub async fn declare(
        &self,
        selected: Selected,
        declaration: &Declaration,
        declarer: &Declarer,
        watch: Watch,
    ) -> Result<Declarations, FleetError> {
        let unknown = selected.unknown_version(declaration.version);
        let jobs = selected.jobs;
        let declaration = &self.with_decided(declaration).await?;
        self.registry
            .begin_mark(&new_mark(&jobs, declaration, declarer))
            .await
            .map_err(FleetError::NotBegun)?;
        let all = targets_of(&jobs);
        let targets = declare(jobs, declaration, &self.options, &watch).await;
        let not_begun = not_begun(all, &targets);
        let rows: Vec<MarkTarget> = targets.iter().map(target_of).collect();
        let recorded = self.registry.finish_mark(&declaration.id, &rows).await;
        let unrecorded = recorded.err().map(|error| Unrecorded {
            outcomes: rows.len(),
            code: error.code(),
            reason: error.to_string(),
        });
        refuse_unknown(&targets, &not_begun, unknown)?;
        Ok(Declarations {
            targets,
            not_begun,
            unrecorded,
        })
    }

    /// Adds who was told the very same decision before.
    async fn with_decided(&self, declaration: &Declaration) -> Result<Declaration, FleetError> {
        let mut declaration = declaration.clone();
        if let Says::Decide {
            statement,
            decision,
            evidence,
        } = &declaration.says
        {
            let what = (*statement, evidence.as_str());
            let registry = &self.registry;
            declaration.decided = registry
                .decided(declaration.version, what, decision.as_str())
                .await?;
        }
        Ok(declaration)
    }

    /// Asks every selected database what somebody has to decide about; a target that has something to decide
    /// comes as a failure that says what. Takes each lock, writes nothing.
    ///
    /// # Errors
    /// [`FleetError::UnknownVersion`] if every database was asked, and neither a file nor a history has the version.
    pub async fn undecided(
        &self,
        selected: Selected,
        declaration: &Declaration,
        watch: Watch,
    ) -> Result<Declarations, FleetError> {
        let unknown = selected.unknown_version(declaration.version);
        let all = targets_of(&selected.jobs);
        let targets = declare(selected.jobs, declaration, &self.options, &watch).await;
        let not_begun = not_begun(all, &targets);
        refuse_unknown(&targets, &not_begun, unknown)?;
        Ok(Declarations {
            targets,
            not_begun,
            unrecorded: None,
        })
    }
}

fn targets_of(jobs: &[Job]) -> Vec<Target> {
    jobs.iter().map(|job| job.target.clone()).collect()
}

fn not_begun(mut all: Vec<Target>, reached: &[Declared]) -> Vec<Target> {
    let reached: HashSet<_> = reached.iter().map(|declared| declared.target.key()).collect();
    all.retain(|target| !reached.contains(&target.key()));
    all
}

/// Refuses a version that nobody knows; `unknown` is `None` if some could not be asked.
fn refuse_unknown(
    targets: &[Declared],
    not_begun: &[Target],
    unknown: Option<FleetError>,
) -> Result<(), FleetError> {
    let is_unknown = not_begun.is_empty() && targets.iter().all(|target| target.unknown);
    match unknown {
        Some(error) if is_unknown => Err(error),
        Some(_) | None => Ok(()),
    }
}

fn new_mark(jobs: &[Job], declaration: &Declaration, declarer: &Declarer) -> NewMark {
    let (says, statement) = match &declaration.says {
        Says::Mark(mark) => (Mark::as_str(*mark), None),
        Says::Decide {
            statement,
            decision,
            evidence,
        } => (decision.as_str(), Some((*statement, evidence.clone()))),
        Says::Look => ("look", None),
    };
    NewMark {
        id: declaration.id.clone(),
        command: declarer.command.clone(),
        says,
        version: declaration.version,
        statement,
        reason: declarer.reason.clone(),
        actor: declarer.actor.clone(),
        targets: jobs.iter().map(|job| MarkTarget::waiting(&job.target)).collect(),
    }
}

fn target_of(declared: &Declared) -> MarkTarget {
    let waiting = MarkTarget::waiting(&declared.target);
    match &declared.ended {
        Ok(noted) => MarkTarget {
            changed: Some(noted.changed.len()),
            known: Some(Known {
                outcome: noted.outcome,
                code: noted.in_the_way.as_ref().map(|failure| failure.code),
                version: noted.version,
            }),
            ..waiting
        },
        Err(failure) => MarkTarget {
            error: Some((failure.code, failure.what.clone())),
            ..waiting
        },
    }
}
