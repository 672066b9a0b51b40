//! `migrate plan` and `--dry-run`: what would run where. Asks every database, writes nothing.

use std::collections::BTreeMap;

use serde::Serialize;
use tenantry::Direction;
use tenantry::engine::Engine;
use tenantry::fleet::{Fleet, Selected, Tiers};
use tenantry::migration::{Script, Version};
use tenantry::plan::Goal;
use tenantry::run::{Control, Preview};

use super::opened::{self, block_on};
use super::{Context, runs};
use crate::args::{Chosen, Limits};
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::text;

/// What is asked of `migrate plan`.
pub(super) struct Question<'a> {
    pub(super) chosen: &'a Chosen,
    pub(super) to: Option<Version>,
    pub(super) tiers: Tiers,
}

/// Carries out `migrate plan`; returns whether something is pending.
///
/// # Errors
/// What opening the project says; TN-4003 if nothing is selected.
pub(super) fn run(context: &Context, question: &Question<'_>) -> Result<(Exit, bool), CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &Limits::default()).await?;
        let mut selected = fleet
            .select(&opened::selection(question.chosen), question.tiers)
            .await?;
        if selected.is_empty() {
            return runs::empty(context, &Limits::default()).map(|exit| (exit, false));
        }
        if let Some(version) = question.to {
            selected.aim(&Goal::UpTo(version))?;
        }
        show(context, &fleet, &selected).await
    })
}

#[derive(Serialize)]
struct Planned {
    tracks: Vec<TrackPlan>,
    current: usize,
    refused: Vec<Refused>,
    left_out: Vec<String>,
}

#[derive(Serialize)]
struct TrackPlan {
    track: String,
    head: Option<String>,
    migrations: Vec<MigrationPlan>,
    targets: usize,
}

#[derive(Clone, Serialize)]
struct MigrationPlan {
    version: String,
    name: String,
    direction: String,
    statements: usize,
    transactional: bool,
    targets: usize,
}

#[derive(Serialize)]
struct Refused {
    target: String,
    code: String,
    reason: String,
}

/// Asks every selected database and shows what would run; returns whether something is pending.
///
/// # Errors
/// None of its own; a database that cannot be asked is listed.
pub(super) async fn show(
    context: &Context,
    fleet: &Fleet,
    selected: &Selected,
) -> Result<(Exit, bool), CommandError> {
    let previews = fleet.preview(selected, &Control::default()).await;
    let planned = planned(selected, &previews);
    let pending = planned.tracks.iter().any(|track| !track.migrations.is_empty());
    context.answer(&human(&planned), &planned);
    let exit = if planned.refused.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    };
    Ok((exit, pending))
}

/// Migrations by version and direction.
type ByVersion = BTreeMap<(i64, String), MigrationPlan>;

fn planned(selected: &Selected, previews: &[Preview]) -> Planned {
    let mut tracks: BTreeMap<String, (TrackPlan, ByVersion)> = BTreeMap::new();
    let mut refused = Vec::new();
    let mut current = 0;
    for preview in previews {
        let (plan, _) = match &preview.planned {
            Ok(planned) => planned,
            Err(failure) => {
                refused.push(Refused {
                    target: preview.target.label(),
                    code: failure.code.to_string(),
                    reason: failure.what.clone(),
                });
                continue;
            }
        };
        let engine = preview.target.address.engine();
        let name = preview.target.track.to_string();
        let (track, migrations) = tracks.entry(name.clone()).or_insert_with(|| {
            let read = selected.tracks.find(&preview.target.track, engine);
            let head = read.and_then(|t| t.migrations.last()).map(|m| m.label());
            (
                TrackPlan {
                    track: name,
                    head,
                    migrations: Vec::new(),
                    targets: 0,
                },
                BTreeMap::new(),
            )
        });
        current += usize::from(plan.steps.is_empty());
        track.targets += usize::from(!plan.steps.is_empty());
        for step in &plan.steps {
            let key = (step.migration.version.number(), step.direction.to_string());
            let entry = migrations.entry(key).or_insert_with(|| MigrationPlan {
                version: step.migration.version.to_string(),
                name: step.migration.name.clone(),
                direction: step.direction.to_string(),
                statements: step.script().statements.len(),
                transactional: is_transactional(engine, step.script()),
                targets: 0,
            });
            entry.targets += 1;
        }
    }
    let tracks = tracks.into_values().map(|(track, migrations)| TrackPlan {
        migrations: in_order(migrations),
        ..track
    });
    let left_out = selected
        .left_out
        .iter()
        .map(|t| format!("{} ({})", t.label, t.outcome.as_str()))
        .collect();
    Planned {
        tracks: tracks.collect(),
        current,
        refused,
        left_out,
    }
}

/// Returns the migrations in the order in which they run: back from the newest, forwards from the oldest.
fn in_order(migrations: ByVersion) -> Vec<MigrationPlan> {
    let (back, ahead): (Vec<_>, Vec<_>) = migrations.into_values().partition(is_back);
    back.into_iter().rev().chain(ahead).collect()
}

fn is_back(migration: &MigrationPlan) -> bool {
    migration.direction == Direction::Down.to_string()
}

fn is_transactional(engine: Engine, script: &Script) -> bool {
    engine.has_transactional_ddl() && !script.directives.no_transaction
}

fn human(planned: &Planned) -> String {
    let mut lines = Vec::new();
    let mut migrations = 0;
    for track in planned.tracks.iter().filter(|track| !track.migrations.is_empty()) {
        let head = track.head.as_deref().unwrap_or("nothing");
        lines.push(format!("Track {} · head {head}\n", text::printable(&track.track)));
        let width = track.migrations.iter().map(|m| label(m).chars().count()).max();
        for migration in &track.migrations {
            migrations += migration.targets;
            lines.push(format!("  {}", row(migration, width.unwrap_or(0))));
        }
        lines.push(String::new());
    }
    for refused in &planned.refused {
        lines.push(format!(
            "  ✗ {}  {}  {}",
            refused.target,
            refused.code,
            text::printable(&refused.reason)
        ));
    }
    if !planned.left_out.is_empty() {
        lines.push(format!(
            "  left out: {}",
            text::names(planned.left_out.iter().map(String::as_str))
        ));
    }
    let targets: usize = planned.tracks.iter().map(|track| track.targets).sum();
    let is_down = planned
        .tracks
        .iter()
        .flat_map(|track| &track.migrations)
        .any(is_back);
    let (verb, rest) = if is_down {
        ("revert", "with nothing to revert")
    } else {
        ("carry out", "current")
    };
    if targets == 0 {
        lines.push(format!(
            "Nothing is pending: {} current.",
            text::count(planned.current, "target")
        ));
    } else {
        lines.push(format!(
            "Plan: {}, {} to {verb}; {} {rest}.",
            text::count(targets, "target"),
            text::count(migrations, "migration"),
            text::number(planned.current)
        ));
    }
    lines.join("\n")
}

fn label(migration: &MigrationPlan) -> String {
    let back = if is_back(migration) { "  (back)" } else { "" };
    format!("{}_{}{back}", migration.version, migration.name)
}

fn row(migration: &MigrationPlan, width: usize) -> String {
    let line = format!(
        "{:width$}   {:13}  {:10}  {}",
        label(migration),
        text::count(migration.statements, "statement"),
        text::count(migration.targets, "target"),
        if migration.transactional {
            ""
        } else {
            "NOT in a transaction"
        },
    );
    line.trim_end().to_owned()
}
