//! Runs and their targets in memory: what the registry keeps in SQL, moved by the same pure functions.
//!
//! A test compares it with the registry on every engine, move by move, so that what holds here holds there.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{
    Found, Interest, Kinship, Lease, Meeting, Outcome, Overlap, Reach, Refusal, RunStatus, Sign, Stage,
    Standing, TargetState, Wanted,
};

/// The number of a run; numbers grow, so that an earlier run has the smaller one.
pub(super) type RunKey = u32;
/// The number of a target.
pub(super) type TargetKey = u32;

/// Where a target of a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) target: TargetKey,
    pub(super) wave: u32,
    pub(super) state: TargetState,
    pub(super) outcome: Outcome,
}

impl Row {
    /// A target that a run has yet to reach.
    pub(super) fn pending(target: TargetKey, wave: u32) -> Self {
        Self {
            target,
            wave,
            state: TargetState::Pending,
            outcome: Outcome::NotRun,
        }
    }
}

/// A run as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) plan: &'static str,
    pub(super) lease: Lease,
    pub(super) wave: usize,
    /// Until when nothing begins behind the wave.
    pub(super) soaks_until: Option<i64>,
    /// By target.
    pub(super) rows: Vec<Row>,
}

/// What somebody wants to begin.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// The number that the run gets.
    pub(super) run: RunKey,
    pub(super) plan: &'static str,
    /// The run that it goes on with.
    pub(super) continues: Option<RunKey>,
    pub(super) reach: Reach,
    /// By target.
    pub(super) rows: Vec<Row>,
}

/// What became of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    New,
    Attached(RunKey),
    Taken(RunKey, i64),
    Held(Vec<RunKey>),
    Waits(RunKey),
}

/// What became of the wish to go on with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claimed {
    Given(i64),
    Held(Vec<RunKey>),
}

/// Who asks, when, and what is known of a driver's process.
pub(super) struct Asker<'a> {
    pub(super) driver: &'a str,
    pub(super) now: i64,
    pub(super) sign_of: &'a dyn Fn(&str) -> Sign,
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    NoSuchRun,
    By(Refusal),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::By(refusal)
    }
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) status: RunStatus,
    pub(super) stage: Option<Stage>,
}

/// Whether somebody drives a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Driven {
    BySomebody,
    ByNobody,
    Over(RunStatus),
}

/// All runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    pub(super) runs: BTreeMap<RunKey, Kept>,
}

impl Store {
    fn run(&self, run: RunKey) -> Result<&Kept, Refused> {
        self.runs.get(&run).ok_or(Refused::NoSuchRun)
    }

    fn run_mut(&mut self, run: RunKey) -> Result<&mut Kept, Refused> {
        self.runs.get_mut(&run).ok_or(Refused::NoSuchRun)
    }

    /// Looks at the runs that are under way or paused; `None` if none is in the way.
    fn others(&mut self, wish: &Wish, asker: &Asker<'_>) -> Option<Begun> {
        let mut held = Vec::new();
        for (run, kept) in &mut self.runs {
            let is_looked_at = match kept.lease.standing {
                Standing::Running => true,
                Standing::Over(status) => status == RunStatus::Paused,
            };
            if !is_looked_at || *run == wish.run {
                continue;
            }
            let found = Found {
                lease: &kept.lease,
                kinship: Kinship::of(Some(kept.plan), wish.plan, wish.continues.map(|_| "a run")),
                reach: wish.reach,
                overlap: overlap(&kept.rows, &wish.rows),
                sign: (asker.sign_of)(&kept.lease.driver),
            };
            match found.meet(asker.driver, asker.now) {
                Meeting::Apart => {}
                Meeting::Attached => return Some(Begun::Attached(*run)),
                Meeting::Taken(lease) => {
                    kept.lease = lease;
                    return Some(Begun::Taken(*run, kept.lease.epoch));
                }
                Meeting::Closed(lease) => kept.lease = lease,
                Meeting::Waits => return Some(Begun::Waits(*run)),
                Meeting::Held => held.push(*run),
            }
        }
        (!held.is_empty()).then_some(Begun::Held(held))
    }

    pub(super) fn begin(&mut self, wish: &Wish, asker: &Asker<'_>) -> Begun {
        if let Some(begun) = self.others(wish, asker) {
            return begun;
        }
        let kept = Kept {
            plan: wish.plan,
            lease: Lease::begin(asker.driver, asker.now),
            wave: 0,
            soaks_until: None,
            rows: wish.rows.clone(),
        };
        self.runs.insert(wish.run, kept);
        Begun::New
    }

    pub(super) fn claim(&mut self, run: RunKey, asker: &Asker<'_>) -> Result<Claimed, Refused> {
        let kept = self.run(run)?;
        let sign = (asker.sign_of)(&kept.lease.driver);
        let claimed = kept.lease.claim(asker.driver, asker.now, sign)?;
        let open = kept.rows.iter().filter(|row| row.state != TargetState::Ended);
        let wish = Wish {
            run,
            plan: "",
            continues: None,
            reach: Reach::One,
            rows: open.map(|row| Row::pending(row.target, row.wave)).collect(),
        };
        match self.others(&wish, asker) {
            Some(Begun::Held(holders)) => Ok(Claimed::Held(holders)),
            Some(Begun::New | Begun::Attached(_) | Begun::Taken(..) | Begun::Waits(_)) | None => {
                let epoch = claimed.epoch;
                self.run_mut(run)?.lease = claimed;
                Ok(Claimed::Given(epoch))
            }
        }
    }

    pub(super) fn renew(&mut self, run: RunKey, epoch: i64, now: i64) -> Result<Option<Wanted>, Refused> {
        let kept = self.run_mut(run)?;
        let wanted = kept.lease.wanted;
        kept.lease = kept.lease.renew(epoch, now)?;
        if wanted == Some(Wanted::Promote) {
            kept.soaks_until = kept.soaks_until.map(|until| until.min(now));
        }
        Ok(wanted)
    }

    pub(super) fn wishes(&self, run: RunKey, epoch: i64) -> Result<Option<Wanted>, Refused> {
        let kept = self.run(run)?;
        kept.lease.check(epoch)?;
        Ok(kept.lease.wanted)
    }

    pub(super) fn driven(&self, run: RunKey, asker: &Asker<'_>) -> Result<Driven, Refused> {
        let lease = &self.run(run)?.lease;
        Ok(match lease.standing {
            Standing::Over(status) => Driven::Over(status),
            Standing::Running if lease.is_live(asker.now, (asker.sign_of)(&lease.driver)) => {
                Driven::BySomebody
            }
            Standing::Running => Driven::ByNobody,
        })
    }

    pub(super) fn want(&mut self, run: RunKey, wanted: Wanted, asker: &Asker<'_>) -> Result<(), Refused> {
        let kept = self.run_mut(run)?;
        let sign = (asker.sign_of)(&kept.lease.driver);
        kept.lease = kept.lease.want(wanted, asker.now, sign)?;
        if wanted == Wanted::Promote && !kept.lease.is_live(asker.now, sign) {
            kept.soaks_until = kept.soaks_until.map(|until| until.min(asker.now));
        }
        Ok(())
    }

    pub(super) fn reach(
        &mut self,
        (run, epoch): (RunKey, i64),
        stage: Option<Stage>,
        rows: &[Row],
        now: i64,
    ) -> Result<(), Refused> {
        if rows.is_empty() && stage.is_none() {
            return Ok(());
        }
        let kept = self.run_mut(run)?;
        kept.lease.check(epoch)?;
        kept.enter(stage, now);
        kept.write(rows);
        Ok(())
    }

    pub(super) fn finish(
        &mut self,
        (run, epoch): (RunKey, i64),
        ending: Ending,
        rows: &[Row],
        now: i64,
    ) -> Result<(), Refused> {
        let kept = self.run_mut(run)?;
        let over = kept.lease.end(epoch, ending.status)?;
        kept.write(rows);
        kept.lease = over;
        kept.enter(ending.stage, now);
        Ok(())
    }
}

impl Kept {
    fn enter(&mut self, stage: Option<Stage>, now: i64) {
        let Some(stage) = stage else { return };
        let until = |soak: Duration| now.saturating_add(i64::try_from(soak.as_micros()).unwrap_or(i64::MAX));
        self.wave = stage.wave;
        self.soaks_until = stage.soak.map(until);
    }

    /// Writes the moves that are allowed; the wave stays as it was.
    fn write(&mut self, rows: &[Row]) {
        // All are judged by what was there before. A target that was not is added.
        let find = |rows: &[Row], target| rows.binary_search_by_key(&target, |row: &Row| row.target);
        let may = |row: &&Row| match find(&self.rows, row.target) {
            Ok(index) => self.rows[index].state.may_become(row.state),
            Err(_) => true,
        };
        let allowed: Vec<Row> = rows.iter().filter(may).copied().collect();
        for row in allowed {
            match find(&self.rows, row.target) {
                Ok(index) => {
                    let wave = self.rows[index].wave;
                    self.rows[index] = Row { wave, ..row };
                }
                Err(index) => self.rows.insert(index, row),
            }
        }
    }
}

/// Compares the targets of a run with those that are wanted, both by target.
fn overlap(rows: &[Row], wished: &[Row]) -> Overlap {
    let mut wanted = wished.iter().filter(|row| row.outcome == Outcome::NotRun);
    let mut next = wanted.next();
    let targets = rows.iter().map(|row| {
        while let Some(present) = next
            && present.target < row.target
        {
            next = wanted.next();
        }
        let is_wanted = next.is_some_and(|present| present.target == row.target);
        let interest = if is_wanted {
            Interest::Wanted
        } else {
            Interest::Other
        };
        (interest, row.state)
    });
    let count = wished.iter().filter(|row| row.outcome == Outcome::NotRun).count();
    Overlap::of(targets, count)
}
