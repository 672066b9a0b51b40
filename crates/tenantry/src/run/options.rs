//! What a run is told: limits, clocks, and how much goes into one transaction.

use std::time::Duration;

use super::policy::Policy;
use crate::engine::IDLE_TIMEOUT;
use crate::server::DEFAULT_PER_SERVER;

/// How many targets run at once unless told otherwise, per server.
pub const DEFAULT_CONCURRENCY: usize = 5;

/// How much of a target's work goes into one transaction, where the engine can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransactionScope {
    /// Each migration by itself. A database to which nothing was ever applied still takes all at once.
    #[default]
    Migration,
    /// Everything pending in a target together.
    Target,
}

/// Who is asked what is pending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ask {
    /// Each server once, and then those of its databases that are not at their goal by its word.
    #[default]
    Servers,
    /// Every database itself.
    Databases,
}

/// The settings of one run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// How many targets run at once in all; `None` is 5 for each server and at most 64.
    pub concurrency: Option<usize>,
    /// How many targets of one server run at once; a server's own limit always binds. `None` is 5, or no
    /// limit if `concurrency` is given.
    pub per_server: Option<usize>,
    /// How many targets of one jurisdiction run at once; `None` is no limit.
    pub per_jurisdiction: Option<usize>,
    /// How much goes into one transaction.
    pub transaction: TransactionScope,
    /// How long to try to connect.
    pub connect_timeout: Duration,
    /// How long one statement may wait for a lock on the server.
    pub lock_timeout: Duration,
    /// How long to go on trying when a lock is held by somebody else.
    pub lock_window: Duration,
    /// After how long without a word from us a server ends our session, so that a machine that vanished, or
    /// a process that was frozen, holds no lock for longer.
    pub idle_timeout: Duration,
    /// How long a server may be silent to everybody while it works for us: longer, and its session counts as
    /// lost. A statement that takes hours is no silence as long as the server says that it is at it.
    pub progress_timeout: Duration,
    /// How long a registry that does not answer is waited for: nothing new starts, and then the run ends without it.
    pub registry_window: Duration,
    /// What becomes of a run whose targets another one has.
    pub when_held: WhenHeld,
    /// Its waves, and when it stops by itself.
    pub policy: Policy,
    /// How long the work on one target may take in all; then its statement is cancelled. `None` is without end.
    pub target_timeout: Option<Duration>,
    /// Who is asked what is pending.
    pub ask: Ask,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            concurrency: None,
            per_server: None,
            per_jurisdiction: None,
            transaction: TransactionScope::default(),
            connect_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(3),
            lock_window: Duration::from_mins(5),
            idle_timeout: IDLE_TIMEOUT,
            progress_timeout: Duration::from_mins(1),
            registry_window: Duration::from_mins(1),
            when_held: WhenHeld::default(),
            policy: Policy::default(),
            target_timeout: None,
            ask: Ask::default(),
        }
    }
}

/// What becomes of a run whose targets another one has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenHeld {
    /// It does not begin.
    #[default]
    Refuse,
    /// It waits until the other one has ended.
    Wait,
}

/// The most targets that a run works on at once unless told otherwise.
const MOST: usize = 64;

impl RunOptions {
    /// Returns how many targets may run at once, given how many servers they stand on.
    pub(crate) fn total_limit(&self, servers: usize) -> usize {
        self.concurrency
            .unwrap_or_else(|| (DEFAULT_CONCURRENCY * servers).min(MOST))
            .max(1)
    }

    /// Returns how many targets of a server may run at once, given the server's own limit.
    pub(super) fn server_limit(&self, own: Option<usize>) -> usize {
        let asked = match (self.per_server, self.concurrency) {
            (Some(n), _) => n,
            (None, Some(total)) => total,
            (None, None) => DEFAULT_PER_SERVER,
        };
        asked.min(own.unwrap_or(usize::MAX)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concurrency_alone_lifts_the_default_per_server_but_not_the_servers_own() {
        let options = RunOptions {
            concurrency: Some(20),
            ..RunOptions::default()
        };
        assert_eq!(options.server_limit(None), 20);
        assert_eq!(options.server_limit(Some(8)), 8);
        let both = RunOptions {
            per_server: Some(2),
            ..options
        };
        assert_eq!(both.server_limit(None), 2);
        assert_eq!(RunOptions::default().server_limit(None), 5);
    }

    #[test]
    fn the_default_total_grows_with_the_servers_up_to_64() {
        assert_eq!(RunOptions::default().total_limit(3), 15);
        assert_eq!(RunOptions::default().total_limit(100), 64);
    }
}
