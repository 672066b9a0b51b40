//! A run on a terminal: finished lines scroll up, a bar and what runs are redrawn below.

use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tenantry::Direction;
use tenantry::run::RunEvent;

use super::lines::Detail;
use super::message::Canvas;
use super::rows::{self, HowFar};
use super::scroll;
use super::tally::Tally;
use crate::keys::Listen;

/// How often a second the terminal is redrawn, at most.
const REDRAWS: u8 = 10;

/// The bar forwards.
const UP: &str = "Migrating {wide_bar} {msg}";

/// The bar backwards.
const DOWN: &str = "Rolling back {wide_bar} {msg}";

/// A line under the bar.
const LINE: &str = "{wide_msg}";

/// The bar and the lines under it.
#[derive(Debug)]
pub(crate) struct Live {
    all: MultiProgress,
    bar: ProgressBar,
    under: Vec<ProgressBar>,
    /// What lines that stay are drawn for.
    canvas: Canvas,
    /// What redrawn lines are drawn for: none of them may wrap.
    below: Canvas,
    /// The words before the bar.
    words: &'static str,
    listen: Listen,
}

impl Live {
    /// Begins to draw on stderr.
    pub(crate) fn new(canvas: Canvas, listen: Listen) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS));
        // Whether a bar has room is known when it is drawn for the first time.
        let bar = all.add(ProgressBar::new(0).with_style(style(LINE)));
        Self {
            all,
            bar,
            under: Vec::new(),
            below: canvas.clone(),
            canvas,
            words: UP,
            listen,
        }
    }

    /// Shows an event that was counted.
    pub(crate) fn event(&mut self, event: &RunEvent, tally: &Tally, detail: Detail) {
        if let RunEvent::Started(start) = event {
            self.words = match start.direction {
                Direction::Up => UP,
                Direction::Down => DOWN,
            };
            self.bar.set_length(tally.total as u64);
        }
        for line in scroll::event(event, tally, detail, &self.canvas) {
            self.write(&line);
        }
        self.bar.set_position(tally.done as u64);
    }

    /// Writes lines that stay, as they are.
    pub(crate) fn write(&self, lines: &str) {
        // A terminal that is gone has nobody to tell.
        drop(self.all.println(lines));
    }

    /// Redraws what is running.
    pub(crate) fn redraw(&mut self, tally: &Tally, now: Instant) {
        if tally.run_id.is_empty() {
            return;
        }
        self.canvas.width = super::width();
        self.below.width = super::columns();
        let (template, text) = match rows::how_far(tally, self.below.width, now) {
            HowFar::Bar(text) => (self.words, text),
            HowFar::Words(text) => (LINE, text),
        };
        self.bar.set_style(style(template));
        self.bar.set_message(text);
        let lines = rows::under_bar(tally, &self.below, self.listen, now);
        while self.under.len() > lines.len() {
            if let Some(line) = self.under.pop() {
                self.all.remove(&line);
            }
        }
        while self.under.len() < lines.len() {
            let line = ProgressBar::new_spinner().with_style(style(LINE));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_understood() {
        for template in [UP, DOWN, LINE] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }
}
