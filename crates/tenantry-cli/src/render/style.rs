//! Colour as meaning: red is for you to act on, yellow to look at, green is done. Never without a word.

use std::io::IsTerminal as _;

use crate::args::Color;
use crate::config::Environment;

/// Whether colour is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// No escape sequence at all.
    Plain,
    /// With colour.
    Colored,
}

impl Paint {
    /// Decides for stderr: the flag, then `NO_COLOR`, `FORCE_COLOR` and `TERM=dumb`, then the terminal.
    pub(crate) fn decide(asked: Color, environment: &Environment) -> Self {
        let set = |name| environment.find(name).map(|(value, _)| value);
        let colored = match asked {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if set("NO_COLOR").is_some() => false,
            Color::Auto if set("FORCE_COLOR").is_some_and(|value| value != "0") => true,
            Color::Auto => set("TERM") != Some("dumb") && std::io::stderr().is_terminal(),
        };
        if colored { Self::Colored } else { Self::Plain }
    }

    /// Shows that something failed.
    pub(crate) fn red(self, text: &str) -> String {
        self.wrap("31;1", text)
    }

    /// Shows that something wants a look.
    pub(crate) fn yellow(self, text: &str) -> String {
        self.wrap("33;1", text)
    }

    /// Shows that something is done.
    pub(crate) fn green(self, text: &str) -> String {
        self.wrap("32;1", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colored => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}
