//! The connection is cut behind each byte of a whole session, in both directions; whatever was known and lost, the
//! next plain run finishes, and everything is there once.

use std::time::Duration;

use tenantry::TrackName;
use tenantry::engine::{self, Address, Engine, NetworkAddress, OpenOptions, Recorded, Unit};
use tenantry::migration::Track;
use tenantry::plan::{Goal, plan};

use super::observer::Observer;
use super::proxy::{Cut, Proxy, Way};
use super::row::{Row, Share};
use super::taken_up::TakenUp;
use crate::database::{self, TestDatabase};
use crate::platform::wait;

/// It counts cuts; a session has far fewer bytes than `whole`.
const SHARE: Share = Share {
    row: "cuts",
    ci: 1,
    whole: 1_000_000,
    minutes: 120,
};
/// At least every so many bytes, beginning at a random one of them.
const STEP: usize = 50;
/// How long a server may take to notice that a session of its own is alone.
const ALONE_WITHIN: Duration = Duration::from_secs(20);

/// What the databases begin with, version 1. Nothing is unique: what happens twice must be seen.
const BASE: (&str, &str) = (
    "1_base.sql",
    "CREATE TABLE effects (version INTEGER NOT NULL);\nINSERT INTO effects VALUES (1);\n",
);

/// What is migrated while the connection is cut, and how the database is looked at and brought back.
struct Case {
    engine: Engine,
    files: &'static [(&'static str, &'static str)],
    /// Finds one line for each effect.
    look: &'static str,
    /// What it must find.
    whole: &'static [&'static str],
    /// Brings everything back to version 1.
    reset: &'static [&'static str],
    /// Finds the sessions of others in the database.
    others: &'static str,
}

const POSTGRES: Case = Case {
    engine: Engine::Postgres,
    files: &[
        BASE,
        (
            "2_table.sql",
            "INSERT INTO effects VALUES (2);\nCREATE TABLE t (id INTEGER);\nALTER TABLE t ADD COLUMN c INTEGER;\n",
        ),
        (
            "3_index.sql",
            "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY i ON effects (version);\n",
        ),
        ("4_last.sql", "INSERT INTO effects VALUES (4);\n"),
    ],
    look: "SELECT 'effect ' || version AS found FROM effects \
           UNION ALL SELECT 'history ' || version || ' ' || phase FROM _tenantry_history \
           UNION ALL SELECT 'column ' || attname FROM pg_attribute \
               WHERE attrelid = to_regclass('public.t') AND attnum > 0 \
           UNION ALL SELECT 'index ' || indexrelid::regclass || ' ' || indisvalid FROM pg_index \
               WHERE indrelid = 'public.effects'::regclass ORDER BY found",
    whole: &[
        "column c",
        "column id",
        "effect 1",
        "effect 2",
        "effect 4",
        "history 1 done",
        "history 2 done",
        "history 3 done",
        "history 4 done",
        "index i true",
    ],
    reset: &[
        "DROP INDEX IF EXISTS i",
        "DROP TABLE IF EXISTS t",
        "DELETE FROM effects WHERE version > 1",
        "DELETE FROM _tenantry_history WHERE version > 1",
        "UPDATE _tenantry_meta SET epoch = 10",
    ],
    others: "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
             AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
};

const MARIADB: Case = Case {
    engine: Engine::MySql,
    files: &[
        BASE,
        (
            "2_table.sql",
            "INSERT INTO effects VALUES (2);\nCREATE TABLE t (id INTEGER);\nALTER TABLE t ADD COLUMN c INTEGER;\n\
             UPDATE effects SET version = version + 1 WHERE version = 2;\n",
        ),
        ("3_index.sql", "CREATE INDEX i ON effects (version);\n"),
        ("4_last.sql", "INSERT INTO effects VALUES (4);\n"),
    ],
    look: "SELECT CONCAT('effect ', version) AS found FROM effects \
           UNION ALL SELECT CONCAT('history ', version, ' ', phase) FROM _tenantry_history \
           UNION ALL SELECT CONCAT('column ', column_name) FROM information_schema.columns \
               WHERE table_schema = DATABASE() AND table_name = 't' \
           UNION ALL SELECT CONCAT('index ', index_name) FROM information_schema.statistics \
               WHERE table_schema = DATABASE() AND table_name = 'effects' ORDER BY found",
    whole: &[
        "column c",
        "column id",
        "effect 1",
        "effect 3",
        "effect 4",
        "history 1 done",
        "history 2 done",
        "history 3 done",
        "history 4 done",
        "index i",
    ],
    reset: &[
        "DROP INDEX IF EXISTS i ON effects",
        "DROP TABLE IF EXISTS t",
        "DELETE FROM effects WHERE version > 1",
        "DELETE FROM _tenantry_history WHERE version > 1",
        "UPDATE _tenantry_meta SET epoch = 10",
    ],
    others: "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()",
};

#[test]
fn on_postgres_a_connection_cut_behind_any_byte_loses_and_doubles_nothing() {
    wait(cut_everywhere("PostgreSQL", &POSTGRES));
}

#[test]
fn on_mariadb_a_connection_cut_behind_any_byte_loses_and_doubles_nothing() {
    wait(cut_everywhere("MariaDB", &MARIADB));
}

/// A database on which sessions are cut.
struct Field {
    case: &'static Case,
    database: TestDatabase,
    track: Track,
    observer: Observer,
}

async fn cut_everywhere(subject: &'static str, case: &'static Case) {
    let mut row = Row::begin(&SHARE, subject);
    let Some(mut field) = Field::prepare(case).await else {
        return row.skip("there is no server");
    };
    let lengths = field.uncut().await;
    println!("{subject}: a session has {lengths:?} bytes to the server and to the client");
    let step = ((lengths.0 + lengths.1) / row.wanted()).clamp(1, STEP);
    for (way, length) in [(Way::ToServer, lengths.0), (Way::ToClient, lengths.1)] {
        let first = usize::try_from(row.random.below(step as u64)).unwrap();
        for after in (first..=length).step_by(step) {
            let (half_way, taken_up) = field.cut(Cut { way, after }).await;
            row.found_half_way(half_way);
            row.took_up(taken_up);
            row.count(1, 1);
        }
    }
}

impl Field {
    /// Makes a database that is at version 1; `None`, printed, if there is no server.
    async fn prepare(case: &'static Case) -> Option<Self> {
        let database = database::fresh(case.engine).await?;
        let base = Track::from_files(TrackName::Tenant, case.engine, &[BASE]).unwrap();
        migrate(network(&database), &database.options(), &base)
            .await
            .unwrap();
        let observer = Observer::connect(network(&database)).await;
        Some(Self {
            case,
            track: Track::from_files(TrackName::Tenant, case.engine, case.files).unwrap(),
            database,
            observer,
        })
    }

    /// Returns how many bytes a session has that nothing happens to.
    async fn uncut(&mut self) -> (usize, usize) {
        self.reset().await;
        let proxy = Proxy::start(self.server(), None).await;
        self.through(&proxy).await.unwrap();
        self.is_whole("uncut").await;
        (proxy.carried(Way::ToServer), proxy.carried(Way::ToClient))
    }

    /// Cuts one session, and lets a plain one finish; returns how many migrations were half-way in between, and
    /// how they were taken up.
    async fn cut(&mut self, cut: Cut) -> (usize, TakenUp) {
        self.reset().await;
        let proxy = Proxy::start(self.server(), Some(cut)).await;
        let ended = self.through(&proxy).await;
        drop(proxy);
        self.is_alone().await;
        if ended.is_ok() {
            self.is_whole(&format!("{cut:?}, told as done")).await;
        }
        let unfinished = "SELECT version FROM _tenantry_history WHERE phase <> 'done'";
        let half_way = self.observer.list(unfinished).await.len();
        let plain = migrate(network(&self.database), &self.database.options(), &self.track).await;
        let plain = plain.unwrap_or_else(|error| panic!("{error}: {cut:?}, which ended with {ended:?}"));
        self.is_whole(&format!("{cut:?}, which ended with {ended:?}"))
            .await;
        let ways = plain.iter().filter_map(|recorded| recorded.taken_up);
        (half_way, TakenUp::of(ways.map(engine::TakenUp::as_str)))
    }

    fn server(&self) -> (String, u16) {
        let at = network(&self.database);
        (at.host.clone(), at.port)
    }

    async fn through(&self, proxy: &Proxy) -> Result<Vec<Recorded>, String> {
        let address = NetworkAddress {
            host: proxy.address.ip().to_string(),
            port: proxy.address.port(),
            ..network(&self.database).clone()
        };
        migrate(&address, &self.database.options(), &self.track).await
    }

    async fn reset(&mut self) {
        self.is_alone().await;
        self.observer.carry_out(self.case.reset).await;
    }

    /// Waits until the server has ended the sessions that were cut.
    async fn is_alone(&mut self) {
        let waiting = async { while !self.observer.list(self.case.others).await.is_empty() {} };
        let waited = tokio::time::timeout(ALONE_WITHIN, waiting).await;
        waited.expect("a session that was cut is still there");
    }

    async fn is_whole(&mut self, when: &str) {
        let found = self.observer.list(self.case.look).await;
        assert_eq!(found, self.case.whole, "{when}");
    }
}

fn network(database: &TestDatabase) -> &NetworkAddress {
    match &database.address {
        Address::Network(network) => network,
        Address::Sqlite(_) => panic!("not a server"),
    }
}

/// Opens a session, plans under its lock and carries every migration out by itself, as a run does.
async fn migrate(
    address: &NetworkAddress,
    options: &OpenOptions,
    track: &Track,
) -> Result<Vec<Recorded>, String> {
    let address = Address::Network(address.clone());
    let mut session = engine::open(&address, options)
        .await
        .map_err(|error| format!("{error:?}"))?;
    let plan = plan(track, session.history(), &Goal::Head).map_err(|error| format!("{error:?}"))?;
    let mut recorded = Vec::new();
    for step in plan.steps {
        let unit = Unit {
            track: TrackName::Tenant,
            direction: step.direction,
            steps: vec![step],
            run_id: "run_test".to_owned(),
            attempt_id: uuid::Uuid::now_v7().to_string(),
        };
        let done = session.carry_out(&unit).await;
        recorded.extend(done.map_err(|error| format!("{error:?}"))?);
    }
    Ok(recorded)
}
