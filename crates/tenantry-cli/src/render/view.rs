//! Shows a run while it goes on and when it has ended, in the face that was asked for.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use tenantry::run::{RunEvent, RunReport};
use tokio::sync::mpsc::UnboundedReceiver;

use super::failure::groups;
use super::lines::{self, Detail};
use super::live::Live;
use super::message::{Canvas, message};
use super::summary::summary;
use super::tally::Tally;
use super::wire::{Event, Finished, Numbered, VersionLine};
use super::{json, out, text, unrecorded};
use crate::args::{Globals, Progress};
use crate::clock::Utc;
use crate::exit::Exit;
use crate::interrupt::Notice;

/// How long nothing may be said.
const SILENCE: Duration = Duration::from_secs(10);

/// How often the terminal is redrawn.
const REDRAW: Duration = Duration::from_millis(100);

/// How many messages are shown in full at the end; the block lists all kinds anyway.
const MESSAGES: usize = 5;

/// How progress is shown.
#[derive(Debug)]
enum Face {
    Live(Live),
    Lines,
    Ndjson,
    Silent,
}

/// What stdout gets at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Block,
    Json,
    Ndjson,
}

/// How a run ended, as it is told.
#[derive(Debug)]
pub(crate) struct Ending<'a> {
    /// What became of the targets.
    pub(crate) report: &'a RunReport,
    /// How the process ends.
    pub(crate) exit: Exit,
    /// The commands that go on with what is left.
    pub(crate) again: Vec<String>,
}

/// Shows one run.
#[derive(Debug)]
pub(crate) struct RunView {
    face: Face,
    answer: Answer,
    detail: Detail,
    canvas: Canvas,
    tally: Tally,
    seq: u64,
    spoke: Instant,
}

impl RunView {
    /// Chooses the face: what the flags say, else a bar on a terminal and lines elsewhere.
    pub(crate) fn new(globals: &Globals, canvas: Canvas) -> Self {
        let progress = globals.progress.unwrap_or_default();
        let face = match progress {
            _ if globals.ndjson => Face::Ndjson,
            Progress::None => Face::Silent,
            Progress::Auto if globals.quiet => Face::Silent,
            Progress::Auto | Progress::Bar if std::io::stderr().is_terminal() => {
                Face::Live(Live::new(canvas))
            }
            Progress::Auto | Progress::Bar | Progress::Lines => Face::Lines,
        };
        let detail = match (globals.quiet, globals.verbose) {
            (true, _) => Detail::Failures,
            (false, 0) => Detail::Usual,
            (false, _) => Detail::Every,
        };
        let answer = match (globals.json, globals.ndjson) {
            (true, _) => Answer::Json,
            (false, true) => Answer::Ndjson,
            (false, false) => Answer::Block,
        };
        let now = Instant::now();
        Self {
            face,
            answer,
            detail,
            canvas,
            tally: Tally::new(now),
            seq: 0,
            spoke: now,
        }
    }

    /// Shows events and notices until the run closes its channel.
    pub(crate) async fn follow(
        &mut self,
        mut events: UnboundedReceiver<RunEvent>,
        mut notices: UnboundedReceiver<Notice>,
    ) {
        if self.answer == Answer::Ndjson {
            out::answer(&json(&VersionLine::new()));
        }
        let mut tick = tokio::time::interval(REDRAW);
        let mut listening = true;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.show(&event),
                    None => break,
                },
                notice = notices.recv(), if listening => match notice {
                    Some(notice) => self.tell(&notice_text(notice, &self.tally, Instant::now())),
                    None => listening = false,
                },
                _ = tick.tick() => self.tick(Instant::now()),
            }
        }
        if let Face::Live(live) = &mut self.face {
            live.clear();
        }
    }

    fn show(&mut self, event: &RunEvent) {
        self.tally.count(event, Instant::now());
        match &mut self.face {
            Face::Live(live) => live.event(event, &self.tally, self.detail),
            Face::Lines => {
                if let Some(line) = lines::event(event, &self.tally, self.detail, Utc::now()) {
                    self.say(&line);
                }
            }
            Face::Ndjson => {
                if let Some(event) = Event::of(event) {
                    self.stream(&event);
                }
            }
            Face::Silent => {}
        }
    }

    fn tick(&mut self, now: Instant) {
        let silent = now.duration_since(self.spoke) >= SILENCE;
        match &mut self.face {
            Face::Live(live) => live.redraw(&self.tally, now),
            Face::Lines if silent => {
                let line = lines::heartbeat(&self.tally, now, Utc::now());
                self.say(&line);
            }
            Face::Ndjson if silent => {
                let event = Event::progress(&self.tally, now);
                self.stream(&event);
            }
            Face::Lines | Face::Ndjson | Face::Silent => {}
        }
    }

    /// Says something about the run as a whole.
    fn tell(&mut self, text: &str) {
        match &self.face {
            Face::Live(live) => live.above(text),
            Face::Lines | Face::Ndjson | Face::Silent => self.say(text),
        }
    }

    fn say(&mut self, line: &str) {
        self.spoke = Instant::now();
        out::say(line);
    }

    fn stream(&mut self, event: &impl serde::Serialize) {
        self.spoke = Instant::now();
        self.seq += 1;
        out::answer(&json(&Numbered::now(self.seq, event)));
    }

    /// Shows how the run ended: messages on stderr, the answer on stdout.
    pub(crate) fn end(&mut self, ending: &Ending<'_>) {
        let (report, exit) = (ending.report, ending.exit);
        if matches!(self.face, Face::Lines) {
            let line = finish_line(report, exit);
            self.say(&line);
        }
        let messages = messages(ending, self.canvas);
        if !messages.is_empty() {
            out::say(&messages);
        }
        match self.answer {
            Answer::Block => out::answer(&summary(ending, self.canvas)),
            Answer::Json => out::answer(&json(&Finished::of(ending).with_targets(report))),
            Answer::Ndjson => self.stream(&Finished::of(ending)),
        }
    }
}

/// Draws the messages of a run: equal failures once, the commonest first, then what was not recorded.
pub(crate) fn messages(ending: &Ending<'_>, canvas: Canvas) -> String {
    let groups = groups(ending.report);
    let failures = groups.iter().take(MESSAGES);
    let mut all: Vec<_> = failures.map(|group| group.message(&ending.again)).collect();
    let report = ending.report;
    let unrecorded = report.unrecorded.as_ref();
    all.extend(unrecorded.map(|unrecorded| unrecorded::message(report, unrecorded, &ending.again)));
    let drawn = all.iter().map(|of_one| message(of_one, canvas));
    drawn.collect::<Vec<_>>().join("\n\n")
}

fn finish_line(report: &RunReport, exit: Exit) -> String {
    format!(
        "{} {} finish   ok={} failed={} not_run={} elapsed={} exit={}",
        Utc::now().time_of_day(),
        report.run_id,
        report.success().count(),
        report.failed().count(),
        report.not_run().count(),
        text::elapsed_short(report.duration),
        exit.code(),
    )
}

/// Says what a signal leads to.
pub(crate) fn notice_text(notice: Notice, tally: &Tally, now: Instant) -> String {
    let running = text::number(tally.running.len());
    let longest = tally.oldest(now).map_or(String::new(), |(_, age)| {
        format!(" (longest {})", text::elapsed_short(age))
    });
    match notice {
        Notice::Draining => format!(
            "Pausing. Nothing new starts; {running} are finishing{longest}. \
             Ctrl-C again stops waiting and cancels their statements."
        ),
        Notice::Closing(grace) => format!(
            "Ending. Nothing new starts; {running} have {} to finish{longest}, then they are cancelled.",
            text::elapsed(grace)
        ),
        Notice::Cancelling => format!(
            "Cancelling the statements of {running} on their servers. \
             Ctrl-C again leaves at once; the next run finds out how far they came."
        ),
    }
}

#[cfg(test)]
mod tests;
