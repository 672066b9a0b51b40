//! What a run that is under way means for one that wants to begin, as pure functions that every store of runs shares.

use super::lease::{Lease, Refusal, Sign, Standing};
use super::report::RunStatus;
use super::state::TargetState;

/// How the targets of a run that is under way and those that another one wants have to do with each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overlap {
    /// How many targets it has.
    pub targets: usize,
    /// How many of them have not ended.
    pub open: usize,
    /// How many of those are wanted.
    pub open_wanted: usize,
    /// How many of the wanted ones it has, ended or not.
    pub known_wanted: usize,
    /// How many are wanted.
    pub wanted: usize,
}

/// Whether a target is one that a run wants to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// It is.
    Wanted,
    /// It is not.
    Other,
}

impl Overlap {
    /// Counts the targets of a run that is under way, each with where it is; `wanted` is how many the other one wants.
    pub fn of(targets: impl Iterator<Item = (Interest, TargetState)>, wanted: usize) -> Self {
        let mut overlap = Self {
            wanted,
            ..Self::default()
        };
        for (interest, state) in targets {
            let is_open = usize::from(state != TargetState::Ended);
            let is_wanted = usize::from(interest == Interest::Wanted);
            overlap.targets += 1;
            overlap.open += is_open;
            overlap.known_wanted += is_wanted;
            overlap.open_wanted += is_open * is_wanted;
        }
        overlap
    }

    /// Returns whether everything that is wanted is in it.
    fn covers_the_wanted(&self) -> bool {
        self.known_wanted == self.wanted
    }

    /// Returns whether everything that is left of it is wanted.
    fn is_wanted_whole(&self) -> bool {
        self.open_wanted == self.open
    }
}

/// How the files of two runs have to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinship {
    /// The same files lead to the same goal, and the one that wants to begin is no resume.
    Same,
    /// The same, but it is a resume: that tries again what failed, too, and goes on with a run of its own.
    SameButResumes,
    /// Others.
    Other,
}

impl Kinship {
    /// Compares the plans of two runs by their hashes; an empty one is like no other. `continues` is the run that the one
    /// which wants to begin goes on with.
    pub fn of(theirs: Option<&str>, ours: &str, continues: Option<&str>) -> Self {
        match (theirs == Some(ours) && !ours.is_empty(), continues) {
            (true, None) => Self::Same,
            (true, Some(_)) => Self::SameButResumes,
            (false, _) => Self::Other,
        }
    }
}

/// About whom a run is that wants to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// One tenant, that somebody named, or the central database; or what is left of a run.
    #[default]
    One,
    /// Several.
    Several,
}

/// A run that is under way, as one that wants to begin finds it.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Who drives it.
    pub lease: &'a Lease,
    /// Its files.
    pub kinship: Kinship,
    /// About whom the other one is.
    pub reach: Reach,
    /// Its targets.
    pub overlap: Overlap,
    /// What is known of its driver's process.
    pub sign: Sign,
}

/// What a run that is under way means for one that wants to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// Nothing: it works on other targets.
    Apart,
    /// Somebody drives the same thing already: it is followed.
    Attached,
    /// Its driver is dead, what is left of it is wanted, and it has everything that is: it is gone on with, under this
    /// lease.
    Taken(Lease),
    /// Its driver is dead, and it is in the way, or nothing is left of it: it is closed, with this lease.
    Closed(Lease),
    /// Somebody drives it, and it has some of the targets.
    Held,
    /// It is paused, and the other one would go past it: whoever wants that lets it go on, or gives it up.
    Waits,
}

impl Found<'_> {
    /// Decides what a driver that wants to begin does about this run, at a time by the registry's clock.
    pub fn meet(&self, driver: &str, now: i64) -> Meeting {
        let (lease, overlap) = (self.lease, &self.overlap);
        if lease.standing == Standing::Over(RunStatus::Paused) {
            // Whoever wants one tenant alone does not repeat a run over several.
            let is_itself = overlap.is_wanted_whole() && overlap.known_wanted == overlap.targets;
            let is_meant = match self.reach {
                Reach::Several => true,
                Reach::One => self.kinship == Kinship::Same && is_itself,
            };
            return if is_meant && overlap.open_wanted > 0 {
                Meeting::Waits
            } else {
                Meeting::Apart
            };
        }
        if overlap.open_wanted == 0 {
            return match lease.complete(now, self.sign) {
                Ok(done) if overlap.open == 0 => Meeting::Closed(done),
                Ok(_) | Err(Refusal::Held | Refusal::Over(_) | Refusal::Fenced) => Meeting::Apart,
            };
        }
        if lease.is_live(now, self.sign) {
            let is_same = self.kinship != Kinship::Other;
            return if is_same && overlap.covers_the_wanted() {
                Meeting::Attached
            } else {
                Meeting::Held
            };
        }
        if self.kinship == Kinship::Same && overlap.is_wanted_whole() && overlap.covers_the_wanted() {
            return match lease.claim(driver, now, self.sign) {
                Ok(taken) => Meeting::Taken(taken),
                Err(Refusal::Held | Refusal::Over(_) | Refusal::Fenced) => Meeting::Attached,
            };
        }
        match lease.close(now, self.sign) {
            Ok(closed) => Meeting::Closed(closed),
            Err(Refusal::Held | Refusal::Over(_) | Refusal::Fenced) => Meeting::Apart,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lease::LEASE;
    use super::*;

    const NOW: i64 = 1_000_000_000;

    fn meet(kinship: Kinship, targets: &[(Interest, TargetState)], wanted: usize, now: i64) -> Meeting {
        let found = Found {
            lease: &Lease::begin("a", NOW),
            kinship,
            reach: Reach::Several,
            overlap: Overlap::of(targets.iter().copied(), wanted),
            sign: Sign::Unknown,
        };
        found.meet("b", now)
    }

    #[test]
    fn what_somebody_drives_is_followed_or_in_the_way_and_what_nobody_drives_is_taken_or_closed() {
        use Interest::{Other, Wanted};
        use TargetState::{Ended, Pending, Running};
        let dead = NOW + LEASE;
        let both = [(Wanted, Ended), (Wanted, Running)];
        assert_eq!(meet(Kinship::Same, &both, 2, NOW), Meeting::Attached);
        assert_eq!(meet(Kinship::SameButResumes, &both, 2, NOW), Meeting::Attached);
        assert_eq!(
            meet(Kinship::Same, &both, 3, NOW),
            Meeting::Held,
            "it lacks one that is wanted"
        );
        assert_eq!(meet(Kinship::Other, &both, 2, NOW), Meeting::Held);
        assert_eq!(meet(Kinship::Other, &[(Wanted, Ended)], 1, NOW), Meeting::Apart);
        assert!(matches!(meet(Kinship::Same, &both, 2, dead), Meeting::Taken(l) if l.epoch > 1));
        let more = [(Wanted, Running), (Other, Pending)];
        for (kinship, targets, wanted) in [
            (Kinship::Same, more, 1),
            (Kinship::Same, both, 3),
            (Kinship::SameButResumes, both, 2),
            (Kinship::Other, both, 2),
        ] {
            let met = meet(kinship, &targets, wanted, dead);
            let Meeting::Closed(lease) = met else {
                panic!("{met:?}")
            };
            assert_eq!(lease.standing, Standing::Over(RunStatus::Interrupted));
        }
    }

    #[test]
    fn what_nobody_drives_and_nothing_is_left_of_is_completed_whatever_is_wanted() {
        use Interest::{Other, Wanted};
        use TargetState::{Ended, Pending};
        let dead = NOW + LEASE;
        for ended in [
            vec![(Other, Ended)],
            vec![(Wanted, Ended), (Other, Ended)],
            vec![],
        ] {
            let met = meet(Kinship::Same, &ended, 1, dead);
            let Meeting::Closed(lease) = met else {
                panic!("{met:?}")
            };
            assert_eq!(lease.standing, Standing::Over(RunStatus::Completed));
            assert_eq!(meet(Kinship::Same, &ended, 1, NOW), Meeting::Apart);
        }
        let left = [(Wanted, Ended), (Other, Pending)];
        assert_eq!(meet(Kinship::Same, &left, 1, dead), Meeting::Apart);
    }

    #[test]
    fn a_paused_run_is_not_begun_anew_beside_itself() {
        use Interest::{Other, Wanted};
        use TargetState::{Ended, Pending};
        let paused = Lease::begin("a", NOW).end(1, RunStatus::Paused).unwrap();
        let meet = |reach, kinship, targets: &[(Interest, TargetState)]| {
            let found = Found {
                lease: &paused,
                kinship,
                reach,
                overlap: Overlap::of(targets.iter().copied(), 1),
                sign: Sign::Unknown,
            };
            found.meet("b", NOW)
        };
        let left = [(Other, Ended), (Wanted, Pending)];
        let alone = [(Wanted, Pending)];
        assert_eq!(meet(Reach::One, Kinship::Same, &alone), Meeting::Waits);
        assert_eq!(meet(Reach::Several, Kinship::Other, &left), Meeting::Waits);
        for (kinship, targets) in [
            (Kinship::Same, left),
            (Kinship::Other, left),
            (Kinship::SameButResumes, left),
            (Kinship::Same, [(Wanted, Pending), (Other, Pending)]),
            (Kinship::Same, [(Wanted, Ended), (Other, Ended)]),
        ] {
            let found = meet(Reach::One, kinship, &targets);
            assert_eq!(found, Meeting::Apart, "{kinship:?} {targets:?}");
        }
    }

    #[test]
    fn a_plan_without_a_hash_is_like_no_other() {
        assert_eq!(Kinship::of(Some(""), "", None), Kinship::Other);
        assert_eq!(Kinship::of(None, "a", None), Kinship::Other);
        assert_eq!(Kinship::of(Some("a"), "a", Some("run")), Kinship::SameButResumes);
    }
}
