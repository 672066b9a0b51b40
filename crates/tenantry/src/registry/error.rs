//! What can go wrong between us and the registry.

use thiserror::Error;

use super::keys::RingOrder;
use crate::code::Code;
use crate::engine::{DatabaseError, Holder};
use crate::migration::{ReadError, Version};
use crate::run::{Driver, RunStatus};
use crate::secret::{KeyId, KeyIds, SealError, SecretError};
use crate::server::NoRoom;
use crate::tenant::{Jurisdiction, ProductType, ServerName, Slug, TenantId, TenantStatus};

/// A request to the registry failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The central database does not answer, refuses us, or went away.
    #[error("the central database at {endpoint} cannot be reached: {reason}")]
    Unreachable {
        /// `host:port` or the path of the file.
        endpoint: String,
        /// Why, in the system's or the server's words.
        reason: String,
    },
    /// The file of the central database is locked, and was for as long as a statement waits.
    #[error(
        "the central database at {endpoint} cannot be reached: the file is locked by another program{}: {reason}",
        program_text(holders)
    )]
    FileLocked {
        /// The path of the file.
        endpoint: String,
        /// SQLite's words.
        reason: String,
        /// The programs, as far as the system tells.
        holders: Vec<Holder>,
    },
    /// The driver of the central database cannot check a certificate's issuer without the host's name.
    #[error("`verify-ca` is not possible for the central database at {endpoint}")]
    NoVerifyCa {
        /// `host:port`.
        endpoint: String,
    },
    /// The driver of the central database would obey a variable of the environment.
    #[error("{variable} is set in the environment; the driver of the central database would obey it")]
    Inherited {
        /// The variable.
        variable: &'static str,
    },
    /// Our tables are not there, or are older than this binary. Help: `tenantry migrate central`.
    #[error("the registry at {endpoint} is not migrated: {}", behind_text(*at, *head))]
    NotMigrated {
        /// `host:port` or the path of the file.
        endpoint: String,
        /// The version it is at; `None` if our tables are not there.
        at: Option<Version>,
        /// The version this binary needs.
        head: Option<Version>,
    },
    /// The registry's file is not there: it was never made, or somebody took it away. Help: as above, or to bring it back.
    #[error("the registry's file {endpoint} is not there")]
    NoFile {
        /// The path of the file.
        endpoint: String,
    },
    /// A newer binary has migrated the registry.
    #[error("the registry at {endpoint} is newer than this program: it is at {at}")]
    Newer {
        /// `host:port` or the path of the file.
        endpoint: String,
        /// The version it is at.
        at: Version,
    },
    /// The schema in this binary cannot be read, which a test keeps from happening.
    #[error("the registry's schema in this program cannot be read")]
    Schema(#[source] ReadError),
    /// A name that must be unique is in use.
    #[error("{what} `{}` is taken{}", name.escape_debug(), owner_text(owner.as_ref()))]
    Taken {
        /// What has the name: `server`, `database`, `domain`, `external id`, `tenant id`, or `slug` if another
        /// tenant has it as its id or external id.
        what: &'static str,
        /// The name.
        name: String,
        /// The tenant that has it, where it is a tenant's.
        owner: Option<Slug>,
    },
    /// A slug is in use.
    #[error("slug `{slug}` is taken by {id}, which is {}", status.as_str())]
    SlugTaken {
        /// The slug.
        slug: Slug,
        /// Whose it is.
        id: TenantId,
        /// Where that tenant stands in its life.
        status: TenantStatus,
    },
    /// A tenant that is still being created has databases which were begun with something else.
    #[error("`{slug}` was begun with {what} `{has}`, not `{given}`")]
    Begun {
        /// The tenant.
        slug: Slug,
        /// What cannot be changed any more, as its flag is called: `jurisdiction`, `server`.
        what: &'static str,
        /// What the tenant was begun with.
        has: String,
        /// What was asked for now.
        given: String,
    },
    /// There is no such tenant.
    #[error("Tenant not found: {given}")]
    TenantNotFound {
        /// The name as given.
        given: String,
        /// Slugs that may have been meant, at most three.
        nearest: Vec<String>,
    },
    /// Several tenants have a name: it is the slug of one and the external id of another, say.
    #[error("`{}` names {} tenants", given.escape_debug(), candidates.len())]
    Ambiguous {
        /// The name as given.
        given: String,
        /// Of each of them a name that nobody else has: the slug or, if that is not one, the id.
        candidates: Vec<String>,
    },
    /// There is no such server.
    #[error("there is no server `{}`", given.escape_debug())]
    ServerNotFound {
        /// The name as given.
        given: String,
        /// Names that may have been meant, at most three.
        nearest: Vec<String>,
    },
    /// No server and no tenant has such a jurisdiction.
    #[error("there is no jurisdiction `{given}`")]
    JurisdictionNotFound {
        /// The name as given.
        given: Jurisdiction,
        /// Names that may have been meant, at most three.
        nearest: Vec<String>,
    },
    /// There is no such database.
    #[error("there is no database with the id `{id}`")]
    DatabaseNotFound {
        /// The id.
        id: String,
    },
    /// There is no such run.
    #[error("there is no run `{}`", given.escape_debug())]
    RunNotFound {
        /// The id or prefix as given.
        given: String,
        /// Ids that may have been meant, at most three.
        nearest: Vec<String>,
    },
    /// Several runs begin so.
    #[error("`{}` fits {runs} runs", given.escape_debug())]
    SeveralRuns {
        /// The prefix as given.
        given: String,
        /// How many they are.
        runs: u64,
        /// The ids of some, at most three.
        candidates: Vec<String>,
    },
    /// Somebody else has the run now; nothing was written.
    #[error("{run_id} is driven by another process now")]
    TakenOver {
        /// The run.
        run_id: String,
    },
    /// Somebody drives the run.
    #[error("{run_id} is driven by {}", Driver::for_people(driver))]
    Driven {
        /// The run.
        run_id: String,
        /// Who drives it, as the registry keeps it.
        driver: String,
    },
    /// The run has ended.
    #[error("{run_id} has ended: it is {}", status.as_str())]
    RunOver {
        /// The run.
        run_id: String,
        /// How it ended.
        status: RunStatus,
    },
    /// A password must be sealed or opened and there is no key.
    #[error("{of} needs the encryption key, and none is configured")]
    KeyNeeded {
        /// Whose password: `server eu-db-1`, `database tenant_1_shared`.
        of: String,
    },
    /// No password of the selection opens, because the key is not the one that sealed them.
    #[error("the passwords in the registry need key {needed}, and here are only: {here}")]
    WrongKey {
        /// The key that the first of them needs.
        needed: KeyId,
        /// The keys that are here.
        here: KeyIds,
    },
    /// The first of the configured keys is not the one that seals in this registry.
    #[error("the registry seals with key {active}, and the first of the configured keys is {first}")]
    NotSealing {
        /// The key that seals.
        active: KeyId,
        /// The key that would have sealed.
        first: KeyId,
        /// How the configured keys stand to the registry.
        order: RingOrder,
    },
    /// Another key seals since we looked.
    #[error("another key was made the one that seals in the meantime")]
    KeyChanged,
    /// The first of the configured keys was destroyed.
    #[error("key {id} was destroyed; nothing is sealed with it any more")]
    KeyDestroyed {
        /// The key.
        id: KeyId,
    },
    /// A key must not be destroyed.
    #[error("key {id} is in use: {}", use_text(*secrets))]
    KeyInUse {
        /// The key.
        id: KeyId,
        /// How many secrets need it.
        secrets: u64,
    },
    /// There is no such key.
    #[error("there is no key {id}")]
    KeyNotFound {
        /// The id.
        id: KeyId,
    },
    /// A password cannot be opened.
    #[error("the password of {of} cannot be used")]
    Locked {
        /// Whose password.
        of: String,
        /// Why, as far as it may be told.
        #[source]
        source: SecretError,
    },
    /// A password cannot be sealed.
    #[error("the password of {of} cannot be stored")]
    NotSealed {
        /// Whose password.
        of: String,
        /// Why.
        #[source]
        source: SealError,
    },
    /// What was sealed did not open again; it was not written.
    #[error("the password of {of} was sealed and did not come back")]
    NotReadBack {
        /// Whose password.
        of: String,
    },
    /// A value does not fit its column.
    #[error("{what} is too long: at most {max} characters fit")]
    TooLong {
        /// Which value.
        what: &'static str,
        /// How many fit.
        max: usize,
    },
    /// A server takes no new database.
    #[error("{server} {why}")]
    NoRoom {
        /// The server.
        server: ServerName,
        /// Why.
        why: NoRoom,
    },
    /// What is asked of a tenant does not fit where it stands in its life.
    #[error("`{slug}` is {}", standing_text(*status))]
    TenantIs {
        /// Its slug.
        slug: Slug,
        /// Where it stands.
        status: TenantStatus,
    },
    /// What was asked for stands in a jurisdiction whose servers must not be opened from here.
    #[error("{what} stands in {stands}, and this command is bound to {}", list_of(bound))]
    OutOfBounds {
        /// The server or the tenant.
        what: String,
        /// Where it stands.
        stands: Jurisdiction,
        /// What the command is bound to.
        bound: Vec<Jurisdiction>,
    },
    /// A tenant cannot be restored any more.
    #[error("`{slug}` cannot be restored: its database was dropped")]
    DropBegun {
        /// Its slug.
        slug: Slug,
    },
    /// A tenant is to lose the product that it should get.
    #[error("`{slug}/{product}` is to be deleted")]
    ProductLeaves {
        /// The tenant's slug.
        slug: Slug,
        /// The product.
        product: ProductType,
    },
    /// A tenant has no database of a product.
    #[error("`{slug}` has no {product} to give up or restore")]
    NoProduct {
        /// The tenant's slug.
        slug: Slug,
        /// The product.
        product: ProductType,
    },
    /// Somebody else has replaced a database's password meanwhile; theirs stands.
    #[error("the password of database `{name}` was replaced meanwhile")]
    PasswordChanged {
        /// The database.
        name: String,
    },
    /// A run works on a database that is to be changed.
    #[error("{run_id} is working on `{label}`")]
    UnderWay {
        /// The target.
        label: String,
        /// The run.
        run_id: String,
    },
    /// A value is none, or holds what would draw over the text around it.
    #[error("{what} {rule}")]
    Unfit {
        /// Which value.
        what: &'static str,
        /// What it does that it must not.
        rule: &'static str,
    },
    /// A value is no Unicode text.
    #[error("{what} is not Unicode text")]
    NotText {
        /// Which value.
        what: &'static str,
    },
    /// A row holds what we never write.
    #[error("table {table} holds a value that this program never writes in row `{row}`: {column}")]
    Damaged {
        /// The table.
        table: &'static str,
        /// The row's id.
        row: String,
        /// The column.
        column: &'static str,
    },
    /// The database refused a statement of ours.
    #[error("the central database refused a statement of ours")]
    Database(#[source] DatabaseError),
}

impl RegistryError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Unreachable { .. } | Self::FileLocked { .. } => Code(6009),
            Self::NoVerifyCa { .. } | Self::Inherited { .. } => Code(1007),
            Self::NotMigrated { .. } | Self::NoFile { .. } | Self::Newer { .. } | Self::Schema(_) => {
                Code(1002)
            }
            Self::Taken { .. } | Self::SlugTaken { .. } => Code(6001),
            Self::Begun { .. } => Code(6016),
            Self::NoRoom { .. } => Code(6018),
            Self::TenantIs { .. } | Self::DropBegun { .. } | Self::ProductLeaves { .. } => Code(6024),
            Self::OutOfBounds { .. } => Code(6003),
            Self::TenantNotFound { .. } => Code(6002),
            Self::Ambiguous { .. } => Code(6017),
            Self::ServerNotFound { .. }
            | Self::JurisdictionNotFound { .. }
            | Self::DatabaseNotFound { .. }
            | Self::NoProduct { .. }
            | Self::KeyNotFound { .. } => Code(6010),
            Self::RunNotFound { .. } | Self::SeveralRuns { .. } => Code(4009),
            Self::TakenOver { .. }
            | Self::Driven { .. }
            | Self::UnderWay { .. }
            | Self::PasswordChanged { .. } => Code(4001),
            Self::RunOver { .. } => Code(4014),
            Self::KeyNeeded { .. } | Self::WrongKey { .. } => Code(1005),
            Self::NotSealing { .. } | Self::KeyChanged => Code(7005),
            Self::KeyInUse { .. } => Code(7006),
            Self::KeyDestroyed { .. } => Code(7008),
            Self::NotReadBack { .. } => Code(7004),
            Self::Locked { source, .. } => source.code(),
            Self::NotSealed { source, .. } => source.code(),
            Self::TooLong { .. } | Self::Unfit { .. } | Self::NotText { .. } => Code(6011),
            Self::Damaged { .. } => Code(6012),
            Self::Database(error) => error.class,
        }
    }

    /// Returns the names that may have been meant; empty unless something was not found or is ambiguous.
    pub fn nearest(&self) -> &[String] {
        if let Self::TenantNotFound { nearest, .. }
        | Self::ServerNotFound { nearest, .. }
        | Self::JurisdictionNotFound { nearest, .. }
        | Self::RunNotFound { nearest, .. }
        | Self::SeveralRuns {
            candidates: nearest, ..
        }
        | Self::Ambiguous {
            candidates: nearest, ..
        } = self
        {
            nearest
        } else {
            &[]
        }
    }
}

fn list_of(jurisdictions: &[Jurisdiction]) -> String {
    let words: Vec<&str> = jurisdictions.iter().map(Jurisdiction::as_str).collect();
    words.join(", ")
}

fn standing_text(status: TenantStatus) -> &'static str {
    match status {
        TenantStatus::Provisioning => "still being created",
        TenantStatus::Active => "active",
        TenantStatus::Suspended => "suspended",
        TenantStatus::Deleting => "to be deleted",
    }
}

fn owner_text(owner: Option<&Slug>) -> String {
    owner.map_or_else(String::new, |slug| format!(" by tenant `{slug}`"))
}

fn program_text(holders: &[Holder]) -> String {
    let Some(first) = holders.first() else {
        return String::new();
    };
    let known = [
        ("pid ", first.pid.to_string()),
        ("", first.application.clone()),
        ("user ", first.user.clone()),
        ("from ", first.from.clone()),
        ("", first.state.clone()),
        ("since ", first.since.clone()),
    ];
    let known = known.into_iter().filter(|(_, value)| !value.is_empty());
    let known: Vec<String> = known.map(|(name, value)| format!("{name}{value}")).collect();
    let others = match holders.len() {
        1 => String::new(),
        many => format!(" and {} more", many - 1),
    };
    format!(" ({}{others})", known.join(", "))
}

fn use_text(secrets: u64) -> String {
    match secrets {
        0 => "it is the one that seals".to_owned(),
        1 => "1 secret needs it".to_owned(),
        many => format!("{many} secrets need it"),
    }
}

fn behind_text(at: Option<Version>, head: Option<Version>) -> String {
    match (at, head) {
        (None, _) => "its tables are not there".to_owned(),
        (Some(at), Some(head)) => format!("it is at {at}, this program needs {head}"),
        (Some(at), None) => format!("it is at {at}"),
    }
}
