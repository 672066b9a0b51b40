//! `migrate verify`: every history against the files and against what its server says. Writes nothing.

use serde::Serialize;
use tenantry::Selection;
use tenantry::fleet::{Fleet, Selected, Tiers};
use tenantry::run::TargetReport;

use super::look;
use super::opened::{self, block_on};
use super::{Context, plans, runs};
use crate::args::{Chosen, Limits};
use crate::config::Project;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::text;

/// The command that looks once more.
const AGAIN: &str = "tenantry migrate verify";

/// What was found.
#[derive(Serialize)]
struct Shown {
    verified: usize,
    findings: Vec<ShownFinding>,
    failed: Vec<ShownFinding>,
}

/// One thing that does not agree, or that could not be asked.
#[derive(Serialize)]
struct ShownFinding {
    target: String,
    track: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    database: String,
    code: Option<String>,
    outcome: &'static str,
    reason: String,
}

impl ShownFinding {
    fn of(target: &TargetReport) -> Self {
        let failure = target.failure.as_ref();
        Self {
            target: target.label.clone(),
            track: target.track.to_string(),
            database: target.database.clone(),
            code: failure.map(|failure| failure.code.to_string()),
            outcome: target.outcome.as_str(),
            reason: failure.map_or_else(String::new, |failure| failure.what.clone()),
        }
    }
}

/// Carries out `migrate verify`.
///
/// # Errors
/// TN-6002 for an unknown tenant, TN-4003 if nothing is selected; what opening the project says. What is found is no
/// error: it decides the exit code.
pub(super) fn run(context: &Context, tenant: Option<&str>, chosen: &Chosen) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet_as_finished(&project, &Limits::default()).await?;
        let selected = select(&project, &fleet, tenant, chosen).await?;
        if selected.is_empty() {
            return runs::empty(context, &Limits::default());
        }
        let verified = look::verify(context, &fleet, &selected).await;
        let found = verified.iter().flat_map(tenantry::fleet::Verified::findings);
        let found: Vec<TargetReport> = found.chain(selected.failures().cloned()).collect();
        tell(context, verified.len(), &found)
    })
}

async fn select(
    project: &Project,
    fleet: &Fleet,
    tenant: Option<&str>,
    chosen: &Chosen,
) -> Result<Selected, CommandError> {
    let selection = match tenant {
        Some(tenant) => Selection {
            ids: vec![fleet.registry.find_tenant(tenant).await?.id],
            ..opened::selection(chosen)
        },
        None => opened::selection(chosen),
    };
    let tiers = if chosen.product.is_empty() {
        Tiers::Both
    } else {
        Tiers::Products
    };
    let mut selected = fleet.select(&selection, tiers).await?;
    if tenant.is_none() && chosen.is_everything() {
        opened::add_central(project, fleet, &mut selected)?;
    }
    Ok(selected)
}

/// Tells what was found; a database that could not be asked outranks what the others say.
fn tell(context: &Context, verified: usize, found: &[TargetReport]) -> Result<Exit, CommandError> {
    plans::tell_failed(context, found, AGAIN);
    let says = |target: &TargetReport| target.failure.as_ref().is_some_and(|f| f.code.is_refusal());
    let (findings, failed): (Vec<_>, Vec<_>) = found.iter().partition(|target| says(target));
    let exit = match (failed.is_empty(), findings.is_empty()) {
        (false, _) => Exit::Failed,
        (true, false) => Exit::Findings,
        (true, true) => Exit::Done,
    };
    let shown = Shown {
        verified: verified - failed.len().min(verified),
        findings: findings.into_iter().map(ShownFinding::of).collect(),
        failed: failed.into_iter().map(ShownFinding::of).collect(),
    };
    context.answer(&human(&shown, exit), &shown)?;
    Ok(exit)
}

fn human(shown: &Shown, exit: Exit) -> String {
    let line = |found: &ShownFinding| {
        let code = found.code.as_deref().unwrap_or("");
        let line = format!("  ✗ {:20} {code:8} {}", found.target, found.reason);
        text::printable(&line).trim_end().to_owned()
    };
    let mut lines: Vec<String> = shown.findings.iter().chain(&shown.failed).map(line).collect();
    if !lines.is_empty() {
        lines.push(String::new());
    }
    let databases = text::count(shown.verified, "database");
    lines.push(match (shown.findings.len(), shown.failed.len()) {
        (0, 0) => format!("{databases} verified: histories, markers and files agree."),
        (findings, 0) => format!("{databases} verified: {}.", text::count(findings, "finding")),
        (findings, failed) => format!(
            "{databases} verified: {}; {} could not be asked.",
            text::count(findings, "finding"),
            text::number(failed)
        ),
    });
    if exit != Exit::Done {
        lines.push(format!("\nexit {} ({})", exit.code(), exit.name()));
    }
    lines.join("\n")
}
