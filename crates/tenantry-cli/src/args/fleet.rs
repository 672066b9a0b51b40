//! `server …`, `tenant …` and `product …`: what the registry holds.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tenantry::engine::Engine;
use tenantry::{Domain, Jurisdiction, ProductType, ServerName, Slug};

use super::select::Selection;
use super::values;

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
        before_help = "Examples:\n  tenantry server set eu-db-1 --direct-host db.eu.internal\n  tenantry server set eu-db-1 --no-direct-host"
    )]
    Set(ServerSet),
    /// Connect to servers and say what they can do
    #[command(before_help = "Examples:\n  tenantry server check\n  tenantry server check eu-db-1")]
    Check {
        /// The server; all if left out
        name: Option<ServerName>,
    },
}

/// `server set`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerSet {
    /// The server
    pub(crate) name: ServerName,
    /// The server's own host, where it is known by a pooler in front of PostgreSQL
    #[arg(long, value_name = "HOST", required_unless_present = "no_direct_host")]
    pub(crate) direct_host: Option<String>,
    /// The port there; the engine's usual one if left out
    #[arg(long, value_name = "PORT", requires = "direct_host", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) direct_port: Option<u16>,
    /// It is known by its own endpoint
    #[arg(long, conflicts_with = "direct_host")]
    pub(crate) no_direct_host: bool,
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
}

/// `tenant …`.
#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Create a tenant with its databases, migrated; the same command continues one that stopped half-way
    #[command(
        before_help = "Examples:\n  tenantry tenant create acme\n  tenantry tenant create acme --jurisdiction uk --product kira --name \"Acme Ltd\""
    )]
    Create(Box<TenantCreate>),
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
