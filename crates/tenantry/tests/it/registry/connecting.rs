//! Opening the registry: what it says when the central database is not as it must be.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tenantry::Code;
use tenantry::engine::{Address, Engine, Login, NetworkAddress, SqliteAddress, Tls};
use tenantry::registry::{Registry, RegistryError};

use super::Central;
use super::central::REGISTRY_ID;

super::on_every_engine!(
    the_registry_knows_its_id_from_the_meta_table,
    a_database_without_our_tables_is_not_migrated,
    a_registry_behind_this_program_is_not_migrated,
    a_registry_of_a_newer_program_is_refused,
    a_certificate_is_checked,
);

async fn the_registry_knows_its_id_from_the_meta_table(central: Central) {
    let registry = central.open().await.unwrap();
    assert_eq!(registry.registry_id(), REGISTRY_ID);
    assert_eq!(registry.engine(), central.address.engine());
}

async fn a_database_without_our_tables_is_not_migrated(central: Central) {
    central.execute("DROP TABLE _tenantry_history").await;
    let error = central.open().await.unwrap_err();
    assert!(
        matches!(error, RegistryError::NotMigrated { at: None, .. }),
        "{error:?}"
    );
    assert_eq!(error.code(), Code(1002));
}

async fn a_registry_behind_this_program_is_not_migrated(central: Central) {
    central
        .execute("UPDATE _tenantry_history SET phase = 'running'")
        .await;
    let error = central.open().await.unwrap_err();
    assert!(matches!(error, RegistryError::NotMigrated { .. }), "{error:?}");
}

async fn a_registry_of_a_newer_program_is_refused(central: Central) {
    central
        .execute("INSERT INTO _tenantry_history VALUES ('tenantry', 20990101000000, 'done')")
        .await;
    let error = central.open().await.unwrap_err();
    assert!(matches!(error, RegistryError::Newer { .. }), "{error:?}");
    assert!(error.to_string().ends_with("it is at 20990101000000"), "{error}");
}

async fn a_certificate_is_checked(central: Central) {
    let Some(ca_pem) = central.ca_pem() else {
        println!("skipped: no server with a certificate");
        return;
    };
    let with = |tls| match &central.address {
        Address::Network(network) => Address::Network(NetworkAddress {
            tls,
            ..network.clone()
        }),
        Address::Sqlite(_) => unreachable!("a file has no certificate"),
    };
    let open = async |tls| Registry::connect(&with(tls), Duration::from_secs(5)).await;
    let ours = Tls::VerifyFull {
        ca_pem: Some(Arc::clone(&ca_pem)),
    };
    open(ours).await.unwrap();
    let error = open(Tls::VerifyCa { ca_pem }).await.unwrap_err();
    assert!(matches!(error, RegistryError::NoVerifyCa { .. }), "{error:?}");
    open(Tls::Require).await.unwrap();
    let error = open(Tls::VerifyFull { ca_pem: None }).await.unwrap_err();
    assert_eq!(error.code(), Code(6009), "{error:?}");
}

#[test]
fn the_search_path_of_a_database_does_not_hide_our_tables() {
    async fn case(central: Central) {
        let database = central.address.database();
        central.execute("CREATE SCHEMA decoy").await;
        central
            .execute("CREATE TABLE decoy._tenantry_meta (registry_id text)")
            .await;
        central
            .execute(&format!(
                "ALTER DATABASE {database} SET search_path = decoy, public"
            ))
            .await;
        let registry = central.open().await.unwrap();
        assert_eq!(registry.registry_id(), REGISTRY_ID);
    }
    super::central::run(Engine::Postgres, case);
}

#[tokio::test]
async fn an_absent_sqlite_file_is_not_migrated_and_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let address = SqliteAddress {
        folder: folder.path().to_owned(),
        file: "central.db".to_owned(),
    };
    let path = address.path();
    let opened = Registry::connect(&Address::Sqlite(address), Duration::from_secs(5)).await;
    assert!(matches!(opened, Err(RegistryError::NoFile { .. })));
    assert!(!path.exists());
}

#[tokio::test]
async fn a_closed_port_is_unreachable_at_once() {
    let error = connect_to(closed_port(), Duration::from_secs(10)).await;
    assert_eq!(error.0.code(), Code(6009));
    assert!(error.1 < Duration::from_secs(2), "{:?}", error.1);
}

#[tokio::test]
async fn a_silent_server_is_unreachable_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let error = connect_to(port, Duration::from_millis(300)).await;
    assert_eq!(error.0.code(), Code(6009));
    assert!(error.1 < Duration::from_secs(2), "{:?}", error.1);
}

fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

async fn connect_to(port: u16, timeout: Duration) -> (RegistryError, Duration) {
    let address = Address::Network(NetworkAddress {
        engine: Engine::Postgres,
        host: "127.0.0.1".to_owned(),
        port,
        tls: Tls::Disable,
        direct: None,
        database: "central".to_owned(),
        login: Login {
            user: "tenantry".to_owned(),
            password: SecretString::from("secret"),
        },
    });
    let begun = Instant::now();
    let error = Registry::connect(&address, timeout).await.unwrap_err();
    assert!(!format!("{error:?}").contains("secret"));
    (error, begun.elapsed())
}
