//! `run list`: the newest runs, a line each.

use serde::Serialize;
use tenantry::registry::{Driven, Which};
use tenantry::run::Outcome;

use super::super::Context;
use super::super::opened::{self, block_on};
use super::{Seen, see};
use crate::args::Limits;
use crate::clock::Utc;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::{Table, text};

/// A run in a list.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    run: String,
    command: String,
    direction: String,
    status: &'static str,
    /// Whether a process works on it now.
    driven: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    actor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    started_at: String,
    finished_at: Option<String>,
    targets: u64,
    ok: u64,
    failed: u64,
    not_run: u64,
}

impl Listed {
    /// Converts a run.
    pub(super) fn of(seen: &Seen) -> Self {
        let run = &seen.run;
        let count = |fits: &dyn Fn(Outcome) -> bool| -> u64 {
            run.counts
                .iter()
                .filter(|(outcome, _)| fits(**outcome))
                .map(|(_, n)| n)
                .sum()
        };
        Self {
            run: run.id.clone(),
            command: run.command.clone(),
            direction: run.direction.to_string(),
            status: seen.status(),
            driven: matches!(seen.driven, Driven::By(_)),
            cause: seen.cause().map(str::to_owned),
            actor: run.actor.clone(),
            reason: run.reason.clone(),
            started_at: Utc::of_micros(run.started_at).rfc3339(),
            finished_at: run.finished_at.map(|at| Utc::of_micros(at).rfc3339()),
            targets: count(&|_| true) + run.found_current,
            ok: count(&Outcome::is_success) + run.found_current,
            failed: count(&Outcome::is_failure),
            not_run: count(&|outcome| matches!(outcome, Outcome::NotRun | Outcome::Cancelled)),
        }
    }
}

/// Lists the newest runs.
///
/// # Errors
/// What the registry says.
pub(in super::super) fn list(context: &Context, which: Which, limit: u16) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &Limits::default()).await?;
        let mut runs = Vec::new();
        for run in fleet.registry.runs(which, u64::from(limit)).await? {
            runs.push(see(&fleet, run).await?);
        }
        let hidden = match which {
            Which::All => 0,
            Which::OverTheFleet => fleet.registry.creations().await?,
        };
        if runs.is_empty() {
            context.say("There is no run yet.");
        }
        let human = if runs.is_empty() {
            String::new()
        } else {
            table(&runs).draw()
        };
        let items: Vec<Listed> = runs.iter().map(Listed::of).collect();
        let document = serde_json::json!({ "items": items, "next": null, "hidden": hidden });
        context.answer_unless_empty(&human, &document)?;
        // Beside the answer, whose lines are runs.
        for seen in &runs {
            for command in seen.go_on(&fleet).await? {
                context.say(&text::printable(&format!(
                    "{} lost its driver; it is gone on with by:  {command}",
                    seen.run.id
                )));
            }
        }
        if let Some(line) = not_shown(hidden) {
            context.say(&line);
        }
        Ok(Exit::Done)
    })
}

/// Says how many runs are not in the list; `None` if all are.
fn not_shown(hidden: u64) -> Option<String> {
    let hidden = usize::try_from(hidden).unwrap_or(usize::MAX);
    (hidden > 0).then(|| {
        format!(
            "{} of new databases not shown; with them:  tenantry run list --all",
            text::count(hidden, "run")
        )
    })
}

fn table(runs: &[Seen]) -> Table {
    let header = [
        "RUN",
        "STARTED UTC",
        "BY",
        "COMMAND",
        "STATUS",
        "TARGETS",
        "OK",
        "FAILED",
        "NOT RUN",
        "TOOK",
    ];
    let mut table = Table::new(&header);
    for seen in runs {
        let (listed, run) = (Listed::of(seen), &seen.run);
        let took = run
            .finished_at
            .and_then(|end| u64::try_from(end - run.started_at).ok());
        let took = took.map_or("-".to_owned(), |took| {
            text::elapsed_short(std::time::Duration::from_micros(took))
        });
        table.row(&[
            listed.run,
            Utc::of_micros(run.started_at).minute(),
            listed.actor,
            listed.command,
            seen.standing(),
            listed.targets.to_string(),
            listed.ok.to_string(),
            listed.failed.to_string(),
            listed.not_run.to_string(),
            took,
        ]);
    }
    table
}
