//! Servers in the registry: adding, listing, finding.

use std::path::PathBuf;
use std::sync::Arc;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, SqlErr,
};
use uuid::Uuid;

use super::entities::database;
use super::entities::server::{ActiveModel, Column, Entity, Model};
use super::passwords::{Purpose, endpoint_of};
use super::rows::Row;
use super::{Registry, RegistryError, now};
use crate::engine::{DirectEndpoint, Engine, Login, Place, Tls};
use crate::selection::nearest;
use crate::server::Server;
use crate::tenant::{Jurisdiction, ServerName};

/// What is needed to add a server.
#[derive(Clone, Debug)]
pub struct NewServer {
    /// Its name, unique.
    pub name: ServerName,
    /// What it runs.
    pub engine: Engine,
    /// Where it stands.
    pub jurisdiction: Jurisdiction,
    /// Host and port, or the folder of SQLite files.
    pub place: Place,
    /// The administrator's login; `None` for SQLite.
    pub admin: Option<Login>,
    /// Why an unprotected connection is accepted, in the words of whoever accepted it.
    pub insecure_reason: Option<String>,
    /// How many of its targets may run at once, always; `None` leaves it to the run.
    pub max_parallel: Option<usize>,
    /// What the server said that it is, when it was added.
    pub server_version: Option<String>,
}

/// A server as a list shows it: no password is opened for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedServer {
    /// Its permanent id (UUIDv7).
    pub id: String,
    /// Its name, unique.
    pub name: ServerName,
    /// What it runs.
    pub engine: Engine,
    /// Where it stands.
    pub jurisdiction: Jurisdiction,
    /// Host and port, or the folder of SQLite files.
    pub place: Place,
    /// The administrator's user name; `None` for SQLite.
    pub admin_user: Option<String>,
    /// Why an unprotected connection is accepted.
    pub insecure_reason: Option<String>,
    /// How many of its targets may run at once, always; `None` leaves it to the run.
    pub max_parallel: Option<usize>,
    /// What the server said that it is, when it was added.
    pub server_version: Option<String>,
    /// When it was added, in microseconds since 1970-01-01 UTC.
    pub created_at: i64,
    /// What shows that its own endpoint was named by somebody who has the key.
    pub(super) direct_seal: Option<String>,
}

impl Registry {
    /// Writes a server, its administrator's password sealed; returns it as it will be listed.
    ///
    /// Fails with [`RegistryError::Taken`] if the name is in use, with [`RegistryError::KeyNeeded`] if there
    /// is a password and no key, and with [`RegistryError::WrongKey`] if the other passwords have another.
    pub async fn add_server(&self, new: &NewServer) -> Result<ListedServer, RegistryError> {
        let id = Uuid::now_v7().to_string();
        let version = 1;
        let sealed = match (
            &new.admin,
            new.admin
                .as_ref()
                .and_then(|a| endpoint_of(new.engine, &new.place, &a.user)),
        ) {
            (Some(admin), Some(endpoint)) => {
                self.check_key().await?;
                let purpose = Purpose::admin(&id, version, &new.name, endpoint);
                Some(self.seal(&purpose, &admin.password)?)
            }
            (_, _) => None,
        };
        let mut model = Model {
            admin_user: new.admin.as_ref().map(|admin| admin.user.clone()),
            admin_secret: sealed,
            admin_secret_version: version,
            ..unsealed(id, new)?
        };
        let mut listed = listed(&model)?;
        listed.direct_seal = self.seal_direct(&listed)?;
        model.direct_seal.clone_from(&listed.direct_seal);
        match Entity::insert(ActiveModel::from(model).reset_all())
            .exec_without_returning(&self.db)
            .await
        {
            Ok(_) => Ok(listed),
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                Err(RegistryError::Taken {
                    what: "server",
                    name: new.name.to_string(),
                    owner: None,
                })
            }
            Err(error) => Err(self.refused(&error)),
        }
    }

    /// Returns all servers by name; empty if there is none. Opens no password.
    pub async fn servers(&self) -> Result<Vec<ListedServer>, RegistryError> {
        let rows = Entity::find()
            .order_by_asc(Column::Name)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        rows.iter().map(listed).collect()
    }

    /// Returns the server of a jurisdiction with the fewest databases, by name where several have as few;
    /// `None` if there is no server in it.
    pub async fn emptiest_server(
        &self,
        jurisdiction: &Jurisdiction,
    ) -> Result<Option<ServerName>, RegistryError> {
        let servers = Entity::find()
            .filter(Column::Jurisdiction.eq(jurisdiction.as_str()))
            .order_by_asc(Column::Name)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let mut counted = Vec::with_capacity(servers.len());
        for server in servers {
            let databases = database::Entity::find()
                .filter(database::Column::ServerId.eq(server.id.as_str()))
                .count(&self.db)
                .await
                .map_err(|e| self.refused(&e))?;
            counted.push((server.name, databases));
        }
        let emptiest = counted.into_iter().min_by_key(|(_, databases)| *databases);
        Ok(emptiest.and_then(|(name, _)| name.parse().ok()))
    }

    /// Finds a server by name and opens its administrator's password.
    ///
    /// Fails with [`RegistryError::ServerNotFound`] and the nearest names if there is none, and with
    /// [`RegistryError::Locked`] if its own endpoint was not named by somebody who has the key.
    pub async fn find_server(&self, name: &str) -> Result<Server, RegistryError> {
        let row = self.server_row(name).await?;
        let listed = listed(&row)?;
        self.check_direct(&listed)?;
        self.opened(&row, listed)
    }

    /// Finds a server as it would be with this endpoint of its own, whatever it has now, and opens its
    /// administrator's password. Writes nothing.
    ///
    /// Fails with [`RegistryError::ServerNotFound`] if there is none, and with [`RegistryError::Unfit`] if it is no
    /// server on the network.
    pub async fn find_server_with(
        &self,
        name: &str,
        direct: Option<DirectEndpoint>,
    ) -> Result<Server, RegistryError> {
        let row = self.server_row(name).await?;
        let mut listed = listed(&row)?;
        name_direct(&mut listed.place, direct)?;
        self.opened(&row, listed)
    }

    /// Names a server's own endpoint beside the pooler's that it is known by, or takes it away; returns the server
    /// as it will be listed. Passwords stay as they are.
    ///
    /// Fails with [`RegistryError::ServerNotFound`] if there is none, with [`RegistryError::Unfit`] if it is no
    /// server on the network, with [`RegistryError::KeyNeeded`] without a key, and with
    /// [`RegistryError::WrongKey`] if the passwords have another.
    pub async fn set_direct(
        &self,
        name: &str,
        direct: Option<DirectEndpoint>,
    ) -> Result<ListedServer, RegistryError> {
        self.check_key().await?;
        let mut listed = self.listed_server(name).await?;
        name_direct(&mut listed.place, direct)?;
        listed.direct_seal = self.seal_direct(&listed)?;
        let direct = direct_of(&listed.place);
        let port = direct.map(|direct| i32::from(direct.port));
        Entity::update_many()
            .col_expr(
                Column::DirectHost,
                Expr::value(direct.map(|direct| direct.host.clone())),
            )
            .col_expr(Column::DirectPort, Expr::value(port))
            .col_expr(Column::DirectSeal, Expr::value(listed.direct_seal.clone()))
            .filter(Column::Id.eq(listed.id.as_str()))
            .exec(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        Ok(listed)
    }

    fn opened(&self, row: &Model, listed: ListedServer) -> Result<Server, RegistryError> {
        let admin = self.admin_login(row, &listed)?;
        Ok(Server {
            id: listed.id,
            name: listed.name,
            engine: listed.engine,
            jurisdiction: listed.jurisdiction,
            place: listed.place,
            admin,
            max_parallel: listed.max_parallel,
        })
    }

    /// Finds a server by name; opens no password.
    pub async fn listed_server(&self, name: &str) -> Result<ListedServer, RegistryError> {
        listed(&self.server_row(name).await?)
    }

    async fn server_row(&self, name: &str) -> Result<Model, RegistryError> {
        let row = Entity::find()
            .filter(Column::Name.eq(name))
            .one(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        if let Some(row) = row {
            return Ok(row);
        }
        let servers = self.servers().await?;
        Err(RegistryError::ServerNotFound {
            given: name.to_owned(),
            nearest: nearest(name, servers.iter().map(|s| s.name.as_str())),
        })
    }

    fn admin_login(&self, row: &Model, listed: &ListedServer) -> Result<Option<Login>, RegistryError> {
        let (Some(user), Some(sealed)) = (&row.admin_user, &row.admin_secret) else {
            return Ok(None);
        };
        let Some(endpoint) = endpoint_of(listed.engine, &listed.place, user) else {
            return Ok(None);
        };
        let purpose = Purpose::admin(&row.id, row.admin_secret_version, &listed.name, endpoint);
        Ok(Some(Login {
            user: user.clone(),
            password: self.open(&purpose, sealed)?,
        }))
    }
}

/// Returns the row of a new server, without its administrator.
fn unsealed(id: String, new: &NewServer) -> Result<Model, RegistryError> {
    let (host, port, folder, tls) = match &new.place {
        Place::Network { host, port, tls, .. } => {
            (Some(host.clone()), Some(i32::from(*port)), None, Some(tls))
        }
        Place::Folder(folder) => (None, None, Some(folder_text(folder)?), None),
    };
    let (tls_mode, ca_pem) = match tls {
        None => (None, None),
        Some(Tls::VerifyFull { ca_pem }) => (Some("verify-full"), ca_pem.as_ref()),
        Some(Tls::VerifyCa { ca_pem }) => (Some("verify-ca"), Some(ca_pem)),
        Some(Tls::Require) => (Some("require"), None),
        Some(Tls::Disable) => (Some("disable"), None),
    };
    Ok(Model {
        id,
        name: new.name.to_string(),
        engine: new.engine.as_str().to_owned(),
        jurisdiction: new.jurisdiction.to_string(),
        host,
        port,
        folder,
        tls_mode: tls_mode.map(str::to_owned),
        ca_pem: ca_pem.map(ToString::to_string),
        insecure_reason: new.insecure_reason.clone(),
        admin_user: None,
        admin_secret: None,
        admin_secret_version: 0,
        max_parallel: new.max_parallel.map(|n| i32::try_from(n).unwrap_or(i32::MAX)),
        server_version: new.server_version.clone(),
        created_at: now(),
        direct_host: direct_of(&new.place).map(|direct| direct.host.clone()),
        direct_port: direct_of(&new.place).map(|direct| i32::from(direct.port)),
        direct_seal: None,
    })
}

fn direct_of(place: &Place) -> Option<&DirectEndpoint> {
    match place {
        Place::Network { direct, .. } => direct.as_ref(),
        Place::Folder(_) => None,
    }
}

/// Puts another endpoint of its own into a server's place.
fn name_direct(place: &mut Place, wanted: Option<DirectEndpoint>) -> Result<(), RegistryError> {
    match place {
        Place::Network { direct, .. } => *direct = wanted,
        Place::Folder(_) => {
            return Err(RegistryError::Unfit {
                what: "the direct endpoint",
                rule: "belongs to a server on the network",
            });
        }
    }
    Ok(())
}

fn folder_text(folder: &std::path::Path) -> Result<String, RegistryError> {
    folder.to_str().map(str::to_owned).ok_or(RegistryError::NotText {
        what: "the server's folder",
    })
}

/// Reads a row; opens nothing.
pub(super) fn listed(row: &Model) -> Result<ListedServer, RegistryError> {
    let at = Row {
        table: "tenantry_servers",
        id: &row.id,
    };
    Ok(ListedServer {
        id: row.id.clone(),
        name: at.read("name", row.name.parse().ok())?,
        engine: at.read("engine", Engine::from_word(&row.engine))?,
        jurisdiction: at.read("jurisdiction", row.jurisdiction.parse().ok())?,
        place: at.read("tls_mode", place(row))?,
        admin_user: row.admin_user.clone(),
        insecure_reason: row.insecure_reason.clone(),
        max_parallel: at.read_opt("max_parallel", row.max_parallel, |n| usize::try_from(n).ok())?,
        server_version: row.server_version.clone(),
        created_at: row.created_at,
        direct_seal: row.direct_seal.clone(),
    })
}

fn place(row: &Model) -> Option<Place> {
    if let Some(folder) = &row.folder {
        return Some(Place::Folder(PathBuf::from(folder)));
    }
    let tls = match row.tls_mode.as_deref()? {
        "verify-full" => Tls::VerifyFull {
            ca_pem: row.ca_pem.as_deref().map(Arc::from),
        },
        "verify-ca" => Tls::VerifyCa {
            ca_pem: row.ca_pem.as_deref()?.into(),
        },
        "require" => Tls::Require,
        "disable" => Tls::Disable,
        _ => return None,
    };
    let direct = match (&row.direct_host, row.direct_port) {
        (Some(host), Some(port)) => Some(DirectEndpoint {
            host: host.clone(),
            port: u16::try_from(port).ok()?,
        }),
        (None, None) => None,
        (_, _) => return None,
    };
    Some(Place::Network {
        host: row.host.clone()?,
        port: u16::try_from(row.port?).ok()?,
        tls,
        direct,
    })
}
