//! Declarations while they go on: what is waited for, on one redrawn line of a terminal, as a line every ten
//! seconds elsewhere.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget};
use tenantry::run::RunEvent;
use tokio::sync::mpsc::UnboundedReceiver;

use super::message::Canvas;
use super::notice::notice_text;
use super::tally::Tally;
use super::view::{REDRAW, SILENCE, Surface};
use super::{columns_behind_spinner, out, text};
use crate::args::Globals;
use crate::clock::Utc;
use crate::interrupt::Notice;

/// Where the further lines of a text begin.
const INDENT: usize = 2;

/// Shows declarations; their answer says what became of them.
#[derive(Debug)]
pub(crate) struct DeclaringView {
    surface: Surface,
    bar: ProgressBar,
    canvas: Canvas,
    tally: Tally,
    spoke: Instant,
}

impl DeclaringView {
    /// Begins to show, in the way the flags say.
    pub(crate) fn new(globals: &Globals, canvas: &Canvas) -> Self {
        let now = Instant::now();
        Self {
            surface: Surface::of(globals),
            bar: ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()),
            canvas: canvas.clone(),
            tally: Tally::new(now),
            spoke: now,
        }
    }

    /// Shows events and notices until the channel of the events is closed.
    pub(crate) async fn follow(
        mut self,
        mut events: UnboundedReceiver<RunEvent>,
        mut notices: UnboundedReceiver<Notice>,
    ) {
        if self.surface == Surface::Bar {
            self.bar = ProgressBar::new_spinner();
        }
        let mut tick = tokio::time::interval(REDRAW);
        let mut listening = true;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.take(&event),
                    None => break,
                },
                notice = notices.recv(), if listening => match notice {
                    Some(notice) => self.say(&notice_text(notice, &self.tally, Instant::now())),
                    None => listening = false,
                },
                _ = tick.tick() => self.tick(Instant::now()),
            }
        }
        self.bar.finish_and_clear();
    }

    /// Counts an event, and says for whom somebody waits.
    fn take(&mut self, event: &RunEvent) {
        self.tally.count(event, Instant::now());
        if let RunEvent::Waiting { label, reason } = event
            && self.surface != Surface::Silent
        {
            let line = format!("{} WAIT {label} {reason}", Utc::now().time_of_day());
            self.say(&text::printable(&line));
        }
    }

    fn tick(&mut self, now: Instant) {
        let Some(waiting) = waiting(&self.tally, now) else {
            return;
        };
        match self.surface {
            Surface::Bar => {
                let line = format!("  ◐ {waiting}");
                self.bar.set_message(text::cut(&line, columns_behind_spinner()));
            }
            Surface::Lines if now.duration_since(self.spoke) >= SILENCE => {
                self.say(&format!("{} {waiting}", Utc::now().time_of_day()));
            }
            Surface::Lines | Surface::Silent => {}
        }
    }

    /// Says something that stays.
    fn say(&mut self, line: &str) {
        self.spoke = Instant::now();
        match self.surface {
            Surface::Bar => self.bar.println(text::wrap(line, self.canvas.width, INDENT)),
            Surface::Lines | Surface::Silent => out::say(line),
        }
    }
}

/// Says what is waited for longest; `None` if nothing is.
fn waiting(tally: &Tally, now: Instant) -> Option<String> {
    let (label, age) = tally.oldest(now)?;
    let (done, total) = (text::number(tally.done), text::number(tally.total));
    let age = text::elapsed_short(age);
    let line = format!("waiting for the migration lock of {label} for {age}; {done} of {total} done");
    Some(text::printable(&line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use std::time::Duration;

    #[test]
    fn what_is_waited_for_longest_is_named() {
        let begin = Instant::now();
        let mut tally = Tally::new(begin);
        assert_eq!(waiting(&tally, begin), None);
        let started = sample::started("mark_x", 3, 1);
        let target = sample::begun("acme");
        tally.count(&started, begin);
        tally.count(&target, begin);
        assert_eq!(
            waiting(&tally, begin + Duration::from_secs(12)).unwrap(),
            "waiting for the migration lock of acme for 12s; 0 of 3 done"
        );
    }
}
