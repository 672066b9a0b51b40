//! The end of a run: what was done, what was not and why, what is true now, what to do next.

use tenantry::engine::StateAfter;
use tenantry::run::{Outcome, RunReport, RunStatus};
use tenantry::{Code, Direction, TrackName};

use super::advice::Then;
use super::failure::{Group, groups, place};
use super::message::{Canvas, help_lines};
use super::text;
use super::view::Ending;
use crate::exit::Exit;

/// Refusals of targets that an earlier run left half-way.
const HALF_BEFORE: [Code; 2] = [Code(3009), Code(3010)];

/// Where the text after the first word begins.
const INDENT: usize = 9;

/// A space that no line is broken at.
const TIED: &str = "\u{a0}";

/// The longest rule over the block.
const RULE: usize = 78;

/// Draws the last block of a run.
pub(crate) fn summary(ending: &Ending<'_>, canvas: &Canvas) -> String {
    let (report, exit) = (ending.report, ending.exit);
    let mut lines = vec!["─".repeat(canvas.width.min(RULE)), headline(report, canvas)];
    let groups = groups(report);
    if !groups.is_empty() {
        lines.push(String::new());
    }
    for group in &groups {
        lines.extend(group_lines(group, canvas));
    }
    lines.push(String::new());
    lines.extend(state(&groups).map(|state| text::wrap(&state, canvas.width, 0)));
    for (word, line) in next(ending, &groups) {
        let line = text::printable(&canvas.invocation.fill(&line));
        lines.extend(help_lines(&format!("{word:8}"), &line, canvas.width));
    }
    if exit != Exit::Done {
        lines.push(format!("exit {} ({})", exit.code(), exit.name()));
    }
    lines.join("\n")
}

fn headline(report: &RunReport, canvas: &Canvas) -> String {
    let total = report.targets.len();
    let (applied, current) = (report.count(Outcome::Applied), report.count(Outcome::Current));
    let migrations: usize = report.targets.iter().map(|target| target.migrations.len()).sum();
    let (failed, waiting) = (report.failed().count(), report.not_run().count());
    let noun = noun(total, report.targets.iter().map(|target| &target.track));
    let (done, untouched, nobody) = match report.direction {
        Direction::Up => ("migrated", "already current", "all current"),
        Direction::Down => ("rolled back", "with nothing to take back", "nothing to take back"),
    };
    let mut parts = vec![match (applied, total) {
        (0, 1) if current == 1 => untouched.to_owned(),
        (0, _) if current == total => format!("{} {noun}, {nobody}", text::number(total)),
        _ => format!(
            "{} of {} {noun} {done}",
            text::number(applied),
            text::number(total)
        ),
    }];
    let mut part = |n: usize, what: &str| {
        if n > 0 {
            parts.push(format!("{} {what}", text::number(n)));
        }
    };
    part(if applied > 0 { current } else { 0 }, untouched);
    part(failed, "failed");
    part(waiting, "not run");
    part(report.count(Outcome::Skipped), "skipped");
    if migrations > 0 {
        parts.push(text::count(migrations, "migration"));
    }
    parts.push(text::elapsed(report.duration));
    parts.push(report.run_id.clone());
    let word = match report.status {
        RunStatus::Completed => "Done",
        RunStatus::Interrupted | RunStatus::Stopped => "Stopped",
        RunStatus::Paused => "Paused",
        RunStatus::Cancelled => "Ended",
    };
    let painted = match (failed, waiting) {
        (0, 0) => canvas.paint.green(word),
        (0, _) => canvas.paint.yellow(word),
        _ => canvas.paint.red(word),
    };
    // A number stays with what it counts.
    let parts: Vec<String> = parts.iter().map(|part| part.replace(' ', TIED)).collect();
    let text = text::wrap(&format!("{word:>7}  {}", parts.join(" · ")), canvas.width, INDENT);
    text.replace(TIED, " ").replacen(word, &painted, 1)
}

/// Returns what the targets are, for so many of them: `tenants` if all of them are.
pub(super) fn noun<'a>(
    targets: usize,
    mut tracks: impl Iterator<Item = &'a TrackName> + Clone,
) -> &'static str {
    let one = targets == 1;
    if targets > 0 && tracks.clone().all(|track| *track == TrackName::Tenant) {
        if one { "tenant" } else { "tenants" }
    } else if tracks.all(|track| matches!(track, TrackName::Product(_))) {
        if one {
            "product database"
        } else {
            "product databases"
        }
    } else if one {
        "database"
    } else {
        "databases"
    }
}

/// Draws what targets have in common that failed in the same way, and who they are.
pub(crate) fn group_lines(group: &Group<'_>, canvas: &Canvas) -> Vec<String> {
    let count = format!("{:>6}", text::number(group.targets.len()));
    let glyph = canvas.paint.red("✗");
    let place = place(group.failure).map_or(String::new(), |place| format!("  {place}"));
    let what = format!("{count} ✗ {} {}{place}", group.failure.code, group.short());
    let names = format!("{:INDENT$}{}", "", text::names(group.labels()));
    vec![
        text::wrap(&what, canvas.width, INDENT).replacen('✗', &glyph, 1),
        text::wrap(&names, canvas.width, INDENT),
    ]
}

/// Says whether anything is half-way, and whether it resumes by itself.
fn state(groups: &[Group<'_>]) -> Option<String> {
    if groups.is_empty() {
        return None;
    }
    let names = |wanted: fn(&StateAfter) -> bool| {
        let chosen = groups.iter().filter(|group| wanted(&group.failure.state));
        chosen.flat_map(Group::labels).collect::<Vec<_>>()
    };
    let half = names(|state| matches!(state, StateAfter::HalfWay { .. }));
    let unknown = names(|state| matches!(state, StateAfter::Unknown));
    let unclear = names(|state| matches!(state, StateAfter::Ambiguous | StateAfter::SessionLost { .. }));
    let mut sentences = Vec::new();
    if !half.is_empty() {
        let (n, names) = (text::number(half.len()), text::names(half));
        sentences.push(format!("Half-way, and resumed by the next run ({n}): {names}."));
    }
    if !unclear.is_empty() {
        let (n, names) = (text::number(unclear.len()), text::names(unclear));
        sentences.push(format!("Half-way, and in need of a decision ({n}): {names}."));
    }
    if !unknown.is_empty() {
        let (n, names) = (text::number(unknown.len()), text::names(unknown));
        sentences.push(format!(
            "Not known, and found out by the next run ({n}): {names}."
        ));
    }
    if sentences.is_empty() {
        let half_before = groups
            .iter()
            .any(|group| HALF_BEFORE.contains(&group.failure.code));
        let sentence = if half_before {
            "This run left nothing half-way; what was half-way before it still is."
        } else {
            "Nothing is half-way: what failed was rolled back or not touched."
        };
        sentences.push(sentence.to_owned());
    }
    Some(sentences.join(" "))
}

/// Returns what comes next, each line with the word before it: what goes on with the run, or what shows that it is done.
fn next(ending: &Ending<'_>, groups: &[Group<'_>]) -> Vec<(&'static str, String)> {
    let exit = ending.exit;
    let mut lines = Vec::new();
    if let Some(group) = groups.first() {
        lines.push(("Why:", format!("tenantry explain {}", group.failure.code)));
    }
    let steps = Steps::of(ending, groups);
    lines.extend(steps.first.iter().map(|first| ("First:", first.clone())));
    for again in steps.again {
        let stopped = matches!(exit, Exit::Interrupted | Exit::Terminated | Exit::Stopped);
        let word = match (&steps.first, stopped) {
            (Some(_), _) => "Then:",
            (None, true) => "Go on:",
            (None, false) => "Retry:",
        };
        lines.push((word, again));
    }
    if exit == Exit::Done {
        lines.push(("Look:", "tenantry migrate status".to_owned()));
    } else if exit == Exit::Empty {
        lines.push(("Look:", "tenantry tenant list".to_owned()));
    }
    lines
}

/// What comes after a run that is not done.
#[derive(Debug, Default)]
struct Steps {
    /// What has to be done before another try.
    first: Option<String>,
    /// The commands that go on with the run; none where there is nothing left to try.
    again: Vec<String>,
}

impl Steps {
    fn of(ending: &Ending<'_>, groups: &[Group<'_>]) -> Self {
        if matches!(ending.exit, Exit::Done | Exit::Empty) {
            return Self::default();
        }
        let all: Vec<_> = groups.iter().map(Group::advice).collect();
        let waits = ending.report.not_run().next().is_some() || all.is_empty();
        let is_tried = waits || all.iter().any(|advice| advice.then == Then::Again);
        Self {
            first: all.into_iter().find_map(|advice| advice.first.into_iter().next()),
            again: if is_tried {
                ending.again.clone()
            } else {
                Vec::new()
            },
        }
    }
}

/// Returns what comes next as lines for programs; empty after a run that is done.
pub(crate) fn help(ending: &Ending<'_>) -> Vec<String> {
    let Steps { first, again } = Steps::of(ending, &groups(ending.report));
    first.into_iter().chain(again).collect()
}
