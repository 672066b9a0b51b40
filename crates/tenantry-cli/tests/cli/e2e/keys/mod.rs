//! The keys of an installation: where they come from, how they are replaced, and what works without them.

mod killed;
mod replaced;
mod sealed;
mod sources;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;
use tenantry::engine::{Address, Engine, Login, Place, SqliteAddress, Tls};
use tenantry::registry::{NewServer, Registry, Tier};
use tenantry::secret::{Binding, Endpoint, KeyRing, read_key_file, seal};
use tenantry::{Intake, Selection, TenantId};

use crate::platform::wait;
use crate::{only_json, tenantry};

const HOST: &str = "127.0.0.1";
/// Nobody listens there.
const PORT: u16 = 1;

/// A project with a registry in a file, and one server on the network that nobody needs to reach.
struct Project {
    folder: TempDir,
}

impl Project {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = Self { folder };
        project.ends(0, &["init"]);
        project.ends(0, &["migrate", "central"]);
        project
    }

    /// The same with a server and this many tenants, each with a sealed password.
    fn with_tenants(tenants: usize) -> Self {
        let project = Self::new();
        wait(project.fill(tenants));
        project
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn key_file(&self) -> PathBuf {
        self.path().join(".tenantry/key")
    }

    fn ends(&self, code: i32, arguments: &[&str]) -> std::process::Output {
        let output = tenantry(self.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        output
    }

    /// Gives a command with `--json` and returns its answer.
    fn json(&self, code: i32, arguments: &[&str]) -> serde_json::Value {
        only_json(&self.ends(code, &[arguments, &["--json"]].concat()))
    }

    /// Returns the ids of the keys in the file.
    fn ids(&self) -> Vec<String> {
        let keys = read_key_file(&self.key_file()).unwrap();
        keys.ids().map(|id| id.to_string()).collect()
    }

    /// Returns what `key list` says of each key: state, whether it is here, how many secrets need it.
    fn keys(&self) -> BTreeMap<String, (String, bool, u64)> {
        let listed = self.json(0, &["key", "list"]);
        let items = listed["items"].as_array().unwrap().iter();
        items
            .map(|key| {
                let text = |name: &str| key[name].as_str().unwrap().to_owned();
                let of = (
                    text("state"),
                    key["here"].as_bool().unwrap(),
                    key["secrets"].as_u64().unwrap(),
                );
                (text("id"), of)
            })
            .collect()
    }

    async fn registry(&self, keys: KeyRing) -> Registry {
        let address = Address::Sqlite(SqliteAddress {
            folder: self.path().join("data"),
            file: "central.db".to_owned(),
        });
        let registry = Registry::connect(&address, Duration::from_secs(5)).await.unwrap();
        registry.with_keys(keys)
    }

    async fn fill(&self, tenants: usize) {
        let registry = self.registry(read_key_file(&self.key_file()).unwrap()).await;
        let server = registry.add_server(&server()).await.unwrap();
        let keys = read_key_file(&self.key_file()).unwrap();
        let mut db = self.sql();
        let transaction = db.transaction().unwrap();
        for number in 0..tenants {
            let (id, name) = (format!("id-{number:06}"), format!("tenant_{number}"));
            let endpoint = Endpoint::new(Engine::Postgres, HOST, PORT, &Tls::Disable, "owner");
            let binding = Binding {
                registry_id: registry.registry_id().to_owned(),
                table: "tenantry_databases".to_owned(),
                row_id: id.clone(),
                tenant_id: Some(TenantId::from_text(id.clone())),
                database_id: Some(id.clone()),
                field: "secret".to_owned(),
                secret_version: 1,
                purpose: "tenant-login".to_owned(),
                endpoint: endpoint.with_database(&name),
            };
            let sealed = seal(keys.active(), &binding, &password(number))
                .unwrap()
                .to_text();
            let slug = format!("t{number:06}");
            transaction
                .execute(
                    "INSERT INTO tenantry_tenants (id, slug, name, jurisdiction, status, created_at) \
                     VALUES (?1, ?2, ?2, 'uk', 'active', 1)",
                    [&id, &slug],
                )
                .unwrap();
            transaction
                .execute(
                    "INSERT INTO tenantry_databases (id, tenant_id, product, server_id, name, db_user, secret, \
                     secret_version, status, created_at) VALUES (?1, ?1, '', ?2, ?3, 'owner', ?4, 1, 'ready', 1)",
                    [&id, &server.id, &name, &sealed],
                )
                .unwrap();
        }
        transaction.commit().unwrap();
    }

    /// Opens the registry's file beside the program.
    fn sql(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path().join("data/central.db")).unwrap()
    }

    /// Opens every secret with the keys of the file, and compares it with what it was.
    fn assert_every_secret_opens(&self, tenants: usize) {
        wait(async {
            let registry = self.registry(read_key_file(&self.key_file()).unwrap()).await;
            let found = registry
                .targets(&Selection::default(), Tier::Tenant)
                .await
                .unwrap();
            assert_eq!((found.targets.len(), found.locked.len()), (tenants, 0));
            for target in &found.targets {
                let Address::Network(at) = &target.address else {
                    panic!("{target:?}");
                };
                let number: usize = at.database.strip_prefix("tenant_").unwrap().parse().unwrap();
                assert_eq!(
                    at.login.password.expose_secret(),
                    password(number).expose_secret(),
                    "{number}"
                );
            }
            let server = registry.find_server("net").await.unwrap();
            assert_eq!(server.admin.unwrap().password.expose_secret(), "Admin-S3cret");
        });
    }
}

fn password(number: usize) -> SecretString {
    SecretString::from(format!("pässword-{number}-of-its-own"))
}

fn server() -> NewServer {
    NewServer {
        name: "net".parse().unwrap(),
        engine: Engine::Postgres,
        jurisdiction: "uk".parse().unwrap(),
        place: Place::Network {
            host: HOST.to_owned(),
            port: PORT,
            tls: Tls::Disable,
            direct: None,
        },
        admin: Some(Login {
            user: "admin".to_owned(),
            password: SecretString::from("Admin-S3cret"),
        }),
        insecure_reason: None,
        max_parallel: None,
        intake: Intake::default(),
        server_version: None,
    }
}

/// Writes a key file as `init` would.
fn write_private(path: &Path, content: impl AsRef<[u8]>) {
    use std::os::unix::fs::PermissionsExt as _;
    drop(fs::remove_file(path));
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
