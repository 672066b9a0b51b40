//! Stopping a run from outside: finish what runs, or cancel it on the servers.

use tokio::sync::watch;

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

/// The handle that stops a run; clones stop the same run.
#[derive(Clone, Debug)]
pub struct Control {
    sender: watch::Sender<Stop>,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            sender: watch::Sender::new(Stop::No),
        }
    }
}

impl Control {
    /// Asks for a stop. A weaker request after a stronger one changes nothing.
    pub fn stop(&self, stop: Stop) {
        self.sender.send_if_modified(|present| {
            let stronger = stop > *present;
            if stronger {
                *present = stop;
            }
            stronger
        });
    }

    /// Returns how far the run is asked to stop.
    pub fn requested(&self) -> Stop {
        *self.sender.borrow()
    }

    /// Waits until a stop of at least this strength is asked for; for ever if none comes.
    pub async fn reached(&self, stop: Stop) {
        let mut receiver = self.sender.subscribe();
        // The sender lives as long as `self`, so that the wait can only end by the condition.
        if receiver.wait_for(|present| *present >= stop).await.is_err() {
            std::future::pending::<()>().await;
        }
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
}
