//! Warnings about files: as messages for people, as fields for programs.

use serde::Serialize;
use tenantry::migration::Warning;
use tenantry::run::Snippet;

use super::invocation::Invocation;
use super::message::{Canvas, message};
use super::text;
use crate::failure::{Location, Message, Severity};

/// How many warnings are shown in full; the document has them all.
const SHOWN: usize = 5;

/// Draws warnings as messages; `None` if there are none.
pub(crate) fn warnings(all: &[Warning], canvas: &Canvas) -> Option<String> {
    if all.is_empty() {
        return None;
    }
    let drawn = all
        .iter()
        .take(SHOWN)
        .map(|warning| message(&of(warning), canvas));
    let mut parts: Vec<String> = drawn.collect();
    if all.len() > SHOWN {
        let more = text::count(all.len() - SHOWN, "more warning");
        parts.push(format!("{more}; --json lists them all"));
    }
    Some(parts.join("\n\n"))
}

fn of(warning: &Warning) -> Message {
    Message {
        severity: Severity::Warning,
        code: Some(warning.code()),
        title: warning.kind.to_string(),
        at: vec![Location {
            path: warning.path.clone(),
            place: (!warning.is_about_the_file()).then_some(warning.place),
        }],
        snippet: (!warning.is_about_the_file()).then(|| Snippet {
            first_line: warning.place.line,
            lines: vec![warning.snippet.clone()],
            caret: warning.caret.saturating_sub(1),
            width: 1,
        }),
        help: vec![warning.help()],
        ..Message::default()
    }
}

/// A warning as programs read it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Told {
    code: String,
    title: String,
    file: String,
    line: usize,
    column: usize,
    migration: String,
    help: Vec<String>,
}

impl Told {
    /// Converts warnings; the commands in them get the flags of the present one.
    pub(crate) fn all(warnings: &[Warning], invocation: &Invocation) -> Vec<Self> {
        warnings
            .iter()
            .map(|warning| Self::of(warning, invocation))
            .collect()
    }

    fn of(warning: &Warning, invocation: &Invocation) -> Self {
        Self {
            code: warning.code().to_string(),
            title: warning.kind.to_string(),
            file: text::path(&warning.path),
            line: warning.place.line,
            column: warning.place.column,
            migration: warning.version.to_string(),
            help: vec![invocation.fill(&warning.help())],
        }
    }
}
