//! `--out` and `--plan`: a plan is written down, and later carried out as it is or not at all.

use std::path::Path;

use serde::Serialize;
use tenantry::TrackName;
use tenantry::fleet::{Fleet, SavedPlan, Scope, Selected};
use tenantry::run::Preview;

use super::again::quoted;
use super::look::look;
use super::opened::{self, block_on};
use super::planned::Planned;
use super::runs::{self, Asking};
use super::unparsed::usage;
use super::{Context, plan_file};
use crate::args::Limits;
use crate::clock::Utc;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::text;

/// What is written down once everybody has answered.
pub(super) struct Save<'a> {
    pub(super) file: &'a Path,
    pub(super) scope: Scope,
    /// What was selected, before servers were asked.
    pub(super) whole: Selected,
}

/// What became of a plan that was to be written.
#[derive(Debug, Serialize)]
pub(super) struct Out {
    file: String,
    /// Whether it was written; not if a target has no plan.
    saved: bool,
    /// The command that carries it out.
    #[serde(skip)]
    pub(super) command: Option<String>,
}

impl Save<'_> {
    /// Writes the plan, unless a target has none.
    ///
    /// # Errors
    /// TN-1010 or TN-4017 if it cannot be written.
    pub(super) fn write(
        self,
        fleet: &Fleet,
        looked: &Selected,
        previews: &[Preview],
    ) -> Result<Out, CommandError> {
        let created_at = Utc::now().rfc3339();
        let plan = fleet.saved_plan((&self.scope, &created_at), &self.whole, (looked, previews));
        if let Some(plan) = &plan {
            plan_file::write(self.file, plan)?;
        }
        let file = text::path(self.file);
        Ok(Out {
            command: plan.as_ref().map(|plan| {
                let word = word_for(&plan.track_names());
                format!("tenantry migrate {word} --plan {}", quoted(&file))
            }),
            saved: plan.is_some(),
            file,
        })
    }
}

impl Out {
    /// Says in one line what became of it; `planned` are the others.
    pub(super) fn line(&self) -> String {
        if self.saved {
            return format!("Saved: {}", self.file);
        }
        format!(
            "Not saved: {} would have to hold a plan for everybody. --except leaves tenants out.",
            self.file
        )
    }

    /// Returns the command that comes next; `None` if nothing is to be done, or nothing was written.
    pub(super) fn next(&self, planned: &Planned) -> Option<String> {
        let command = self.command.clone();
        command.filter(|_| planned.is_anything_pending())
    }
}

/// Returns which `migrate …` is about these tracks and no others.
fn word_for(tracks: &[TrackName]) -> &'static str {
    let is_product = |track: &TrackName| matches!(track, TrackName::Product(_));
    match tracks {
        [TrackName::Central] => "central",
        [TrackName::Tenant] => "all-tenants",
        [_, ..] if tracks.iter().all(is_product) => "products",
        _ => "all",
    }
}

/// Carries a saved plan out; `word` is the `migrate …` that was told to.
///
/// # Errors
/// TN-4016 if the file is no plan, TN-4005 if the plan no longer fits, exit 2 if it is about more than the command.
pub(super) fn carry_out(
    context: &Context,
    file: &Path,
    word: &str,
    limits: &Limits,
) -> Result<Exit, CommandError> {
    let plan = plan_file::read(file)?;
    check_word(&plan, word, file)?;
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, limits).await?;
        let central = &project.settings.central()?.address;
        let mut selected = fleet.select_planned(&plan, central).await?;
        if !fleet.is_under_way(&plan, &selected).await? {
            hold(context, &fleet, &plan, &mut selected).await?;
        }
        let command = format!("migrate {word} --plan {}", quoted(&text::path(file)));
        let asking = Asking::up(command, limits);
        runs::carry_out(context, &project, &fleet, selected, asking).await
    })
}

/// Asks every database whether it is where the plan says.
async fn hold(
    context: &Context,
    fleet: &Fleet,
    plan: &SavedPlan,
    selected: &mut Selected,
) -> Result<(), CommandError> {
    let mut looked = selected.clone();
    fleet.shorten(&mut looked).await;
    let previews = look(context, fleet, &looked).await;
    Ok(fleet.hold_to_plan(plan, selected, (&looked, &previews)).await?)
}

fn check_word(plan: &SavedPlan, word: &str, file: &Path) -> Result<(), CommandError> {
    let tracks = plan.track_names();
    let fits = word_for(&tracks);
    if tracks.is_empty() || word == "all" || word == fits {
        return Ok(());
    }
    let tracks: Vec<String> = tracks.iter().map(ToString::to_string).collect();
    Err(usage(format!("the plan is about more than `migrate {word}`"))
        .fact("tracks", tracks.join(", "))
        .fact("state", "nothing ran")
        .help(format!(
            "tenantry migrate {fits} --plan {}",
            quoted(&text::path(file))
        )))
}
