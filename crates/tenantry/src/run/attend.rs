//! Attends one unit while its server works: cancels it on request or at the deadline, and notices a silent server.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::Instant;

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
async fn cancel<F, T>(canceller: &Canceller, mut running: std::pin::Pin<&mut F>) -> F::Output
where
    F: Future<Output = Result<T, ApplyError>>,
{
    let ask = ask_again_and_again(canceller);
    tokio::select! {
        done = &mut running => done,
        never = ask => match never {},
        () = tokio::time::sleep(CANCEL_AT_MOST) => {
            Err(lost("the server did not answer the request to cancel".to_owned()))
        }
    }
}

async fn ask_again_and_again(canceller: &Canceller) -> Infallible {
    loop {
        canceller.cancel().await;
        tokio::time::sleep(CANCEL_AGAIN).await;
    }
}

fn lost(reason: String) -> ApplyError {
    ApplyError::Session {
        commit_sent: true,
        source: SessionError::Lost { reason },
    }
}
