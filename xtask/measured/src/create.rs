//! The databases of a set, and for ours the registry that knows them. Not measured.

use anyhow::Context as _;
use tenantry::TenantId;
use tenantry::engine::{self, Address, Engine, NewDatabase, Place, SqliteAddress};
use tenantry::fleet::{Fleet, prepare_central};
use tenantry::registry::{self, ListedServer, NewServer, NewTenant};
use tenantry::run::RunOptions;
use tenantry::secret::{Key, write_key_file};

use crate::job::{Central, Contestant, Job};
use crate::{ours, server};

const SERVER: &str = "bench";

/// Creates every database of the set; both contestants begin with databases in which there is nothing.
pub(crate) async fn create(job: &Job) -> anyhow::Result<Vec<(String, String)>> {
    match job.contestant {
        Contestant::Floor => {
            for number in 0..job.databases {
                create_database(job, number, format!("floor-{}-{number}", job.set)).await?;
            }
        }
        Contestant::Ours => {
            let fleet = if job.from == 0 {
                prepare(job).await?
            } else {
                ours::fleet(job).await?
            };
            for number in job.from..job.databases {
                let id = reserve(job, &fleet, number).await?;
                create_database(job, number, id.clone()).await?;
                fleet.registry.mark_ready(&id, None).await?;
            }
        }
    }
    Ok(Vec::new())
}

/// Makes the registry, with the one server in it.
pub(crate) async fn prepare(job: &Job) -> anyhow::Result<Fleet> {
    let key = job.folder.join("key");
    if !key.exists() {
        write_key_file(&key, &Key::generate()?)?;
    }
    let central = ours::central(job)?;
    if job.central == Central::Server {
        server::execute(job, &format!("CREATE DATABASE {}", central.database())).await?;
    }
    prepare_central(&central, &RunOptions::default()).await?;
    let fleet = ours::fleet(job).await?;
    add_server(job, &fleet, SERVER).await?;
    Ok(fleet)
}

/// Writes one more name of the one server into the registry.
pub(crate) async fn add_server(job: &Job, fleet: &Fleet, name: &str) -> anyhow::Result<ListedServer> {
    let place = match &job.server {
        Some(server) => Place::Network {
            host: server.host.clone(),
            port: server.port,
            tls: server.tls.clone(),
            direct: None,
        },
        None => Place::Folder(job.file(0).folder),
    };
    let server = NewServer {
        name: name.parse()?,
        engine: job.engine,
        jurisdiction: "eu".parse()?,
        place,
        admin: job.server.as_ref().map(|server| server.login.clone()),
        insecure_reason: None,
        max_parallel: None,
        intake: tenantry::Intake::default(),
        server_version: None,
    };
    Ok(fleet.registry.add_server(&server).await?)
}

/// Writes a tenant and its database into the registry; returns the database's id.
async fn reserve(job: &Job, fleet: &Fleet, number: usize) -> anyhow::Result<String> {
    let new = NewTenant {
        id: TenantId::generate(),
        slug: format!("tenant-{number}").parse()?,
        name: Some(format!("Tenant {number}")),
        jurisdiction: "eu".parse()?,
        external_id: None,
        domains: Vec::new(),
    };
    let tenant = fleet.registry.create_tenant(&new).await?;
    let (name, login) = match job.engine {
        Engine::Sqlite => (job.file(number).file, None),
        Engine::Postgres | Engine::MySql => (job.database(number), Some(job.login(number))),
    };
    let new = registry::NewDatabase {
        storage_path: None,
        tenant_id: tenant.id.clone(),
        product: None,
        server: SERVER.parse()?,
        name,
        login,
    };
    let database = fleet.registry.reserve_database(&new).await?;
    fleet.registry.activate_tenant(&tenant.id).await?;
    Ok(database.id)
}

/// Creates one database as provisioning does. An SQLite file stays empty: provisioning would make our
/// tables in it, which the floor has to make in its run.
pub(crate) async fn create_database(job: &Job, number: usize, id: String) -> anyhow::Result<()> {
    if job.engine == Engine::Sqlite {
        let SqliteAddress { folder, file } = job.file(number);
        std::fs::create_dir_all(&folder)?;
        std::fs::File::create(folder.join(file))?;
        return Ok(());
    }
    let new = NewDatabase {
        name: job.database(number),
        login: Some(job.login(number)),
        database_id: id,
        tenant_id: String::new(),
        registry_id: String::new(),
    };
    engine::create_database(&Address::Network(job.server()?.clone()), &new)
        .await
        .with_context(|| format!("cannot create {}", new.name))
}
