//! Tenantry runs the databases of platforms that give every tenant its own database: it keeps the
//! registry of tenants, creates their databases, and carries every schema change to all of them.

mod code;
mod direction;
pub mod engine;
pub mod history;
pub mod migration;
pub mod plan;
pub mod run;
pub mod secret;
mod server;
mod target;
mod tenant;

pub use code::Code;
pub use direction::Direction;
pub use server::{DEFAULT_PER_SERVER, Server};
pub use target::{Owner, Target, TrackName};
pub use tenant::{
    Jurisdiction, NameError, ProductType, SLUG_MAX, ServerName, Slug, Tenant, TenantId, TenantStatus,
};
