//! What must be true at every moment, seen from outside of the code under trial.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Micros, Pid};
use super::fleet::{VERSIONS, versions};
use super::store::{Kept, Row, RunKey, TargetKey};
use super::{Care, Ending, Lease, Outcome, RunStatus, Standing, StopRules, TargetState, WaveSpec};

/// Who has which run.
#[derive(Clone, Debug, Default)]
pub(super) struct Owners(BTreeMap<RunKey, (i64, Pid)>);

impl Owners {
    /// Returns whether this is the newest epoch of a run.
    pub(super) fn has(&self, run: RunKey, epoch: i64) -> bool {
        self.0.get(&run).is_some_and(|(newest, _)| *newest == epoch)
    }

    /// A process was given a run.
    pub(super) fn given(&mut self, run: RunKey, epoch: i64, pid: Pid) -> Result<(), String> {
        match self.0.insert(run, (epoch, pid)) {
            Some((before, other)) if before >= epoch => Err(format!(
                "run {run}: epoch {epoch} was given to process {pid} after {before} was to {other}"
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// A process wrote to a run under an epoch, and was not refused.
    pub(super) fn wrote(&self, run: RunKey, epoch: i64, pid: Pid) -> Result<(), String> {
        match self.0.get(&run) {
            Some(owner) if *owner != (epoch, pid) => Err(format!(
                "run {run}: process {pid} wrote under epoch {epoch}, but {owner:?} has it"
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// A process starts a target of a run.
    pub(super) fn started(&self, run: RunKey, epoch: i64, pid: Pid) -> Result<(), String> {
        match self.0.get(&run) {
            Some((newest, other)) if *newest > epoch => Err(format!(
                "run {run}: process {pid} of epoch {epoch} starts a target, but {other} has the run under {newest}"
            )),
            Some(_) | None => Ok(()),
        }
    }
}

/// When the targets of waves ended that something has to be waited for behind.
#[derive(Clone, Debug, Default)]
pub(super) struct Soaks {
    ended: BTreeMap<(RunKey, usize), Micros>,
    promoted: BTreeSet<RunKey>,
}

impl Soaks {
    /// A target of a wave has ended.
    pub(super) fn ended(&mut self, wave: (RunKey, usize), now: Micros) {
        self.ended.insert(wave, now);
    }

    /// Somebody lets a run go on without waiting.
    pub(super) fn promoted(&mut self, run: RunKey) {
        self.promoted.insert(run);
    }

    /// A target of a wave starts.
    pub(super) fn started(
        &self,
        (run, wave): (RunKey, usize),
        waves: &[WaveSpec],
        now: Micros,
    ) -> Result<(), String> {
        if self.promoted.contains(&run) {
            return Ok(());
        }
        for (before, spec) in waves.iter().enumerate().take(wave) {
            // A clock that is fast by a hundredth is one.
            let soak = u64::try_from(spec.soak.as_micros()).unwrap_or(u64::MAX) / 100 * 98;
            let ended = self.ended.get(&(run, before));
            if let Some(ended) = ended.filter(|ended| **ended + soak > now) {
                return Err(format!(
                    "run {run}: a target of wave {wave} starts {} µs too early behind wave {before}",
                    ended + soak - now
                ));
            }
        }
        Ok(())
    }
}

/// Checks a move of a run's lease.
pub(super) fn moved(run: RunKey, before: &Lease, after: &Lease) -> Result<(), String> {
    let has_ended = |lease: &Lease| {
        matches!(lease.standing, Standing::Over(_)) && lease.standing != Standing::Over(RunStatus::Paused)
    };
    if has_ended(before) && before != after {
        return Err(format!(
            "run {run} had ended, and moved: {before:?}, then {after:?}"
        ));
    }
    if after.epoch < before.epoch {
        return Err(format!("run {run}: its epoch fell"));
    }
    Ok(())
}

/// Checks what became of a target's row.
pub(super) fn rewritten(run: RunKey, before: Row, after: Row) -> Result<(), String> {
    if before.state == TargetState::Ended && before != after {
        return Err(format!(
            "run {run}: what had ended changed: {before:?}, then {after:?}"
        ));
    }
    Ok(())
}

/// Checks that what the registry says of a target is so: `applied` versions are in its history, and `effects` are there.
pub(super) fn told(run: RunKey, kept: &Kept, row: Row, applied: u8) -> Result<(), String> {
    let is_told = row.state == TargetState::Ended && row.outcome.is_success();
    if is_told && applied < versions(kept.plan) {
        return Err(format!(
            "run {run}: {row:?} is recorded, but its history has {applied} versions of {}",
            versions(kept.plan)
        ));
    }
    Ok(())
}

/// Checks the effects of a target of a run that is complete.
pub(super) fn once(run: RunKey, plan: &str, row: Row, effects: [u8; VERSIONS]) -> Result<(), String> {
    let wanted = usize::from(versions(plan));
    if row.outcome.is_success() && effects.iter().take(wanted).any(|count| *count != 1) {
        return Err(format!("run {run} is complete, but {row:?} has {effects:?}"));
    }
    Ok(())
}

/// What one driver knows of its run, counted apart from its machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) rules: StopRules,
    /// For each server how many may run, and how many do.
    pub(super) lanes: Vec<(usize, usize)>,
    pub(super) total: usize,
    pub(super) failed: usize,
    pub(super) has_succeeded: bool,
    pub(super) canary_failed: bool,
    pub(super) likenesses: Vec<u64>,
}

impl Tally {
    /// A target starts.
    pub(super) fn start(&mut self, lane: usize) -> Result<(), String> {
        let running: usize = self.lanes.iter().map(|(_, running)| running).sum();
        let (limit, here) = &mut self.lanes[lane];
        *here += 1;
        if *here > *limit || running >= self.total {
            return Err(format!(
                "a target starts beside {running} others, {here} on its server"
            ));
        }
        if self.rules.max_failures.is_some_and(|most| self.failed > most) {
            return Err(format!("a target starts after {} failures", self.failed));
        }
        if self.canary_failed {
            return Err("a target starts after a canary failed".to_owned());
        }
        let alike = |first: usize| {
            let same = self.likenesses.windows(2).all(|pair| pair[0] == pair[1]);
            !self.has_succeeded && self.likenesses.len() >= first && same
        };
        if self.rules.same_error.is_some_and(alike) {
            return Err("a target starts although the first ones failed alike".to_owned());
        }
        Ok(())
    }

    /// A target's work has ended.
    pub(super) fn end(&mut self, lane: usize, ending: Ending, care: Care) {
        let is_canary = care == Care::Canary;
        self.lanes[lane].1 -= 1;
        match ending {
            Ending::Succeeded | Ending::Current => self.has_succeeded = true,
            Ending::Failed(likeness) => {
                self.failed += 1;
                self.canary_failed |= is_canary;
                self.likenesses.extend(likeness);
            }
            Ending::Refused => self.canary_failed |= is_canary,
            Ending::LoginRefused => self.failed += 1,
            Ending::Crowded | Ending::Unreachable | Ending::Otherwise => {}
        }
    }
}

/// Returns what a driver that takes a run up counts as failed.
pub(super) fn failures(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter()
        .filter(|row| row.state == TargetState::Ended && Outcome::is_failure(row.outcome))
}

/// Returns whether a target of a run has ended otherwise than at its goal.
pub(super) fn ended_badly(rows: &[Row], target: TargetKey) -> bool {
    let found = rows.binary_search_by_key(&target, |row| row.target);
    found.is_ok_and(|index| rows[index].state == TargetState::Ended && !rows[index].outcome.is_success())
}
