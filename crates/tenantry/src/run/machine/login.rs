//! Logins that several jobs share: a wrong password is tried twice in a run at most.

use super::spec::JobIndex;

/// The shared logins of a run.
#[derive(Debug)]
pub(super) struct Logins(Vec<Login>);

#[derive(Clone, Debug, Default)]
struct Login {
    is_proven: bool,
    /// Whether a job is trying it now.
    is_tried: bool,
    refused: u8,
    /// So many refusals, and nobody tries it again.
    most: u8,
    /// One of those that were refused.
    first: Option<JobIndex>,
    /// Jobs that wait until it is proven.
    parked: Vec<JobIndex>,
}

/// What comes after a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another job tries it.
    Try(JobIndex),
    /// Nobody tries it again; these waited for it.
    GiveUp(Vec<JobIndex>),
}

/// Whether a job may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may.
    Go,
    /// It waits until somebody else's was accepted.
    Wait,
    /// It was refused often enough, to this job first.
    Never(JobIndex),
}

impl Logins {
    /// `tries` says how often each may be tried that is never accepted.
    pub(super) fn new(tries: &[u8]) -> Self {
        let login = |most: &u8| Login {
            most: *most,
            ..Login::default()
        };
        Self(tries.iter().map(login).collect())
    }

    /// Returns whether a job may log in now; one that waits is kept here.
    pub(super) fn admit(&mut self, login: usize, job: JobIndex) -> Admission {
        let login = &mut self.0[login];
        if let Some(first) = login
            .first
            .filter(|_| login.refused >= login.most && !login.is_proven)
        {
            return Admission::Never(first);
        }
        if login.is_proven || !login.is_tried {
            login.is_tried = true;
            return Admission::Go;
        }
        login.parked.push(job);
        Admission::Wait
    }

    /// Returns whether nobody may try it any more.
    pub(super) fn is_given_up(&self, login: usize) -> bool {
        let login = &self.0[login];
        login.refused >= login.most && !login.is_proven
    }

    /// The login was accepted; returns the jobs that waited for that.
    pub(super) fn proven(&mut self, login: usize) -> Vec<JobIndex> {
        let login = &mut self.0[login];
        login.is_proven = true;
        login.parked.reverse();
        std::mem::take(&mut login.parked)
    }

    /// A job left without having tried it; returns who tries it next.
    pub(super) fn release(&mut self, login: usize) -> Option<JobIndex> {
        let login = &mut self.0[login];
        login.is_tried = false;
        login.parked.pop()
    }

    /// The login was refused to a job.
    pub(super) fn refused(&mut self, login: usize, job: JobIndex) -> Next {
        let login = &mut self.0[login];
        login.is_tried = false;
        login.refused += 1;
        login.first.get_or_insert(job);
        if login.refused >= login.most {
            return Next::GiveUp(std::mem::take(&mut login.parked));
        }
        login.parked.pop().map_or(Next::GiveUp(Vec::new()), Next::Try)
    }

    /// Takes the waiting jobs that a condition holds for.
    pub(super) fn take_parked(&mut self, which: impl Fn(JobIndex) -> bool) -> Vec<JobIndex> {
        let of = |login: &mut Login| {
            let (taken, kept) = std::mem::take(&mut login.parked)
                .into_iter()
                .partition(|job| which(*job));
            login.parked = kept;
            let taken: Vec<JobIndex> = taken;
            taken
        };
        self.0.iter_mut().flat_map(of).collect()
    }
}
