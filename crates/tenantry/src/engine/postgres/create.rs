//! Creates a tenant's database and its role, in steps that can each be repeated.

use std::time::Duration;

use postgres_protocol::password::scram_sha_256;
use secrecy::ExposeSecret as _;
use tokio::time::Instant;

use super::connect::Connection;
use super::error::Failure;
use super::hold::{require_no_pooler, try_lock};
use crate::engine::create::{CreateError, NewDatabase};
use crate::engine::identity::lock_key;
use crate::engine::marker::text_of;
use crate::engine::text::{identifier, literal};
use crate::engine::{
    DatabaseError, Expects, IDLE_TIMEOUT, Login, NetworkAddress, OpenOptions, SessionError, poll,
};
use crate::faults::{Point, point};

/// What our comment on a database or role begins with; the database's id follows.
const TOKEN: &str = "tenantry:";

/// SQLSTATEs of objects that are there already.
const DUPLICATE_DATABASE: &str = "42P04";
const DUPLICATE_OBJECT: &str = "42710";
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// Creates the role and the database it owns, both marked as ours by a comment. `admin` leads to the
/// server's maintenance database.
///
/// Repeating it is harmless: what carries our mark is taken for what was begun earlier, and the role gets
/// the password again. Whoever makes the same database meanwhile is waited for, up to 30 s (`Busy`). Anything
/// else of that name is a `Conflict` and stays as it is.
pub(crate) async fn create_database(admin: &NetworkAddress, new: &NewDatabase) -> Result<(), CreateError> {
    let Some(login) = &new.login else {
        return Err(CreateError::Session(SessionError::Unsuitable {
            endpoint: format!("{}:{}", admin.host, admin.port),
            reason: "a PostgreSQL database needs a role that owns it".to_owned(),
        }));
    };
    let connection = Connection::open(admin, &options())
        .await
        .map_err(CreateError::Session)?;
    let mut making = Making {
        connection,
        admin,
        new,
    };
    making.alone().await?;
    making.role(login).await?;
    point(Point::LifeRoleMade);
    making.database(login).await
}

/// Connects as the administrator and returns the product and its version.
pub(crate) async fn describe(admin: &NetworkAddress) -> Result<String, SessionError> {
    version(&mut Connection::open(admin, &options()).await?).await
}

/// The same where the server itself must answer: a pooler is `Pooled`.
pub(crate) async fn describe_direct(admin: &NetworkAddress) -> Result<String, SessionError> {
    let mut connection = Connection::open(admin, &options()).await?;
    require_no_pooler(&mut connection).await?;
    version(&mut connection).await
}

async fn version(connection: &mut Connection) -> Result<String, SessionError> {
    let mut version = String::new();
    let answer = connection
        .exchange("SHOW server_version", |_, row| {
            row.get(0).unwrap_or_default().clone_into(&mut version);
        })
        .await;
    match answer.failure {
        None => Ok(format!(
            "PostgreSQL {}",
            crate::engine::text::clean(version.split(' ').next().unwrap_or_default())
        )),
        Some(failure) => Err(failure.into_session_error()),
    }
}

/// Settings of a connection that creates; it takes no migration lock.
pub(super) fn options() -> OpenOptions {
    OpenOptions {
        application_name: "tenantry create".to_owned(),
        connect_timeout: Duration::from_secs(10),
        lock_timeout: Duration::from_secs(30),
        lock_window: Duration::ZERO,
        idle_timeout: IDLE_TIMEOUT,
        database_id: String::new(),
        tenant_id: String::new(),
        registry_id: String::new(),
        expects: Expects::Tables,
    }
}

/// What carries a mark of ours.
#[derive(Clone, Copy, Debug)]
enum Object {
    Role,
    Database,
}

impl Object {
    fn word(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Database => "database",
        }
    }
}

struct Making<'a> {
    connection: Connection,
    admin: &'a NetworkAddress,
    new: &'a NewDatabase,
}

impl Making<'_> {
    /// Waits until nobody else makes this database: two at once find each other's half-made objects. The lock
    /// is gone with this connection. A pooler would keep it, so there none is taken.
    async fn alone(&mut self) -> Result<(), CreateError> {
        let window = options().lock_timeout;
        let lock = try_lock(self.connection.named, lock_key(&self.new.database_id));
        let begun = Instant::now();
        while self.ask(&lock).await?.as_deref() == Some("f") {
            if begun.elapsed() >= window {
                return Err(CreateError::Busy {
                    database: self.new.name.clone(),
                    endpoint: self.endpoint(),
                    waited: begun.elapsed(),
                });
            }
            poll::pause(window.saturating_sub(begun.elapsed())).await;
        }
        Ok(())
    }

    async fn role(&mut self, login: &Login) -> Result<(), CreateError> {
        let mark = format!("{TOKEN}{}", self.new.database_id);
        let role = identifier(&login.user);
        // The server stores a verifier; sending it made keeps the password out of the server's log.
        let verifier = literal(&scram_sha_256(login.password.expose_secret().as_bytes()));
        let create = format!(
            "BEGIN; CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD {verifier};\n\
             COMMENT ON ROLE {role} IS {}; COMMIT",
            literal(&mark)
        );
        match self.send(&create).await {
            Ok(()) => {}
            Err(Failure::Refused { sqlstate, .. }) if sqlstate == DUPLICATE_OBJECT => {
                self.send("ROLLBACK")
                    .await
                    .map_err(|failure| self.failed(failure))?;
                self.require_mark(Object::Role, &login.user).await?;
                let renew = format!("ALTER ROLE {role} LOGIN PASSWORD {verifier}");
                self.send(&renew).await.map_err(|failure| self.failed(failure))?;
            }
            Err(failure) => return Err(self.failed(failure)),
        }
        // Without membership an administrator who is no superuser may not give a database to the role
        // ("CREATE DATABASE", OWNER).
        let grant = format!("GRANT {role} TO CURRENT_USER");
        match self.send(&grant).await {
            Ok(()) | Err(Failure::Refused { .. }) => Ok(()),
            Err(lost) => Err(self.failed(lost)),
        }
    }

    async fn database(&mut self, login: &Login) -> Result<(), CreateError> {
        let (database, role) = (identifier(&self.new.name), identifier(&login.user));
        let create = format!("CREATE DATABASE {database} OWNER {role}");
        match self.send(&create).await {
            Ok(()) => {
                point(Point::LifeDatabaseMade);
                self.mark_database(&database).await?;
            }
            Err(Failure::Refused { sqlstate, .. }) if sqlstate == DUPLICATE_DATABASE => {
                self.adopt_database(&database, login).await?;
            }
            Err(failure) => return Err(self.failed(failure)),
        }
        self.require_mark(Object::Database, &self.new.name).await?;
        point(Point::LifeDatabaseMarked);
        // Other tenants' roles must not even connect.
        let close = format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC");
        self.send(&close).await.map_err(|failure| self.failed(failure))
    }

    async fn mark_database(&mut self, database: &str) -> Result<(), CreateError> {
        let mark = literal(&format!("{TOKEN}{}", self.new.database_id));
        let sql = format!("COMMENT ON DATABASE {database} IS {mark}");
        self.send(&sql).await.map_err(|failure| self.failed(failure))
    }

    /// Between CREATE DATABASE and its comment a crash leaves a database without a mark. It is ours all the
    /// same if its owner is the role that carries our mark, which nobody else can have made.
    async fn adopt_database(&mut self, database: &str, login: &Login) -> Result<(), CreateError> {
        let sql = format!(
            "SELECT pg_catalog.shobj_description(d.oid, 'pg_database') IS NULL AND r.rolname = {} \
             FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles r ON r.oid = d.datdba WHERE d.datname = {}",
            literal(&login.user),
            literal(&self.new.name)
        );
        if self.ask(&sql).await?.as_deref() == Some("t") {
            self.mark_database(database).await
        } else {
            Ok(())
        }
    }

    /// Reads back that the object carries our mark; a run may have put markers behind it.
    async fn require_mark(&mut self, object: Object, name: &str) -> Result<(), CreateError> {
        let what = object.word();
        let (class, view, column) = match object {
            Object::Role => ("pg_authid", "pg_roles", "rolname"),
            Object::Database => ("pg_database", "pg_database", "datname"),
        };
        let sql = format!(
            "SELECT pg_catalog.shobj_description(oid, '{class}') FROM pg_catalog.{view} WHERE {column} = {}",
            literal(name)
        );
        let found = self.ask(&sql).await?;
        if found.is_some_and(|found| text_of(&found) == format!("{TOKEN}{}", self.new.database_id)) {
            return Ok(());
        }
        Err(CreateError::Conflict {
            what,
            name: name.to_owned(),
            endpoint: self.endpoint(),
            reason: format!("the {what} does not carry our mark"),
        })
    }

    async fn send(&mut self, sql: &str) -> Result<(), Failure> {
        self.connection
            .exchange(sql, |_, _| {})
            .await
            .failure
            .map_or(Ok(()), Err)
    }

    async fn ask(&mut self, sql: &str) -> Result<Option<String>, CreateError> {
        let mut found = None;
        let answer = self
            .connection
            .exchange(sql, |_, row| found = row.get(0).map(ToOwned::to_owned))
            .await;
        answer
            .failure
            .map_or(Ok(found), |failure| Err(self.failed(failure)))
    }

    fn endpoint(&self) -> String {
        format!("{}:{}", self.admin.host, self.admin.port)
    }

    fn failed(&self, failure: Failure) -> CreateError {
        match failure {
            Failure::Refused {
                error: DatabaseError { message, .. },
                sqlstate,
                ..
            } if sqlstate == INSUFFICIENT_PRIVILEGE => CreateError::Denied {
                database: self.new.name.clone(),
                endpoint: self.endpoint(),
                reason: format!(
                    "{message}; an administrator of the server can run: ALTER ROLE {} CREATEDB CREATEROLE",
                    identifier(&self.admin.login.user)
                ),
            },
            other @ (Failure::Refused { .. } | Failure::Lost(_)) => {
                CreateError::Session(other.into_session_error())
            }
        }
    }
}
