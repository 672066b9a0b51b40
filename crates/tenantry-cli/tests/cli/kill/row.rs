//! One row of the torture on one engine: how often, with which seed, for how long at most, and what is said at
//! the end.
//!
//! Variables of the environment: `TENANTRY_TORTURE` is `whole` for all that a row has, or a number that no row
//! exceeds; without it a row does the share of every test run. `TENANTRY_TEST_SEED` repeats a seed.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::taken_up::TakenUp;

/// How much a row does, and how long it may take.
#[derive(Debug)]
pub(super) struct Share {
    /// Its word for `cargo xtask torture`.
    pub(super) row: &'static str,
    /// How often in every test run.
    pub(super) ci: usize,
    /// How often in a whole torture.
    pub(super) whole: usize,
    /// How many minutes a whole torture may take.
    pub(super) minutes: u64,
}

/// The longest that a row may take in a test run.
const LIMIT_IN_CI: Duration = Duration::from_mins(10);
/// How many tries there are for each that counts: the moment of a try may be one at which nothing ran.
const TRIES: usize = 8;

/// A row that is being done. When it is dropped it prints what became of it, for `cargo xtask torture` to read.
pub(super) struct Row {
    name: &'static str,
    subject: &'static str,
    wanted: usize,
    done: usize,
    tried: usize,
    half_way: usize,
    taken_up: TakenUp,
    skipped: Option<&'static str>,
    seed: u64,
    begun: Instant,
    pub(super) random: Random,
    _over: Sender<()>,
}

impl Row {
    /// Begins, and prints the seed.
    pub(super) fn begin(share: &Share, subject: &'static str) -> Self {
        let torture = variable("TENANTRY_TORTURE");
        let wanted = match torture.as_deref() {
            None => share.ci,
            Some("whole") => share.whole,
            Some(most) => share.whole.min(most.parse().unwrap()),
        };
        let limit = match torture {
            None => LIMIT_IN_CI,
            Some(_) => Duration::from_mins(share.minutes),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let given = variable("TENANTRY_TEST_SEED");
        let seed = given.map_or(now.as_secs() * 1_000 + 1, |seed| seed.parse().unwrap());
        println!("{} on {subject}: TENANTRY_TEST_SEED={seed}", share.row);
        Self {
            name: share.row,
            subject,
            wanted,
            done: 0,
            tried: 0,
            half_way: 0,
            taken_up: TakenUp::default(),
            skipped: None,
            seed,
            begun: Instant::now(),
            random: Random(seed.max(1)),
            _over: ended_at_the_latest(share.row, subject, limit),
        }
    }

    /// Returns how often in all.
    pub(super) fn wanted(&self) -> usize {
        self.wanted
    }

    /// Returns whether it was not yet done often enough; fails when too many tries came to nothing.
    pub(super) fn wants_more(&self) -> bool {
        let Self { done, tried, .. } = self;
        assert!(*tried < (self.wanted + 3) * TRIES, "only {done} of {tried} tries");
        self.done < self.wanted
    }

    /// Counts tries, and how many of them were what was wanted.
    pub(super) fn count(&mut self, tried: usize, done: usize) {
        self.tried += tried;
        self.done += done;
    }

    /// Counts migrations that were half-way when everybody had died or ended.
    pub(super) fn found_half_way(&mut self, migrations: usize) {
        self.half_way += migrations;
    }

    /// Counts migrations that deployers took up, those that died later included.
    pub(super) fn took_up(&mut self, taken_up: TakenUp) {
        self.taken_up += taken_up;
    }

    /// Notes that it cannot be done here, and why.
    pub(super) fn skip(&mut self, why: &'static str) {
        self.skipped = Some(why);
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        let Self { name, subject, .. } = self;
        if let Some(why) = self.skipped {
            println!("torture\t{name}\t{subject}\tskipped\t{why}");
            return;
        }
        let violations = u8::from(std::thread::panicking());
        let TakenUp {
            adopted,
            repaired,
            resumed,
        } = self.taken_up;
        println!(
            "torture\t{name}\t{subject}\t{}\t{}\t{adopted}\t{repaired}\t{resumed}\t{violations}\t{}\t{:.1}",
            self.done,
            self.half_way,
            self.seed,
            self.begun.elapsed().as_secs_f64()
        );
    }
}

/// Ends the whole process when the limit is over before the sender is dropped: a hanging test would hang for ever.
#[expect(clippy::exit, reason = "a thread that hangs cannot be made to fail")]
fn ended_at_the_latest(name: &'static str, subject: &'static str, limit: Duration) -> Sender<()> {
    let (over, waiting) = channel();
    std::thread::spawn(move || {
        if waiting.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            println!("{name} on {subject}: not at its end after {limit:?}");
            std::process::exit(101);
        }
    });
    over
}

#[expect(clippy::disallowed_methods, reason = "a person or xtask asks for more")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns whether nothing may be skipped.
pub(super) fn is_ci() -> bool {
    variable("CI").as_deref() == Some("true")
}

/// Numbers that look random, the same for the same seed (xorshift, Marsaglia 2003).
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// Returns a time from 5 ms to the usual duration of a whole run.
    pub(super) fn moment(&mut self, usual: Duration) -> Duration {
        let usual = u64::try_from(usual.as_millis()).unwrap().max(20);
        Duration::from_millis(5 + self.below(usual))
    }

    /// Returns one of them; `None` if there is none.
    pub(super) fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let many = u64::try_from(all.len()).unwrap();
        if many == 0 {
            return None;
        }
        all.get(usize::try_from(self.below(many)).unwrap())
    }
}
