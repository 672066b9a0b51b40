//! Where a target of a run is, and which moves there are: pure, and shared by every store of runs.

/// Where a target of a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetState {
    /// It waits for its turn.
    Pending,
    /// A driver has begun with it, and has no session yet.
    Leased,
    /// A driver has its database's lock.
    Running,
    /// It is tried again later: its server did not answer, or had no connection to spare.
    RetryWait,
    /// It has ended, with an outcome.
    Ended,
}

impl TargetState {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Leased,
        Self::Running,
        Self::RetryWait,
        Self::Ended,
    ];

    /// Returns the word used in JSON and in the registry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Leased => "leased",
            Self::Running => "running",
            Self::RetryWait => "retry_wait",
            Self::Ended => "ended",
        }
    }

    /// Reads the word that [`Self::as_str`] gives; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Returns whether a driver may move a target from here to `next`. Writes come in batches, so that states which
    /// were passed in between are left out. What has ended stays so; a driver that takes a run up finds what was under
    /// way as its predecessor left it, and begins it anew.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Pending | Self::Leased | Self::Running | Self::RetryWait => next != Self::Pending,
            Self::Ended => false,
        }
    }
}
