//! The end of a run: what was done, what was not and why, what is true now, what to do next.

use tenantry::engine::StateAfter;
use tenantry::run::{Outcome, RunReport, RunStatus};
use tenantry::{Direction, TrackName};

use super::failure::{Group, groups, place, short};
use super::message::Canvas;
use super::text;
use super::view::Ending;
use crate::exit::Exit;

/// Where the text after the first word begins.
const INDENT: usize = 9;

/// The longest rule over the block.
const RULE: usize = 78;

/// Draws the last block of a run.
pub(crate) fn summary(ending: &Ending<'_>, canvas: Canvas) -> String {
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
    lines.extend(next(ending));
    if exit != Exit::Done {
        lines.push(format!("exit {} ({})", exit.code(), exit.name()));
    }
    lines.join("\n")
}

fn headline(report: &RunReport, canvas: Canvas) -> String {
    let total = report.targets.len();
    let (applied, current) = (report.count(Outcome::Applied), report.count(Outcome::Current));
    let migrations: usize = report.targets.iter().map(|target| target.migrations.len()).sum();
    let (failed, waiting) = (report.failed().count(), report.not_run().count());
    let noun = noun(report);
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
    };
    let painted = match (failed, waiting) {
        (0, 0) => canvas.paint.green(word),
        (0, _) => canvas.paint.yellow(word),
        _ => canvas.paint.red(word),
    };
    let text = text::wrap(&format!("{word:>7}  {}", parts.join(" · ")), canvas.width, INDENT);
    text.replacen(word, &painted, 1)
}

/// Returns what the targets are, for a number of them: `tenants` if all of them are.
fn noun(report: &RunReport) -> &'static str {
    let one = report.targets.len() == 1;
    let mut tracks = report.targets.iter().map(|target| &target.track);
    if !report.targets.is_empty() && tracks.clone().all(|track| *track == TrackName::Tenant) {
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

fn group_lines(group: &Group<'_>, canvas: Canvas) -> Vec<String> {
    let count = format!("{:>6}", text::number(group.targets.len()));
    let glyph = canvas.paint.red("✗");
    let place = place(group.failure).map_or(String::new(), |place| format!("  {place}"));
    let what = format!("{count} ✗ {} {}{place}", group.failure.code, short(group.failure));
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
    let half = names(|state| matches!(state, StateAfter::HalfWay { .. } | StateAfter::Unknown));
    let unclear = names(|state| matches!(state, StateAfter::Ambiguous));
    let mut sentences = Vec::new();
    if !half.is_empty() {
        let (n, names) = (text::number(half.len()), text::names(half));
        sentences.push(format!("Half-way, and resumed by the next run ({n}): {names}."));
    }
    if !unclear.is_empty() {
        let (n, names) = (text::number(unclear.len()), text::names(unclear));
        sentences.push(format!("Half-way, and in need of a decision ({n}): {names}."));
    }
    if sentences.is_empty() {
        sentences.push("Nothing is half-way: what failed was rolled back or not touched.".to_owned());
    }
    Some(sentences.join(" "))
}

/// Returns the commands that come next: what goes on with the run, or what shows that it is done.
fn next(ending: &Ending<'_>) -> Vec<String> {
    let first = ending.report.failed().next();
    let again = |word: &str| {
        ending
            .again
            .iter()
            .map(|command| format!("{word:8}{command}"))
            .collect::<Vec<_>>()
    };
    let mut lines = Vec::new();
    if let Some(failure) = first.and_then(|target| target.failure.as_ref()) {
        lines.push(format!("Why:    tenantry explain {}", failure.code));
    }
    match ending.exit {
        Exit::Done => lines.push("Look:   tenantry migrate status".to_owned()),
        Exit::Empty => lines.push("Look:   tenantry tenant list".to_owned()),
        Exit::Interrupted | Exit::Terminated | Exit::Stopped => lines.extend(again("Go on:")),
        Exit::Failed
        | Exit::Refused
        | Exit::Internal
        | Exit::Usage
        | Exit::Configuration
        | Exit::NotFound
        | Exit::Pending
        | Exit::Findings
        | Exit::Held
        | Exit::RegistryDown => lines.extend(again("Retry:")),
    }
    lines
}
