//! Databases that fail in the same way, each because of a session of its own (PostgreSQL).

use tenantry::engine::{Address, Engine};
use tokio::task::JoinSet;
use tokio_postgres::Client;

use super::THINGS;
use crate::platform::{Platform, wait};
use crate::{database, stderr};

/// Holds the history of a tenant, and returns the process that does.
async fn hold(platform: &Platform, tenant: &str, tasks: &mut JoinSet<()>) -> (Client, i32) {
    let Address::Network(address) = platform.address(&platform.database(tenant)) else {
        panic!("it has no server");
    };
    let client = database::postgres(&address, tasks).await;
    let lock = "BEGIN; LOCK TABLE public._tenantry_history IN ACCESS EXCLUSIVE MODE";
    client.batch_execute(lock).await.unwrap();
    let pid = client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap();
    (client, pid.get(0))
}

#[test]
fn each_database_is_told_with_the_session_that_is_in_its_way() {
    let Some(platform) = Platform::with_tenants(Engine::Postgres, &[THINGS], &["acme", "globex"]) else {
        return;
    };
    platform.write(
        "migrations/tenant/002_next.sql",
        "CREATE TABLE next (id INTEGER);\n",
    );
    let output = wait(async {
        let mut tasks = JoinSet::new();
        let (acme, acme_pid) = hold(&platform, "acme", &mut tasks).await;
        let (globex, globex_pid) = hold(&platform, "globex", &mut tasks).await;
        let mut command = platform.command(&["migrate", "all-tenants"]);
        command.env("TENANTRY_RUN__LOCK_TIMEOUT", "200ms");
        command.env("TENANTRY_RUN__LOCK_WINDOW", "1s");
        let output = command.output().unwrap();
        drop((acme, globex));
        let said = stderr(&output);
        assert_eq!(said.matches("error[TN-2005]").count(), 1, "{said}");
        for line in [
            format!("acme: pid {acme_pid} "),
            format!("globex: pid {globex_pid} "),
        ] {
            assert!(said.contains(&line), "no `{line}` in {said}");
        }
        output
    });
    assert_eq!(output.status.code(), Some(20), "{output:?}");
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["applied"], 2);
}
