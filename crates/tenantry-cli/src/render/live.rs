//! A run on a terminal: finished lines scroll up, a bar and the running targets are redrawn below.

use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tenantry::run::{RunEvent, TargetReport};

use super::failure::short;
use super::lines::{Detail, became, word};
use super::message::Canvas;
use super::style::Paint;
use super::tally::Tally;
use super::text;

/// How many running targets are shown.
const SHOWN: usize = 8;

/// Where the further lines of a text begin: under the name of the target.
const INDENT: usize = 17;

/// How often a second the terminal is redrawn, at most.
const REDRAWS: u8 = 10;

/// The bar and the lines under it.
#[derive(Debug)]
pub(crate) struct Live {
    all: MultiProgress,
    bar: ProgressBar,
    under: Vec<ProgressBar>,
    canvas: Canvas,
}

impl Live {
    /// Begins to draw on stderr.
    pub(crate) fn new(canvas: Canvas) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS));
        let bar = all.add(ProgressBar::new(0).with_style(style("Migrating {wide_bar} {msg}")));
        Self {
            all,
            bar,
            under: Vec::new(),
            canvas,
        }
    }

    /// Shows an event that was counted.
    pub(crate) fn event(&mut self, event: &RunEvent, tally: &Tally, detail: Detail) {
        match event {
            RunEvent::Started(_) => self.bar.set_length(tally.total as u64),
            RunEvent::TargetFinished(target) => {
                if detail.shows(target, tally.total) {
                    self.above(&finished_line(target, self.canvas.paint));
                }
                self.bar.set_position(tally.done as u64);
            }
            RunEvent::Waiting { label, reason } => {
                let wait = self.canvas.paint.yellow("WAIT");
                let text = text::printable(&format!("{label}  {reason}"));
                self.above(&format!("   {wait}          {text}"));
            }
            RunEvent::Retrying {
                label,
                code,
                reason,
                pause,
            } => {
                let retry = self.canvas.paint.yellow("RETRY");
                let pause = text::elapsed(*pause);
                let text = text::printable(&format!("{label}  {code} {reason}; again in {pause}"));
                self.above(&format!("  {retry}          {text}"));
            }
            RunEvent::TargetStarted(_)
            | RunEvent::MigrationStarted { .. }
            | RunEvent::MigrationFinished { .. }
            | _ => {}
        }
    }

    /// Writes text that stays, broken into lines that fit.
    pub(crate) fn above(&self, text: &str) {
        let lines = text::wrap(text, self.canvas.width, INDENT);
        // A terminal that is gone has nobody to tell.
        drop(self.all.println(lines));
    }

    /// Redraws what is running.
    pub(crate) fn redraw(&mut self, tally: &Tally, now: Instant) {
        self.bar.set_message(bar_text(tally, now));
        let lines = running_lines(tally, now);
        while self.under.len() > lines.len() {
            if let Some(line) = self.under.pop() {
                self.all.remove(&line);
            }
        }
        while self.under.len() < lines.len() {
            let line = ProgressBar::new_spinner().with_style(style("{wide_msg}"));
            self.under.push(self.all.add(line));
        }
        for (line, text) in self.under.iter().zip(lines) {
            line.set_message(text);
        }
    }

    /// Takes the redrawn lines away.
    pub(crate) fn clear(&mut self) {
        for line in self.under.drain(..) {
            self.all.remove(&line);
        }
        self.bar.finish_and_clear();
        drop(self.all.clear());
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants that a test reads; a bar without style is still a bar.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸ ")
}

/// Returns what stands beside the bar; at 80 columns the bar has room besides.
fn bar_text(tally: &Tally, now: Instant) -> String {
    let (done, total) = (text::number(tally.done), text::number(tally.total));
    let mut parts = vec![
        format!("{done}/{total} {}%", tally.percent()),
        text::elapsed_short(now.duration_since(tally.began)),
        format!("{:.1}/s", tally.rate(now)),
    ];
    let left = tally.left(now).filter(|left| left.as_secs() > 0);
    parts.extend(left.map(|left| format!("~{} left", text::elapsed_short(left))));
    if tally.failed > 0 {
        parts.push(format!("{} failed", text::number(tally.failed)));
    }
    parts.join(" · ")
}

fn running_lines(tally: &Tally, now: Instant) -> Vec<String> {
    let line = |target: &super::tally::Running| {
        let age = text::elapsed_short(now.duration_since(target.since));
        let line = format!("  ◐ {:<14} {age:>6}  {}", target.label, target.migration);
        text::printable(&line)
    };
    let mut lines: Vec<String> = tally.running.iter().take(SHOWN).map(line).collect();
    let more = tally.running.len().saturating_sub(SHOWN);
    if more > 0 {
        lines.push(format!("  ◐ … and {} more", text::number(more)));
    }
    lines
}

fn finished_line(target: &TargetReport, paint: Paint) -> String {
    let word = format!("{:>7}", word(target));
    let painted = if target.outcome.is_failure() {
        paint.red(&word)
    } else if target.outcome.is_success() {
        paint.green(&word)
    } else {
        paint.yellow(&word)
    };
    let age = text::elapsed_short(target.duration);
    let server = target.server.as_ref().map_or("", |server| server.as_str());
    let what = match &target.failure {
        // The file stands in the message at the end; here the line must stay short.
        Some(why) => {
            let migration = why
                .migration
                .as_ref()
                .map_or_else(String::new, |name| format!("{name}  "));
            format!("{migration}{} {}", why.code, short(why))
        }
        None => became(target),
    };
    let rest = format!("{:20}  {server:10}  {what}", target.label);
    format!("{painted}  {age:>6}  {}", text::printable(&rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use std::time::Duration;
    use tenantry::Code;

    #[test]
    fn the_templates_are_understood() {
        for template in ["Migrating {wide_bar} {msg}", "{wide_msg}"] {
            assert!(ProgressStyle::with_template(template).is_ok());
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
        let lines = running_lines(&tally, begin + Duration::from_secs(41));
        assert_eq!(lines.len(), 9);
        assert_eq!(lines[0].trim_end(), "  ◐ t0                41s");
        assert_eq!(lines[8], "  ◐ … and 3 more");
    }

    #[test]
    fn the_text_beside_the_bar_leaves_room_for_it_at_80_columns() {
        let begin = Instant::now();
        let mut tally = Tally::new(begin);
        (tally.total, tally.done, tally.failed) = (1_790, 1_214, 9);
        let text = bar_text(&tally, begin + Duration::from_secs(161));
        assert_eq!(text, "1,214/1,790 67% · 2m41s · 7.5/s · ~1m16s left · 9 failed");
        assert!("Migrating ".len() + text.chars().count() <= 70);
    }

    #[test]
    fn a_finished_target_says_what_happened() {
        let line = finished_line(&sample::failed("globex", Code(2003)), Paint::Plain);
        assert_eq!(
            line,
            "   FAIL    1.9s  globex                eu-db-2     20260314093000_add_invoices  TN-2003 unique violation"
        );
        let line = finished_line(&sample::applied("acme"), Paint::Plain);
        assert_eq!(
            line,
            "     ok    1.9s  acme                  eu-db-2     1 migration to 20260314093000"
        );
    }
}
