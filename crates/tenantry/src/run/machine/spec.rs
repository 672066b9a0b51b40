//! What a machine is told and what it tells: jobs, limits, inputs, actions.

use std::time::Duration;

use super::rules::{Alike, Rule};

/// Index of a job in its run.
pub(crate) type JobIndex = usize;

/// How long the registry's last word counts: less than the lease, so that whoever lost it stops in time.
pub(crate) const FENCE: Duration = Duration::from_secs(20);

/// What the machine knows of a job.
#[derive(Clone, Debug, Default)]
pub(crate) struct JobSpec {
    /// Which limit it counts against: the index of its server.
    pub(crate) server: usize,
    /// The job that must have succeeded before.
    pub(crate) after: Option<JobIndex>,
    /// The index of a login that several jobs share; `None` for one of its own.
    pub(crate) login: Option<usize>,
    /// The index of its wave.
    pub(crate) wave: usize,
    /// What a canary stands for: the number of its engine. `None` if its end says nothing about others: the central
    /// database's.
    pub(crate) kind: Option<usize>,
    /// How long it is expected to take, in milliseconds: the longest begins first. 0 if unknown.
    pub(crate) expected_ms: u64,
}

/// One server.
#[derive(Clone, Debug)]
pub(crate) struct LaneSpec {
    /// How many jobs may run there at once, at most.
    pub(crate) limit: usize,
    /// How far somebody may raise that while the run goes on.
    pub(crate) most: usize,
    /// The index of its jurisdiction.
    pub(crate) area: usize,
}

/// One wave.
#[derive(Clone, Debug, Default)]
pub(crate) struct WaveSpec {
    /// Whether a person promotes the run behind it.
    pub(crate) gate: Option<Gate>,
    /// How long nothing begins behind it.
    pub(crate) soak: Duration,
    /// Whether a single failure in it ends the run.
    pub(crate) care: Care,
    /// How many of its targets failed before this process took the run up.
    pub(crate) failed_before: usize,
    /// Whether something of it was done or tried before this part of the run, or may have been.
    pub(crate) was_worked_on: bool,
}

/// A wave behind which a person has to promote the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gate;

/// How much goes wrong in a wave before the run stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Care {
    /// As much as the rules of the run allow.
    #[default]
    Usual,
    /// Nothing.
    Canary,
}

/// When a run stops by itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct StopRules {
    /// How many failures it bears; `None` bears all.
    pub(crate) max_failures: Option<usize>,
    /// It stops if the first so many that finish fail alike; `None` does not.
    pub(crate) same_error: Option<usize>,
    /// How many targets failed before this process took the run up.
    pub(crate) failed_before: usize,
    /// How many succeeded before.
    pub(crate) succeeded_before: usize,
    /// How far those that failed are alike.
    pub(crate) alike_before: Alike,
}

/// A run as the machine knows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spec {
    /// The jobs.
    pub(crate) jobs: Vec<JobSpec>,
    /// The servers.
    pub(crate) lanes: Vec<LaneSpec>,
    /// How many jobs may run at once in each jurisdiction.
    pub(crate) areas: Vec<usize>,
    /// How often each login that several jobs share may be tried, as long as it was never accepted.
    pub(crate) logins: Vec<u8>,
    /// The waves, in order; at least one if there are jobs.
    pub(crate) waves: Vec<WaveSpec>,
    /// The wave that the run is in.
    pub(crate) wave: usize,
    /// How long nothing begins behind that one, from the beginning on; `None` if it has not ended.
    pub(crate) soak: Option<Duration>,
    /// The kinds of jobs of which one has to go well in the canary's wave before the rest begins.
    pub(crate) owed: Vec<usize>,
    /// When it stops by itself.
    pub(crate) rules: StopRules,
    /// How many jobs may run at once in all.
    pub(crate) total: usize,
    /// How long a registry that is away is waited for when nothing runs any more.
    pub(crate) patience: Duration,
}

impl Spec {
    /// Puts every job into a wave that comes: what an earlier one did not reach runs with the one that the run is in, and
    /// what waits for another job not before that one's.
    pub(crate) fn settle_waves(&mut self) {
        let last = self.waves.len().saturating_sub(1);
        for job in &mut self.jobs {
            job.wave = job.wave.clamp(self.wave.min(last), last);
        }
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            for index in 0..self.jobs.len() {
                let before = self.jobs[index].after.map(|before| self.jobs[before].wave);
                if let Some(wave) = before.filter(|wave| *wave > self.jobs[index].wave) {
                    self.jobs[index].wave = wave;
                    is_settled = false;
                }
            }
        }
    }
}

/// How a session was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    /// How long that took.
    pub(crate) took: Duration,
    /// How many connections the server has for everybody; `None` if it has no such limit, or did not say.
    pub(crate) connections: Option<usize>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The run begins.
    Begin,
    /// A job has a session.
    Opened(JobIndex, Opening),
    /// A job's work ended.
    Ended(JobIndex, Ending),
    /// Somebody asked for something.
    Ask(Asked),
    /// What the registry says about the run.
    Registry(Said),
    /// Time has passed.
    Tick,
}

/// How a job's work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It has come to where it should be.
    Succeeded,
    /// It was there already.
    Current,
    /// Its migration failed there; alike failures have the same number.
    Failed(Option<u64>),
    /// Nothing may run there: a file or history that is refused. Nothing was touched.
    Refused,
    /// The server has no connection to spare: it may be started again.
    Crowded,
    /// The server did not answer: it may be started again.
    Unreachable,
    /// The server refused the login.
    LoginRefused,
    /// Neither: it was cut short, or its sessions did not last. It says nothing about the migration.
    Otherwise,
}

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Start nothing new, and end so.
    Stop(End),
    /// One more at once.
    Faster,
    /// One less at once.
    Slower,
    /// Go on with the next wave without waiting longer.
    Promote,
}

/// What the registry says about the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is ours; how long ago it was asked. An answer may be old when it is heard.
    Ours {
        /// How long ago.
        ago: Duration,
    },
    /// Nothing: it does not answer.
    Away,
    /// It is somebody else's now.
    TakenOver,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start a job.
    Start(JobIndex),
    /// What became of a job stands.
    Settle(JobIndex),
    /// A job that could not be worked on is started again, not before a pause is over.
    Again(JobIndex, Duration),
    /// Report a job that does not begin.
    Skip(JobIndex, Why),
    /// A wave begins.
    WaveStarted(usize),
    /// A wave has ended, and nothing begins behind it for so long.
    WaveFinished(usize, Duration),
    /// Everything has ended.
    Finish(End),
}

/// Why a job does not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The run stops.
    Stopped,
    /// Somebody else has the run, and says what becomes of it.
    TakenOver,
    /// What it depends on failed.
    Dependency,
    /// Its server does not answer.
    ServerAway {
        /// The server.
        server: usize,
    },
    /// Its login was refused to others.
    LoginRefused {
        /// One of them.
        first: JobIndex,
    },
}

/// How a run ends. Later ones outrank earlier ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Every target was tried.
    Completed,
    /// A wave is over, and a person promotes the run.
    Gate(usize),
    /// Somebody asked for a pause.
    Paused,
    /// A rule was broken.
    Stopped(Rule),
    /// A signal asked for an end.
    Interrupted,
    /// Somebody gave the run up.
    Cancelled,
    /// The registry did not come back.
    RegistryLost,
    /// Somebody else has taken the run over.
    Fenced,
}

impl End {
    fn rank(&self) -> u8 {
        match self {
            Self::Completed => 0,
            Self::Gate(_) => 1,
            Self::Paused => 2,
            Self::Stopped(_) => 3,
            Self::Interrupted => 4,
            Self::Cancelled => 5,
            Self::RegistryLost => 6,
            Self::Fenced => 7,
        }
    }

    /// Returns whether a run ends as this rather than as another.
    pub(crate) fn outranks(&self, other: &Self) -> bool {
        self.rank() > other.rank()
    }
}
