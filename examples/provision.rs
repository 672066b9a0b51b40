//! Creates a tenant with a product's database: `cargo run -p tenantry --example provision -- tenantry-demo initrode`.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use tenantry::engine::{Address, SqliteAddress};
use tenantry::fleet::{Fleet, Folders, REGISTRY_TIMEOUT};
use tenantry::provision::{Naming, NewTenant, Products, Provisioned, Tenants};
use tenantry::registry::{self, Registry};
use tenantry::run::RunOptions;
use tenantry::{ProductType, TenantId};

async fn open(project: &Path) -> Result<Fleet, Box<dyn Error>> {
    let central = Address::Sqlite(SqliteAddress {
        folder: project.join("data"),
        file: "central.db".to_owned(),
    });
    let kira = (
        "kira".parse::<ProductType>()?,
        project.join("migrations/products/kira"),
    );
    Ok(Fleet {
        registry: Registry::connect(&central, REGISTRY_TIMEOUT).await?,
        folders: Folders {
            central: project.join("migrations/central"),
            tenant: project.join("migrations/tenant"),
            products: BTreeMap::from([kira]),
            ..Folders::default()
        },
        options: RunOptions::default(),
    })
}

/// Creates the tenant on a server of the jurisdiction `uk`, then gives it the product `kira`. Each call may
/// be repeated when it failed half-way: what is there already is not made again.
pub(crate) async fn provision(project: &Path, slug: &str) -> Result<Vec<Provisioned>, Box<dyn Error>> {
    let fleet = open(project).await?;
    let new = NewTenant {
        tenant: registry::NewTenant {
            id: TenantId::generate(),
            slug: slug.parse()?,
            name: None,
            jurisdiction: "uk".parse()?,
            external_id: None,
            domains: Vec::new(),
        },
        server: None,
        products: Vec::new(),
    };
    let tenants = Tenants::new(fleet.clone(), Naming::default());
    let (tenant, mut databases) = tenants.create(&new).await?;
    let products = Products::new(fleet, Naming::default());
    databases.push(products.provision(tenant.id.as_str(), &"kira".parse()?).await?);
    Ok(databases)
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a program says what it did")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(project), Some(slug)) = (words.next(), words.next()) else {
        return Err("name the project's folder and a slug".into());
    };
    for made in provision(Path::new(&project), &slug).await? {
        println!(
            "{} on {}, {} migrations",
            made.database,
            made.server,
            made.migrations.len()
        );
    }
    Ok(())
}
