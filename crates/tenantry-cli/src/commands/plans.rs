//! `migrate plan` and `--dry-run`: what would run where. Asks what servers cannot tell, writes nothing.

use std::path::Path;

use tenantry::TrackName;
use tenantry::fleet::{Central, Fleet, Scope, Selected, Tiers};
use tenantry::migration::Version;
use tenantry::plan::Goal;
use tenantry::run::{Preview, TargetReport};

use super::again;
use super::look::look;
use super::loss::Loss;
use super::opened::{self, block_on};
use super::planned::{self, Planned};
use super::saved::Save;
use super::{Context, plan_file, runs};
use crate::args::{Chosen, Limits};
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::failure::groups_of;
use crate::render::{Told, draw_groups, out};

/// What is asked of `migrate plan`.
pub(super) struct Question<'a> {
    pub(super) chosen: &'a Chosen,
    pub(super) to: Option<Version>,
    pub(super) tiers: Tiers,
    pub(super) live: bool,
    pub(super) out: Option<&'a Path>,
}

/// Carries out `migrate plan`; returns whether something is pending.
///
/// # Errors
/// What opening the project says; TN-4003 if nothing is selected; TN-4017 if the plan may not be written where it was
/// told.
pub(super) fn run(context: &Context, question: &Question<'_>) -> Result<(Exit, bool), CommandError> {
    // Before anybody is asked.
    question.out.map_or(Ok(()), plan_file::check_free)?;
    block_on(async {
        let project = context.project()?;
        let limits = Limits {
            live: question.live,
            ..Limits::default()
        };
        let fleet = opened::fleet(&project, &limits).await?;
        let mut selected = fleet
            .select(&opened::selection(question.chosen), question.tiers)
            .await?;
        let central = question.central();
        if central == Central::Included {
            opened::add_central(&project, &fleet, &mut selected)?;
        }
        if selected.is_empty() {
            return runs::empty(context, &Limits::default()).map(|exit| (exit, false));
        }
        if let Some(version) = question.to {
            selected.aim(&Goal::UpTo(version))?;
        }
        let save = question.out.map(|file| Save {
            file,
            scope: question.scope(),
            whole: selected.clone(),
        });
        let next = |planned: &Planned| match &planned.out {
            Some(out) => out.next(planned),
            None => carry_out(planned, question),
        };
        show_with(context, &fleet, selected, (save, next)).await
    })
}

impl Question<'_> {
    /// Returns whether the central database is meant, too.
    fn central(&self) -> Central {
        if self.chosen.is_everything() && self.to.is_none() {
            Central::Included
        } else {
            Central::LeftOut
        }
    }

    fn scope(&self) -> Scope {
        Scope {
            selection: opened::selection(self.chosen),
            tiers: self.tiers,
            central: self.central(),
            goal: self.to.map_or(Goal::Head, Goal::UpTo),
        }
    }
}

/// Asks what is selected and shows what would run; returns how the process ends, and whether something
/// is pending.
///
/// # Errors
/// TN-1009 if it cannot be written; a database that cannot be asked is listed, and decides the exit code.
pub(super) async fn show(
    context: &Context,
    fleet: &Fleet,
    selected: Selected,
) -> Result<(Exit, bool), CommandError> {
    show_with(context, fleet, selected, (None, |_: &Planned| None)).await
}

/// Shows the way back, what it loses, and the command that takes it with the text that it wants.
///
/// # Errors
/// TN-1009 if it cannot be written; a database that cannot be asked is listed, and decides the exit code.
pub(super) fn show_back(
    context: &Context,
    selected: &Selected,
    previews: &[Preview],
    command: &str,
) -> Result<Exit, CommandError> {
    let loss = Loss::of(previews);
    let confirm = loss.as_ref().map(|loss| again::quoted(&loss.confirm));
    let confirm = confirm.map_or(String::new(), |text| format!(" --confirm {text}"));
    let rehearsal = format!("tenantry {command} --dry-run");
    let next = |planned: &Planned| {
        // How many have to be confirmed is known when all have answered.
        (planned.failed.is_empty() && planned.is_anything_pending())
            .then(|| format!("tenantry {command}{confirm}"))
    };
    let mut planned = planned_of(context, selected, previews);
    planned.loss = loss;
    tell(context, &planned, &rehearsal, next)
}

/// The same with a line that says what comes next, and a file into which the plan goes.
async fn show_with(
    context: &Context,
    fleet: &Fleet,
    mut selected: Selected,
    (save, next): (Option<Save<'_>>, impl FnOnce(&Planned) -> Option<String>),
) -> Result<(Exit, bool), CommandError> {
    fleet.shorten(&mut selected).await;
    let previews = look(context, fleet, &selected).await;
    let mut planned = planned_of(context, &selected, &previews);
    planned.out = save
        .map(|save| save.write(fleet, &selected, &previews))
        .transpose()?;
    let exit = tell(context, &planned, "tenantry migrate plan", next)?;
    Ok((exit, planned.is_anything_pending()))
}

/// Sums up what the targets answered, and warns of what was found.
fn planned_of(context: &Context, selected: &Selected, previews: &[Preview]) -> Planned {
    let warnings = selected.warnings_of(previews);
    context.warn(&warnings);
    let told = Told::all(&warnings, &context.canvas.invocation);
    Planned::new(selected, previews, told)
}

/// Prints a plan; `again` is the command that asks once more those that did not answer.
fn tell(
    context: &Context,
    planned: &Planned,
    again: &str,
    next: impl FnOnce(&Planned) -> Option<String>,
) -> Result<Exit, CommandError> {
    let exit = tell_failed(context, &planned.failed, again);
    let mut human = planned::human(planned, &context.canvas);
    if let Some(out) = &planned.out {
        human = format!("{human}\n{}", out.line());
    }
    if let Some(next) = next(planned) {
        human = format!("{human}\nNext:  {next}");
    }
    if exit != Exit::Done {
        human = format!("{human}\nexit {} ({})", exit.code(), exit.name());
    }
    context.answer(&human, planned)?;
    Ok(exit)
}

/// Says on stderr why targets could not be asked; returns how the process ends because of it. `again` is the
/// command that asks once more.
pub(super) fn tell_failed(context: &Context, failed: &[TargetReport], again: &str) -> Exit {
    if failed.is_empty() {
        return Exit::Done;
    }
    let drawn = draw_groups(&groups_of(failed), &[again.to_owned()], &context.canvas);
    out::say(&format!("{drawn}\n"));
    Exit::of_failed(failed.iter())
}

/// Returns the command that carries out what `migrate plan` has shown; `None` if there is nothing to do.
fn carry_out(planned: &Planned, question: &Question<'_>) -> Option<String> {
    let pending = || planned.tracks.iter().filter(|track| !track.migrations.is_empty());
    let count = |is: fn(&TrackName) -> bool| pending().filter(|track| is(&track.name)).count();
    let central = count(|name| *name == TrackName::Central);
    let products = count(|name| matches!(name, TrackName::Product(_)));
    let word = match (central, products, pending().count() - central - products) {
        (0, 0, 0) => return None,
        (0, 0, _) => "all-tenants",
        (0, _, 0) => "products",
        (_, 0, 0) => "central",
        (_, _, _) => "all",
    };
    let to = question
        .to
        .map_or(String::new(), |version| format!(" --to {version}"));
    Some(format!("tenantry migrate {word}{}{to}", question.chosen.flags()))
}
