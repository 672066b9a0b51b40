//! A message as programs read it: the same parts, as fields.

use serde::Serialize;

use super::Invocation;
use crate::exit::Exit;
use crate::failure::Message;

/// What is printed on stdout when a command fails and JSON was asked for.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    code: Option<String>,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    detail: Vec<Detail>,
    help: Vec<String>,
    exit_code: u8,
}

/// A fact with its name.
#[derive(Debug, Serialize)]
struct Detail {
    name: &'static str,
    text: String,
}

impl Problem {
    /// Takes a message apart.
    pub(crate) fn new(message: &Message, exit: Exit, invocation: &Invocation) -> Self {
        let at = message.at.first();
        let place = at.and_then(|at| at.place);
        let detail = |(name, text): &(&'static str, String)| Detail {
            name,
            text: text.clone(),
        };
        Self {
            kind: "error",
            code: message.code.map(|code| code.to_string()),
            title: message.title.clone(),
            file: at.map(|at| super::text::path(&at.path)),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            detail: message.facts.iter().map(detail).collect(),
            help: message.help.iter().map(|line| invocation.fill(line)).collect(),
            exit_code: exit.code(),
        }
    }
}
