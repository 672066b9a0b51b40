//! Ways back that broke off: the answer to their COMMIT was lost, or one of their statements failed.

use tenantry::engine::{Address, Engine, NetworkAddress};
use tenantry::migration::Track;
use tenantry::plan::Goal;
use tenantry::run::{Control, Job, Outcome, RunOptions, RunReport, TargetReport, run};
use tenantry::{Target, TrackName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;

use crate::database::{TestDatabase, fresh};

const FIRST: (&str, &str) = ("1_first.sql", "CREATE TABLE effect (n int);\n");
const FIRST_BACK: (&str, &str) = ("1_first.down.sql", "DROP TABLE effect;\n");
const SECOND: (&str, &str) = ("2_second.sql", "CREATE TABLE more (n int);\n");
const VERSIONS: &str = "SELECT version FROM _tenantry_history ORDER BY version";

/// A job on a database at an address of its own.
pub(super) fn job(database: &TestDatabase, files: &[(&str, &str)], goal: Goal) -> Job {
    let target = Target {
        database_id: database.id.clone(),
        registry_id: "registry".into(),
        track: TrackName::Tenant,
        owner: None,
        server: None,
        jurisdiction: None,
        max_parallel: None,
        known_version: None,
        known_outcome: None,
        address: database.address.clone(),
    };
    let track = Track::from_files(TrackName::Tenant, database.engine, files).unwrap();
    Job {
        target,
        track: track.into(),
        goal,
        after: None,
        marker: None,
    }
}

async fn carried_out(job: Job) -> TargetReport {
    let (events, _unheard) = unbounded_channel();
    let (options, control) = (RunOptions::default(), Control::default());
    let report: RunReport = run("run_test0000", vec![job], options, control, events).await;
    report.targets.into_iter().next().unwrap()
}

/// Stands before a server and loses the answer to the first message that holds a text. The server carries
/// that message out; later connections are left alone.
async fn losing_the_answer(to: &'static [u8], server: &NetworkAddress) -> (u16, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let place = (server.host.clone(), server.port);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut is_lost = false;
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&place).await.unwrap();
            let loses = (!is_lost).then_some(to);
            is_lost |= carry(client, server, loses).await;
        }
    });
    (port, tasks)
}

/// Carries bytes both ways; returns whether it lost an answer.
async fn carry(mut client: TcpStream, mut server: TcpStream, loses: Option<&[u8]>) -> bool {
    let (mut asked, mut answered) = (vec![0; 1 << 20], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(count @ 1..) = read else { return false };
                let message = &asked[..count];
                server.write_all(message).await.unwrap();
                if loses.is_some_and(|text| message.windows(text.len()).any(|part| part == text)) {
                    // The server reads the end only once it has carried the message out.
                    server.shutdown().await.unwrap();
                    while matches!(server.read(&mut answered).await, Ok(1..)) {}
                    return true;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(count @ 1..) = read else { return false };
                if client.write_all(&answered[..count]).await.is_err() {
                    return false;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_revert_whose_answer_was_lost_counts_as_done() {
    let Some(database) = fresh(Engine::Postgres).await else {
        return;
    };
    let files = [FIRST, FIRST_BACK];
    let applied = carried_out(job(&database, &files, Goal::Head)).await;
    assert_eq!(applied.outcome, Outcome::Applied, "{applied:?}");
    let Address::Network(direct) = &database.address else {
        panic!("PostgreSQL is on the network");
    };
    let (port, _tasks) = losing_the_answer(b"DROP TABLE effect", direct).await;
    let mut back = job(&database, &files, Goal::BackSteps(1));
    back.target.address = Address::Network(NetworkAddress {
        host: "127.0.0.1".to_owned(),
        port,
        ..direct.clone()
    });
    let report = carried_out(back).await;
    assert_eq!(database.query(VERSIONS).await, Vec::<Vec<String>>::new());
    assert_eq!(report.attempts, 2, "{report:?}");
    assert_eq!(report.outcome, Outcome::Applied, "{report:?}");
    let versions: Vec<i64> = report.migrations.iter().map(|m| m.version.number()).collect();
    assert_eq!((versions, report.to), (vec![1], None));
}

#[tokio::test]
async fn a_half_way_revert_above_the_goal_is_finished_and_not_applied_again() {
    let Some(database) = fresh(Engine::MySql).await else {
        return;
    };
    let broken = ("2_second.down.sql", "DROP TABLE more;\nDROP TABLE nowhere;\n");
    let mended = (
        "2_second.down.sql",
        "DROP TABLE more;\nDROP TABLE IF EXISTS nowhere;\n",
    );
    carried_out(job(&database, &[FIRST, SECOND, broken], Goal::Head)).await;
    let half = carried_out(job(&database, &[FIRST, SECOND, broken], Goal::BackSteps(1))).await;
    assert_eq!(half.outcome, Outcome::Interrupted, "{half:?}");
    let phase = "SELECT phase FROM _tenantry_history WHERE version = 2";
    assert_eq!(database.one(phase).await, "reverting");

    let to_first = Goal::UpTo("1".parse().unwrap());
    let report = carried_out(job(&database, &[FIRST, SECOND, mended], to_first)).await;
    assert_eq!(report.outcome, Outcome::Applied, "{report:?}");
    assert_eq!(report.to, "1".parse().ok(), "{report:?}");
    assert_eq!(database.query(VERSIONS).await, [["1"]]);
    let tables = "SELECT count(*) FROM information_schema.tables
                  WHERE table_schema = database() AND table_name = 'more'";
    assert_eq!(database.one(tables).await, "0");
}

const WAYS_BACK: [(&str, &str); 6] = [
    ("1_first.sql", "CREATE TABLE effect (n int);\n"),
    ("1_first.down.sql", "DROP TABLE effect;\n"),
    ("2_second.sql", "CREATE TABLE more (n int);\n"),
    ("2_second.down.sql", "DROP TABLE more;\n"),
    ("3_third.sql", "CREATE TABLE most (n int);\n"),
    ("3_third.down.sql", "DROP TABLE most;\n"),
];

/// Takes steps back through a place that loses the answer to one of them.
async fn back_without_an_answer(database: &TestDatabase, goal: Goal, to: &'static [u8]) -> TargetReport {
    let applied = carried_out(job(database, &WAYS_BACK, Goal::Head)).await;
    assert_eq!(applied.outcome, Outcome::Applied, "{applied:?}");
    let Address::Network(direct) = &database.address else {
        panic!("these servers are on the network");
    };
    let (port, _tasks) = losing_the_answer(to, direct).await;
    let mut back = job(database, &WAYS_BACK, goal);
    back.target.address = Address::Network(NetworkAddress {
        host: "127.0.0.1".to_owned(),
        port,
        ..direct.clone()
    });
    let report = carried_out(back).await;
    assert!(report.attempts > 1, "{report:?}");
    report
}

#[tokio::test]
async fn a_lost_session_between_two_steps_back_takes_back_no_third() {
    for engine in [Engine::Postgres, Engine::MySql] {
        let Some(database) = fresh(engine).await else {
            continue;
        };
        let report = back_without_an_answer(&database, Goal::BackSteps(2), b"DROP TABLE more").await;
        assert_eq!(database.query(VERSIONS).await, [["1"]], "{engine} {report:?}");
        assert_eq!(report.outcome, Outcome::Applied, "{report:?}");
    }
}

#[tokio::test]
async fn a_step_back_whose_answer_was_lost_is_not_taken_twice() {
    for engine in [Engine::Postgres, Engine::MySql] {
        let Some(database) = fresh(engine).await else {
            continue;
        };
        let report = back_without_an_answer(&database, Goal::BackSteps(1), b"DROP TABLE most").await;
        assert_eq!(
            database.query(VERSIONS).await,
            [["1"], ["2"]],
            "{engine} {report:?}"
        );
    }
}
