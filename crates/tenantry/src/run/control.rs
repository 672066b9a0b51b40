//! Steering a run from outside: stop it, pause it, change its speed, let it go on.

use tokio::sync::watch;

use super::machine::{Asked, End};
use crate::faults::{Point, point};

/// How far a run is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Go on.
    No,
    /// Start nothing new; running targets finish.
    Drain,
    /// Cancel the running statements on their servers as well.
    Cancel,
}

/// What was asked for so far.
#[derive(Clone, Debug)]
pub(super) struct Wishes {
    stop: Stop,
    /// As what the run ends if it is stopped.
    end: End,
    faster: u32,
    slower: u32,
    promoted: u32,
    /// Whether a signal asked for an end.
    left: bool,
}

impl Wishes {
    const NONE: Self = Self {
        stop: Stop::No,
        end: End::Completed,
        faster: 0,
        slower: 0,
        promoted: 0,
        left: false,
    };

    /// Returns what was asked for since an earlier look.
    pub(super) fn since(&self, before: &Self) -> Vec<Asked> {
        let times = |now: u32, then: u32, asked: Asked| {
            std::iter::repeat_n(asked, usize::try_from(now - then).unwrap_or(0))
        };
        let mut asked: Vec<Asked> = times(self.faster, before.faster, Asked::Faster).collect();
        asked.extend(times(self.slower, before.slower, Asked::Slower));
        asked.extend(times(self.promoted, before.promoted, Asked::Promote));
        if self.end != before.end {
            asked.push(Asked::Stop(self.end.clone()));
        }
        asked
    }
}

/// The handle that steers a run; clones steer the same run.
#[derive(Clone, Debug)]
pub struct Control {
    sender: watch::Sender<Wishes>,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            sender: watch::Sender::new(Wishes::NONE),
        }
    }
}

impl Control {
    /// Asks for a stop, as a signal does. A weaker request after a stronger one changes nothing.
    pub fn stop(&self, stop: Stop) {
        self.end(stop, End::Interrupted);
    }

    /// Asks for a pause: running targets finish, and the run can be gone on with.
    pub fn pause(&self) {
        self.end(Stop::Drain, End::Paused);
    }

    /// Gives the run up; with [`Stop::Cancel`] running statements are cancelled.
    pub fn give_up(&self, stop: Stop) {
        self.end(stop, End::Cancelled);
    }

    /// Forgets what changed the course of a run that goes on as another one; what was asked to stop stays so.
    pub(crate) fn begin_anew(&self) {
        self.sender.send_modify(|wishes| {
            (wishes.faster, wishes.slower, wishes.promoted) = (0, 0, 0);
        });
    }

    fn end(&self, stop: Stop, end: End) {
        self.sender.send_if_modified(|wishes| {
            wishes.left |= end == End::Interrupted;
            let stronger = stop > wishes.stop;
            let outranks = end.outranks(&wishes.end);
            if stronger {
                wishes.stop = stop;
            }
            if outranks {
                wishes.end = end;
            }
            stronger || outranks
        });
    }

    /// Asks for one more target at once.
    pub fn faster(&self) {
        self.sender.send_modify(|wishes| wishes.faster += 1);
    }

    /// Asks for one target less at once.
    pub fn slower(&self) {
        self.sender.send_modify(|wishes| wishes.slower += 1);
    }

    /// Asks a run that waits between two waves to go on.
    pub fn promote(&self) {
        point(Point::RunPromotionHeard);
        self.sender.send_modify(|wishes| wishes.promoted += 1);
    }

    /// Returns how far the run is asked to stop.
    pub fn requested(&self) -> Stop {
        self.sender.borrow().stop
    }

    /// Waits until a stop of at least this strength is asked for; for ever if none comes.
    pub async fn reached(&self, stop: Stop) {
        let mut receiver = self.sender.subscribe();
        // The sender lives as long as `self`, so that the wait can only end by the condition.
        if receiver.wait_for(|present| present.stop >= stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until somebody wants the process to end, whatever its run does; for ever if nobody does.
    pub(crate) async fn asked_to_leave(&self) {
        let mut receiver = self.sender.subscribe();
        let asked = receiver.wait_for(|wishes| wishes.left).await.is_err();
        if asked {
            std::future::pending::<()>().await;
        }
    }

    /// Returns what hears every wish.
    pub(super) fn listen(&self) -> Listener {
        let mut wishes = self.sender.subscribe();
        wishes.mark_changed();
        Listener {
            wishes,
            heard: Wishes::NONE,
        }
    }
}

/// Hears what is asked of a run.
#[derive(Debug)]
pub(super) struct Listener {
    wishes: watch::Receiver<Wishes>,
    heard: Wishes,
}

impl Listener {
    /// Waits for the next wishes; for ever if nobody can ask any more.
    pub(super) async fn next(&mut self) -> Vec<Asked> {
        if self.wishes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        let now = self.wishes.borrow_and_update().clone();
        let asked = now.since(&self.heard);
        self.heard = now;
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_only_grows() {
        let control = Control::default();
        control.stop(Stop::Cancel);
        control.stop(Stop::Drain);
        assert_eq!(control.requested(), Stop::Cancel);
        control.reached(Stop::Drain).await;
    }

    #[tokio::test]
    async fn a_listener_hears_every_wish_once_and_what_was_asked_before_it_listened() {
        let control = Control::default();
        control.faster();
        control.faster();
        control.pause();
        let mut listener = control.listen();
        let asked = [Asked::Faster, Asked::Faster, Asked::Stop(End::Paused)];
        assert_eq!(listener.next().await, asked);
        control.promote();
        control.stop(Stop::Drain);
        assert_eq!(
            listener.next().await,
            [Asked::Promote, Asked::Stop(End::Interrupted)]
        );
    }
}
