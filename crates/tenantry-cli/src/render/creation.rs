//! A creation while it goes on: one redrawn line on a terminal, lines with a time elsewhere, at least one
//! every ten seconds.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget};
use tenantry::provision::ProvisionEvent;
use tenantry::run::RunEvent;
use tokio::sync::mpsc::UnboundedReceiver;

use super::again::Again;
use super::message::Canvas;
use super::view::{REDRAW, SILENCE, Surface};
use super::warning::{Told, warnings};
use super::wire::{Event, millis};
use super::{Answers, columns_behind_spinner, lines, out, text};
use crate::args::Globals;
use crate::clock::Utc;
use crate::interrupt::Notice;

/// Where the further lines of a text begin.
const INDENT: usize = 11;

/// Whether a creation streams its events to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Streams {
    Events,
    Nothing,
}

/// What a creation has told when it has ended.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The warnings about its files.
    pub(crate) warnings: Vec<Told>,
    /// The stream, which its answer ends.
    pub(crate) answers: Answers,
}

/// Shows one creation.
#[derive(Debug)]
pub(crate) struct CreationView {
    /// What is created: `acme`, `acme/kira`.
    label: String,
    surface: Surface,
    /// Whether events go to stdout.
    streams: Streams,
    answers: Answers,
    bar: ProgressBar,
    canvas: Canvas,
    quiet: bool,
    /// What is being done, and since when.
    step: String,
    since: Instant,
    spoke: Instant,
    warned: Vec<Told>,
}

impl CreationView {
    /// Begins to show, in the way the flags say.
    pub(crate) fn new(globals: &Globals, canvas: &Canvas, label: &str) -> Self {
        let now = Instant::now();
        Self {
            label: text::printable(label),
            surface: if globals.ndjson {
                Surface::Silent
            } else {
                Surface::of(globals)
            },
            streams: if globals.ndjson {
                Streams::Events
            } else {
                Streams::Nothing
            },
            answers: Answers::default(),
            bar: ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()),
            canvas: canvas.clone(),
            quiet: globals.quiet,
            step: "beginning".to_owned(),
            since: now,
            spoke: now,
            warned: Vec::new(),
        }
    }

    /// Shows events and notices until the creation closes its channel; returns what was told.
    pub(crate) async fn follow(
        mut self,
        mut events: UnboundedReceiver<ProvisionEvent>,
        mut notices: UnboundedReceiver<Notice>,
    ) -> Shown {
        if self.streams == Streams::Events {
            self.answers.version();
        }
        if self.surface == Surface::Bar {
            self.bar = ProgressBar::new_spinner();
        }
        let mut tick = tokio::time::interval(REDRAW);
        let mut listening = true;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.show(event),
                    None => break,
                },
                notice = notices.recv(), if listening => match notice {
                    Some(notice) => self.say(&notice_text(notice)),
                    None => listening = false,
                },
                _ = tick.tick() => self.tick(Instant::now()),
            }
        }
        self.bar.finish_and_clear();
        Shown {
            warnings: self.warned,
            answers: self.answers,
        }
    }

    fn show(&mut self, event: ProvisionEvent) {
        match event {
            ProvisionEvent::Creating { database, server } => {
                self.begin(format!("create {database} on {server}"));
                self.line("create", &format!("{database} on {server}"));
                let target = self.label.clone();
                let server = server.to_string();
                self.stream(&Event::DatabaseCreating {
                    target,
                    database,
                    server,
                });
            }
            ProvisionEvent::Warned(found) => {
                if let Some(drawn) = warnings(&found, &self.canvas).filter(|_| !self.quiet) {
                    self.say(&format!("{}\n", self.canvas.invocation.fill(&drawn)));
                }
                self.warned.extend(Told::all(&found, &self.canvas.invocation));
            }
            ProvisionEvent::Run(event) => {
                self.run(&event);
                if let Some(event) = Event::of(&event) {
                    self.stream(&event);
                }
            }
            _ => {}
        }
    }

    fn run(&mut self, event: &RunEvent) {
        match event {
            RunEvent::TargetStarted(begun) => self.begin(format!("migrate {}", begun.label)),
            RunEvent::MigrationStarted { migration, .. } => self.begin(format!("migrate {migration}")),
            RunEvent::Waiting { reason, .. } => self.line("WAIT", reason),
            RunEvent::Retrying { .. } | RunEvent::PutBack { .. } => {
                if let Some(again) = Again::of(event) {
                    self.line(Again::WORD, &again.text());
                }
            }
            RunEvent::TargetFinished(target) => self.line(lines::word(target), &lines::finished(target)),
            RunEvent::Started(_) | RunEvent::MigrationFinished { .. } | _ => {}
        }
    }

    fn begin(&mut self, step: String) {
        self.step = step;
        self.since = Instant::now();
    }

    fn tick(&mut self, now: Instant) {
        match self.surface {
            Surface::Bar => {
                let age = text::elapsed_short(now.duration_since(self.since));
                let line = format!("  ◐ {}  {age:>6}  {}", self.label, self.step);
                let line = text::printable(&line).replace('\n', " ");
                self.bar.set_message(text::cut(&line, columns_behind_spinner()));
            }
            Surface::Lines => {
                if let Some(rest) = self.heartbeat(now) {
                    self.line("progress", &rest);
                }
            }
            Surface::Silent if self.heartbeat(now).is_some() => {
                let event = Event::CreationProgress {
                    target: self.label.clone(),
                    step: self.step.clone(),
                    elapsed_ms: millis(now.duration_since(self.since)),
                };
                self.stream(&event);
            }
            Surface::Silent => {}
        }
    }

    /// Writes the next line of the stream, if there is one.
    fn stream(&mut self, event: &Event) {
        if self.streams == Streams::Events {
            self.spoke = Instant::now();
            self.answers.event(event);
        }
    }

    /// Returns what is being done and for how long, if nothing was said for ten seconds.
    fn heartbeat(&self, now: Instant) -> Option<String> {
        let silent = now.duration_since(self.spoke) >= SILENCE;
        let age = text::elapsed_short(now.duration_since(self.since));
        silent.then(|| format!("{} {age}", self.step))
    }

    /// Says what happened where lines are shown; on a terminal the answer says it.
    fn line(&mut self, what: &str, rest: &str) {
        if self.surface == Surface::Lines {
            let line = format!("{} {} {what:<8} {rest}", Utc::now().time_of_day(), self.label);
            self.say(&text::printable(&line));
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

/// Says what a signal leads to.
fn notice_text(notice: Notice) -> String {
    match notice {
        Notice::Draining => "Pausing. The step that runs is finishing, nothing new starts. Ctrl-C again \
             stops waiting and cancels it."
            .to_owned(),
        Notice::Closing(grace) => format!(
            "Ending. Nothing new starts; the step that runs has {} to finish, then it is cancelled.",
            text::elapsed(grace)
        ),
        Notice::Cancelling => "Cancelling the step that runs on its server. Ctrl-C again leaves at once; \
             the same command finds out how far it came."
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::render::{Invocation, Paint};

    #[test]
    fn ten_seconds_without_a_word_are_broken_by_the_step_and_its_age() {
        let canvas = Canvas {
            width: 80,
            paint: Paint::Plain,
            invocation: Invocation::default(),
        };
        let mut view = CreationView::new(&Globals::default(), &canvas, "acme");
        view.begin("migrate 001_users".to_owned());
        let at = |seconds| view.spoke + Duration::from_secs(seconds);
        assert_eq!(view.heartbeat(at(9)), None);
        let line = view.heartbeat(at(12)).unwrap();
        assert!(line.starts_with("migrate 001_users 1"), "{line}");
    }
}
