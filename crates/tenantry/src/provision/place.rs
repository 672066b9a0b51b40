//! Where a tenant's databases are made: which server, and as whom.

use std::path::Path;

use super::naming::Names;
use super::{NamingError, NewTenant, ProvisionError, Tenants};
use crate::engine::{Address, Engine, NetworkAddress, Place, SqliteAddress};
use crate::registry::{self, RegistryError};
use crate::selection::nearest;
use crate::server::Server;
use crate::tenant::{Jurisdiction, ProductType, ServerName, Slug, Tenant, TenantStatus};

/// Says that a tenant's databases stand on another server than the one that was named.
pub(super) fn begun_elsewhere(slug: &Slug, has: &ServerName, given: &ServerName) -> ProvisionError {
    ProvisionError::Registry(RegistryError::Begun {
        slug: slug.clone(),
        what: "server",
        has: has.to_string(),
        given: given.to_string(),
    })
}

impl Tenants {
    /// Chooses the server of a new tenant: where its creation was begun, else the one that was named, else
    /// the emptiest in its jurisdiction. Returns it with the products to make: those that are named now,
    /// then those that the creation was begun with.
    pub(super) async fn place(&self, new: &NewTenant) -> Result<(Server, Vec<ProductType>), ProvisionError> {
        let wanted = &new.tenant;
        let mut products = Vec::new();
        add(&mut products, &new.products);
        let Some((begun, server, earlier)) = self.begun(&wanted.slug).await? else {
            let place = (&wanted.slug, &wanted.jurisdiction);
            let server = self.server(place, new.server.as_ref()).await?;
            return Ok((server, products));
        };
        add(&mut products, &earlier);
        if begun.jurisdiction != wanted.jurisdiction {
            return Err(ProvisionError::Registry(RegistryError::Begun {
                slug: wanted.slug.clone(),
                what: "jurisdiction",
                has: begun.jurisdiction.to_string(),
                given: wanted.jurisdiction.to_string(),
            }));
        }
        match &new.server {
            Some(named) if *named != server => Err(begun_elsewhere(&wanted.slug, &server, named)),
            Some(_) | None => {
                let place = (&begun.slug, &begun.jurisdiction);
                Ok((self.server(place, Some(&server)).await?, products))
            }
        }
    }

    async fn no_server(&self, jurisdiction: &Jurisdiction) -> Result<ProvisionError, ProvisionError> {
        let servers = self.fleet.registry.servers().await?;
        let mut known: Vec<&str> = servers.iter().map(|s| s.jurisdiction.as_str()).collect();
        known.sort_unstable();
        known.dedup();
        Ok(ProvisionError::NoServer {
            jurisdiction: jurisdiction.clone(),
            nearest: nearest(jurisdiction.as_str(), known),
        })
    }

    /// Returns the tenant that is being created under a slug, the server of its databases, and their products;
    /// `None` if there is none, or if it has no database yet.
    async fn begun(
        &self,
        slug: &Slug,
    ) -> Result<Option<(Tenant, ServerName, Vec<ProductType>)>, ProvisionError> {
        let registry = &self.fleet.registry;
        let tenant = match self.owner_of(slug).await? {
            Some(found) if found.status == TenantStatus::Provisioning => found,
            Some(_) | None => return Ok(None),
        };
        let databases = registry.databases_of(&tenant.id).await?;
        let products = databases.iter().filter_map(|d| d.product.clone()).collect();
        let first = databases.first().map(|database| database.server.clone());
        Ok(first.map(|server| (tenant, server, products)))
    }

    /// Returns the tenant that has a slug; `None` if nobody has it.
    async fn owner_of(&self, slug: &Slug) -> Result<Option<Tenant>, ProvisionError> {
        match self.fleet.registry.find_tenant(slug.as_str()).await {
            Ok(found) => Ok((found.slug == *slug).then_some(found)),
            Err(RegistryError::TenantNotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses names of databases that a new tenant cannot get: no repetition would ever finish its creation.
    /// What somebody else made on the server shows only when it is made.
    pub(super) async fn check_names<'a>(
        &self,
        new: &registry::NewTenant,
        server: &Server,
        parts: impl IntoIterator<Item = Option<&'a ProductType>>,
    ) -> Result<(), ProvisionError> {
        let begun = self.owner_of(&new.slug).await?;
        let id = begun.map_or_else(|| new.id.clone(), |tenant| tenant.id);
        for product in parts {
            let names = self.naming.names(server.engine, (&id, &new.slug), product)?;
            self.refuse_own(server, &names)?;
            let registry = &self.fleet.registry;
            let owner = registry.owner_of_database(&server.name, &names.database).await?;
            if let Some(owner) = owner.filter(|owner| owner.id != id) {
                return Err(ProvisionError::Registry(RegistryError::Taken {
                    what: "database",
                    name: names.database,
                    owner: Some(owner.slug),
                }));
            }
        }
        Ok(())
    }

    /// Refuses the names of the administrator and of the central database's file.
    fn refuse_own(&self, server: &Server, names: &Names) -> Result<(), NamingError> {
        let administrator = server.admin.as_ref().map(|login| &login.user);
        if let Some(user) = names.user.as_ref().filter(|user| Some(*user) == administrator) {
            return Err(NamingError::Reserved {
                name: user.clone(),
                owner: "the server's administrator",
            });
        }
        let central = Path::new(self.fleet.registry.endpoint());
        if let Place::Folder(folder) = &server.place
            && self.fleet.registry.engine() == Engine::Sqlite
            && is_same(&folder.join(&names.database), central)
        {
            return Err(NamingError::Reserved {
                name: names.database.clone(),
                owner: "the central database",
            });
        }
        Ok(())
    }

    /// Returns the server that was named, or the emptiest in the jurisdiction.
    pub(super) async fn server(
        &self,
        (slug, jurisdiction): (&Slug, &Jurisdiction),
        named: Option<&ServerName>,
    ) -> Result<Server, ProvisionError> {
        let registry = &self.fleet.registry;
        let name = match named {
            Some(name) => name.clone(),
            None => match registry.emptiest_server(jurisdiction).await? {
                Some(name) => name,
                None => return Err(self.no_server(jurisdiction).await?),
            },
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
}

/// Whether two paths lead to one file that is there.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(one).is_some_and(|one| Some(one) == real(other))
}

/// Adds what is not there yet.
fn add(products: &mut Vec<ProductType>, more: &[ProductType]) {
    for product in more {
        if !products.contains(product) {
            products.push(product.clone());
        }
    }
}

/// Returns the address at which databases are created on a server.
pub fn administration(server: &Server) -> Address {
    match (&server.place, &server.admin) {
        (
            Place::Network {
                host,
                port,
                tls,
                direct,
            },
            Some(admin),
        ) => Address::Network(NetworkAddress {
            engine: server.engine,
            host: host.clone(),
            port: *port,
            tls: tls.clone(),
            direct: direct.clone(),
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
