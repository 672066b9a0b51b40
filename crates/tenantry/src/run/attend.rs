//! Attends one unit while its server works: cancels it on request or at the deadline, and notices a silent server.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::{Instant, timeout, timeout_at};

use super::control::{Control, Stop};
use super::watch::{Watching, watch};
use crate::engine::{ApplyError, Canceller, Holder, Onlooker, Recorded, Session, SessionError, Unit};

/// After how long a request to cancel that was not answered is repeated.
const CANCEL_AGAIN: Duration = Duration::from_secs(1);

/// How long an answer to the request to cancel is waited for; then the connection is cut, and the history
/// tells the next run what became of the statement.
const CANCEL_AT_MOST: Duration = Duration::from_secs(9);

/// What a unit is attended with.
#[derive(Clone, Copy)]
pub(super) struct Attendance<'a> {
    /// Who may ask to stop.
    pub(super) control: &'a Control,
    /// How closely its server is watched.
    pub(super) watching: Watching,
    /// When its time is up; `None` if it has all the time it needs.
    pub(super) deadline: Option<Instant>,
    /// Who hears of those that are in its way.
    pub(super) tell: &'a (dyn Fn(&[Holder]) + Sync),
}

/// Carries a unit out. A request to cancel, and the deadline, go to the server, and its answer is waited for.
/// Whoever was in its way last is in `in_the_way` afterwards.
pub(super) async fn attend(
    session: &mut dyn Session,
    unit: &Unit,
    with: Attendance<'_>,
    in_the_way: &mut Vec<Holder>,
) -> Result<Vec<Recorded>, ApplyError> {
    let sides = (session.canceller(), session.onlooker());
    attend_to(session.carry_out(unit), sides, with, in_the_way).await
}

/// Waits for work of a session that its canceller stops and its onlooker sees, as [`attend`] does for a unit.
pub(super) async fn attend_to<T>(
    work: impl Future<Output = Result<T, ApplyError>>,
    (canceller, onlooker): (Canceller, Onlooker),
    with: Attendance<'_>,
    in_the_way: &mut Vec<Holder>,
) -> Result<T, ApplyError> {
    in_the_way.clear();
    let mut running = std::pin::pin!(work);
    tokio::select! {
        done = &mut running => return done,
        () = with.control.reached(Stop::Cancel) => {}
        () = up(with.deadline) => {}
        silence = watch(onlooker, with.watching, in_the_way, with.tell) => return Err(lost(silence)),
    }
    cancel(&canceller, running).await
}

/// Waits for a deadline; for ever if there is none.
pub(super) async fn up(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// A request that comes between two statements stops neither: it is repeated until there is an answer.
///
/// One that is under way then is not cut off: it could stop what the session does next, and a pooler that is passing
/// it on may break.
async fn cancel<F, T>(canceller: &Canceller, running: std::pin::Pin<&mut F>) -> F::Output
where
    F: Future<Output = Result<T, ApplyError>>,
{
    let give_up = Instant::now() + CANCEL_AT_MOST;
    let (working, over) = oneshot::channel();
    let work = async move {
        let done = timeout_at(give_up, running).await;
        drop(working);
        done
    };
    let asking = timeout_at(give_up, ask_again_and_again(canceller, over));
    let (done, _asked) = tokio::join!(work, asking);
    done.unwrap_or_else(|_| Err(lost("the server did not answer the request to cancel".to_owned())))
}

/// Asks until the work is over, one request at a time.
async fn ask_again_and_again(canceller: &Canceller, mut over: oneshot::Receiver<Infallible>) {
    while over.try_recv() == Err(TryRecvError::Empty) {
        canceller.cancel().await;
        let _over_or_not = timeout(CANCEL_AGAIN, &mut over).await;
    }
}

fn lost(reason: String) -> ApplyError {
    ApplyError::Session {
        commit_sent: true,
        source: SessionError::Lost { reason },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_request_that_is_under_way_when_the_work_ends_is_finished_and_is_the_last() {
        let (begun, finished) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (Arc::clone(&begun), Arc::clone(&finished));
        let canceller = Canceller::new(move || {
            let (begun, finished) = (Arc::clone(&counts.0), Arc::clone(&counts.1));
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(200)).await;
                finished.fetch_add(1, Ordering::SeqCst);
            }
        });
        let work = async {
            while begun.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
            Ok(7)
        };
        let done = cancel(&canceller, std::pin::pin!(work)).await;
        assert_eq!(done.unwrap(), 7);
        assert_eq!(
            (begun.load(Ordering::SeqCst), finished.load(Ordering::SeqCst)),
            (1, 1)
        );
    }

    #[tokio::test]
    async fn a_request_that_hangs_costs_no_result_and_no_more_time_than_an_answer() {
        let canceller = Canceller::new(std::future::pending);
        let begun = Instant::now();
        let work = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(7)
        };
        let done = cancel(&canceller, std::pin::pin!(work)).await;
        assert_eq!(done.unwrap(), 7);
        assert!(begun.elapsed() < CANCEL_AT_MOST + CANCEL_AGAIN);
    }
}
