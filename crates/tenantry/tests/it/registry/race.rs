//! Two creations of one tenant at the same moment that disagree.

use tenantry::registry::{NewServer, NewTenant, Registry, RegistryError};
use tenantry::{Jurisdiction, Tenant};

use super::{Central, new_database, new_server, new_tenant};

super::on_every_engine!(
    a_tenant_never_stands_outside_of_its_jurisdiction,
    a_database_is_reserved_in_the_tenants_jurisdiction_only,
);

async fn two_servers(registry: &Registry) {
    for jurisdiction in ["eu", "uk"] {
        let server = NewServer {
            jurisdiction: jurisdiction.parse().unwrap(),
            ..new_server(jurisdiction)
        };
        registry.add_server(&server).await.unwrap();
    }
}

fn wanted(slug: &str, jurisdiction: &str) -> NewTenant {
    NewTenant {
        jurisdiction: jurisdiction.parse().unwrap(),
        ..new_tenant(slug)
    }
}

async fn begin(registry: &Registry, slug: &str, place: &str) -> Result<Tenant, RegistryError> {
    let tenant = registry.create_tenant(&wanted(slug, place)).await?;
    registry
        .reserve_database(&new_database(&tenant, None, place))
        .await?;
    Ok(tenant)
}

async fn a_tenant_never_stands_outside_of_its_jurisdiction(central: Central) {
    let registry = central.registry().await;
    let other = registry.clone();
    two_servers(&registry).await;
    for round in 0..25 {
        let slug = format!("acme-{round}");
        let (uk, eu) = tokio::join!(begin(&registry, &slug, "uk"), begin(&other, &slug, "eu"));
        let tenant = registry.find_tenant(&slug).await.unwrap();
        for database in registry.databases_of(&tenant.id).await.unwrap() {
            let server = registry.listed_server(database.server.as_str()).await.unwrap();
            assert_eq!(server.jurisdiction, tenant.jurisdiction, "{slug} {uk:?} {eu:?}");
        }
        assert!(uk.is_ok() != eu.is_ok(), "{uk:?} {eu:?}");
    }
}

async fn a_database_is_reserved_in_the_tenants_jurisdiction_only(central: Central) {
    let registry = central.registry().await;
    two_servers(&registry).await;
    let tenant = registry.create_tenant(&wanted("acme", "uk")).await.unwrap();
    registry.create_tenant(&wanted("acme", "eu")).await.unwrap();
    let late = registry
        .reserve_database(&new_database(&tenant, None, "uk"))
        .await;
    assert!(
        matches!(
            late,
            Err(RegistryError::Begun {
                what: "jurisdiction",
                ..
            })
        ),
        "{late:?}"
    );
    registry
        .reserve_database(&new_database(&tenant, None, "eu"))
        .await
        .unwrap();
    let back = registry.create_tenant(&wanted("acme", "uk")).await;
    assert!(
        matches!(
            back,
            Err(RegistryError::Begun {
                what: "jurisdiction",
                ..
            })
        ),
        "{back:?}"
    );
    let stays = registry.find_tenant("acme").await.unwrap().jurisdiction;
    assert_eq!(stays, "eu".parse::<Jurisdiction>().unwrap());
}
