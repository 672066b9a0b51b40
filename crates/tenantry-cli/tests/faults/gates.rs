//! A driver dies where its run waits between two waves: the gate holds, and what a person has to do is done once.

use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tenantry::engine::Engine;
use tenantry::faults::Point;

use crate::deployer::{End, end, with_faults};
use crate::fleet::{DEPLOY, Fleet, SMALL, TENANTS};
use crate::invariants;
use crate::output::stderr;

/// What comes behind the first wave.
const GATE: &str = "then = \"pause\"";
const SOAK: &str = "soak = \"1h\"";
/// How long a driver may take for anything.
const WITHIN: Duration = Duration::from_mins(1);

#[test]
fn on_postgres_a_gate_holds_whose_driver_dies_at_it() {
    dies_at_the_gate(Engine::Postgres);
}

#[test]
fn on_sqlite_a_gate_holds_whose_driver_dies_at_it() {
    dies_at_the_gate(Engine::Sqlite);
}

#[test]
fn on_postgres_a_promotion_does_not_die_with_who_heard_it() {
    dies_of_a_promotion(Engine::Postgres);
}

#[test]
fn on_sqlite_a_promotion_does_not_die_with_who_heard_it() {
    dies_of_a_promotion(Engine::Sqlite);
}

/// A fleet whose first wave is one tenant, with new migrations before it.
struct Waves {
    fleet: Fleet,
    /// How many migrations were done before.
    before: usize,
    /// The configuration without waves.
    config: String,
}

impl Waves {
    fn with(engine: Engine, behind: &str) -> Option<Self> {
        let mut fleet = Fleet::start(engine, SMALL)?;
        fleet.deploys();
        let config = std::fs::read_to_string(fleet.platform.path("tenantry.toml")).unwrap();
        let first = TENANTS[0];
        let wave = format!("\n[[rollout.wave]]\nname = \"first\"\nmatch = [\"{first}\"]\n{behind}\n");
        fleet.platform.write("tenantry.toml", &format!("{config}{wave}"));
        Some(Self {
            fleet,
            before: 0,
            config,
        })
    }

    fn grow(&mut self) {
        self.before = self.fleet.tracks.count();
        let kinds = u32::try_from(self.fleet.kinds).unwrap();
        self.fleet.tracks.grow(&self.fleet.platform, kinds);
    }

    /// The first wave is through, and nothing of the second has begun.
    fn only_the_first_is_through(&self) {
        let rows = "SELECT COUNT(*) FROM _tenantry_history";
        let done = |database: &String| self.fleet.platform.one(database, rows);
        let done: Vec<String> = self.fleet.databases.iter().map(done).collect();
        let (new, old) = (self.fleet.tracks.count().to_string(), self.before.to_string());
        assert_eq!(done, [new, old.clone(), old]);
    }

    fn run(&self) -> Value {
        self.fleet.platform.json(0, &["run", "show"])
    }

    fn id(&self) -> String {
        self.run()["run"].as_str().unwrap().to_owned()
    }

    fn holds(&self) {
        let Fleet {
            platform,
            databases,
            tracks,
            ..
        } = &self.fleet;
        invariants::hold(platform, databases, tracks);
    }

    fn nothing_is_left_to_do(&self) {
        self.holds();
        self.fleet.platform.write("tenantry.toml", &self.config);
        self.fleet.nothing_is_left_to_do();
    }

    /// Waits until the registry says something of the newest run.
    fn until(&self, what: impl Fn(&Value) -> bool) {
        let begin = Instant::now();
        while !what(&self.run()) {
            assert!(begin.elapsed() < WITHIN, "{}", self.run());
            sleep(Duration::from_millis(100));
        }
    }
}

fn dies_at_the_gate(engine: Engine) {
    let Some(mut waves) = Waves::with(engine, GATE) else {
        return;
    };
    let resume = ["migrate", "resume"];
    for (point, again, code) in [
        // Nobody was told that it waits: whoever goes on comes to the gate in turn.
        (Point::RegistryEndWritten, &resume[..], 21),
        (Point::RegistryEndWritten, &DEPLOY, 21),
        // It waits, and only its driver does not know.
        (Point::RegistryRunFinished, &resume, 40),
        (Point::RegistryRunFinished, &DEPLOY, 40),
    ] {
        waves.grow();
        let died = waves.fleet.killed_at(point, 1, &DEPLOY);
        assert!(died.killed, "{}: {}", point.name(), died.said);
        waves.only_the_first_is_through();
        let platform = &waves.fleet.platform;
        let output = platform.ends(code, again);
        assert!(stderr(&output).contains("TN-4015"), "{output:?}");
        waves.only_the_first_is_through();
        assert_eq!(waves.run()["status"], "paused");
        platform.json(0, &["run", "promote", &waves.id()]);
        waves.holds();
    }
    waves.nothing_is_left_to_do();
}

fn dies_of_a_promotion(engine: Engine) {
    let Some(mut waves) = Waves::with(engine, SOAK) else {
        return;
    };
    waves.grow();
    let fault = format!("kill={}:1", Point::RunPromotionHeard.name());
    let driver = with_faults(&waves.fleet.platform, &DEPLOY, &fault)
        .spawn()
        .unwrap();
    waves.until(|run| run["ok"] == 1 && !run["soaks_until"].is_null());
    waves.fleet.platform.json(0, &["run", "promote", &waves.id()]);
    let died = ends(driver);
    assert!(died.killed, "{}", died.said);
    waves.only_the_first_is_through();
    let ended = ends(waves.fleet.platform.spawn(&DEPLOY));
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    waves.nothing_is_left_to_do();
}

/// Waits for the end of a deployer, and kills one that has none.
fn ends(mut child: Child) -> End {
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > WITHIN {
            child.kill().unwrap();
            panic!("it does not end: {:?}", end(child));
        }
        sleep(Duration::from_millis(100));
    }
    end(child)
}
