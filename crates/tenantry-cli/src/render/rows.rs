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

/// Returns what stands beside the bar; at 80 columns the bar has room besides.
pub(crate) fn beside_bar(tally: &Tally, now: Instant) -> String {
    let (done, total) = (text::number(tally.done), text::number(tally.total));
    let mut parts = vec![
        format!("{done}/{total} {}%", tally.percent()),
        text::clock(now.duration_since(tally.began)),
        format!("{:.1}/s", tally.rate(now)),
    ];
    let left = tally.left(now).filter(|left| left.as_secs() > 0);
    parts.extend(left.map(|left| format!("~{} left", roughly(left))));
    if tally.failed > 0 {
        parts.push(format!("{} failed", text::number(tally.failed)));
    }
    parts.join(" · ")
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
        lines.push(format!("  ◐ … and {} more", text::number(more)));
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
                lines.push((format!("  … and {more}"), canvas.width));
                break;
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
    fn the_text_beside_the_bar_leaves_room_for_it_at_80_columns() {
        let begin = Instant::now();
        let mut tally = Tally::new(begin);
        (tally.total, tally.done, tally.failed) = (1_790, 1_214, 9);
        let text = beside_bar(&tally, begin + Duration::from_secs(161));
        assert_eq!(
            text,
            "1,214/1,790 67% · 00:02:41 · 7.5/s · ~1m16s left · 9 failed"
        );
        assert!("Migrating ".len() + text.chars().count() <= 70);
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
