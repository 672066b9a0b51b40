//! Drives the machine: owns every task, and turns a panic in one into that job's end.

use std::collections::HashMap;
use std::future::Future;

use tokio::task::{Id, JoinSet};

use super::control::{Control, Stop};
use super::machine::{Action, Input, JobIndex, Machine};

/// How a job ended.
pub(super) enum Ended<T> {
    /// Its work returned.
    Done(T),
    /// Its work panicked: a bug of ours, and only this job's end.
    Panicked,
    /// It was not started.
    Skipped,
}

/// Works through the machine's jobs. `work` starts one; `settle` takes each end, in the order in which
/// they come, and says whether it was a success.
pub(super) async fn drive<T, W, F, S>(mut machine: Machine, control: &Control, work: W, mut settle: S)
where
    T: Send + 'static,
    W: Fn(JobIndex) -> F,
    F: Future<Output = T> + Send + 'static,
    S: FnMut(JobIndex, Ended<T>) -> bool,
{
    let mut tasks: JoinSet<T> = JoinSet::new();
    let mut running: HashMap<Id, JobIndex> = HashMap::new();
    let mut input = Input::Begin;
    let mut stopping = false;
    loop {
        for action in machine.step(input) {
            match action {
                Action::Start(job) => {
                    running.insert(tasks.spawn(work(job)).id(), job);
                }
                Action::Skip(job) => {
                    settle(job, Ended::Skipped);
                }
                Action::Finish => return,
            }
        }
        input = tokio::select! {
            Some(joined) = tasks.join_next_with_id() => {
                let (id, ended) = match joined {
                    Ok((id, value)) => (id, Ended::Done(value)),
                    Err(error) => (error.id(), Ended::Panicked),
                };
                let job = running.remove(&id).unwrap_or_default();
                if settle(job, ended) { Input::Succeeded(job) } else { Input::Failed(job) }
            }
            () = control.reached(Stop::Drain), if !stopping => {
                stopping = true;
                Input::Stop(control.requested())
            }
        };
    }
}
