//! A certificate authority for one run, and the servers' certificate for `localhost` and 127.0.0.1.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::account::Account;
use super::folder::write_private;
use crate::process::run_quietly;
use crate::test::programs;

const EXTENSIONS: &str = "\
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
";

/// The files of one run's certificates.
#[derive(Debug)]
pub(crate) struct Certificates {
    /// The authority's certificate, which everybody may read.
    pub(crate) ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

/// Where a server finds its own copies.
#[derive(Debug)]
pub(crate) struct ServerCertificate {
    /// The certificate.
    pub(crate) certificate: PathBuf,
    /// The private key.
    pub(crate) key: PathBuf,
}

impl Certificates {
    /// Makes them in `folder`; `None` when there is no `openssl` program.
    pub(crate) fn create(folder: &Path) -> anyhow::Result<Option<Self>> {
        let Some(openssl) = programs::find("openssl") else {
            return Ok(None);
        };
        let made = Self {
            ca: folder.join("ca.pem"),
            certificate: folder.join("server.pem"),
            key: folder.join("server.key"),
        };
        fs::write(folder.join("server.ext"), EXTENSIONS)?;
        for step in [AUTHORITY, REQUEST, SIGNATURE] {
            let mut command = Command::new(&openssl);
            run_quietly(command.current_dir(folder).args(step.split_whitespace()))?;
        }
        // Nothing else is to be signed, and a key that is not there cannot be taken.
        fs::remove_file(folder.join("ca.key"))?;
        Ok(Some(made))
    }

    /// Copies certificate and key into a server's folder, readable by its user alone.
    pub(crate) fn copy_to(
        &self,
        folder: &Path,
        account: Option<Account>,
    ) -> anyhow::Result<ServerCertificate> {
        let copies = ServerCertificate {
            certificate: folder.join("server.pem"),
            key: folder.join("server.key"),
        };
        for (from, to) in [(&self.certificate, &copies.certificate), (&self.key, &copies.key)] {
            write_private(to, &fs::read_to_string(from)?, account)?;
        }
        Ok(copies)
    }
}

const AUTHORITY: &str = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
    -subj /CN=tenantry-test-authority -addext basicConstraints=critical,CA:TRUE \
    -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.pem";
const REQUEST: &str = "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
    -keyout server.key -out server.csr";
const SIGNATURE: &str = "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
    -extfile server.ext -out server.pem";
