//! `migrate mark`: declares that a migration is in place or is not; histories are written, nothing runs.

use std::collections::HashSet;

use tenantry::fleet::{Declarer, Fleet, Selected};
use tenantry::mark::{Mark, Older};
use tenantry::migration::Version;
use tenantry::plan::Goal;
use tenantry::run::{Declaration, Declared, Says, TargetReport, new_mark_id};

use super::opened::{self, actor, block_on};
use super::watched::watched;
use super::{Context, again, declared, runs, whom};
use crate::args::MarkArgs;
use crate::config::Project;
use crate::exit::Exit;
use crate::failure::CommandError;

/// Declares it where it was asked for, and tells what was written.
///
/// # Errors
/// TN-4004 if nobody was named, TN-4008 for a version that the folder does not have; what the registry says.
pub(super) fn run(context: &Context, asked: &MarkArgs) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let limits = asked.at_once.limits();
        let fleet = opened::fleet_as_finished(&project, &limits).await?;
        let mark = mark_of(asked);
        let command = typed(asked, mark);
        let reason = again::quoted(&asked.reason);
        let typed = |whom: &str| format!("{command} {whom} --reason {reason}");
        let mut selected = whom::choose(&project, &fleet, &asked.whom, typed).await?;
        if selected.is_settled() {
            return runs::empty(context, &limits);
        }
        if matches!(mark, Mark::Applied(_) | Mark::AcceptEdit) {
            selected.aim(&Goal::UpTo(asked.version))?;
        }
        let wish = Wish {
            version: asked.version,
            says: Says::Mark(mark),
            reason: asked.reason.clone(),
            command: format!("{command}{}", again::whom(&asked.whom)),
        };
        carry_out(context, &project, &fleet, selected, wish).await
    })
}

/// What somebody wants to declare.
pub(super) struct Wish {
    /// About which migration.
    pub(super) version: Version,
    /// What.
    pub(super) says: Says,
    /// Why.
    pub(super) reason: String,
    /// The command as it was typed, without the program's name and the reason.
    pub(super) command: String,
}

/// Declares a wish and tells what became of it.
///
/// # Errors
/// What the registry says; TN-1009 if the answer cannot be written.
pub(super) async fn carry_out(
    context: &Context,
    project: &Project,
    fleet: &Fleet,
    selected: Selected,
    wish: Wish,
) -> Result<Exit, CommandError> {
    let declaration = Declaration {
        id: new_mark_id(),
        version: wish.version,
        says: wish.says,
        decided: HashSet::new(),
    };
    let declarer = Declarer {
        command: wish.command.clone(),
        actor: actor(&context.environment),
        reason: wish.reason,
    };
    let left_out = selected.left_out.clone();
    let reason = again::quoted(&declarer.reason);
    let again = format!("tenantry {} --reason {reason}", wish.command);
    let (done, asked) = watched(context, project, &again, |watch| {
        fleet.declare(selected, &declaration, &declarer, watch)
    })
    .await?;
    let told = declared::Told {
        declaration: &declaration,
        reason: &declarer.reason,
        left_out: &left_out,
        again,
        asked,
    };
    declared::tell(context, &done, &told)
}

/// Returns those that a declaration failed on, and those that it could not reach, as a run would report them.
pub(super) fn failures(targets: &[Declared], left_out: &[TargetReport]) -> Vec<TargetReport> {
    let left_out = left_out.iter().filter(|target| target.failure.is_some());
    targets
        .iter()
        .filter_map(Declared::report)
        .chain(left_out.cloned())
        .collect()
}

fn mark_of(asked: &MarkArgs) -> Mark {
    let older = if asked.and_older {
        Older::Included
    } else {
        Older::Refused
    };
    if asked.applied {
        Mark::Applied(older)
    } else if asked.rolled_back {
        Mark::RolledBack
    } else if asked.accept_edit {
        Mark::AcceptEdit
    } else {
        Mark::Forget
    }
}

/// Returns the command without the program's name, the targets and the reason.
fn typed(asked: &MarkArgs, mark: Mark) -> String {
    let flag = match mark {
        Mark::Applied(Older::Included) => "--applied --and-older",
        Mark::Applied(Older::Refused) => "--applied",
        Mark::RolledBack => "--rolled-back",
        Mark::AcceptEdit => "--accept-edit",
        Mark::Forget => "--forget",
    };
    format!("migrate mark {} {flag}", asked.version)
}
