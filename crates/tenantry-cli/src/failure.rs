//! Why a command did not do what was asked: a message in the form of every message, and an exit code.

use std::path::PathBuf;

use tenantry::Code;
use tenantry::migration::Place;
use tenantry::run::Snippet;

use crate::exit::Exit;

/// What a message is about, in the user's own file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    /// The file.
    pub(crate) path: PathBuf,
    /// The place in it; `None` for the file as a whole.
    pub(crate) place: Option<Place>,
}

/// How much a message matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Something was not done.
    #[default]
    Error,
    /// Something is done that somebody should look at.
    Warning,
}

/// One message: what happened, where, what is true now, and what to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// Whether it is about something that was not done.
    pub(crate) severity: Severity,
    /// The stable code.
    pub(crate) code: Option<Code>,
    /// What happened, in one line.
    pub(crate) title: String,
    /// The places in the user's files.
    pub(crate) at: Vec<Location>,
    /// The lines around the first place.
    pub(crate) snippet: Option<Snippet>,
    /// What stands under the caret.
    pub(crate) caret: Option<String>,
    /// Facts with their names: `database`, `where`, `state`.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// What to do: commands that run as printed, the likeliest first.
    pub(crate) help: Vec<String>,
}

/// A command could not do what was asked.
#[derive(Clone, Debug)]
pub(crate) struct CommandError {
    /// How the process ends.
    pub(crate) exit: Exit,
    /// What is said.
    pub(crate) message: Box<Message>,
}

impl CommandError {
    /// Says what happened, in one line.
    pub(crate) fn new(exit: Exit, title: impl Into<String>) -> Self {
        let message = Message {
            title: title.into(),
            ..Message::default()
        };
        Self {
            exit,
            message: Box::new(message),
        }
    }

    /// Gives the message its stable code.
    pub(crate) fn code(mut self, code: Code) -> Self {
        self.message.code = Some(code);
        self
    }

    /// Adds a file that the message is about.
    pub(crate) fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.message.at.push(Location {
            path: path.into(),
            place: None,
        });
        self
    }

    /// Adds a place in a file, and the lines around it unless a URL is in them.
    pub(crate) fn place(mut self, path: impl Into<PathBuf>, text: &str, offset: usize) -> Self {
        self.message.at.push(Location {
            path: path.into(),
            place: Some(Place::in_text(text, offset)),
        });
        let snippet = Snippet::around(text, offset);
        // A line with a URL may hold a password, and messages end up in logs.
        let secret = snippet.lines.iter().any(|line| line.contains("://"));
        self.message.snippet = (!secret).then_some(snippet);
        self
    }

    /// Adds a fact with its name: `state`, `found`, `rule`.
    pub(crate) fn fact(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.message.facts.push((name, text.into()));
        self
    }

    /// Adds what to do.
    pub(crate) fn help(mut self, line: impl Into<String>) -> Self {
        self.message.help.push(line.into());
        self
    }

    /// Adds every cause of a library error as a fact.
    pub(crate) fn causes(mut self, error: &dyn std::error::Error) -> Self {
        let mut next = error.source();
        while let Some(cause) = next {
            self.message.facts.push(("cause", cause.to_string()));
            next = cause.source();
        }
        self
    }
}
