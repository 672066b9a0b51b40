//! Why a tenant or a product could not be provisioned.

use std::sync::Arc;

use thiserror::Error;

use super::NamingError;
use crate::code::Code;
use crate::engine::CreateError;
use crate::fleet::FleetError;
use crate::registry::RegistryError;
use crate::run::{Failure, TargetReport};
use crate::server::NoRoom;
use crate::tenant::{Jurisdiction, ProductType, ServerName, Slug, Tenant};

/// A tenant or product could not be provisioned; the same call continues with what is missing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProvisionError {
    /// The registry failed before anything was written.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The registry failed when tenant or database were already written; the same call continues.
    #[error(transparent)]
    HalfWay(RegistryError),
    /// A run could not be carried on.
    #[error(transparent)]
    Fleet(FleetError),
    /// No name for the database follows from the template.
    #[error(transparent)]
    Naming(#[from] NamingError),
    /// There is no server in the jurisdiction.
    #[error("there is no server in {jurisdiction}")]
    NoServer {
        /// The jurisdiction.
        jurisdiction: Jurisdiction,
        /// Jurisdictions with servers that may have been meant, at most three.
        nearest: Vec<String>,
    },
    /// No server of the jurisdiction takes the database, or the one that was named does not.
    #[error("no server in {jurisdiction} takes a database for `{what}`")]
    NoRoom {
        /// The jurisdiction.
        jurisdiction: Jurisdiction,
        /// What the database is for: `tenant`, or a product type.
        what: String,
        /// The servers that were looked at, each with why it takes none.
        servers: Vec<(ServerName, NoRoom)>,
    },
    /// The server stands elsewhere than the tenant belongs.
    #[error("`{slug}` belongs to {tenant}; {server} stands in {stands}")]
    WrongJurisdiction {
        /// The tenant's slug.
        slug: String,
        /// The tenant's jurisdiction.
        tenant: Jurisdiction,
        /// The server.
        server: ServerName,
        /// The server's jurisdiction.
        stands: Jurisdiction,
    },
    /// A product was asked for, and the tenant's own creation has not ended.
    #[error("Tenant database not provisioned: {}", tenant.id)]
    Unfinished {
        /// The tenant.
        tenant: Box<Tenant>,
        /// The product.
        product: ProductType,
    },
    /// The database could not be created.
    #[error("database `{database}` on {server} could not be created")]
    Create {
        /// The database.
        database: String,
        /// The server.
        server: ServerName,
        /// Why.
        #[source]
        source: CreateError,
    },
    /// The database was created and could not be migrated.
    #[error("Migration failed: {}", failure.what)]
    Migrate {
        /// What became of the database.
        target: Box<TargetReport>,
        /// Why.
        failure: Arc<Failure>,
    },
    /// It was asked to stop before it was done; the same call continues.
    #[error("{} was stopped before it was there", stopped(slug, product.as_ref()))]
    Stopped {
        /// The tenant's slug.
        slug: Slug,
        /// The product whose database was being made; `None` for the shared one.
        product: Option<ProductType>,
    },
    /// No password could be made.
    #[error("the system gave no random numbers")]
    Random(#[source] getrandom::Error),
}

impl ProvisionError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Registry(error) | Self::HalfWay(error) => error.code(),
            Self::Fleet(error) => error.code(),
            Self::Naming(_) => Code(6014),
            Self::NoServer { .. } => Code(6015),
            Self::NoRoom { .. } => Code(6018),
            Self::WrongJurisdiction { .. } => Code(6003),
            Self::Unfinished { .. } => Code(6013),
            Self::Create { source, .. } => source.code(),
            Self::Migrate { failure, .. } => failure.code,
            Self::Stopped { .. } => Code(4006),
            Self::Random(_) => Code(1008),
        }
    }
}

fn stopped(slug: &Slug, product: Option<&ProductType>) -> String {
    product.map_or_else(|| format!("`{slug}`"), |product| format!("`{slug}/{product}`"))
}

impl ProvisionError {
    /// Says the same of a creation that has begun.
    pub(super) fn half_way(self) -> Self {
        if let Self::Registry(error) = self {
            Self::HalfWay(error)
        } else {
            self
        }
    }
}

impl From<FleetError> for ProvisionError {
    fn from(error: FleetError) -> Self {
        match error {
            FleetError::Registry(error) => Self::Registry(error),
            other @ (FleetError::NotBegun(_)
            | FleetError::UnknownVersion { .. }
            | FleetError::UnknownProduct { .. }
            | FleetError::Broken(_)
            | FleetError::Held(_)
            | FleetError::Waits { .. }
            | FleetError::Left { .. }
            | FleetError::Abandoned { .. }
            | FleetError::Replanned { .. }
            | FleetError::NobodyInWave(_)
            | FleetError::Files(_)
            | FleetError::Central(_)
            | FleetError::Create(_)
            | FleetError::Schema(_)) => Self::Fleet(other),
        }
    }
}
