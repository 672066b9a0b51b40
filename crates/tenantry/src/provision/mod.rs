//! Creates tenants and their databases: steps that can each be repeated, so that the same call continues
//! what was begun.

mod error;
mod naming;
mod password;

use tokio::sync::mpsc::unbounded_channel;

pub use error::ProvisionError;
pub use naming::{Naming, NamingError};

use crate::engine::{
    self, Address, Engine, Login, NetworkAddress, NewDatabase, Place, Recorded, SqliteAddress,
};
use crate::fleet::{Fleet, Request, Selected};
use crate::plan::Goal;
use crate::registry::{self, Database, DatabaseStatus, RegistryError};
use crate::run::{Control, Job, RunReport, Tracks};
use crate::server::Server;
use crate::target::{Owner, Target, TrackName};
use crate::tenant::{Jurisdiction, ProductType, ServerName, Slug, Tenant, TenantStatus};

/// A tenant to create.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// What the registry keeps of it.
    pub tenant: registry::NewTenant,
    /// The server its databases shall stand on; `None` chooses the one with the fewest databases in the
    /// tenant's jurisdiction.
    pub server: Option<ServerName>,
    /// The products it has from the beginning.
    pub products: Vec<ProductType>,
}

/// One database that was provisioned.
#[derive(Clone, Debug)]
pub struct Provisioned {
    /// Its name.
    pub database: String,
    /// Where it stands.
    pub server: ServerName,
    /// Its product; `None` for the shared one.
    pub product: Option<ProductType>,
    /// The migrations it took, in order.
    pub migrations: Vec<Recorded>,
}

/// Creates tenants.
#[derive(Clone, Debug)]
pub struct Tenants {
    fleet: Fleet,
    naming: Naming,
}

/// Provisions products for tenants.
#[derive(Clone, Debug)]
pub struct Products(Tenants);

impl Products {
    /// Makes a provisioner over a fleet.
    pub fn new(fleet: Fleet, naming: Naming) -> Self {
        Self(Tenants::new(fleet, naming))
    }

    /// Gives a tenant, by slug or id, the database of a product and migrates it. Repeating it is harmless.
    pub async fn provision(
        &self,
        tenant: &str,
        product: &ProductType,
    ) -> Result<Provisioned, ProvisionError> {
        let tenant = self.0.fleet.registry.find_tenant(tenant).await?;
        self.0.check_product(product)?;
        let databases = self.0.fleet.registry.databases_of(&tenant.id).await?;
        let beside = databases.first().map(|database| database.server.clone());
        let server = self
            .0
            .server((&tenant.slug, &tenant.jurisdiction), beside.as_ref())
            .await?;
        let tracks = self.0.tracks(&server, [Some(product)])?;
        self.0.provision((&tenant, Some(product)), &server, &tracks).await
    }
}

impl Tenants {
    /// Makes a creator of tenants over a fleet.
    pub fn new(fleet: Fleet, naming: Naming) -> Self {
        Self { fleet, naming }
    }

    /// Creates a tenant with its shared database and its products, migrated, and sets it active.
    ///
    /// A tenant that is still being provisioned is continued: what is there already is not made again.
    pub async fn create(&self, new: &NewTenant) -> Result<(Tenant, Vec<Provisioned>), ProvisionError> {
        for product in &new.products {
            self.check_product(product)?;
        }
        // Before the tenant is written: a misspelt jurisdiction would stay with the slug.
        let place = (&new.tenant.slug, &new.tenant.jurisdiction);
        let chosen = self.server(place, new.server.as_ref()).await?;
        let parts = || std::iter::once(None).chain(new.products.iter().map(Some));
        let tracks = self.tracks(&chosen, parts())?;
        let tenant = self.fleet.registry.create_tenant(&new.tenant).await?;
        let begun = self.fleet.registry.databases_of(&tenant.id).await?;
        let beside = begun
            .first()
            .map(|database| database.server.clone())
            .unwrap_or(chosen.name);
        let server = self
            .server((&tenant.slug, &tenant.jurisdiction), Some(&beside))
            .await?;
        let mut made = Vec::new();
        for product in parts() {
            made.push(self.provision((&tenant, product), &server, &tracks).await?);
        }
        self.fleet.registry.activate_tenant(&tenant.id).await?;
        Ok((
            Tenant {
                status: TenantStatus::Active,
                ..tenant
            },
            made,
        ))
    }

    fn check_product(&self, product: &ProductType) -> Result<(), ProvisionError> {
        let products = &self.fleet.folders.products;
        if products.contains_key(product) {
            return Ok(());
        }
        let known = products.keys().cloned().collect();
        Err(ProvisionError::UnknownProduct {
            product: product.clone(),
            known,
        })
    }

    /// Reads the tracks of the databases that are to be made: files that must not run are refused before
    /// anything is written.
    fn tracks<'a>(
        &self,
        server: &Server,
        parts: impl IntoIterator<Item = Option<&'a ProductType>>,
    ) -> Result<Tracks, ProvisionError> {
        let mut tracks = Tracks::default();
        for product in parts {
            let name = product.cloned().map_or(TrackName::Tenant, TrackName::Product);
            self.fleet.track(&mut tracks, &name, server.engine)?;
        }
        Ok(tracks)
    }

    /// Chooses the server: the one that was named, or the emptiest in the tenant's jurisdiction.
    async fn server(
        &self,
        (slug, jurisdiction): (&Slug, &Jurisdiction),
        named: Option<&ServerName>,
    ) -> Result<Server, ProvisionError> {
        let registry = &self.fleet.registry;
        let name = match named {
            Some(name) => name.clone(),
            None => {
                registry
                    .emptiest_server(jurisdiction)
                    .await?
                    .ok_or_else(|| ProvisionError::NoServer {
                        jurisdiction: jurisdiction.clone(),
                    })?
            }
        };
        let server = registry.find_server(name.as_str()).await?;
        if server.jurisdiction == *jurisdiction {
            return Ok(server);
        }
        Err(ProvisionError::WrongJurisdiction {
            slug: slug.to_string(),
            tenant: jurisdiction.clone(),
            server: server.name,
            stands: server.jurisdiction,
        })
    }

    /// Reserves, creates and migrates one database. The name is reserved in the registry first, so that
    /// nobody else can get it while we fail half-way.
    async fn provision(
        &self,
        (tenant, product): (&Tenant, Option<&ProductType>),
        server: &Server,
        tracks: &Tracks,
    ) -> Result<Provisioned, ProvisionError> {
        let owner = (&tenant.id, &tenant.slug);
        let names = self.naming.names(server.engine, owner, product)?;
        let login = match names.user {
            Some(user) => Some(Login {
                user,
                password: password::generate().map_err(ProvisionError::Random)?,
            }),
            None => None,
        };
        let reserved = registry::NewDatabase {
            tenant_id: tenant.id.clone(),
            product: product.cloned(),
            server: server.name.clone(),
            name: names.database,
            login,
        };
        let database = self.fleet.registry.reserve_database(&reserved).await?;
        if database.status == DatabaseStatus::Creating {
            self.create_database(tenant, server, &database).await?;
        }
        let report = self.migrate(tenant, &database, tracks).await?;
        let migrations = report.migrations.clone();
        if database.status == DatabaseStatus::Creating {
            self.fleet.registry.mark_ready(&database.id, report.to).await?;
        }
        Ok(Provisioned {
            database: database.address.database().to_owned(),
            server: server.name.clone(),
            product: product.cloned(),
            migrations,
        })
    }

    async fn create_database(
        &self,
        tenant: &Tenant,
        server: &Server,
        database: &Database,
    ) -> Result<(), ProvisionError> {
        let login = match &database.address {
            Address::Network(network) => Some(network.login.clone()),
            Address::Sqlite(_) => None,
        };
        let new = NewDatabase {
            name: database.address.database().to_owned(),
            login,
            database_id: database.id.clone(),
            tenant_id: tenant.id.to_string(),
            registry_id: self.fleet.registry.registry_id().to_owned(),
        };
        engine::create_database(&administration(server), &new)
            .await
            .map_err(|source| ProvisionError::Create {
                database: new.name.clone(),
                server: server.name.clone(),
                source,
            })
    }

    /// Migrates the new database in a run of its own, which the registry records.
    async fn migrate(
        &self,
        tenant: &Tenant,
        database: &Database,
        tracks: &Tracks,
    ) -> Result<crate::run::TargetReport, ProvisionError> {
        let owner = Owner {
            id: tenant.id.clone(),
            slug: tenant.slug.clone(),
            name: tenant.name.clone(),
        };
        let target = Target {
            database_id: database.id.clone(),
            registry_id: self.fleet.registry.registry_id().to_owned(),
            track: database
                .product
                .clone()
                .map_or(TrackName::Tenant, TrackName::Product),
            owner: Some(owner),
            server: Some(database.server.clone()),
            max_parallel: None,
            known_version: database.version,
            address: database.address.clone(),
        };
        let label = target.label();
        let mut selected = Selected {
            tracks: tracks.clone(),
            ..Selected::default()
        };
        let job: Job = self.fleet.job(&mut selected, target)?;
        selected.jobs.push(job);
        selected.aim(&Goal::Head);
        let request = Request {
            command: format!("{}{label}", registry::PROVISION),
            actor: "provision".to_owned(),
            direction: crate::direction::Direction::Up,
            reverts: None,
        };
        let (events, _ignored) = unbounded_channel();
        let report: RunReport = self
            .fleet
            .execute(selected, &request, &Control::default(), events)
            .await?;
        let Some(target) = report.targets.into_iter().next() else {
            return Err(ProvisionError::Registry(RegistryError::DatabaseNotFound {
                id: database.id.clone(),
            }));
        };
        match target.failure.clone() {
            Some(failure) => Err(ProvisionError::Migrate {
                label,
                failure: Box::new(failure),
            }),
            None => Ok(target),
        }
    }
}

/// Returns the address at which databases are created on a server.
pub fn administration(server: &Server) -> Address {
    match (&server.place, &server.admin) {
        (Place::Network { host, port, tls }, Some(admin)) => Address::Network(NetworkAddress {
            engine: server.engine,
            host: host.clone(),
            port: *port,
            tls: tls.clone(),
            database: maintenance_database(server.engine).to_owned(),
            login: admin.clone(),
        }),
        (Place::Network { .. }, None) => Address::Sqlite(SqliteAddress {
            folder: std::path::PathBuf::new(),
            file: String::new(),
        }),
        (Place::Folder(folder), _) => Address::Sqlite(SqliteAddress {
            folder: folder.clone(),
            file: String::new(),
        }),
    }
}

/// The database that exists on every server of an engine.
fn maintenance_database(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "postgres",
        Engine::MySql => "mysql",
        Engine::Sqlite => "",
    }
}
