//! A tenant whose databases cannot have their names is refused before it is written.

use std::fs;

use tempfile::TempDir;

use super::{Naming, NewTenant, ProvisionError, Tenants};
use crate::engine::{Address, Engine, Place, SqliteAddress};
use crate::fleet::{Fleet, Folders, REGISTRY_TIMEOUT, prepare_central};
use crate::registry::{self, NewServer, Registry, RegistryError};
use crate::run::RunOptions;
use crate::tenant::TenantId;

/// A fleet with the product `b` whose central database stands beside the tenants'.
async fn fleet(folder: &TempDir) -> Fleet {
    let central = Address::Sqlite(SqliteAddress {
        folder: folder.path().to_owned(),
        file: "central.db".to_owned(),
    });
    let track = folder.path().join("track");
    fs::create_dir(&track).unwrap();
    let options = RunOptions::default();
    prepare_central(&central, &options).await.unwrap();
    let registry = Registry::connect(&central, REGISTRY_TIMEOUT).await.unwrap();
    let server = NewServer {
        name: "files".parse().unwrap(),
        engine: Engine::Sqlite,
        jurisdiction: "uk".parse().unwrap(),
        place: Place::Folder(folder.path().to_owned()),
        admin: None,
        insecure_reason: None,
        max_parallel: None,
        intake: crate::Intake::default(),
        server_version: None,
    };
    registry.add_server(&server).await.unwrap();
    let folders = Folders {
        tenant: track.clone(),
        products: [("b".parse().unwrap(), track)].into(),
        ..Folders::default()
    };
    Fleet {
        registry,
        folders,
        options,
    }
}

fn named(slug: &str, products: &[&str]) -> NewTenant {
    NewTenant {
        tenant: registry::NewTenant {
            id: TenantId::generate(),
            slug: slug.parse().unwrap(),
            name: None,
            jurisdiction: "uk".parse().unwrap(),
            external_id: None,
            domains: Vec::new(),
        },
        server: None,
        products: products.iter().map(|product| product.parse().unwrap()).collect(),
    }
}

#[tokio::test]
async fn a_name_that_another_tenants_database_has_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = fleet(&folder).await;
    let naming = Naming::new("t_{slug}", "t_{slug}_{product}").unwrap();
    let tenants = Tenants::new(fleet.clone(), naming);
    tenants.create(&named("q", &["b"])).await.unwrap();

    let error = tenants.create(&named("q_b", &[])).await.unwrap_err();
    let ProvisionError::Registry(RegistryError::Taken { what, name, owner }) = error else {
        panic!("{error:?}");
    };
    assert_eq!((what, name.as_str()), ("database", "t_q_b.db"));
    assert_eq!(owner, Some("q".parse().unwrap()));
    assert!(fleet.registry.find_tenant("q_b").await.is_err());

    let again = tenants.create(&named("q", &["b"])).await.unwrap_err();
    let taken = matches!(again, ProvisionError::Registry(RegistryError::SlugTaken { .. }));
    assert!(taken, "{again:?}");
}

#[tokio::test]
async fn the_name_of_the_central_database_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = fleet(&folder).await;
    let naming = Naming::new("{slug}", "{slug}_{product}").unwrap();
    let tenants = Tenants::new(fleet.clone(), naming);

    let error = tenants.create(&named("central", &[])).await.unwrap_err();
    assert!(matches!(error, ProvisionError::Naming(_)), "{error:?}");
    assert!(fleet.registry.find_tenant("central").await.is_err());
    tenants.create(&named("decentral", &[])).await.unwrap();
}
