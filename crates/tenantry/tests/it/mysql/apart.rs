//! What one file leaves in its session does not reach the next, in a run as it is.

use std::sync::Arc;

use tenantry::engine::ApplyError;
use tenantry::migration::{Track, Version};
use tenantry::plan::Goal;
use tenantry::run::{Control, Job, Outcome, RunEvent, RunOptions, RunReport, Stop, TargetReport};
use tenantry::{Owner, Target, TenantId, TrackName};

use super::fixture::{Database, migrate_on, track};

/// Makes a run's job of a database.
fn job(db: &Database, track: Track, goal: Goal) -> Job {
    let options = db.options();
    Job {
        target: Target {
            database_id: options.database_id,
            registry_id: options.registry_id.into(),
            track: TrackName::Tenant,
            owner: Some(Arc::new(Owner {
                id: TenantId::from_text(options.tenant_id),
                slug: "acme".parse().unwrap(),
                name: "Acme".to_owned(),
            })),
            server: Some("server".parse().unwrap()),
            jurisdiction: None,
            max_parallel: None,
            known_version: None,
            known_outcome: None,
            address: db.address(),
        },
        track: Arc::new(track),
        goal,
        after: None,
        marker: None,
    }
}

/// Runs one job and returns what became of it, with the events; `cancel_at` migrations that are finished the run is
/// cancelled.
async fn run(job: Job, cancel_at: usize) -> (TargetReport, Vec<RunEvent>) {
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    let control = Control::default();
    let jobs = vec![job];
    let running = tenantry::run::run("run_test", jobs, RunOptions::default(), control.clone(), sender);
    let listening = async {
        let (mut heard, mut finished) = (Vec::new(), 0);
        while let Some(event) = events.recv().await {
            finished += usize::from(matches!(event, RunEvent::MigrationFinished { .. }));
            if finished >= cancel_at {
                control.stop(Stop::Cancel);
            }
            heard.push(event);
        }
        heard
    };
    let (RunReport { mut targets, .. }, heard) = tokio::join!(running, listening);
    (targets.remove(0), heard)
}

fn versions(report: &TargetReport) -> Vec<i64> {
    report
        .migrations
        .iter()
        .map(|done| done.version.number())
        .collect()
}

/// Files, a question, and its answer if no file knows what another one left.
const LEFT: [(&[&str], &str, &str); 10] = [
    (
        &[
            "CREATE TABLE prices (n INT);\n",
            "CREATE TEMPORARY TABLE stage (n INT);\nRENAME TABLE stage TO prices;\n",
            "INSERT INTO prices VALUES (1);\n",
        ],
        "SELECT COUNT(*) FROM prices",
        "1",
    ),
    (
        &[
            "CREATE TABLE a (id INT);\nINSERT INTO a VALUES (1), (2);\n",
            "UPDATE a SET id = 10 + (@i := IFNULL(@i, 0) + 1) ORDER BY id;\n",
            "UPDATE a SET id = 10 * id + (@i := IFNULL(@i, 0) + 1) ORDER BY id;\n",
        ],
        "SELECT GROUP_CONCAT(id ORDER BY id) FROM a",
        "111,111",
    ),
    (
        &[
            "CREATE TABLE r (n INT);\nSET @'my var' = 5;\n",
            "INSERT INTO r VALUES (COALESCE(@'my var', 0));\n",
        ],
        "SELECT n FROM r",
        "0",
    ),
    (
        &[
            "CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY, n INT);\n",
            "INSERT INTO a (n) VALUES (1);\nINSERT INTO a (n) VALUES (1);\n",
            "UPDATE a SET n = LAST_INSERT_ID();\n",
        ],
        "SELECT MAX(n) FROM a",
        "0",
    ),
    (
        &[
            "CREATE TABLE r (n INT);\nCREATE SEQUENCE s;\n",
            "CREATE TEMPORARY SEQUENCE s START WITH 500;\n",
            "INSERT INTO r VALUES (NEXT VALUE FOR s);\n",
        ],
        "SELECT n FROM r",
        "1",
    ),
    (
        &[
            "CREATE TABLE r (n INT);\n",
            "BEGIN NOT ATOMIC SET SESSION check_constraint_checks = 0; END;\n",
            "INSERT INTO r VALUES (@@check_constraint_checks);\n",
        ],
        "SELECT n FROM r",
        "1",
    ),
    (
        &[
            "CREATE TABLE r (n INT);\n",
            "EXECUTE IMMEDIATE 'CREATE TEMPORARY TABLE r (n INT)';\n",
            "INSERT INTO r VALUES (1);\n",
        ],
        "SELECT COUNT(*) FROM r",
        "1",
    ),
    (
        &[
            "CREATE TABLE r (n INT);\n",
            "HANDLER r OPEN;\n",
            "HANDLER r OPEN;\nINSERT INTO r VALUES (1);\n",
        ],
        "SELECT COUNT(*) FROM r",
        "1",
    ),
    (
        &[
            "CREATE TABLE r (n INT);\n",
            "DO GET_LOCK('app', 1);\n",
            "INSERT INTO r VALUES (COALESCE(IS_USED_LOCK('app') = CONNECTION_ID(), 0));\n",
        ],
        "SELECT n FROM r",
        "0",
    ),
    (
        &[
            "CREATE TABLE r (n INT);\n\
             CREATE TRIGGER g BEFORE INSERT ON r FOR EACH ROW SET NEW.n = (@c := IFNULL(@c, 0) + 1);\n",
            "INSERT INTO r VALUES (0);\n",
            "INSERT INTO r VALUES (0);\n",
        ],
        "SELECT MAX(n) FROM r",
        "1",
    ),
];

#[tokio::test]
async fn a_file_knows_nothing_of_the_one_before_it() {
    let mut wrong = Vec::new();
    for (texts, question, expect) in LEFT {
        let Some(mut db) = Database::create().await else {
            return;
        };
        let files: Vec<(&str, Option<&str>)> = texts.iter().map(|text| (*text, None)).collect();
        let (report, events) = run(job(&db, track(&files), Goal::Head), usize::MAX).await;
        let found = db.one(question).await;
        let numbers: Vec<i64> = (1..).take(texts.len()).collect();
        let right =
            report.outcome == Outcome::Applied && report.attempts == 1 && versions(&report) == numbers;
        if !right || found != expect {
            wrong.push((texts, found, report));
        }
        let retried = events
            .iter()
            .any(|event| matches!(event, RunEvent::Retrying { .. }));
        assert!(!retried, "{texts:?}");
        db.drop().await;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Five files, each with a session of its own both ways but the first.
fn five() -> Track {
    let numbers = 1..=5;
    let texts = numbers.map(|n| {
        let set = if n == 1 { "" } else { "SET @a = 1;\n" };
        let up = format!("{set}CREATE TABLE t{n} (n INT);\n");
        (up, format!("{set}DROP TABLE t{n};\n"))
    });
    let texts: Vec<(String, String)> = texts.collect();
    let files = texts.iter().map(|(up, down)| (up.as_str(), Some(down.as_str())));
    track(&files.collect::<Vec<_>>())
}

#[tokio::test]
async fn a_way_back_over_several_sessions_goes_no_further_than_it_was_told() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let (report, events) = run(job(&db, five(), Goal::Head), usize::MAX).await;
    assert_eq!(
        (report.outcome, report.attempts),
        (Outcome::Applied, 1),
        "{report:?}"
    );
    assert_eq!(versions(&report), [1, 2, 3, 4, 5]);
    assert_eq!(report.to.map(Version::number), Some(5));
    let finished = |event: &&RunEvent| matches!(event, RunEvent::MigrationFinished { .. });
    assert_eq!(events.iter().filter(finished).count(), 5);
    let (report, _) = run(job(&db, five(), Goal::BackSteps(3)), usize::MAX).await;
    assert_eq!(
        (report.outcome, report.attempts),
        (Outcome::Applied, 1),
        "{report:?}"
    );
    assert_eq!(versions(&report), [5, 4, 3]);
    let ends = [report.from, report.to].map(|version| version.map(Version::number));
    assert_eq!(ends, [Some(5), Some(2)]);
    assert_eq!(db.rows::<String>("SHOW TABLES LIKE 't_'").await, ["t1", "t2"]);
    db.drop().await;
}

#[tokio::test]
async fn two_runs_that_take_the_lock_in_turns_do_everything_once() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let runs = (
        run(job(&db, five(), Goal::Head), usize::MAX),
        run(job(&db, five(), Goal::Head), usize::MAX),
    );
    let ((one, _), (two, _)) = tokio::join!(runs.0, runs.1);
    assert!(
        one.outcome.is_success() && two.outcome.is_success(),
        "{one:?} {two:?}"
    );
    let mut done = versions(&one);
    done.extend(versions(&two));
    done.sort_unstable();
    assert_eq!(done, [1, 2, 3, 4, 5]);
    let rows = "SELECT COUNT(*) FROM _tenantry_history WHERE phase = 'done'";
    assert_eq!(db.one(rows).await, "5");
    db.drop().await;
}

#[tokio::test]
async fn a_run_is_cancelled_between_two_sessions_too() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let texts: Vec<(&str, Option<&str>)> = vec![("DO @a := 1;\n", None); 40];
    let (report, _) = run(job(&db, track(&texts), Goal::Head), 2).await;
    assert_eq!(report.outcome, Outcome::Cancelled, "{report:?}");
    let done = report.migrations.len();
    assert!((2..40).contains(&done), "{done}");
    let rows = "SELECT COUNT(*) FROM _tenantry_history WHERE phase = 'done'";
    assert_eq!(db.one(rows).await, done.to_string());
    db.drop().await;
}

#[tokio::test]
async fn the_drop_of_a_lasting_table_is_not_stepped_over_for_a_renamed_temporary_one() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let first = "CREATE TABLE tmp (n INT);\n";
    db.migrate(&track(&[(first, None)]), &Goal::Head).await.unwrap();
    let second = "CREATE TEMPORARY TABLE tmp (m INT);\nALTER TABLE tmp RENAME TO t2;\n\
                  CREATE TABLE x (n INT);\nDROP TABLE tmp;\n";
    let files = track(&[(first, None), (second, None)]);
    db.run("START TRANSACTION").await;
    db.one("SELECT COUNT(*) FROM tmp").await;
    let mut session = db.open().await.unwrap();
    let running = migrate_on(session.as_mut(), &files, &Goal::Head);
    let stop = db.kill_waiting("KILL CONNECTION", "Waiting for table metadata lock");
    let (result, ()) = tokio::join!(running, stop);
    assert!(matches!(result, Err(ApplyError::Session { .. })), "{result:?}");
    drop(session);
    db.run("COMMIT").await;
    db.alone().await;
    let result = db.migrate(&files, &Goal::Head).await;
    assert!(
        matches!(result, Err(ApplyError::SessionLost { done: 3, .. })),
        "{result:?}"
    );
    assert_eq!(db.rows::<String>("SHOW TABLES LIKE 'tmp'").await, ["tmp"]);
    db.drop().await;
}
