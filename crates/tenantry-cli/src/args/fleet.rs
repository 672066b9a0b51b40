//! `server …`, `tenant …` and `product …`: what the registry holds.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use tenantry::engine::Engine;
use tenantry::{Domain, Jurisdiction, ProductType, ServerName, Slug};

use super::import::TenantImport;
use super::lifecycle::{ProductDelete, ProductRestore, Rename, TenantDelete, Turned};
use super::select::Selection;
use super::values::{self, Accepted, Capacity};

/// An engine, as flags name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineName {
    /// Files in a folder.
    Sqlite,
    /// PostgreSQL.
    #[value(alias = "postgresql")]
    Postgres,
    /// MySQL or MariaDB.
    #[value(alias = "mariadb")]
    Mysql,
}

impl From<EngineName> for Engine {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Sqlite => Self::Sqlite,
            EngineName::Postgres => Self::Postgres,
            EngineName::Mysql => Self::MySql,
        }
    }
}

/// How the connection to a server is protected, as flags name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsMode {
    /// Encrypted; chain and host name are checked.
    VerifyFull,
    /// Encrypted; the chain is checked against --ca-file.
    VerifyCa,
    /// Encrypted; nothing is checked.
    Require,
    /// Not encrypted.
    Disable,
}

/// `server …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ServerCommand {
    /// Register a server
    #[command(
        before_help = "Examples:\n  tenantry server add local --engine sqlite --jurisdiction uk --path data\n  tenantry server add eu-db-1 --engine postgres --jurisdiction eu \\\n           --host db.eu.internal --admin-user tenantry \\\n           --admin-password-file secrets/eu-db-1"
    )]
    Add(Box<ServerAdd>),
    /// List the servers
    #[command(before_help = "Examples:\n  tenantry server list\n  tenantry server list --json")]
    List,
    /// Change what is known of a server
    #[command(
        before_help = "Examples:\n  tenantry server set eu-db-1 --direct-host db.eu.internal\n  tenantry server set eu-db-1 --no-direct-host\n  tenantry server set eu-db-1 --capacity 800 --accepts tenant,kira"
    )]
    Set(ServerSet),
    /// Let a server take no new databases; those that it has stay
    #[command(
        before_help = "Examples:\n  tenantry server drain eu-db-1\n  tenantry server drain eu-db-1 --undo"
    )]
    Drain {
        /// The server
        name: ServerName,
        /// It takes new ones again
        #[arg(long)]
        undo: bool,
    },
    /// Connect to servers and say what they can do
    #[command(before_help = "Examples:\n  tenantry server check\n  tenantry server check eu-db-1")]
    Check {
        /// The server; all if left out
        name: Option<ServerName>,
    },
}

/// `server set`.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("changes").required(true).multiple(true)
    .args(["direct_host", "no_direct_host", "accepts", "capacity"]))]
pub(crate) struct ServerSet {
    /// The server
    pub(crate) name: ServerName,
    /// The server's own host, where it is known by a pooler in front of PostgreSQL
    #[arg(long, value_name = "HOST")]
    pub(crate) direct_host: Option<String>,
    /// The port there; the engine's usual one if left out
    #[arg(long, value_name = "PORT", requires = "direct_host", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) direct_port: Option<u16>,
    /// It is known by its own endpoint
    #[arg(long, conflicts_with = "direct_host")]
    pub(crate) no_direct_host: bool,
    /// Which databases it takes: `tenant` for the shared ones, product types; `all`
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_parser = values::accepted)]
    pub(crate) accepts: Vec<Accepted>,
    /// How many databases it has room for; `none` for no limit
    #[arg(long, value_name = "N", value_parser = values::capacity)]
    pub(crate) capacity: Option<Capacity>,
}

/// `server add`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerAdd {
    /// Its name, unique
    pub(crate) name: ServerName,
    /// What it runs
    #[arg(long, value_enum)]
    pub(crate) engine: EngineName,
    /// The legal area that it stands in
    #[arg(long, value_name = "NAME")]
    pub(crate) jurisdiction: Jurisdiction,
    /// Its host name or IP address
    #[arg(long, value_name = "HOST", conflicts_with = "path")]
    pub(crate) host: Option<String>,
    /// Its port; the engine's usual one if left out
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// The server's own host, where --host is a pooler in front of PostgreSQL
    #[arg(long, value_name = "HOST", conflicts_with = "path")]
    pub(crate) direct_host: Option<String>,
    /// The port there; the engine's usual one if left out
    #[arg(long, value_name = "PORT", requires = "direct_host", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) direct_port: Option<u16>,
    /// The administrator, who creates databases
    #[arg(long, value_name = "USER", conflicts_with = "path")]
    pub(crate) admin_user: Option<String>,
    /// The file that holds the administrator's password
    #[arg(long, value_name = "FILE", conflicts_with_all = ["admin_password_stdin", "path"])]
    pub(crate) admin_password_file: Option<PathBuf>,
    /// Read the administrator's password from stdin
    #[arg(long, conflicts_with = "path")]
    pub(crate) admin_password_stdin: bool,
    /// The folder of the SQLite files
    #[arg(long, value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    /// How the connection is protected; verify-full if left out, but on loopback disable
    #[arg(long, value_enum, value_name = "MODE", conflicts_with = "path")]
    pub(crate) tls: Option<TlsMode>,
    /// Certificate authorities in PEM instead of the system's
    #[arg(long, value_name = "FILE", conflicts_with = "path")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Why a connection without verified encryption is accepted
    #[arg(long, value_name = "REASON", conflicts_with = "path")]
    pub(crate) insecure_transport: Option<String>,
    /// How many of its targets may run at once, always
    #[arg(long, value_name = "N", value_parser = values::parallel)]
    pub(crate) max_parallel: Option<usize>,
    /// Which databases it takes: `tenant` for the shared ones, product types; all if left out
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_parser = values::accepted)]
    pub(crate) accepts: Vec<Accepted>,
    /// How many databases it has room for; no limit if left out
    #[arg(long, value_name = "N", value_parser = values::capacity)]
    pub(crate) capacity: Option<Capacity>,
}

/// `tenant …`.
#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Create a tenant with its databases, migrated; the same command continues one that stopped half-way
    #[command(
        before_help = "Examples:\n  tenantry tenant create acme\n  tenantry tenant create acme --jurisdiction uk --product kira --name \"Acme Ltd\""
    )]
    Create(Box<TenantCreate>),
    /// Register a fleet that is there, from a list of its tenants; all of it or nothing
    #[command(
        before_help = "Examples:\n  tenantry tenant import --from-csv tenants.csv --dry-run\n  tenantry tenant import --from-csv tenants.csv --map company=name --baseline 20260301090100\n  tenantry tenant import --from-sql \"SELECT * FROM tenants\" --legacy-secrets iv-hex \\\n           --legacy-key-file secrets/legacy-key --legacy-key-form sha256"
    )]
    Import(Box<TenantImport>),
    /// List tenants
    #[command(before_help = "Examples:\n  tenantry tenant list\n  tenantry tenant list --jurisdiction eu")]
    List {
        /// Which tenants.
        #[command(flatten)]
        selection: Selection,
    },
    /// Show one tenant and its databases
    #[command(before_help = "Examples:\n  tenantry tenant show acme")]
    Show {
        /// The tenant: slug, id or external id
        tenant: String,
    },
    /// Say whether a tenant has the migrations of the folders, by the registry: 0 for yes, 10 for no
    #[command(
        before_help = "Examples:\n  tenantry tenant ready acme\n  tenantry tenant ready acme --product kira"
    )]
    Ready {
        /// The tenant: slug, id or external id
        tenant: String,
        /// Also the database of this product
        #[arg(long, value_name = "TYPE")]
        product: Option<ProductType>,
    },
    /// Take a tenant offline: runs skip it, and its logins are refused
    #[command(before_help = "Examples:\n  tenantry tenant suspend acme --reason unpaid")]
    Suspend(Turned),
    /// Put a suspended tenant in use again
    #[command(before_help = "Examples:\n  tenantry tenant activate acme")]
    Activate(Turned),
    /// Give a tenant another short name, or name for people; its databases keep theirs
    #[command(
        before_help = "Examples:\n  tenantry tenant rename acme acme-eu\n  tenantry tenant rename acme --name \"Acme Europe\""
    )]
    Rename(Rename),
    /// Take a tenant offline now, and let its databases be dropped when its grace is over
    #[command(
        before_help = "Examples:\n  tenantry tenant delete acme\n  tenantry tenant delete acme --confirm acme --grace 7d\n  tenantry tenant delete acme --confirm acme --now"
    )]
    Delete(Box<TenantDelete>),
    /// Undo a deletion whose grace is not over
    #[command(before_help = "Examples:\n  tenantry tenant restore acme")]
    Restore(Turned),
    /// Drop the databases whose grace is over; to be run daily
    #[command(before_help = "Examples:\n  tenantry tenant purge")]
    Purge,
}

/// `tenant create`.
#[derive(Clone, Debug, Args)]
pub(crate) struct TenantCreate {
    /// Its short name, unique
    pub(crate) slug: Slug,
    /// Its name for people; the slug if left out
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// The legal area that its databases must not leave; may be left out if there is only one
    #[arg(long, value_name = "NAME")]
    pub(crate) jurisdiction: Option<Jurisdiction>,
    /// The server; the emptiest of the jurisdiction if left out
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Option<ServerName>,
    /// Products to create as well
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    pub(crate) product: Vec<ProductType>,
    /// Host names that lead to it, no two tenants the same
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    pub(crate) domain: Vec<Domain>,
    /// Its id in another system
    #[arg(long, value_name = "ID")]
    pub(crate) external_id: Option<String>,
}

/// `product …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ProductCommand {
    /// Give a tenant a product's database, migrated
    #[command(before_help = "Examples:\n  tenantry product provision kira --tenant acme")]
    Provision(ProductProvision),
    /// List product databases
    #[command(before_help = "Examples:\n  tenantry product list\n  tenantry product list --product kira")]
    List {
        /// Which databases.
        #[command(flatten)]
        selection: Selection,
    },
    /// Take a product from a tenant: offline now, dropped when its grace is over
    #[command(before_help = "Examples:\n  tenantry product delete kira --tenant acme --confirm acme/kira")]
    Delete(Box<ProductDelete>),
    /// Undo the deletion of a product whose grace is not over
    #[command(before_help = "Examples:\n  tenantry product restore kira --tenant acme")]
    Restore(ProductRestore),
}

/// `product provision`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProductProvision {
    /// The product's type
    #[arg(value_name = "TYPE")]
    pub(crate) product: ProductType,
    /// The tenant: slug, id or external id
    #[arg(long, value_name = "SLUG")]
    pub(crate) tenant: String,
}
