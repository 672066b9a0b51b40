//! Drives the machine: carries its actions out through a dispatch, and feeds back what comes of them.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

use super::control::Control;
use super::dispatch::{Arrival, Dispatch, Parked, PutBack};
use super::machine::{Action, End, Ending, Input, JobIndex, Machine, Said, Why};

/// How a job ended.
pub(super) enum Ended<T> {
    /// Its work returned.
    Done(T),
    /// Its work panicked: a bug of ours, and only this job's end.
    Panicked,
    /// It was not started.
    Skipped(Why),
}

/// What whoever keeps a run says about it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word {
    /// The registry says that it is ours.
    Ours {
        /// When it was asked: from then on its word counts, however late it is heard.
        asked: Instant,
    },
    /// The registry does not answer.
    Away,
    /// The registry says that it is somebody else's now.
    TakenOver,
}

impl Word {
    fn said(self) -> Said {
        match self {
            Self::Ours { asked } => Said::Ours { ago: asked.elapsed() },
            Self::Away => Said::Away,
            Self::TakenOver => Said::TakenOver,
        }
    }
}

/// What is told of a run while it is driven.
pub(super) trait Observer<T> {
    /// Says what the end of a job's work means for the run.
    fn ending(&self, job: JobIndex, report: &T) -> Ending;

    /// A job has ended for good.
    fn ended(&mut self, job: JobIndex, ended: Ended<T>);

    /// A job is tried again, not before a pause is over.
    fn again(&mut self, _job: JobIndex, _why: &PutBack, _pause: Duration) {}

    /// A wave begins.
    fn wave_started(&mut self, _wave: usize) {}

    /// A wave has ended, and nothing begins behind it for so long.
    fn wave_finished(&mut self, _wave: usize, _soak: Duration) {}
}

/// Drives a machine to its end, and returns how it ended. `said` is what the registry says about the run.
pub(super) async fn drive<D, O>(
    machine: Machine,
    dispatch: &mut D,
    observer: &mut O,
    control: &Control,
    mut said: Option<UnboundedReceiver<Word>>,
) -> End
where
    D: Dispatch,
    O: Observer<D::Report>,
{
    let mut driver = Driver {
        machine,
        begun: Instant::now(),
        dispatch,
        observer,
        held: HashMap::new(),
        reasons: HashMap::new(),
        leaving: HashSet::new(),
        end: None,
    };
    let mut wishes = control.listen();
    // Before anything starts, so that nothing does on an answer that is too old.
    while let Some(word) = said.as_mut().and_then(|said| said.try_recv().ok()) {
        driver.feed(Input::Registry(word.said()));
    }
    driver.feed(Input::Begin);
    loop {
        if let Some(end) = &driver.end
            && driver.leaving.is_empty()
        {
            return end.clone();
        }
        let wake = driver.machine.wake().map(|at| driver.begun + at);
        tokio::select! {
            // What was asked for goes before what has happened, so that nothing starts behind a stop.
            biased;
            asked = wishes.next() => asked.into_iter().for_each(|asked| driver.feed(Input::Ask(asked))),
            word = hear(&mut said) => driver.feed(Input::Registry(word.said())),
            arrival = driver.dispatch.next() => driver.arrived(arrival),
            () = until(wake) => driver.feed(Input::Tick),
        }
    }
}

async fn hear(said: &mut Option<UnboundedReceiver<Word>>) -> Word {
    if let Some(receiver) = said {
        if let Some(word) = receiver.recv().await {
            return word;
        }
        *said = None;
    }
    std::future::pending().await
}

async fn until(wake: Option<Instant>) {
    match wake {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

struct Driver<'a, D: Dispatch, O> {
    machine: Machine,
    begun: Instant,
    dispatch: &'a mut D,
    observer: &'a mut O,
    /// What became of jobs, until the machine lets it stand.
    held: HashMap<JobIndex, Option<D::Report>>,
    /// Why jobs were put back.
    reasons: HashMap<JobIndex, PutBack>,
    /// Jobs that were put back and end now; the machine counts them no more.
    leaving: HashSet<JobIndex>,
    end: Option<End>,
}

impl<D, O> Driver<'_, D, O>
where
    D: Dispatch,
    O: Observer<D::Report>,
{
    fn arrived(&mut self, arrival: Arrival<D::Report>) {
        match arrival {
            Arrival::Opened(job, opening) => self.feed(Input::Opened(job, opening)),
            Arrival::PutBack(job, why) => {
                let ending = why.ending;
                self.reasons.insert(job, *why);
                self.feed(Input::Ended(job, ending));
            }
            Arrival::Ended(job, report) if self.leaving.remove(&job) => self.tell(job, report),
            Arrival::Ended(job, report) => {
                let ending = match &report {
                    Some(report) => self.observer.ending(job, report),
                    None => Ending::Failed(None),
                };
                self.held.insert(job, report);
                self.feed(Input::Ended(job, ending));
            }
        }
    }

    fn feed(&mut self, input: Input) {
        for action in self.machine.step(self.begun.elapsed(), input) {
            self.carry_out(action);
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Start(job) => self.dispatch.start(job),
            Action::Settle(job) => match self.held.remove(&job) {
                Some(report) => self.tell(job, report),
                None => self.let_go(job, Why::Stopped),
            },
            Action::Skip(job, why) => self.let_go(job, why),
            Action::Again(job, pause) => {
                if let Some(why) = self.reasons.remove(&job) {
                    self.observer.again(job, &why, pause);
                }
            }
            Action::WaveStarted(wave) => self.observer.wave_started(wave),
            Action::WaveFinished(wave, soak) => self.observer.wave_finished(wave, soak),
            Action::Finish(end) => self.end = Some(end),
        }
    }

    /// Lets a job end that does not begin, or not again.
    fn let_go(&mut self, job: JobIndex, why: Why) {
        match self.dispatch.give_up(job) {
            Parked::Was => {
                self.leaving.insert(job);
            }
            Parked::Not => self.observer.ended(job, Ended::Skipped(why)),
        }
    }

    fn tell(&mut self, job: JobIndex, report: Option<D::Report>) {
        let ended = report.map_or(Ended::Panicked, Ended::Done);
        self.observer.ended(job, ended);
    }
}
