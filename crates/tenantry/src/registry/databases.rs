//! Databases of tenants in the registry: reserving, marking ready, listing.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, SqlErr, TransactionTrait as _,
};
use serde_json::json;
use uuid::Uuid;

use super::audit::{Action, Change};
use super::entities::database::{ActiveModel, Column, Entity, Model};
use super::entities::{server, tenant};
use super::hosts::Host;
use super::passwords::{Purpose, endpoint_of};
use super::rows::{Row, check_key};
use super::server_row::listed;
use super::servers::ListedServer;
use super::{Registry, RegistryError, now};
use crate::code::Code;
use crate::engine::{Address, Login};
use crate::migration::Version;
use crate::run::Outcome;
use crate::server::NoRoom;
use crate::target::TrackName;
use crate::tenant::{Jurisdiction, ProductType, ServerName, Tenant, TenantId};

/// Where a database stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatabaseStatus {
    /// Its name is reserved; it may or may not be there yet.
    Creating,
    /// It is there, with our history in it.
    Ready,
    /// Its tenant is to lose the product: it is dropped when its grace is over.
    Deleting,
}

impl DatabaseStatus {
    /// Returns the word used in the registry and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Deleting => "deleting",
        }
    }

    /// Reads the word that [`Self::as_str`] gives; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Creating, Self::Ready, Self::Deleting]
            .into_iter()
            .find(|s| s.as_str() == word)
    }
}

/// What is needed to reserve a database.
#[derive(Clone, Debug)]
pub struct NewDatabase {
    /// The tenant it is for.
    pub tenant_id: TenantId,
    /// The product it is for; `None` for the one that the products share.
    pub product: Option<ProductType>,
    /// The server it shall stand on.
    pub server: ServerName,
    /// Its name on the server; for SQLite the file's name.
    pub name: String,
    /// The tenant's own role and its new password; `None` for SQLite.
    pub login: Option<Login>,
    /// Where the platform keeps the files that belong to it; `None` if that is not configured.
    pub storage_path: Option<String>,
}

/// A database in the registry.
#[derive(Clone, Debug)]
pub struct Database {
    /// Its permanent id (UUIDv7), which its `_tenantry_meta` carries too.
    pub id: String,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its product; `None` for the one that the products share.
    pub product: Option<ProductType>,
    /// The server it stands on.
    pub server: ServerName,
    /// How to reach it, as the tenant's own role.
    pub address: Address,
    /// Where it stands in its life.
    pub status: DatabaseStatus,
    /// The newest version at the last look; `None` if unknown or nothing is applied.
    pub version: Option<Version>,
    /// What became of it in the last run; `None` before the first.
    pub outcome: Option<Outcome>,
    /// Why, if that was a failure.
    pub error_code: Option<Code>,
    /// When that was, in microseconds since 1970-01-01 UTC.
    pub checked_at: Option<i64>,
}

/// What became of a row that was to be written.
enum Inserted {
    Yes,
    OfAnotherJurisdiction,
    NoRoom(NoRoom),
    KeyChanged,
}

impl Registry {
    /// Writes the database's row with status `creating`, its password sealed, and returns it.
    ///
    /// If the tenant already has a database for that product, that one is returned, with the password
    /// it has, and nothing is written. [`RegistryError::Taken`] if the server has another database of
    /// that name; [`RegistryError::ServerNotFound`] if there is no such server; [`RegistryError::Begun`] if it
    /// stands in another jurisdiction than the tenant.
    pub async fn reserve_database(&self, new: &NewDatabase) -> Result<Database, RegistryError> {
        check_key("database name", &new.name)?;
        let server = self.listed_server(new.server.as_str()).await?;
        if let Some(existing) = self.database_for(&new.tenant_id, new.product.as_ref()).await? {
            return self.joined(existing, new, &server).await;
        }
        if new.login.is_some() {
            self.ready_to_seal().await?;
        }
        let row = self.sealed(new, &server)?;
        match self.insert_database(&row, &server).await {
            Ok(Inserted::Yes) => self.database_of(&row, &server),
            Ok(Inserted::KeyChanged) => Err(RegistryError::KeyChanged),
            Ok(Inserted::NoRoom(why)) => Err(RegistryError::NoRoom {
                server: server.name,
                why,
            }),
            Ok(Inserted::OfAnotherJurisdiction) => {
                Err(self.of_another_jurisdiction(new, &server.jurisdiction).await?)
            }
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                // Somebody else may have reserved it for the same tenant since we looked.
                let existing = self.database_for(&new.tenant_id, new.product.as_ref()).await?;
                match existing {
                    Some(existing) => self.joined(existing, new, &server).await,
                    None => Err(RegistryError::Taken {
                        what: "database",
                        name: new.name.clone(),
                        owner: None,
                    }),
                }
            }
            Err(error) => Err(self.refused(&error)),
        }
    }

    /// Writes the row unless its tenant is not of the jurisdiction, or the server takes it no more. The rows of both are
    /// written first, so that nobody changes the jurisdiction or fills up the server in between.
    async fn insert_database(&self, row: &Model, on: &ListedServer) -> Result<Inserted, DbErr> {
        let transaction = self.db.begin().await?;
        if row.secret.is_some() && !self.hold_key(&transaction).await? {
            return Ok(Inserted::KeyChanged);
        }
        let jurisdiction = on.jurisdiction.as_str();
        let held = tenant::Entity::update_many()
            .col_expr(tenant::Column::Jurisdiction, Expr::value(jurisdiction))
            .filter(tenant::Column::Id.eq(row.tenant_id.as_str()))
            .filter(tenant::Column::Jurisdiction.eq(jurisdiction))
            .exec(&transaction)
            .await?;
        if held.rows_affected == 0 {
            return Ok(Inserted::OfAnotherJurisdiction);
        }
        server::Entity::update_many()
            .col_expr(server::Column::Jurisdiction, Expr::value(jurisdiction))
            .filter(server::Column::Id.eq(on.id.as_str()))
            .exec(&transaction)
            .await?;
        // As it is now that nobody else can write it.
        let row_now = server::Entity::find_by_id(on.id.as_str())
            .one(&transaction)
            .await?;
        let now_listed = row_now.and_then(|row| listed(&row).ok());
        let intake = now_listed.map_or_else(|| on.intake.clone(), |listed| listed.intake);
        let databases = Entity::find()
            .filter(Column::ServerId.eq(on.id.as_str()))
            .count(&transaction)
            .await?;
        let product = row.product.parse().ok();
        let track = product.map_or(TrackName::Tenant, TrackName::Product);
        let databases = usize::try_from(databases).unwrap_or(usize::MAX);
        if let Some(why) = intake.refuses(&track, databases) {
            return Ok(Inserted::NoRoom(why));
        }
        Entity::insert(ActiveModel::from(row.clone()).reset_all())
            .exec_without_returning(&transaction)
            .await?;
        let change = Change::new(
            Action::DatabaseReserve,
            &row.id,
            &label_of(&transaction, row).await?,
        )
        .to(json!({
            "name": row.name,
            "tenant": row.tenant_id,
            "product": row.product,
            "server": on.name.as_str(),
            "user": row.db_user,
        }));
        self.record_change(&transaction, change).await?;
        transaction.commit().await?;
        Ok(Inserted::Yes)
    }

    /// Returns a database that was reserved before, unless it stands in another jurisdiction than was asked for.
    async fn joined(
        &self,
        existing: Database,
        new: &NewDatabase,
        wanted: &ListedServer,
    ) -> Result<Database, RegistryError> {
        let stands = self.listed_server(existing.server.as_str()).await?;
        if stands.jurisdiction == wanted.jurisdiction {
            return Ok(existing);
        }
        Err(self.of_another_jurisdiction(new, &wanted.jurisdiction).await?)
    }

    async fn of_another_jurisdiction(
        &self,
        new: &NewDatabase,
        given: &Jurisdiction,
    ) -> Result<RegistryError, RegistryError> {
        let tenant = self.find_tenant(new.tenant_id.as_str()).await?;
        Ok(RegistryError::Begun {
            slug: tenant.slug,
            what: "jurisdiction",
            has: tenant.jurisdiction.to_string(),
            given: given.to_string(),
        })
    }

    /// Returns whether any tenant has a database of a product, or is getting one.
    pub async fn has_product(&self, product: &ProductType) -> Result<bool, RegistryError> {
        let found = Entity::find()
            .filter(Column::Product.eq(product.as_str()))
            .limit(1)
            .all(&self.db)
            .await;
        found.map(|rows| !rows.is_empty()).map_err(|e| self.refused(&e))
    }

    /// Says that a database is there and at `version`; its last outcome becomes `current`.
    ///
    /// Fails with [`RegistryError::DatabaseNotFound`] if there is no such row. May be repeated.
    pub async fn mark_ready(&self, id: &str, version: Option<Version>) -> Result<(), RegistryError> {
        let row = Entity::find_by_id(id).one(&self.db).await;
        let row = row.map_err(|e| self.refused(&e))?;
        let row = row.ok_or_else(|| RegistryError::DatabaseNotFound { id: id.to_owned() })?;
        let transaction = self.begin().await?;
        let name = label_of(&transaction, &row).await;
        let name = name.map_err(|e| self.refused(&e))?;
        Entity::update_many()
            .col_expr(Column::Status, Expr::value(DatabaseStatus::Ready.as_str()))
            .col_expr(Column::Version, Expr::value(version.map(Version::number)))
            .col_expr(Column::Outcome, Expr::value(Outcome::Current.as_str()))
            .col_expr(Column::ErrorCode, Expr::value(None::<i32>))
            .col_expr(Column::CheckedAt, Expr::value(now()))
            .filter(Column::Id.eq(id))
            .exec(&transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        let change = Change::new(Action::DatabaseReady, id, &name)
            .from(json!({"status": row.status}))
            .to(json!({
                "status": DatabaseStatus::Ready.as_str(),
                "version": version.map(|version| version.to_string()),
            }));
        self.commit_recorded(transaction, change).await
    }

    /// Returns a tenant's databases, the shared one first, then by product; empty if it has none.
    pub async fn databases_of(&self, tenant: &TenantId) -> Result<Vec<Database>, RegistryError> {
        let rows = Entity::find()
            .filter(Column::TenantId.eq(tenant.as_str()))
            .order_by_asc(Column::Product)
            .find_also_related(server::Entity)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let mut databases = Vec::with_capacity(rows.len());
        for (row, server) in rows {
            let server = at(&row).read("server_id", server)?;
            databases.push(self.database_of(&row, &listed(&server)?)?);
        }
        Ok(databases)
    }

    /// Returns the tenant whose database, made or only reserved, has a name on a server; `None` if there is no
    /// database of that name. [`RegistryError::ServerNotFound`] if there is no such server.
    pub async fn owner_of_database(
        &self,
        server: &ServerName,
        name: &str,
    ) -> Result<Option<Tenant>, RegistryError> {
        let server = self.listed_server(server.as_str()).await?;
        let row = Entity::find()
            .filter(Column::ServerId.eq(&server.id))
            .filter(Column::Name.eq(name))
            .one(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        match row {
            Some(row) => self.find_tenant(&row.tenant_id).await.map(Some),
            None => Ok(None),
        }
    }

    async fn database_for(
        &self,
        tenant: &TenantId,
        product: Option<&ProductType>,
    ) -> Result<Option<Database>, RegistryError> {
        let databases = self.databases_of(tenant).await?;
        Ok(databases.into_iter().find(|d| d.product.as_ref() == product))
    }

    fn sealed(&self, new: &NewDatabase, server: &ListedServer) -> Result<Model, RegistryError> {
        let id = Uuid::now_v7().to_string();
        let secret_version = 1;
        let secret = match &new.login {
            None => None,
            Some(login) => endpoint_of(server.engine, &server.place, &login.user)
                .map(|endpoint| {
                    let purpose = Purpose::database(&id, secret_version, &new.tenant_id, &new.name, endpoint);
                    self.seal(&purpose, &login.password)
                })
                .transpose()?,
        };
        Ok(Model {
            tenant_id: new.tenant_id.to_string(),
            product: new.product.as_ref().map(ToString::to_string).unwrap_or_default(),
            server_id: server.id.clone(),
            name: new.name.clone(),
            db_user: new.login.as_ref().map(|login| login.user.clone()),
            secret,
            secret_version,
            status: DatabaseStatus::Creating.as_str().to_owned(),
            version: None,
            outcome: None,
            error_code: None,
            checked_at: None,
            created_at: now(),
            status_before: None,
            drops_at: None,
            next_secret: None,
            previous_secret: None,
            storage_path: new.storage_path.clone(),
            id,
        })
    }

    fn database_of(&self, row: &Model, server: &ListedServer) -> Result<Database, RegistryError> {
        let at = at(row);
        let tenant_id = TenantId::from_text(row.tenant_id.clone());
        let address = self.address_of(row, &tenant_id, &Host::of(server))?;
        Ok(Database {
            id: row.id.clone(),
            tenant_id,
            product: product_of(row)?,
            server: server.name.clone(),
            address,
            status: at.read("status", DatabaseStatus::from_word(&row.status))?,
            version: at.version("version", row.version)?,
            outcome: at.outcome(row.outcome.as_deref())?,
            error_code: at.code(row.error_code)?,
            checked_at: row.checked_at,
        })
    }
}

/// Returns what people call a database: the tenant's slug, and the product.
pub(super) async fn label_of(db: &impl ConnectionTrait, row: &Model) -> Result<String, DbErr> {
    let tenant = tenant::Entity::find_by_id(row.tenant_id.as_str()).one(db).await?;
    let slug = tenant.map_or_else(|| row.tenant_id.clone(), |tenant| tenant.slug);
    Ok(if row.product.is_empty() {
        slug
    } else {
        format!("{slug}/{}", row.product)
    })
}

pub(super) fn at(row: &Model) -> Row<'_> {
    Row {
        table: "tenantry_databases",
        id: &row.id,
    }
}

/// Reads the product; `None` for the shared database.
pub(super) fn product_of(row: &Model) -> Result<Option<ProductType>, RegistryError> {
    let product = Some(row.product.as_str()).filter(|p| !p.is_empty());
    at(row).read_opt("product", product, |p| p.parse().ok())
}
