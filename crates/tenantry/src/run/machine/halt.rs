//! What makes a run stop: a wish, the registry's word, a rule. What has not begun then does not begin.

use super::lane::Lane;
use super::spec::{Asked, End, FENCE, JobIndex, Said, Why};
use super::{Action, Machine};

impl Machine {
    pub(super) fn asked(&mut self, asked: Asked, actions: &mut Vec<Action>) {
        match asked {
            Asked::Stop(end) => self.halt(end, actions),
            Asked::Faster => {
                self.total += 1;
                self.lanes.iter_mut().for_each(Lane::widen);
            }
            Asked::Slower => self.total = self.total.saturating_sub(1).max(1),
            Asked::Promote => self.waves.promote(),
        }
    }

    pub(super) fn heard(&mut self, said: Said, actions: &mut Vec<Action>) {
        match said {
            Said::Ours { ago } => {
                self.ours_until = Some((self.now + FENCE).saturating_sub(ago));
                self.away = None;
            }
            Said::Away => {
                self.away.get_or_insert(self.now);
            }
            Said::TakenOver => self.halt(End::Fenced, actions),
        }
    }

    pub(super) fn halt(&mut self, end: End, actions: &mut Vec<Action>) {
        if self.halt.as_ref().is_none_or(|present| end.outranks(present)) {
            self.halt = Some(end);
        }
        self.skip_all(actions);
    }

    pub(super) fn look_at_rules(&mut self, actions: &mut Vec<Action>) {
        // A process that stood still knows nothing of the registry before it has asked.
        let is_lost = self.away.is_some_and(|since| self.now >= since + self.patience) && self.running == 0;
        if is_lost {
            self.halt(End::RegistryLost, actions);
        }
        let broken = self.counts.broken().or_else(|| self.waves.broken());
        if let Some(rule) = broken
            && self.halt.is_none()
            && !self.is_everything_begun()
        {
            self.halt(End::Stopped(rule), actions);
        }
    }

    /// Whether a stop would stop anything.
    fn is_everything_begun(&self) -> bool {
        self.waves.unsettled() == self.running
    }

    /// Skips whatever has not begun, of all waves.
    fn skip_all(&mut self, actions: &mut Vec<Action>) {
        let mut left: Vec<JobIndex> = self.lanes.iter_mut().flat_map(Lane::take_ready).collect();
        left.extend(std::mem::take(&mut self.waiting).into_values().flatten());
        left.extend(std::mem::take(&mut self.later).into_iter().map(|(_, job)| job));
        left.extend(self.logins.take_parked(|_| true));
        left.extend(self.waves.take_rest());
        left.sort_unstable();
        let why = if self.halt == Some(End::Fenced) {
            Why::TakenOver
        } else {
            Why::Stopped
        };
        for job in left {
            self.skip(job, why, actions);
        }
    }
}
