//! The simulated world: its clock, what comes next, and everything that stands in it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use super::check::{Owners, Soaks};
use super::database::{Database, Server, Session};
use super::event::{Event, MS, Micros, S};
use super::fleet::Fleet;
use super::process::Process;
use super::random::Random;
use super::store::{RunKey, Store};
use super::{Figures, Settings};

/// How many of the newest events a violation shows.
const SHOWN: usize = 60;
/// How much of one, in characters.
const LINE: usize = 400;

/// A world.
pub(super) struct World {
    pub(super) now: Micros,
    queue: BinaryHeap<Reverse<Due>>,
    order: u64,
    pub(super) random: Random,
    pub(super) settings: Settings,
    pub(super) fleet: Fleet,
    pub(super) store: Store,
    pub(super) copy: Option<Store>,
    /// When the registry last became that copy.
    pub(super) restored_at: Option<Micros>,
    /// Which rollout each run has.
    pub(super) rollouts: BTreeMap<RunKey, usize>,
    pub(super) runs_begun: RunKey,
    pub(super) registry_away_until: Micros,
    pub(super) servers: Vec<Server>,
    pub(super) databases: Vec<Database>,
    pub(super) sessions: Vec<Session>,
    pub(super) processes: Vec<Process>,
    pub(super) owners: Owners,
    pub(super) soaks: Soaks,
    /// When everything works again; from then on nothing goes wrong.
    pub(super) heals_at: Micros,
    /// How often the newest plan was run since.
    pub(super) plain_runs: u32,
    pub(super) is_settled: bool,
    pub(super) violation: Option<String>,
    pub(super) figures: Figures,
    /// The newest events, if somebody wants to read them.
    pub(super) trace: Option<VecDeque<String>>,
}

/// An event and when it is due.
struct Due {
    at: Micros,
    order: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl World {
    pub(super) fn new(seed: u64, settings: Settings) -> Self {
        let mut random = Random::new(seed);
        let fleet = Fleet::generate(&mut random, &settings);
        let server = |random: &mut Random| Server {
            refuses_login: random.chance(30),
            ..Server::default()
        };
        let mut world = Self {
            now: 0,
            queue: BinaryHeap::new(),
            order: 0,
            servers: fleet.servers.iter().map(|_| server(&mut random)).collect(),
            databases: vec![Database::default(); fleet.targets.len()],
            random,
            settings,
            fleet,
            store: Store::default(),
            copy: None,
            restored_at: None,
            rollouts: BTreeMap::new(),
            runs_begun: 0,
            registry_away_until: 0,
            sessions: Vec::new(),
            processes: Vec::new(),
            owners: Owners::default(),
            soaks: Soaks::default(),
            heals_at: 0,
            plain_runs: 0,
            is_settled: false,
            violation: None,
            figures: Figures::default(),
            trace: None,
        };
        world.plan_faults();
        world
    }

    /// Lets time pass until nothing is left to happen, or something happened that must not.
    pub(super) fn pass(&mut self) {
        while let Some(Reverse(due)) = self.queue.pop() {
            self.now = due.at;
            self.figures.events += 1;
            if let Some(trace) = &mut self.trace {
                let line = format!("{:>11.3} ms  {:?}", millis(due.at), due.event);
                trace.push_back(line.chars().take(LINE).collect());
                if trace.len() > SHOWN {
                    trace.pop_front();
                }
            }
            self.happen(due.event);
            if self.violation.is_some() || self.is_settled {
                break;
            }
        }
        self.figures.seconds += self.now / S;
        if !self.is_settled && self.violation.is_none() {
            self.violate("nothing happens any more, and not everything is done".to_owned());
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Launch(errand) => self.launch(errand),
            Event::Request(ticket, request) => self.on_request(ticket, *request),
            Event::Process(pid, note) => self.on_note(pid, note),
            Event::Message(call, message) => self.on_message(call, message),
            Event::Executed(call, version) => self.on_executed(call, version),
            Event::Closed(session) => self.on_closed(session),
            Event::Idle(session) => self.on_idle(session),
            Event::Fault(fault) => self.on_fault(fault),
        }
    }

    /// Lets something happen at a moment.
    pub(super) fn at(&mut self, at: Micros, event: Event) {
        self.order += 1;
        self.queue.push(Reverse(Due {
            at: at.max(self.now),
            order: self.order,
            event,
        }));
    }

    /// Returns how long a message takes that nothing holds up.
    pub(super) fn latency(&mut self) -> Micros {
        self.random.between(MS / 2, 8 * MS)
    }

    pub(super) fn is_faulty(&self) -> bool {
        self.now < self.heals_at
    }

    /// Something is as it must not be.
    pub(super) fn violate(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    pub(super) fn check(&mut self, checked: Result<(), String>) {
        if let Err(what) = checked {
            self.violate(what);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "it is only shown")]
fn millis(at: Micros) -> f64 {
    at as f64 / MS as f64
}
