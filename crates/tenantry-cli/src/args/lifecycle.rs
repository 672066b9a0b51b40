//! The flags of what ends a tenant or a product, or takes it offline.

use std::time::Duration;

use clap::Args;
use tenantry::{ProductType, Slug};

use super::values;

/// `tenant suspend | activate | restore`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Turned {
    /// The tenant: slug, id or external id
    pub(crate) tenant: String,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

/// `tenant rename`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Rename {
    /// The tenant: slug, id or external id
    pub(crate) tenant: String,
    /// Its new short name
    #[arg(required_unless_present = "name")]
    pub(crate) slug: Option<Slug>,
    /// Its new name for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

/// What both deletions take.
#[derive(Clone, Debug, Args)]
pub(crate) struct Ending {
    /// What is to be deleted, typed once more: the tenant's slug, or `slug/product`
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
    /// How long it can be restored
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = values::grace)]
    pub(crate) grace: Duration,
    /// Drop it at once: it cannot be restored
    #[arg(long, conflicts_with = "grace")]
    pub(crate) now: bool,
    /// Take it out of the registry at once, and leave its databases where they are
    #[arg(long, conflicts_with_all = ["grace", "now"])]
    pub(crate) keep_databases: bool,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

/// When something that is deleted is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// When its grace is over.
    After(Duration),
    /// At once.
    Now,
    /// At once from the registry, and never from its server.
    Released,
}

impl Ending {
    /// Returns when it is gone.
    pub(crate) fn when(&self) -> When {
        match (self.keep_databases, self.now) {
            (true, _) => When::Released,
            (false, true) => When::Now,
            (false, false) => When::After(self.grace),
        }
    }
}

/// `tenant delete`.
#[derive(Clone, Debug, Args)]
pub(crate) struct TenantDelete {
    /// The tenant: slug, id or external id
    pub(crate) tenant: String,
    /// When and how.
    #[command(flatten)]
    pub(crate) ending: Ending,
}

/// `product delete`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProductDelete {
    /// The product's type
    #[arg(value_name = "TYPE")]
    pub(crate) product: ProductType,
    /// The tenant: slug, id or external id
    #[arg(long, value_name = "SLUG")]
    pub(crate) tenant: String,
    /// When and how.
    #[command(flatten)]
    pub(crate) ending: Ending,
}

/// `product restore`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProductRestore {
    /// The product's type
    #[arg(value_name = "TYPE")]
    pub(crate) product: ProductType,
    /// The tenant: slug, id or external id
    #[arg(long, value_name = "SLUG")]
    pub(crate) tenant: String,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}
