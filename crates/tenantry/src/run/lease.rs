//! Who drives a run: the moves of its row in the registry, as pure functions that every store of runs shares.
//!
//! Times are microseconds by the registry's clock; a driver's own clock is never compared with it.

use super::report::RunStatus;

/// How long a driver has a run without renewing it, in microseconds.
pub const LEASE: i64 = 30_000_000;

/// How a run stands with whoever drives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Running, or how it ended.
    pub standing: Standing,
    /// Grows with every driver: whoever had an earlier one cannot write any more.
    pub epoch: i64,
    /// Who drives it, or did last; empty if nobody ever did.
    pub driver: String,
    /// Until when it is that driver's.
    pub until: i64,
    /// What somebody else asked its driver for.
    pub wanted: Option<Wanted>,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It goes on, or its driver died.
    Running,
    /// It has ended; one that is paused can be gone on with.
    Over(RunStatus),
}

/// What is asked of a run from outside of its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// Go on with the next wave without waiting longer.
    Promote,
    /// Let what runs finish, and wait.
    Pause,
    /// Let what runs finish, and end.
    Cancel,
    /// Cancel what runs, and end.
    CancelNow,
}

impl Wanted {
    const ALL: [Self; 4] = [Self::Promote, Self::Pause, Self::Cancel, Self::CancelNow];

    /// Returns the word used in the registry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Pause => "pause",
            Self::Cancel => "cancel",
            Self::CancelNow => "cancel_now",
        }
    }

    /// Reads the word that [`Self::as_str`] gives; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wanted| wanted.as_str() == word)
    }
}

/// What is known of a driver's process besides its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Nothing: only its lease tells.
    Unknown,
    /// It ran on this machine and is gone.
    Gone,
}

/// A move that is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody drives the run.
    Held,
    /// The run has ended so.
    Over(RunStatus),
    /// Somebody else has the run now.
    Fenced,
}

impl Lease {
    /// Returns the lease of a run that begins.
    pub fn begin(driver: &str, now: i64) -> Self {
        Self {
            standing: Standing::Running,
            epoch: 1,
            driver: driver.to_owned(),
            until: now + LEASE,
            wanted: None,
        }
    }

    /// Returns whether its driver may still be there.
    pub fn is_live(&self, now: i64, sign: Sign) -> bool {
        self.standing == Standing::Running && self.until > now && sign == Sign::Unknown
    }

    /// Gives a run whose driver is dead, or that is paused, to another driver.
    ///
    /// # Errors
    /// [`Refusal::Held`] while it is somebody's, [`Refusal::Over`] if it has ended.
    pub fn claim(&self, driver: &str, now: i64, sign: Sign) -> Result<Self, Refusal> {
        match self.standing {
            Standing::Running if self.is_live(now, sign) => Err(Refusal::Held),
            // By the clock, so that a registry which became an older copy gives no epoch twice.
            Standing::Running | Standing::Over(RunStatus::Paused) => Ok(Self {
                epoch: (self.epoch + 1).max(now),
                ..Self::begin(driver, now)
            }),
            Standing::Over(status) => Err(Refusal::Over(status)),
        }
    }

    /// Checks that the run is a driver's.
    ///
    /// # Errors
    /// [`Refusal::Fenced`] if it is not any more.
    pub fn check(&self, epoch: i64) -> Result<(), Refusal> {
        if self.standing == Standing::Running && self.epoch == epoch {
            Ok(())
        } else {
            Err(Refusal::Fenced)
        }
    }

    /// Keeps the run for its driver, who hears of a promotion by that: one that comes later is another one. What was late
    /// and taken by nobody is its own still.
    ///
    /// # Errors
    /// [`Refusal::Fenced`] if it is not its driver's any more.
    pub fn renew(&self, epoch: i64, now: i64) -> Result<Self, Refusal> {
        self.check(epoch)?;
        Ok(Self {
            until: now + LEASE,
            wanted: self.wanted.filter(|wanted| *wanted != Wanted::Promote),
            ..self.clone()
        })
    }

    /// Ends a run, or pauses it.
    ///
    /// # Errors
    /// [`Refusal::Fenced`] if it is not its driver's any more.
    pub fn end(&self, epoch: i64, status: RunStatus) -> Result<Self, Refusal> {
        self.check(epoch)?;
        Ok(self.over(status))
    }

    fn over(&self, status: RunStatus) -> Self {
        Self {
            standing: Standing::Over(status),
            until: 0,
            wanted: None,
            ..self.clone()
        }
    }

    /// Closes the run of a driver that is dead: another run goes on with its targets.
    ///
    /// # Errors
    /// As [`Self::claim`].
    pub fn close(&self, now: i64, sign: Sign) -> Result<Self, Refusal> {
        let claimed = self.claim("", now, sign)?;
        Ok(Self {
            driver: self.driver.clone(),
            ..claimed.over(RunStatus::Interrupted)
        })
    }

    /// Ends the run of a driver that is dead, all of whose targets have ended: only its driver's last word is missing.
    ///
    /// # Errors
    /// [`Refusal::Held`] while it is somebody's, [`Refusal::Over`] if it has ended or is paused.
    pub fn complete(&self, now: i64, sign: Sign) -> Result<Self, Refusal> {
        match self.standing {
            Standing::Over(status) => Err(Refusal::Over(status)),
            Standing::Running => Ok(Self {
                standing: Standing::Over(RunStatus::Completed),
                ..self.close(now, sign)?
            }),
        }
    }

    /// Asks the run's driver for something; where there is none, it is so at once. To go on needs a driver, so that a
    /// promotion of a run without one changes nothing.
    ///
    /// # Errors
    /// [`Refusal::Over`] if it has ended.
    pub fn want(&self, wanted: Wanted, now: i64, sign: Sign) -> Result<Self, Refusal> {
        let paused = Standing::Over(RunStatus::Paused);
        if self.is_live(now, sign) {
            return Ok(Self {
                wanted: self.wanted.max(Some(wanted)),
                ..self.clone()
            });
        }
        match (self.standing, wanted) {
            (Standing::Over(status), _) if self.standing != paused => Err(Refusal::Over(status)),
            (Standing::Running | Standing::Over(_), Wanted::Promote) | (Standing::Over(_), Wanted::Pause) => {
                Ok(self.clone())
            }
            (Standing::Running, Wanted::Pause) => Ok(self.taken().over(RunStatus::Paused)),
            (Standing::Running | Standing::Over(_), Wanted::Cancel | Wanted::CancelNow) => {
                Ok(self.taken().over(RunStatus::Cancelled))
            }
        }
    }

    /// Whoever drove it comes too late from now on.
    fn taken(&self) -> Self {
        Self {
            epoch: self.epoch + 1,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000_000;

    #[test]
    fn a_promotion_is_heard_once_and_a_pause_until_it_is_obeyed() {
        let lease = Lease::begin("a", NOW);
        for (wanted, left) in [(Wanted::Promote, None), (Wanted::Pause, Some(Wanted::Pause))] {
            let asked = lease.want(wanted, NOW, Sign::Unknown).unwrap();
            assert_eq!(asked.wanted, Some(wanted));
            assert_eq!(asked.renew(1, NOW).unwrap().wanted, left);
        }
    }

    #[test]
    fn a_run_is_its_drivers_until_the_lease_ends_or_its_process_is_known_to_be_gone() {
        let lease = Lease::begin("a", NOW);
        assert_eq!(
            lease.claim("b", NOW + LEASE - 1, Sign::Unknown),
            Err(Refusal::Held)
        );
        for (now, sign) in [(NOW + LEASE, Sign::Unknown), (NOW, Sign::Gone)] {
            let taken = lease.claim("b", now, sign).unwrap();
            assert!(taken.epoch > 1 && taken.driver == "b");
            assert_eq!(taken.renew(1, now), Err(Refusal::Fenced));
            assert_eq!(taken.end(1, RunStatus::Completed), Err(Refusal::Fenced));
            assert!(taken.renew(taken.epoch, now).is_ok());
        }
    }

    #[test]
    fn a_lease_that_is_late_and_taken_by_nobody_is_renewed() {
        let lease = Lease::begin("a", NOW);
        let renewed = lease.renew(1, NOW + 5 * LEASE).unwrap();
        assert!(renewed.is_live(NOW + 5 * LEASE, Sign::Unknown));
    }

    #[test]
    fn only_a_paused_run_is_taken_up_again() {
        let lease = Lease::begin("a", NOW);
        let paused = lease.end(1, RunStatus::Paused).unwrap();
        assert!(paused.claim("b", NOW, Sign::Unknown).unwrap().epoch > 1);
        let done = lease.end(1, RunStatus::Completed).unwrap();
        let refused = Err(Refusal::Over(RunStatus::Completed));
        assert_eq!(done.claim("b", NOW, Sign::Gone), refused);
        assert_eq!(done.want(Wanted::Pause, NOW, Sign::Unknown), refused);
    }

    #[test]
    fn only_a_run_without_a_driver_is_completed_by_somebody_else() {
        let lease = Lease::begin("a", NOW);
        assert_eq!(lease.complete(NOW, Sign::Unknown), Err(Refusal::Held));
        for (now, sign) in [(NOW + LEASE, Sign::Unknown), (NOW, Sign::Gone)] {
            let done = lease.complete(now, sign).unwrap();
            assert_eq!(
                (done.standing, done.driver.as_str()),
                (Standing::Over(RunStatus::Completed), "a")
            );
            assert_eq!(done.renew(1, now), Err(Refusal::Fenced));
        }
        let paused = lease.end(1, RunStatus::Paused).unwrap();
        let refused = Err(Refusal::Over(RunStatus::Paused));
        assert_eq!(paused.complete(NOW, Sign::Gone), refused);
    }

    #[test]
    fn a_run_that_is_restored_from_a_copy_gives_no_epoch_twice() {
        let copy = Lease::begin("a", NOW);
        let lost = copy.claim("b", NOW + LEASE, Sign::Unknown).unwrap();
        let again = copy.claim("c", NOW + 2 * LEASE, Sign::Unknown).unwrap();
        assert_eq!(again.renew(lost.epoch, NOW + 2 * LEASE), Err(Refusal::Fenced));
    }

    #[test]
    fn a_wish_waits_for_a_driver_and_is_carried_out_where_there_is_none() {
        let lease = Lease::begin("a", NOW);
        let asked = lease.want(Wanted::Cancel, NOW, Sign::Unknown).unwrap();
        let asked = asked.want(Wanted::Pause, NOW, Sign::Unknown).unwrap();
        assert_eq!(
            (asked.standing, asked.wanted),
            (Standing::Running, Some(Wanted::Cancel))
        );
        let paused = lease.want(Wanted::Pause, NOW, Sign::Gone).unwrap();
        assert_eq!(
            (paused.standing, paused.epoch),
            (Standing::Over(RunStatus::Paused), 2)
        );
        let given_up = paused.want(Wanted::Cancel, NOW, Sign::Unknown).unwrap();
        assert_eq!(given_up.standing, Standing::Over(RunStatus::Cancelled));
    }
}
