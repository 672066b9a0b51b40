//! `run show`: what a run did, what failed and why, what is left of it.

use serde::Serialize;
use tenantry::fleet::{Fleet, waves_of};
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
use crate::render::failure::{Group, groups};
use crate::render::{self, Table, Target, text};

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
        let next = text::printable(&next(&fleet, &seen).await?);
        let human = human(context, (&seen, next), &report, &rows, detail);
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
        soaks_until: soaks_until(run).map(|at| Utc::of_micros(at).rfc3339()),
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
    (seen, next): (&Seen, String),
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
            .map(|group| with_names(&render::message(&group.message(&again), &context.canvas), group));
        parts.extend(messages);
    } else if !groups.is_empty() {
        let lines: Vec<String> = groups
            .iter()
            .flat_map(|group| render::group_lines(group, &context.canvas))
            .collect();
        parts.push(lines.join("\n"));
    }
    parts.extend(left(rows).map(|left| text::printable(&left)));
    parts.push(next);
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

/// Adds everybody who failed so, where the message names the first alone.
fn with_names(message: &str, group: &Group<'_>) -> String {
    let labels: Vec<&str> = group.labels().collect();
    if labels.len() <= text::NAMES {
        return message.to_owned();
    }
    // One line each, to be looked for and copied.
    format!("{message}\n\n  {}", labels.join("\n  "))
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
    line("targets", counts(seen, rows));
    lines.join("\n")
}

/// Returns until when nothing begins; `None` for a run that has ended.
fn soaks_until(run: &Run) -> Option<i64> {
    let is_open = run.status.is_none_or(|status| status == RunStatus::Paused);
    run.soaks_until.filter(|_| is_open)
}

/// Says until when nothing begins; `None` where nothing waits for that.
fn soaks(seen: &Seen) -> Option<String> {
    let run = &seen.run;
    let until = soaks_until(run).filter(|until| Utc::of_micros(*until) > Utc::now())?;
    let waves = waves_of(run.rollout.as_deref().unwrap_or_default());
    let (wave, _) = waves.get(run.wave)?;
    let until = Utc::of_micros(until).rfc3339();
    Some(text::printable(&format!("behind `{wave}` until {until}")))
}

fn counts(seen: &Seen, rows: &[RunTarget]) -> String {
    let count = |fits: &dyn Fn(&RunTarget) -> bool| rows.iter().filter(|row| fits(row)).count();
    let found_current = usize::try_from(seen.run.found_current).unwrap_or(usize::MAX);
    // What a driver had begun that died, whoever went on with it.
    let begun = match seen.driven {
        Driven::By(_) => "under way",
        Driven::ByNobody(_) | Driven::Over(_) => "cut off",
    };
    let under_way = |row: &RunTarget| {
        matches!(
            row.state,
            TargetState::Leased | TargetState::Running | TargetState::RetryWait
        )
    };
    let waits = |row: &RunTarget| row.outcome == Outcome::NotRun && row.state == TargetState::Pending;
    let parts = [
        (count(&|row| row.outcome == Outcome::Applied), "applied"),
        (
            count(&|row| row.outcome == Outcome::Current) + found_current,
            "current",
        ),
        (count(&|row| row.outcome.is_failure()), "failed"),
        (count(&under_way), begun),
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
    Some(format!("Not run: {}", text::names(left)))
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
async fn next(fleet: &Fleet, seen: &Seen) -> Result<String, CommandError> {
    let id = &seen.run.id;
    let (what, commands) = match &seen.driven {
        Driven::By(_) => {
            return Ok(format!(
                "Watch:  tenantry run watch {id}\nPause:  tenantry run pause {id}"
            ));
        }
        Driven::Over(RunStatus::Paused) => {
            let goes_on = if seen.is_at_gate() { "promote" } else { "resume" };
            return Ok(format!(
                "Go on:  tenantry run {goes_on} {id}\nEnd it: tenantry run cancel {id}"
            ));
        }
        Driven::ByNobody(_) => ("Go on", seen.go_on(fleet).await?),
        Driven::Over(_) => ("Retry", seen.again(fleet).await?),
    };
    let lines: Vec<String> = commands
        .iter()
        .map(|command| format!("{what}:  {command}"))
        .collect();
    Ok(lines.join("\n"))
}
