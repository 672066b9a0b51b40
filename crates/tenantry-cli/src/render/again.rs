//! A target that is tried again: what every face says of it. Pure.

use std::time::Duration;

use tenantry::Code;
use tenantry::run::RunEvent;

use super::text;

/// Whether others go before a target that is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It keeps its place.
    Kept,
    /// Others go first.
    GivenUp,
}

/// A target that is tried again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Again<'a> {
    /// The target's name.
    pub(crate) label: &'a str,
    /// Why: the code of the failure.
    pub(crate) code: Code,
    /// Why, in words.
    pub(crate) reason: &'a str,
    /// How long it waits before.
    pub(crate) pause: Duration,
    /// Whether others go first.
    pub(crate) turn: Turn,
}

impl<'a> Again<'a> {
    /// The word before its line.
    pub(crate) const WORD: &'static str = "RETRY";

    /// Returns who is tried again by an event; `None` if it says that of nobody.
    pub(crate) fn of(event: &'a RunEvent) -> Option<Self> {
        let turn = if matches!(event, RunEvent::PutBack { .. }) {
            Turn::GivenUp
        } else {
            Turn::Kept
        };
        match event {
            RunEvent::Retrying {
                label,
                code,
                reason,
                pause,
            }
            | RunEvent::PutBack {
                label,
                code,
                reason,
                pause,
                ..
            } => Some(Self {
                label,
                code: *code,
                reason,
                pause: *pause,
                turn,
            }),
            RunEvent::Started(_)
            | RunEvent::Attached { .. }
            | RunEvent::TakenOver { .. }
            | RunEvent::WaveStarted { .. }
            | RunEvent::WaveFinished { .. }
            | RunEvent::RegistryAway { .. }
            | RunEvent::RegistryBack
            | RunEvent::TargetStarted(_)
            | RunEvent::TargetFinished(_)
            | RunEvent::MigrationStarted { .. }
            | RunEvent::MigrationFinished { .. }
            | RunEvent::Waiting { .. }
            | RunEvent::Slow { .. }
            | _ => None,
        }
    }

    /// Says why and when.
    pub(crate) fn text(&self) -> String {
        let others = match self.turn {
            Turn::Kept => "",
            Turn::GivenUp => "others go first, ",
        };
        let pause = text::elapsed(self.pause);
        format!("{} {}; {others}again in {pause}", self.code, self.reason)
    }

    /// Says what it waits for until then.
    pub(crate) fn waits(&self) -> String {
        format!("tried again: {}", self.reason)
    }
}
