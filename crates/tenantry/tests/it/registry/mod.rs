//! The registry on every engine: each case runs on SQLite, and on PostgreSQL and MariaDB where there are
//! servers.

mod audit;
mod central;
mod connecting;
mod fleet;
mod import;
mod keys;
mod names;
mod race;
mod runs;
mod schedule;
mod secrets;
mod status;

use secrecy::SecretString;
use tenantry::engine::{Engine, Login, Place, Tls};
use tenantry::plan::Goal;
use tenantry::registry::{Begun, NewDatabase, NewRun, NewServer, NewTenant, Registry, RunPlan, RunTarget};
use tenantry::run::{Driver, Reach};
use tenantry::{Direction, Tenant, TenantId};

use self::central::Central;

/// Makes one test of each case for each engine.
macro_rules! on_every_engine {
    ($($case:ident),+ $(,)?) => {
        crate::registry::on_every_engine!(@ sqlite, Sqlite, $($case),+);
        crate::registry::on_every_engine!(@ postgres, Postgres, $($case),+);
        crate::registry::on_every_engine!(@ mariadb, MySql, $($case),+);
    };
    (@ $module:ident, $engine:ident, $($case:ident),+) => {
        mod $module {
            use tenantry::engine::Engine;

            $(
                #[test]
                fn $case() {
                    crate::registry::central::run(Engine::$engine, super::$case);
                }
            )+
        }
    };
}
use on_every_engine;

const ADMIN_PASSWORD: &str = "Admin-S3cret-of-the-server";
const TENANT_PASSWORD: &str = "Tenant-S3cret-of-the-database";

fn new_server(name: &str) -> NewServer {
    NewServer {
        name: name.parse().unwrap(),
        engine: Engine::Postgres,
        jurisdiction: "eu".parse().unwrap(),
        place: Place::Network {
            host: "db1.example.test".to_owned(),
            port: 5432,
            tls: Tls::VerifyCa {
                ca_pem: "-----BEGIN CERTIFICATE-----".into(),
            },
            direct: None,
        },
        admin: Some(Login {
            user: "admin".to_owned(),
            password: SecretString::from(ADMIN_PASSWORD),
        }),
        insecure_reason: None,
        max_parallel: Some(3),
        intake: tenantry::Intake::default(),
        server_version: Some("PostgreSQL 17.2".to_owned()),
    }
}

fn sqlite_server(name: &str) -> NewServer {
    NewServer {
        engine: Engine::Sqlite,
        place: Place::Folder("/srv/tenants".into()),
        admin: None,
        ..new_server(name)
    }
}

fn new_tenant(slug: &str) -> NewTenant {
    NewTenant {
        id: TenantId::generate(),
        slug: slug.parse().unwrap(),
        name: Some(format!("{slug} Ltd — “ü”")),
        jurisdiction: "eu".parse().unwrap(),
        external_id: None,
        domains: Vec::new(),
    }
}

fn new_database(tenant: &Tenant, product: Option<&str>, server: &str) -> NewDatabase {
    let product = product.map(|p| p.parse().unwrap());
    let suffix = product.as_ref().map_or("shared".to_owned(), ToString::to_string);
    let name = format!("tenant_{}_{suffix}", tenant.id.compact());
    NewDatabase {
        tenant_id: tenant.id.clone(),
        product,
        server: server.parse().unwrap(),
        login: Some(Login {
            user: name.clone(),
            password: SecretString::from(TENANT_PASSWORD),
        }),
        name,
        storage_path: None,
    }
}

/// An active tenant with a ready shared database on `server`.
async fn provisioned(registry: &Registry, slug: &str, server: &str) -> Tenant {
    let tenant = registry.create_tenant(&new_tenant(slug)).await.unwrap();
    let database = registry
        .reserve_database(&new_database(&tenant, None, server))
        .await
        .unwrap();
    registry
        .mark_ready(&database.id, Some("5".parse().unwrap()))
        .await
        .unwrap();
    registry.activate_tenant(&tenant.id).await.unwrap();
    tenant
}

/// A run forwards.
fn new_run(targets: Vec<RunTarget>) -> NewRun {
    NewRun {
        id: tenantry::run::new_run_id(),
        command: "migrate tenants".to_owned(),
        direction: Direction::Up,
        reverts: None,
        goal: Goal::Head,
        reach: Reach::Several,
        continues: None,
        actor: "deploy".to_owned(),
        reason: None,
        plan: RunPlan::default(),
        rollout: String::new(),
        concurrency: 0,
        found_current: 0,
        targets,
    }
}

/// Begins a run; returns its id. Its epoch is 1.
async fn begin(registry: &Registry, run: &NewRun) -> String {
    let begun = registry.begin_run(run, &Driver::this()).await.unwrap();
    assert_eq!(begun, Begun::New(1));
    run.id.clone()
}
