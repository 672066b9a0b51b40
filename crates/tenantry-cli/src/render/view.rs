//! Shows a run while it goes on and when it has ended, in the face that was asked for.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use tenantry::run::{RunEvent, RunReport};
use tokio::sync::mpsc::UnboundedReceiver;

use super::failure::{Group, groups};
use super::lines::{self, Detail};
use super::live::Live;
use super::message::{Canvas, message};
use super::summary::summary;
use super::tally::Tally;
use super::warning::Told;
use super::wire::{Event, Finished};
use super::{Answers, json, out, stopped, text, unrecorded};
use crate::args::{Globals, Progress};
use crate::clock::Utc;
use crate::exit::Exit;
use crate::interrupt::Notice;

/// How long nothing may be said.
pub(crate) const SILENCE: Duration = Duration::from_secs(10);

/// How often the terminal is redrawn.
pub(super) const REDRAW: Duration = Duration::from_millis(100);

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

/// Where progress is shown, whatever stdout gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surface {
    /// Redrawn on a terminal.
    Bar,
    /// Lines with a time.
    Lines,
    /// Nowhere.
    Silent,
}

impl Surface {
    /// Chooses: what the flags say, else a bar on a terminal and lines elsewhere.
    pub(super) fn of(globals: &Globals) -> Self {
        match globals.progress.unwrap_or_default() {
            _ if globals.quiet => Self::Silent,
            Progress::None => Self::Silent,
            Progress::Auto | Progress::Bar if std::io::stderr().is_terminal() => Self::Bar,
            Progress::Auto | Progress::Bar | Progress::Lines => Self::Lines,
        }
    }
}

/// What stdout gets at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Block,
    /// The block, but nothing after a run that went through.
    Trouble,
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
    /// What was told about the files before it began.
    pub(crate) warnings: &'a [Told],
}

/// Shows one run.
#[derive(Debug)]
pub(crate) struct RunView {
    face: Face,
    answer: Answer,
    detail: Detail,
    canvas: Canvas,
    tally: Tally,
    answers: Answers,
    spoke: Instant,
}

impl RunView {
    /// Chooses the face by the flags and by what stderr is.
    pub(crate) fn new(globals: &Globals, canvas: &Canvas) -> Self {
        let face = match Surface::of(globals) {
            _ if globals.ndjson => Face::Ndjson,
            Surface::Bar => Face::Live(Live::new(canvas.clone())),
            Surface::Lines => Face::Lines,
            Surface::Silent => Face::Silent,
        };
        let detail = match globals.verbose {
            0 => Detail::Usual,
            _ => Detail::Every,
        };
        let answer = match (globals.json, globals.ndjson, globals.quiet) {
            (true, _, _) => Answer::Json,
            (false, true, _) => Answer::Ndjson,
            (false, false, true) => Answer::Trouble,
            (false, false, false) => Answer::Block,
        };
        let now = Instant::now();
        Self {
            face,
            answer,
            detail,
            canvas: canvas.clone(),
            tally: Tally::new(now),
            answers: Answers::default(),
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
            self.answers.version();
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
        self.answers.event(event);
    }

    /// Shows how the run ended: messages on stderr, the answer on stdout.
    ///
    /// # Errors
    /// The first part of the answer that could not be written.
    pub(crate) fn end(mut self, ending: &Ending<'_>) -> io::Result<()> {
        self.trouble(ending);
        match self.answer {
            Answer::Trouble if ending.exit == Exit::Done => {}
            Answer::Block | Answer::Trouble => self.answers.text(&summary(ending, &self.canvas)),
            Answer::Json => {
                let finished = self.finished(ending).with_targets(ending.report);
                self.answers.text(&json(&finished));
            }
            Answer::Ndjson => self.stream(&self.finished(ending)),
        }
        self.answers.end()
    }

    /// Shows what went wrong, on stderr; the answer is left to the caller.
    pub(crate) fn trouble(&mut self, ending: &Ending<'_>) {
        if matches!(self.face, Face::Lines) {
            let line = finish_line(ending.report, ending.exit);
            self.say(&line);
        }
        let messages = messages(ending, &self.canvas);
        if !messages.is_empty() {
            out::say(&messages);
        }
    }

    /// Returns how the run ended, for programs.
    pub(crate) fn finished(&self, ending: &Ending<'_>) -> Finished {
        Finished::of(ending, &self.canvas.invocation)
    }
}

/// Draws the messages of a run: equal failures once, the commonest first, then what was not recorded.
pub(crate) fn messages(ending: &Ending<'_>, canvas: &Canvas) -> String {
    let report = ending.report;
    let failures = draw_groups(&groups(report), &ending.again, canvas);
    let stopped = stopped::message(report, &ending.again).map(|told| message(&told, canvas));
    let unrecorded = report.unrecorded.as_ref();
    let unrecorded =
        unrecorded.map(|lost| message(&unrecorded::message(report, lost, &ending.again), canvas));
    let all = [Some(failures), stopped, unrecorded].into_iter().flatten();
    all.filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// Draws the first messages of failures; `again` are the commands that try once more.
pub(crate) fn draw_groups(groups: &[Group<'_>], again: &[String], canvas: &Canvas) -> String {
    let drawn = groups
        .iter()
        .take(MESSAGES)
        .map(|group| message(&group.message(again), canvas));
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
    let verb = if tally.running.len() == 1 { "is" } else { "are" };
    let longest = tally.oldest(now).map_or(String::new(), |(_, age)| {
        format!(" (longest {})", text::elapsed_short(age))
    });
    match notice {
        Notice::Draining => format!(
            "Pausing. Nothing new starts; {running} {verb} finishing{longest}. \
             Ctrl-C again stops waiting and cancels their statements."
        ),
        Notice::Closing(grace) => format!(
            "Ending. Nothing new starts; what runs ({running}) has {} to finish{longest}, then it is cancelled.",
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
