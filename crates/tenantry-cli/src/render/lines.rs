//! A run as lines with a time: never redrawn, at least one every ten seconds.

use std::time::Instant;

use tenantry::engine::{Recorded, TakenUp};
use tenantry::run::{Outcome, RunEvent, TargetReport};

use super::failure;
use super::tally::Tally;
use super::text;
use crate::clock::Utc;

/// How many targets a run may have so that every one of them gets its line.
pub(crate) const FEW: usize = 50;

/// Whether targets that went through get a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Only what failed or is tried again; everything if there are few targets.
    Usual,
    /// Every target.
    Every,
}

impl Detail {
    /// Returns whether a target gets its line, in a run of so many.
    pub(crate) fn shows(self, target: &TargetReport, total: usize) -> bool {
        match self {
            Self::Every => true,
            Self::Usual => {
                let cancelled = matches!(target.outcome, Outcome::Cancelled);
                total <= FEW || cancelled || target.outcome.is_failure()
            }
        }
    }
}

/// Returns the line of an event, after it was counted; `None` for those without one.
pub(crate) fn event(event: &RunEvent, tally: &Tally, detail: Detail, at: Utc) -> Option<String> {
    let run = &tally.run_id;
    let line = |what: &str, rest: &str| {
        let line = format!("{} {run} {what:<8} {rest}", at.time_of_day());
        Some(text::printable(line.trim_end()))
    };
    match event {
        RunEvent::Started(start) => line(
            "start",
            &format!("targets={} concurrency={}", start.targets, start.concurrency),
        ),
        RunEvent::Waiting { label, reason } => line("WAIT", &format!("{label} {reason}")),
        RunEvent::Retrying {
            label,
            code,
            reason,
            pause,
        } => line(
            "RETRY",
            &format!("{label} {code} {reason}; again in {}", text::elapsed(*pause)),
        ),
        RunEvent::TargetFinished(target) if detail.shows(target, tally.total) => {
            let word = word(target);
            let taken = text::elapsed_short(target.duration);
            let rest = format!("{} {taken} {}/{}", finished(target), tally.done, tally.total);
            line(word, &rest)
        }
        RunEvent::TargetFinished(_)
        | RunEvent::TargetStarted(_)
        | RunEvent::MigrationStarted { .. }
        | RunEvent::MigrationFinished { .. }
        | _ => None,
    }
}

/// Returns the line that says that the run is alive.
pub(crate) fn heartbeat(tally: &Tally, now: Instant, at: Utc) -> String {
    let left = tally.left(now).map_or("unknown".to_owned(), text::elapsed_short);
    let oldest = tally.oldest(now).map_or(String::new(), |(label, age)| {
        format!(" oldest={label}:{}", text::elapsed_short(age))
    });
    format!(
        "{} {} progress {}/{} {}% rate={:.1}/s left={left} running={} failed={}{oldest}",
        at.time_of_day(),
        tally.run_id,
        tally.done,
        tally.total,
        tally.percent(),
        tally.rate(now),
        tally.running.len(),
        tally.failed,
    )
}

/// Returns the word of an outcome: capitals where somebody must look.
pub(crate) fn word(target: &TargetReport) -> &'static str {
    if target.outcome.is_failure() {
        "FAIL"
    } else if target.outcome.is_success() {
        "ok"
    } else {
        "-"
    }
}

/// Says what became of a target, in one line.
pub(crate) fn finished(target: &TargetReport) -> String {
    let server = target
        .server
        .as_ref()
        .map_or(String::new(), |server| format!(" {server}"));
    format!("{}{server} {}", target.label, became(target))
}

/// Says what became of a target, without its name.
pub(crate) fn became(target: &TargetReport) -> String {
    match &target.failure {
        Some(failure) => {
            let place = failure::place(failure).map_or(String::new(), |place| format!("{place} "));
            format!("{place}{} {}", failure.code, failure::short(failure))
        }
        None if target.outcome.is_success() => {
            let version = failure::version(target.to);
            match (target.migrations.len(), target.to) {
                (0, None) => "current, nothing to apply".to_owned(),
                (0, Some(_)) => format!("current at {version}"),
                (n, _) => format!(
                    "{} to {version}{}",
                    text::count(n, "migration"),
                    taken_up(&target.migrations)
                ),
            }
        }
        None => target.outcome.as_str().to_owned(),
    }
}

/// Says how many were taken up that an earlier attempt had left half-way, and how; empty if there was none.
fn taken_up(migrations: &[Recorded]) -> String {
    let said = [TakenUp::Adopted, TakenUp::Repaired, TakenUp::Resumed].map(|how| {
        let many = migrations.iter().filter(|m| m.taken_up == Some(how)).count();
        (many > 0).then(|| format!(", {many} {}", how.as_str()))
    });
    said.into_iter().flatten().collect()
}
