//! `migrate rollback`: plans the whole way back first, asks where data would be lost, then goes.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use tenantry::fleet::{Fleet, Selected};
use tenantry::plan::{Goal, PlanError};
use tenantry::registry::Run;
use tenantry::run::{Failure, Preview, is_idle};
use tenantry::{Code, Direction};

use super::again::{self, Again};
use super::confirm::Confirmation;
use super::look::look;
use super::loss::Loss;
use super::opened::{self, block_on};
use super::runs::{self, Asking};
use super::{Context, kept, plans, whom};
use crate::args::Back;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::advice::write_way_back;
use crate::render::text;

/// A migration without a way back.
const NO_WAY_BACK: Code = Code(3005);
/// Newer migrations would stay above what is taken back.
const BENEATH: Code = Code(3060);

/// Takes back the last run of the chosen targets, some steps, a run, or everything newer than a version.
///
/// # Errors
/// TN-3005 if one migration has no way back, TN-4004 if a confirmation is missing: nothing is touched then.
pub(super) fn run(context: &Context, back: &Back) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet_as_finished(&project, &back.limits).await?;
        let typed = |whom: &str| format!("migrate rollback {whom}");
        let mut selected = whom::choose(&project, &fleet, &back.whom, typed).await?;
        if selected.is_settled() {
            return runs::empty_run(context, &back.limits);
        }
        // Who was left out for a reason is told in any case: nobody knows what is left there.
        let all_can_go = selected.failures().next().is_none();
        let Some(mut unit) = unit(context, &fleet, &selected, back).await? else {
            if all_can_go {
                return nothing(context, back, "There is no run to take back.");
            }
            return plans::show_back(context, &selected, &[], &again::rollback(back, ""));
        };
        selected.aim(&unit.goal)?;
        let mut previews = look(context, &fleet, &selected).await;
        let older = match &unit.chosen {
            Chosen::Last(guess) => fleet.older_change(&selected, guess, &previews).await?,
            Chosen::ByName | Chosen::HalfTakenBack => None,
        };
        if let Some(older) = older {
            context.say(&format!("Nothing newer is left to take back than {}.", older.id));
            unit = of_run(&fleet, back, older).await?;
            selected.aim(&unit.goal)?;
            previews = look(context, &fleet, &selected).await;
        }
        refuse_without_way_back(&previews)?;
        refuse_beneath_another(back, &previews)?;
        // Where the registry missed an earlier rollback, this one only tells it.
        let missed = unit.chosen == Chosen::HalfTakenBack
            || previews.iter().any(Preview::is_unrecorded)
            || is_left_over(&fleet, &previews).await?;
        let to_tell = !back.limits.dry_run && missed;
        if is_idle(&previews) && !to_tell && all_can_go {
            return nothing(context, back, "There is nothing to take back.");
        }
        // Where nothing can run there is no run to record: it would hide the one to go on with.
        let can_run = !previews.is_empty() && (to_tell || previews.iter().any(|p| p.planned.is_ok()));
        if back.limits.dry_run || !can_run {
            return plans::show_back(context, &selected, &previews, &unit.command);
        }
        confirm(context, back, &previews)?;
        selected.left_out.retain(|target| target.failure.is_some());
        selected.hold_to(&previews);
        if let Some(run) = &unit.reverts {
            context.say(&format!("Taking back {run}: {}.", taken_back(&previews)));
        }
        kept::tell(context, &fleet, back, (&unit.goal, &unit.command)).await?;
        let asking = Asking {
            command: unit.command.clone(),
            direction: Direction::Down,
            reverts: unit.reverts,
            continues: None,
            again: Again::Rollback {
                command: unit.command,
                goal: unit.goal,
            },
            limits: &back.limits,
        };
        runs::carry_out(context, &project, &fleet, selected, asking).await
    })
}

fn nothing(context: &Context, back: &Back, why: &str) -> Result<Exit, CommandError> {
    runs::no_run(context, &back.limits, why, &serde_json::json!({ "reverted": 0 }))
}

/// Returns whether the newest run that left something over went back, and left one of these.
async fn is_left_over(fleet: &Fleet, previews: &[Preview]) -> Result<bool, CommandError> {
    let left = fleet.registry.left_over_before(None).await?;
    let Some(left) = left.filter(|left| left.run.direction == Direction::Down) else {
        return Ok(false);
    };
    let targets = previews.iter().map(|preview| &preview.target);
    let looked_at: HashSet<_> = targets
        .map(|target| (&target.database_id, &target.track))
        .collect();
    let mut left = left.targets.iter();
    Ok(left.any(|row| looked_at.contains(&(&row.database_id, &row.track))))
}

/// Counts what the way back would do.
fn taken_back(previews: &[Preview]) -> String {
    let steps = previews.iter().filter_map(|p| p.planned.as_ref().ok());
    let counts: Vec<usize> = steps
        .map(|(plan, _)| plan.steps.len())
        .filter(|n| *n > 0)
        .collect();
    format!(
        "{} in {}",
        text::count(counts.iter().sum(), "migration"),
        text::count(counts.len(), "database")
    )
}

/// What is taken back.
struct Unit {
    goal: Goal,
    /// The run, by the first of its chain, if it is one.
    reverts: Option<String>,
    /// The rollback as it can be typed again.
    command: String,
    /// How it was chosen.
    chosen: Chosen,
}

/// How it was chosen what is taken back.
#[derive(PartialEq)]
enum Chosen {
    /// The command says it.
    ByName,
    /// It is the last run that the registry knows.
    Last(Box<Run>),
    /// Another rollback has begun to take it back.
    HalfTakenBack,
}

/// Returns what is taken back; `None` if there is no run to take back.
async fn unit(
    context: &Context,
    fleet: &Fleet,
    selected: &Selected,
    back: &Back,
) -> Result<Option<Unit>, CommandError> {
    let plain = |goal, flag: String| Unit {
        goal,
        reverts: None,
        command: again::rollback(back, &flag),
        chosen: Chosen::ByName,
    };
    if let Some(steps) = back.step {
        return Ok(Some(plain(Goal::BackSteps(steps), format!("--step {steps}"))));
    }
    if let Some(version) = back.to {
        let goal = Goal::BackTo(Some(version));
        return Ok(Some(plain(goal, format!("--to {version}"))));
    }
    if let Some(id) = &back.run {
        let run = fleet.registry.find_run(id).await?;
        return of_run(fleet, back, run).await.map(Some);
    }
    let last = fleet.last_change(selected, None).await?;
    if let Some(run) = fleet.half_taken_back(selected, last.as_ref()).await? {
        let first = run.first_of_chain();
        context.say(&format!(
            "Going on with the rollback of {first}, which was not finished."
        ));
        let unit = of_run(fleet, back, run).await?;
        return Ok(Some(Unit {
            chosen: Chosen::HalfTakenBack,
            ..unit
        }));
    }
    match last {
        Some(run) => of_run(fleet, back, run).await.map(Some),
        None => Ok(None),
    }
}

async fn of_run(fleet: &Fleet, back: &Back, run: Run) -> Result<Unit, CommandError> {
    let chain = fleet.registry.chain_of(&run.id).await?;
    let first = run.first_of_chain();
    Ok(Unit {
        goal: Goal::BackRuns(chain),
        reverts: Some(first.to_owned()),
        command: again::rollback(back, &format!("--run {first}")),
        chosen: if back.run.is_some() {
            Chosen::ByName
        } else {
            Chosen::Last(Box::new(run))
        },
    })
}

fn refuse_without_way_back(previews: &[Preview]) -> Result<(), CommandError> {
    let refused: Vec<(&Preview, &Failure)> = previews
        .iter()
        .filter_map(|p| p.planned.as_ref().err().map(|failure| (p, failure)))
        .filter(|(_, failure)| failure.code == NO_WAY_BACK)
        .collect();
    let Some((_, failure)) = refused.first() else {
        return Ok(());
    };
    let labels: Vec<String> = refused.iter().map(|(p, _)| p.target.label()).collect();
    let files: BTreeSet<&PathBuf> = refused.iter().filter_map(|(_, f)| f.file.as_ref()).collect();
    let made = CommandError::new(Exit::Refused, failure.what.clone())
        .code(NO_WAY_BACK)
        .fact("where", text::names(labels.iter().map(String::as_str)))
        .fact("state", "nothing was rolled back");
    let made = files.iter().fold(made, |made, file| made.file(*file));
    let made = files
        .iter()
        .fold(made, |made, file| made.help(write_way_back(file)));
    Err(made.help("or go forwards:  tenantry migrate make <name>"))
}

/// Refuses a run beneath newer migrations. One that was guessed is the last that the registry knows: the
/// process of a newer one died, or the registry was away, before what it did was recorded.
fn refuse_beneath_another(back: &Back, previews: &[Preview]) -> Result<(), CommandError> {
    let found = previews.iter().find_map(|preview| match &preview.refused {
        Some(PlanError::Beneath {
            labels,
            run_id,
            below,
            depth,
        }) => Some((preview.target.label(), labels, run_id, below, depth)),
        Some(_) | None => None,
    });
    let Some((label, labels, run, below, depth)) = found else {
        return Ok(());
    };
    let (title, unit) = if back.run.is_none() {
        let title =
            format!("`{label}` has migrations of {run}, which the registry does not know as the last run");
        // What was marked as applied belongs to no run.
        let unit = if run.starts_with("mark_") {
            format!("--step {depth}")
        } else {
            format!("--run {run}")
        };
        (title, unit)
    } else {
        let title = format!("`{label}` has newer migrations, which would stay");
        let unit = below.map_or_else(|| format!("--step {depth}"), |version| format!("--to {version}"));
        (title, unit)
    };
    Err(CommandError::new(Exit::Refused, title)
        .code(BENEATH)
        .fact("newer", text::names(labels.iter().map(String::as_str)))
        .fact("state", "nothing was rolled back")
        .help(format!("tenantry {}", again::rollback(back, &unit))))
}

/// Asks for the typed text where the way back destroys data.
fn confirm(context: &Context, back: &Back, previews: &[Preview]) -> Result<(), CommandError> {
    let Some(loss) = Loss::of(previews) else {
        return Ok(());
    };
    let confirmation = Confirmation {
        wanted: &loss.confirm,
        given: back.confirm.as_deref(),
        question: "Data is lost for good.",
        missing: format!(
            "going back destroys data in {}, and that needs a confirmation",
            loss.confirm
        ),
        loses: loss.loses.clone(),
        state: "nothing was rolled back",
    };
    confirmation.require(context)
}
