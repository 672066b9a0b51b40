//! The seam where a run asks for its actions to be carried out; here by tasks of this process.

use std::collections::HashMap;
use std::future::Future;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinSet};

use super::failure::Failure;
use super::machine::{Ending, JobIndex, Opening};

/// What comes back from the work on jobs.
pub(super) enum Arrival<T> {
    /// A job has a session.
    Opened(JobIndex, Opening),
    /// A job could not be worked on now.
    PutBack(JobIndex, Box<PutBack>),
    /// A job's work has ended; `None` if a bug of ours ended it.
    Ended(JobIndex, Option<T>),
}

/// Why a job could not be worked on now.
#[derive(Clone, Debug)]
pub(super) struct PutBack {
    /// What that means for its server.
    pub(super) ending: Ending,
    /// Why, as it is reported if it is not tried again.
    pub(super) failure: Failure,
    /// Why, in one line.
    pub(super) reason: String,
}

/// Carries actions out. A driver over many machines would be another one of these.
pub(super) trait Dispatch {
    /// What becomes of a job.
    type Report;

    /// Starts the work on a job, or goes on with one that was put back.
    fn start(&mut self, job: JobIndex);

    /// Lets a job that was put back end with what it has; nothing happens if it was not.
    fn give_up(&mut self, job: JobIndex) -> Parked;

    /// Returns what comes next; waits for ever if nothing is under way.
    fn next(&mut self) -> impl Future<Output = Arrival<Self::Report>>;
}

/// Whether a job's work waits to be gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parked {
    /// It did, and ends now.
    Was,
    /// It was never begun, or has ended.
    Not,
}

/// Whether a job that was put back is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// Now.
    Now,
    /// Never.
    Never,
}

/// What a job's work tells its run.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    job: JobIndex,
    sender: mpsc::UnboundedSender<Note>,
}

enum Note {
    Opened(JobIndex, Opening),
    PutBack(JobIndex, Box<PutBack>, oneshot::Sender<Again>),
}

impl Seat {
    /// Tells that a session was opened.
    pub(super) fn opened(&self, opening: Opening) {
        // Without a run nobody is interested.
        drop(self.sender.send(Note::Opened(self.job, opening)));
    }

    /// Leaves its place to others and waits until it may try again.
    pub(super) async fn put_back(&self, why: PutBack) -> Again {
        let (reply, answer) = oneshot::channel();
        let sent = self.sender.send(Note::PutBack(self.job, Box::new(why), reply));
        match sent {
            Ok(()) => answer.await.unwrap_or(Again::Never),
            Err(_) => Again::Never,
        }
    }
}

/// Tasks of this process, one for each job under way.
pub(super) struct Tasks<T, W> {
    work: W,
    set: JoinSet<T>,
    running: HashMap<Id, JobIndex>,
    parked: HashMap<JobIndex, oneshot::Sender<Again>>,
    sender: mpsc::UnboundedSender<Note>,
    notes: mpsc::UnboundedReceiver<Note>,
}

impl<T, W, F> Tasks<T, W>
where
    T: Send + 'static,
    W: Fn(JobIndex, Seat) -> F,
    F: Future<Output = T> + Send + 'static,
{
    /// Makes what starts `work` for each job.
    pub(super) fn new(work: W) -> Self {
        let (sender, notes) = mpsc::unbounded_channel();
        Self {
            work,
            set: JoinSet::new(),
            running: HashMap::new(),
            parked: HashMap::new(),
            sender,
            notes,
        }
    }

    fn noted(&mut self, note: Note) -> Arrival<T> {
        match note {
            Note::Opened(job, took) => Arrival::Opened(job, took),
            Note::PutBack(job, why, reply) => {
                self.parked.insert(job, reply);
                Arrival::PutBack(job, why)
            }
        }
    }
}

impl<T, W, F> Dispatch for Tasks<T, W>
where
    T: Send + 'static,
    W: Fn(JobIndex, Seat) -> F,
    F: Future<Output = T> + Send + 'static,
{
    type Report = T;

    fn start(&mut self, job: JobIndex) {
        if let Some(parked) = self.parked.remove(&job) {
            // A task that is gone is joined, and told as what it is.
            let _goes_on = parked.send(Again::Now).is_ok();
            return;
        }
        let sender = self.sender.clone();
        let work = (self.work)(job, Seat { job, sender });
        self.running.insert(self.set.spawn(work).id(), job);
    }

    fn give_up(&mut self, job: JobIndex) -> Parked {
        let Some(parked) = self.parked.remove(&job) else {
            return Parked::Not;
        };
        let _ends = parked.send(Again::Never).is_ok();
        Parked::Was
    }

    async fn next(&mut self) -> Arrival<T> {
        loop {
            tokio::select! {
                // What a job says comes before its end.
                biased;
                Some(note) = self.notes.recv() => return self.noted(note),
                Some(joined) = self.set.join_next_with_id() => {
                    let (id, ended) = match joined {
                        Ok((id, value)) => (id, Some(value)),
                        Err(error) => (error.id(), None),
                    };
                    if let Some(job) = self.running.remove(&id) {
                        return Arrival::Ended(job, ended);
                    }
                }
                else => std::future::pending().await,
            }
        }
    }
}
