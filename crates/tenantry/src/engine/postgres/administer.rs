//! Closing, opening and dropping a tenant's database, as the server's administrator.

use super::connect::Connection;
use super::create::options;
use super::error::Failure;
use crate::engine::administer::{Access, AdministerError, Existing, Removed, mark_of};
use crate::engine::marker::text_of;
use crate::engine::text::{identifier, literal};
use crate::engine::{DatabaseError, Login, NetworkAddress};
use crate::faults::{Point, point};

const INSUFFICIENT_PRIVILEGE: &str = "42501";
/// What is asked for is not there: a role, a database.
const UNDEFINED_OBJECT: &str = "42704";

/// Lets the database's role in, or not; with [`Access::Closed`] its sessions are ended. A role that is not there is
/// closed. `admin` leads to the server's maintenance database.
pub(crate) async fn set_access(
    admin: &NetworkAddress,
    existing: &Existing,
    access: Access,
) -> Result<(), AdministerError> {
    let Some(login) = &existing.login else {
        return Ok(());
    };
    let mut work = Work::open(admin, existing).await?;
    let role = identifier(&login.user);
    match access {
        Access::Open => work.send(&format!("ALTER ROLE {role} LOGIN")).await,
        Access::Closed => {
            work.require_own_role(login).await?;
            work.mark().await?;
            match work.try_send(&format!("ALTER ROLE {role} NOLOGIN")).await {
                Err(Failure::Refused { sqlstate, .. }) if sqlstate == UNDEFINED_OBJECT => return Ok(()),
                Err(failure) => return Err(work.failed(failure)),
                Ok(()) => {}
            }
            work.send(&format!(
                "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = {}",
                literal(&login.user)
            ))
            .await
        }
    }
}

/// Drops the database if it carries our mark, and its role if that does and owns nothing else. What is gone already
/// is no error, so that it can be repeated.
pub(crate) async fn remove(admin: &NetworkAddress, existing: &Existing) -> Result<Removed, AdministerError> {
    let mut work = Work::open(admin, existing).await?;
    let was_there = match work.comment().await? {
        None => false,
        Some(comment) if work.is_marked(&comment) => {
            let database = identifier(&existing.name);
            work.send(&format!("DROP DATABASE {database} WITH (FORCE)"))
                .await?;
            if work.comment().await?.is_some() {
                return Err(AdministerError::StillThere {
                    name: existing.name.clone(),
                    endpoint: work.endpoint(),
                });
            }
            true
        }
        Some(_) => return Err(work.not_ours()),
    };
    point(Point::LifeDatabaseDropped);
    let role_stays = match &existing.login {
        Some(login) => work.remove_role(login).await?,
        None => None,
    };
    Ok(Removed {
        was_there,
        role_stays,
    })
}

struct Work<'a> {
    connection: Connection,
    admin: &'a NetworkAddress,
    existing: &'a Existing,
}

impl<'a> Work<'a> {
    async fn open(admin: &'a NetworkAddress, existing: &'a Existing) -> Result<Self, AdministerError> {
        let connection = Connection::open(admin, &options())
            .await
            .map_err(AdministerError::Session)?;
        Ok(Self {
            connection,
            admin,
            existing,
        })
    }

    /// Returns the database's comment, empty if it has none; `None` if there is no such database.
    async fn comment(&mut self) -> Result<Option<String>, AdministerError> {
        self.ask(&format!(
            "SELECT coalesce(pg_catalog.shobj_description(oid, 'pg_database'), '') \
             FROM pg_catalog.pg_database WHERE datname = {}",
            literal(&self.existing.name)
        ))
        .await
    }

    /// Returns whether a comment carries our mark: alone, or behind what somebody else had written.
    fn is_marked(&self, comment: &str) -> bool {
        text_of(comment).lines().next_back() == Some(mark_of(&self.existing.database_id).as_str())
    }

    /// Refuses a role that is more than this database's: a list that was taken in may name any.
    async fn require_own_role(&mut self, login: &Login) -> Result<(), AdministerError> {
        let asked = format!(
            "SELECT (NOT r.rolsuper AND (coalesce(pg_catalog.shobj_description(r.oid, 'pg_authid'), '') = {} \
             OR EXISTS (SELECT 1 FROM pg_catalog.pg_database d WHERE d.datname = {} AND d.datdba = r.oid)))::text \
             FROM pg_catalog.pg_roles r WHERE r.rolname = {}",
            literal(&mark_of(&self.existing.database_id)),
            literal(&self.existing.name),
            literal(&login.user)
        );
        match self.ask(&asked).await?.as_deref() {
            Some("false") => Err(AdministerError::NotOurs {
                what: "role",
                name: login.user.clone(),
                endpoint: self.endpoint(),
                reason: "it is a superuser, or does not own the database".to_owned(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Puts our mark behind the comment of a database that was there before us, and whose own tables say that it is the
    /// one that is meant. Only its own role looks at these: what a tenant put there must not run as the administrator.
    async fn mark(&mut self) -> Result<(), AdministerError> {
        let Some(comment) = self.comment().await? else {
            return Ok(());
        };
        if self.is_marked(&comment) {
            return Ok(());
        }
        let Some(login) = &self.existing.login else {
            return Ok(());
        };
        let own = NetworkAddress {
            database: self.existing.name.clone(),
            login: login.clone(),
            ..self.admin.clone()
        };
        let Ok(mut connection) = Connection::open(&own, &options()).await else {
            return Ok(());
        };
        let mut found = None;
        let asked = "SELECT database_id FROM public._tenantry_meta";
        let answer = connection
            .exchange(asked, |_, row| found = row.get(0).map(ToOwned::to_owned))
            .await;
        if answer.failure.is_some() || found.as_deref() != Some(self.existing.database_id.as_str()) {
            return Ok(());
        }
        let marked = if comment.is_empty() {
            mark_of(&self.existing.database_id)
        } else {
            format!("{comment}\n{}", mark_of(&self.existing.database_id))
        };
        let database = identifier(&self.existing.name);
        self.send(&format!("COMMENT ON DATABASE {database} IS {}", literal(&marked)))
            .await
    }

    /// Drops the role if it carries our mark; returns why it stays.
    async fn remove_role(&mut self, login: &Login) -> Result<Option<String>, AdministerError> {
        let comment = self
            .ask(&format!(
                "SELECT coalesce(pg_catalog.shobj_description(oid, 'pg_authid'), '') \
                 FROM pg_catalog.pg_roles WHERE rolname = {}",
                literal(&login.user)
            ))
            .await?;
        match comment {
            None => Ok(None),
            Some(comment) if comment == mark_of(&self.existing.database_id) => {
                match self
                    .try_send(&format!("DROP ROLE {}", identifier(&login.user)))
                    .await
                {
                    Ok(()) => Ok(None),
                    Err(Failure::Refused { error, .. }) => Ok(Some(error.message)),
                    Err(lost @ Failure::Lost(_)) => Err(self.failed(lost)),
                }
            }
            Some(_) => Ok(Some("it was not made for this database".to_owned())),
        }
    }

    async fn send(&mut self, sql: &str) -> Result<(), AdministerError> {
        self.try_send(sql).await.map_err(|failure| self.failed(failure))
    }

    async fn try_send(&mut self, sql: &str) -> Result<(), Failure> {
        let answer = self.connection.exchange(sql, |_, _| {}).await;
        answer.failure.map_or(Ok(()), Err)
    }

    async fn ask(&mut self, sql: &str) -> Result<Option<String>, AdministerError> {
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

    fn not_ours(&self) -> AdministerError {
        AdministerError::NotOurs {
            what: "database",
            name: self.existing.name.clone(),
            endpoint: self.endpoint(),
            reason: "its comment does not carry our mark".to_owned(),
        }
    }

    fn failed(&self, failure: Failure) -> AdministerError {
        match failure {
            Failure::Refused {
                error: DatabaseError { message, .. },
                sqlstate,
                ..
            } if sqlstate == INSUFFICIENT_PRIVILEGE => AdministerError::Denied {
                name: self.existing.name.clone(),
                endpoint: self.endpoint(),
                reason: message,
            },
            other @ (Failure::Refused { .. } | Failure::Lost(_)) => {
                AdministerError::Session(other.into_session_error())
            }
        }
    }
}
