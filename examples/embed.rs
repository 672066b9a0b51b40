//! Migrates every tenant of a project from a program: `cargo run -p tenantry --example embed -- tenantry-demo`.

use std::error::Error;
use std::path::Path;

use tenantry::TenantMigrator;
use tenantry::engine::{Address, SqliteAddress};
use tenantry::fleet::{Fleet, Folders, REGISTRY_TIMEOUT};
use tenantry::registry::Registry;
use tenantry::run::{RunOptions, RunReport};

/// Applies what is pending, 5 tenants at a time, and says who could not be migrated and why.
#[expect(clippy::print_stdout, reason = "a program says what it did")]
pub(crate) async fn migrate(project: &Path) -> Result<RunReport, Box<dyn Error>> {
    let migrator = TenantMigrator::new(open(project).await?);
    let report = migrator.migrate_all(5).await?;
    println!("{} succeeded", report.success().count());
    for target in report.failed() {
        let why = target.failure.as_ref().map(ToString::to_string);
        println!("{}: {}", target.label, why.unwrap_or_default());
    }
    Ok(report)
}

/// Opens the project: its registry is in the central database, its migrations are in a folder.
async fn open(project: &Path) -> Result<Fleet, Box<dyn Error>> {
    let central = Address::Sqlite(SqliteAddress {
        folder: project.join("data"),
        file: "central.db".to_owned(),
    });
    Ok(Fleet {
        registry: Registry::connect(&central, REGISTRY_TIMEOUT).await?,
        folders: Folders {
            tenant: project.join("migrations/tenant"),
            ..Folders::default()
        },
        options: RunOptions::default(),
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let project = std::env::args().nth(1).ok_or("name the project's folder")?;
    migrate(Path::new(&project)).await?;
    Ok(())
}
