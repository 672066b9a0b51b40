//! Registering a fleet that is there: all of a list in one transaction, or nothing of it.

mod compared;
mod known;
mod written;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _, QueryFilter as _, SqlErr};
use serde_json::json;

use self::compared::{Compared, Verdict};
use self::known::Known;
use self::written::Rows;
use super::audit::{Action, Change};
use super::entities::server;
use super::servers::ListedServer;
use super::{Registry, RegistryError};
use crate::import::{Entry, ImportError};
use crate::tenant::ServerName;

/// Whether a list is taken in, or only looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Import {
    /// Everything is checked and nothing is written.
    Checks,
    /// It is written.
    Writes,
}

/// What became of a list, or would become of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// How many tenants are new.
    pub tenants: usize,
    /// How many databases they have.
    pub databases: usize,
    /// How many tenants are there already, just so.
    pub there: usize,
}

impl Registry {
    /// Registers tenants with databases that are there, their passwords sealed; connects to none of these databases.
    ///
    /// A tenant that the registry has already, just so, is counted and left alone: the same list may come again. What a
    /// server accepts and has room for is not asked, since its databases are there.
    ///
    /// # Errors
    /// [`ImportError::Rows`] for what comes twice, is taken, or differs from what is there; [`RegistryError::KeyNeeded`]
    /// and [`RegistryError::WrongKey`] before anything is looked at; [`ImportError::Meanwhile`] if somebody else
    /// registered some of it at the same time. With an error nothing was written.
    pub async fn import(&self, entries: &[Entry], wanted: Import) -> Result<Imported, ImportError> {
        self.refuse_without_key(entries)?;
        self.check_key().await?;
        let servers = self.servers().await?;
        let known = Known::read(self).await?;
        let verdicts = Compared::all(self, entries, &servers, &known)?;
        let is_new = |at: usize| verdicts.get(at) == Some(&Verdict::New);
        let new = || {
            entries
                .iter()
                .enumerate()
                .filter(|(at, _)| is_new(*at))
                .map(|(_, entry)| entry)
        };
        let done = Imported {
            tenants: new().count(),
            databases: new().map(|entry| entry.databases.len()).sum(),
            there: entries.len() - new().count(),
        };
        for entry in new() {
            self.check_bound(&format!("`{}`", entry.slug), &entry.jurisdiction)?;
        }
        if wanted == Import::Checks || done.tenants == 0 {
            return Ok(done);
        }
        let has_login = |entry: &Entry| entry.databases.iter().any(|one| one.login.is_some());
        let seals = new().any(has_login);
        if seals {
            self.ready_to_seal().await?;
        }
        let rows = Rows::sealed(self, new(), &servers)?;
        let transaction = self.begin().await?;
        if seals {
            self.keep_key(&transaction).await?;
        }
        hold(&transaction, &servers)
            .await
            .map_err(|error| self.meanwhile(&error))?;
        rows.insert(&transaction)
            .await
            .map_err(|error| self.meanwhile(&error))?;
        self.commit_recorded(transaction, change(done, new())).await?;
        Ok(done)
    }

    /// Refuses passwords that could not be sealed.
    fn refuse_without_key(&self, entries: &[Entry]) -> Result<(), RegistryError> {
        if self.keys.is_some() {
            return Ok(());
        }
        let mut databases = entries.iter().flat_map(|entry| &entry.databases);
        match databases.find(|database| database.login.is_some()) {
            Some(first) => Err(RegistryError::KeyNeeded {
                of: format!("database `{}`", first.name),
            }),
            None => Ok(()),
        }
    }

    fn meanwhile(&self, error: &DbErr) -> ImportError {
        let is_taken = matches!(
            error.sql_err(),
            Some(SqlErr::UniqueConstraintViolation(_) | SqlErr::ForeignKeyConstraintViolation(_))
        );
        let refused = self.refused(error);
        if is_taken {
            ImportError::Meanwhile(refused)
        } else {
            ImportError::Registry(refused)
        }
    }
}

/// How many tenants of a list the audit names.
const NAMED: usize = 20;

/// Describes the list as one change, however long it is.
fn change<'e>(done: Imported, entries: impl Iterator<Item = &'e Entry>) -> Change {
    let first: Vec<&str> = entries.take(NAMED).map(|entry| entry.slug.as_str()).collect();
    let name = format!("{} tenants", done.tenants);
    Change::new(Action::TenantImport, "list", &name).to(json!({
        "tenants": done.tenants,
        "databases": done.databases,
        "first": first,
    }))
}

/// Writes the servers' rows as they are, so that nobody changes them until the tenants are there.
async fn hold(transaction: &DatabaseTransaction, servers: &[ListedServer]) -> Result<(), DbErr> {
    for one in servers {
        server::Entity::update_many()
            .col_expr(
                server::Column::Jurisdiction,
                Expr::value(one.jurisdiction.as_str()),
            )
            .filter(server::Column::Id.eq(one.id.as_str()))
            .exec(transaction)
            .await?;
    }
    Ok(())
}

/// Finds the server that an entry was checked against.
///
/// # Errors
/// [`RegistryError::ServerNotFound`] if it is gone since.
fn server<'a>(servers: &'a [ListedServer], name: &ServerName) -> Result<&'a ListedServer, RegistryError> {
    let found = servers.iter().find(|server| server.name == *name);
    found.ok_or_else(|| RegistryError::ServerNotFound {
        given: name.to_string(),
        nearest: Vec::new(),
    })
}
