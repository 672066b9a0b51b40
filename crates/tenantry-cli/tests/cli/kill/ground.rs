//! A platform of six tenants whose track grows, and what must be true of it whenever a run has come to its end.

use std::time::{Duration, Instant};

use tenantry::engine::{Address, Engine};

use super::invariants;
use super::row::Row;
use super::taken_up::TakenUp;
use super::track::Tracks;
use crate::database::TestServer;
use crate::platform::Platform;

/// So many new migrations come before each start, so that there is always work.
const NEW_MIGRATIONS: u32 = 4;
const TENANTS: [&str; 6] = ["acme", "globex", "hooli", "initech", "umbrella", "wonka"];
pub(super) const DEPLOY: [&str; 4] = ["migrate", "all-tenants", "-j", "3"];
/// The same, which tells each migration as it comes.
pub(super) const DEPLOY_TELLING: [&str; 5] = ["migrate", "all-tenants", "-j", "3", "--ndjson"];

pub(super) struct Ground {
    pub(super) platform: Platform,
    /// The tenants' databases.
    pub(super) databases: Vec<String>,
    pub(super) tracks: Tracks,
    /// How long a run over the new migrations takes that nothing happens to.
    pub(super) usual: Duration,
}

impl Ground {
    /// Makes one on the servers of the test run; `None`, printed, if the engine has none.
    pub(super) fn prepare(tracks: Tracks) -> Option<Self> {
        let server = crate::database::server(tracks.engine());
        Self::prepare_on(tracks, server)
    }

    /// Makes one on a server, and lets one run come to its end.
    pub(super) fn prepare_on(tracks: Tracks, server: Option<TestServer>) -> Option<Self> {
        let platform = Platform::start_on(tracks.engine(), server)?;
        platform.write("migrations/tenant/001_base.sql", &Tracks::base());
        for tenant in TENANTS {
            platform.ends(0, &["tenant", "create", tenant]);
        }
        let databases = TENANTS.map(|tenant| platform.database(tenant)).to_vec();
        let mut ground = Self {
            platform,
            databases,
            tracks,
            usual: Duration::ZERO,
        };
        ground.grow();
        let begin = Instant::now();
        ground.platform.ends(0, &DEPLOY);
        ground.usual = begin.elapsed();
        Some(ground)
    }

    /// Adds migrations to the tenants' track.
    pub(super) fn grow(&mut self) {
        self.tracks.grow(&self.platform, NEW_MIGRATIONS);
    }

    /// Returns how many migrations are half-way now. SQLite has none, and is not asked: whoever opens a file takes
    /// away what a dead process left in it.
    pub(super) fn half_way(&self) -> usize {
        if self.platform.engine == Engine::Sqlite {
            return 0;
        }
        let count = "SELECT count(*) FROM _tenantry_history WHERE phase <> 'done'";
        let counts = self
            .databases
            .iter()
            .map(|database| self.platform.one(database, count));
        counts.map(|count| count.parse::<usize>().unwrap()).sum()
    }

    /// A plain run comes to its end, and then everything is there once, and no session of ours and no lock is left;
    /// returns what the run said.
    pub(super) fn finish(&self, row: &mut Row) -> serde_json::Value {
        let finished = self.platform.json(0, &DEPLOY);
        row.took_up(TakenUp::in_answer(&finished));
        self.is_whole();
        self.is_left_alone();
        finished
    }

    fn is_left_alone(&self) {
        self.platform
            .has_no_session_within(Duration::from_secs(10), &self.all_databases());
        invariants::no_lock_is_held(&self.platform, &self.databases);
    }

    /// Checks that everything is there once.
    pub(super) fn is_whole(&self) {
        invariants::hold(&self.platform, &self.databases, &self.tracks);
    }

    /// Checks that nothing is left to do, no session and no lock; then drops the databases.
    pub(super) fn close(self) {
        let last = self.platform.json(0, &DEPLOY);
        assert_eq!(last["current"], TENANTS.len(), "{last}");
        self.platform.ends(0, &["migrate", "status", "--exit-code"]);
        self.platform
            .ends(0, &["migrate", "status", "--exit-code", "--live"]);
        self.is_left_alone();
        for database in self.all_databases() {
            match self.platform.engine {
                Engine::Sqlite => {}
                Engine::Postgres => {
                    let drop = format!("DROP DATABASE {database} WITH (FORCE)");
                    self.platform.query("postgres", &drop);
                }
                Engine::MySql => {
                    self.platform.query("mysql", &format!("DROP DATABASE {database}"));
                }
            }
        }
    }

    /// Returns the tenants' databases and the central one; of SQLite only the tenants'.
    pub(super) fn all_databases(&self) -> Vec<String> {
        let central = match &self.platform.central.address {
            Address::Network(at) => Some(at.database.clone()),
            Address::Sqlite(_) => None,
        };
        self.databases.iter().cloned().chain(central).collect()
    }
}
