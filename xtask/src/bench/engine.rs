//! Floor against ours on one engine: alternating runs over sets of databases, and the table of it.

use std::path::Path;

use anyhow::Context as _;

use super::arguments::{Arguments, TlsRow};
use super::migrations::Migrations;
use super::program::{At, Program};
use super::samples::{Sample, Samples};
use super::settle;
use crate::say;
use crate::test::servers::Engine;

/// A scenario and how close to the floor it is to come.
struct Scenario {
    /// The word in the table and for the program.
    word: &'static str,
    /// The highest ratio of medians; `None` where nothing is promised.
    goal: Option<f64>,
}

/// Both contestants' runs of one scenario.
struct Pair {
    floor: Samples,
    ours: Samples,
}

/// What is measured on one engine.
pub(super) struct Contest<'a> {
    pub(super) program: &'a Program<'a>,
    pub(super) migrations: &'a Migrations,
    pub(super) arguments: &'a Arguments,
    pub(super) at: At<'a>,
}

impl Contest<'_> {
    /// Creates the databases, runs every scenario and prints the table.
    pub(super) fn hold(&self) -> anyhow::Result<()> {
        self.header()?;
        for set in 0..self.arguments.runs {
            for who in ["floor", "ours"] {
                say::line(&format!("bench: creates set {} of {who}", set + 1));
                let arguments = [
                    format!("who={who}"),
                    format!("set={set}"),
                    self.databases_argument(),
                ];
                self.program.run(
                    "create",
                    self.at,
                    &[&arguments[..], &self.common(&self.migrations.ten)].concat(),
                )?;
            }
        }
        settle(self.program, self.at)?;
        say::answer(HEAD);
        for scenario in self.scenarios() {
            let pair = self.alternate(&scenario, self.at)?;
            say::answer(&line(scenario.word, &pair, scenario.goal));
        }
        self.with_tls()
    }

    fn databases(&self) -> usize {
        let default = match self.at {
            At::Server(server) | At::ServerWithTls(server) => match server.engine {
                Engine::Postgres => 60,
                Engine::MariaDb => 40,
            },
            At::Files => 300,
        };
        self.arguments.databases_or(default)
    }

    fn databases_argument(&self) -> String {
        format!("databases={}", self.databases())
    }

    fn common(&self, migrations: &Path) -> [String; 2] {
        [
            format!("concurrency={}", self.arguments.concurrency),
            format!("migrations={}", migrations.display()),
        ]
    }

    fn scenarios(&self) -> [Scenario; 3] {
        let goals = match self.at {
            At::Server(server) | At::ServerWithTls(server) => match server.engine {
                Engine::Postgres => [Some(1.15), Some(1.15), Some(1.10)],
                Engine::MariaDb => [Some(1.25), Some(1.4), None],
            },
            At::Files => [Some(1.15); 3],
        };
        let [fresh, one, noop] = goals;
        [("fresh", fresh), ("one", one), ("noop", noop)].map(|(word, goal)| Scenario { word, goal })
    }

    /// Runs both contestants in turn, each time on another set, each first as often as second.
    fn alternate(&self, scenario: &Scenario, at: At<'_>) -> anyhow::Result<Pair> {
        let mut pair = Pair {
            floor: Samples::new(self.databases()),
            ours: Samples::new(self.databases()),
        };
        for set in 0..self.arguments.runs {
            let order = if set % 2 == 0 {
                ["floor", "ours"]
            } else {
                ["ours", "floor"]
            };
            for who in order {
                let sample = self.once(scenario.word, who, set, at)?;
                if who == "ours" {
                    &mut pair.ours
                } else {
                    &mut pair.floor
                }
                .push(sample);
            }
        }
        Ok(pair)
    }

    fn once(&self, scenario: &str, who: &str, set: usize, at: At<'_>) -> anyhow::Result<Sample> {
        let migrations = if scenario == "fresh" {
            &self.migrations.ten
        } else {
            &self.migrations.eleven
        };
        let own = [
            format!("who={who}"),
            format!("set={set}"),
            format!("scenario={scenario}"),
            self.databases_argument(),
        ];
        let answer = self
            .program
            .run("run", at, &[&own[..], &self.common(migrations)].concat())
            .with_context(|| format!("{who}, {scenario}, set {set}"))?;
        Ok(Sample::of(&answer))
    }

    /// Prints what a reader must know to repeat the figures.
    fn header(&self) -> anyhow::Result<()> {
        let settings = self.program.run("settings", self.at, &[])?;
        let of = |keys: &[&str]| -> String {
            let pairs: Vec<String> = keys
                .iter()
                .map(|key| format!("{key} = {}", settings.text(key)))
                .collect();
            pairs.join(", ")
        };
        let (name, settings) = match self.at {
            At::Server(server) | At::ServerWithTls(server) => match server.engine {
                Engine::Postgres => (
                    format!("PostgreSQL {}", settings.text("server_version")),
                    of(&[
                        "fsync",
                        "synchronous_commit",
                        "full_page_writes",
                        "shared_buffers",
                        "max_wal_size",
                        "autovacuum",
                        "password_encryption",
                        "tls",
                    ]),
                ),
                Engine::MariaDb => (
                    format!("MariaDB {}", settings.text("version")),
                    of(&[
                        "innodb_flush_log_at_trx_commit",
                        "sync_binlog",
                        "log_bin",
                        "innodb_doublewrite",
                        "innodb_buffer_pool_size",
                        "auth",
                    ]) + ", tls = f",
                ),
            },
            At::Files => (
                format!("SQLite {}", settings.text("version")),
                of(&["journal", "synchronous"]),
            ),
        };
        let Arguments {
            concurrency, runs, ..
        } = self.arguments;
        say::answer(&format!(
            "\n{name}: {} databases for each contestant and run, {concurrency} at once, {runs} alternating runs",
            self.databases()
        ));
        say::answer(&format!("settings: {settings}"));
        Ok(())
    }

    /// The no-op again over TLS, as connections per second: a full handshake for each database.
    fn with_tls(&self) -> anyhow::Result<()> {
        let (TlsRow::Asked, At::Server(server)) = (self.arguments.tls, self.at) else {
            return Ok(());
        };
        if server.engine != Engine::Postgres {
            return Ok(());
        }
        let scenario = Scenario {
            word: "noop",
            goal: None,
        };
        let pair = self.alternate(&scenario, At::ServerWithTls(server))?;
        say::answer(&line("noop, TLS", &pair, None));
        say::answer(&format!(
            "with TLS: floor {:.0}, ours {:.0} connections per second; goal at least {TLS_GOAL}",
            1000.0 / pair.floor.wall_ms(),
            1000.0 / pair.ours.wall_ms(),
        ));
        Ok(())
    }
}

/// Four times the 69 connections per second that another driver's TLS reached on the reference machine.
const TLS_GOAL: u32 = 4 * 69;

const HEAD: &str = "\
           | wall ms per database: median (fastest) | ratio |        | client CPU ms/db | peak MiB     | around, ms
scenario   | floor             ours                 | ours  | goal   | floor    ours    | floor  ours  | ours";

fn line(word: &str, pair: &Pair, goal: Option<f64>) -> String {
    let Pair { floor, ours } = pair;
    let ratio = ours.wall_ms() / floor.wall_ms();
    let goal = match goal {
        Some(goal) if ratio <= goal => format!("{goal:.2} ok"),
        Some(goal) => format!("{goal:.2} NO"),
        None => "-".to_owned(),
    };
    format!(
        "{word:<10} | {:>7.3} ({:>7.3}) {:>7.3} ({:>7.3})    | {ratio:>5.2} | {goal:<7}| {:>7.3} {:>7.3}  | {:>5.1} {:>6.1} | {:>7.1}",
        floor.wall_ms(),
        floor.fastest_ms(),
        ours.wall_ms(),
        ours.fastest_ms(),
        floor.cpu_ms(),
        ours.cpu_ms(),
        floor.peak_mib(),
        ours.peak_mib(),
        ours.around_ms(),
    )
}
