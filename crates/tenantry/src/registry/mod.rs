//! The registry: our tables in the central database, where servers, tenants, their databases and the
//! runs over them are kept.
//!
//! It is a plan and a cache; what was applied is decided by the history inside each database.

mod again;
mod audit;
mod begin;
mod clock;
mod connect;
mod creation;
mod databases;
mod detail;
mod entities;
mod error;
mod hosts;
mod import;
mod keys;
mod leases;
mod lifecycle;
mod listing;
mod marks;
mod needing;
mod new_password;
mod of_several;
mod pages;
mod passwords;
mod query;
mod rewrap;
mod rows;
mod run_targets;
mod runs;
mod schema;
mod server_row;
mod servers;
mod stages;
mod status;
mod targets;
mod tenants;
mod under_way;
mod unfinished;
mod watched;
mod went_back;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbErr, IsolationLevel, SqliteTransactionMode,
    TransactionOptions, TransactionTrait as _,
};

pub use audit::{Action, AuditFinding, AuditHead, AuditQuery, AuditRow, ChangedBy, Verified};
pub use begin::{Begun, Holding, Standstill};
pub use creation::NewTenant;
pub use databases::{Database, DatabaseStatus, NewDatabase};
pub use error::RegistryError;
pub use import::{Import, Imported};
pub use keys::{KeyState, ListedKey, RingOrder, Rotation};
pub use leases::{Claimed, Driven};
pub use lifecycle::{Deletion, Due};
pub use listing::ListedDatabase;
pub use marks::{Known, MarkRecord, MarkTarget, NewMark};
pub use needing::Named;
pub use new_password::NewPassword;
pub use of_several::OfSeveral;
pub use query::Answer;
pub use rewrap::{RewrapProgress, Rewrapped, Told, Unopened};
pub(crate) use rows::{check_given_key, check_name};
pub use run_targets::RunTarget;
pub(crate) use runs::PROVISION;
pub use runs::{NewRun, Run, RunEnd, RunPlan, Which};
pub use schema::track;
pub use servers::{Draining, ListedServer, NewServer};
pub use status::{FleetStatus, NotCurrent, NotProvisioned, Reason, StatusGroup};
pub(crate) use targets::label;
pub use targets::{LockedTarget, Targets, Tier};
pub use unfinished::LeftOver;

use crate::engine::{Engine, SqliteFile};
use crate::secret::KeyRing;
use crate::tenant::Jurisdiction;

/// An open registry. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Registry {
    db: DatabaseConnection,
    engine: Engine,
    endpoint: String,
    id: Arc<str>,
    keys: Option<Arc<KeyRing>>,
    /// As whose the changes that are made through this handle are recorded.
    by: Arc<ChangedBy>,
    /// The jurisdictions whose servers may be opened; `None` for all.
    bound: Option<Arc<[Jurisdiction]>>,
    /// The central database's file on SQLite.
    file: Option<SqliteFile>,
}

impl Registry {
    /// Gives the registry the keys that seal and open passwords; SQLite fleets need none.
    #[must_use]
    pub fn with_keys(mut self, keys: KeyRing) -> Self {
        self.keys = Some(Arc::new(keys));
        self
    }

    /// Lets the registry give away only what leads to servers of these jurisdictions: addresses, logins, targets. What it
    /// knows of others can still be listed. An empty list binds it to nothing.
    #[must_use]
    pub fn bound_to(mut self, jurisdictions: Vec<Jurisdiction>) -> Self {
        self.bound = (!jurisdictions.is_empty()).then(|| jurisdictions.into());
        self
    }

    /// Returns whether servers of a jurisdiction may be opened.
    pub fn opens(&self, jurisdiction: &Jurisdiction) -> bool {
        let bound = self.bound.as_ref();
        bound.is_none_or(|bound| bound.contains(jurisdiction))
    }

    /// Refuses what stands in a jurisdiction that this registry is not bound to.
    ///
    /// # Errors
    /// [`RegistryError::OutOfBounds`], which names `what`.
    pub fn check_bound(&self, what: &str, jurisdiction: &Jurisdiction) -> Result<(), RegistryError> {
        if self.opens(jurisdiction) {
            return Ok(());
        }
        Err(RegistryError::OutOfBounds {
            what: what.to_owned(),
            stands: jurisdiction.clone(),
            bound: self
                .bound
                .iter()
                .flat_map(|bound| bound.iter().cloned())
                .collect(),
        })
    }

    /// Returns the registry's own id, which is the central database's id in its `_tenantry_meta` too.
    pub fn registry_id(&self) -> &str {
        &self.id
    }

    /// Returns where the central database stands: `host:port` or the path of its file.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns the engine of the central database.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Begins a transaction; it is rolled back unless it is committed.
    async fn begin(&self) -> Result<DatabaseTransaction, RegistryError> {
        // A deferred SQLite transaction that reads first cannot always become a writer later.
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            // Under REPEATABLE READ InnoDB locks what lies between rows, and two runs deadlock over nothing.
            isolation_level: (self.engine == Engine::MySql).then_some(IsolationLevel::ReadCommitted),
            ..TransactionOptions::default()
        };
        self.db
            .begin_with_options(options)
            .await
            .map_err(|e| self.refused(&e))
    }

    async fn commit(&self, transaction: DatabaseTransaction) -> Result<(), RegistryError> {
        // SQLite goes on writing to a file that nobody will ever see again, and reports no error.
        if self.file.as_ref().is_some_and(|file| !file.is_in_place()) {
            return Err(RegistryError::Unreachable {
                endpoint: self.endpoint.clone(),
                reason: "the file is gone, or another one is in its place".to_owned(),
            });
        }
        transaction.commit().await.map_err(|e| self.refused(&e))
    }

    /// Turns what the database said into our words.
    fn refused(&self, error: &DbErr) -> RegistryError {
        connect::name_programs(connect::refused(&self.endpoint, error), self.file.as_ref())
    }
}

/// Returns the time in microseconds since 1970-01-01 UTC, by this machine's clock.
fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_micros()).ok())
        .unwrap_or(0)
}
