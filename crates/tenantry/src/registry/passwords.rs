//! Sealing and opening the passwords that the registry keeps, each under the place it belongs to, and the endpoints
//! that they may be sent to beside it.

use secrecy::{ExposeSecret as _, SecretString};

use super::servers::ListedServer;
use super::{Registry, RegistryError};
use crate::engine::{Engine, Place};
use crate::secret::{Binding, Endpoint, Envelope, SecretError, open, seal};
use crate::tenant::{ServerName, TenantId};

/// Whose an envelope is.
#[derive(Clone, Copy)]
enum Kind<'a> {
    /// A server's administrator's password.
    Admin,
    /// A server's own endpoint, behind the pooler's.
    Direct,
    /// The password of a tenant's database.
    Database(&'a TenantId),
}

impl Kind<'_> {
    /// Returns table, column and purpose.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Admin => ("tenantry_servers", "admin_secret", "admin-login"),
            Self::Direct => ("tenantry_servers", "direct_seal", "direct-endpoint"),
            Self::Database(_) => ("tenantry_databases", "secret", "tenant-login"),
        }
    }
}

/// What an envelope is for, as it is bound to it.
pub(super) struct Purpose<'a> {
    row_id: &'a str,
    kind: Kind<'a>,
    version: i64,
    endpoint: Endpoint,
    /// The name that messages use.
    of: String,
}

impl<'a> Purpose<'a> {
    /// The administrator's password of a server.
    pub(super) fn admin(id: &'a str, version: i64, name: &ServerName, endpoint: Endpoint) -> Self {
        Self {
            row_id: id,
            kind: Kind::Admin,
            version,
            endpoint,
            of: format!("server `{name}`"),
        }
    }

    /// The login of a tenant's database.
    pub(super) fn database(
        id: &'a str,
        version: i64,
        tenant_id: &'a TenantId,
        name: &str,
        endpoint: Endpoint,
    ) -> Self {
        Self {
            row_id: id,
            kind: Kind::Database(tenant_id),
            version,
            endpoint: endpoint.with_database(name),
            of: format!("database `{name}`"),
        }
    }

    /// A server's own endpoint, and the one that it stands behind; `None` where it has none.
    pub(super) fn direct(server: &'a ListedServer) -> Option<(Self, String)> {
        let Place::Network {
            host,
            port,
            tls,
            direct,
        } = &server.place
        else {
            return None;
        };
        let direct = direct.as_ref()?;
        let purpose = Self {
            row_id: &server.id,
            kind: Kind::Direct,
            version: 1,
            endpoint: Endpoint::new(server.engine, &direct.host, direct.port, tls, ""),
            of: format!("server `{}` at its direct endpoint", server.name),
        };
        Some((purpose, format!("{host}:{port}")))
    }

    /// Returns the name that messages use.
    pub(super) fn of(&self) -> &str {
        &self.of
    }

    /// Returns the id of the row that holds the envelope.
    pub(super) fn row_id(&self) -> &str {
        self.row_id
    }

    fn binding(&self, registry_id: &str) -> Binding {
        let (table, field, purpose) = self.kind.words();
        let tenant_id = match self.kind {
            Kind::Database(tenant_id) => Some(tenant_id.clone()),
            Kind::Admin | Kind::Direct => None,
        };
        Binding {
            registry_id: registry_id.to_owned(),
            table: table.to_owned(),
            row_id: self.row_id.to_owned(),
            database_id: tenant_id.is_some().then(|| self.row_id.to_owned()),
            tenant_id,
            field: field.to_owned(),
            secret_version: u64::try_from(self.version).unwrap_or(0),
            purpose: purpose.to_owned(),
            endpoint: self.endpoint.clone(),
        }
    }
}

/// Returns the endpoint that a user's password is bound to: the given one, also where the server has one of its
/// own behind a pooler; `None` for a folder, which needs no password.
pub(super) fn endpoint_of(engine: Engine, place: &Place, user: &str) -> Option<Endpoint> {
    match place {
        Place::Network { host, port, tls, .. } => Some(Endpoint::new(engine, host, *port, tls, user)),
        Place::Folder(_) => None,
    }
}

impl Registry {
    /// Seals a password for its place; returns the text that the column holds.
    pub(super) fn seal(
        &self,
        purpose: &Purpose<'_>,
        password: &SecretString,
    ) -> Result<String, RegistryError> {
        let keys = self.ring(&purpose.of)?;
        seal(keys.active(), &purpose.binding(&self.id), password)
            .map(|envelope| envelope.to_text())
            .map_err(|source| RegistryError::NotSealed {
                of: purpose.of.clone(),
                source,
            })
    }

    /// Seals a server's own endpoint, so that nobody without the key can have logins sent elsewhere; `None` where it
    /// has none.
    pub(super) fn seal_direct(&self, server: &ListedServer) -> Result<Option<String>, RegistryError> {
        let Some((purpose, given)) = Purpose::direct(server) else {
            return Ok(None);
        };
        self.seal(&purpose, &SecretString::from(given)).map(Some)
    }

    /// Refuses an endpoint that [`Self::seal_direct`] did not seal for this server.
    pub(super) fn check_direct(&self, server: &ListedServer) -> Result<(), RegistryError> {
        let Some((purpose, given)) = Purpose::direct(server) else {
            return Ok(());
        };
        let sealed = server.direct_seal.as_deref().unwrap_or_default();
        if self.open(&purpose, sealed)?.expose_secret() == given {
            return Ok(());
        }
        Err(RegistryError::Locked {
            of: purpose.of,
            source: SecretError::Unavailable,
        })
    }

    /// Opens what [`Self::seal`] made, if it still stands where it was put.
    pub(super) fn open(&self, purpose: &Purpose<'_>, text: &str) -> Result<SecretString, RegistryError> {
        let keys = self.ring(&purpose.of)?;
        Envelope::from_text(text)
            .map_err(|_| SecretError::Unavailable)
            .and_then(|envelope| open(keys, &purpose.binding(&self.id), envelope.as_bytes()))
            .map_err(|source| RegistryError::Locked {
                of: purpose.of.clone(),
                source,
            })
    }
}
