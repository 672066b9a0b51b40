//! Deployers are killed at random, again and again; every effect must be there once, with nobody's help.

mod frozen;
mod invariants;
#[expect(dead_code, reason = "the tests of faults need more of it")]
mod track;

use std::os::unix::process::ExitStatusExt as _;
use std::process::Child;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tenantry::engine::Engine;

use crate::platform::Platform;
use track::Tracks;

/// How many kills of a running process each engine gets.
const KILLS: usize = 36;
/// How often deployers are started and killed before a run may come to its end and is looked at.
const STARTS_OF_A_ROUND: usize = 3;
/// So many new migrations come before each start, so that there is always work.
const NEW_MIGRATIONS: u32 = 4;
const TENANTS: [&str; 6] = ["acme", "globex", "hooli", "initech", "umbrella", "wonka"];
const DEPLOY: [&str; 4] = ["migrate", "all-tenants", "-j", "3"];

#[test]
fn on_sqlite_every_effect_is_there_once_whenever_a_deployer_dies() {
    kill_again_and_again(Engine::Sqlite);
}

#[test]
fn on_postgres_every_effect_is_there_once_whenever_a_deployer_dies() {
    kill_again_and_again(Engine::Postgres);
}

#[test]
fn on_mariadb_every_effect_is_there_once_whenever_a_deployer_dies() {
    kill_again_and_again(Engine::MySql);
}

/// Numbers that look random, the same for the same seed (xorshift, Marsaglia 2003).
struct Random(u64);

impl Random {
    /// Takes the seed from `TENANTRY_TEST_SEED`, or makes one; prints it either way.
    #[expect(
        clippy::disallowed_methods,
        reason = "a person hands a failed run's seed over"
    )]
    fn seeded(engine: Engine) -> Self {
        let given = std::env::var("TENANTRY_TEST_SEED").ok();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = given.map_or(now.as_secs() * 1_000 + 1, |seed| seed.parse().unwrap());
        println!("{engine}: TENANTRY_TEST_SEED={seed}");
        Self(seed.max(1))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// Returns a time from 5 ms to the usual duration of a whole run.
    fn moment(&mut self, usual: Duration) -> Duration {
        let usual = u64::try_from(usual.as_millis()).unwrap().max(20);
        Duration::from_millis(5 + self.below(usual))
    }
}

fn kill_again_and_again(engine: Engine) {
    let mut tracks = Tracks::new(engine);
    let base = Tracks::base();
    let Some(platform) = Platform::with_tenants(engine, &[("001_base.sql", &base)], &TENANTS) else {
        return;
    };
    let databases: Vec<String> = TENANTS.iter().map(|tenant| platform.database(tenant)).collect();
    let mut random = Random::seeded(engine);
    tracks.grow(&platform, NEW_MIGRATIONS);
    let begin = Instant::now();
    platform.ends(0, &DEPLOY);
    let usual = begin.elapsed();

    let (mut kills, mut tries, mut round) = (0, 0, 0);
    while kills < KILLS {
        assert!(
            tries < KILLS * 8,
            "only {kills} of {tries} kills met a running process"
        );
        let before = kills;
        for _ in 0..STARTS_OF_A_ROUND {
            tracks.grow(&platform, NEW_MIGRATIONS);
            let deployers = if round % 3 == 2 { 2 } else { 1 };
            tries += deployers;
            kills += start_and_kill(&platform, deployers, usual, &mut random);
        }
        let finished = platform.json(0, &DEPLOY);
        println!(
            "{engine}: round {round}, {} kills, then {} applied, {} current",
            kills - before,
            finished["applied"],
            finished["current"]
        );
        invariants::hold(&platform, &databases, &tracks);
        round += 1;
    }
    nothing_is_left_to_do(&platform, &databases);
    println!("{engine}: {kills} kills in {round} rounds, {:?}", begin.elapsed());
}

fn nothing_is_left_to_do(platform: &Platform, databases: &[String]) {
    let last = platform.json(0, &DEPLOY);
    assert_eq!(last["current"], TENANTS.len(), "{last}");
    platform.ends(0, &["migrate", "status", "--exit-code"]);
    platform.ends(0, &["migrate", "status", "--exit-code", "--live"]);
    platform.has_no_session_within(Duration::from_secs(10), databases);
    invariants::no_lock_is_held(platform, databases);
}

/// Starts deployers at once and kills each at its own moment; returns how many were still running.
fn start_and_kill(platform: &Platform, deployers: usize, usual: Duration, random: &mut Random) -> usize {
    let begin = Instant::now();
    let started: Vec<(Child, Duration)> = (0..deployers)
        .map(|_| (platform.spawn(&DEPLOY), random.moment(usual)))
        .collect();
    let mut kills = 0;
    for (mut child, moment) in started {
        // The moment of death is what is tried out here, so this waits for nothing but the clock.
        std::thread::sleep(moment.saturating_sub(begin.elapsed()));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        if output.status.signal() == Some(9) {
            kills += 1;
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{said}");
        }
    }
    kills
}
