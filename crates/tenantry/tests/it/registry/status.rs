//! How the fleet stands: counted in the database, and named as far as it is asked for.

use tenantry::registry::{FleetStatus, Named, NewRun, Reason, Registry, RunTarget, Tier};
use tenantry::run::{Outcome, TargetState};
use tenantry::{Code, Direction, Selection, TenantStatus, TrackName};

use super::{Central, begin, new_database, new_run, new_server, new_tenant, provisioned};

super::on_every_engine!(
    whoever_needs_somebody_is_counted_and_the_first_are_named,
    tenants_that_are_not_active_are_no_part_of_it,
    a_run_backwards_that_left_something_over_is_known,
);

fn names(status: &FleetStatus) -> (Vec<&str>, Vec<&str>) {
    (
        status.not_current.iter().map(|n| n.label.as_str()).collect(),
        status.not_provisioned.iter().map(|n| n.label.as_str()).collect(),
    )
}

/// Records a run that left each of these tenants' databases with an outcome and a code.
async fn left(registry: &Registry, direction: Direction, ends: &[(&str, Outcome, Option<u16>)]) {
    let found = registry.targets(&Selection::default(), Tier::Tenant).await;
    let targets = found.unwrap().targets;
    let of = |slug: &str| targets.iter().find(|t| t.label() == slug).unwrap();
    let targets: Vec<RunTarget> = ends
        .iter()
        .map(|(slug, outcome, code)| RunTarget {
            outcome: *outcome,
            state: TargetState::Ended,
            to_version: "5".parse().ok(),
            error_code: code.map(Code),
            ..RunTarget::not_run(of(slug), 0)
        })
        .collect();
    let run = NewRun {
        direction,
        ..new_run(Vec::new())
    };
    let id = begin(registry, &run).await;
    registry.record(&id, 1, &targets).await.unwrap();
}

async fn whoever_needs_somebody_is_counted_and_the_first_are_named(central: Central) {
    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    registry.add_server(&new_server("eu-db-2")).await.unwrap();
    for (slug, server) in [
        ("acme", "eu-db-1"),
        ("globex", "eu-db-1"),
        ("hooli", "eu-db-2"),
        ("initech", "eu-db-2"),
    ] {
        provisioned(&registry, slug, server).await;
    }
    for slug in ["umbrella", "wonka"] {
        let tenant = registry.create_tenant(&new_tenant(slug)).await.unwrap();
        registry.activate_tenant(&tenant.id).await.unwrap();
        if slug == "wonka" {
            let begun = new_database(&tenant, None, "eu-db-1");
            registry.reserve_database(&begun).await.unwrap();
        }
    }
    let ends = [
        ("globex", Outcome::Failed, Some(2003)),
        ("hooli", Outcome::Unreachable, Some(5001)),
        ("initech", Outcome::Modified, Some(3001)),
    ];
    left(&registry, Direction::Up, &ends).await;

    let all = registry.fleet_status().await.unwrap();
    assert_eq!(
        names(&all),
        (vec!["globex", "hooli", "initech"], vec!["umbrella", "wonka"])
    );
    assert_eq!(all.not_ready, [(TrackName::Tenant, 2)]);
    let first = registry.fleet_status_naming(Named::First(1)).await.unwrap();
    assert_eq!(names(&first), (vec!["globex"], vec!["umbrella"]));
    assert_eq!((first.needing(), &first.groups), (5, &all.groups));
    assert_eq!(
        (first.not_ready, first.tenants),
        (all.not_ready.clone(), all.tenants.clone())
    );
    assert_eq!(all.groups.iter().map(|g| g.databases).sum::<u64>(), 4);

    let modified = Reason {
        outcome: Some(Outcome::Modified),
        error_code: Some(Code(3001)),
    };
    let never = Reason {
        outcome: None,
        error_code: None,
    };
    let found = registry.first_left_by(&[never, modified]).await.unwrap();
    assert_eq!(found.map(|f| f.label).as_deref(), Some("initech"));
    assert_eq!(registry.first_left_by(&[never]).await.unwrap(), None);
}

async fn tenants_that_are_not_active_are_no_part_of_it(central: Central) {
    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    for slug in ["acme", "globex", "hooli"] {
        provisioned(&registry, slug, "eu-db-1").await;
    }
    left(
        &registry,
        Direction::Up,
        &[
            ("acme", Outcome::Failed, Some(2003)),
            ("globex", Outcome::Failed, Some(2003)),
        ],
    )
    .await;
    registry.create_tenant(&new_tenant("initech")).await.unwrap();
    central
        .execute(
            "UPDATE tenantry_tenants SET status = 'suspended' WHERE slug <> 'globex' AND slug <> 'initech'",
        )
        .await;
    let status = registry.fleet_status().await.unwrap();
    assert_eq!(names(&status), (vec!["globex"], vec![]));
    assert_eq!((status.needing(), status.groups.len()), (1, 1));
    assert_eq!(status.groups.iter().map(|g| g.databases).sum::<u64>(), 1);
    assert_eq!(
        status.tenants,
        [
            (TenantStatus::Active, 1),
            (TenantStatus::Provisioning, 1),
            (TenantStatus::Suspended, 2),
        ]
    );
}

async fn a_run_backwards_that_left_something_over_is_known(central: Central) {
    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    provisioned(&registry, "acme", "eu-db-1").await;
    left(&registry, Direction::Up, &[("acme", Outcome::Failed, Some(2003))]).await;
    left(&registry, Direction::Down, &[("acme", Outcome::Applied, None)]).await;
    assert!(!registry.has_unfinished_way_back().await.unwrap());
    left(
        &registry,
        Direction::Down,
        &[("acme", Outcome::Failed, Some(2003))],
    )
    .await;
    assert!(registry.has_unfinished_way_back().await.unwrap());
}
