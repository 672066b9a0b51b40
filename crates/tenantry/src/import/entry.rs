//! A row that has been checked: a tenant with its databases, as the registry would hold them.

use crate::domain::Domain;
use crate::engine::Login;
use crate::tenant::{Jurisdiction, ProductType, ServerName, Slug, TenantId, TenantStatus};

use super::problem::Place;

/// A tenant to register, with databases that are there.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it stands in the source.
    pub at: Place,
    /// Its id, kept as it is.
    pub id: TenantId,
    /// Its short name.
    pub slug: Slug,
    /// Its name for people; `None` where the source says nothing: then the slug.
    pub name: Option<String>,
    /// Where its databases stand.
    pub jurisdiction: Jurisdiction,
    /// Where it stands in its life; `None` where the source says nothing: then active.
    pub status: Option<TenantStatus>,
    /// Its id in another system; `None` where the source says nothing.
    pub external_id: Option<String>,
    /// The host names that lead to it, in order; empty where the source says nothing.
    pub domains: Vec<Domain>,
    /// The shared database, then those of its products.
    pub databases: Vec<EntryDatabase>,
}

/// A database that is there.
#[derive(Clone, Debug)]
pub struct EntryDatabase {
    /// Its id in the platform; `None` makes one.
    pub id: Option<String>,
    /// Its product; `None` for the one that the products share.
    pub product: Option<ProductType>,
    /// The server it stands on.
    pub server: ServerName,
    /// Its name there, kept as it is.
    pub name: String,
    /// The tenant's own role and its password; `None` for SQLite.
    pub login: Option<Login>,
}
