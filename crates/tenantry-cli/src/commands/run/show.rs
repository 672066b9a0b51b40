//! `run show`: what a run did, what failed and why, what is left of it.

use serde::Serialize;
use tenantry::fleet::waves_of;
use tenantry::registry::{Driven, Run, RunTarget};
use tenantry::run::{Driver, Outcome, RunReport, RunStatus, TargetState};

use super::super::Context;
use super::super::again::Again;
use super::super::opened::{self, block_on};
use super::list::Listed;
use super::{Seen, find, see};
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
    wave: usize,
    /// Until when nothing begins behind the wave; `null` while it is worked on.
    soaks_until: Option<String>,
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
        let seen = see(&fleet, find(&fleet, given).await?).await?;
        let rows = fleet.registry.targets_of(&seen.run.id).await?;
        let report = fleet.report_of(&seen.run.id).await?;
        let go_on = seen.go_on(&fleet).await?;
        let human = human(context, (&seen, &go_on), &report, &rows, detail);
        context.answer(&human, &shown(&seen, &report, &rows, detail))?;
        Ok(Exit::Done)
    })
}

fn listed(row: &RunTarget, detail: Detail) -> bool {
    match detail {
        Detail::Groups | Detail::Failed => row.outcome.is_failure(),
        Detail::All => true,
    }
}

fn shown(seen: &Seen, report: &RunReport, rows: &[RunTarget], detail: Detail) -> Shown {
    let run = &seen.run;
    let waves = run.rollout.as_deref().map(waves_of).unwrap_or_default();
    let pairs = rows
        .iter()
        .zip(&report.targets)
        .filter(|(row, _)| listed(row, detail));
    Shown {
        run: Listed::of(seen),
        driver: run.driver.as_deref().map(Driver::for_people),
        wave: run.wave,
        soaks_until: run.soaks_until.map(|at| Utc::of_micros(at).rfc3339()),
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
    (seen, go_on): (&Seen, &[String]),
    report: &RunReport,
    rows: &[RunTarget],
    detail: Detail,
) -> String {
    let mut parts = vec![text::printable(&head(seen, rows))];
    let run = &seen.run;
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
    parts.extend(left(rows).map(|left| text::printable(&left)));
    parts.push(text::printable(&next(seen, go_on, rows)));
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

fn head(seen: &Seen, rows: &[RunTarget]) -> String {
    let (run, driven) = (&seen.run, &seen.driven);
    let command = run.command.replace('\n', " ");
    let mut lines = vec![format!("{}   {command}   {}", run.id, seen.standing())];
    let mut line = |what: &str, value: String| lines.push(format!("  {what:<9}{value}"));
    let by = run
        .reason
        .as_ref()
        .map_or(String::new(), |reason| format!(": {reason}"));
    let by = format!("{}{by}", run.actor);
    line("by", by.replace('\n', " "));
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
    if let Some(until) = soaks(seen) {
        line("soaks", until);
    }
    line("targets", counts(run, rows));
    lines.join("\n")
}

/// Says until when nothing begins; `None` where nothing waits for that.
fn soaks(seen: &Seen) -> Option<String> {
    let run = &seen.run;
    let is_open = run.status.is_none_or(|status| status == RunStatus::Paused);
    let until = run
        .soaks_until
        .filter(|until| is_open && Utc::of_micros(*until) > Utc::now())?;
    let waves = waves_of(run.rollout.as_deref().unwrap_or_default());
    let (wave, _) = waves.get(run.wave)?;
    let until = Utc::of_micros(until).rfc3339();
    Some(text::printable(&format!("behind `{wave}` until {until}")))
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
fn next(seen: &Seen, go_on: &[String], rows: &[RunTarget]) -> String {
    let (run, id) = (&seen.run, &seen.run.id);
    let is_left = rows
        .iter()
        .any(|row| !row.outcome.is_success() && row.outcome != Outcome::Skipped);
    match &seen.driven {
        Driven::By(_) => format!("Watch:  tenantry run watch {id}\nPause:  tenantry run pause {id}"),
        Driven::Over(_) if run.cause.as_deref() == Some("gate") => {
            format!("Go on:  tenantry run promote {id}\nEnd it: tenantry run cancel {id}")
        }
        Driven::ByNobody(_) => {
            let lines: Vec<String> = go_on.iter().map(|command| format!("Go on:  {command}")).collect();
            lines.join("\n")
        }
        Driven::Over(_) if is_left => format!("Retry:  tenantry migrate resume {id}"),
        Driven::Over(_) => String::new(),
    }
}
