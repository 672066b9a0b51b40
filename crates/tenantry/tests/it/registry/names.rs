//! Servers, tenants and databases: written, found again, and refused where a name is taken or unknown.

use tenantry::engine::Address;
use tenantry::registry::{DatabaseStatus, NewServer, NewTenant, Registry, RegistryError};
use tenantry::run::Outcome;
use tenantry::{Code, Domain, Pattern, Selection, Tenant, TenantId, TenantStatus};

use super::{Central, new_database, new_server, new_tenant, provisioned, sqlite_server};

super::on_every_engine!(
    a_server_is_found_as_it_was_added,
    a_second_server_of_a_name_is_refused,
    a_tenant_is_found_by_slug_and_by_id,
    creation_of_a_tenant_resumes,
    what_is_said_anew_of_a_tenant_under_creation_is_taken_over,
    a_tenant_with_databases_stays_in_its_jurisdiction,
    a_taken_name_says_whose_it_is,
    a_name_of_another_tenant_is_taken_in_whichever_column,
    an_unknown_name_gives_the_nearest,
    a_reserved_database_stays_what_it_was,
    two_tenants_cannot_have_one_database,
    a_selection_holds_in_all_its_parts,
    a_text_that_no_column_takes_whole_is_refused,
);

async fn a_server_is_found_as_it_was_added(central: Central) {
    let registry = central.registry().await;
    let new = new_server("eu-db-1");
    let added = registry.add_server(&new).await.unwrap();
    registry.add_server(&sqlite_server("files")).await.unwrap();

    let listed = registry.servers().await.unwrap();
    assert_eq!(listed.first(), Some(&added));
    assert_eq!(
        listed.last().map(|s| &s.place),
        Some(&sqlite_server("files").place)
    );
    let found = registry.find_server("eu-db-1").await.unwrap();
    assert_eq!((found.id, found.place), (added.id, new.place));
    assert_eq!(found.max_parallel, Some(3));
    assert_eq!(found.admin.unwrap().user, "admin");
    assert!(registry.find_server("files").await.unwrap().admin.is_none());
}

async fn a_second_server_of_a_name_is_refused(central: Central) {
    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    let error = registry.add_server(&new_server("eu-db-1")).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::Taken { what: "server", .. }),
        "{error:?}"
    );
    assert_eq!(registry.servers().await.unwrap().len(), 1);
}

async fn a_tenant_is_found_by_slug_and_by_id(central: Central) {
    let registry = central.registry().await;
    let new = NewTenant {
        external_id: Some("crm-42".to_owned()),
        domains: domains(&["www.acme.test", "acme.test"]),
        ..new_tenant("acme")
    };
    let created = registry.create_tenant(&new).await.unwrap();
    assert_eq!(created.status, TenantStatus::Provisioning);
    assert_eq!(created.domains, domains(&["acme.test", "www.acme.test"]));
    assert_eq!(registry.find_tenant("acme").await.unwrap(), created);
    assert_eq!(registry.find_tenant(new.id.as_str()).await.unwrap(), created);

    registry.activate_tenant(&created.id).await.unwrap();
    registry.activate_tenant(&created.id).await.unwrap();
    let status = registry.find_tenant("acme").await.unwrap().status;
    assert_eq!(status, TenantStatus::Active);
}

async fn creation_of_a_tenant_resumes(central: Central) {
    let registry = central.registry().await;
    let first = registry.create_tenant(&new_tenant("acme")).await.unwrap();
    let second = registry.create_tenant(&new_tenant("acme")).await.unwrap();
    assert_eq!(first, second);
}

fn domains(names: &[&str]) -> Vec<Domain> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

async fn what_is_said_anew_of_a_tenant_under_creation_is_taken_over(central: Central) {
    let registry = central.registry().await;
    let begun = NewTenant {
        name: None,
        domains: domains(&["acme.test", "wrong.test"]),
        ..new_tenant("acme")
    };
    let first = registry.create_tenant(&begun).await.unwrap();
    assert_eq!(first.name, "acme");
    let said = NewTenant {
        name: Some("Acme Ltd".to_owned()),
        jurisdiction: "uk".parse().unwrap(),
        external_id: Some("42".to_owned()),
        domains: domains(&["www.acme.test", "acme.test"]),
        ..new_tenant("acme")
    };
    let second = registry.create_tenant(&said).await.unwrap();
    let expected = Tenant {
        name: "Acme Ltd".to_owned(),
        jurisdiction: "uk".parse().unwrap(),
        external_id: Some("42".to_owned()),
        domains: domains(&["acme.test", "www.acme.test"]),
        ..first
    };
    assert_eq!(second, expected);
    assert_eq!(registry.find_tenant("acme").await.unwrap(), expected);

    let left_out = NewTenant {
        jurisdiction: "uk".parse().unwrap(),
        ..begun_again(&begun)
    };
    assert_eq!(registry.create_tenant(&left_out).await.unwrap(), expected);
    let globex = NewTenant {
        domains: domains(&["globex.test"]),
        ..new_tenant("globex")
    };
    registry.create_tenant(&globex).await.unwrap();
    let theirs = NewTenant {
        domains: domains(&["globex.test"]),
        ..left_out
    };
    let error = registry.create_tenant(&theirs).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "domain `globex.test` is taken by tenant `globex`"
    );
    assert_eq!(registry.find_tenant("acme").await.unwrap(), expected);
}

/// The same creation with nothing said but the slug.
fn begun_again(new: &NewTenant) -> NewTenant {
    NewTenant {
        name: None,
        external_id: None,
        domains: Vec::new(),
        ..new.clone()
    }
}

async fn a_tenant_with_databases_stays_in_its_jurisdiction(central: Central) {
    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    let tenant = registry.create_tenant(&new_tenant("acme")).await.unwrap();
    let database = new_database(&tenant, None, "eu-db-1");
    registry.reserve_database(&database).await.unwrap();
    let elsewhere = NewTenant {
        jurisdiction: "uk".parse().unwrap(),
        name: Some("Another name".to_owned()),
        ..new_tenant("acme")
    };
    let error = registry.create_tenant(&elsewhere).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`acme` was begun with jurisdiction `eu`, not `uk`"
    );
    assert_eq!(error.code(), Code(6016));
    assert_eq!(registry.find_tenant("acme").await.unwrap(), tenant);
}

async fn a_taken_name_says_whose_it_is(central: Central) {
    let registry = central.registry().await;
    let acme = NewTenant {
        external_id: Some("42".to_owned()),
        domains: domains(&["acme.test"]),
        ..new_tenant("acme")
    };
    registry.create_tenant(&acme).await.unwrap();
    registry.activate_tenant(&acme.id).await.unwrap();
    let error = registry.create_tenant(&new_tenant("acme")).await.unwrap_err();
    assert_eq!(error.code(), Code(6001));
    let RegistryError::SlugTaken { id, status, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!((id, status), (acme.id.clone(), TenantStatus::Active));

    for (what, new) in [
        (
            "external id",
            NewTenant {
                external_id: acme.external_id.clone(),
                ..new_tenant("b")
            },
        ),
        (
            "domain",
            NewTenant {
                domains: acme.domains.clone(),
                ..new_tenant("c")
            },
        ),
        (
            "tenant id",
            NewTenant {
                id: acme.id.clone(),
                ..new_tenant("d")
            },
        ),
    ] {
        let error = registry.create_tenant(&new).await.unwrap_err();
        assert!(
            matches!(&error, RegistryError::Taken { what: found, owner: Some(owner), .. }
                if *found == what && *owner == acme.slug),
            "{what}: {error:?}"
        );
    }
    assert_eq!(registry.tenants(&Selection::default()).await.unwrap().len(), 1);
}

async fn a_name_of_another_tenant_is_taken_in_whichever_column(central: Central) {
    let registry = central.registry().await;
    let new = NewTenant {
        external_id: Some("crm-42".to_owned()),
        ..new_tenant("acme")
    };
    let acme = registry.create_tenant(&new).await.unwrap();
    assert_eq!(registry.find_tenant("crm-42").await.unwrap(), acme);
    for (what, name) in [("external id", acme.id.as_str()), ("external id", "acme")] {
        let new = NewTenant {
            external_id: Some(name.to_owned()),
            ..new_tenant("evil")
        };
        is_taken(&registry, &new, what).await;
    }
    is_taken(&registry, &new_tenant("crm-42"), "slug").await;
    for name in ["acme", "crm-42"] {
        let new = NewTenant {
            id: TenantId::from_text(name),
            ..new_tenant("evil")
        };
        is_taken(&registry, &new, "tenant id").await;
    }
    let own = NewTenant {
        external_id: Some("globex".to_owned()),
        ..new_tenant("globex")
    };
    registry.create_tenant(&own).await.unwrap();
}

/// Says that a tenant cannot be created because `acme` has the name.
async fn is_taken(registry: &Registry, new: &NewTenant, expected: &str) {
    let error = registry.create_tenant(new).await.unwrap_err();
    assert!(
        matches!(&error, RegistryError::Taken { what, owner: Some(owner), .. }
            if *what == expected && owner.as_str() == "acme"),
        "{expected}: {error:?}"
    );
}

async fn an_unknown_name_gives_the_nearest(central: Central) {
    let registry = central.registry().await;
    for slug in ["acme", "acme-test", "globex"] {
        registry.create_tenant(&new_tenant(slug)).await.unwrap();
    }
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    let error = registry.find_tenant("acmee").await.unwrap_err();
    assert_eq!(error.to_string(), "Tenant not found: acmee");
    assert_eq!(error.code(), Code(6002));
    assert_eq!(error.nearest(), ["acme"]);
    let error = registry.find_server("eu-db-2").await.unwrap_err();
    assert_eq!(error.nearest(), ["eu-db-1"]);
    let stranger = registry.activate_tenant(&TenantId::generate()).await;
    assert!(matches!(stranger, Err(RegistryError::TenantNotFound { .. })));
    for selection in [
        Selection {
            only: vec![Pattern::new("globx")],
            ..Selection::default()
        },
        Selection {
            except: vec![Pattern::new("globx")],
            ..Selection::default()
        },
    ] {
        let error = registry.tenants(&selection).await.unwrap_err();
        assert_eq!(error.nearest(), ["globex"], "{error:?}");
    }
}

async fn a_reserved_database_stays_what_it_was(central: Central) {
    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    let tenant = registry.create_tenant(&new_tenant("acme")).await.unwrap();
    let new = new_database(&tenant, None, "eu-db-1");
    let first = registry.reserve_database(&new).await.unwrap();
    assert_eq!(first.status, DatabaseStatus::Creating);
    let mut again = new_database(&tenant, None, "eu-db-1");
    "another".clone_into(&mut again.name);
    let second = registry.reserve_database(&again).await.unwrap();
    assert_eq!(
        (&second.id, second.address.database()),
        (&first.id, new.name.as_str())
    );

    registry
        .reserve_database(&new_database(&tenant, Some("kira"), "eu-db-1"))
        .await
        .unwrap();
    registry
        .mark_ready(&first.id, Some("7".parse().unwrap()))
        .await
        .unwrap();
    let databases = registry.databases_of(&tenant.id).await.unwrap();
    let products: Vec<_> = databases
        .iter()
        .map(|d| d.product.as_ref().map(ToString::to_string))
        .collect();
    assert_eq!(products, [None, Some("kira".to_owned())]);
    let shared = databases.first().unwrap();
    assert_eq!(shared.status, DatabaseStatus::Ready);
    assert_eq!(shared.version, "7".parse().ok());
    assert_eq!(shared.outcome, Some(Outcome::Current));
    let unknown = registry.mark_ready("no-such-id", None).await;
    assert!(matches!(unknown, Err(RegistryError::DatabaseNotFound { .. })));
}

async fn two_tenants_cannot_have_one_database(central: Central) {
    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    let acme = registry.create_tenant(&new_tenant("acme")).await.unwrap();
    let globex = registry.create_tenant(&new_tenant("globex")).await.unwrap();
    let first = new_database(&acme, None, "eu-db-1");
    registry.reserve_database(&first).await.unwrap();
    let mut second = new_database(&globex, None, "eu-db-1");
    second.name.clone_from(&first.name);
    let error = registry.reserve_database(&second).await.unwrap_err();
    assert!(
        matches!(&error, RegistryError::Taken { what: "database", name, .. } if *name == first.name),
        "{error:?}"
    );
}

async fn a_selection_holds_in_all_its_parts(central: Central) {
    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    registry
        .add_server(&NewServer {
            ..sqlite_server("files")
        })
        .await
        .unwrap();
    let acme = provisioned(&registry, "acme", "eu-db-1").await;
    provisioned(&registry, "acme-2", "files").await;
    provisioned(&registry, "globex", "files").await;
    registry
        .reserve_database(&new_database(&acme, Some("kira"), "eu-db-1"))
        .await
        .unwrap();
    let slugs = async |selection: Selection| -> Vec<String> {
        let tenants = registry.tenants(&selection).await.unwrap();
        tenants.into_iter().map(|t| t.slug.to_string()).collect()
    };
    let acmes = Selection {
        only: vec![Pattern::new("acme*")],
        ..Selection::default()
    };
    assert_eq!(slugs(Selection::default()).await, ["acme", "acme-2", "globex"]);
    assert_eq!(slugs(acmes.clone()).await, ["acme", "acme-2"]);
    let on_files = Selection {
        servers: vec!["files".parse().unwrap()],
        ..acmes.clone()
    };
    assert_eq!(slugs(on_files).await, ["acme-2"]);
    let with_kira = Selection {
        products: vec!["kira".parse().unwrap()],
        ..acmes.clone()
    };
    assert_eq!(slugs(with_kira).await, ["acme"]);
    let in_eu = Selection {
        jurisdictions: vec!["eu".parse().unwrap()],
        ..acmes.clone()
    };
    assert_eq!(slugs(in_eu).await, ["acme", "acme-2"]);
    let elsewhere = Selection {
        jurisdictions: vec!["eu".parse().unwrap(), "ue".parse().unwrap()],
        ..acmes
    };
    let error = registry.tenants(&elsewhere).await.unwrap_err();
    assert!(
        matches!(&error, RegistryError::JurisdictionNotFound { nearest, .. } if *nearest == ["eu"]),
        "{error:?}"
    );
    let targets = registry
        .targets(&Selection::default(), tenantry::registry::Tier::Tenant)
        .await
        .unwrap()
        .targets;
    assert!(targets.iter().any(|t| matches!(t.address, Address::Sqlite(_))));
}

async fn a_text_that_no_column_takes_whole_is_refused(central: Central) {
    let registry = central.registry().await;
    let new = NewTenant {
        id: TenantId::from_text("x".repeat(192)),
        ..new_tenant("acme")
    };
    let error = registry.create_tenant(&new).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::TooLong { max: 191, .. }),
        "{error:?}"
    );
}
