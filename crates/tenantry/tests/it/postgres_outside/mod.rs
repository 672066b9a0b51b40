//! PostgreSQL steps outside a transaction: done once, whatever breaks off in between.

mod half_way;
mod interrupted;
mod lock;
mod refused;

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tenantry::TrackName;
use tenantry::engine::{
    self, Address, ApplyError, Engine, Recorded, Session, SessionError, StateAfter, Unit,
};
use tenantry::migration::Track;
use tenantry::plan::{Goal, Step, plan};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::database::{TestDatabase, fresh};

pub(crate) const TABLE: (&str, &str) = (
    "1_table.sql",
    "CREATE TABLE t (n int);\nINSERT INTO t VALUES (1), (2);\n",
);
pub(crate) const INDEX: (&str, &str) = (
    "2_index.sql",
    "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY t_n ON t (n);\n",
);
const INDEX_DOWN: (&str, &str) = (
    "2_index.down.sql",
    "-- tenantry: no-transaction\nDROP INDEX CONCURRENTLY t_n;\n",
);
const UNIQUE: (&str, &str) = (
    "2_index.sql",
    "-- tenantry: no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY t_n ON t (n);\n",
);
pub(crate) const LATER: (&str, &str) = ("3_later.sql", "ALTER TABLE t ADD COLUMN later int;\n");
/// What is seen of the index: once, and whether it is whole.
pub(super) const SEEN: &str = "SELECT string_agg((i.indisvalid AND i.indisready)::text, ',') FROM pg_index i \
 JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname LIKE 't\\_n%'";
pub(super) const PHASES: &str =
    "SELECT string_agg(version || ' ' || phase, ', ' ORDER BY version) FROM _tenantry_history";

pub(crate) fn track(files: &[(&str, &str)]) -> Track {
    Track::from_files(TrackName::Tenant, Engine::Postgres, files).unwrap()
}

fn unit(step: Step) -> Unit {
    Unit {
        track: TrackName::Tenant,
        direction: step.direction,
        steps: vec![step],
        run_id: "run_test".to_owned(),
        attempt_id: uuid::Uuid::now_v7().to_string(),
    }
}

async fn open(database: &TestDatabase) -> Box<dyn Session> {
    engine::open(&database.address, &database.options())
        .await
        .unwrap()
}

/// Carries out in an open session what its history asks for, a unit for each migration.
pub(super) async fn carry_on(
    session: &mut dyn Session,
    track: &Track,
    goal: &Goal,
) -> Result<Vec<Recorded>, ApplyError> {
    let mut recorded = Vec::new();
    for step in plan(track, session.history(), goal).unwrap().steps {
        recorded.extend(session.carry_out(&unit(step)).await?);
    }
    Ok(recorded)
}

/// One session as a run opens it; begins anew where somebody else came between.
pub(crate) async fn to_head(database: &TestDatabase, track: &Track) -> Result<Vec<Recorded>, ApplyError> {
    loop {
        match carry_on(open(database).await.as_mut(), track, &Goal::Head).await {
            Err(ApplyError::Fenced) => {}
            other => return other,
        }
    }
}

/// Another program's connection.
pub(crate) struct Other {
    client: Client,
    _driver: JoinSet<()>,
}

impl Other {
    pub(crate) async fn connect(database: &TestDatabase) -> Self {
        let Address::Network(at) = &database.direct else {
            panic!("PostgreSQL is a network engine")
        };
        let mut config = tokio_postgres::Config::new();
        config
            .host(&at.host)
            .port(at.port)
            .user(&at.login.user)
            .password(at.login.password.expose_secret())
            .dbname(&at.database)
            .application_name("another program");
        let (client, connection) = config.connect(NoTls).await.unwrap();
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            let _ended = connection.await;
        });
        Self {
            client,
            _driver: driver,
        }
    }

    pub(crate) async fn run(&self, sql: &str) -> String {
        let messages = self.client.simple_query(sql).await.unwrap();
        let row = messages.into_iter().find_map(|message| {
            let SimpleQueryMessage::Row(row) = message else {
                return None;
            };
            Some(row.get(0).unwrap_or("NULL").to_owned())
        });
        row.unwrap_or_default()
    }

    /// Asks until the answer is `t`.
    pub(crate) async fn until(&self, sql: &str) {
        let asking = async {
            while self.run(sql).await != "t" {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), asking)
            .await
            .unwrap_or_else(|_| panic!("never true: {sql}"));
    }

    /// Waits until a session of ours waits for a lock in a statement like this.
    async fn until_waiting(&self, statement: &str) {
        self.until(&format!(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
             AND application_name = 'tenantry test' AND wait_event_type = 'Lock' AND query LIKE '{statement}%')"
        ))
        .await;
    }

    /// Kills every session of ours, and waits until the server has let go of them.
    async fn kill(&self) {
        let ours =
            "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tenantry test'";
        self.run(&format!("SELECT count(pg_terminate_backend(pid)) {ours}"))
            .await;
        self.until(&format!("SELECT NOT EXISTS (SELECT {ours})")).await;
    }
}

/// Runs everything to the head in a task.
fn begin(database: &Arc<TestDatabase>, track: &Arc<Track>) -> JoinSet<Result<Vec<Recorded>, ApplyError>> {
    let (database, track) = (Arc::clone(database), Arc::clone(track));
    let mut task = JoinSet::new();
    task.spawn(async move { to_head(&database, &track).await });
    task
}

/// Runs a file until its statement waits for `blocking`, and kills the session there.
async fn kill_in(database: &Arc<TestDatabase>, track: &Arc<Track>, blocking: &str, statement: &str) {
    let blocker = Other::connect(database).await;
    blocker.run(blocking).await;
    let mut task = begin(database, track);
    let killer = Other::connect(database).await;
    killer.until_waiting(statement).await;
    killer.kill().await;
    let ended = task.join_next().await.unwrap().unwrap();
    assert!(
        matches!(
            ended,
            Err(ApplyError::Session {
                source: SessionError::Lost { .. },
                ..
            })
        ),
        "{ended:?}"
    );
    blocker.run("ROLLBACK").await;
}

/// Keeps CREATE INDEX CONCURRENTLY waiting for an old snapshot.
const OLD_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t";

async fn fresh_with_table() -> Option<Arc<TestDatabase>> {
    let database = fresh(Engine::Postgres).await?;
    to_head(&database, &track(&[TABLE])).await.unwrap();
    Some(Arc::new(database))
}

#[tokio::test]
async fn an_index_is_made_recorded_and_dropped_between_other_migrations() {
    let Some(database) = fresh(Engine::Postgres).await else {
        return;
    };
    let three = track(&[TABLE, INDEX, INDEX_DOWN, LATER]);
    assert_eq!(to_head(&database, &three).await.unwrap().len(), 3);
    assert_eq!(database.one(SEEN).await, "true");
    assert_eq!(database.one(PHASES).await, "1 done, 2 done, 3 done");
    assert!(to_head(&database, &three).await.unwrap().is_empty());
    let two = track(&[TABLE, INDEX, INDEX_DOWN]);
    database
        .query("DELETE FROM _tenantry_history WHERE version = 3")
        .await;
    let mut session = open(&database).await;
    let recorded = carry_on(session.as_mut(), &two, &Goal::BackSteps(1))
        .await
        .unwrap();
    assert_eq!(recorded.len(), 1);
    assert_eq!(database.one(SEEN).await, "NULL");
    assert_eq!(database.one(PHASES).await, "1 done");
}

#[tokio::test]
async fn a_fresh_database_may_begin_outside_a_transaction() {
    let Some(database) = fresh(Engine::Postgres).await else {
        return;
    };
    let track = track(&[
        ("1_v.sql", "-- tenantry: no-transaction\nVACUUM;\n"),
        ("2_t.sql", TABLE.1),
    ]);
    assert_eq!(to_head(&database, &track).await.unwrap().len(), 2);
    assert_eq!(database.one(PHASES).await, "1 done, 2 done");
    assert_eq!(database.one("SELECT epoch FROM _tenantry_meta").await, "2");
}

#[tokio::test]
async fn a_half_made_index_is_dropped_and_made_again() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    database.query("INSERT INTO t VALUES (2)").await;
    let track = track(&[TABLE, UNIQUE]);
    for _ in 0..2 {
        let error = to_head(&database, &track).await.unwrap_err();
        let ApplyError::Statement { state, source, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(state, StateAfter::HalfWay { done: 0 });
        assert_eq!(source.class.to_string(), "TN-2003");
        let hint = source.hint.unwrap_or_default();
        assert!(hint.contains("INVALID index") && hint.contains("t_n"), "{hint}");
        assert_eq!(database.one(SEEN).await, "false");
        assert_eq!(database.one(PHASES).await, "1 done, 2 running");
    }
    database
        .query("DELETE FROM t a USING t b WHERE a.n = b.n AND a.ctid > b.ctid")
        .await;
    assert_eq!(to_head(&database, &track).await.unwrap().len(), 1);
    assert_eq!(database.one(SEEN).await, "true");
    assert_eq!(database.one(PHASES).await, "1 done, 2 done");
}

#[tokio::test]
async fn somebody_elses_index_is_neither_adopted_nor_dropped() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    database.query("CREATE INDEX t_n ON t ((n + 1))").await;
    let oid = database.one("SELECT 't_n'::regclass::oid").await;
    let track = track(&[TABLE, INDEX]);
    for _ in 0..2 {
        let error = to_head(&database, &track).await.unwrap_err();
        assert!(matches!(error, ApplyError::Statement { .. }), "{error:?}");
        assert_eq!(database.one("SELECT 't_n'::regclass::oid").await, oid);
    }
    // As a half-made one of somebody else's, it stays as well.
    database
        .query("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_n'::regclass")
        .await;
    to_head(&database, &track).await.unwrap_err();
    assert_eq!(database.one("SELECT 't_n'::regclass::oid").await, oid);
    database.query("DROP INDEX t_n").await;
    assert_eq!(to_head(&database, &track).await.unwrap().len(), 1);
    assert_eq!(database.one(SEEN).await, "true");
}

#[tokio::test]
async fn a_query_that_is_not_true_afterwards_is_a_failure() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    let text = "-- tenantry: no-transaction\n-- tenantry: verify SELECT false\nVACUUM t;\n";
    let error = to_head(&database, &track(&[TABLE, ("2_v.sql", text)]))
        .await
        .unwrap_err();
    let ApplyError::Statement { state, source, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!((state, source.class.0), (StateAfter::HalfWay { done: 0 }, 2007));
    assert_eq!(database.one(PHASES).await, "1 done, 2 running");
}

#[tokio::test]
async fn a_failure_outside_a_transaction_has_its_place() {
    let Some(database) = fresh_with_table().await else {
        return;
    };
    let text =
        "-- é\n-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY \"ü\" ON t USING btree (nope);\n";
    let error = to_head(&database, &track(&[TABLE, ("2_x.sql", text)]))
        .await
        .unwrap_err();
    let ApplyError::Statement { offset, .. } = error else {
        panic!("{error:?}")
    };
    assert!(text[offset..].starts_with("CREATE INDEX"), "{offset}");
}

#[tokio::test]
async fn a_label_is_added_once() {
    let Some(database) = fresh(Engine::Postgres).await else {
        return;
    };
    let text = "-- tenantry: no-transaction\nALTER TYPE mood ADD VALUE 'so so' AFTER 'bad';\n";
    let track = track(&[
        ("1_mood.sql", "CREATE TYPE mood AS ENUM ('bad', 'good');\n"),
        ("2_label.sql", text),
    ]);
    assert_eq!(to_head(&database, &track).await.unwrap().len(), 2);
    assert_eq!(
        database.one("SELECT enum_range(NULL::mood)::text").await,
        "{bad,\"so so\",good}"
    );
    assert_eq!(database.one(PHASES).await, "1 done, 2 done");
}
