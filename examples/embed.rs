//! Migrates every tenant of a project from a program: `cargo run -p tenantry --example embed -- tenantry-demo`.

use std::error::Error;
use std::path::Path;

use tenantry::TenantMigrator;
use tenantry::engine::{Address, SqliteAddress};
use tenantry::fleet::{Fleet, Folders, REGISTRY_TIMEOUT};
use tenantry::registry::Registry;
use tenantry::run::{DEFAULT_CONCURRENCY, RunOptions, RunReport};

/// Opens the project's registry in its central database, and applies what is pending, 5 tenants at a time.
pub(crate) async fn migrate(project: &Path) -> Result<RunReport, Box<dyn Error>> {
    let central = Address::Sqlite(SqliteAddress {
        folder: project.join("data"),
        file: "central.db".to_owned(),
    });
    let fleet = Fleet {
        registry: Registry::connect(&central, REGISTRY_TIMEOUT).await?,
        folders: Folders {
            tenant: project.join("migrations/tenant"),
            ..Folders::default()
        },
        options: RunOptions::default(),
    };
    Ok(TenantMigrator::new(fleet)
        .migrate_all(DEFAULT_CONCURRENCY)
        .await?)
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a program says what it did")]
async fn main() -> Result<(), Box<dyn Error>> {
    let project = std::env::args().nth(1).ok_or("name the project's folder")?;
    let report = migrate(Path::new(&project)).await?;
    println!(
        "{} succeeded, {} failed",
        report.success().count(),
        report.failed().count()
    );
    for target in report.failed() {
        let why = target.failure.as_ref().map(|failure| failure.what.as_str());
        println!("{}: {}", target.label, why.unwrap_or_default());
    }
    Ok(())
}
