//! `migrate status <tenant>`: every migration of one tenant's databases, as they say themselves.

use serde::Serialize;
use tenantry::fleet::{Fleet, Tiers};
use tenantry::history::Phase;
use tenantry::migration::Warning;
use tenantry::registry::MarkRecord;
use tenantry::run::Preview;
use tenantry::{Selection, Tenant, TenantStatus};

use super::super::look::look;
use super::super::planned::failed;
use super::super::{Context, plans};
use super::{gather, view};
use crate::clock::Utc;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::{Told, text};

#[derive(Serialize)]
struct ShownOne {
    tenant: String,
    id: String,
    status: &'static str,
    databases: Vec<ShownHistory>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unfinished: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Told>,
}

#[derive(Serialize)]
struct ShownHistory {
    track: String,
    server: String,
    database: String,
    applied: Vec<ShownRow>,
    pending: Vec<String>,
    problem: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    marks: Vec<ShownMark>,
}

#[derive(Serialize)]
struct ShownRow {
    migration: String,
    phase: &'static str,
    done_at: Option<String>,
    duration_ms: u64,
    run: String,
}

/// What a person declared of this database.
#[derive(Serialize)]
struct ShownMark {
    mark: String,
    says: String,
    version: String,
    at: String,
    by: String,
    reason: String,
}

/// Shows every migration of one tenant's databases; asks them.
///
/// # Errors
/// TN-6002 for an unknown tenant; what the registry says.
pub(super) async fn show(
    context: &Context,
    fleet: &Fleet,
    given: &str,
) -> Result<(Exit, bool), CommandError> {
    let tenant = fleet.registry.find_tenant(given).await?;
    let selected = fleet.select(&Selection::of(&tenant), Tiers::Both).await?;
    let previews = look(context, fleet, &selected).await;
    let failed = failed(&selected, &previews);
    let mut warnings = selected.warnings_of(&previews);
    // What a file holds is told before it runs; here it is about what the databases have.
    warnings.retain(Warning::is_about_the_file);
    context.warn(&warnings);
    let mut databases = Vec::new();
    for preview in &previews {
        let marks = fleet.registry.marks_of(&preview.target.database_id).await?;
        databases.push(history(preview, &marks));
    }
    for left in selected.left_out.iter().filter(|left| left.failure.is_some()) {
        databases.push(ShownHistory {
            track: left.track.to_string(),
            server: String::new(),
            database: String::new(),
            applied: Vec::new(),
            pending: Vec::new(),
            problem: left.failure.as_ref().map(|f| format!("{}  {}", f.code, f.what)),
            marks: Vec::new(),
        });
    }
    let behind = databases
        .iter()
        .any(|d| has_something_to_do(d) || d.problem.is_some());
    let again = format!("tenantry migrate status {}", tenant.slug);
    let exit = plans::tell_failed(context, &failed, &again);
    let shown = ShownOne {
        tenant: tenant.slug.to_string(),
        id: tenant.id.to_string(),
        status: tenant.status.as_str(),
        databases,
        unfinished: gather::unfinished(selected.tracks.iter().map(AsRef::as_ref)),
        warnings: Told::all(&warnings, &context.canvas.invocation),
    };
    let mut human = human(&shown, context.canvas.width);
    human.extend(view::unfinished(&shown.unfinished));
    human.extend(next(&shown, &tenant));
    if exit != Exit::Done {
        human.push(format!("\nexit {} ({})", exit.code(), exit.name()));
    }
    context.answer(&text::printable(&human.join("\n")), &shown)?;
    Ok((exit, behind))
}

fn history(preview: &Preview, marks: &[MarkRecord]) -> ShownHistory {
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
                // What has begun stands among the rows.
                plan.steps
                    .iter()
                    .filter(|step| {
                        history
                            .find(&preview.target.track, step.migration.version)
                            .is_none()
                    })
                    .map(|step| step.migration.label())
                    .collect(),
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
        marks: marks.iter().map(ShownMark::of).collect(),
    }
}

impl ShownRow {
    fn is_half_way(&self) -> bool {
        self.phase != Phase::Done.as_str()
    }
}

impl ShownMark {
    fn of(mark: &MarkRecord) -> Self {
        Self {
            mark: mark.id.clone(),
            says: mark.says.clone(),
            version: mark.version.to_string(),
            at: Utc::of_micros(mark.started_at).rfc3339(),
            by: mark.actor.clone(),
            reason: mark.reason.clone(),
        }
    }

    fn human(&self, width: usize) -> String {
        let Self {
            mark,
            says,
            version,
            at,
            by,
            reason,
        } = self;
        let line = format!("  {mark}  {}  {version} {says}, by {by}: {reason}", to_second(at));
        text::wrap(&text::printable(&line), width, 4)
    }
}

/// Writes a time to the second: `2026-03-21 10:31:00Z`.
fn to_second(time: &str) -> String {
    let whole = time.split_once('.').map_or(time, |(whole, _)| whole);
    let zone = if whole.len() < time.len() { "Z" } else { "" };
    format!("{}{zone}", whole.replacen('T', " ", 1))
}

/// Whether the next run has something to do in it.
fn has_something_to_do(database: &ShownHistory) -> bool {
    !database.pending.is_empty() || database.applied.iter().any(ShownRow::is_half_way)
}

/// Says what comes next: the migrations that are pending or half-way, or the rest of a creation.
fn next(shown: &ShownOne, tenant: &Tenant) -> Option<String> {
    let commands = match tenant.status {
        TenantStatus::Provisioning => vec![format!(
            "tenantry tenant create {} --jurisdiction {}",
            tenant.slug, tenant.jurisdiction
        )],
        // A run forwards would apply anew what somebody wanted to be gone.
        TenantStatus::Active if shown.databases.iter().any(is_on_its_way_back) => {
            let back = shown.databases.iter().filter(|d| is_on_its_way_back(d));
            back.map(|database| backwards(shown, database)).collect()
        }
        TenantStatus::Active if shown.databases.iter().any(has_something_to_do) => vec![forwards(shown)],
        TenantStatus::Active | TenantStatus::Suspended | TenantStatus::Deleting => Vec::new(),
    };
    (!commands.is_empty()).then(|| format!("\nNext:  {}", commands.join("\n       ")))
}

fn is_on_its_way_back(database: &ShownHistory) -> bool {
    let reverting = Phase::Reverting.as_str();
    database.applied.iter().any(|row| row.phase == reverting)
}

/// Returns the command that finishes a way back: what is half-way is the newest.
fn backwards(shown: &ShownOne, database: &ShownHistory) -> String {
    let tenant = &shown.tenant;
    match database.track.strip_prefix("product:") {
        Some(product) => format!("tenantry migrate rollback --only {tenant} --product {product} --step 1"),
        None => format!("tenantry migrate rollback {tenant} --step 1"),
    }
}

/// Returns the command for what is to be done: in the shared database, the products', or both.
fn forwards(shown: &ShownOne) -> String {
    let behind = || shown.databases.iter().filter(|d| has_something_to_do(d));
    let is_shared = |database: &&ShownHistory| database.track == "tenant";
    if behind().all(|database| is_shared(&database)) {
        format!("tenantry migrate tenant {}", shown.tenant)
    } else if behind().any(|database| is_shared(&database)) {
        format!("tenantry migrate all --only {}", shown.tenant)
    } else {
        format!("tenantry migrate products --only {}", shown.tenant)
    }
}

fn human(shown: &ShownOne, width: usize) -> Vec<String> {
    let mut lines = vec![format!("{}   {}", shown.tenant, shown.id)];
    if shown.status != TenantStatus::Active.as_str() {
        lines.push(format!("{}: runs leave it out", shown.status));
    }
    let names = shown
        .databases
        .iter()
        .flat_map(|d| d.applied.iter().map(|row| &row.migration).chain(&d.pending));
    let longest = names.map(|name| name.chars().count()).max().unwrap_or(0);
    for database in &shown.databases {
        lines.push(format!(
            "\n{}   {}   {}",
            database.track, database.server, database.database
        ));
        for row in &database.applied {
            let time = row
                .done_at
                .as_deref()
                .filter(|_| !row.is_half_way())
                .map(to_second);
            let (mark, at) = match time {
                Some(time) => ("●", time),
                None => ("◪", row.phase.to_owned()),
            };
            let line = format!("  {mark} {:longest$}  {at:20}  {}", row.migration, row.run);
            // A tenant can write its history; it must not write lines of ours.
            lines.push(line.replace('\n', " "));
        }
        if database.applied.iter().any(ShownRow::is_half_way) {
            let line =
                "  ◪ is half-way: the next run resumes it, or says what has to be decided about it first";
            lines.push(text::wrap(line, width, 4));
        }
        for pending in &database.pending {
            lines.push(format!("  ○ {pending:longest$}  pending"));
        }
        lines.extend(database.marks.iter().map(|mark| mark.human(width)));
        if let Some(problem) = &database.problem {
            let line = format!("  ✗ {}", text::printable(problem));
            lines.push(text::wrap(&line, width, 4));
        }
    }
    lines
}
