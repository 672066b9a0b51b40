//! Tenantry runs the databases of platforms that give every tenant its own database: it keeps the
//! registry of tenants, creates their databases, and carries every schema change to all of them.
//!
//! ```no_run
//! use std::path::PathBuf;
//! use tenantry::engine::{Address, SqliteAddress};
//! use tenantry::fleet::{Fleet, Folders, REGISTRY_TIMEOUT};
//! use tenantry::{TenantMigrator, registry::Registry, run::RunOptions};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let central = Address::Sqlite(SqliteAddress { folder: PathBuf::from("data"), file: "central.db".into() });
//! let registry = Registry::connect(&central, REGISTRY_TIMEOUT).await?;
//! let folders = Folders { tenant: PathBuf::from("migrations/tenant"), ..Folders::default() };
//! let fleet = Fleet { registry, folders, options: RunOptions::default() };
//! let report = TenantMigrator::new(fleet).migrate_all(5).await?;
//! println!("{} succeeded, {} failed", report.success().count(), report.failed().count());
//! # Ok(())
//! # }
//! ```
//!
//! One tenant's failure is part of the report; an error means that the run could not be carried on at all.
//!
//! | to | use |
//! |---|---|
//! | migrate tenants and products | [`TenantMigrator`], [`ProductMigrator`] |
//! | create tenants and their databases | [`provision::Tenants`], [`provision::Products`] |
//! | take in a fleet that is there | [`import::read`], [`registry::Registry::import`] |
//! | open the central database, and prepare a new one | [`registry::Registry`], [`fleet::prepare_central`] |
//! | choose targets, watch a run, stop it | [`fleet::Fleet`], [`run::RunEvent`], [`run::Control`] |
//! | look at files, histories and plans without a database | [`migration`], [`mod@history`], [`mod@plan`] |
//! | work on one database | [`engine`] |
//! | seal and open stored passwords | [`secret`] |
//!
//! Nothing here prints or reads the environment. What happens is told in events, and logged through
//! `tracing`; the words are in `docs/logging.md`.

mod code;
mod direction;
mod domain;
pub mod engine;
#[cfg(feature = "faults")]
pub mod faults;
#[cfg(not(feature = "faults"))]
#[expect(
    unreachable_pub,
    reason = "only the build that tests faults shows their names"
)]
mod faults;
pub mod fleet;
pub mod history;
pub mod import;
pub mod mark;
pub mod migration;
mod migrator;
pub mod plan;
pub mod provision;
mod readiness;
pub mod registry;
pub mod run;
pub mod secret;
mod selection;
mod server;
mod standing;
mod target;
mod tenant;

pub use code::Code;
pub use direction::Direction;
pub use domain::Domain;
pub use migrator::{MigrateError, ProductMigrator, TenantMigrator, TenantProduct};
pub use readiness::{Readiness, ReadinessCheck};
pub use selection::{Pattern, Selection, nearest};
pub use server::{DEFAULT_PER_SERVER, Intake, NoRoom, Server};
pub use standing::Standing;
pub use target::{Owner, Target, TrackName};
pub use tenant::{
    Jurisdiction, NameError, ProductType, SLUG_MAX, ServerName, Slug, Tenant, TenantId, TenantStatus,
};

/// The README's Rust, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
