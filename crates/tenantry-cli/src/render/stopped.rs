//! The message about a run that ended before every target was tried, and why it did.

use tenantry::Code;
use tenantry::run::{Cause, Rule, RunReport, RunStatus};

use super::{Ending, text};
use crate::exit::Exit;
use crate::failure::Message;

/// Says why a run began nothing more; `None` if nothing stopped it but a signal to this process, which was told when it came.
pub(super) fn message(ending: &Ending<'_>) -> Option<Message> {
    let (report, again) = (ending.report, &ending.again);
    let waiting = report.not_run().count();
    if waiting == 0 {
        return None;
    }
    let run = &report.run_id;
    let Some(cause) = &report.cause else {
        let is_elsewhere = report.status == RunStatus::Interrupted && ending.exit == Exit::Stopped;
        return is_elsewhere.then(|| Message {
            code: Some(Code(4006)),
            title: format!("{run} was interrupted where it was driven"),
            facts: vec![("state", state(report, waiting))],
            help: again.clone(),
            ..Message::default()
        });
    };
    let (code, title, rule) = heading(cause, run);
    let mut facts = vec![("state", state(report, waiting))];
    facts.extend(rule.map(|rule| ("rule", rule.to_owned())));
    let help = match cause {
        Cause::Gate { .. } => vec![
            format!("tenantry run promote {run}"),
            format!("or give it up:  tenantry run cancel {run}"),
        ],
        Cause::Asked => vec![format!("tenantry run resume {run}")],
        Cause::Rule(_) | Cause::RegistryLost | Cause::TakenOver => again.clone(),
    };
    Some(Message {
        code,
        title,
        facts,
        help,
        ..Message::default()
    })
}

/// Returns the code and the title for a cause, and the flag behind it.
fn heading(cause: &Cause, run: &str) -> (Option<Code>, String, Option<&'static str>) {
    match cause {
        Cause::Rule(Rule::Canary) => (
            Some(Code(4002)),
            format!("{run} stopped: a canary failed"),
            Some("--canary"),
        ),
        Cause::Rule(Rule::NoCanary) => (
            Some(Code(4002)),
            format!("{run} stopped: no canary could be tried"),
            Some("--canary"),
        ),
        Cause::Rule(Rule::MaxFailures { most }) => (
            Some(Code(4002)),
            format!("{run} stopped: more than {} targets failed", text::number(*most)),
            Some("--max-failures"),
        ),
        Cause::Rule(Rule::SameError { first }) => (
            Some(Code(4002)),
            format!(
                "{run} stopped: the first {} targets that finished failed alike",
                text::number(*first)
            ),
            Some("--same-error"),
        ),
        Cause::Gate { wave, .. } => (
            Some(Code(4015)),
            format!("{run} waits behind the wave `{wave}`"),
            None,
        ),
        Cause::Asked => (None, format!("{run} is paused, as somebody asked"), None),
        Cause::RegistryLost => (
            Some(Code(6009)),
            format!("{run} began nothing more: the registry does not answer"),
            None,
        ),
        Cause::TakenOver => (None, format!("{run} was taken over by another process"), None),
    }
}

fn state(report: &RunReport, waiting: usize) -> String {
    format!(
        "{} done, {} failed, {} not run: {}",
        text::number(report.success().count()),
        text::number(report.failed().count()),
        text::number(waiting),
        text::names(report.not_run().map(|target| target.label.as_str()))
    )
}
