//! The programs in `examples/`, on a project with a server of its own.

use std::fs;
use std::path::Path;

use tenantry::engine::{Address, Engine, Place, SqliteAddress};
use tenantry::fleet::{REGISTRY_TIMEOUT, prepare_central};
use tenantry::registry::{NewServer, Registry};
use tenantry::run::{Outcome, RunOptions};

use crate::{embed, provision};

fn write(project: &Path, name: &str, sql: &str) {
    let path = project.join("migrations").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, sql).unwrap();
}

/// Makes a project with a registry, a server in `uk`, and a migration for tenants and for `kira`.
async fn set_up(project: &Path) {
    let data = project.join("data");
    fs::create_dir_all(&data).unwrap();
    let central = Address::Sqlite(SqliteAddress {
        folder: data.clone(),
        file: "central.db".to_owned(),
    });
    prepare_central(&central, &RunOptions::default()).await.unwrap();
    let registry = Registry::connect(&central, REGISTRY_TIMEOUT).await.unwrap();
    let server = NewServer {
        name: "files".parse().unwrap(),
        engine: Engine::Sqlite,
        jurisdiction: "uk".parse().unwrap(),
        place: Place::Folder(data),
        admin: None,
        insecure_reason: None,
        max_parallel: None,
        intake: tenantry::Intake::default(),
        server_version: None,
    };
    registry.add_server(&server).await.unwrap();
    write(project, "tenant/1_notes.sql", "CREATE TABLE notes (id INTEGER);");
    write(
        project,
        "products/kira/1_tickets.sql",
        "CREATE TABLE tickets (id INTEGER);",
    );
}

#[tokio::test]
async fn the_examples_create_a_tenant_and_migrate_it() {
    let temporary = tempfile::tempdir().unwrap();
    let project = temporary.path();
    set_up(project).await;

    let made = provision::provision(project, "acme").await.unwrap();
    let taken: Vec<usize> = made.iter().map(|made| made.migrations.len()).collect();
    assert_eq!(taken, [1, 1]);
    assert_eq!(made.last().unwrap().product.as_ref().unwrap().as_str(), "kira");

    write(
        project,
        "tenant/2_pins.sql",
        "ALTER TABLE notes ADD COLUMN pinned INTEGER;",
    );
    let report = embed::migrate(project).await.unwrap();
    assert_eq!(report.count(Outcome::Applied), 1);
    assert_eq!(report.failed().count(), 0);
}
