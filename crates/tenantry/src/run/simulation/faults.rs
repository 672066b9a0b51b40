//! What goes wrong in a world, and when; and who sees to it that it goes on afterwards.

use super::event::{Errand, Event, Fault, Micros, Pid, S, WhenHeld};
use super::fleet::{NEW, OLD};
use super::process::Doing;
use super::store::TargetKey;
use super::world::World;
use super::{RunStatus, Standing, Wanted};

/// How often somebody looks whether there is still something to do.
const LOOKS: Micros = 15 * S;
/// So long after everything works again, everything is done.
const DONE_WITHIN: Micros = 45 * 60 * S;
/// So many plain runs finish everything.
const PLAIN_RUNS: u32 = 20;

impl World {
    /// Decides what goes wrong when, and who starts when.
    pub(super) fn plan_faults(&mut self) {
        let span = self.random.between(20, 120) * S;
        self.heals_at = span + 30 * S;
        let is_large = self.fleet.is_large();
        let some = self.random.index(self.settings.drivers) + 1;
        let drivers = if is_large { self.settings.drivers } else { some };
        for number in 0..drivers {
            let at = if number == 0 { 0 } else { self.random.below(span) };
            let errand = self.errand();
            self.at(at, Event::Launch(errand));
        }
        let some = self.random.index(self.settings.faults + 1);
        let faults = if is_large { self.settings.faults * 4 } else { some };
        for _ in 0..faults {
            let at = self.random.below(span);
            let fault = self.fault();
            self.at(at, Event::Fault(fault));
        }
        self.at(self.heals_at, Event::Fault(Fault::Heal));
        self.at(LOOKS, Event::Fault(Fault::Look));
    }

    fn errand(&mut self) -> Errand {
        let count = TargetKey::try_from(self.fleet.targets.len()).unwrap_or(TargetKey::MAX);
        // Whoever holds up a whole fleet leaves the others nothing to do.
        let is_large = self.fleet.is_large();
        let part = if is_large { 1 } else { 300 };
        let share = self.random.pick(&[1_000, 1_000, 1_000, 1_000, part]);
        let mut targets: Vec<TargetKey> = (0..count).filter(|_| self.random.chance(share)).collect();
        if targets.is_empty() {
            targets.push(0);
        }
        Errand {
            plan: self
                .random
                .pick(&[NEW, NEW, NEW, if is_large { NEW } else { OLD }]),
            targets,
            take_up: None,
            when_held: self.random.pick(&[WhenHeld::Refuse, WhenHeld::Wait]),
            rollout: self.random.index(4),
        }
    }

    fn fault(&mut self) -> Fault {
        let long = self.random.between(S, 60 * S);
        match self.random.below(16) {
            0..=2 => Fault::Crash,
            3 | 4 => Fault::Freeze(self.random.between(S, 180 * S)),
            5 => Fault::Suspend(self.random.between(S, 180 * S)),
            6 | 7 => Fault::RegistryAway(long),
            8 => Fault::CutFromRegistry(long * 2),
            9 => Fault::CutFromServer(long * 2),
            10 => Fault::ServerDown(long / 2),
            11 => Fault::Crowd(long),
            12 => Fault::Copy,
            13 => Fault::Restore,
            14 => Fault::Ask(
                self.random
                    .pick(&[Wanted::Pause, Wanted::Cancel, Wanted::CancelNow]),
            ),
            _ => Fault::Ask(Wanted::Promote),
        }
    }

    pub(super) fn on_fault(&mut self, fault: Fault) {
        self.figures.faults += 1;
        let living: Vec<Pid> = (0..self.processes.len())
            .filter(|pid| !self.processes[*pid].is_dead())
            .collect();
        let victim = (!living.is_empty()).then(|| living[self.random.index(living.len())]);
        let now = self.now;
        match (fault, victim) {
            (Fault::Crash, Some(pid)) => self.crash(pid),
            (Fault::Freeze(time), Some(pid)) => self.processes[pid].frozen_until = now + time,
            (Fault::Suspend(time), Some(pid)) => {
                let process = &mut self.processes[pid];
                process.frozen_until = now + time;
                process.slept += time;
            }
            (Fault::CutFromRegistry(time), Some(pid)) => self.processes[pid].cut_from_registry = now + time,
            (Fault::CutFromServer(time), Some(pid)) => {
                let server = self.random.index(self.servers.len());
                self.processes[pid].cut(server, now + time);
            }
            (
                Fault::Crash
                | Fault::Freeze(_)
                | Fault::Suspend(_)
                | Fault::CutFromRegistry(_)
                | Fault::CutFromServer(_),
                None,
            ) => {}
            (Fault::RegistryAway(time), _) => self.registry_away_until = now + time,
            (Fault::ServerDown(time), _) => {
                let server = self.random.index(self.servers.len());
                self.server_dies(server, now + time);
            }
            (Fault::Crowd(time), _) => {
                let server = self.random.index(self.servers.len());
                self.servers[server].crowded_until = now + time;
            }
            (Fault::Copy, _) => self.copy = Some(self.store.clone()),
            (Fault::Restore, _) => self.restore(),
            (Fault::Ask(wanted), _) => self.somebody_asks(wanted),
            (Fault::Heal, _) => self.heal(),
            (Fault::Look, _) => self.look(&living),
        }
    }

    /// A process dies; often it is started again.
    fn crash(&mut self, pid: Pid) {
        let errand = self.processes[pid].errand.clone();
        self.leave_world(pid);
        if self.random.chance(500) {
            let after = self.random.between(S / 10, 20 * S);
            self.at(self.now + after, Event::Launch(errand));
        }
    }

    /// The registry becomes what its copy was. What was written since is forgotten, also by those who watch.
    fn restore(&mut self) {
        if let Some(copy) = &self.copy {
            self.store = copy.clone();
            self.restored_at = Some(self.now);
            self.owners = super::check::Owners::default();
            self.figures.restored += 1;
        }
    }

    fn heal(&mut self) {
        self.registry_away_until = 0;
        for server in &mut self.servers {
            (server.down_until, server.crowded_until) = (0, 0);
        }
        let now = self.now;
        for process in &mut self.processes {
            process.heal(now);
        }
    }

    /// Somebody looks: a run that is paused may be gone on with, and when nobody is left the newest plan is run.
    fn look(&mut self, living: &[Pid]) {
        if self.is_faulty() {
            self.go_on_with_paused();
        } else if living.is_empty() {
            if self.is_done() {
                self.is_settled = true;
                return;
            }
            self.plain_runs += 1;
            if self.plain_runs > PLAIN_RUNS {
                return self.not_done(&format!("{PLAIN_RUNS} plain runs do not finish everything"));
            }
            let errand = self.plain();
            self.at(self.now, Event::Launch(errand));
        } else if self.now > self.heals_at + DONE_WITHIN {
            return self.not_done(&format!("processes {living:?} do not end"));
        }
        self.at(self.now + LOOKS, Event::Fault(Fault::Look));
    }

    fn not_done(&mut self, what: &str) {
        let open = self
            .store
            .runs
            .iter()
            .filter(|(_, kept)| kept.lease.standing == Standing::Running);
        let open: Vec<_> = open.map(|(run, kept)| (*run, kept.lease.clone())).collect();
        let all = self.processes.iter().enumerate().filter(|(_, p)| !p.is_dead());
        let all: Vec<_> = all.map(|(pid, process)| (pid, doing(&process.doing))).collect();
        self.violate(format!("{what}; runs {open:?}, processes {all:?}"));
    }

    fn go_on_with_paused(&mut self) {
        let paused = Standing::Over(RunStatus::Paused);
        let mut runs = self.store.runs.iter();
        let Some((run, kept)) = runs.find(|(_, kept)| kept.lease.standing == paused) else {
            return;
        };
        let errand = Errand {
            plan: kept.plan,
            targets: kept.rows.iter().map(|row| row.target).collect(),
            take_up: Some(*run),
            when_held: WhenHeld::Refuse,
            rollout: 0,
        };
        if self.random.chance(500) {
            self.at(self.now, Event::Launch(errand));
        }
    }

    /// The newest plan over everything, as somebody runs it who knows of nothing.
    fn plain(&self) -> Errand {
        let count = TargetKey::try_from(self.fleet.targets.len()).unwrap_or(TargetKey::MAX);
        Errand {
            plan: NEW,
            targets: (0..count).collect(),
            take_up: None,
            when_held: WhenHeld::Wait,
            rollout: self.fleet.rollouts.len() - 1,
        }
    }

    /// Returns whether no run goes on, and every target that can be is where it should be.
    fn is_done(&self) -> bool {
        let is_open = |standing: Standing| standing == Standing::Running;
        let runs_end = !self.store.runs.values().any(|kept| is_open(kept.lease.standing));
        let targets = self.fleet.targets.iter().zip(&self.databases);
        let mut reachable = targets.filter(|(nature, _)| !self.cannot(nature));
        runs_end && self.plain_runs > 0 && reachable.all(|(_, database)| database.effects == [1; 3])
    }

    /// Returns whether a target cannot be brought anywhere, by its nature or that of one before it.
    fn cannot(&self, nature: &super::fleet::Nature) -> bool {
        let before = nature.after.map(|after| &self.fleet.targets[after as usize]);
        nature.fails.is_some()
            || self.servers[nature.server].refuses_login
            || before.is_some_and(|before| self.cannot(before))
    }
}

fn doing(doing: &Doing) -> String {
    match doing {
        Doing::Begins => "begins".to_owned(),
        Doing::Reads(run, epoch) => format!("reads {run} under {epoch}"),
        Doing::Follows(run, _) => format!("follows {run}"),
        Doing::Drives(driving) => format!(
            "drives {} under {}, finished: {:?}, tasks {:?}",
            driving.run, driving.epoch, driving.finished, driving.tasks
        ),
        Doing::Over => "over".to_owned(),
    }
}
