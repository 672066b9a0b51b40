//! What an envelope is bound to: the place of the secret in the registry and the endpoint it is for.

use sha2::{Digest as _, Sha256};

use crate::engine::{Engine, Tls};
use crate::secret::KeyId;
use crate::secret::envelope::FORMAT;
use crate::tenant::TenantId;

/// The first field of every binding; it tells our envelopes from any other use of the same key.
const DOMAIN: &[u8] = b"tmc-cred";

/// Everything a secret belongs to; an envelope opens only under the binding it was sealed under.
///
/// So an envelope that is copied to another row, another tenant or another host stays closed. A field
/// that does not apply is `None`, never an empty text: the two are sealed alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The registry's own id.
    pub registry_id: String,
    /// The registry's table that holds the secret.
    pub table: String,
    /// The id of the row.
    pub row_id: String,
    /// The tenant; `None` for a server's administrator.
    pub tenant_id: Option<TenantId>,
    /// The database's id in the registry; `None` for a server's administrator.
    pub database_id: Option<String>,
    /// The column.
    pub field: String,
    /// The number of this secret in its row, one higher with every new password.
    pub secret_version: u64,
    /// What the secret is for: `admin-login`, `tenant-login`.
    pub purpose: String,
    /// Where the secret is sent.
    pub endpoint: Endpoint,
}

/// The endpoint that a secret is sent to, spelled as the registry holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What runs there.
    pub engine: Engine,
    /// The host name or IP address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The database's name; `None` for a server's administrator.
    pub database: Option<String>,
    /// The database user.
    pub user: String,
    /// The word of the `--tls` flag: `verify-full`, `verify-ca`, `require`, `disable`.
    pub tls_mode: String,
    /// SHA-256 in lower-case hex of the authorities' PEM text; `None` where there is none.
    pub ca_fingerprint: Option<String>,
}

impl Endpoint {
    /// Describes a server's endpoint, without a database.
    pub fn new(engine: Engine, host: &str, port: u16, tls: &Tls, user: &str) -> Self {
        let (tls_mode, ca_pem) = match tls {
            Tls::VerifyFull { ca_pem } => ("verify-full", ca_pem.as_ref()),
            Tls::VerifyCa { ca_pem } => ("verify-ca", Some(ca_pem)),
            Tls::Require => ("require", None),
            Tls::Disable => ("disable", None),
        };
        Self {
            engine,
            host: host.to_owned(),
            port,
            database: None,
            user: user.to_owned(),
            tls_mode: tls_mode.to_owned(),
            ca_fingerprint: ca_pem.map(|pem| hex::encode(Sha256::digest(pem.as_bytes()))),
        }
    }

    /// Returns the same endpoint for another user.
    #[must_use]
    pub fn with_user(mut self, user: &str) -> Self {
        user.clone_into(&mut self.user);
        self
    }

    /// Narrows the endpoint to one database.
    #[must_use]
    pub fn with_database(mut self, database: &str) -> Self {
        self.database = Some(database.to_owned());
        self
    }
}

impl Binding {
    /// Returns the associated data of both encryptions of an envelope, under the key `key_id`.
    pub(super) fn associated_data(&self, key_id: KeyId) -> Vec<u8> {
        let tenant_id = self.tenant_id.as_ref().map_or("", TenantId::as_str);
        let endpoint = &self.endpoint;
        let fields: [&[u8]; 18] = [
            DOMAIN,
            &[FORMAT],
            self.registry_id.as_bytes(),
            self.table.as_bytes(),
            self.row_id.as_bytes(),
            tenant_id.as_bytes(),
            bytes_or_none(self.database_id.as_ref()),
            self.field.as_bytes(),
            &self.secret_version.to_be_bytes(),
            key_id.as_bytes(),
            self.purpose.as_bytes(),
            endpoint.engine.as_str().as_bytes(),
            endpoint.host.as_bytes(),
            &endpoint.port.to_be_bytes(),
            bytes_or_none(endpoint.database.as_ref()),
            endpoint.user.as_bytes(),
            endpoint.tls_mode.as_bytes(),
            bytes_or_none(endpoint.ca_fingerprint.as_ref()),
        ];
        let mut data = Vec::with_capacity(512);
        for field in fields {
            // Without its length a field could hand its last letters to the next one.
            data.extend_from_slice(&(field.len() as u64).to_be_bytes());
            data.extend_from_slice(field);
        }
        data
    }
}

/// Returns the text's bytes, or no bytes where there is no text.
fn bytes_or_none(text: Option<&String>) -> &[u8] {
    text.map_or(&[], |text| text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_knows_its_authorities_by_fingerprint() {
        let tls = Tls::VerifyCa { ca_pem: "abc".into() };
        let endpoint = Endpoint::new(Engine::Postgres, "db1", 5432, &tls, "postgres");
        assert_eq!(endpoint.tls_mode, "verify-ca");
        assert_eq!(
            endpoint.ca_fingerprint.as_deref(),
            Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            "the SHA-256 example of FIPS 180-4"
        );
        assert_eq!(endpoint.with_database("shop").database.as_deref(), Some("shop"));
    }
}
