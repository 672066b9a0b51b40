//! `migrate resolve`: shows the statement in which a migration was cut off, and takes the decision about it.

use std::collections::HashSet;

use tenantry::mark::Decision;
use tenantry::run::{Declaration, Says, new_mark_id};

use super::mark::{Wish, carry_out, failures};
use super::opened::{self, block_on};
use super::watched::watched;
use super::{Context, again, declared, plans, runs, whom};
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
        let command = |whom: &str| format!("migrate resolve {whom} {}{}", asked.version, decided(asked));
        let typed = |whom: &str| {
            let reason = asked.reason.as_ref();
            let reason = reason.map_or(String::new(), |why| format!(" --reason {}", again::quoted(why)));
            format!("{}{reason}", command(whom))
        };
        let selected = whom::choose(&project, &fleet, &asked.whom, typed).await?;
        if selected.is_settled() {
            return runs::empty(context, &limits);
        }
        let chosen = again::whom(&asked.whom);
        if let Some(wish) = wish(asked, command(chosen.trim_start())) {
            return carry_out(context, &project, &fleet, selected, wish).await;
        }
        let declaration = Declaration {
            id: new_mark_id(),
            version: asked.version,
            says: Says::Look,
            decided: HashSet::new(),
        };
        let left_out = selected.left_out.clone();
        let again = format!("tenantry {}", command(chosen.trim_start()));
        let (seen, signal) = watched(context, &project, &again, |watch| {
            fleet.undecided(selected, &declaration, watch)
        })
        .await?;
        let open = failures(&seen.targets, &left_out);
        let exit = plans::tell_failed(context, &open, "tenantry migrate resume");
        let (exit, left) = declared::cut_short(&seen, signal, &again).map_or_else(
            || (exit, String::new()),
            |(exit, left)| (exit, format!("{left}\n")),
        );
        let settled = seen.targets.iter().filter(|target| target.ended.is_ok());
        let labels: Vec<String> = settled.map(|declared| declared.target.label()).collect();
        let human = if labels.is_empty() {
            format!("{left}exit {} ({})", exit.code(), exit.name())
        } else {
            let names = text::names(labels.iter().map(String::as_str));
            format!(
                "{left}Nothing is to be decided about {} in {names}.",
                asked.version
            )
        };
        let open: Vec<_> = open.iter().map(crate::render::Target::of).collect();
        context.answer(
            &human,
            &serde_json::json!({ "version": asked.version.to_string(), "open": open, "settled": labels }),
        )?;
        Ok(exit)
    })
}

/// Returns the flags of the decision, each with a space before it; empty if none was given.
fn decided(asked: &ResolveArgs) -> String {
    let statement = asked.statement.map(|at| format!(" --statement {at}"));
    let applied = asked.applied.then(|| " --applied".to_owned());
    let not_applied = asked.not_applied.then(|| " --not-applied".to_owned());
    let evidence = asked.evidence.as_deref().map(again::quoted);
    let evidence = evidence.map(|evidence| format!(" --evidence {evidence}"));
    [statement, applied, not_applied, evidence]
        .into_iter()
        .flatten()
        .collect()
}

/// Returns the decision; `None` if none was given.
fn wish(asked: &ResolveArgs, command: String) -> Option<Wish> {
    let decision = match (asked.applied, asked.not_applied) {
        (true, _) => Decision::Applied,
        (_, true) => Decision::NotApplied,
        (false, false) => return None,
    };
    Some(Wish {
        version: asked.version,
        command,
        says: Says::Decide {
            statement: asked.statement?,
            decision,
            evidence: asked.evidence.clone()?,
        },
        reason: asked.reason.clone()?,
    })
}
