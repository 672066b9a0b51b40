//! The simulated registry: one store behind a network that delays, loses and doubles nothing but time.

use std::time::Duration;

use super::check;
use super::event::{Event, Line, MS, Micros, Note, Pid, Reply, Request, S, Ticket};
use super::store::{Asker, Begun, Claimed, Kept, Row, RunKey, Store};
use super::world::World;
use super::{Defect, RunStatus, Sign, Stage, Standing, Wanted};

/// How long a process waits for an answer.
pub(super) const PATIENCE: Micros = 8 * S;
/// The registry's clock is not the world's.
const CLOCK: i64 = 1_700_000_000_000_000;

/// What a request may write to.
struct Before {
    run: RunKey,
    lease: super::Lease,
    rows: Vec<Row>,
}

/// Returns where a run is among its waves.
fn stage(kept: &Kept, now: i64) -> Stage {
    let left = |until: i64| Duration::from_micros((until - now).max(0).unsigned_abs());
    Stage {
        wave: kept.wave,
        soak: kept.soaks_until.map(left),
    }
}

impl World {
    /// Returns the time by the registry's clock.
    pub(super) fn registry_now(&self) -> i64 {
        CLOCK + i64::try_from(self.now).unwrap_or(i64::MAX)
    }

    /// Sends a question of a process to the registry.
    pub(super) fn ask(&mut self, pid: Pid, line: Line, request: Request) {
        let cut_until = self.processes[pid].cut_from_registry;
        let ticket = self.processes[pid].ticket(pid, line);
        let latency = self.latency();
        let (arrives, is_sure) = if cut_until > self.now {
            // What was sent into a cut may arrive when it is over, whoever still waits.
            (self.random.chance(500).then_some(cut_until + latency), false)
        } else {
            self.delayed(latency)
        };
        if let Some(after) = arrives {
            let at = if cut_until > self.now {
                after
            } else {
                self.now + after
            };
            self.at(at, Event::Request(ticket, Box::new(request)));
        }
        if !is_sure {
            self.give_up_asking(ticket);
        }
    }

    /// Returns after how long a message arrives, if it does, and whether that is soon.
    fn delayed(&mut self, latency: Micros) -> (Option<Micros>, bool) {
        if !self.is_faulty() || !self.random.chance(12) {
            return (Some(latency), true);
        }
        let late = self.random.between(S, 45 * S);
        (self.random.chance(600).then_some(late), false)
    }

    fn give_up_asking(&mut self, ticket: Ticket) {
        let after = self.processes[ticket.pid].real(PATIENCE);
        let note = Note::Reply(ticket, Box::new(Reply::Away));
        self.at(self.now + after, Event::Process(ticket.pid, note));
    }

    /// A question has come to the registry.
    pub(super) fn on_request(&mut self, ticket: Ticket, request: Request) {
        if self.registry_away_until > self.now {
            let note = Note::Reply(ticket, Box::new(Reply::Away));
            let after = self.random.between(MS, 8 * S);
            return self.at(self.now + after, Event::Process(ticket.pid, note));
        }
        let reply = self.decide(ticket, request);
        let latency = self.latency();
        let is_cut = self.processes[ticket.pid].cut_from_registry > self.now;
        let (arrives, is_sure) = if is_cut {
            (None, false)
        } else {
            self.delayed(latency)
        };
        if let Some(after) = arrives {
            let note = Note::Reply(ticket, Box::new(reply));
            self.at(self.now + after, Event::Process(ticket.pid, note));
        }
        if !is_sure {
            self.give_up_asking(ticket);
        }
    }

    /// Carries a request out, and checks what it did.
    fn decide(&mut self, ticket: Ticket, request: Request) -> Reply {
        let pid = ticket.pid;
        match request {
            Request::Begin(wish) => {
                let begun = self.with_asker(pid, |store, asker| store.begin(&wish, asker));
                match &begun {
                    Begun::New => self.given(wish.run, 1, pid),
                    Begun::Taken(run, epoch) => self.given(*run, *epoch, pid),
                    Begun::Attached(_) | Begun::Held(_) | Begun::Waits(_) => {}
                }
                Reply::Begun(begun)
            }
            Request::Claim(run) => {
                let claimed = self.with_asker(pid, |store, asker| store.claim(run, asker));
                if let Ok(Claimed::Given(epoch)) = &claimed {
                    self.given(run, *epoch, pid);
                }
                Reply::Claimed(claimed)
            }
            Request::Rest(run) => {
                let kept = self.store.runs.get(&run);
                let now = self.registry_now();
                Reply::Rest(kept.map(|kept| (stage(kept, now), kept.rows.clone())))
            }
            Request::Driven(run) => {
                Reply::Driven(self.with_asker(pid, |store, asker| store.driven(run, asker)))
            }
            Request::Wishes(run, epoch) => Reply::Heard(self.store.wishes(run, self.shown(run, epoch))),
            Request::Renew(run, epoch) => {
                let (now, shown) = (self.registry_now(), self.shown(run, epoch));
                let before = self.before(run, &[]);
                let heard = self.store.renew(run, shown, now);
                self.written(pid, before, heard.ok().map(|_| epoch));
                Reply::Heard(heard)
            }
            Request::Record(run, epoch, stage, rows) => {
                let (before, shown) = (self.before(run, &rows), self.shown(run, epoch));
                let now = self.registry_now();
                let written = self.store.reach((run, shown), stage, &rows, now);
                self.written(pid, before, written.ok().map(|()| epoch));
                Reply::Written(written)
            }
            Request::Finish(run, epoch, ending, rows) => {
                let (before, shown) = (self.before(run, &rows), self.shown(run, epoch));
                let now = self.registry_now();
                let written = self.store.finish((run, shown), ending, &rows, now);
                self.written(pid, before, written.ok().map(|()| epoch));
                if written.is_ok() && ending.status == RunStatus::Completed {
                    self.check_completed(run);
                }
                Reply::Written(written)
            }
        }
    }

    /// Returns the epoch that a write shows: its own, unless the check of it is left out.
    fn shown(&self, run: RunKey, epoch: i64) -> i64 {
        match self.settings.defect {
            Some(Defect::EpochIgnored) => {
                let kept = self.store.runs.get(&run);
                kept.map_or(epoch, |kept| kept.lease.epoch)
            }
            Some(
                Defect::LeaseIgnored
                | Defect::FenceIgnored
                | Defect::LockIgnored
                | Defect::NotReadBack
                | Defect::SoakForgotten,
            )
            | None => epoch,
        }
    }

    /// Lets a process ask the store something that depends on who asks, and when.
    pub(super) fn with_asker<T>(&mut self, pid: Pid, ask: impl FnOnce(&mut Store, &Asker<'_>) -> T) -> T {
        let now = self.registry_now();
        let is_lease_ignored = self.settings.defect == Some(Defect::LeaseIgnored);
        let processes = &self.processes;
        let host = processes.get(pid).map(|process| process.host);
        // As `Driver::sign_of`: only who runs on the same machine knows of a death.
        let sign_of = |driver: &str| {
            let other = driver.parse().ok().and_then(|other: Pid| processes.get(other));
            let is_seen_dead = other.is_some_and(|other| other.is_dead() && Some(other.host) == host);
            if is_seen_dead || (is_lease_ignored && other.is_some()) {
                Sign::Gone
            } else {
                Sign::Unknown
            }
        };
        let asker = Asker {
            driver: &pid.to_string(),
            now,
            sign_of: &sign_of,
        };
        ask(&mut self.store, &asker)
    }

    fn given(&mut self, run: RunKey, epoch: i64, pid: Pid) {
        self.figures.claims += u64::from(epoch > 1);
        let given = self.owners.given(run, epoch, pid);
        self.check(given);
    }

    fn before(&self, run: RunKey, rows: &[Row]) -> Option<Before> {
        let kept = self.store.runs.get(&run)?;
        let present = rows.iter().filter_map(|row| {
            let index = kept
                .rows
                .binary_search_by_key(&row.target, |row| row.target)
                .ok()?;
            Some(kept.rows[index])
        });
        Some(Before {
            run,
            lease: kept.lease.clone(),
            rows: present.collect(),
        })
    }

    /// Checks what a process wrote, under which epoch, or was refused to write.
    fn written(&mut self, pid: Pid, before: Option<Before>, accepted: Option<i64>) {
        let Some(before) = before else { return };
        let run = before.run;
        if let Some(epoch) = accepted {
            let wrote = self.owners.wrote(run, epoch, pid);
            self.check(wrote);
        } else {
            self.figures.refused += 1;
        }
        let Some(kept) = self.store.runs.get(&run) else {
            return;
        };
        let mut checked = check::moved(run, &before.lease, &kept.lease);
        for row in before.rows {
            let index = kept.rows.binary_search_by_key(&row.target, |row| row.target);
            let Ok(index) = index else { continue };
            let after = kept.rows[index];
            let applied = self.databases[row.target as usize].applied;
            checked = checked
                .and_then(|()| check::rewritten(run, row, after))
                .and_then(|()| check::told(run, kept, after, applied));
        }
        self.check(checked);
    }

    fn check_completed(&mut self, run: RunKey) {
        self.figures.completed += 1;
        let Some(kept) = self.store.runs.get(&run) else {
            return;
        };
        let mut rows = kept.rows.iter();
        let checked = rows.try_for_each(|row| {
            check::once(run, kept.plan, *row, self.databases[row.target as usize].effects)
        });
        self.check(checked);
    }

    /// Somebody outside asks the newest run that goes on, or is paused, for something.
    pub(super) fn somebody_asks(&mut self, wanted: Wanted) {
        let paused = Standing::Over(RunStatus::Paused);
        let is_open = |standing: Standing| standing == Standing::Running || standing == paused;
        let mut runs = self.store.runs.iter().rev();
        let Some((run, kept)) = runs.find(|(_, kept)| is_open(kept.lease.standing)) else {
            return;
        };
        let (run, before) = (*run, kept.lease.clone());
        if wanted == Wanted::Promote {
            self.soaks.promoted(run);
        }
        let asked = self.with_asker(Pid::MAX, |store, asker| store.want(run, wanted, asker));
        if asked.is_ok() {
            let after = self.store.runs.get(&run).map(|kept| kept.lease.clone());
            let moved = after.map_or(Ok(()), |after| check::moved(run, &before, &after));
            self.check(moved);
        }
    }
}
