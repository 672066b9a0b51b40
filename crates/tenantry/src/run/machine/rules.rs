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

/// What was counted for the rules.
#[derive(Debug)]
pub(super) struct Counts {
    rules: StopRules,
    failed: usize,
    /// What the first failures are like, and how many there are; `None` once one was otherwise.
    alike: Option<Alike>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Alike {
    likeness: Option<u64>,
    count: usize,
}

impl Counts {
    pub(super) fn new(rules: StopRules) -> Self {
        let undecided = rules.same_error.is_some() && rules.succeeded_before == 0 && rules.failed_before == 0;
        Self {
            failed: rules.failed_before,
            alike: undecided.then(Alike::default),
            rules,
        }
    }

    pub(super) fn succeeded(&mut self) {
        self.alike = None;
    }

    /// Counts a failure; one without a likeness says nothing about the migration.
    pub(super) fn failed(&mut self, likeness: Option<u64>) {
        self.failed += 1;
        let (Some(alike), Some(likeness)) = (&mut self.alike, likeness) else {
            return;
        };
        if alike.likeness.is_some_and(|first| first != likeness) {
            self.alike = None;
            return;
        }
        alike.likeness = Some(likeness);
        alike.count += 1;
    }

    /// Returns the rule that is broken; `None` if none is.
    pub(super) fn broken(&self) -> Option<Rule> {
        let same = self.rules.same_error;
        let alike = self.alike.map(|alike| alike.count);
        if let (Some(first), Some(count)) = (same, alike)
            && count >= first
        {
            return Some(Rule::SameError { first });
        }
        let most = self.rules.max_failures.filter(|most| self.failed > *most)?;
        Some(Rule::MaxFailures { most })
    }

    /// Returns whether another may start beside so many: as long as all may fail alike, no more than the rule needs to see.
    pub(super) fn lets_start(&self, running: usize) -> bool {
        match (self.rules.same_error, self.alike) {
            (Some(first), Some(alike)) => alike.count + running < first,
            (Some(_) | None, _) => true,
        }
    }
}
