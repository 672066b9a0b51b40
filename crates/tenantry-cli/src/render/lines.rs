//! A run as lines with a time: never redrawn, at least one every ten seconds.

use std::time::{Duration, Instant};

use tenantry::Direction;
use tenantry::engine::{Recorded, TakenUp};
use tenantry::run::{Outcome, RunEvent, RunReport, Start, TargetReport, Then};

use super::again::Again;
use super::failure;
use super::tally::Tally;
use super::text;
use crate::clock::Utc;
use crate::exit::Exit;

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
                // Who did not run is told by the end, which says why.
                let not_run = target.outcome == Outcome::NotRun;
                let cancelled = target.outcome == Outcome::Cancelled;
                (total <= FEW && !not_run) || cancelled || target.outcome.is_failure()
            }
        }
    }
}

/// The wave of the targets that stand for all others.
pub(crate) const CANARY: &str = "canary";

/// Returns the line of an event, after it was counted; `None` for those without one.
pub(crate) fn event(event: &RunEvent, tally: &Tally, detail: Detail, at: Utc) -> Option<String> {
    let (word, rest) = match event {
        RunEvent::Started(start) => ("start", started(start)),
        RunEvent::Attached { driver, .. } => ("attached", format!("driven by {driver}")),
        RunEvent::TakenOver { from, .. } => ("taken-over", format!("from {from}")),
        RunEvent::WaveStarted { wave, targets, .. } => ("wave", format!("{wave} started targets={targets}")),
        RunEvent::WaveFinished { wave, soak, then, .. } => {
            ("wave", format!("{wave} finished{}", behind(*soak, *then)))
        }
        RunEvent::Waiting { label, reason } => ("WAIT", format!("{label} {reason}")),
        RunEvent::Retrying { .. } | RunEvent::PutBack { .. } => {
            let again = Again::of(event)?;
            (Again::WORD, format!("{} {}", again.label, again.text()))
        }
        RunEvent::Slow {
            label,
            migration,
            after,
            ..
        } => {
            let server = tally.server_of(label);
            let after = text::elapsed_short(*after);
            let gap = if server.is_empty() { "" } else { " " };
            ("SLOW", format!("{label}{gap}{server} {migration} >{after}"))
        }
        RunEvent::RegistryAway { reason } => ("registry", format!("away: {reason}")),
        RunEvent::RegistryBack => ("registry", "back".to_owned()),
        RunEvent::TargetFinished(target) if detail.shows(target, tally.total) => {
            (word(target), ended(target, tally))
        }
        RunEvent::TargetFinished(_)
        | RunEvent::TargetStarted(_)
        | RunEvent::MigrationStarted { .. }
        | RunEvent::MigrationFinished { .. }
        | _ => return None,
    };
    Some(line(tally, word, &rest, at))
}

/// Writes a line with its time, its run and its word.
fn line(tally: &Tally, word: &str, rest: &str, at: Utc) -> String {
    let line = format!("{} {} {word:<8} {rest}", at.time_of_day(), tally.run_id);
    text::printable(line.trim_end())
}

fn started(start: &Start) -> String {
    let mut parts = vec![format!("targets={}", start.targets)];
    if start.direction == Direction::Down {
        parts.push("direction=down".to_owned());
    }
    let counts = [
        ("done", start.done.0),
        ("migrations", start.migrations.len()),
        ("current", start.current),
        ("skipped", start.skipped),
    ];
    let counts = counts.into_iter().filter(|(_, n)| *n > 0);
    parts.extend(counts.map(|(what, n)| format!("{what}={n}")));
    if !start.waves.is_empty() {
        let waves = start.waves.iter().map(|(name, n)| format!("{name}:{n}"));
        parts.push(format!("waves={}", waves.collect::<Vec<_>>().join(",")));
    }
    parts.push(format!("concurrency={}", start.concurrency));
    parts.join(" ")
}

fn behind(soak: Duration, then: Then) -> String {
    match then {
        Then::Pause => " gate".to_owned(),
        Then::GoOn if soak.is_zero() => String::new(),
        Then::GoOn => format!(" soak={}", text::elapsed_short(soak)),
    }
}

fn ended(target: &TargetReport, tally: &Tally) -> String {
    let taken = text::elapsed_short(target.duration);
    let canary = if tally.wave == CANARY { " (canary)" } else { "" };
    format!(
        "{} {taken}{canary} {}/{}",
        finished(target),
        tally.done,
        tally.total
    )
}

/// Returns the line that says how a run ended.
pub(crate) fn finish(report: &RunReport, exit: Exit, at: Utc) -> String {
    format!(
        "{} {} finish   ok={} failed={} skipped={} not_run={} elapsed={} exit={}",
        at.time_of_day(),
        report.run_id,
        report.success().count(),
        report.failed().count(),
        report.count(Outcome::Skipped),
        report.not_run().count(),
        text::elapsed_short(report.duration),
        exit.code(),
    )
}

/// Returns the line that says that the run is alive.
pub(crate) fn heartbeat(tally: &Tally, now: Instant, at: Utc) -> String {
    let left = tally.left(now).map_or("unknown".to_owned(), text::elapsed_short);
    let oldest = tally.oldest(now).map_or(String::new(), |(label, age)| {
        format!(" oldest={label}:{}", text::elapsed_short(age))
    });
    let soak = tally.soaks(now).map_or(String::new(), |left| {
        format!(" wave={} soak={}", tally.wave, text::elapsed_short(left))
    });
    let line = format!(
        "{} {} progress {}/{} {}% rate={:.1}/s left={left} running={} failed={}{oldest}{soak}",
        at.time_of_day(),
        tally.run_id,
        tally.done,
        tally.total,
        tally.percent(),
        tally.rate(now),
        tally.running.len(),
        tally.failed,
    );
    text::printable(&line)
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
