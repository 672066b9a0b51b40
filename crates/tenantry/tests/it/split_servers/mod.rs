//! The engines themselves cut generated scripts where we cut them, and their logs show our bytes.

mod mysql;
mod postgres;
mod sqlite;

use std::ops::Range;
use std::path::PathBuf;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use tenantry::engine::{Address, Engine, NetworkAddress};
use tenantry::migration::{Statement, split};

use crate::database::TestDatabase;
use crate::generated::script;

/// Scripts per engine.
const SCRIPTS: usize = 10_000;
/// How many connections share them on a server, each in a database of its own.
const CONNECTIONS: usize = 2;

/// A script and where we cut it.
struct Cut {
    text: String,
    ranges: Vec<Range<usize>>,
}

impl Cut {
    fn statements(&self) -> impl Iterator<Item = &str> {
        self.ranges.iter().map(|range| &self.text[range.clone()])
    }

    /// Returns what stands around the statements: white space, comments and delimiters.
    fn gaps(&self) -> String {
        let starts = self.ranges.iter().map(|range| range.start);
        let ends = std::iter::once(0).chain(self.ranges.iter().map(|range| range.end));
        ends.zip(starts.chain([self.text.len()]))
            .map(|(end, start)| &self.text[end..start])
            .collect()
    }
}

/// Deals the scripts out to the connections.
fn shares(engine: Engine) -> Vec<Vec<Cut>> {
    let mut shares: Vec<Vec<Cut>> = (0..CONNECTIONS).map(|_| Vec::new()).collect();
    for (at, cut) in scripts(engine).into_iter().enumerate() {
        shares[at % CONNECTIONS].push(cut);
    }
    shares
}

/// Makes the scripts, the same ones each time, and cuts them.
fn scripts(engine: Engine) -> Vec<Cut> {
    let mut runner = TestRunner::deterministic();
    let strategy = script(engine);
    let mut one = || {
        let text = strategy.new_tree(&mut runner).unwrap().current().text;
        let found = split(&text, engine).unwrap();
        Cut {
            ranges: found.iter().map(Statement::range).collect(),
            text,
        }
    };
    (0..SCRIPTS).map(|_| one()).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "xtask says in the environment where the logs are"
)]
fn log_of(engine: Engine) -> PathBuf {
    let name = match engine {
        Engine::Postgres => "TENANTRY_TEST_POSTGRES_LOG",
        Engine::MySql => "TENANTRY_TEST_MARIADB_LOG",
        Engine::Sqlite => panic!("SQLite has no log"),
    };
    PathBuf::from(std::env::var(name).unwrap())
}

fn network(database: &TestDatabase) -> &NetworkAddress {
    match &database.address {
        Address::Network(network) => network,
        Address::Sqlite(_) => panic!("not a server"),
    }
}

/// Checks that a log holds these entries in this order, whatever stands between them.
fn assert_logged(log: &str, entries: &[String]) {
    let mut rest = log;
    for entry in entries {
        let at = rest.find(entry.as_str());
        rest = at.map_or_else(
            || panic!("not logged, or not in order: {entry}"),
            |at| &rest[at + entry.len()..],
        );
    }
}
