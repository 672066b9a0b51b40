//! One tenant is one tenant, whatever names others have in a registry that was filled by somebody else.

use std::fs;

use tenantry::fleet::Tiers;
use tenantry::provision::{Naming, Products};
use tenantry::registry::RegistryError;
use tenantry::{
    Code, Pattern, ProductMigrator, ProductType, Selection, TenantMigrator, TenantProduct, TrackName,
};

use super::Platform;

/// Two tenants, of which `evil` has the id of `acme` as its external id; both have a product.
async fn confusable() -> (Platform, ProductType) {
    let kira: ProductType = "kira".parse().unwrap();
    let mut platform =
        Platform::with(&[("1_a.sql", "CREATE TABLE a (x INTEGER);\n")], &["acme", "evil"]).await;
    let folder = platform.folder.path().join("kira");
    fs::create_dir_all(&folder).unwrap();
    platform
        .fleet
        .folders
        .products
        .insert(kira.clone(), folder.clone());
    let products = Products::new(platform.fleet.clone(), Naming::default());
    for slug in ["acme", "evil"] {
        products.provision(slug, &kira).await.unwrap();
    }
    let connection = rusqlite::Connection::open(platform.central().path()).unwrap();
    connection
        .execute_batch(
            "UPDATE tenantry_tenants SET external_id =
             (SELECT id FROM tenantry_tenants WHERE slug = 'acme') WHERE slug = 'evil'",
        )
        .unwrap();
    platform.write("2_b.sql", "CREATE TABLE b (x INTEGER);\n");
    fs::write(folder.join("2_k.sql"), "CREATE TABLE k (x INTEGER);\n").unwrap();
    (platform, kira)
}

#[tokio::test]
async fn migrating_one_tenant_touches_nobody_who_has_its_id_as_a_name() {
    let (platform, _) = confusable().await;
    let migrator = TenantMigrator::new(platform.fleet.clone());
    let acme = platform.fleet.registry.find_tenant("acme").await.unwrap();
    let report = migrator.migrate_one("acme").await.unwrap();
    assert_eq!(report.label, "acme");
    assert_eq!(platform.versions("acme").await, [1, 2]);
    assert_eq!(platform.versions("evil").await, [1]);
    assert!(!migrator.needs_migration(acme.id.as_str()).await.unwrap());
    assert!(migrator.needs_migration("evil").await.unwrap());
}

#[tokio::test]
async fn migrating_one_product_touches_nobody_who_has_the_tenants_id_as_a_name() {
    let (platform, kira) = confusable().await;
    let migrator = ProductMigrator::new(platform.fleet.clone());
    let of = |tenant: &str| TenantProduct {
        tenant: tenant.to_owned(),
        product: kira.clone(),
    };
    let report = migrator.migrate_one(&of("acme")).await.unwrap();
    assert_eq!(report.label, "acme/kira");
    assert_eq!(report.track, TrackName::Product(kira.clone()));
    assert!(!migrator.needs_migration(&of("acme")).await.unwrap());
    assert!(migrator.needs_migration(&of("evil")).await.unwrap());
}

#[tokio::test]
async fn a_name_of_two_tenants_is_refused_with_a_name_of_each() {
    let (platform, _) = confusable().await;
    let acme = platform.fleet.registry.find_tenant("acme").await.unwrap();
    let selection = Selection {
        only: vec![Pattern::new(acme.id.as_str())],
        ..Selection::default()
    };
    let error = platform.fleet.select(&selection, Tiers::Both).await.unwrap_err();
    assert_eq!(error.code(), Code(6017));
    let error = platform.fleet.registry.tenants(&selection).await.unwrap_err();
    assert!(matches!(error, RegistryError::Ambiguous { .. }), "{error:?}");
    assert_eq!(error.nearest(), ["acme", "evil"]);
}
