//! A run and those that go on with it: the goal stays, and a rollback takes them for one.

use tenantry::TrackName;
use tenantry::fleet::Tiers;
use tenantry::plan::Goal;
use tenantry::run::{Outcome, RunReport, RunStatus};
use tenantry::{Direction, fleet::Request};
use tokio::sync::mpsc::unbounded_channel;

use super::{Platform, up};

const FILES: [(&str, &str); 4] = [
    ("002_second.sql", "CREATE TABLE second (id INTEGER);\n"),
    ("002_second.down.sql", "DROP TABLE second;\n"),
    ("003_third.sql", "CREATE TABLE third (id INTEGER);\n"),
    ("003_third.down.sql", "DROP TABLE third;\n"),
];

/// Two tenants at 001, and 002 and 003 waiting, which fail in `globex` until its table `second` goes.
async fn platform() -> Platform {
    let first = [("001_first.sql", "CREATE TABLE first (id INTEGER);\n")];
    let platform = Platform::with(&first, &["acme", "globex"]).await;
    for (name, sql) in FILES {
        platform.write(name, sql);
    }
    let globex = platform.open("globex").await;
    globex.execute_batch("CREATE TABLE second (x)").unwrap();
    platform
}

async fn mend(platform: &Platform) {
    let globex = platform.open("globex").await;
    globex.execute_batch("DROP TABLE second").unwrap();
}

async fn resume(platform: &Platform, of: &RunReport) -> RunReport {
    let found = platform.fleet.registry.find_run(&of.run_id).await.unwrap();
    let selected = platform.select().await;
    let left = platform
        .fleet
        .unfinished(&found, Tiers::Tenant, selected)
        .await
        .unwrap();
    let goal = found.goal.clone().unwrap();
    platform.run(left, goal, Some(found.first_of_chain())).await
}

#[tokio::test]
async fn a_resume_goes_no_further_than_its_run_was_told() {
    let platform = platform().await;
    let to = Goal::UpTo("2".parse().unwrap());
    let failed = platform.run(platform.select().await, to.clone(), None).await;
    assert_eq!(failed.count(Outcome::Failed), 1);
    assert_eq!(platform.versions("acme").await, [1, 2]);
    mend(&platform).await;

    let resumed = resume(&platform, &failed).await;
    assert_eq!(resumed.count(Outcome::Applied), 1, "{:?}", resumed.targets);
    assert_eq!(platform.versions("globex").await, [1, 2]);
    let run = platform.fleet.registry.find_run(&resumed.run_id).await.unwrap();
    assert_eq!(run.goal, Some(to));
    assert_eq!(run.continues.as_deref(), Some(failed.run_id.as_str()));
}

#[tokio::test]
async fn a_resume_of_a_resume_belongs_to_the_first_run() {
    let platform = platform().await;
    let first = platform.run(platform.select().await, Goal::Head, None).await;
    let second = resume(&platform, &first).await;
    assert_eq!(second.count(Outcome::Failed), 1);
    mend(&platform).await;
    let third = resume(&platform, &second).await;
    assert_eq!(third.count(Outcome::Applied), 1, "{:?}", third.targets);

    let registry = &platform.fleet.registry;
    let chain = [&first.run_id, &second.run_id, &third.run_id].map(Clone::clone);
    for id in &chain {
        assert_eq!(registry.chain_of(id).await.unwrap(), chain, "from {id}");
    }
    assert!(registry.chain_of("run_nobody0").await.unwrap().is_empty());
    for id in &chain {
        let left = registry.unfinished_of(id).await.unwrap();
        assert!(left.is_empty(), "what the last one mended is done: {left:?}");
    }
}

#[tokio::test]
async fn a_run_and_its_resume_are_taken_back_together() {
    let platform = platform().await;
    let first = platform.run(platform.select().await, Goal::Head, None).await;
    mend(&platform).await;
    let second = resume(&platform, &first).await;
    assert_eq!(platform.versions("globex").await, [1, 2, 3]);

    let registry = &platform.fleet.registry;
    let last = registry
        .run_with_changes_before(&TrackName::Tenant, &[], None)
        .await;
    assert_eq!(last.unwrap().unwrap().id, second.run_id);
    let mut selected = platform.select().await;
    let chain = registry.chain_of(&second.run_id).await.unwrap();
    selected.aim(&Goal::BackRuns(chain)).unwrap();
    let back = Request {
        direction: Direction::Down,
        reverts: Some(first.run_id.clone()),
        ..up()
    };
    let (events, _unheard) = unbounded_channel();
    let control = tenantry::run::Control::default();
    let report = platform.fleet.execute(selected, &back, &control, events).await;
    assert_eq!(report.unwrap().count(Outcome::Applied), 2);
    for tenant in ["acme", "globex"] {
        assert_eq!(platform.versions(tenant).await, [1], "{tenant}");
    }
    let last = registry
        .run_with_changes_before(&TrackName::Tenant, &[], None)
        .await
        .unwrap();
    assert_eq!(
        last, None,
        "both are taken back, and creating a tenant was no run over the fleet"
    );
}

#[tokio::test]
async fn how_far_steps_lead_is_written_down_before_the_first_is_taken() {
    let files = [
        ("1_a.sql", "CREATE TABLE a (n INT)"),
        ("1_a.down.sql", "DROP TABLE a"),
    ];
    let platform = Platform::with(&files, &["acme"]).await;
    let back = platform
        .run(platform.select().await, Goal::BackSteps(1), None)
        .await;
    assert_eq!(back.status, RunStatus::Completed);
    let targets = platform.fleet.registry.targets_of(&back.run_id).await.unwrap();
    let version = "1".parse().unwrap();
    assert_eq!(targets[0].goal, Some(Goal::BackVersions([version].into())));
    assert!(platform.versions("acme").await.is_empty());
}

#[tokio::test]
async fn a_version_that_no_file_has_is_refused_with_the_nearest_and_sets_nothing() {
    let platform = platform().await;
    let mut selected = platform.select().await;
    let error = selected.aim(&Goal::UpTo("4".parse().unwrap())).unwrap_err();
    assert_eq!(error.code(), tenantry::Code(4008));
    let tenantry::fleet::FleetError::UnknownVersion { nearest, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(nearest, ["1", "2", "3"]);
    assert!(selected.jobs.iter().all(|job| job.goal == Goal::Head));
}
