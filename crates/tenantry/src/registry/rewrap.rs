//! Sealing every secret anew under the key that seals now, some at a time, however often it is cut off.

use std::collections::HashMap;

use sea_orm::sea_query::{Alias, CaseStatement, Expr, ExprTrait as _, Query};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait as _, DatabaseTransaction, DbErr, EntityTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::audit::{Action, Change};
use super::databases::at;
use super::entities::{database, server};
use super::hosts::Host;
use super::passwords::Purpose;
use super::server_row::listed;
use super::servers::{ListedServer, admin_purpose};
use super::{Registry, RegistryError};
use crate::code::Code;
use crate::secret::{Envelope, HEAD_LEN, KeyId};
use crate::tenant::TenantId;

/// How many secrets one transaction renews.
const BATCH: u64 = 500;

/// How many one statement renews: its time grows with their square.
const AT_ONCE: usize = 100;

/// A column that holds secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The password of a tenant's database.
    Database,
    /// The one that takes its place.
    Next,
    /// The one before it.
    Previous,
    /// A server's administrator's password.
    Admin,
    /// A server's own endpoint.
    Direct,
}

impl Place {
    pub(super) const ALL: [Self; 5] = [
        Self::Database,
        Self::Next,
        Self::Previous,
        Self::Admin,
        Self::Direct,
    ];

    /// Those of a database, each with how far its version is from the present one's.
    const OF_DATABASE: [(Self, i64); 3] = [(Self::Database, 0), (Self::Next, 1), (Self::Previous, -1)];

    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Database | Self::Next | Self::Previous => "tenantry_databases",
            Self::Admin | Self::Direct => "tenantry_servers",
        }
    }

    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Database => "secret",
            Self::Next => "next_secret",
            Self::Previous => "previous_secret",
            Self::Admin => "admin_secret",
            Self::Direct => "direct_seal",
        }
    }
}

/// A secret that stays under the key it was sealed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unopened {
    /// Whose it is: `server eu-db-1`, `database tenant_1_shared`.
    pub of: String,
    /// The stable code of the reason.
    pub code: Code,
    /// Why.
    pub reason: String,
}

/// What was renewed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// How many secrets are under the new key now that were not before.
    pub renewed: u64,
    /// Those that did not open, in the order of the registry.
    pub unopened: Vec<Unopened>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RewrapProgress {
    /// How many are done.
    pub done: u64,
    /// How many there were when it began.
    pub of: u64,
}

/// What is told after each batch.
pub type Told<'a> = &'a mut (dyn FnMut(RewrapProgress) + Send);

/// A secret in its old and in its new envelope.
struct Renewed {
    row_id: String,
    old: String,
    new: String,
}

/// What is carried from batch to batch.
struct Pass<'a> {
    active: KeyId,
    head: String,
    of: u64,
    told: Told<'a>,
    done: Rewrapped,
    /// How many changed under our hands: whoever changed them may have used the old key.
    missed: u64,
}

impl Registry {
    /// Seals every secret anew under the key that seals now, each with a new data key; opens what it made before it
    /// writes it, and writes only over what it read.
    ///
    /// It can be cut off at any point: every secret is then under the old or the new key, and the next call goes on.
    /// Two at once are safe. A secret that does not open is left as it is, and in the answer by name.
    ///
    /// # Errors
    /// As [`Self::check_key`]; [`RegistryError::KeyChanged`] if the keys are rotated meanwhile.
    pub async fn rewrap(&self, told: Told<'_>) -> Result<Rewrapped, RegistryError> {
        let active = self.ring("rewrapping")?.active().id();
        self.ready_to_seal().await?;
        let mut pass = Pass {
            active,
            head: Envelope::head_of(active),
            of: self.under_others(active).await?,
            told,
            done: Rewrapped::default(),
            missed: 0,
        };
        loop {
            pass.missed = 0;
            pass.done.unopened.clear();
            let rows = server::Entity::find().order_by_asc(server::Column::Id);
            let rows = rows.all(&self.db).await.map_err(|e| self.refused(&e))?;
            self.rewrap_servers(&rows, &mut pass).await?;
            self.rewrap_databases(&rows, &mut pass).await?;
            if pass.missed == 0 {
                return Ok(pass.done);
            }
        }
    }

    /// Returns how many secrets are not under a key.
    async fn under_others(&self, active: KeyId) -> Result<u64, RegistryError> {
        let counts = self.count_secrets(&self.db).await.map_err(|e| self.refused(&e))?;
        let others = counts.by_key.iter().filter(|(id, _)| **id != active);
        Ok(others.map(|(_, secrets)| secrets).sum::<u64>() + counts.unreadable)
    }

    async fn rewrap_servers(&self, rows: &[server::Model], pass: &mut Pass<'_>) -> Result<(), RegistryError> {
        let (mut admins, mut directs) = (Vec::new(), Vec::new());
        for row in rows {
            let listed = listed(row)?;
            if let (Some(old), Some(purpose)) = (&row.admin_secret, admin_purpose(row, &listed)) {
                admins.extend(self.renew(&purpose, old, pass));
            }
            if let (Some(old), Some((purpose, _))) = (&row.direct_seal, Purpose::direct(&listed)) {
                directs.extend(self.renew(&purpose, old, pass));
            }
        }
        self.write_renewed(Place::Admin, &admins, pass).await?;
        self.write_renewed(Place::Direct, &directs, pass).await
    }

    async fn rewrap_databases(
        &self,
        servers: &[server::Model],
        pass: &mut Pass<'_>,
    ) -> Result<(), RegistryError> {
        let servers: Vec<ListedServer> = servers.iter().map(listed).collect::<Result<_, _>>()?;
        let hosts: HashMap<&str, Host<'_>> = servers.iter().map(|s| (s.id.as_str(), Host::of(s))).collect();
        let mut behind = String::new();
        loop {
            let rows = self.databases_behind(&behind, &pass.head).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            behind.clone_from(&last.id);
            for (place, ahead) in Place::OF_DATABASE {
                let mut renewed = Vec::with_capacity(rows.len());
                for row in &rows {
                    let host = at(row).read("server_id", hosts.get(row.server_id.as_str()))?;
                    let tenant_id = TenantId::from_text(row.tenant_id.clone());
                    let purpose = host.purpose_of(row, &tenant_id, row.secret_version + ahead)?;
                    if let (Some(old), Some(purpose)) = (secret_of(row, place), purpose) {
                        renewed.extend(self.renew(&purpose, old, pass));
                    }
                }
                self.write_renewed(place, &renewed, pass).await?;
            }
        }
    }

    /// Returns databases in the order of their ids of which a secret does not begin with `head`; none at the end.
    async fn databases_behind(&self, id: &str, head: &str) -> Result<Vec<database::Model>, RegistryError> {
        let mut others = Condition::any();
        for (place, _) in Place::OF_DATABASE {
            // A column without a secret compares to nothing, and is left out.
            let begins = Expr::cust(format!("SUBSTR({}, 1, {HEAD_LEN})", place.column()));
            others = others.add(begins.ne(head));
        }
        database::Entity::find()
            .filter(database::Column::Id.gt(id))
            .filter(others)
            .order_by_asc(database::Column::Id)
            .limit(BATCH)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))
    }

    /// Seals one secret anew; `None` if it is under the key already, or if it does not open, which is noted.
    fn renew(&self, purpose: &Purpose<'_>, old: &str, pass: &mut Pass<'_>) -> Option<Renewed> {
        if old.starts_with(&pass.head) {
            return None;
        }
        let renewed = self.open(purpose, old).and_then(|secret| {
            let new = self.seal(purpose, &secret)?;
            // What does not come back must not take the place of what does.
            if self.open(purpose, &new)?.expose_secret() != secret.expose_secret() {
                return Err(RegistryError::NotReadBack {
                    of: purpose.of().to_owned(),
                });
            }
            Ok(new)
        });
        match renewed {
            Ok(new) => Some(Renewed {
                row_id: purpose.row_id().to_owned(),
                old: old.to_owned(),
                new,
            }),
            Err(error) => {
                pass.done.unopened.push(Unopened {
                    of: purpose.of().to_owned(),
                    code: error.code(),
                    reason: reason(&error),
                });
                None
            }
        }
    }

    /// Writes new envelopes in place of the old ones that were read, in one transaction.
    async fn write_renewed(
        &self,
        place: Place,
        renewed: &[Renewed],
        pass: &mut Pass<'_>,
    ) -> Result<(), RegistryError> {
        if renewed.is_empty() {
            return Ok(());
        }
        let transaction = self.begin().await?;
        self.keep_key(&transaction).await?;
        let mut written = 0;
        for some in renewed.chunks(AT_ONCE) {
            written += write(&transaction, place, some)
                .await
                .map_err(|e| self.refused(&e))?;
        }
        if pass.done.renewed == 0 && written > 0 {
            // All batches are one change, and the first is never without its record.
            let id = pass.active.to_string();
            let change = Change::new(Action::KeyRewrap, &id, &id).to(json!({ "secrets": pass.of }));
            self.commit_recorded(transaction, change).await?;
        } else {
            self.commit(transaction).await?;
        }
        pass.missed += u64::try_from(renewed.len()).unwrap_or(0).saturating_sub(written);
        pass.done.renewed += written;
        (pass.told)(RewrapProgress {
            done: pass.done.renewed,
            of: pass.of,
        });
        Ok(())
    }
}

/// Writes new texts over old ones that are still there; returns how many were.
async fn write(transaction: &DatabaseTransaction, place: Place, renewed: &[Renewed]) -> Result<u64, DbErr> {
    let id = || Expr::col(Alias::new("id"));
    let by_id = |text: fn(&Renewed) -> &str| {
        renewed.iter().fold(CaseStatement::new(), |case, one| {
            case.case(id().eq(one.row_id.as_str()), text(one))
        })
    };
    let update = Query::update()
        .table(Alias::new(place.table()))
        .value(Alias::new(place.column()), by_id(|one| &one.new))
        .and_where(id().is_in(renewed.iter().map(|one| one.row_id.as_str())))
        .and_where(Expr::col(Alias::new(place.column())).eq(by_id(|one| &one.old)))
        .take();
    transaction
        .execute(&update)
        .await
        .map(|done| done.rows_affected())
}

/// Returns the text in a column of a database's row; `None` if it is empty, or not of a database.
fn secret_of(row: &database::Model, place: Place) -> Option<&str> {
    match place {
        Place::Database => row.secret.as_deref(),
        Place::Next => row.next_secret.as_deref(),
        Place::Previous => row.previous_secret.as_deref(),
        Place::Admin | Place::Direct => None,
    }
}

/// Says why a secret does not open, in one line.
fn reason(error: &RegistryError) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), ToString::to_string)
}
