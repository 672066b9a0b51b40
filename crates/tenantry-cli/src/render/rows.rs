//! The lines that are redrawn under the bar of a run: its servers, what runs, the keys. Pure.

use std::time::{Duration, Instant};

use super::message::Canvas;
use super::tally::{Running, ServerTally, Tally};
use super::text;
use crate::keys::Listen;

/// How many running targets are shown.
pub(crate) const SHOWN: usize = 8;

/// How many lines the servers may take.
const SERVER_LINES: usize = 3;

/// What stands between two servers.
const GAP: &str = "   ";

/// The keys, as they are shown under a run.
const KEYS: &str = "  t all running · f failures · p pause · +/- speed · d detach · ? help";

/// The least that a bar takes: the words before it, some cells, and the spaces around them.
const BAR: usize = 20;

/// What stands between two parts of a line.
const BETWEEN: &str = " · ";

/// The line that says how far a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HowFar {
    /// A bar, and this beside it.
    Bar(String),
    /// This alone: a bar has no room.
    Words(String),
}

/// Returns the line that says how far a run is, for so many columns; at 80 all of it has room.
pub(crate) fn how_far(tally: &Tally, columns: usize, now: Instant) -> HowFar {
    let parts = parts(tally, now);
    if let Some(text) = fitting(&parts, columns.saturating_sub(BAR)) {
        return HowFar::Bar(text);
    }
    let text = fitting(&parts, columns).or_else(|| parts.first().map(|(_, first)| first.clone()));
    HowFar::Words(text::cut(&text.unwrap_or_default(), columns))
}

/// How soon a part goes where there is no room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Goes {
    Never,
    Third,
    Second,
    First,
}

/// Returns the parts that have room beside one another; `None` where not even those have that are never left out.
fn fitting(parts: &[(Goes, String)], room: usize) -> Option<String> {
    let until = |last: &Goes| {
        let shown = parts.iter().filter(|(goes, _)| goes <= last);
        let shown: Vec<&str> = shown.map(|(_, part)| part.as_str()).collect();
        shown.join(BETWEEN)
    };
    let tried = [Goes::First, Goes::Second, Goes::Third, Goes::Never];
    let texts = tried.iter().map(until);
    texts.into_iter().find(|text| text.chars().count() <= room)
}

fn parts(tally: &Tally, now: Instant) -> Vec<(Goes, String)> {
    let (done, total) = (text::number(tally.done), text::number(tally.total));
    let mut parts = vec![
        (Goes::Never, format!("{done}/{total} {}%", tally.percent())),
        (Goes::Second, text::clock(now.duration_since(tally.began))),
        (Goes::First, format!("{:.1}/s", tally.rate(now))),
    ];
    let left = tally.left(now).filter(|left| left.as_secs() > 0);
    parts.extend(left.map(|left| (Goes::Third, format!("~{} left", roughly(left)))));
    if tally.failed > 0 {
        let failed = text::number(tally.failed);
        parts.push((Goes::Never, format!("{failed} failed")));
    }
    parts
}

/// Writes a guess, which knows no tenths.
fn roughly(left: Duration) -> String {
    match left.as_secs() {
        seconds @ 0..10 => format!("{seconds}s"),
        _ => text::elapsed_short(left),
    }
}

/// Draws everything under the bar.
pub(crate) fn under_bar(tally: &Tally, canvas: &Canvas, listen: Listen, now: Instant) -> Vec<String> {
    let mut lines = servers(tally, canvas);
    lines.extend(tally.soaks(now).map(|left| soaking(tally, left, canvas)));
    let shown = tally.running.iter().take(SHOWN);
    lines.extend(shown.map(|target| running(target, canvas, now)));
    let more = tally.running.len().saturating_sub(SHOWN);
    if more > 0 {
        let more = format!("  ◐ … and {} more", text::number(more));
        lines.push(text::cut(&more, canvas.width));
    }
    match listen {
        Listen::ToKeys => lines.push(text::cut(KEYS, canvas.width)),
        Listen::ToSignals => {}
    }
    lines
}

/// Draws that nothing begins for a while, in one line.
fn soaking(tally: &Tally, left: Duration, canvas: &Canvas) -> String {
    let (wave, left) = (&tally.wave, text::elapsed_short(left));
    let line = format!(
        "  ◷ `{wave}` is watched for another {left}: tenantry run promote {}",
        tally.run_id
    );
    text::cut(&text::printable(&line).replace('\n', " "), canvas.width)
}

/// Draws a target that runs, in one line.
pub(crate) fn running(target: &Running, canvas: &Canvas, now: Instant) -> String {
    let age = text::elapsed_short(now.duration_since(target.since));
    let mut what = target.migration.clone();
    if !target.waits.is_empty() {
        let gap = if what.is_empty() { "" } else { "  " };
        what = format!("{what}{gap}{}", target.waits);
    }
    let line = format!("  ◐ {:<14} {age:>6}  {what}", target.label);
    // A line break of a database's would be a line that nobody counts.
    let line = text::printable(&line).replace('\n', " ");
    text::cut(line.trim_end(), canvas.width)
}

/// Draws the servers beside one another, in as many lines as they need; none where there is one.
fn servers(tally: &Tally, canvas: &Canvas) -> Vec<String> {
    let named: Vec<&ServerTally> = tally.servers.iter().filter(|on| !on.name.is_empty()).collect();
    if named.len() < 2 {
        return Vec::new();
    }
    let mut lines: Vec<(String, usize)> = Vec::new();
    for (at, on) in named.iter().enumerate() {
        let part = server(on, tally.running_on(&on.name));
        let width = part.chars().count();
        let is_full = lines.len() == SERVER_LINES;
        match lines.last_mut() {
            Some((line, used)) if *used + GAP.len() + width <= canvas.width => {
                line.push_str(GAP);
                line.push_str(&paint(&part, canvas));
                *used += GAP.len() + width;
            }
            Some(_) if is_full => {
                let more = text::count(named.len() - at, "more server");
                let more = text::cut(&format!("  … and {more}"), canvas.width);
                lines.push((more, canvas.width));
                break;
            }
            Some(_) | None if width + 2 > canvas.width => {
                let part = text::cut(&format!("  {part}"), canvas.width);
                lines.push((paint(&part, canvas), canvas.width));
            }
            Some(_) | None => lines.push((format!("  {}", paint(&part, canvas)), width + 2)),
        }
    }
    lines.into_iter().map(|(line, _)| line).collect()
}

fn server(on: &ServerTally, running: usize) -> String {
    let mut parts = vec![format!(
        "{} {}/{}",
        text::printable(&on.name),
        text::number(on.done),
        text::number(on.total)
    )];
    if running > 0 {
        parts.push(format!("◐{}", text::number(running)));
    }
    if on.failed > 0 {
        parts.push(format!("✗{}", text::number(on.failed)));
    }
    parts.join(" ")
}

/// Paints the failures of a server.
fn paint(part: &str, canvas: &Canvas) -> String {
    match part.split_once('✗') {
        Some((before, failed)) => format!("{before}{}", canvas.paint.red(&format!("✗{failed}"))),
        None => part.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{Invocation, Paint, sample};

    fn canvas(width: usize) -> Canvas {
        Canvas {
            width,
            paint: Paint::Plain,
            invocation: Invocation::default(),
        }
    }

    #[test]
    fn eight_running_targets_are_shown_and_the_rest_counted() {
        let begin = Instant::now();
        let mut tally = Tally::new(begin);
        for n in 0..11 {
            let event = sample::begun(&format!("t{n}"));
            tally.count(&event, begin);
        }
        let now = begin + Duration::from_secs(41);
        let lines = under_bar(&tally, &canvas(80), Listen::ToSignals, now);
        assert_eq!(lines.len(), 9);
        assert_eq!(lines[0], "  ◐ t0                41s");
        assert_eq!(lines[8], "  ◐ … and 3 more");
    }

    #[test]
    fn beside_the_bar_stands_what_has_room() {
        let begin = Instant::now();
        let mut tally = Tally::new(begin);
        (tally.total, tally.done, tally.failed) = (1_790, 1_214, 9);
        let at = |columns| how_far(&tally, columns, begin + Duration::from_secs(161));
        let bar = |text: &str| HowFar::Bar(text.to_owned());
        let words = |text: &str| HowFar::Words(text.to_owned());
        let all = bar("1,214/1,790 67% · 00:02:41 · 7.5/s · ~1m16s left · 9 failed");
        assert_eq!((at(usize::MAX), at(80)), (all.clone(), all));
        assert_eq!(at(60), bar("1,214/1,790 67% · ~1m16s left · 9 failed"));
        assert_eq!(at(50), bar("1,214/1,790 67% · 9 failed"));
        assert_eq!(at(39), words("1,214/1,790 67% · 9 failed"));
        assert_eq!(at(20), words("1,214/1,790 67%"));
        assert_eq!(at(10), words("1,214/1,7…"));
    }

    #[test]
    fn no_redrawn_line_is_wider_than_a_narrow_terminal() {
        let begin = Instant::now();
        let mut tally = Tally::new(begin);
        let on = |n: usize| ServerTally {
            name: format!("eu-database-server-with-a-long-name-{n}"),
            total: 520,
            done: 371,
            failed: n,
        };
        tally.servers = (1..=9).map(on).collect();
        for n in 0..1_100 {
            tally.count(&sample::begun(&format!("tenant-with-a-long-name-{n}")), begin);
        }
        for columns in [10, 20, 39] {
            let lines = under_bar(&tally, &canvas(columns), Listen::ToKeys, begin);
            assert!(lines.len() > SHOWN, "{lines:?}");
            let widest = lines.iter().map(|line| line.chars().count()).max();
            assert_eq!(widest, Some(columns), "{lines:?}");
        }
    }

    #[test]
    fn servers_fold_and_what_has_no_room_is_counted() {
        let mut tally = Tally::new(Instant::now());
        let on = |n: usize| ServerTally {
            name: format!("eu-db-{n}"),
            total: 520,
            done: 371,
            failed: usize::from(n == 2) * 6,
        };
        tally.servers = (1..=4).map(on).collect();
        let wide = servers(&tally, &canvas(120));
        assert_eq!(
            wide,
            ["  eu-db-1 371/520   eu-db-2 371/520 ✗6   eu-db-3 371/520   eu-db-4 371/520"]
        );
        assert_eq!(servers(&tally, &canvas(60)).len(), 2);
        tally.servers = (1..=40).map(on).collect();
        let folded = servers(&tally, &canvas(80));
        assert_eq!(folded.len(), 4);
        assert_eq!(folded[3], "  … and 28 more servers");
        assert!(folded.iter().all(|line| line.chars().count() <= 80));
        tally.servers.truncate(1);
        assert!(servers(&tally, &canvas(80)).is_empty());
    }

    #[test]
    fn the_words_of_a_database_stay_in_their_line() {
        let begin = Instant::now();
        let mut tally = Tally::new(begin);
        tally.count(&sample::begun("globex"), begin);
        tally.running[0].waits = format!("waits for \u{1b}[2J\n{}", "x".repeat(200));
        let line = running(&tally.running[0], &canvas(80), begin);
        assert_eq!(line.chars().count(), 80);
        assert!(!line.contains(['\n', '\u{1b}']));
    }
}
