//! Where a tenant's databases are made: which server, and as whom.

use super::{NewTenant, ProvisionError, Tenants};
use crate::engine::{Address, Engine, NetworkAddress, Place, SqliteAddress};
use crate::registry::RegistryError;
use crate::selection::nearest;
use crate::server::Server;
use crate::tenant::{Jurisdiction, ProductType, ServerName, Slug, Tenant, TenantStatus};

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
        let contradicts = |what, has: String, given: String| {
            ProvisionError::Registry(RegistryError::Begun {
                slug: wanted.slug.clone(),
                what,
                has,
                given,
            })
        };
        if begun.jurisdiction != wanted.jurisdiction {
            let (has, given) = (begun.jurisdiction.to_string(), wanted.jurisdiction.to_string());
            return Err(contradicts("jurisdiction", has, given));
        }
        match &new.server {
            Some(named) if *named != server => {
                Err(contradicts("server", server.to_string(), named.to_string()))
            }
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
        let tenant = match registry.find_tenant(slug.as_str()).await {
            Ok(found) if found.slug == *slug && found.status == TenantStatus::Provisioning => found,
            Ok(_) | Err(RegistryError::TenantNotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let databases = registry.databases_of(&tenant.id).await?;
        let products = databases.iter().filter_map(|d| d.product.clone()).collect();
        let first = databases.first().map(|database| database.server.clone());
        Ok(first.map(|server| (tenant, server, products)))
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
