//! A status as people read it: figures with bars, then who needs somebody.

use tenantry::TrackName;

use super::gather::{Shown, ShownTrack};
use crate::render::text;

/// How wide the longest bar is, in characters.
const BAR: usize = 40;
/// How many targets are listed by name.
pub(super) const LISTED: usize = 20;

/// Draws a status.
pub(super) fn human(shown: &Shown) -> String {
    let mut lines = vec![headline(shown)];
    lines.extend(inactive(shown));
    lines.push(String::new());
    if !shown.has_server {
        lines.push("No server yet:  tenantry server add --help".to_owned());
    } else if shown.tracks.iter().all(is_central) {
        lines.push("No database yet:  tenantry tenant create <slug>".to_owned());
    }
    for (at, track) in shown.tracks.iter().enumerate() {
        if at > 0 {
            lines.push(String::new());
        }
        lines.extend(track_lines(track));
    }
    lines.extend(unfinished(&shown.unfinished));
    lines.extend(what_next(shown));
    lines.join("\n")
}

/// Names the files that hold no statement yet; nothing if there are none.
pub(super) fn unfinished(files: &[String]) -> Vec<String> {
    if files.is_empty() {
        return Vec::new();
    }
    let listed = files.iter().take(LISTED).map(|file| format!("  ◌ {file}"));
    let title = "\nWithout a statement, and in the way of the next run forwards (tenantry explain TN-3012):";
    std::iter::once(title.to_owned()).chain(listed).collect()
}

/// The central database is there from the beginning.
fn is_central(track: &ShownTrack) -> bool {
    track.track == TrackName::Central.to_string()
}

fn headline(shown: &Shown) -> String {
    let tenants: u64 = shown.tenants.values().sum();
    let from = if shown.live {
        "asked just now"
    } else {
        "from the registry (--live asks them all)"
    };
    format!(
        "Fleet   {}            {from}",
        text::count(usize::try_from(tenants).unwrap_or(usize::MAX), "tenant")
    )
}

/// Counts the tenants by status, if not all of them are active: runs leave the others out.
fn inactive(shown: &Shown) -> Option<String> {
    let active = "active";
    if shown.tenants.keys().all(|status| *status == active) {
        return None;
    }
    let number = |count: u64| text::number(usize::try_from(count).unwrap_or(usize::MAX));
    let count = |status: &str| shown.tenants.get(status).copied().unwrap_or(0);
    let first = format!("{} {active}", number(count(active)));
    let rest = shown.tenants.iter().filter(|(status, _)| **status != active);
    let rest = rest.map(|(status, count)| format!("{} {status}", number(*count)));
    let parts: Vec<String> = std::iter::once(first).chain(rest).collect();
    Some(format!("        {} (runs leave these out)", parts.join(" · ")))
}

fn track_lines(track: &ShownTrack) -> Vec<String> {
    let head = track.head.as_deref().unwrap_or("nothing");
    let mut lines = vec![format!("{:16} head {head}", track.track)];
    for (mark, word, count) in [
        ("●", "current", track.current),
        ("○", "behind", track.behind),
        ("▲", "ahead", track.ahead),
        ("✗", "failed", track.failed),
    ] {
        if count > 0 || word == "current" {
            let line = format!(
                "  {mark} {word:8} {count:>7}  {:>5.1}%  {}",
                percent(count, track.total),
                bar(count, track.total)
            );
            lines.push(line.trim_end().to_owned());
        }
    }
    lines
}

/// Names the targets that need somebody, and says which command is next.
fn what_next(shown: &Shown) -> Vec<String> {
    let need = &shown.not_current;
    if need.is_empty() {
        let is_behind = shown.tracks.iter().any(|track| track.behind > 0);
        let next = "\nNext:  tenantry migrate plan      then  tenantry migrate all";
        return is_behind.then(|| next.to_owned()).into_iter().collect();
    }
    let mut lines = vec![String::new()];
    let name = need.iter().take(LISTED).map(|t| t.target.chars().count()).max();
    let server = need.iter().take(LISTED).map(|t| t.server.chars().count()).max();
    let (name, server) = (name.unwrap_or(0).max(20), server.unwrap_or(0).max(14));
    for target in need.iter().take(LISTED) {
        let code = target.code.as_deref().unwrap_or("");
        let line = format!(
            "  ✗ {:name$} {:server$} {} {code}",
            target.target,
            target.server,
            target.outcome.unwrap_or("never run")
        );
        lines.push(line.trim_end().to_owned());
    }
    let all = usize::try_from(shown.needing).unwrap_or(usize::MAX);
    if all > LISTED {
        let more = text::number(all - LISTED);
        lines.push(format!("  … and {more} more (--json lists them all)"));
    }
    if !shown.again.is_empty() {
        lines.push(String::new());
        lines.extend(need_you(all, shown));
    }
    lines
}

/// Says how many need somebody, and the commands that help, one below the other.
fn need_you(all: usize, shown: &Shown) -> Vec<String> {
    let (count, verb) = (text::number(all), if all == 1 { "needs" } else { "need" });
    let explain = |code| format!("tenantry explain {code}      then  ");
    let lead = format!(
        "{count} {verb} you:  {}",
        shown.mend.map_or_else(String::new, explain)
    );
    let width = lead.chars().count();
    let leads = std::iter::once(lead).chain(std::iter::repeat(" ".repeat(width)));
    let lines = leads
        .zip(&shown.again)
        .map(|(lead, command)| format!("{lead}{command}"));
    lines.collect()
}

#[expect(clippy::cast_precision_loss, reason = "a percentage with one digit")]
fn percent(count: u64, total: u64) -> f64 {
    if total == 0 {
        0.0
    } else {
        count as f64 * 100.0 / total as f64
    }
}

fn bar(count: u64, total: u64) -> String {
    if count == 0 || total == 0 {
        return String::new();
    }
    let width = u64::try_from(BAR).unwrap_or(0);
    let cells = usize::try_from(count * width / total).unwrap_or(0);
    "█".repeat(cells.max(1))
}
