//! Migrations whose effects can be counted afterwards, in several kinds.

use std::collections::BTreeSet;

use tenantry::engine::Engine;

use crate::platform::Platform;

/// What a migration does, besides counting itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A new table with an index.
    Table,
    /// A new table that is changed at once.
    Altered,
    /// A column of a table that all share, and a number that is raised.
    Column,
    /// An index alone; on PostgreSQL outside of a transaction.
    Index,
    /// Takes that away again which the version before it made, outside of a transaction.
    NoIndex,
    /// Rows that an index takes a while for.
    Many,
    /// A new table behind a row whose value only the session knows: it shares its session with no other.
    Variable,
    /// A row that comes from a temporary table: it shares its session with no other.
    Temporary,
    /// Rows alone, and a number that is raised.
    Rows,
    /// What no other engine does: PostgreSQL's needs two messages, MariaDB's sets something for its session,
    /// SQLite's tidies the file outside of a transaction and has no effect.
    Own,
    /// A row that a procedure `note` writes, with the question that sees it; for MariaDB alone.
    Called,
}

/// Which kinds there are, in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Theme {
    /// Those of the engine.
    Mixed,
    /// PostgreSQL's `CREATE INDEX CONCURRENTLY` and `DROP INDEX CONCURRENTLY`.
    ConcurrentIndexes,
    /// These, which take turns by the version.
    Listed(&'static [Kind]),
}

/// Beyond this version engines come to what a table can hold: 64 indexes on `InnoDB`.
const LONG: u32 = 200;

/// The migrations so far.
#[derive(Debug)]
pub(super) struct Tracks {
    engine: Engine,
    theme: Theme,
    newest: u32,
}

impl Tracks {
    pub(super) fn new(engine: Engine) -> Self {
        Self {
            engine,
            theme: Theme::Mixed,
            newest: 1,
        }
    }

    /// On PostgreSQL, indexes that come and go outside of a transaction.
    pub(super) fn of_concurrent_indexes() -> Self {
        Self {
            theme: Theme::ConcurrentIndexes,
            ..Self::new(Engine::Postgres)
        }
    }

    /// The kinds that are listed, which take turns by the version.
    pub(super) fn of(engine: Engine, kinds: &'static [Kind]) -> Self {
        Self {
            theme: Theme::Listed(kinds),
            ..Self::new(engine)
        }
    }

    /// The version of the newest migration.
    pub(super) fn newest(&self) -> u32 {
        self.newest
    }

    pub(super) fn engine(&self) -> Engine {
        self.engine
    }

    /// Returns whether it is time to begin again with new databases.
    pub(super) fn are_long(&self) -> bool {
        self.newest > LONG
    }

    fn kind(&self, version: u32) -> Kind {
        match (self.theme, self.engine, version % 4) {
            (Theme::Listed(kinds), _, _) => kinds[version as usize % kinds.len()],
            (Theme::ConcurrentIndexes, _, _) | (Theme::Mixed, Engine::MySql, _) if version == 2 => Kind::Many,
            (Theme::ConcurrentIndexes, _, 1 | 3) => Kind::Index,
            (Theme::ConcurrentIndexes, _, _) => Kind::NoIndex,
            (Theme::Mixed, Engine::MySql, 3) if version % 8 == 3 => Kind::Variable,
            (Theme::Mixed, Engine::MySql, 0) if version.is_multiple_of(8) => Kind::Temporary,
            (Theme::Mixed, _, 0) => Kind::Table,
            (Theme::Mixed, _, 1) => Kind::Altered,
            (Theme::Mixed, _, 2) => Kind::Column,
            (Theme::Mixed, _, _) => Kind::Index,
        }
    }

    /// What every tenant begins with, version 1. Nothing is unique: what happens twice must be seen.
    pub(super) fn base() -> String {
        "CREATE TABLE effects (version INTEGER NOT NULL);\n\
         CREATE TABLE counter (n INTEGER NOT NULL);\n\
         CREATE TABLE wide (id INTEGER);\n\
         INSERT INTO counter VALUES (0);\n\
         INSERT INTO effects VALUES (1);\n"
            .to_owned()
    }

    /// Adds migrations to the tenants' track.
    pub(super) fn grow(&mut self, platform: &Platform, count: u32) {
        for _ in 0..count {
            self.newest += 1;
            let (version, sql) = (self.newest, self.sql(self.newest));
            platform.write(&format!("migrations/tenant/{version:03}_step.sql"), &sql);
        }
    }

    /// The same, each with its way back.
    pub(super) fn grow_both_ways(&mut self, platform: &Platform, count: u32) {
        let before = self.newest;
        self.grow(platform, count);
        for version in before + 1..=self.newest {
            let name = format!("migrations/tenant/{version:03}_step.down.sql");
            platform.write(&name, &self.back(version));
        }
    }

    fn back(&self, v: u32) -> String {
        let pause = self.pause();
        let uncounted = format!("DELETE FROM effects WHERE version = {v};\n");
        let less = "UPDATE counter SET n = n - 1;\n";
        match (self.kind(v), self.engine) {
            (Kind::Table | Kind::Altered, _) => format!("{uncounted}{pause}DROP TABLE t_{v};\n"),
            (Kind::Column, _) => {
                format!("{less}{pause}ALTER TABLE wide DROP COLUMN c_{v};\n{uncounted}")
            }
            (Kind::Index, Engine::Postgres) => {
                format!("-- tenantry: no-transaction\nDROP INDEX CONCURRENTLY i_{v};\n")
            }
            (Kind::Index, Engine::MySql) => format!("DROP INDEX i_{v} ON wide;\n"),
            (Kind::Index, Engine::Sqlite) => format!("DROP INDEX i_{v};\n"),
            (Kind::Rows, _) => format!("{less}{pause}{uncounted}"),
            (Kind::Own, Engine::Sqlite) => self.own(v),
            (Kind::Own, Engine::Postgres | Engine::MySql) => self
                .own(v)
                .replace("INSERT INTO effects", "DELETE FROM effects")
                .replace(&format!("VALUES ({v})"), &format!("WHERE version = {v}")),
            (Kind::Called | Kind::Many | Kind::Temporary, _) => uncounted,
            (Kind::Variable, _) => format!("{uncounted}DROP TABLE t_{v};\n"),
            (Kind::NoIndex, _) => self.sql(v - 1),
        }
    }

    fn sql(&self, v: u32) -> String {
        let pause = self.pause();
        match self.kind(v) {
            Kind::Table => format!(
                "INSERT INTO effects VALUES ({v});\nCREATE TABLE t_{v} (id INTEGER);\n{pause}\
                 CREATE INDEX i_{v} ON t_{v} (id);\n"
            ),
            Kind::Altered => format!(
                "CREATE TABLE t_{v} (id INTEGER);\n{pause}INSERT INTO effects VALUES ({v});\n\
                 ALTER TABLE t_{v} ADD COLUMN c INTEGER;\n{pause}"
            ),
            Kind::Column => format!(
                "UPDATE counter SET n = n + 1;\n{pause}ALTER TABLE wide ADD COLUMN c_{v} INTEGER;\n\
                 INSERT INTO effects VALUES ({v});\n"
            ),
            Kind::Index if self.engine == Engine::Postgres => {
                let on = match self.theme {
                    Theme::Listed(_) => "effects (version)",
                    Theme::Mixed | Theme::ConcurrentIndexes => "wide (id)",
                };
                format!("-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY i_{v} ON {on};\n")
            }
            Kind::Index => format!("CREATE INDEX i_{v} ON wide (id);\n"),
            Kind::NoIndex => {
                let before = v - 1;
                format!("-- tenantry: no-transaction\nDROP INDEX CONCURRENTLY i_{before};\n")
            }
            Kind::Many => format!("INSERT INTO effects VALUES ({v});\n{}", self.rows()),
            Kind::Variable => format!(
                "SET @v = {v};\n{pause}INSERT INTO effects VALUES (@v);\nCREATE TABLE t_{v} (id INTEGER);\n"
            ),
            Kind::Temporary => format!(
                "CREATE TEMPORARY TABLE stage (v INTEGER);\nINSERT INTO stage VALUES ({v});\n{pause}\
                 INSERT INTO effects SELECT v FROM stage;\n"
            ),
            Kind::Rows => {
                format!("UPDATE counter SET n = n + 1;\n{pause}INSERT INTO effects VALUES ({v});\n")
            }
            Kind::Own => self.own(v),
            Kind::Called => format!(
                "-- tenantry: verify SELECT count(*) FROM effects WHERE version = {v}\nCALL note({v});\n"
            ),
        }
    }

    fn own(&self, v: u32) -> String {
        match self.engine {
            Engine::Postgres => {
                // A message takes 1 MiB.
                let long = "-".repeat(530_000);
                format!("INSERT INTO effects /*{long}*/ VALUES ({v});\nSELECT /*{long}*/ 1;\n")
            }
            Engine::MySql => format!(
                "SET SESSION sort_buffer_size = 262144;\nINSERT INTO effects VALUES ({v});\n\
                 ANALYZE TABLE wide;\n"
            ),
            Engine::Sqlite => "-- tenantry: no-transaction\nVACUUM;\n".to_owned(),
        }
    }

    /// So many rows that an index takes a while.
    fn rows(&self) -> String {
        match self.engine {
            Engine::Postgres => "INSERT INTO wide (id) SELECT generate_series(1, 40000);\n".to_owned(),
            Engine::MySql | Engine::Sqlite => {
                let twice = "INSERT INTO wide (id) SELECT id FROM wide;\n";
                format!("INSERT INTO wide (id) VALUES (1);\n{}", twice.repeat(13))
            }
        }
    }

    /// A statement that takes about 20 ms and does nothing.
    fn pause(&self) -> &'static str {
        match self.engine {
            Engine::Postgres => "SELECT pg_sleep(0.02);\n",
            Engine::MySql => "SELECT SLEEP(0.02);\n",
            Engine::Sqlite => {
                "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 10000) \
                 SELECT max(n) FROM c;\n"
            }
        }
    }

    fn versions(&self, kinds: &[Kind]) -> Vec<u32> {
        (2..=self.newest)
            .filter(|v| kinds.contains(&self.kind(*v)))
            .collect()
    }

    /// The number of all migrations.
    pub(super) fn count(&self) -> usize {
        self.newest as usize
    }

    /// The rows that `effects` must have: each once.
    pub(super) fn effects(&self) -> Vec<String> {
        let mut uncounted = vec![Kind::Index, Kind::NoIndex];
        if self.engine == Engine::Sqlite {
            uncounted.push(Kind::Own);
        }
        let counted = (2..=self.newest).filter(|v| !uncounted.contains(&self.kind(*v)));
        std::iter::once(1).chain(counted).map(|v| v.to_string()).collect()
    }

    /// What `counter` must have come to.
    pub(super) fn counter(&self) -> String {
        self.versions(&[Kind::Column, Kind::Rows]).len().to_string()
    }

    /// The columns that must be there, as `table.column`, of all tables but our own.
    pub(super) fn columns(&self) -> BTreeSet<String> {
        let mut columns: BTreeSet<String> = ["effects.version", "counter.n", "wide.id"]
            .map(str::to_owned)
            .into();
        let tables = self.versions(&[Kind::Table, Kind::Altered, Kind::Variable]);
        columns.extend(tables.iter().map(|v| format!("t_{v}.id")));
        let altered = self.versions(&[Kind::Altered]);
        columns.extend(altered.iter().map(|v| format!("t_{v}.c")));
        let wide = self.versions(&[Kind::Column]);
        columns.extend(wide.iter().map(|v| format!("wide.c_{v}")));
        columns
    }

    /// The indexes that must be there.
    pub(super) fn indexes(&self) -> BTreeSet<String> {
        let made = self.versions(&[Kind::Table, Kind::Index]);
        let gone = self.versions(&[Kind::NoIndex]);
        let left = made.iter().filter(|v| !gone.contains(&(*v + 1)));
        left.map(|v| format!("i_{v}")).collect()
    }
}
