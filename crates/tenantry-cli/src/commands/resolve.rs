//! `migrate resolve`: shows the statement in which a migration was cut off, and takes the decision about it.

use std::collections::HashSet;

use tenantry::mark::Decision;
use tenantry::run::{Control, Declaration, Says, new_mark_id};

use super::mark::{Wish, carry_out, failures};
use super::opened::{self, block_on};
use super::{Context, again, plans, runs, whom};
use crate::args::ResolveArgs;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::text;

/// Shows what has to be decided, or decides it.
///
/// # Errors
/// TN-4004 if nobody was named; what the registry says.
pub(super) fn run(context: &Context, asked: &ResolveArgs) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let limits = asked.at_once.limits();
        let fleet = opened::fleet_as_finished(&project, &limits).await?;
        let command = format!("migrate resolve{} {}", again::whom(&asked.whom), asked.version);
        let selected = whom::choose(&project, &fleet, &asked.whom, "migrate resolve").await?;
        if selected.is_settled() {
            return runs::empty(context, &limits);
        }
        if let Some(wish) = wish(asked, &command) {
            return carry_out(context, &fleet, selected, wish).await;
        }
        let declaration = Declaration {
            id: new_mark_id(),
            version: asked.version,
            says: Says::Look,
            decided: HashSet::new(),
        };
        let left_out = selected.left_out.clone();
        let control = Control::default();
        let seen = fleet.undecided(selected, &declaration, &control).await?;
        let open = failures(&seen, &left_out);
        let exit = plans::tell_failed(context, &open, "tenantry migrate resume");
        let settled = seen.iter().filter(|target| target.ended.is_ok());
        let labels: Vec<String> = settled.map(|declared| declared.target.label()).collect();
        let human = if labels.is_empty() {
            format!("exit {} ({})", exit.code(), exit.name())
        } else {
            let names = text::names(labels.iter().map(String::as_str));
            format!("Nothing is to be decided about {} in {names}.", asked.version)
        };
        let open: Vec<_> = open.iter().map(crate::render::Target::of).collect();
        context.answer(
            &human,
            &serde_json::json!({ "version": asked.version.to_string(), "open": open, "settled": labels }),
        )?;
        Ok(exit)
    })
}

/// Returns the decision; `None` if none was given.
fn wish(asked: &ResolveArgs, command: &str) -> Option<Wish> {
    let decision = match (asked.applied, asked.not_applied) {
        (true, _) => Decision::Applied,
        (_, true) => Decision::NotApplied,
        (false, false) => return None,
    };
    let flag = match decision {
        Decision::Applied => "--applied",
        Decision::NotApplied => "--not-applied",
    };
    let (statement, evidence) = (asked.statement?, asked.evidence.clone()?);
    Some(Wish {
        version: asked.version,
        command: format!("{command} --statement {statement} {flag} --evidence {evidence}"),
        says: Says::Decide {
            statement,
            decision,
            evidence,
        },
        reason: asked.reason.clone()?,
    })
}
