//! Files and histories that do not fit together: told by the plan, and by the run, and nothing is written.

use tenantry::history::Phase;
use tenantry::migration::Version;
use tenantry::plan::{Goal, PlanError};
use tenantry::run::Outcome;

use super::{FIRST, SECOND, migrate, phases, planned, run_on, track};
use crate::database::TestDatabase;

const THIRD: (&str, &str) = ("3_third.sql", "INSERT INTO effect VALUES (3);\n");
const FOURTH: (&str, &str) = ("4_fourth.sql", "INSERT INTO effect VALUES (4);\n");

on_every_engine_and_pooler!(
    a_missing_file_is_named_and_nothing_is_written,
    a_file_that_comes_late_is_named_and_nothing_is_written,
    a_database_ahead_of_the_folder_is_told_apart_from_a_missing_file,
    a_run_tells_an_edited_file_and_leaves_the_rest_undone,
);

/// Runs files that do not fit the database; checks the run's answer, and that the database is as before.
async fn refused(database: TestDatabase, files: &[(&str, &str)], expect: (Outcome, &str)) -> TestDatabase {
    let before = (phases(&database).await, effects(&database).await);
    let epoch = database.one("SELECT epoch FROM _tenantry_meta").await;
    let databases = [database];
    let report = run_on(&databases, track(databases[0].engine, files)).await;
    let [database] = databases;
    let target = &report.targets[0];
    let failure = target.failure.as_ref().unwrap();
    assert_eq!((target.outcome, &*failure.code.to_string()), expect, "{target:?}");
    assert_eq!(target.attempts, 1, "waiting changes nothing");
    assert_eq!((phases(&database).await, effects(&database).await), before);
    assert_eq!(database.one("SELECT epoch FROM _tenantry_meta").await, epoch);
    database
}

async fn effects(database: &TestDatabase) -> Vec<Vec<String>> {
    database.query("SELECT n FROM effect ORDER BY n").await
}

/// Applies files through a session.
async fn given(database: &TestDatabase, files: &[(&str, &str)]) {
    let track = track(database.engine, files);
    migrate(database, &track, &Goal::Head).await.unwrap();
}

async fn a_missing_file_is_named_and_nothing_is_written(database: TestDatabase) {
    given(&database, &[FIRST, SECOND, THIRD]).await;
    let files = [FIRST, THIRD, FOURTH];
    let plan = planned(&database, &track(database.engine, &files), &Goal::Head).await;
    let labels = vec!["2_second".to_owned()];
    assert_eq!(plan, Err(PlanError::Missing { labels }));
    let database = refused(database, &files, (Outcome::Failed, "TN-3002")).await;
    let back = [FIRST, SECOND, THIRD, FOURTH];
    let track = track(database.engine, &back);
    let report = run_on(&[database], track).await;
    assert_eq!(report.count(Outcome::Applied), 1);
}

async fn a_file_that_comes_late_is_named_and_nothing_is_written(database: TestDatabase) {
    given(&database, &[FIRST, THIRD]).await;
    let files = [FIRST, SECOND, THIRD, FOURTH];
    let plan = planned(&database, &track(database.engine, &files), &Goal::Head).await;
    let Err(PlanError::OutOfOrder { labels, newest }) = plan else {
        panic!("{plan:?}")
    };
    assert_eq!((labels, newest.number()), (vec!["2_second".to_owned()], 3));
    refused(database, &files, (Outcome::Failed, "TN-3003")).await;
}

async fn a_database_ahead_of_the_folder_is_told_apart_from_a_missing_file(database: TestDatabase) {
    given(&database, &[FIRST, SECOND, THIRD]).await;
    let files = [FIRST];
    let plan = planned(&database, &track(database.engine, &files), &Goal::Head).await;
    let Err(PlanError::Ahead { newest, head }) = plan else {
        panic!("{plan:?}")
    };
    assert_eq!((newest.number(), head.map(Version::number)), (3, Some(1)));
    refused(database, &files, (Outcome::Ahead, "TN-3007")).await;
}

async fn a_run_tells_an_edited_file_and_leaves_the_rest_undone(database: TestDatabase) {
    given(&database, &[FIRST, SECOND]).await;
    assert_eq!(phases(&database).await, [(1, Phase::Done), (2, Phase::Done)]);
    let edited = (SECOND.0, "INSERT INTO effect VALUES (22);\n");
    refused(database, &[FIRST, edited, THIRD], (Outcome::Modified, "TN-3001")).await;
}
