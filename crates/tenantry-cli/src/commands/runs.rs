//! One run from a command: signals, progress, report, exit code.

use std::time::Duration;

use tenantry::Direction;
use tenantry::fleet::{Fleet, FleetError, Request, Selected};
use tenantry::migration::Warning;
use tenantry::registry::{Run, RunTarget};
use tenantry::run::{Cause, Control, RunEvent, RunReport, RunStatus};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::again::Again;
use super::annotate::Annotator;
use super::opened::actor;
use super::{Context, Format, plans, unwritten};
use crate::args::Limits;
use crate::config::Project;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::interrupt::{Asked, Signals};
use crate::keys::Keys;
use crate::render::{Answers, Ending, Finished, Heard, RunView, Told};

/// What is carried out.
pub(super) enum Work {
    /// A run of its own, or the one of the same plan that is under way.
    New(Selected),
    /// What is left of a run that is paused, out of everything there is.
    TakeUp(Box<Run>, Selected),
    /// Nothing: a run that another process drives is shown.
    Watch(Box<Run>),
}

impl Work {
    /// Returns what may not do what its author thinks.
    fn warnings(&self) -> Vec<Warning> {
        match self {
            Self::New(selected) => selected.warnings(),
            Self::TakeUp(..) | Self::Watch(_) => Vec::new(),
        }
    }
}

/// What a command wants of its run.
pub(super) struct Asking<'a> {
    /// The command, as the registry keeps it.
    pub(super) command: String,
    /// Forwards or backwards.
    pub(super) direction: Direction,
    /// The run that is taken back.
    pub(super) reverts: Option<String>,
    /// The run whose work this one goes on with.
    pub(super) continues: Option<String>,
    /// How it is gone on with if something is left.
    pub(super) again: Again,
    /// The flags.
    pub(super) limits: &'a Limits,
}

impl<'a> Asking<'a> {
    /// Asks for a run forwards.
    pub(super) fn up(command: impl Into<String>, limits: &'a Limits) -> Self {
        Self {
            command: command.into(),
            direction: Direction::Up,
            reverts: None,
            continues: None,
            again: Again::Resume,
            limits,
        }
    }

    /// Says which run this one goes on with, by the first of its chain.
    pub(super) fn continuing(self, first_of_chain: &str) -> Self {
        Self {
            continues: Some(first_of_chain.to_owned()),
            ..self
        }
    }
}

/// Carries out what was selected, or shows what would be with `--dry-run`; returns how the process ends.
///
/// # Errors
/// TN-4003 if nothing was selected; what the registry says.
pub(super) async fn carry_out(
    context: &Context,
    project: &Project,
    fleet: &Fleet,
    selected: Selected,
    asking: Asking<'_>,
) -> Result<Exit, CommandError> {
    if selected.is_empty() {
        return empty_run(context, asking.limits);
    }
    if asking.limits.dry_run {
        return plans::show(context, fleet, selected).await.map(|(exit, _)| exit);
    }
    show(context, project, fleet, Work::New(selected), asking)
        .await?
        .tell()
}

/// A run that has ended, and what showed it.
pub(super) struct Ended {
    view: RunView,
    warnings: Vec<Told>,
    pub(super) exit: Exit,
    pub(super) report: RunReport,
    /// The commands that go on with what is left.
    again: Vec<String>,
    annotator: Annotator,
}

impl Ended {
    /// Tells how the run ended, and returns how the process ends.
    ///
    /// # Errors
    /// TN-1009 if that cannot be written. The exit code of a run that failed outranks it.
    pub(super) fn tell(self) -> Result<Exit, CommandError> {
        let ending = Ending {
            report: &self.report,
            exit: self.exit,
            again: self.again,
            warnings: &self.warnings,
        };
        let written = self.view.end(&ending);
        self.annotator.tell(&ending);
        written.map_err(|error| {
            let made = unwritten(&error);
            let exit = if self.exit == Exit::Done {
                made.exit
            } else {
                self.exit
            };
            CommandError { exit, ..made }
        })?;
        Ok(self.exit)
    }

    /// Tells what went wrong, and returns the rest as a part of a document.
    pub(super) fn into_part(mut self) -> Finished<'static> {
        let ending = Ending {
            report: &self.report,
            exit: self.exit,
            again: self.again,
            warnings: &self.warnings,
        };
        self.view.trouble(&ending);
        self.view.finished(&ending).with_targets(self.report.targets)
    }
}

/// Carries out a run and shows its progress; how it ended is left to tell.
///
/// # Errors
/// What the registry says.
pub(super) async fn show(
    context: &Context,
    project: &Project,
    fleet: &Fleet,
    work: Work,
    asking: Asking<'_>,
) -> Result<Ended, CommandError> {
    let request = Request {
        command: asking.command,
        actor: actor(&context.environment),
        reason: asking.limits.reason.clone(),
        direction: asking.direction,
        reverts: asking.reverts,
        continues: asking.continues,
    };
    let control = Control::default();
    let asked = Asked::default();
    let signals = signals()?;
    let (events, happens) = unbounded_channel();
    let (tell, notices) = unbounded_channel();
    let mut warnings = work.warnings();
    context.warn(&warnings);
    let mut view = RunView::new(&context.globals, &context.canvas);
    let (wish, wishes) = unbounded_channel();
    // The terminal is put back when this goes, whichever way that is.
    let keys = Keys::listen(view.listens(), wish);
    let stopping = signals.stop(control.clone(), asked.clone(), project.settings.grace, tell);
    let heard = Heard {
        events: happens,
        notices,
        wishes,
        control: control.clone(),
    };
    let working = async {
        let (report, ()) = tokio::join!(carry(fleet, work, &request, &control, events), view.follow(heard));
        report
    };
    let report = tokio::select! {
        report = working => report.map_err(|error| left_behind(error, asked.exit()))?,
        exit = stopping => {
            return Err(left_at_once(exit).help(asking.again.blind()));
        }
    };
    drop(keys);
    context.warn(&report.warnings);
    warnings.extend(report.warnings.iter().cloned());
    let exit = Exit::of_report(&report, asked.exit());
    Ok(Ended {
        view,
        warnings: Told::all(&warnings, &context.canvas.invocation),
        exit,
        again: again(&asking.again, &report, exit),
        annotator: Annotator::choose(context, asking.limits.annotations),
        report,
    })
}

/// Returns the commands that go on with what is left of a run.
fn again(again: &Again, report: &RunReport, exit: Exit) -> Vec<String> {
    if let Some(Cause::Gate { .. }) = report.cause {
        return vec![format!("tenantry run promote {}", report.run_id)];
    }
    if report.direction == Direction::Down && report.status == RunStatus::Paused {
        return vec![format!("tenantry run resume {}", report.run_id)];
    }
    if exit == Exit::RegistryDown {
        return again.telling_the_registry(&report.run_id);
    }
    let left = match again {
        // It finds them itself, and there may be very many.
        Again::Resume => Vec::new(),
        Again::Rollback { .. } => {
            let left = report
                .targets
                .iter()
                .filter(|target| !target.outcome.is_success());
            left.map(RunTarget::reported).collect()
        }
    };
    again.commands(&report.run_id, &left)
}

async fn carry(
    fleet: &Fleet,
    work: Work,
    request: &Request,
    control: &Control,
    events: UnboundedSender<RunEvent>,
) -> Result<RunReport, FleetError> {
    match work {
        Work::New(selected) => fleet.execute(selected, request, control, events).await,
        Work::TakeUp(run, everything) => fleet.take_up(&run, everything, control, events).await,
        Work::Watch(run) => fleet.watch(&run, control, events).await,
    }
}

/// A signal that ends the watching of a run ends nothing of the run.
fn left_behind(error: FleetError, signal: Option<Exit>) -> CommandError {
    let made = CommandError::from(error);
    match (made.exit, signal) {
        (Exit::Interrupted, Some(exit)) => CommandError { exit, ..made },
        (_, Some(_) | None) => made,
    }
}

/// Begins to listen for signals.
///
/// # Errors
/// TN-1008 if the system lets us not.
pub(super) fn signals() -> Result<Signals, CommandError> {
    Signals::listen().map_err(|error| {
        CommandError::new(Exit::Internal, "signals cannot be received")
            .code(tenantry::Code(1008))
            .fact("cause", error.to_string())
            .fact("state", "nothing ran")
    })
}

/// Says that nobody waited for the end of what runs.
pub(super) fn left_at_once(exit: Exit) -> CommandError {
    let title = "left at once; whatever runs is finished or undone by its database";
    CommandError::new(exit, title).code(tenantry::Code(4006))
}

/// Says that nothing was selected to look at, or to declare something about.
///
/// # Errors
/// TN-4003, unless `--allow-empty`.
pub(super) fn empty(context: &Context, limits: &Limits) -> Result<Exit, CommandError> {
    refuse_empty(limits)?;
    context.answer(NOBODY, &no_targets())?;
    Ok(Exit::Done)
}

/// Says that nothing was selected to run over.
///
/// # Errors
/// As [`empty`].
pub(super) fn empty_run(context: &Context, limits: &Limits) -> Result<Exit, CommandError> {
    refuse_empty(limits)?;
    no_run(context, limits, NOBODY, &no_targets())
}

/// Says that there was nothing to run; a stream ends as one of a run does.
///
/// # Errors
/// TN-1009 if it cannot be written.
pub(super) fn no_run(
    context: &Context,
    limits: &Limits,
    human: &str,
    json: &serde_json::Value,
) -> Result<Exit, CommandError> {
    if context.format != Format::Ndjson || limits.dry_run {
        context.answer(human, json)?;
        return Ok(Exit::Done);
    }
    let report = nothing();
    let ending = Ending {
        report: &report,
        exit: Exit::Done,
        again: Vec::new(),
        warnings: &[],
    };
    let mut stream = Answers::default();
    stream.version();
    context.end(stream, human, &Finished::of(&ending, &context.canvas.invocation))?;
    Ok(Exit::Done)
}

/// The report of a run that there was no need of.
fn nothing() -> RunReport {
    RunReport {
        run_id: String::new(),
        direction: Direction::Up,
        status: RunStatus::Completed,
        targets: Vec::new(),
        duration: Duration::ZERO,
        warnings: Vec::new(),
        unrecorded: None,
        cause: None,
    }
}

const NOBODY: &str = "Nothing is selected.";

fn no_targets() -> serde_json::Value {
    serde_json::json!({ "targets": [] })
}

fn refuse_empty(limits: &Limits) -> Result<(), CommandError> {
    if limits.allow_empty {
        return Ok(());
    }
    Err(
        CommandError::new(Exit::Empty, "nothing is selected: no tenant with a database fits")
            .code(tenantry::Code(4003))
            .fact("state", "nothing ran")
            .help("who is there:  tenantry tenant list")
            .help("an empty selection is fine:  --allow-empty"),
    )
}
