//! `run show`: what a run did, what failed and why, what is left of it.

use serde::Serialize;
use tenantry::fleet::waves_of;
use tenantry::registry::{Driven, Run, RunTarget};
use tenantry::run::{Driver, Outcome, RunReport, TargetState};

use super::super::Context;
use super::super::again::Again;
use super::super::opened::{self, block_on};
use super::list::Listed;
use super::{find, standing};
use crate::args::Limits;
use crate::clock::Utc;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::failure::groups;
use crate::render::{self, Table, Target, text};

/// How many names are shown of those that were not run.
const NAMES: usize = 5;

/// Which targets are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Detail {
    /// None: failures in groups, the rest as numbers.
    Groups,
    /// Those that failed.
    Failed,
    /// All.
    All,
}

/// A run with its targets.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    run: Listed,
    driver: Option<String>,
    driven: bool,
    wave: usize,
    waves: Vec<ShownWave>,
    targets_listed: Vec<ShownTarget>,
}

#[derive(Debug, Serialize)]
struct ShownWave {
    name: String,
    targets: usize,
}

#[derive(Debug, Serialize)]
struct ShownTarget {
    state: &'static str,
    wave: usize,
    #[serde(flatten)]
    target: Target,
}

/// Shows a run.
///
/// # Errors
/// TN-4009 for an unknown run; what the registry says.
pub(in super::super) fn show(
    context: &Context,
    given: Option<&str>,
    detail: Detail,
) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &Limits::default()).await?;
        let run = find(&fleet, given).await?;
        let rows = fleet.registry.targets_of(&run.id).await?;
        let report = fleet.report_of(&run.id).await?;
        let driven = fleet.registry.driven(&run.id, &Driver::this()).await?;
        let human = human(context, &run, &report, &rows, (&driven, detail));
        context.answer(&human, &shown(&run, &report, &rows, (&driven, detail)))?;
        Ok(Exit::Done)
    })
}

fn listed(row: &RunTarget, detail: Detail) -> bool {
    match detail {
        Detail::Groups | Detail::Failed => row.outcome.is_failure(),
        Detail::All => true,
    }
}

fn shown(run: &Run, report: &RunReport, rows: &[RunTarget], (driven, detail): (&Driven, Detail)) -> Shown {
    let waves = run.rollout.as_deref().map(waves_of).unwrap_or_default();
    let pairs = rows
        .iter()
        .zip(&report.targets)
        .filter(|(row, _)| listed(row, detail));
    Shown {
        run: Listed::of(run),
        driver: run.driver.as_deref().map(Driver::for_people),
        driven: matches!(driven, Driven::By(_)),
        wave: run.wave,
        waves: waves
            .into_iter()
            .map(|(name, targets)| ShownWave { name, targets })
            .collect(),
        targets_listed: pairs
            .map(|(row, target)| ShownTarget {
                state: row.state.as_str(),
                wave: row.wave,
                target: Target::of(target),
            })
            .collect(),
    }
}

fn human(
    context: &Context,
    run: &Run,
    report: &RunReport,
    rows: &[RunTarget],
    (driven, detail): (&Driven, Detail),
) -> String {
    let mut parts = vec![head(run, rows, driven)];
    if detail == Detail::All {
        parts.push(table(rows).draw());
    }
    let again = Again::Resume.commands(&run.id, rows);
    let groups = groups(report);
    if detail == Detail::Failed {
        let messages = groups
            .iter()
            .map(|group| render::message(&group.message(&again), &context.canvas));
        parts.extend(messages);
    } else if !groups.is_empty() {
        let lines: Vec<String> = groups
            .iter()
            .flat_map(|group| render::group_lines(group, &context.canvas))
            .collect();
        parts.push(lines.join("\n"));
    }
    parts.extend(left(rows));
    parts.push(next(run, rows, driven));
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

fn head(run: &Run, rows: &[RunTarget], driven: &Driven) -> String {
    let mut lines = vec![format!("{}   {}   {}", run.id, run.command, standing(run))];
    let mut line = |what: &str, value: String| lines.push(format!("  {what:<9}{value}"));
    let by = run
        .reason
        .as_ref()
        .map_or(String::new(), |reason| format!(": {reason}"));
    line("by", format!("{}{by}", text::printable(&run.actor)));
    let finished = run.finished_at.map_or(String::new(), |at| {
        format!(" to {}", Utc::of_micros(at).rfc3339())
    });
    line(
        "time",
        format!("{}{finished}", Utc::of_micros(run.started_at).rfc3339()),
    );
    match driven {
        Driven::By(name) => line("driver", Driver::for_people(name)),
        Driven::ByNobody(name) => line("driver", format!("{}, which is gone", Driver::for_people(name))),
        Driven::Over(_) => {}
    }
    let waves = run.rollout.as_deref().map(waves_of).unwrap_or_default();
    if !waves.is_empty() {
        let name = |(name, targets): &(String, usize)| format!("{name} {}", text::number(*targets));
        line("waves", waves.iter().map(name).collect::<Vec<_>>().join(" → "));
    }
    line("targets", counts(run, rows));
    lines.join("\n")
}

fn counts(run: &Run, rows: &[RunTarget]) -> String {
    let count = |fits: &dyn Fn(&RunTarget) -> bool| rows.iter().filter(|row| fits(row)).count();
    let seen = usize::try_from(run.found_current).unwrap_or(usize::MAX);
    let under_way = |row: &RunTarget| {
        matches!(
            row.state,
            TargetState::Leased | TargetState::Running | TargetState::RetryWait
        )
    };
    let waits = |row: &RunTarget| row.outcome == Outcome::NotRun && row.state == TargetState::Pending;
    let parts = [
        (count(&|row| row.outcome == Outcome::Applied), "applied"),
        (count(&|row| row.outcome == Outcome::Current) + seen, "current"),
        (count(&|row| row.outcome.is_failure()), "failed"),
        (count(&under_way), "under way"),
        (count(&waits), "not run"),
        (count(&|row| row.outcome == Outcome::Cancelled), "cancelled"),
        (count(&|row| row.outcome == Outcome::Skipped), "skipped"),
    ];
    let told = parts.into_iter().filter(|(n, _)| *n > 0);
    told.map(|(n, what)| format!("{} {what}", text::number(n)))
        .collect::<Vec<_>>()
        .join(" · ")
}

/// Names those that were not run.
fn left(rows: &[RunTarget]) -> Option<String> {
    let left: Vec<&str> = rows
        .iter()
        .filter(|row| row.outcome == Outcome::NotRun && row.state == TargetState::Pending)
        .map(|row| row.label.as_str())
        .collect();
    if left.is_empty() {
        return None;
    }
    let names = left.iter().take(NAMES).copied().collect::<Vec<_>>().join(", ");
    let more = left.len().saturating_sub(NAMES);
    let more = if more > 0 {
        format!(" and {} more", text::number(more))
    } else {
        String::new()
    };
    Some(format!("Not run: {names}{more}"))
}

fn table(rows: &[RunTarget]) -> Table {
    let mut table = Table::new(&[
        "TARGET", "SERVER", "STATE", "OUTCOME", "AT", "TRIES", "MS", "ERROR",
    ]);
    for row in rows {
        table.row(&[
            row.label.clone(),
            row.server.clone().unwrap_or_default(),
            row.state.as_str().to_owned(),
            row.outcome.as_str().to_owned(),
            row.to_version
                .map_or(String::new(), |version| version.to_string()),
            row.attempts.to_string(),
            row.duration_ms.to_string(),
            row.error_code.map_or(String::new(), |code| code.to_string()),
        ]);
    }
    table
}

/// Says what can be done with the run.
fn next(run: &Run, rows: &[RunTarget], driven: &Driven) -> String {
    let id = &run.id;
    let is_left = rows
        .iter()
        .any(|row| !row.outcome.is_success() && row.outcome != Outcome::Skipped);
    match driven {
        Driven::By(_) => format!("Watch:  tenantry run watch {id}\nPause:  tenantry run pause {id}"),
        Driven::Over(_) if run.cause.as_deref() == Some("gate") => {
            format!("Go on:  tenantry run promote {id}\nEnd it: tenantry run cancel {id}")
        }
        Driven::ByNobody(_) => format!("Go on:  tenantry migrate resume {id}"),
        Driven::Over(_) if is_left => format!("Retry:  tenantry migrate resume {id}"),
        Driven::Over(_) => String::new(),
    }
}
