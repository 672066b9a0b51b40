//! `migrate status`: how far the fleet or one tenant is, from the registry or from every database.

use std::collections::BTreeMap;

use serde::Serialize;
use tenantry::fleet::{Fleet, Tiers};
use tenantry::history::Phase;
use tenantry::migration::Version;
use tenantry::registry::{FleetStatus, NotCurrent};
use tenantry::run::{Control, Outcome, Preview};
use tenantry::{Pattern, Selection, TrackName};

use super::opened::{self, block_on};
use super::{Context, plans, runs};
use crate::args::{Chosen, Limits};
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::text;

/// How wide the longest bar is, in characters.
const BAR: usize = 40;
/// How many targets are listed by name.
const LISTED: usize = 20;

/// What is asked of `migrate status`.
pub(super) struct Question<'a> {
    pub(super) tenant: Option<&'a str>,
    pub(super) chosen: &'a Chosen,
    pub(super) live: bool,
}

/// Carries out `migrate status`; returns whether something is behind.
///
/// # Errors
/// TN-6002 for an unknown tenant; what opening the project says.
pub(super) fn run(context: &Context, question: &Question<'_>) -> Result<(Exit, bool), CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &Limits::default()).await?;
        if let Some(tenant) = question.tenant {
            return one(context, &fleet, tenant).await;
        }
        if question.live || !question.chosen.is_everything() {
            let selected = fleet
                .select(&opened::selection(question.chosen), Tiers::Both)
                .await?;
            if selected.is_empty() {
                return runs::empty(context, &Limits::default()).map(|exit| (exit, false));
            }
            return plans::show(context, &fleet, &selected).await;
        }
        from_registry(context, &fleet).await
    })
}

#[derive(Serialize)]
struct Shown {
    tracks: Vec<ShownTrack>,
    not_current: Vec<ShownTarget>,
    tenants: BTreeMap<&'static str, u64>,
    live: bool,
}

#[derive(Serialize)]
struct ShownTrack {
    track: String,
    head: Option<String>,
    total: u64,
    current: u64,
    behind: u64,
    failed: u64,
    by_version: BTreeMap<String, u64>,
}

#[derive(Serialize)]
struct ShownTarget {
    target: String,
    track: String,
    server: String,
    version: Option<String>,
    outcome: Option<&'static str>,
    code: Option<String>,
}

async fn from_registry(context: &Context, fleet: &Fleet) -> Result<(Exit, bool), CommandError> {
    let status = fleet.registry.fleet_status().await?;
    let mut heads: BTreeMap<String, Option<(Version, String)>> = BTreeMap::new();
    for group in &status.groups {
        let name = group.track.to_string();
        if let std::collections::btree_map::Entry::Vacant(unread) = heads.entry(name) {
            unread.insert(head(fleet, &group.track).await?);
        }
    }
    let shown = shown(&status, &heads);
    let behind = shown.tracks.iter().any(|track| track.current < track.total);
    context.answer(&human(&shown, &status), &shown)?;
    Ok((Exit::Done, behind))
}

/// Returns the newest migration of a track, in the SQL of the first engine that has it: versions are the same
/// for all.
async fn head(fleet: &Fleet, track: &TrackName) -> Result<Option<(Version, String)>, CommandError> {
    let engines: Vec<_> = fleet
        .registry
        .servers()
        .await?
        .into_iter()
        .map(|server| server.engine)
        .collect();
    let Some(engine) = engines.first() else {
        return Ok(None);
    };
    let read = fleet.folders.read(track, *engine)?;
    Ok(read.migrations.last().map(|m| (m.version, m.label())))
}

fn shown(status: &FleetStatus, heads: &BTreeMap<String, Option<(Version, String)>>) -> Shown {
    let mut tracks: BTreeMap<String, ShownTrack> = BTreeMap::new();
    for group in &status.groups {
        let name = group.track.to_string();
        let head = heads.get(&name).cloned().flatten();
        let track = tracks.entry(name.clone()).or_insert_with(|| ShownTrack {
            track: name,
            head: head.as_ref().map(|(_, label)| label.clone()),
            total: 0,
            current: 0,
            behind: 0,
            failed: 0,
            by_version: BTreeMap::new(),
        });
        let at_head = group.version == head.map(|(version, _)| version);
        let failed = group.outcome.is_some_and(Outcome::is_failure);
        track.total += group.databases;
        match (failed, at_head) {
            (true, _) => track.failed += group.databases,
            (false, true) => track.current += group.databases,
            (false, false) => track.behind += group.databases,
        }
        let version = group.version.map_or_else(|| "none".to_owned(), |v| v.to_string());
        *track.by_version.entry(version).or_default() += group.databases;
    }
    let mut tracks: Vec<ShownTrack> = tracks.into_values().collect();
    // The shared databases first: the products' databases wait for them.
    tracks.sort_by_key(|track| track.track != "tenant");
    Shown {
        tracks,
        not_current: status.not_current.iter().map(target).collect(),
        tenants: status
            .tenants
            .iter()
            .map(|(status, count)| (status.as_str(), *count))
            .collect(),
        live: false,
    }
}

fn target(found: &NotCurrent) -> ShownTarget {
    ShownTarget {
        target: found.label.clone(),
        track: found.track.to_string(),
        server: found.server.to_string(),
        version: found.version.map(|v| v.to_string()),
        outcome: found.outcome.map(Outcome::as_str),
        code: found.error_code.map(|code| code.to_string()),
    }
}

fn human(shown: &Shown, status: &FleetStatus) -> String {
    let tenants: u64 = status.tenants.iter().map(|(_, count)| count).sum();
    let mut lines = vec![
        format!(
            "Fleet   {}            from the registry (--live asks them all)",
            text::count(usize::try_from(tenants).unwrap_or(usize::MAX), "tenant")
        ),
        String::new(),
    ];
    if shown.tracks.is_empty() {
        lines.push("No database yet:  tenantry tenant create <slug>".to_owned());
    }
    for (at, track) in shown.tracks.iter().enumerate() {
        if at > 0 {
            lines.push(String::new());
        }
        lines.push(format!(
            "{:16} head {}",
            track.track,
            track.head.as_deref().unwrap_or("nothing")
        ));
        for (mark, word, count) in [
            ("●", "current", track.current),
            ("○", "behind", track.behind),
            ("✗", "failed", track.failed),
        ] {
            if count > 0 || word == "current" {
                let line = format!(
                    "  {mark} {word:8} {count:>7}  {:>5.1}%  {}",
                    percent(count, track.total),
                    bar(count, track.total)
                );
                lines.push(line.trim_end().to_owned());
            }
        }
    }
    lines.extend(what_next(shown));
    lines.join("\n")
}

/// Names the targets that need somebody, and says which command is next.
fn what_next(shown: &Shown) -> Vec<String> {
    let need = &shown.not_current;
    if need.is_empty() {
        let is_behind = shown.tracks.iter().any(|track| track.behind > 0);
        let next = "\nNext:  tenantry migrate plan      then  tenantry migrate all";
        return is_behind.then(|| next.to_owned()).into_iter().collect();
    }
    let mut lines = vec![String::new()];
    for target in need.iter().take(LISTED) {
        let code = target.code.as_deref().unwrap_or("");
        let line = format!(
            "  ✗ {:20} {:14} {} {code}",
            target.target,
            target.server,
            target.outcome.unwrap_or("never run")
        );
        lines.push(line.trim_end().to_owned());
    }
    if need.len() > LISTED {
        let more = need.len() - LISTED;
        lines.push(format!("  … and {more} more (--json lists them all)"));
    }
    let (count, verb) = (
        text::number(need.len()),
        if need.len() == 1 { "needs" } else { "need" },
    );
    lines.push(format!("\n{count} {verb} you:  tenantry migrate resume"));
    lines
}

#[expect(clippy::cast_precision_loss, reason = "a percentage with one digit")]
fn percent(count: u64, total: u64) -> f64 {
    if total == 0 {
        0.0
    } else {
        count as f64 * 100.0 / total as f64
    }
}

fn bar(count: u64, total: u64) -> String {
    if count == 0 || total == 0 {
        return String::new();
    }
    let width = u64::try_from(BAR).unwrap_or(0);
    let cells = usize::try_from(count * width / total).unwrap_or(0);
    "█".repeat(cells.max(1))
}

#[derive(Serialize)]
struct ShownOne {
    tenant: String,
    id: String,
    databases: Vec<ShownHistory>,
}

#[derive(Serialize)]
struct ShownHistory {
    track: String,
    server: String,
    database: String,
    applied: Vec<ShownRow>,
    pending: Vec<String>,
    problem: Option<String>,
}

#[derive(Serialize)]
struct ShownRow {
    migration: String,
    phase: &'static str,
    done_at: Option<String>,
    duration_ms: u64,
    run: String,
}

/// Shows every migration of one tenant's databases; asks them.
async fn one(context: &Context, fleet: &Fleet, given: &str) -> Result<(Exit, bool), CommandError> {
    let tenant = fleet.registry.find_tenant(given).await?;
    let selection = Selection {
        only: vec![Pattern::new(tenant.id.as_str())],
        ..Selection::default()
    };
    let selected = fleet.select(&selection, Tiers::Both).await?;
    let previews = fleet.preview(&selected, &Control::default()).await;
    let mut databases: Vec<ShownHistory> = previews.iter().map(history).collect();
    for left in selected.left_out {
        databases.push(ShownHistory {
            track: left.track.to_string(),
            server: String::new(),
            database: String::new(),
            applied: Vec::new(),
            pending: Vec::new(),
            problem: left
                .failure
                .map(|f| f.what)
                .or_else(|| Some(left.outcome.as_str().to_owned())),
        });
    }
    let behind = databases
        .iter()
        .any(|d| !d.pending.is_empty() || d.problem.is_some());
    let shown = ShownOne {
        tenant: tenant.slug.to_string(),
        id: tenant.id.to_string(),
        databases,
    };
    context.answer(&human_one(&shown), &shown)?;
    Ok((Exit::Done, behind))
}

fn history(preview: &Preview) -> ShownHistory {
    let (applied, pending, problem) = match &preview.planned {
        Ok((plan, history)) => {
            let rows = history.of_track(&preview.target.track).map(|row| ShownRow {
                migration: format!("{}_{}", row.version, row.name),
                phase: row.phase.as_str(),
                done_at: row.done_at.clone(),
                duration_ms: row.duration_ms,
                run: row.run_id.clone(),
            });
            (
                rows.collect(),
                plan.steps.iter().map(|s| s.migration.label()).collect(),
                None,
            )
        }
        Err(failure) => (
            Vec::new(),
            Vec::new(),
            Some(format!("{}  {}", failure.code, failure.what)),
        ),
    };
    ShownHistory {
        track: preview.target.track.to_string(),
        server: preview
            .target
            .server
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        database: preview.target.address.database().to_owned(),
        applied,
        pending,
        problem,
    }
}

/// Writes a time to the second: `2026-03-21 10:31:00Z`.
fn to_second(time: &str) -> String {
    let whole = time.split_once('.').map_or(time, |(whole, _)| whole);
    let zone = if whole.len() < time.len() { "Z" } else { "" };
    format!("{}{zone}", whole.replacen('T', " ", 1))
}

fn human_one(shown: &ShownOne) -> String {
    let mut lines = vec![format!("{}   {}", shown.tenant, shown.id)];
    let names = shown
        .databases
        .iter()
        .flat_map(|d| d.applied.iter().map(|row| &row.migration).chain(&d.pending));
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
    for database in &shown.databases {
        lines.push(format!(
            "\n{}   {}   {}",
            database.track, database.server, database.database
        ));
        for row in &database.applied {
            let done = row.phase == Phase::Done.as_str();
            let time = row.done_at.as_deref().filter(|_| done).map(to_second);
            let (mark, at) = match time {
                Some(time) => ("●", time),
                None => ("◪", row.phase.to_owned()),
            };
            lines.push(format!("  {mark} {:width$}  {at:20}  {}", row.migration, row.run));
        }
        for pending in &database.pending {
            lines.push(format!("  ○ {pending:width$}  pending"));
        }
        if let Some(problem) = &database.problem {
            lines.push(format!("  ✗ {}", text::printable(problem)));
        }
    }
    if shown.databases.iter().any(|d| !d.pending.is_empty()) {
        lines.push(format!("\nNext:  tenantry migrate tenant {}", shown.tenant));
    }
    lines.join("\n")
}
