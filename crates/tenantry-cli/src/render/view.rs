//! Shows a run while it goes on and when it has ended, in the face that was asked for.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use tenantry::run::{Control, RunEvent, RunReport, RunStatus, Stop};
use tokio::sync::mpsc::UnboundedReceiver;

use super::failure::{Group, groups};
use super::lines::{self, Detail};
use super::live::Live;
use super::message::{Canvas, message};
use super::notice::{Act, notice_text, reply};
use super::summary::summary;
use super::tally::Tally;
use super::warning::Told;
use super::wire::{Event, Finished};
use super::{Answers, out, stopped, text, unrecorded};
use crate::args::{Globals, Progress};
use crate::clock::Utc;
use crate::exit::Exit;
use crate::interrupt::Notice;
use crate::keys::{self, Listen, Wish};

/// How long nothing may be said.
pub(crate) const SILENCE: Duration = Duration::from_secs(10);

/// How often the terminal is redrawn.
pub(super) const REDRAW: Duration = Duration::from_millis(100);

/// How often a stream says how far a run is, at most.
const PROGRESS: Duration = Duration::from_millis(500);

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

/// What a view hears while a run goes on, and what it steers by the keys.
#[derive(Debug)]
pub(crate) struct Heard {
    /// What happens in the run; it ends with the run.
    pub(crate) events: UnboundedReceiver<RunEvent>,
    /// What signals lead to.
    pub(crate) notices: UnboundedReceiver<Notice>,
    /// What somebody wants by a key.
    pub(crate) wishes: UnboundedReceiver<Wish>,
    /// The run.
    pub(crate) control: Control,
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
    listen: Listen,
    /// When it was last said how far the run is, and how far that was.
    told: (Instant, [usize; 3]),
}

impl RunView {
    /// Chooses the face by the flags and by what stderr is.
    pub(crate) fn new(globals: &Globals, canvas: &Canvas) -> Self {
        let surface = Surface::of(globals);
        let listen = if surface == Surface::Bar && !globals.ndjson && keys::can_listen(globals) {
            Listen::ToKeys
        } else {
            Listen::ToSignals
        };
        let face = match surface {
            _ if globals.ndjson => Face::Ndjson,
            Surface::Bar => Face::Live(Live::new(canvas.clone(), listen)),
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
            listen,
            told: (now, [0; 3]),
        }
    }

    /// Returns what somebody has to listen to: to the keys where it shows them.
    pub(crate) fn listens(&self) -> Listen {
        self.listen
    }

    /// Shows events and notices, and answers wishes, until the run closes its channel.
    pub(crate) async fn follow(&mut self, mut heard: Heard) {
        if self.answer == Answer::Ndjson {
            self.answers.version();
        }
        let mut tick = tokio::time::interval(REDRAW);
        loop {
            tokio::select! {
                event = heard.events.recv() => match event {
                    Some(event) => self.show(&event),
                    None => break,
                },
                Some(notice) = heard.notices.recv() => {
                    self.tell(&notice_text(notice, &self.tally, Instant::now()));
                }
                Some(wish) = heard.wishes.recv() => self.answer(wish, &heard.control),
                _ = tick.tick() => self.tick(Instant::now()),
            }
        }
        if let Face::Live(live) = &mut self.face {
            live.clear();
        }
    }

    fn answer(&mut self, wish: Wish, control: &Control) {
        let reply = reply(wish, &self.tally, &self.canvas, Instant::now());
        self.tell(&reply.text);
        match reply.act {
            Some(Act::Pause) => control.pause(),
            Some(Act::Faster) => {
                self.tally.concurrency += 1;
                control.faster();
            }
            Some(Act::Slower) => {
                self.tally.concurrency -= 1;
                control.slower();
            }
            Some(Act::Leave) => control.stop(Stop::Drain),
            None => {}
        }
    }

    fn show(&mut self, event: &RunEvent) {
        self.tally.count(event, Instant::now());
        match &mut self.face {
            Face::Live(live) => live.event(event, &self.tally, self.detail),
            Face::Lines => {
                if let Some(line) = lines::event(event, &self.tally, self.detail, Utc::now()) {
                    out::say(&line);
                }
            }
            Face::Ndjson => {
                if let Some(event) = Event::of(event) {
                    self.answers.event(&event);
                }
            }
            Face::Silent => {}
        }
    }

    fn tick(&mut self, now: Instant) {
        let (told, how_far) = self.told;
        let present = [self.tally.done, self.tally.failed, self.tally.running.len()];
        let since = now.duration_since(told);
        match &mut self.face {
            Face::Live(live) => return live.redraw(&self.tally, now),
            Face::Lines if since >= SILENCE => {
                out::say(&lines::heartbeat(&self.tally, now, Utc::now()));
            }
            Face::Ndjson if since >= SILENCE || (since >= PROGRESS && present != how_far) => {
                self.answers.event(&Event::progress(&self.tally, now));
            }
            Face::Lines | Face::Ndjson | Face::Silent => return,
        }
        self.told = (now, present);
    }

    /// Says something about the run as a whole.
    fn tell(&mut self, text: &str) {
        let lines = text::wrap(text, self.canvas.width, 0);
        match &self.face {
            Face::Live(live) => live.write(&lines),
            Face::Lines | Face::Ndjson | Face::Silent => out::say(&lines),
        }
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
                let finished = self.finished(ending).with_targets(&ending.report.targets);
                self.answers.json(&finished);
            }
            Answer::Ndjson => {
                if ending.report.status == RunStatus::Paused {
                    self.answers.event(&Event::paused(ending.report));
                }
                self.answers.event(&self.finished(ending));
            }
        }
        self.answers.end()
    }

    /// Shows what went wrong, on stderr; the answer is left to the caller.
    pub(crate) fn trouble(&mut self, ending: &Ending<'_>) {
        if matches!(self.face, Face::Lines) {
            out::say(&lines::finish(ending.report, ending.exit, Utc::now()));
        }
        let messages = messages(ending, &self.canvas);
        if !messages.is_empty() {
            out::say(&messages);
        }
    }

    /// Returns how the run ended, for programs.
    pub(crate) fn finished(&self, ending: &Ending<'_>) -> Finished<'static> {
        Finished::of(ending, &self.canvas.invocation)
    }
}

/// Draws the messages of a run: equal failures once, the commonest first, then what was not recorded.
pub(crate) fn messages(ending: &Ending<'_>, canvas: &Canvas) -> String {
    let report = ending.report;
    let failures = draw_groups(&groups(report), &ending.again, canvas);
    let stopped = stopped::message(ending).map(|told| message(&told, canvas));
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

#[cfg(test)]
mod faces;
#[cfg(test)]
mod tests;
