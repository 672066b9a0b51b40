//! What people and programs see. Nothing outside this folder prints.

pub(crate) mod advice;
mod again;
pub(crate) mod annotations;
mod answers;
mod creation;
mod decide;
mod declaring;
pub(crate) mod failure;
mod head;
mod holders;
mod invocation;
mod items;
mod lines;
mod live;
mod message;
mod notice;
pub(crate) mod out;
mod pace;
mod problem;
mod rows;
mod scroll;
mod stopped;
mod style;
pub(crate) mod summary;
mod table;
mod tally;
pub(crate) mod text;
mod unrecorded;
mod view;
mod warning;
mod wire;

#[cfg(test)]
pub(crate) mod sample;

use serde::Serialize;

pub(crate) use answers::Answers;
pub(crate) use creation::{CreationView, Shown};
pub(crate) use declaring::DeclaringView;
pub(crate) use invocation::Invocation;
pub(crate) use items::Items;
pub(crate) use message::{Canvas, ending, message};
pub(crate) use problem::Problem;
pub(crate) use style::Paint;
pub(crate) use summary::group_lines;
pub(crate) use table::Table;
pub(crate) use view::{Ending, Heard, RunView, SILENCE, draw_groups};
pub(crate) use warning::{Told, warnings};
pub(crate) use wire::{Finished, Target};

/// The least width that texts are broken for; a narrower terminal breaks their lines itself.
const NARROWEST: usize = 40;

/// Returns how wide texts are drawn that stay.
pub(crate) fn width() -> usize {
    columns().max(NARROWEST)
}

/// Returns how many columns the terminal behind stderr has, for lines that are redrawn; as many as can be where there is
/// none.
pub(crate) fn columns() -> usize {
    let size = dialoguer::console::Term::stderr().size_checked();
    // A terminal that does not know its size says 0.
    let known = size
        .map(|(_, columns)| usize::from(columns))
        .filter(|columns| *columns > 0);
    known.unwrap_or(usize::MAX)
}

/// Returns how many columns a redrawn line has behind a spinner and its space.
pub(crate) fn columns_behind_spinner() -> usize {
    columns().saturating_sub(2)
}

/// Writes a value as one line of JSON, in which a job of GitHub's finds no command.
pub(crate) fn json(value: &impl Serialize) -> String {
    // Our own structs have text keys and no maps, so that they can always be written.
    let line = serde_json::to_string(value).unwrap_or_default();
    // Two such characters stand nowhere but in a string, where it means the same. A line may be very long.
    if line.contains("##[") {
        line.replace("##[", "##\\u005b")
    } else {
        line
    }
}

/// Writes a value as JSON for people to read.
pub(crate) fn json_pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
