//! A registry that an older program made is brought to this one's tables, with everything in it.

use rusqlite::Connection;
use tenantry::engine::{Address, Engine, SqliteAddress};
use tenantry::fleet::{REGISTRY_TIMEOUT, central_target, prepare_central};
use tenantry::migration::Track;
use tenantry::plan::Goal;
use tenantry::registry::{Registry, RegistryError};
use tenantry::run::{Control, Job, Outcome, RunOptions, run};
use tenantry::{Direction, TrackName};
use tokio::sync::mpsc::unbounded_channel;

const OLD: (&str, &str) = (
    "20260301000000_registry.sqlite.sql",
    include_str!("../../../src/registry/schema/20260301000000_registry.sqlite.sql"),
);

/// Makes the central database as the program before did.
async fn old_registry(address: &SqliteAddress) {
    std::fs::write(address.path(), b"").unwrap();
    let address = Address::Sqlite(address.clone());
    let track = Track::from_files(TrackName::Registry, Engine::Sqlite, &[OLD]).unwrap();
    let job = Job {
        target: central_target(
            &address,
            "0195a000-0000-7000-8000-000000000001",
            TrackName::Registry,
        ),
        track: track.into(),
        goal: Goal::Head,
        after: None,
        marker: None,
    };
    let (events, _unheard) = unbounded_channel();
    let options = RunOptions::default();
    let report = run("run_old00000", vec![job], options, Control::default(), events).await;
    assert_eq!(
        report.targets[0].outcome,
        Outcome::Applied,
        "{:?}",
        report.targets
    );
}

#[tokio::test]
async fn an_older_registry_keeps_its_runs_when_it_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let central = SqliteAddress {
        folder: folder.path().to_owned(),
        file: "central.db".to_owned(),
    };
    old_registry(&central).await;
    let address = Address::Sqlite(central.clone());
    Connection::open(central.path())
        .unwrap()
        .execute_batch(
            "INSERT INTO tenantry_runs VALUES
             ('run_7f3a2b1c', 'migrate all-tenants', 'up', NULL, 1, 2, 'completed', 'deploy')",
        )
        .unwrap();
    let refused = Registry::connect(&address, REGISTRY_TIMEOUT).await.unwrap_err();
    assert!(
        matches!(refused, RegistryError::NotMigrated { .. }),
        "{refused:?}"
    );

    let (id, changed) = prepare_central(&address, &RunOptions::default()).await.unwrap();
    assert!(changed);
    let registry = Registry::connect(&address, REGISTRY_TIMEOUT).await.unwrap();
    assert_eq!(registry.registry_id(), id);
    let run = registry.find_run("run_7f3a2b1c").await.unwrap();
    assert_eq!(
        (run.direction, run.goal.clone(), run.continues.clone()),
        (Direction::Up, None, None)
    );
    assert_eq!(registry.chain_of(&run.id).await.unwrap(), ["run_7f3a2b1c"]);
    let again = prepare_central(&address, &RunOptions::default()).await.unwrap();
    assert_eq!(again, (id, false));
}

#[tokio::test]
async fn a_current_registry_is_prepared_while_somebody_writes_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let central = SqliteAddress {
        folder: folder.path().to_owned(),
        file: "central.db".to_owned(),
    };
    let address = Address::Sqlite(central.clone());
    let (id, _) = prepare_central(&address, &RunOptions::default()).await.unwrap();
    let holder = Connection::open(central.path()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let again = prepare_central(&address, &RunOptions::default()).await.unwrap();
    assert_eq!(again, (id, false));
}
