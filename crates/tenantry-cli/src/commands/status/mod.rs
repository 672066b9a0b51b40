//! `migrate status`: how far the fleet or one tenant is, from the registry or from every database.

mod gather;
mod mend;
mod one;
mod view;

use tenantry::fleet::{Selected, Tiers};
use tenantry::registry::Named;

use super::opened::{self, block_on};
use super::{Context, Format, plans, runs};
use crate::args::{Chosen, Limits};
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::text;

/// What is asked of `migrate status`.
pub(super) struct Question<'a> {
    pub(super) tenant: Option<&'a str>,
    pub(super) chosen: &'a Chosen,
    pub(super) live: bool,
}

/// Carries out `migrate status`; returns how the process ends, and whether something is behind.
///
/// # Errors
/// TN-6002 for an unknown tenant; what opening the project says.
pub(super) fn run(context: &Context, question: &Question<'_>) -> Result<(Exit, bool), CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet_as_finished(&project, &Limits::default()).await?;
        if let Some(tenant) = question.tenant {
            return one::show(context, &fleet, tenant).await;
        }
        let mut central = Selected::default();
        if question.chosen.is_everything() {
            opened::add_central(&project, &fleet, &mut central)?;
        }
        let (mut shown, mut failed) = if question.live || !question.chosen.is_everything() {
            let selection = opened::selection(question.chosen);
            let selected = fleet.select(&selection, Tiers::Both).await?;
            if selected.is_empty() && central.is_empty() {
                return runs::empty(context, &Limits::default()).map(|exit| (exit, false));
            }
            let (mut shown, failed) = gather::asked(context, &fleet, &selection, &selected).await?;
            shown.unfinished = gather::unfinished(selected.tracks.iter().map(AsRef::as_ref));
            (shown, failed)
        } else {
            (gather::remembered(&fleet, named(context)).await?, Vec::new())
        };
        let of_central = gather::unfinished(central.tracks.iter().map(AsRef::as_ref));
        shown.unfinished.extend(of_central);
        failed.extend(gather::add_central(context, &fleet, &central, &mut shown).await);
        let exit = plans::tell_failed(context, &failed, "tenantry migrate status --live");
        let mut human = text::printable(&view::human(&shown));
        if exit != Exit::Done {
            human = format!("{human}\n\nexit {} ({})", exit.code(), exit.name());
        }
        context.answer(&human, &shown)?;
        Ok((exit, shown.is_behind()))
    })
}

/// Returns whom the answer names: a program is told of everybody.
fn named(context: &Context) -> Named {
    match context.format {
        Format::Human => Named::First(u64::try_from(view::LISTED).unwrap_or(u64::MAX)),
        Format::Json | Format::Ndjson => Named::All,
    }
}
