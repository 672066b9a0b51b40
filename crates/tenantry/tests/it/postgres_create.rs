//! Creating databases on PostgreSQL: what is half-made is continued, what is somebody else's stays as it is.

use secrecy::SecretString;
use tenantry::engine::{self, Address, CreateError, Engine, Login, NewDatabase};

use crate::database::{self, TestServer, query};

/// A verifier of a password: another test looks for passwords in the server's log.
const THEIRS: &str = "SCRAM-SHA-256$4096:AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// The administrator's view of a server, and a name that no other test uses.
struct Bench {
    server: TestServer,
    name: String,
}

impl Bench {
    fn new() -> Option<Self> {
        Some(Self {
            server: database::server(Engine::Postgres)?,
            name: format!("made_{}", uuid::Uuid::now_v7().simple()),
        })
    }

    fn admin(&self) -> Address {
        Address::Network(self.server.address(Engine::Postgres, "postgres"))
    }

    async fn run(&self, sql: &str) {
        query(&self.admin(), &sql.replace("{name}", &self.name)).await;
    }

    /// What the server knows of role and database: password, rights, marks.
    async fn seen(&self) -> Vec<Vec<String>> {
        let sql = "SELECT (SELECT rolpassword FROM pg_authid WHERE rolname = '{name}'), \
             (SELECT rolcreatedb FROM pg_authid WHERE rolname = '{name}'), \
             (SELECT shobj_description(oid, 'pg_authid') FROM pg_authid WHERE rolname = '{name}'), \
             (SELECT coalesce(datacl::text, 'as made') FROM pg_database WHERE datname = '{name}'), \
             (SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{name}'), \
             (SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid \
              WHERE r.rolname = '{name}')";
        query(&self.admin(), &sql.replace("{name}", &self.name)).await
    }

    async fn create(&self) -> Result<(), CreateError> {
        let new = NewDatabase {
            name: self.name.clone(),
            login: Some(Login {
                user: self.name.clone(),
                password: SecretString::from("ours"),
            }),
            database_id: format!("id-of-{}", self.name),
            tenant_id: "tenant".to_owned(),
            registry_id: "registry".to_owned(),
        };
        engine::create_database(&self.admin(), &new).await
    }

    async fn refused(&self, what: &str) {
        let before = self.seen().await;
        let error = self.create().await.unwrap_err();
        let CreateError::Conflict {
            what: found, name, ..
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!((*found, name), (what, &self.name));
        let mut after = self.seen().await;
        if what == "database" {
            // The role is ours, and was made before the database was looked at.
            after[0].splice(..3, before[0][..3].iter().cloned());
            after[0].truncate(5);
        }
        assert_eq!(after[0], before[0][..after[0].len()]);
    }

    async fn clear(&self) {
        self.run("DROP DATABASE IF EXISTS {name}").await;
        self.run("DROP ROLE IF EXISTS {name}").await;
    }
}

#[tokio::test]
async fn somebody_elses_role_keeps_its_password_and_its_rights() {
    let Some(bench) = Bench::new() else { return };
    bench
        .run(&format!(
            "CREATE ROLE {{name}} LOGIN CREATEDB PASSWORD '{THEIRS}'"
        ))
        .await;
    bench.refused("role").await;
    bench.run("COMMENT ON ROLE {name} IS 'tenantry:another-id'").await;
    bench.refused("role").await;
    bench.clear().await;
}

#[tokio::test]
async fn somebody_elses_database_keeps_its_rights_and_its_comment() {
    let Some(bench) = Bench::new() else { return };
    bench.run("CREATE DATABASE {name}").await;
    bench.refused("database").await;
    bench
        .run("COMMENT ON DATABASE {name} IS 'tenantry:another-id'")
        .await;
    bench.refused("database").await;
    bench.clear().await;
}

#[tokio::test]
async fn a_role_and_a_database_that_we_began_are_continued() {
    let Some(bench) = Bench::new() else { return };
    bench.create().await.unwrap();
    let whole = bench.seen().await;
    // Killed behind CREATE DATABASE, and killed behind the role.
    for undo in ["COMMENT ON DATABASE {name} IS NULL", "DROP DATABASE {name}"] {
        bench.run(undo).await;
        bench.create().await.unwrap();
        // The password's salt is another each time.
        assert_eq!(bench.seen().await[0][1..], whole[0][1..], "{undo}");
    }
    bench.clear().await;
}
