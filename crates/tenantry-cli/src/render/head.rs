//! What a run is about, in the lines that stand above its bar. Pure.

use tenantry::Direction;
use tenantry::run::Start;

use super::message::Canvas;
use super::summary::noun;
use super::text;

/// Where the text behind the first word begins.
const INDENT: usize = 9;

/// A space that no line is broken at.
const TIED: &str = "\u{a0}";

/// Draws the lines of a run that begins: what goes where, and how far it may go wrong.
pub(crate) fn lines(start: &Start, canvas: &Canvas) -> Vec<String> {
    let mut lines = vec![draw("Plan", &plan(start), canvas)];
    if start.targets > 1 {
        lines.push(draw("Waves", &waves(start), canvas));
    }
    lines
}

fn draw(word: &str, text: &str, canvas: &Canvas) -> String {
    let text = text::printable(text);
    text::wrap(&format!("{word:>7}  {text}"), canvas.width, INDENT).replace(TIED, " ")
}

fn plan(start: &Start) -> String {
    // An attached command does not know the tracks; then they are databases.
    let targets = format!(
        "{}{TIED}{}",
        text::number(start.targets),
        noun(start.targets, start.tracks.iter()).replace(' ', TIED)
    );
    let what = match (start.direction, start.migrations.len()) {
        (Direction::Down, _) => format!("back → {targets}"),
        (Direction::Up, 0) => targets,
        (Direction::Up, n) => format!("{} → {targets}", text::count(n, "migration")),
    };
    let beside = [
        (start.done.0, "done before"),
        (start.current, "current"),
        (start.skipped, "skipped"),
    ];
    let beside = beside.into_iter().filter(|(n, _)| *n > 0);
    let beside: Vec<String> = beside
        .map(|(n, what)| format!("{} {what}", text::number(n)))
        .collect();
    let beside = if beside.is_empty() {
        String::new()
    } else {
        format!(" ({})", beside.join(", "))
    };
    format!("{what}{beside}   {}", start.run_id)
}

fn waves(start: &Start) -> String {
    let named: Vec<String> = start
        .waves
        .iter()
        .map(|(name, targets)| format!("{name}{TIED}{}", text::number(*targets)))
        .collect();
    let mut parts = vec![if named.is_empty() {
        "one".to_owned()
    } else {
        named.join(" → ")
    }];
    parts.extend(at_once(start));
    parts.extend(start.max_failures.map(|most| {
        let failure = text::ordinal(most.saturating_add(1));
        format!("stops at the {failure} failure").replace(' ', TIED)
    }));
    parts.join(" · ")
}

fn at_once(start: &Start) -> Option<String> {
    let per_server = if start.per_server > 0 && start.per_server < start.concurrency {
        format!(", ≤ {} per server", start.per_server)
    } else {
        String::new()
    };
    let first = start.at_first.filter(|first| *first < start.concurrency);
    let first = first.map_or(String::new(), |first| format!("{first} at first, then "));
    let at_once = format!("{first}{} at a time{per_server}", text::number(start.concurrency));
    (start.concurrency > 0).then(|| at_once.replace(' ', TIED))
}
