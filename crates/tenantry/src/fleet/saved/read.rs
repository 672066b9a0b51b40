//! Reading a plan that anybody may have written: what is not exactly one of ours is refused, with its place.

use std::str::FromStr;

use serde::Deserialize;
use thiserror::Error;

use super::{PLAN_FORMAT, SavedPlan, Scope};
use crate::direction::Direction;
use crate::plan::Goal;

/// Why a text is no plan that can be carried out.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnreadablePlan {
    /// It is not the JSON of a plan.
    #[error("{what}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column in it, in bytes from 1.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// It is JSON, and something else than a plan.
    #[error("it has no `tenantry_plan`, with which every plan begins")]
    NoPlan,
    /// It is a plan of another format.
    #[error("its format is {found}, and this program reads {PLAN_FORMAT}")]
    Format {
        /// The format that it says it has.
        found: String,
    },
    /// A field has a value that no program of ours writes.
    #[error("`{field}` cannot be `{value}`")]
    Value {
        /// The field.
        field: &'static str,
        /// The value, or the beginning of it.
        value: String,
    },
    /// It contradicts itself.
    #[error("{what}")]
    Inconsistent {
        /// What does not go together.
        what: String,
    },
}

/// How much of a foreign text is told, in characters.
const TOLD: usize = 160;

impl UnreadablePlan {
    pub(super) fn value(field: &'static str, value: &str) -> Self {
        let value = beginning(value);
        Self::Value { field, value }
    }

    fn json(error: &serde_json::Error) -> Self {
        let place = format!(" at line {} column {}", error.line(), error.column());
        let what = error.to_string();
        Self::Json {
            line: error.line(),
            // At the end of a text it counts from 0.
            column: error.column().max(1),
            what: beginning(what.strip_suffix(&place).unwrap_or(&what)),
        }
    }
}

/// What a plan of any format has.
#[derive(Deserialize)]
struct Header {
    tenantry_plan: Option<serde_json::Value>,
}

impl SavedPlan {
    /// Returns whether a text is a plan of any format, whole or not.
    pub fn is_plan(text: &str) -> bool {
        let header = serde_json::from_str::<Header>(text);
        text.trim_start().starts_with('{') && header.is_ok_and(|header| header.tenantry_plan.is_some())
    }

    /// Reads what [`SavedPlan::text`] writes.
    ///
    /// # Errors
    /// Anything else, unknown fields too.
    pub fn read(text: &str) -> Result<Self, UnreadablePlan> {
        let begin = text.trim_start();
        // A list of the right values would be taken for an object, too.
        if !begin.is_empty() && !begin.starts_with('{') {
            return Err(UnreadablePlan::NoPlan);
        }
        let header: Header = match serde_json::from_str(text) {
            Ok(header) => header,
            Err(error) if error.is_data() => return Err(UnreadablePlan::NoPlan),
            Err(error) => return Err(UnreadablePlan::json(&error)),
        };
        match header.tenantry_plan {
            None => return Err(UnreadablePlan::NoPlan),
            Some(format) if format != PLAN_FORMAT => {
                let found = beginning(&format.to_string());
                return Err(UnreadablePlan::Format { found });
            }
            Some(_) => {}
        }
        let plan: Self = serde_json::from_str(text).map_err(|error| UnreadablePlan::json(&error))?;
        plan.scope()?;
        plan.check()?;
        Ok(plan)
    }

    /// Returns which targets it is about, and where it leads.
    ///
    /// # Errors
    /// The field and the value that no program of ours writes.
    pub(super) fn scope(&self) -> Result<Scope, UnreadablePlan> {
        let goal = Goal::from_text(&self.goal).filter(|goal| goal.direction() == Direction::Up);
        let goal = goal.filter(|goal| goal.to_string() == self.goal);
        let goal = goal.ok_or_else(|| UnreadablePlan::value("goal", &self.goal))?;
        if self.direction != goal.direction().to_string() {
            return Err(UnreadablePlan::value("direction", &self.direction));
        }
        self.selection.scope(goal)
    }
}

/// Cuts a text of the file's: 64 MiB may be one long value.
pub(super) fn beginning(text: &str) -> String {
    let mut told: String = text.chars().take(TOLD).collect();
    if told.len() < text.len() {
        told.push('…');
    }
    told
}

/// Reads a list of names.
pub(super) fn values<T: FromStr>(field: &'static str, texts: &[String]) -> Result<Vec<T>, UnreadablePlan> {
    let read = |text: &String| text.parse().map_err(|_| UnreadablePlan::value(field, text));
    texts.iter().map(read).collect()
}
