//! Where a tenant's databases are made: which server, and as whom.

use std::path::Path;

use super::naming::Names;
use super::{NamingError, NewTenant, ProvisionError, Tenants};
use crate::engine::{Address, Engine, NetworkAddress, Place, SqliteAddress};
use crate::registry::{self, Database, ListedServer, RegistryError};
use crate::selection::nearest;
use crate::server::{Intake, NoRoom, Server};
use crate::target::TrackName;
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

/// A database to make.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Its product; `None` for the shared one.
    pub(super) product: Option<ProductType>,
    /// Where it shall stand.
    pub(super) server: Server,
    /// Whether another server may be chosen as long as it is not reserved.
    pub(super) is_free: bool,
}

impl Part {
    /// Returns the track of its migrations.
    pub(super) fn track(&self) -> TrackName {
        track_of(self.product.as_ref())
    }
}

fn track_of(product: Option<&ProductType>) -> TrackName {
    product.cloned().map_or(TrackName::Tenant, TrackName::Product)
}

/// How many databases a server is taken to have room for that has no limit, when loads are compared.
const USUAL_CAPACITY: usize = 1_000;

/// Chooses the server that is loaded least, by the share of its room that is taken; by name where several are loaded alike.
///
/// # Errors
/// Each server with why it takes none; empty if there is no server.
pub(super) fn choose(
    loads: &[(ListedServer, usize)],
    track: &TrackName,
) -> Result<ServerName, Vec<(ServerName, NoRoom)>> {
    let mut refused = Vec::new();
    let mut free = Vec::new();
    for (server, databases) in loads {
        match server.intake.refuses(track, *databases) {
            Some(why) => refused.push((server.name.clone(), why)),
            None => free.push((server, databases)),
        }
    }
    let share = |(server, databases): &&(&ListedServer, &usize)| {
        let capacity = server.intake.capacity.unwrap_or(USUAL_CAPACITY).max(1);
        databases.saturating_mul(1_000_000) / capacity
    };
    let least = free.iter().min_by_key(share);
    least.map(|(server, _)| server.name.clone()).ok_or(refused)
}

impl Tenants {
    /// Chooses where the databases of a new tenant shall stand: where their creation was begun; else, for the shared one, the
    /// server that was named or the one of its jurisdiction that is loaded least, and for a product's the same as the shared
    /// one's if that takes it. The shared one is the first; products follow that are named now, then those that the creation
    /// was begun with.
    pub(super) async fn place(&self, new: &NewTenant) -> Result<Vec<Part>, ProvisionError> {
        let wanted = &new.tenant;
        let begun = self.begun(&wanted.slug).await?;
        if let Some((tenant, databases)) = &begun
            && !databases.is_empty()
            && tenant.jurisdiction != wanted.jurisdiction
        {
            return Err(ProvisionError::Registry(RegistryError::Begun {
                slug: wanted.slug.clone(),
                what: "jurisdiction",
                has: tenant.jurisdiction.to_string(),
                given: wanted.jurisdiction.to_string(),
            }));
        }
        let begun = begun.map(|(_, databases)| databases).unwrap_or_default();
        let at = |product: Option<&ProductType>| {
            let found = begun.iter().find(|database| database.product.as_ref() == product);
            found.map(|database| &database.server)
        };
        let owner = (&wanted.slug, &wanted.jurisdiction);
        if let (Some(has), Some(named)) = (
            at(None),
            new.server.as_ref().filter(|named| at(None) != Some(*named)),
        ) {
            return Err(begun_elsewhere(&wanted.slug, has, named));
        }
        let shared = match (at(None), &new.server) {
            (Some(has), _) => self.fixed((None, has), owner).await?,
            (None, Some(named)) => self.named((None, named), owner).await?,
            (None, None) => self.free(None, owner).await?,
        };
        let mut products = Vec::new();
        add(&mut products, &new.products);
        let earlier: Vec<ProductType> = begun.iter().filter_map(|d| d.product.clone()).collect();
        add(&mut products, &earlier);
        let mut parts = vec![shared];
        for product in products {
            let part = match at(Some(&product)) {
                Some(has) => self.fixed((Some(&product), has), owner).await?,
                None => {
                    self.beside((Some(&product), &parts[0].server.name), owner)
                        .await?
                }
            };
            parts.push(part);
        }
        Ok(parts)
    }

    /// The database of a product: where it was begun, or else beside the tenant's first one if that server takes it.
    pub(super) async fn part_of(
        &self,
        tenant: &Tenant,
        product: &ProductType,
    ) -> Result<Part, ProvisionError> {
        let databases = self.fleet.registry.databases_of(&tenant.id).await?;
        let owner = (&tenant.slug, &tenant.jurisdiction);
        let begun = databases
            .iter()
            .find(|database| database.product.as_ref() == Some(product));
        match (begun, databases.first()) {
            (Some(begun), _) => self.fixed((Some(product), &begun.server), owner).await,
            (None, Some(first)) => self.beside((Some(product), &first.server), owner).await,
            (None, None) => self.free(Some(product), owner).await,
        }
    }

    /// A database that stands where it was begun.
    async fn fixed(
        &self,
        (product, server): (Option<&ProductType>, &ServerName),
        owner: (&Slug, &Jurisdiction),
    ) -> Result<Part, ProvisionError> {
        Ok(Part {
            product: product.cloned(),
            server: self.server(owner, server).await?,
            is_free: false,
        })
    }

    /// A database on the server that somebody named.
    async fn named(
        &self,
        (product, server): (Option<&ProductType>, &ServerName),
        owner: (&Slug, &Jurisdiction),
    ) -> Result<Part, ProvisionError> {
        let part = self.fixed((product, server), owner).await?;
        let loads = self.fleet.registry.loads(owner.1).await?;
        let this: Vec<_> = loads
            .into_iter()
            .filter(|(found, _)| found.name == *server)
            .collect();
        match choose(&this, &part.track()) {
            Ok(_) => Ok(part),
            Err(refused) => Err(no_room(owner.1, &part.track(), refused)),
        }
    }

    /// A database on a server that a tenant has another one on, if that takes it.
    async fn beside(
        &self,
        (product, server): (Option<&ProductType>, &ServerName),
        owner: (&Slug, &Jurisdiction),
    ) -> Result<Part, ProvisionError> {
        match self.named((product, server), owner).await {
            Ok(part) => Ok(Part {
                is_free: true,
                ..part
            }),
            Err(ProvisionError::NoRoom { .. }) => self.free(product, owner).await,
            Err(error) => Err(error),
        }
    }

    /// A database on the server of a jurisdiction that is loaded least.
    pub(super) async fn free(
        &self,
        product: Option<&ProductType>,
        owner: (&Slug, &Jurisdiction),
    ) -> Result<Part, ProvisionError> {
        let loads = self.fleet.registry.loads(owner.1).await?;
        if loads.is_empty() {
            return Err(self.no_server(owner.1).await?);
        }
        let track = track_of(product);
        let server = choose(&loads, &track).map_err(|refused| no_room(owner.1, &track, refused))?;
        let part = self.fixed((product, &server), owner).await?;
        Ok(Part {
            is_free: true,
            ..part
        })
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

    /// Returns the tenant that is being created under a slug, and its databases as far as they are reserved; `None` if there
    /// is none.
    async fn begun(&self, slug: &Slug) -> Result<Option<(Tenant, Vec<Database>)>, ProvisionError> {
        match self.owner_of(slug).await? {
            Some(found) if found.status == TenantStatus::Provisioning => {
                let databases = self.fleet.registry.databases_of(&found.id).await?;
                Ok(Some((found, databases)))
            }
            Some(_) | None => Ok(None),
        }
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
    pub(super) async fn check_names(
        &self,
        new: &registry::NewTenant,
        parts: &[Part],
    ) -> Result<(), ProvisionError> {
        let begun = self.owner_of(&new.slug).await?;
        let id = begun.map_or_else(|| new.id.clone(), |tenant| tenant.id);
        for Part { product, server, .. } in parts {
            let names = self
                .naming
                .names(server.engine, (&id, &new.slug), product.as_ref())?;
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

    /// Finds a server, which must stand in a tenant's jurisdiction.
    async fn server(
        &self,
        (slug, jurisdiction): (&Slug, &Jurisdiction),
        name: &ServerName,
    ) -> Result<Server, ProvisionError> {
        let server = self.fleet.registry.find_server(name.as_str()).await?;
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

fn no_room(
    jurisdiction: &Jurisdiction,
    track: &TrackName,
    servers: Vec<(ServerName, NoRoom)>,
) -> ProvisionError {
    ProvisionError::NoRoom {
        jurisdiction: jurisdiction.clone(),
        what: Intake::word(track),
        servers,
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
