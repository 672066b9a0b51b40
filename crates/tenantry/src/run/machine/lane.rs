//! One server in a run: how many jobs it bears, and whether it answers.

use std::collections::VecDeque;
use std::time::Duration;

use super::spec::{JobIndex, LaneSpec, Opening};

/// So many errors in a row, and a server is asked by one job at a time.
const ERRORS_MAX: u32 = 5;
/// How long a server that has never answered is asked so.
const NEVER_ANSWERED: Duration = Duration::from_secs(8);
/// How long one is waited for that did answer in this run: a restart or a failover is over by then.
const ANSWERED: Duration = Duration::from_mins(1);
/// How long a server may have no connection to spare.
const CROWDED: Duration = Duration::from_mins(5);
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(8);
/// The shortest one.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// Sessions that take less to open are no sign of too much work.
const SLOW: Duration = Duration::from_secs(1);
/// So many times the shortest opening is one.
const SLOWER: u32 = 4;

/// So many jobs go to a server before it has said how many connections it has.
const BEFORE_IT_SAYS: usize = 5;

/// One server.
#[derive(Debug)]
pub(super) struct Lane {
    /// The index of its jurisdiction.
    pub(super) area: usize,
    /// How many jobs may run at once, at most.
    limit: usize,
    /// How far that can be raised.
    most: usize,
    /// How many may now: halved where the server has none to spare, one more after so many that went well
    /// (Chiu and Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance", 1989).
    bearable: usize,
    /// How many went well since that last changed.
    well: usize,
    running: usize,
    ready: VecDeque<JobIndex>,
    /// Errors since it answered last.
    errors: u32,
    has_answered: bool,
    /// Since when it counts as away, and when it is asked next.
    open: Option<Open>,
    /// Since when it has no connection to spare, and how often that was so.
    crowded: Option<(Duration, u32)>,
    /// The shortest time that a session took to open.
    shortest: Option<Duration>,
    /// When `bearable` was last lowered for slowness.
    slowed: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    since: Duration,
    until: Duration,
    pause: Duration,
}

impl Lane {
    pub(super) fn new(spec: &LaneSpec) -> Self {
        let limit = spec.limit.max(1);
        Self {
            area: spec.area,
            limit,
            most: spec.most.max(limit),
            bearable: limit.min(BEFORE_IT_SAYS),
            well: 0,
            running: 0,
            ready: VecDeque::new(),
            errors: 0,
            has_answered: false,
            open: None,
            crowded: None,
            shortest: None,
            slowed: Duration::ZERO,
        }
    }

    pub(super) fn push(&mut self, job: JobIndex) {
        self.ready.push_back(job);
    }

    pub(super) fn push_front(&mut self, job: JobIndex) {
        self.ready.push_front(job);
    }

    pub(super) fn pop(&mut self) -> Option<JobIndex> {
        self.ready.pop_front()
    }

    pub(super) fn take_ready(&mut self) -> Vec<JobIndex> {
        std::mem::take(&mut self.ready).into()
    }

    pub(super) fn enter(&mut self) {
        self.running += 1;
    }

    pub(super) fn leave(&mut self) {
        self.running -= 1;
    }

    /// Lets one more run at once, if the server's own limit does.
    pub(super) fn widen(&mut self) {
        if self.limit < self.most {
            self.limit += 1;
            self.bearable += 1;
        }
    }

    /// Returns whether one more may start.
    pub(super) fn admits(&self, now: Duration) -> bool {
        match &self.open {
            Some(open) => open.until <= now && self.running == 0,
            None => self.running < self.bearable,
        }
    }

    /// A session was opened. The first one shows how many the server bears: half of its connections are left to others.
    pub(super) fn opened(&mut self, now: Duration, opening: Opening) {
        self.answers();
        let took = opening.took;
        if self.shortest.is_none() {
            let room = opening.connections.map_or(usize::MAX, |all| (all / 2).max(1));
            self.most = self.most.min(room);
            self.limit = self.limit.min(room);
            // What was lowered since it began rises again as ever.
            self.bearable = match self.crowded {
                None => self.limit,
                Some(_) => self.bearable.min(self.limit),
            };
        }
        let shortest = self.shortest.map_or(took, |shortest| shortest.min(took));
        self.shortest = Some(shortest);
        if took > SLOW && took > shortest * SLOWER && now >= self.slowed + took {
            self.slowed = now;
            self.lower(self.bearable * 3 / 4);
        }
    }

    /// A job went well.
    pub(super) fn succeeded(&mut self) {
        self.answers();
        self.crowded = None;
        self.well += 1;
        if self.well >= self.bearable && self.bearable < self.limit {
            self.bearable += 1;
            self.well = 0;
        }
    }

    fn answers(&mut self) {
        self.has_answered = true;
        self.errors = 0;
        self.open = None;
    }

    fn lower(&mut self, to: usize) {
        self.bearable = to.clamp(1, self.limit);
        self.well = 0;
    }

    /// The server had no connection to spare for a job that has left. Returns how long it waits; `None` if it is
    /// given up.
    pub(super) fn crowded(&mut self, now: Duration) -> Option<Duration> {
        let (since, times) = self.crowded.unwrap_or((now, 0));
        self.crowded = Some((since, times + 1));
        self.has_answered = true;
        self.lower(self.bearable.min(self.running + 1) / 2);
        (now < since + CROWDED).then(|| pause(times.min(4)))
    }

    /// The server did not answer a job that has left. Returns how long that job waits.
    ///
    /// # Errors
    /// How long everybody waits, if the server is watched as a whole.
    pub(super) fn unreachable(&mut self, now: Duration) -> Result<Duration, Duration> {
        self.errors += 1;
        if self.errors < ERRORS_MAX {
            return Ok(pause(self.errors - 1));
        }
        let (since, pause) = match self.open {
            // Those that were under way when it went say nothing new.
            Some(open) if now < open.until => return Err(open.until.saturating_sub(now)),
            Some(open) => (open.since, (open.pause * 2).min(PAUSE_MAX)),
            None => (now, PAUSE_MIN),
        };
        self.open = Some(Open {
            since,
            until: now + pause,
            pause,
        });
        Err(pause)
    }

    /// Returns whether nothing is to be hoped for any more.
    pub(super) fn is_given_up(&self, now: Duration) -> bool {
        self.open
            .is_some_and(|open| self.running == 0 && now >= self.end_of(open))
    }

    fn end_of(&self, open: Open) -> Duration {
        let window = if self.has_answered {
            ANSWERED
        } else {
            NEVER_ANSWERED
        };
        open.since + window
    }

    /// Returns when it is worth a look again; `None` if only the end of a job changes anything.
    pub(super) fn wake(&self) -> Option<Duration> {
        let open = self.open.filter(|_| !self.ready.is_empty())?;
        Some(open.until.min(self.end_of(open)))
    }
}

/// Returns the pause behind so many tries in a row.
fn pause(times: u32) -> Duration {
    (PAUSE_MIN * 2_u32.pow(times.min(8))).min(PAUSE_MAX)
}
