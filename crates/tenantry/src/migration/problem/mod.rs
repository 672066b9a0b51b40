//! What is wrong with a migration file, where, and what to do about it.

mod codes;
mod help;
mod kind;
mod snippet;

pub use kind::FileProblemKind;
pub(super) use snippet::around;

use std::fmt;
use std::path::{Path, PathBuf};

use super::script::Place;
use crate::code::Code;

/// One reason why one file must not run.
#[derive(Debug)]
pub struct FileProblem {
    /// The file.
    pub path: PathBuf,
    /// Where in it; `None` if the reason is not at a place of the text.
    pub place: Option<Place>,
    /// The line of that place, cut to at most 200 characters around it, control characters escaped.
    pub snippet: Option<String>,
    /// The column of the place within the snippet, in characters from 1; 0 without a snippet.
    pub caret: usize,
    /// The reason.
    pub kind: FileProblemKind,
}

impl FileProblem {
    /// Describes a file as a whole.
    pub(crate) fn whole(path: &Path, kind: FileProblemKind) -> Self {
        Self {
            path: path.to_owned(),
            place: None,
            snippet: None,
            caret: 0,
            kind,
        }
    }

    /// Describes a place in a file's text; `offset` is in bytes.
    pub(crate) fn at(path: &Path, text: &str, offset: usize, kind: FileProblemKind) -> Self {
        let (snippet, caret) = snippet::around(text, offset);
        let place = Some(Place::in_text(text, offset));
        Self {
            path: path.to_owned(),
            place,
            snippet: Some(snippet),
            caret,
            kind,
        }
    }

    /// Returns the stable code of the reason.
    pub fn code(&self) -> Code {
        codes::code(&self.kind)
    }

    /// Returns the one thing to do.
    pub fn help(&self) -> String {
        help::help(&self.kind)
    }

    /// Returns the path with control characters escaped, and `:line:column` if there is a place.
    pub fn location(&self) -> String {
        let path = self.path.to_string_lossy();
        let path: String = path.chars().flat_map(snippet::escape).collect();
        match self.place {
            Some(place) => format!("{path}:{}:{}", place.line, place.column),
            None => path,
        }
    }
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location(), self.kind)
    }
}
