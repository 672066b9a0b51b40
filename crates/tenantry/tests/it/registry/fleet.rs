//! From the registry to a run's targets, of small fleets and of one of ten thousand tenants.

use std::time::Instant;

use tenantry::registry::{Registry, RegistryError, RunTarget, Tier};
use tenantry::run::{Driver, Outcome, TargetState};
use tenantry::{Pattern, Selection, TenantStatus};

use super::{Central, new_database, new_run, new_server, new_tenant, provisioned, sqlite_server};

super::on_every_engine!(
    only_ready_databases_of_active_tenants_are_targets,
    product_databases_are_targets_of_their_own,
    a_selected_server_that_is_unknown_is_an_error,
    ten_thousand_tenants_are_no_trouble,
);

async fn only_ready_databases_of_active_tenants_are_targets(central: Central) {
    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    let acme = provisioned(&registry, "acme", "eu-db-1").await;
    provisioned(&registry, "globex", "eu-db-1").await;
    registry.create_tenant(&new_tenant("initech")).await.unwrap();
    let hooli = registry.create_tenant(&new_tenant("hooli")).await.unwrap();
    registry
        .reserve_database(&new_database(&hooli, None, "eu-db-1"))
        .await
        .unwrap();
    registry.activate_tenant(&hooli.id).await.unwrap();
    central
        .execute("UPDATE tenantry_tenants SET status = 'suspended' WHERE slug = 'globex'")
        .await;

    let found = registry
        .targets(&Selection::default(), Tier::Tenant)
        .await
        .unwrap();
    let labels: Vec<_> = found.targets.iter().map(tenantry::Target::label).collect();
    assert_eq!(labels, ["acme"]);
    let target = &found.targets[0];
    assert_eq!(&*target.registry_id, registry.registry_id());
    assert_eq!(target.owner.as_ref().map(|o| &o.id), Some(&acme.id));
    assert_eq!(target.max_parallel, Some(3));
    assert_eq!(
        found.skipped,
        [
            ("globex".to_owned(), TenantStatus::Suspended),
            ("initech".to_owned(), TenantStatus::Provisioning),
        ]
    );
    let without: Vec<_> = found
        .not_provisioned
        .iter()
        .map(|(t, _)| t.slug.as_str())
        .collect();
    assert_eq!(without, ["hooli"]);

    let only = Selection {
        only: vec![Pattern::new("g*")],
        ..Selection::default()
    };
    let found = registry.targets(&only, Tier::Tenant).await.unwrap();
    assert_eq!(
        (
            found.targets.len(),
            found.skipped.len(),
            found.not_provisioned.len()
        ),
        (0, 1, 0)
    );
}

async fn product_databases_are_targets_of_their_own(central: Central) {
    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    registry.add_server(&sqlite_server("files")).await.unwrap();
    for (slug, products) in [
        ("acme", vec!["kira", "billing"]),
        ("globex", vec!["kira"]),
        ("hooli", vec![]),
    ] {
        let tenant = provisioned(&registry, slug, "eu-db-1").await;
        for product in products {
            let new = new_database(&tenant, Some(product), "files");
            let database = registry.reserve_database(&new).await.unwrap();
            registry.mark_ready(&database.id, None).await.unwrap();
        }
    }
    let labels = async |selection: Selection, tier| -> Vec<String> {
        let found = registry.targets(&selection, tier).await.unwrap();
        assert_eq!((found.skipped.len(), found.not_provisioned.len()), (0, 0));
        found.targets.iter().map(tenantry::Target::label).collect()
    };
    let all = Selection::default();
    let kira = Selection {
        products: vec!["kira".parse().unwrap()],
        ..Selection::default()
    };
    let files = Selection {
        servers: vec!["files".parse().unwrap()],
        ..Selection::default()
    };
    assert_eq!(
        labels(all.clone(), Tier::Product).await,
        ["acme/billing", "acme/kira", "globex/kira"]
    );
    assert_eq!(
        labels(kira.clone(), Tier::Product).await,
        ["acme/kira", "globex/kira"]
    );
    assert_eq!(labels(kira, Tier::Tenant).await, ["acme", "globex"]);
    assert_eq!(labels(all, Tier::Tenant).await, ["acme", "globex", "hooli"]);
    assert_eq!(labels(files.clone(), Tier::Tenant).await, Vec::<String>::new());
    assert_eq!(labels(files, Tier::Product).await.len(), 3);
}

async fn a_selected_server_that_is_unknown_is_an_error(central: Central) {
    let registry = central.registry().await;
    let selection = Selection {
        servers: vec!["nowhere".parse().unwrap()],
        ..Selection::default()
    };
    let error = registry.targets(&selection, Tier::Tenant).await.unwrap_err();
    assert!(matches!(error, RegistryError::ServerNotFound { .. }), "{error:?}");
}

/// Times are printed, not asserted: they say more on a quiet machine.
async fn ten_thousand_tenants_are_no_trouble(central: Central) {
    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    let first = provisioned(&registry, "t-first", "eu-db-1").await;
    copy_tenant(&central, first.id.as_str(), 9_999).await;

    // A second process: its connections are new, nothing is cached in it.
    let cold = Instant::now();
    let second = central.open().await.unwrap();
    let status = second.fleet_status().await.unwrap();
    println!(
        "{}: connect and fleet_status: {:?}",
        central.address.engine(),
        cold.elapsed()
    );
    assert_eq!(status.groups.iter().map(|g| g.databases).sum::<u64>(), 10_000);

    let begun = Instant::now();
    let found = registry
        .targets(&Selection::default(), Tier::Tenant)
        .await
        .unwrap();
    println!("{}: targets: {:?}", central.address.engine(), begun.elapsed());
    // A copied envelope is in another row, so that all but the first are refused: each was tried.
    assert_eq!((found.targets.len(), found.locked.len()), (1, 9_999));
    nobody_is_lost_between_two_pages(&registry).await;

    let begun = Instant::now();
    let targets: Vec<RunTarget> = found
        .locked
        .iter()
        .map(|l| RunTarget {
            database_id: l.database_id.clone(),
            label: l.label.clone(),
            outcome: Outcome::Applied,
            state: TargetState::Ended,
            to_version: "6".parse().ok(),
            migrations: 1,
            ..RunTarget::not_run(&found.targets[0], 0)
        })
        .collect();
    let run = new_run(Vec::new());
    registry.begin_run(&run, &Driver::this()).await.unwrap();
    let id = run.id.clone();
    println!("{}: begin_run: {:?}", central.address.engine(), begun.elapsed());
    let begun = Instant::now();
    registry.record(&id, 1, &targets).await.unwrap();
    println!("{}: record: {:?}", central.address.engine(), begun.elapsed());
    let run = registry.find_run(&id).await.unwrap();
    assert_eq!(run.counts.get(&Outcome::Applied), Some(&9_999));
}

async fn nobody_is_lost_between_two_pages(registry: &Registry) {
    let one = Selection {
        only: vec![Pattern::new("t-9998"), Pattern::new("t-first")],
        ..Selection::default()
    };
    let found_one = registry.targets(&one, Tier::Tenant).await.unwrap();
    assert_eq!((found_one.targets.len(), found_one.locked.len()), (1, 1));
    let all = registry.tenants(&Selection::default()).await.unwrap();
    let slugs: Vec<&str> = all.iter().map(|t| t.slug.as_str()).collect();
    assert_eq!(slugs.len(), 10_000);
    assert!(slugs.is_sorted_by(|a, b| a < b), "each once, by slug");
    assert_eq!(registry.listed_databases().await.unwrap().len(), 10_000);
}

/// Copies a tenant and its database many times, in batches of rows.
async fn copy_tenant(central: &Central, id: &str, copies: usize) {
    let numbers: Vec<usize> = (0..copies).collect();
    for batch in numbers.chunks(500) {
        let union: Vec<String> = batch.iter().map(|n| format!("SELECT {n} AS n")).collect();
        let union = union.join(" UNION ALL ");
        let copy = |before: &str| match central.address.engine() {
            tenantry::engine::Engine::MySql => format!("CONCAT('{before}', n)"),
            tenantry::engine::Engine::Postgres | tenantry::engine::Engine::Sqlite => {
                format!("'{before}' || n")
            }
        };
        let (tenant, slug, database, name) = (copy("tenant-"), copy("t-"), copy("database-"), copy("db_"));
        central
            .execute(&format!(
                "INSERT INTO tenantry_tenants (id, slug, name, jurisdiction, status, created_at) \
                 SELECT {tenant}, {slug}, name, jurisdiction, status, created_at \
                 FROM tenantry_tenants, ({union}) AS numbers WHERE id = '{id}'"
            ))
            .await;
        central
            .execute(&format!(
                "INSERT INTO tenantry_databases (id, tenant_id, product, server_id, name, db_user, secret, \
                 secret_version, status, version, outcome, checked_at, created_at) \
                 SELECT {database}, {tenant}, product, server_id, {name}, db_user, secret, \
                 secret_version, status, version, outcome, checked_at, created_at \
                 FROM tenantry_databases, ({union}) AS numbers WHERE tenant_id = '{id}'"
            ))
            .await;
    }
}
