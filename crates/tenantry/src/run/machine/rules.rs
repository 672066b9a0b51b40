//! When a run stops by itself: too many failures, or the first ones all alike.

use super::spec::StopRules;

/// The rule that stopped a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A canary failed.
    Canary,
    /// No canary could be tried.
    NoCanary,
    /// More targets failed than the run bears.
    MaxFailures {
        /// How many it bears.
        most: usize,
    },
    /// The first targets that finished all failed alike: it is the migration, not the tenants.
    SameError {
        /// How many.
        first: usize,
    },
}

impl Rule {
    /// Returns the rule and its number as the registry keeps them.
    pub fn word(self) -> String {
        match self {
            Self::Canary => "canary".to_owned(),
            Self::NoCanary => "no_canary".to_owned(),
            Self::MaxFailures { most } => format!("max_failures {most}"),
            Self::SameError { first } => format!("same_error {first}"),
        }
    }

    /// Reads what [`Self::word`] gives; `None` for anything else.
    pub fn from_word(word: &str) -> Option<Self> {
        let (rule, number) = word.split_once(' ').unwrap_or((word, "0"));
        let number = number.parse().ok()?;
        match rule {
            "canary" => Some(Self::Canary),
            "no_canary" => Some(Self::NoCanary),
            "max_failures" => Some(Self::MaxFailures { most: number }),
            "same_error" => Some(Self::SameError { first: number }),
            _ => None,
        }
    }
}

/// How far the first failures of a run are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alike {
    /// All of so many are, by a number that they have in common; `None` before the first.
    All(Option<u64>, usize),
    /// They are not, or something went well.
    Not,
}

impl Default for Alike {
    fn default() -> Self {
        Self::All(None, 0)
    }
}

impl Alike {
    /// Counts a failure; one without a likeness says nothing about the migration.
    #[must_use]
    pub fn with(self, likeness: Option<u64>) -> Self {
        match (self, likeness) {
            (Self::All(None, _), Some(_)) => Self::All(likeness, 1),
            (Self::All(Some(first), count), Some(next)) if first == next => Self::All(likeness, count + 1),
            (Self::All(Some(_), _), Some(_)) | (Self::Not, _) => Self::Not,
            (Self::All(..), None) => self,
        }
    }

    fn count(self) -> Option<usize> {
        match self {
            Self::All(_, count) => Some(count),
            Self::Not => None,
        }
    }
}

/// What was counted for the rules.
#[derive(Debug)]
pub(super) struct Counts {
    rules: StopRules,
    failed: usize,
    alike: Alike,
}

impl Counts {
    pub(super) fn new(rules: StopRules) -> Self {
        let is_decided = rules.same_error.is_none() || rules.succeeded_before > 0;
        Self {
            failed: rules.failed_before,
            alike: if is_decided {
                Alike::Not
            } else {
                rules.alike_before
            },
            rules,
        }
    }

    pub(super) fn succeeded(&mut self) {
        self.alike = Alike::Not;
    }

    /// Counts a failure; one without a likeness says nothing about the migration.
    pub(super) fn failed(&mut self, likeness: Option<u64>) {
        self.failed += 1;
        self.alike = self.alike.with(likeness);
    }

    /// Returns the rule that is broken; `None` if none is.
    pub(super) fn broken(&self) -> Option<Rule> {
        if let (Some(first), Some(count)) = (self.rules.same_error, self.alike.count())
            && count >= first
        {
            return Some(Rule::SameError { first });
        }
        let most = self.rules.max_failures.filter(|most| self.failed > *most)?;
        Some(Rule::MaxFailures { most })
    }

    /// Returns whether another may start beside so many: as long as all may fail alike, no more than the rule needs to see.
    pub(super) fn lets_start(&self, running: usize) -> bool {
        match (self.rules.same_error, self.alike.count()) {
            (Some(first), Some(count)) => count + running < first,
            (Some(_) | None, _) => true,
        }
    }
}
