//! Closing, opening and dropping a tenant's database, as the server's administrator.

use mysql_async::{Conn, Error};

use super::connect::connect;
use super::create::{administration, native_hash};
use super::error::session_error;
use super::quote::{identifier, literal};
use super::tables::text;
use super::wire::{Part, Role, Sent, send};
use crate::engine::address::{Login, NetworkAddress};
use crate::engine::administer::{Access, AdministerError, Existing, Removed, mark_of};
use crate::faults::{Point, point};

/// `ER_CANNOT_USER`: the account is not there.
const CANNOT_USER: u16 = 1396;
/// `ER_NO_SUCH_THREAD`: the session has ended by itself.
const NO_SUCH_THREAD: u16 = 1094;

/// Lets the database's user in, or not; with [`Access::Closed`] its sessions are ended. A user that is not there is
/// closed. MariaDB 10.4.2 and MySQL 5.7.6 brought the lock of an account ("ALTER USER"); an older server refuses.
pub(crate) async fn set_access(
    server: &NetworkAddress,
    existing: &Existing,
    access: Access,
) -> Result<(), AdministerError> {
    let Some(login) = &existing.login else {
        return Ok(());
    };
    let mut work = Work::open(server, existing).await?;
    let verb = match access {
        Access::Open => "UNLOCK",
        Access::Closed => "LOCK",
    };
    let accounts = work.accounts(login).await?;
    if access == Access::Closed {
        work.require_own_accounts(login, &accounts).await?;
    }
    for account in accounts {
        let alter = format!("ALTER USER {account} ACCOUNT {verb}");
        match work.send(alter).await.failure {
            None => {}
            Some(Error::Server(error)) if error.code == CANNOT_USER => {}
            Some(error) => return Err(work.failed(&error)),
        }
    }
    match access {
        Access::Open => Ok(()),
        Access::Closed => work.end_sessions(login).await,
    }
}

/// Drops the database if its comment or its own tables say that it is ours, and its user if that has the password that
/// we made for it. What is gone already is no error, so that it can be repeated.
pub(crate) async fn remove(server: &NetworkAddress, existing: &Existing) -> Result<Removed, AdministerError> {
    let mut work = Work::open(server, existing).await?;
    let Some(quoted) = identifier(&existing.name) else {
        return Err(work.not_ours("no database can have this name"));
    };
    let was_there = work.is_there().await?;
    if was_there {
        if !work.is_marked().await? && !work.is_ours(&quoted).await? {
            return Err(work.not_ours("neither its comment nor its tables name us"));
        }
        work.ask(format!("DROP DATABASE {quoted}")).await?;
        if work.is_there().await? {
            return Err(AdministerError::StillThere {
                name: existing.name.clone(),
                endpoint: work.endpoint(),
            });
        }
    }
    point(Point::LifeDatabaseDropped);
    let role_stays = match &existing.login {
        Some(login) => work.remove_user(login).await?,
        None => None,
    };
    Ok(Removed {
        was_there,
        role_stays,
    })
}

struct Work<'a> {
    conn: Conn,
    server: &'a NetworkAddress,
    existing: &'a Existing,
}

impl<'a> Work<'a> {
    async fn open(server: &'a NetworkAddress, existing: &'a Existing) -> Result<Self, AdministerError> {
        let conn = connect(administration(server))
            .await
            .map_err(AdministerError::Session)?;
        Ok(Self {
            conn,
            server,
            existing,
        })
    }

    async fn is_there(&mut self) -> Result<bool, AdministerError> {
        let question = format!(
            "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = {}",
            literal(&self.existing.name)
        );
        Ok(self.one(question).await?.as_deref() != Some("0"))
    }

    /// Returns whether the database's comment is our mark; MySQL has no such comment.
    async fn is_marked(&mut self) -> Result<bool, AdministerError> {
        let question = format!(
            "SELECT schema_comment FROM information_schema.schemata WHERE schema_name = {}",
            literal(&self.existing.name)
        );
        let sent = self.send(question).await;
        let found = sent.rows(0).first().and_then(|row| text(row, 0));
        Ok(sent.failure.is_none() && found == Some(mark_of(&self.existing.database_id)))
    }

    /// Returns whether the database's own table names it. `HANDLER` reads tables alone: a view that a tenant put in its
    /// place, and whatever that calls, does not run ("HANDLER Statement").
    async fn is_ours(&mut self, quoted: &str) -> Result<bool, AdministerError> {
        let parts = [
            format!("HANDLER {quoted}.`_tenantry_meta` OPEN AS tenantry_whose"),
            "HANDLER tenantry_whose READ FIRST".to_owned(),
            "HANDLER tenantry_whose CLOSE".to_owned(),
        ];
        let mut id = None;
        for sql in parts {
            let sent = self.send(sql).await;
            if let Some(row) = sent.rows(0).first() {
                id = row
                    .columns_ref()
                    .iter()
                    .position(|column| column.name_str() == "database_id")
                    .and_then(|at| text(row, at));
            }
            if sent.failure.is_some() {
                break;
            }
        }
        Ok(id.as_deref() == Some(self.existing.database_id.as_str()))
    }

    /// Returns the accounts of a user, quoted: of every host, where we may see them, else that of `%`.
    async fn accounts(&mut self, login: &Login) -> Result<Vec<String>, AdministerError> {
        let user = literal(&login.user);
        let sent = self
            .send(format!("SELECT Host FROM mysql.user WHERE User = {user}"))
            .await;
        if sent.failure.is_some() {
            return Ok(vec![format!("{user}@'%'")]);
        }
        let hosts = sent.rows(0).iter().filter_map(|row| text(row, 0));
        Ok(hosts.map(|host| format!("{user}@{}", literal(&host))).collect())
    }

    /// Refuses a user who may do more than work in databases: a list that was taken in may name any.
    async fn require_own_accounts(
        &mut self,
        login: &Login,
        accounts: &[String],
    ) -> Result<(), AdministerError> {
        for account in accounts {
            let question = format!(
                "SELECT COUNT(*) FROM information_schema.user_privileges \
                 WHERE grantee = {} AND privilege_type <> 'USAGE'",
                literal(account)
            );
            if self.one(question).await?.as_deref() != Some("0") {
                return Err(AdministerError::NotOurs {
                    what: "user",
                    name: login.user.clone(),
                    endpoint: self.endpoint(),
                    reason: "it has rights on the whole server".to_owned(),
                });
            }
        }
        Ok(())
    }

    async fn end_sessions(&mut self, login: &Login) -> Result<(), AdministerError> {
        let question = format!(
            "SELECT id FROM information_schema.processlist WHERE user = {}",
            literal(&login.user)
        );
        let sent = self.ask(question).await?;
        let ids: Vec<String> = sent.rows(0).iter().filter_map(|row| text(row, 0)).collect();
        for id in ids {
            match self.send(format!("KILL {id}")).await.failure {
                None => {}
                Some(Error::Server(error)) if error.code == NO_SUCH_THREAD => {}
                Some(error) => return Err(self.failed(&error)),
            }
        }
        Ok(())
    }

    /// Drops the user if it has the password that we made for it; returns why it stays.
    async fn remove_user(&mut self, login: &Login) -> Result<Option<String>, AdministerError> {
        let account = format!("{}@'%'", literal(&login.user));
        let sent = self.send(format!("SHOW CREATE USER {account}")).await;
        let shown = sent
            .rows(0)
            .first()
            .and_then(|row| text(row, 0))
            .unwrap_or_default();
        match sent.failure {
            None => {}
            // ER_PASSWORD_NO_MATCH and ER_CANNOT_USER: what is said of an account that is not there.
            Some(Error::Server(error)) if matches!(error.code, 1133 | CANNOT_USER | 1141) => return Ok(None),
            Some(error) => return Err(self.failed(&error)),
        }
        if !shown.contains(&format!("'{}'", native_hash(login))) {
            return Ok(Some("its password is not the one that we made for it".to_owned()));
        }
        match self.send(format!("DROP USER {account}")).await.failure {
            None => Ok(None),
            Some(Error::Server(error)) => Ok(Some(crate::engine::text::clean(&error.message))),
            Some(error) => Err(self.failed(&error)),
        }
    }

    async fn one(&mut self, question: String) -> Result<Option<String>, AdministerError> {
        let sent = self.ask(question).await?;
        Ok(sent.rows(0).first().and_then(|row| text(row, 0)))
    }

    async fn ask(&mut self, sql: String) -> Result<Sent, AdministerError> {
        let sent = self.send(sql).await;
        match &sent.failure {
            None => Ok(sent),
            Some(error) => Err(self.failed(error)),
        }
    }

    async fn send(&mut self, sql: String) -> Sent {
        send(&mut self.conn, &[Part::new(Role::Own, sql)]).await
    }

    fn endpoint(&self) -> String {
        administration(self.server).endpoint()
    }

    fn not_ours(&self, reason: &str) -> AdministerError {
        AdministerError::NotOurs {
            what: "database",
            name: self.existing.name.clone(),
            endpoint: self.endpoint(),
            reason: reason.to_owned(),
        }
    }

    fn failed(&self, error: &Error) -> AdministerError {
        match error {
            Error::Server(said) if matches!(said.code, 1044 | 1045 | 1095 | 1142 | 1227) => {
                AdministerError::Denied {
                    name: self.existing.name.clone(),
                    endpoint: self.endpoint(),
                    reason: crate::engine::text::clean(&said.message),
                }
            }
            Error::Server(_) | Error::Driver(_) | Error::Io(_) | Error::Other(_) | Error::Url(_) => {
                AdministerError::Session(session_error(error))
            }
        }
    }
}
