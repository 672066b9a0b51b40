//! Passwords in the registry: never in clear text, and of no use anywhere but in their place.

use sea_orm::{ConnectionTrait as _, Statement};
use secrecy::ExposeSecret as _;
use tenantry::engine::{Address, DirectEndpoint, Place};
use tenantry::registry::{Database, Registry, RegistryError, Tier};
use tenantry::secret::SecretError;
use tenantry::{Code, Selection};

use super::{
    ADMIN_PASSWORD, Central, TENANT_PASSWORD, new_database, new_server, new_tenant, provisioned,
    sqlite_server,
};

super::on_every_engine!(
    no_password_is_in_any_row,
    a_resumed_creation_has_the_password_it_had,
    an_envelope_in_another_row_stays_closed,
    an_envelope_for_another_host_stays_closed,
    a_direct_endpoint_is_found_again_and_closes_no_envelope,
    a_direct_endpoint_that_was_named_without_the_key_gets_no_login,
    a_password_needs_a_key_and_sqlite_needs_none,
);

const TABLES: [&str; 8] = [
    "tenantry_audit",
    "tenantry_servers",
    "tenantry_keys",
    "tenantry_tenants",
    "tenantry_domains",
    "tenantry_databases",
    "tenantry_runs",
    "tenantry_run_targets",
];

async fn no_password_is_in_any_row(central: Central) {
    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    provisioned(&registry, "acme", "eu-db-1").await;
    let mut texts = Vec::new();
    for table in TABLES {
        let select = Statement::from_string(
            central.db.get_database_backend(),
            format!("SELECT * FROM {table}"),
        );
        for row in central.db.query_all_raw(select).await.unwrap() {
            for column in row.column_names() {
                // Columns of numbers hold no password.
                if let Ok(Some(text)) = row.try_get::<Option<String>>("", &column) {
                    texts.push(text);
                }
            }
        }
    }
    assert!(
        texts.iter().any(|t| t == "acme"),
        "the rows were not read: {texts:?}"
    );
    assert_eq!(texts.iter().filter(|t| t.starts_with("tmc1.")).count(), 2);
    for password in [ADMIN_PASSWORD, TENANT_PASSWORD] {
        assert!(texts.iter().all(|t| !t.contains(password)), "{password}");
    }
}

async fn a_resumed_creation_has_the_password_it_had(central: Central) {
    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    let tenant = registry.create_tenant(&new_tenant("acme")).await.unwrap();
    let mut new = new_database(&tenant, None, "eu-db-1");
    registry.reserve_database(&new).await.unwrap();
    new.login.as_mut().unwrap().password = "another".to_owned().into();
    let again = registry.reserve_database(&new).await.unwrap();
    assert_eq!(password(&again), TENANT_PASSWORD);
    let server = registry.find_server("eu-db-1").await.unwrap();
    let admin = server.admin.unwrap();
    assert_eq!(admin.password.expose_secret(), ADMIN_PASSWORD);
    assert!(!format!("{admin:?} {again:?}").contains("S3cret"));
}

async fn an_envelope_in_another_row_stays_closed(central: Central) {
    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    let acme = provisioned(&registry, "acme", "eu-db-1").await;
    let globex = provisioned(&registry, "globex", "eu-db-1").await;
    let stolen = sealed_of(&central, acme.id.as_str()).await;
    central
        .execute(&format!(
            "UPDATE tenantry_databases SET secret = '{stolen}' WHERE tenant_id = '{}'",
            globex.id
        ))
        .await;
    let error = registry.databases_of(&globex.id).await.unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::Locked {
                source: SecretError::Unavailable,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(locked(&registry).await, ["globex"]);
}

async fn a_direct_endpoint_is_found_again_and_closes_no_envelope(central: Central) {
    let registry = central.registry().await;
    let mut new = new_server("eu-db-1");
    let Place::Network { direct, .. } = &mut new.place else {
        panic!("a server on the network")
    };
    *direct = Some(DirectEndpoint {
        host: "db1-itself.example.test".to_owned(),
        port: 6543,
    });
    registry.add_server(&new).await.unwrap();
    provisioned(&registry, "acme", "eu-db-1").await;
    assert_eq!(registry.servers().await.unwrap()[0].place, new.place);
    let direct_of = async || {
        let targets = registry
            .targets(&Selection::default(), Tier::Tenant)
            .await
            .unwrap();
        let address = &targets.targets[0].address;
        assert_eq!(address.endpoint(), "db1.example.test:5432");
        address.direct().map(|direct| direct.endpoint())
    };
    assert_eq!(direct_of().await.as_deref(), Some("db1-itself.example.test:6543"));
    let moved = DirectEndpoint {
        host: "db1-moved.example.test".to_owned(),
        port: 5432,
    };
    registry.set_direct("eu-db-1", Some(moved)).await.unwrap();
    assert_eq!(direct_of().await.as_deref(), Some("db1-moved.example.test:5432"));
    registry.set_direct("eu-db-1", None).await.unwrap();
    assert_eq!(direct_of().await, None);
    registry.find_server("eu-db-1").await.unwrap();
}

async fn a_direct_endpoint_that_was_named_without_the_key_gets_no_login(central: Central) {
    let registry = central.registry().await;
    let own = |name: &str| DirectEndpoint {
        host: format!("{name}.example.test"),
        port: 5432,
    };
    for name in ["eu-db-1", "eu-db-2"] {
        registry.add_server(&new_server(name)).await.unwrap();
        registry.set_direct(name, Some(own(name))).await.unwrap();
    }
    provisioned(&registry, "acme", "eu-db-1").await;
    let other = |column: &str| {
        format!("{column} = (SELECT {column} FROM (SELECT * FROM tenantry_servers) o WHERE name = 'eu-db-2')")
    };
    for change in [
        "direct_host = 'evil.example.test'".to_owned(),
        "direct_port = 5433".to_owned(),
        "direct_seal = NULL".to_owned(),
        [other("direct_host"), other("direct_seal")].join(", "),
    ] {
        let update = format!("UPDATE tenantry_servers SET {change} WHERE name = 'eu-db-1'");
        central.execute(&update).await;
        let found = registry.find_server("eu-db-1").await;
        assert!(
            matches!(found, Err(RegistryError::Locked { .. })),
            "{change}: {found:?}"
        );
        assert_eq!(locked(&registry).await, ["acme"], "{change}");
        registry
            .set_direct("eu-db-1", Some(own("eu-db-1")))
            .await
            .unwrap();
        assert_eq!(locked(&registry).await, Vec::<String>::new(), "{change}");
    }
}

async fn an_envelope_for_another_host_stays_closed(central: Central) {
    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    provisioned(&registry, "acme", "eu-db-1").await;
    assert_eq!(locked(&registry).await, Vec::<String>::new());
    for change in [
        "host = 'evil.example.test'",
        "port = 5433",
        "tls_mode = 'require'",
        "ca_pem = 'another'",
        "admin_user = 'somebody'",
    ] {
        let before = snapshot(&central).await;
        central
            .execute(&format!("UPDATE tenantry_servers SET {change}"))
            .await;
        let admin = registry.find_server("eu-db-1").await;
        assert!(
            matches!(admin, Err(RegistryError::Locked { .. })),
            "{change}: {admin:?}"
        );
        if !change.starts_with("admin") {
            assert_eq!(locked(&registry).await, ["acme"], "{change}");
        }
        central.execute(&before).await;
    }
    assert!(registry.find_server("eu-db-1").await.is_ok());
}

async fn a_password_needs_a_key_and_sqlite_needs_none(central: Central) {
    let keyless = central.open().await.unwrap();
    let refused = keyless.add_server(&new_server("eu-db-1")).await.unwrap_err();
    assert_eq!(refused.code(), Code(1005));
    keyless.add_server(&sqlite_server("files")).await.unwrap();
    let tenant = keyless.create_tenant(&new_tenant("acme")).await.unwrap();
    let mut new = new_database(&tenant, None, "files");
    new.login = None;
    let reserved = keyless.reserve_database(&new).await.unwrap();
    assert!(matches!(reserved.address, Address::Sqlite(_)));

    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    assert_eq!(keyless.servers().await.unwrap().len(), 2);
    let needs = keyless.find_server("eu-db-1").await.unwrap_err();
    assert!(matches!(needs, RegistryError::KeyNeeded { .. }), "{needs:?}");
    let stranger = central.registry().await;
    let missing = stranger.find_server("eu-db-1").await.unwrap_err();
    assert_eq!(missing.code(), Code(1005), "{missing:?}");
}

fn password(database: &Database) -> &str {
    let Address::Network(network) = &database.address else {
        panic!("{database:?}");
    };
    network.login.password.expose_secret()
}

async fn locked(registry: &Registry) -> Vec<String> {
    let targets = registry
        .targets(&Selection::default(), Tier::Tenant)
        .await
        .unwrap();
    targets.locked.into_iter().map(|l| l.label).collect()
}

async fn sealed_of(central: &Central, tenant_id: &str) -> String {
    let select = Statement::from_string(
        central.db.get_database_backend(),
        format!("SELECT secret FROM tenantry_databases WHERE tenant_id = '{tenant_id}'"),
    );
    let row = central.db.query_one_raw(select).await.unwrap().unwrap();
    row.try_get("", "secret").unwrap()
}

/// Returns the statement that puts the server back as it is now.
async fn snapshot(central: &Central) -> String {
    let select = Statement::from_string(
        central.db.get_database_backend(),
        "SELECT host, tls_mode, ca_pem, admin_user FROM tenantry_servers".to_owned(),
    );
    let row = central.db.query_one_raw(select).await.unwrap().unwrap();
    let text = |column: &str| row.try_get::<String>("", column).unwrap();
    format!(
        "UPDATE tenantry_servers SET port = 5432, host = '{}', tls_mode = '{}', ca_pem = '{}', admin_user = '{}'",
        text("host"),
        text("tls_mode"),
        text("ca_pem"),
        text("admin_user")
    )
}
