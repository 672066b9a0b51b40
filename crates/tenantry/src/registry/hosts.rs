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
}

impl Registry {
    /// Builds a database's address; opens its password if it has one.
    pub(super) fn address_of(
        &self,
        row: &Model,
        tenant_id: &TenantId,
        host: &Host<'_>,
    ) -> Result<Address, RegistryError> {
        let (name, port, tls, direct, endpoint) = match &host.at {
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
                endpoint,
            } => (*host, *port, *tls, *direct, endpoint),
        };
        self.check_direct(host.server)?;
        let user = at(row).read("db_user", row.db_user.clone())?;
        let sealed = at(row).read("secret", row.secret.as_deref())?;
        let endpoint = endpoint.clone().with_user(&user);
        let purpose = Purpose::database(&row.id, row.secret_version, tenant_id, &row.name, endpoint);
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
