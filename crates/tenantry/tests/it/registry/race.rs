//! Two creations of one tenant at the same moment that disagree.

use tenantry::registry::{NewServer, NewTenant, Registry, RegistryError};
use tenantry::{Jurisdiction, Tenant};

use super::{Central, new_database, new_server, new_tenant};

super::on_every_engine!(
    a_tenant_never_stands_outside_of_its_jurisdiction,
    a_database_is_reserved_in_the_tenants_jurisdiction_only,
    a_name_means_one_tenant_also_where_two_are_created_at_once,
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

async fn a_name_means_one_tenant_also_where_two_are_created_at_once(central: Central) {
    let registry = central.registry().await;
    let other = registry.clone();
    for round in 0..25 {
        let (slug, beside) = (format!("acme-{round}"), format!("beside-{round}"));
        let second = NewTenant {
            external_id: Some(slug.clone()),
            ..new_tenant(&beside)
        };
        let first = new_tenant(&slug);
        let (one, two) = tokio::join!(registry.create_tenant(&first), other.create_tenant(&second));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        let refused = one.as_ref().err().or(two.as_ref().err());
        assert!(
            matches!(refused, Some(RegistryError::Taken { name, .. }) if *name == slug),
            "{refused:?}"
        );
        let found = registry.find_tenant(&slug).await.unwrap();
        let owner = if one.is_ok() { &slug } else { &beside };
        assert_eq!(found.slug.as_str(), owner);
    }
    // A name that was given up is free again.
    let changed = NewTenant {
        external_id: Some("another".to_owned()),
        ..new_tenant("late")
    };
    registry.create_tenant(&new_tenant("late")).await.unwrap();
    registry.create_tenant(&changed).await.unwrap();
    let again = NewTenant {
        external_id: Some("third".to_owned()),
        ..changed
    };
    registry.create_tenant(&again).await.unwrap();
    let free = NewTenant {
        external_id: Some("another".to_owned()),
        ..new_tenant("later")
    };
    registry.create_tenant(&free).await.unwrap();
}
