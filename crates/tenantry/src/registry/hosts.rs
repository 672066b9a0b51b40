//! From a database's row and its server to an address.

use std::path::Path;

use super::databases::at;
use super::entities::database::Model;
use super::passwords::Purpose;
use super::servers::ListedServer;
use super::{Registry, RegistryError};
use crate::engine::{Address, DirectEndpoint, Login, NetworkAddress, Place, SqliteAddress, Tls};
use crate::secret::Endpoint;
use crate::tenant::TenantId;

/// A server that databases stand on, and what their addresses have in common.
pub(super) struct Host<'a> {
    pub(super) server: &'a ListedServer,
    at: At<'a>,
}

enum At<'a> {
    Folder(&'a Path),
    Network {
        host: &'a str,
        port: u16,
        tls: &'a Tls,
        direct: Option<&'a DirectEndpoint>,
        /// Without a user. It holds a hash of the server's authorities, which is made once and not for every database.
        endpoint: Endpoint,
    },
}

impl<'a> Host<'a> {
    pub(super) fn of(server: &'a ListedServer) -> Self {
        let at = match &server.place {
            Place::Folder(folder) => At::Folder(folder),
            Place::Network {
                host,
                port,
                tls,
                direct,
            } => At::Network {
                host,
                port: *port,
                tls,
                direct: direct.as_ref(),
                endpoint: Endpoint::new(server.engine, host, *port, tls, ""),
            },
        };
        Self { server, at }
    }

    /// Returns the endpoint that a user's password is bound to; `None` for a folder, which needs no password.
    pub(super) fn endpoint_for(&self, user: &str) -> Option<Endpoint> {
        match &self.at {
            At::Folder(_) => None,
            At::Network { endpoint, .. } => Some(endpoint.clone().with_user(user)),
        }
    }
}

impl Host<'_> {
    /// Returns what a database's password is bound to; `None` in a folder, where there is no password.
    pub(super) fn purpose<'b>(
        &self,
        row: &'b Model,
        tenant_id: &'b TenantId,
    ) -> Result<Option<Purpose<'b>>, RegistryError> {
        self.purpose_of(row, tenant_id, row.secret_version)
    }

    /// The same for another version of it: the one before, or the one that comes.
    pub(super) fn purpose_of<'b>(
        &self,
        row: &'b Model,
        tenant_id: &'b TenantId,
        version: i64,
    ) -> Result<Option<Purpose<'b>>, RegistryError> {
        let At::Network { endpoint, .. } = &self.at else {
            return Ok(None);
        };
        let user = at(row).read("db_user", row.db_user.as_deref())?;
        let endpoint = endpoint.clone().with_user(user);
        Ok(Some(Purpose::database(
            &row.id, version, tenant_id, &row.name, endpoint,
        )))
    }
}

impl Registry {
    /// Builds a database's address; opens its password if it has one.
    pub(super) fn address_of(
        &self,
        row: &Model,
        tenant_id: &TenantId,
        host: &Host<'_>,
    ) -> Result<Address, RegistryError> {
        self.check_bound(&format!("database `{}`", row.name), &host.server.jurisdiction)?;
        let (name, port, tls, direct) = match &host.at {
            At::Folder(folder) => {
                return Ok(Address::Sqlite(SqliteAddress {
                    folder: folder.to_path_buf(),
                    file: row.name.clone(),
                }));
            }
            At::Network {
                host,
                port,
                tls,
                direct,
                ..
            } => (*host, *port, *tls, *direct),
        };
        self.check_direct(host.server)?;
        let user = at(row).read("db_user", row.db_user.clone())?;
        let sealed = at(row).read("secret", row.secret.as_deref())?;
        let purpose = at(row).read("server_id", host.purpose(row, tenant_id)?)?;
        let password = self.open(&purpose, sealed)?;
        Ok(Address::Network(NetworkAddress {
            engine: host.server.engine,
            host: name.to_owned(),
            port,
            tls: tls.clone(),
            direct: direct.cloned(),
            database: row.name.clone(),
            login: Login { user, password },
        }))
    }
}
