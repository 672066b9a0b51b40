//! What is wrong with rows, each with its place in the source; never a password.

use std::fmt;

/// Where a row stands in its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The line of a file, from 1, on which the row begins.
    Line(u64),
    /// The index in a JSON list, from 0.
    Item(usize),
    /// The row of a query's answer, from 1.
    Row(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Item(index) => write!(f, "item [{index}]"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// One thing that is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowProblem {
    /// Which row.
    pub at: Place,
    /// Which field of it: `slug`, `kira.db_port`.
    pub field: String,
    /// What is wrong, behind the field's name: "is missing".
    pub what: String,
}

impl fmt::Display for RowProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.at, self.field, self.what)
    }
}

/// How many problems are kept with their words.
pub const SHOWN_MAX: usize = 20;

/// What is wrong with rows: the first problems, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    shown: Vec<RowProblem>,
    count: usize,
    rows: usize,
    last: Option<Place>,
}

impl Problems {
    /// Adds one; those of a row come one behind the other.
    pub(crate) fn add(&mut self, problem: RowProblem) {
        self.count += 1;
        if self.last != Some(problem.at) {
            self.rows += 1;
            self.last = Some(problem.at);
        }
        if self.shown.len() < SHOWN_MAX {
            self.shown.push(problem);
        }
    }

    /// Returns the first [`SHOWN_MAX`].
    pub fn shown(&self) -> &[RowProblem] {
        &self.shown
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns in how many rows they are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Writes a value that a message shows: control characters escaped, a long one cut.
pub(crate) fn told(value: &str) -> String {
    const MAX: usize = 60;
    let escaped: String = value.chars().take(MAX).flat_map(char::escape_debug).collect();
    if value.chars().nth(MAX).is_some() {
        format!("`{escaped}…`")
    } else {
        format!("`{escaped}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_counted_and_the_first_are_kept() {
        let mut problems = Problems::default();
        for line in 1..=30 {
            for field in ["slug", "db_port"] {
                problems.add(RowProblem {
                    at: Place::Line(line),
                    field: field.to_owned(),
                    what: "is missing".to_owned(),
                });
            }
        }
        assert_eq!((problems.count(), problems.rows()), (60, 30));
        assert_eq!(problems.shown().len(), SHOWN_MAX);
        assert_eq!(problems.shown()[0].to_string(), "line 1: slug is missing");
    }

    #[test]
    fn a_value_is_told_without_what_a_terminal_would_obey() {
        assert_eq!(told("a\u{1b}[31m\n"), r"`a\u{1b}[31m\n`");
        assert_eq!(told(&"x".repeat(61)), format!("`{}…`", "x".repeat(60)));
    }
}
