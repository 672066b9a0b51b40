//! The tenants' databases: a lock that belongs to a session, a history, and effects that are counted.

use super::event::{Answer, Call, Event, Look, MS, Message, Micros, Note, Pid, S, SessionKey};
use super::fleet::{Protocol, VERSIONS};
use super::store::TargetKey;
use super::world::World;
use super::{Defect, JobIndex};

/// After so long a server ends a session that says nothing.
pub(super) const IDLE: Micros = 50 * S;

/// One database.
#[derive(Clone, Debug, Default)]
pub(super) struct Database {
    /// The session that has its lock.
    pub(super) lock: Option<SessionKey>,
    /// The newest claim.
    pub(super) claims: u64,
    /// How many versions its history has.
    pub(super) applied: u8,
    /// Whether the next version has an intent.
    pub(super) has_intent: bool,
    /// How often each version took effect.
    pub(super) effects: [u8; VERSIONS],
}

/// One session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) target: TargetKey,
    pub(super) is_open: bool,
    /// What it carries out, and which version.
    pub(super) busy: Option<(Call, u8)>,
    /// Whether its client has gone.
    is_left: bool,
    /// When its client was heard of last.
    heard: Micros,
}

/// One server.
#[derive(Clone, Debug, Default)]
pub(super) struct Server {
    pub(super) down_until: Micros,
    pub(super) crowded_until: Micros,
    pub(super) refuses_login: bool,
}

impl World {
    /// Sends a message of a process to a database.
    pub(super) fn call(&mut self, call: Call, message: Message) {
        let server = self.server_of(call.target);
        let cut_until = self.processes[call.pid].cut_from(server);
        let latency = self.latency();
        if cut_until > self.now {
            // It comes late or never; its sender waits for a while.
            if self.random.chance(500) {
                self.at(cut_until + latency, Event::Message(call, message));
            }
            let patience = self.random.between(S, 60 * S);
            self.give_up(call, message, patience);
        } else {
            self.at(self.now + latency, Event::Message(call, message));
        }
    }

    fn give_up(&mut self, call: Call, message: Message, patience: Micros) {
        let (answer, patience) = match message {
            Message::Open => (Answer::Unreachable, patience.min(10 * S)),
            Message::Whole { .. }
            | Message::Intent { .. }
            | Message::Statement { .. }
            | Message::Record { .. } => (Answer::Lost, patience),
        };
        let note = Note::Result(call.job, call.number, answer);
        self.at(self.now + patience, Event::Process(call.pid, note));
    }

    /// A message has come to its database.
    pub(super) fn on_message(&mut self, call: Call, message: Message) {
        if let Message::Open = message {
            let answer = self.open(call);
            return self.answer(call, answer);
        }
        let session = &mut self.sessions[call.session];
        session.heard = self.now;
        if !session.is_open || session.busy.is_some() {
            return self.answer(call, Answer::Lost);
        }
        let database = &mut self.databases[call.target as usize];
        let is_newest = |epoch: u64| epoch == database.claims;
        match message {
            Message::Open => {}
            Message::Whole { epoch, .. } | Message::Intent { epoch, .. } | Message::Record { epoch, .. }
                if !is_newest(epoch) =>
            {
                self.answer(call, Answer::Fenced);
            }
            Message::Whole { version, .. } | Message::Statement { version } => {
                session.busy = Some((call, version));
                let takes = self.fleet.targets[call.target as usize].takes;
                self.at(self.now + takes, Event::Executed(call, version));
            }
            Message::Intent { .. } => {
                database.has_intent = true;
                self.answer(call, Answer::Done);
            }
            Message::Record { version, .. } => {
                database.applied = database.applied.max(version + 1);
                database.has_intent = false;
                self.answer(call, Answer::Done);
            }
        }
    }

    /// Connects, takes the lock and claims.
    fn open(&mut self, call: Call) -> Answer {
        let number = self.server_of(call.target);
        let server = &self.servers[number];
        if server.down_until > self.now {
            return Answer::Unreachable;
        }
        if server.crowded_until > self.now {
            return Answer::Crowded;
        }
        if server.refuses_login {
            return Answer::LoginRefused;
        }
        let is_ignored = self.settings.defect == Some(Defect::LockIgnored);
        let database = &mut self.databases[call.target as usize];
        if database.lock.is_some() && !is_ignored {
            return Answer::Locked;
        }
        database.claims += 1;
        database.lock = Some(call.session);
        let look = Look {
            applied: database.applied,
            has_intent: database.has_intent,
            has_effect: database
                .effects
                .get(usize::from(database.applied))
                .is_some_and(|count| *count > 0),
        };
        let epoch = database.claims;
        let session = &mut self.sessions[call.session];
        (session.is_open, session.heard) = (true, self.now);
        self.at(self.now + IDLE, Event::Idle(call.session));
        if self.processes[call.pid].is_dead() {
            self.at(self.now + MS, Event::Closed(call.session));
        }
        Answer::Opened { epoch, look }
    }

    /// A statement has ended.
    pub(super) fn on_executed(&mut self, call: Call, version: u8) {
        let session = &mut self.sessions[call.session];
        if !session.is_open {
            return;
        }
        session.busy = None;
        session.heard = self.now;
        let is_left = session.is_left;
        let answer = self.take_effect(call.target, version);
        self.answer(call, answer);
        if is_left {
            self.close(call.session);
        }
    }

    /// Carries a version out, if it is not one that fails.
    fn take_effect(&mut self, target: TargetKey, version: u8) -> Answer {
        let nature = &self.fleet.targets[target as usize];
        let database = &mut self.databases[target as usize];
        let is_whole = nature.protocol == Protocol::Whole;
        // The row of a version that is in the history cannot be written again.
        if nature.fails == Some(version) || (is_whole && database.applied > version) {
            return Answer::Failed;
        }
        let count = &mut database.effects[usize::from(version)];
        *count += 1;
        let count = *count;
        if is_whole {
            database.applied = version + 1;
        }
        if count > 1 {
            self.violate(format!(
                "target {target}: version {version} took effect {count} times"
            ));
        }
        Answer::Done
    }

    /// Sends a database's answer.
    fn answer(&mut self, call: Call, answer: Answer) {
        let server = self.server_of(call.target);
        let is_cut = self.processes[call.pid].cut_from(server) > self.now;
        let is_lost = is_cut || (self.is_faulty() && self.random.chance(4));
        let note = if is_lost {
            Note::Result(call.job, call.number, Answer::Lost)
        } else {
            Note::Result(call.job, call.number, answer)
        };
        let after = if is_lost {
            self.random.between(10 * MS, 60 * S)
        } else {
            self.latency()
        };
        if is_lost && !is_cut {
            self.leave(call.pid, call.session);
        }
        self.at(self.now + after, Event::Process(call.pid, note));
    }

    /// A client is done with a session, or dead; the server hears of that unless they are cut apart.
    pub(super) fn leave(&mut self, pid: Pid, session: SessionKey) {
        let server = self.server_of(self.sessions[session].target);
        if self.processes[pid].cut_from(server) <= self.now {
            let latency = self.latency();
            self.at(self.now + latency, Event::Closed(session));
        }
    }

    /// Makes the number of a session that is not open yet.
    pub(super) fn new_session(&mut self, target: TargetKey) -> SessionKey {
        self.sessions.push(Session {
            target,
            is_open: false,
            busy: None,
            is_left: false,
            heard: self.now,
        });
        self.sessions.len() - 1
    }

    /// The client of a session has gone.
    pub(super) fn on_closed(&mut self, key: SessionKey) {
        let session = &mut self.sessions[key];
        session.is_left = true;
        if session.busy.is_none() {
            self.close(key);
        }
    }

    fn close(&mut self, key: SessionKey) {
        let session = &mut self.sessions[key];
        session.is_open = false;
        let database = &mut self.databases[session.target as usize];
        if database.lock == Some(key) {
            database.lock = None;
        }
    }

    /// A server looks whether a session is silent.
    pub(super) fn on_idle(&mut self, key: SessionKey) {
        let session = self.sessions[key];
        if !session.is_open {
            return;
        }
        if session.busy.is_none() && session.heard + IDLE <= self.now {
            self.close(key);
        } else {
            let heard = if session.busy.is_some() {
                self.now
            } else {
                session.heard
            };
            self.at(heard + IDLE, Event::Idle(key));
        }
    }

    /// A server dies: what its sessions carried out may have taken effect or not.
    pub(super) fn server_dies(&mut self, server: usize, down_until: Micros) {
        self.servers[server].down_until = down_until;
        let locked: Vec<SessionKey> = self.databases.iter().filter_map(|d| d.lock).collect();
        for key in locked {
            let session = self.sessions[key];
            if self.server_of(session.target) != server {
                continue;
            }
            if let Some((call, version)) = session.busy {
                if self.random.chance(300) {
                    self.take_effect(session.target, version);
                }
                let (job, number): (JobIndex, u64) = (call.job, call.number);
                let latency = self.latency();
                let note = Note::Result(job, number, Answer::Lost);
                self.at(self.now + latency, Event::Process(call.pid, note));
            }
            self.sessions[key].busy = None;
            self.close(key);
        }
    }

    pub(super) fn server_of(&self, target: TargetKey) -> usize {
        self.fleet.targets[target as usize].server
    }
}
