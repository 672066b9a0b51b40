//! Servers in the registry: adding, listing, finding.

use std::collections::HashMap;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, SqlErr, UpdateMany,
};
use uuid::Uuid;

use super::audit::{Action, Change};
use super::entities::database;
use super::entities::server::{ActiveModel, Column, Entity, Model};
use super::passwords::{Purpose, endpoint_of};
use super::server_row::{accepts_text, capacity_of, direct_of, listed, told, unsealed};
use super::{Registry, RegistryError, now};
use crate::engine::{DirectEndpoint, Engine, Login, Place};
use crate::selection::nearest;
use crate::server::{Intake, Server};
use crate::tenant::{Jurisdiction, ServerName};

/// What is needed to add a server.
#[derive(Clone, Debug)]
pub struct NewServer {
    /// Its name, unique.
    pub name: ServerName,
    /// What it runs.
    pub engine: Engine,
    /// Where it stands.
    pub jurisdiction: Jurisdiction,
    /// Host and port, or the folder of SQLite files.
    pub place: Place,
    /// The administrator's login; `None` for SQLite.
    pub admin: Option<Login>,
    /// Why an unprotected connection is accepted, in the words of whoever accepted it.
    pub insecure_reason: Option<String>,
    /// How many of its targets may run at once, always; `None` leaves it to the run.
    pub max_parallel: Option<usize>,
    /// Which databases it takes.
    pub intake: Intake,
    /// What the server said that it is, when it was added.
    pub server_version: Option<String>,
}

/// A server as a list shows it: no password is opened for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedServer {
    /// Its permanent id (UUIDv7).
    pub id: String,
    /// Its name, unique.
    pub name: ServerName,
    /// What it runs.
    pub engine: Engine,
    /// Where it stands.
    pub jurisdiction: Jurisdiction,
    /// Host and port, or the folder of SQLite files.
    pub place: Place,
    /// The administrator's user name; `None` for SQLite.
    pub admin_user: Option<String>,
    /// Why an unprotected connection is accepted.
    pub insecure_reason: Option<String>,
    /// How many of its targets may run at once, always; `None` leaves it to the run.
    pub max_parallel: Option<usize>,
    /// Which databases it takes.
    pub intake: Intake,
    /// What the server said that it is, when it was added.
    pub server_version: Option<String>,
    /// When it was added, in microseconds since 1970-01-01 UTC.
    pub created_at: i64,
    /// What shows that its own endpoint was named by somebody who has the key.
    pub(super) direct_seal: Option<String>,
}

/// Whether a server is let run empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draining {
    /// It takes no new databases from now on.
    Begins,
    /// It takes them again.
    Ends,
}

impl Registry {
    /// Writes a server, its administrator's password sealed; returns it as it will be listed.
    ///
    /// Fails with [`RegistryError::Taken`] if the name is in use, with [`RegistryError::KeyNeeded`] if there
    /// is a password and no key, and with [`RegistryError::WrongKey`] if the other passwords have another.
    pub async fn add_server(&self, new: &NewServer) -> Result<ListedServer, RegistryError> {
        let id = Uuid::now_v7().to_string();
        let version = 1;
        let sealed = match (
            &new.admin,
            new.admin
                .as_ref()
                .and_then(|a| endpoint_of(new.engine, &new.place, &a.user)),
        ) {
            (Some(admin), Some(endpoint)) => {
                self.ready_to_seal().await?;
                let purpose = Purpose::admin(&id, version, &new.name, endpoint);
                Some(self.seal(&purpose, &admin.password)?)
            }
            (_, _) => None,
        };
        let mut model = Model {
            admin_user: new.admin.as_ref().map(|admin| admin.user.clone()),
            admin_secret: sealed,
            admin_secret_version: version,
            ..unsealed(id, new)?
        };
        let mut listed = listed(&model)?;
        listed.direct_seal = self.seal_direct(&listed)?;
        model.direct_seal.clone_from(&listed.direct_seal);
        let transaction = self.begin().await?;
        if model.admin_secret.is_some() {
            self.keep_key(&transaction).await?;
        }
        let change = Change::new(Action::ServerAdd, &listed.id, listed.name.as_str()).to(told(&model));
        match Entity::insert(ActiveModel::from(model).reset_all())
            .exec_without_returning(&transaction)
            .await
        {
            Ok(_) => {
                self.commit_recorded(transaction, change).await?;
                Ok(listed)
            }
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                Err(RegistryError::Taken {
                    what: "server",
                    name: new.name.to_string(),
                    owner: None,
                })
            }
            Err(error) => Err(self.refused(&error)),
        }
    }

    /// Returns all servers by name; empty if there is none. Opens no password.
    pub async fn servers(&self) -> Result<Vec<ListedServer>, RegistryError> {
        let rows = Entity::find()
            .order_by_asc(Column::Name)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        rows.iter().map(listed).collect()
    }

    /// Returns the servers of a jurisdiction by name, each with how many databases it has; none if there is no such server.
    /// Opens no password.
    pub async fn loads(
        &self,
        jurisdiction: &Jurisdiction,
    ) -> Result<Vec<(ListedServer, usize)>, RegistryError> {
        let rows = Entity::find()
            .filter(Column::Jurisdiction.eq(jurisdiction.as_str()))
            .order_by_asc(Column::Name)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let counts = self.database_counts().await?;
        let loads = rows.iter().map(|row| {
            let databases = counts.get(&row.id).copied().unwrap_or(0);
            Ok((listed(row)?, databases))
        });
        loads.collect()
    }

    /// Returns how many databases stand on each server, by its id; one without any is not in it.
    pub async fn database_counts(&self) -> Result<HashMap<String, usize>, RegistryError> {
        let rows: Vec<(String, i64)> = database::Entity::find()
            .select_only()
            .column(database::Column::ServerId)
            .column_as(database::Column::Id.count(), "databases")
            .group_by(database::Column::ServerId)
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let count = |n: i64| usize::try_from(n).unwrap_or(0);
        Ok(rows.into_iter().map(|(id, n)| (id, count(n))).collect())
    }

    /// Changes which databases a server takes from now on; returns it as it will be listed.
    ///
    /// Fails with [`RegistryError::ServerNotFound`] if there is none.
    pub async fn set_intake(&self, name: &str, intake: Intake) -> Result<ListedServer, RegistryError> {
        let before = self.server_row(name).await?;
        let after = Model {
            accepts: accepts_text(&intake),
            capacity: capacity_of(&intake),
            drains_since: intake.drains_since,
            ..before.clone()
        };
        let update = Entity::update_many()
            .col_expr(Column::Accepts, Expr::value(after.accepts.clone()))
            .col_expr(Column::Capacity, Expr::value(after.capacity))
            .col_expr(Column::DrainsSince, Expr::value(after.drains_since));
        self.change_server(Action::ServerSet, update, (&before, &after))
            .await
    }

    /// Writes a server's row anew, and what was so before and is afterwards; returns it as it will be listed.
    async fn change_server(
        &self,
        action: Action,
        update: UpdateMany<Entity>,
        (before, after): (&Model, &Model),
    ) -> Result<ListedServer, RegistryError> {
        let stands = listed(before)?.jurisdiction;
        self.check_bound(&format!("server `{}`", before.name), &stands)?;
        let transaction = self.begin().await?;
        if after.direct_seal != before.direct_seal && after.direct_seal.is_some() {
            self.keep_key(&transaction).await?;
        }
        update
            .filter(Column::Id.eq(before.id.as_str()))
            .exec(&transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        let change = Change::new(action, &before.id, &before.name)
            .from(told(before))
            .to(told(after));
        self.commit_recorded(transaction, change).await?;
        listed(after)
    }

    /// Lets a server take no new databases, or new ones again; returns it as it will be listed.
    ///
    /// Fails with [`RegistryError::ServerNotFound`] if there is none.
    pub async fn drain(&self, name: &str, draining: Draining) -> Result<ListedServer, RegistryError> {
        let intake = self.listed_server(name).await?.intake;
        let drains_since = match draining {
            Draining::Begins => intake.drains_since.or(Some(now())),
            Draining::Ends => None,
        };
        self.set_intake(
            name,
            Intake {
                drains_since,
                ..intake
            },
        )
        .await
    }

    /// Finds a server by name and opens its administrator's password.
    ///
    /// Fails with [`RegistryError::ServerNotFound`] and the nearest names if there is none, and with
    /// [`RegistryError::Locked`] if its own endpoint was not named by somebody who has the key.
    pub async fn find_server(&self, name: &str) -> Result<Server, RegistryError> {
        let row = self.server_row(name).await?;
        let listed = listed(&row)?;
        self.check_direct(&listed)?;
        self.opened(&row, listed)
    }

    /// Finds a server as it would be with this endpoint of its own, whatever it has now, and opens its
    /// administrator's password. Writes nothing.
    ///
    /// Fails with [`RegistryError::ServerNotFound`] if there is none, and with [`RegistryError::Unfit`] if it is no
    /// server on the network.
    pub async fn find_server_with(
        &self,
        name: &str,
        direct: Option<DirectEndpoint>,
    ) -> Result<Server, RegistryError> {
        let row = self.server_row(name).await?;
        let mut listed = listed(&row)?;
        name_direct(&mut listed.place, direct)?;
        self.opened(&row, listed)
    }

    /// Names a server's own endpoint beside the pooler's that it is known by, or takes it away; returns the server
    /// as it will be listed. Passwords stay as they are.
    ///
    /// Fails with [`RegistryError::ServerNotFound`] if there is none, with [`RegistryError::Unfit`] if it is no
    /// server on the network, with [`RegistryError::KeyNeeded`] without a key, and with
    /// [`RegistryError::WrongKey`] if the passwords have another.
    pub async fn set_direct(
        &self,
        name: &str,
        direct: Option<DirectEndpoint>,
    ) -> Result<ListedServer, RegistryError> {
        self.ready_to_seal().await?;
        let before = self.server_row(name).await?;
        let mut listed = listed(&before)?;
        name_direct(&mut listed.place, direct)?;
        let direct = direct_of(&listed.place);
        let after = Model {
            direct_host: direct.map(|direct| direct.host.clone()),
            direct_port: direct.map(|direct| i32::from(direct.port)),
            direct_seal: self.seal_direct(&listed)?,
            ..before.clone()
        };
        let update = Entity::update_many()
            .col_expr(Column::DirectHost, Expr::value(after.direct_host.clone()))
            .col_expr(Column::DirectPort, Expr::value(after.direct_port))
            .col_expr(Column::DirectSeal, Expr::value(after.direct_seal.clone()));
        self.change_server(Action::ServerDirect, update, (&before, &after))
            .await
    }

    fn opened(&self, row: &Model, listed: ListedServer) -> Result<Server, RegistryError> {
        self.check_bound(&format!("server `{}`", listed.name), &listed.jurisdiction)?;
        let admin = self.admin_login(row, &listed)?;
        Ok(Server {
            id: listed.id,
            name: listed.name,
            engine: listed.engine,
            jurisdiction: listed.jurisdiction,
            place: listed.place,
            admin,
            max_parallel: listed.max_parallel,
        })
    }

    /// Finds a server by name; opens no password.
    pub async fn listed_server(&self, name: &str) -> Result<ListedServer, RegistryError> {
        listed(&self.server_row(name).await?)
    }

    async fn server_row(&self, name: &str) -> Result<Model, RegistryError> {
        let row = Entity::find()
            .filter(Column::Name.eq(name))
            .one(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        if let Some(row) = row {
            return Ok(row);
        }
        let servers = self.servers().await?;
        Err(RegistryError::ServerNotFound {
            given: name.to_owned(),
            nearest: nearest(name, servers.iter().map(|s| s.name.as_str())),
        })
    }

    fn admin_login(&self, row: &Model, listed: &ListedServer) -> Result<Option<Login>, RegistryError> {
        let (Some(user), Some(sealed)) = (&row.admin_user, &row.admin_secret) else {
            return Ok(None);
        };
        let Some(purpose) = admin_purpose(row, listed) else {
            return Ok(None);
        };
        Ok(Some(Login {
            user: user.clone(),
            password: self.open(&purpose, sealed)?,
        }))
    }
}

/// Returns what the administrator's password is bound to; `None` for a folder.
pub(super) fn admin_purpose<'a>(row: &'a Model, listed: &ListedServer) -> Option<Purpose<'a>> {
    let user = row.admin_user.as_deref()?;
    let endpoint = endpoint_of(listed.engine, &listed.place, user)?;
    Some(Purpose::admin(
        &row.id,
        row.admin_secret_version,
        &listed.name,
        endpoint,
    ))
}

/// Puts another endpoint of its own into a server's place.
fn name_direct(place: &mut Place, wanted: Option<DirectEndpoint>) -> Result<(), RegistryError> {
    match place {
        Place::Network { direct, .. } => *direct = wanted,
        Place::Folder(_) => {
            return Err(RegistryError::Unfit {
                what: "the direct endpoint",
                rule: "belongs to a server on the network",
            });
        }
    }
    Ok(())
}

#[cfg(test)]
impl ListedServer {
    /// Makes a server as it would be listed.
    pub(crate) fn for_tests(name: &str, engine: Engine, jurisdiction: &str, place: Place) -> Self {
        Self {
            id: format!("id of {name}"),
            name: name.parse().unwrap(),
            engine,
            jurisdiction: jurisdiction.parse().unwrap(),
            place,
            admin_user: Some("postgres".to_owned()),
            insecure_reason: None,
            max_parallel: None,
            intake: Intake::default(),
            server_version: None,
            created_at: 0,
            direct_seal: None,
        }
    }
}
