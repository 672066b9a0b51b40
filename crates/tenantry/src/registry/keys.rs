//! Which keys the registry knows: one seals, others still open, and a destroyed one never comes back.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Query};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait as _,
    QueryFilter as _, QueryOrder as _, SqlErr,
};
use serde_json::json;

use super::audit::{Action, Change};
use super::entities::key::{ActiveModel, Column, Entity, Model};
use super::rewrap::Place;
use super::rows::Row;
use super::{Registry, RegistryError, now};
use crate::secret::{Envelope, HEAD_LEN, KeyId, KeyIds, KeyRing};

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It seals, and opens what it sealed.
    Active,
    /// It opens what it sealed before another took its place.
    Opens,
    /// It is for nothing any more.
    Destroyed,
}

impl KeyState {
    /// Returns the word used in the registry and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Opens => "opens",
            Self::Destroyed => "destroyed",
        }
    }

    /// Reads the word that [`Self::as_str`] gives; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Active, Self::Opens, Self::Destroyed]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// A key as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedKey {
    /// Its id.
    pub id: KeyId,
    /// What the registry has it for; `None` if it does not know the key.
    pub state: Option<KeyState>,
    /// Whether it is on the ring.
    pub is_here: bool,
    /// How many secrets were sealed with it.
    pub secrets: u64,
    /// Since when the registry knows it, in microseconds since 1970-01-01 UTC.
    pub created_at: Option<i64>,
    /// When it was destroyed.
    pub destroyed_at: Option<i64>,
}

/// How the ring stands to the registry, where its first key is not the one that seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingOrder {
    /// Its first key is new, and the one that seals stands behind it: a rotation was begun.
    Ahead,
    /// The key that seals is not on it: another machine has rotated.
    Behind,
    /// Its first key was replaced before, and the one that seals stands behind it.
    Mixed,
}

/// What a rotation finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The ring's first key seals: a new one has to be put before it.
    NeedsKey,
    /// The ring's first key is new, and seals as soon as it takes the place of this one.
    Begun {
        /// The key that seals now; `None` if the registry knows none.
        instead_of: Option<KeyId>,
    },
}

/// How many secrets need each key.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) by_key: BTreeMap<KeyId, u64>,
    /// Texts that are no envelopes.
    pub(super) unreadable: u64,
}

impl Registry {
    /// Returns every key that the registry knows, that a secret needs, or that is on the ring: the active one first,
    /// then by id.
    pub async fn keys(&self) -> Result<Vec<ListedKey>, RegistryError> {
        let rows = self.key_rows().await?;
        let counts = self.count_secrets(&self.db).await.map_err(|e| self.refused(&e))?;
        let mut ids: Vec<KeyId> = counts.by_key.keys().copied().collect();
        for row in &rows {
            ids.push(at(row).read("id", row.id.parse().ok())?);
        }
        ids.extend(self.keys.iter().flat_map(|keys| keys.ids()));
        ids.sort_unstable();
        ids.dedup();
        let mut listed = Vec::with_capacity(ids.len());
        for id in ids {
            let row = rows.iter().find(|row| row.id == id.to_string());
            listed.push(ListedKey {
                id,
                state: row.map(state).transpose()?,
                is_here: self.keys.as_ref().is_some_and(|keys| keys.find(id).is_some()),
                secrets: counts.by_key.get(&id).copied().unwrap_or(0),
                created_at: row.map(|row| row.created_at),
                destroyed_at: row.and_then(|row| row.destroyed_at),
            });
        }
        listed.sort_by_key(|key| key.state != Some(KeyState::Active));
        Ok(listed)
    }

    /// Says what is to be done so that a new key seals. Where the registry knows no key, it is told the one that sealed
    /// until now.
    ///
    /// # Errors
    /// [`RegistryError::KeyNeeded`] without a ring, [`RegistryError::NotSealing`] if the ring lacks the key that seals or
    /// begins with one that was replaced, [`RegistryError::KeyDestroyed`] if it begins with one that was destroyed, and
    /// [`RegistryError::WrongKey`] if nothing opens with it.
    pub async fn rotation(&self) -> Result<Rotation, RegistryError> {
        let keys = self.ring("the rotation of keys")?;
        match self.order(keys).await? {
            Ok(Some(_)) => Ok(Rotation::NeedsKey),
            Ok(None) => {
                self.refuse_strange_key(keys).await?;
                let counts = self.count_secrets(&self.db).await.map_err(|e| self.refused(&e))?;
                let unused = !counts.by_key.contains_key(&keys.active().id());
                if unused && !counts.by_key.is_empty() {
                    return Ok(Rotation::Begun { instead_of: None });
                }
                self.ready_to_seal().await?;
                Ok(Rotation::NeedsKey)
            }
            Err(RegistryError::NotSealing {
                active,
                order: RingOrder::Ahead,
                ..
            }) => Ok(Rotation::Begun {
                instead_of: Some(active),
            }),
            Err(error) => Err(error),
        }
    }

    /// Lets a key seal from now on; the one in whose place it comes only opens. Secrets stay as they are.
    ///
    /// # Errors
    /// [`RegistryError::KeyChanged`] if another key than `instead_of` seals by now, or this one was known before.
    pub async fn activate_key(&self, id: KeyId, instead_of: Option<KeyId>) -> Result<(), RegistryError> {
        let transaction = self.begin().await?;
        let written = replace_active(&transaction, id, instead_of).await;
        match written {
            Ok(true) => {
                let id = id.to_string();
                let mut change = Change::new(Action::KeyActivate, &id, &id);
                if let Some(before) = instead_of {
                    change = change.from(json!({"active": before.to_string()}));
                }
                let change = change.to(json!({ "active": id }));
                self.commit_recorded(transaction, change).await
            }
            Ok(false) => Err(RegistryError::KeyChanged),
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                Err(RegistryError::KeyChanged)
            }
            Err(error) => Err(self.refused(&error)),
        }
    }

    /// Writes down that a key is for nothing any more. May be repeated.
    ///
    /// # Errors
    /// [`RegistryError::KeyInUse`] if it seals or a secret needs it, [`RegistryError::KeyNotFound`] if neither registry
    /// nor ring know it.
    pub async fn destroy_key(&self, id: KeyId) -> Result<(), RegistryError> {
        let transaction = self.begin().await?;
        // Nobody seals with a key that is not the active one, so that what is counted here stays counted.
        let counts = self
            .count_secrets(&transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        let secrets = counts.by_key.get(&id).copied().unwrap_or(0);
        let row = Entity::find_by_id(id.to_string())
            .one(&transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        let state = row.as_ref().map(state).transpose()?;
        let seals = match state {
            Some(KeyState::Active) => true,
            Some(KeyState::Destroyed) => return Ok(()),
            Some(KeyState::Opens) => false,
            None => self.would_seal(id, &transaction).await?,
        };
        if secrets > 0 || seals {
            return Err(RegistryError::KeyInUse { id, secrets });
        }
        let is_here = self.keys.as_ref().is_some_and(|keys| keys.find(id).is_some());
        if row.is_none() && !is_here {
            return Err(RegistryError::KeyNotFound { id });
        }
        write_destroyed(&transaction, id, row)
            .await
            .map_err(|e| self.refused(&e))?;
        let id = id.to_string();
        let change = Change::new(Action::KeyDestroy, &id, &id)
            .from(json!({"state": state.map_or("unknown", KeyState::as_str)}))
            .to(json!({"state": KeyState::Destroyed.as_str()}));
        self.commit_recorded(transaction, change).await
    }

    /// Returns whether an unknown key is the one that would seal next: the ring's first.
    async fn would_seal(&self, id: KeyId, transaction: &DatabaseTransaction) -> Result<bool, RegistryError> {
        let known = Entity::find()
            .filter(Column::OnlyOne.eq(1))
            .one(transaction)
            .await
            .map_err(|e| self.refused(&e))?;
        let is_first = self.keys.as_ref().is_some_and(|keys| keys.active().id() == id);
        Ok(known.is_none() && is_first)
    }

    /// Refuses a ring whose first key is not the one that seals: what it seals, others might not open. Where the registry
    /// knows no key yet, the ring must open one of the secrets that are there. Writes nothing; without a ring there is
    /// nothing to refuse.
    ///
    /// # Errors
    /// [`RegistryError::NotSealing`], [`RegistryError::KeyDestroyed`], [`RegistryError::WrongKey`].
    pub async fn check_key(&self) -> Result<(), RegistryError> {
        let Some(keys) = &self.keys else { return Ok(()) };
        match self.order(keys).await?? {
            Some(_) => Ok(()),
            None => self.refuse_strange_key(keys).await,
        }
    }

    /// Does what [`Self::check_key`] does, and writes the ring's first key down where the registry knows none yet.
    pub(super) async fn ready_to_seal(&self) -> Result<(), RegistryError> {
        let Some(keys) = &self.keys else { return Ok(()) };
        if self.order(keys).await??.is_some() {
            return Ok(());
        }
        self.refuse_strange_key(keys).await?;
        match self.activate_key(keys.active().id(), None).await {
            // Somebody else was first, perhaps with the same key.
            Err(RegistryError::KeyChanged) => self.order(keys).await?.map(|_| ()),
            done => done,
        }
    }

    /// Does what [`Self::hold_key`] does.
    ///
    /// # Errors
    /// [`RegistryError::KeyChanged`] if another key seals by now.
    pub(super) async fn keep_key(&self, transaction: &DatabaseTransaction) -> Result<(), RegistryError> {
        if self.hold_key(transaction).await.map_err(|e| self.refused(&e))? {
            Ok(())
        } else {
            Err(RegistryError::KeyChanged)
        }
    }

    /// Holds the row of the key that seals until the transaction ends, so that nobody replaces it; returns whether it is
    /// still the ring's first.
    pub(super) async fn hold_key(&self, transaction: &DatabaseTransaction) -> Result<bool, DbErr> {
        let Some(keys) = &self.keys else { return Ok(true) };
        let held = Entity::update_many()
            .col_expr(Column::OnlyOne, Expr::value(1))
            .filter(Column::Id.eq(keys.active().id().to_string()))
            .filter(Column::OnlyOne.eq(1))
            .exec(transaction)
            .await?;
        Ok(held.rows_affected > 0)
    }

    /// Returns the id of the ring's first key.
    ///
    /// # Errors
    /// [`RegistryError::KeyNeeded`] without a ring.
    pub fn first_key(&self) -> Result<KeyId, RegistryError> {
        self.ring("this command").map(|keys| keys.active().id())
    }

    /// Returns the ring.
    pub(super) fn ring(&self, of: &str) -> Result<&KeyRing, RegistryError> {
        self.keys
            .as_deref()
            .ok_or_else(|| RegistryError::KeyNeeded { of: of.to_owned() })
    }

    /// Counts the secrets by the key that each needs.
    pub(super) async fn count_secrets(&self, db: &impl ConnectionTrait) -> Result<Counts, DbErr> {
        let mut counts = Counts::default();
        for place in Place::ALL {
            let column = place.column();
            let head = Expr::cust(format!("SUBSTR({column}, 1, {HEAD_LEN})"));
            let select = Query::select()
                .expr_as(head.clone(), Alias::new("head"))
                .expr_as(Expr::cust("COUNT(*)"), Alias::new("secrets"))
                .from(Alias::new(place.table()))
                .and_where(Expr::col(Alias::new(column)).is_not_null())
                .add_group_by([head])
                .take();
            for row in db.query_all(&select).await? {
                let head: String = row.try_get("", "head")?;
                let secrets = u64::try_from(row.try_get::<i64>("", "secrets")?).unwrap_or(0);
                match Envelope::key_of_head(&head) {
                    Some(id) => *counts.by_key.entry(id).or_default() += secrets,
                    None => counts.unreadable += secrets,
                }
            }
        }
        Ok(counts)
    }

    /// Returns the key that seals if it is the ring's first, and `None` if the registry knows none yet; the inner error
    /// says why the ring must not seal.
    async fn order(&self, keys: &KeyRing) -> Result<Result<Option<KeyId>, RegistryError>, RegistryError> {
        let rows = self.key_rows().await?;
        let first = keys.active().id();
        let mut known = None;
        let mut active = None;
        for row in &rows {
            let (id, state) = (at(row).read("id", row.id.parse::<KeyId>().ok())?, state(row)?);
            if id == first {
                known = Some(state);
            }
            if state == KeyState::Active {
                active = Some(id);
            }
        }
        let order = match (known, active) {
            (Some(KeyState::Destroyed), _) => return Ok(Err(RegistryError::KeyDestroyed { id: first })),
            (_, None) => return Ok(Ok(None)),
            (_, Some(active)) if active == first => return Ok(Ok(Some(active))),
            (_, Some(active)) if keys.find(active).is_none() => RingOrder::Behind,
            (Some(_), Some(_)) => RingOrder::Mixed,
            (None, Some(_)) => RingOrder::Ahead,
        };
        Ok(Err(RegistryError::NotSealing {
            active: active.unwrap_or(first),
            first,
            order,
        }))
    }

    /// Refuses a ring that none of the secrets was sealed with: what it seals, nobody with the right key could open.
    /// Any will do where there is no secret yet.
    async fn refuse_strange_key(&self, keys: &KeyRing) -> Result<(), RegistryError> {
        let counts = self.count_secrets(&self.db).await.map_err(|e| self.refused(&e))?;
        match counts.by_key.keys().next() {
            Some(needed) if counts.by_key.keys().all(|id| keys.find(*id).is_none()) => {
                Err(RegistryError::WrongKey {
                    needed: *needed,
                    here: KeyIds::of(keys),
                })
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn key_rows(&self) -> Result<Vec<Model>, RegistryError> {
        Entity::find()
            .order_by_asc(Column::Id)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))
    }
}

/// Puts a key in another's place; `false` if that one does not seal any more.
async fn replace_active(
    transaction: &DatabaseTransaction,
    id: KeyId,
    instead_of: Option<KeyId>,
) -> Result<bool, DbErr> {
    if let Some(before) = instead_of {
        let replaced = Entity::update_many()
            .col_expr(Column::State, Expr::value(KeyState::Opens.as_str()))
            .col_expr(Column::OnlyOne, Expr::value(None::<i32>))
            .filter(Column::Id.eq(before.to_string()))
            .filter(Column::OnlyOne.eq(1))
            .exec(transaction)
            .await?;
        if replaced.rows_affected == 0 {
            return Ok(false);
        }
    }
    let row = Model {
        id: id.to_string(),
        state: KeyState::Active.as_str().to_owned(),
        only_one: Some(1),
        created_at: now(),
        destroyed_at: None,
    };
    Entity::insert(ActiveModel::from(row).reset_all())
        .exec_without_returning(transaction)
        .await?;
    Ok(true)
}

/// Writes the row of a destroyed key, or what becomes of the one that is there.
async fn write_destroyed(
    transaction: &DatabaseTransaction,
    id: KeyId,
    row: Option<Model>,
) -> Result<(), DbErr> {
    let is_new = row.is_none();
    let row = Model {
        id: id.to_string(),
        state: KeyState::Destroyed.as_str().to_owned(),
        only_one: None,
        created_at: row.map_or_else(now, |row| row.created_at),
        destroyed_at: Some(now()),
    };
    let row = ActiveModel::from(row).reset_all();
    if is_new {
        Entity::insert(row).exec_without_returning(transaction).await?;
    } else {
        Entity::update(row).exec(transaction).await?;
    }
    Ok(())
}

fn at(row: &Model) -> Row<'_> {
    Row {
        table: "tenantry_keys",
        id: &row.id,
    }
}

fn state(row: &Model) -> Result<KeyState, RegistryError> {
    at(row).read("state", KeyState::from_word(&row.state))
}
