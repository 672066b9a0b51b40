//! The command line as types: the tree of commands and the flags that all of them take.

mod audit;
mod fleet;
mod import;
mod key;
mod lifecycle;
mod migrate;
mod run;
mod secret;
mod select;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use audit::AuditCommand;
pub(crate) use fleet::{
    EngineName, ProductCommand, ProductProvision, ServerAdd, ServerCommand, ServerSet, TenantCommand,
    TenantCreate, TlsMode,
};
pub(crate) use import::TenantImport;
pub(crate) use key::KeyCommand;
pub(crate) use lifecycle::{Ending, ProductDelete, ProductRestore, Rename, TenantDelete, Turned, When};
pub(crate) use migrate::{Ahead, Back, Make, Many, MarkArgs, MigrateCommand, ResolveArgs, Whom};
pub(crate) use run::{Promote, RunCommand};
pub(crate) use secret::{SecretCommand, SecretRotate};
pub(crate) use select::{Annotations, Limits, Selection as Chosen};
pub(crate) use values::{
    Accepted, Bounds, Capacity, IDLE, WAIT, WHOLE, WINDOW, budget, limit, parallel, same_error, within,
};

/// Runs the databases of platforms that give every tenant its own database
#[derive(Debug, Parser)]
#[command(
    name = "tenantry",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
    before_help = "Examples:\n  tenantry demo\n  tenantry init shop\n  tenantry migrate all-tenants",
    after_help = "Exit codes: tenantry help exit-codes.   An error's long explanation: tenantry explain TN-2003."
)]
pub(crate) struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub(crate) globals: Globals,
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// A bar on a terminal, lines elsewhere.
    #[default]
    Auto,
    /// A bar.
    Bar,
    /// Lines with a time.
    Lines,
    /// None; the end is still told.
    None,
}

/// When colour is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The flags that may stand anywhere.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global flags")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Globals {
    /// Work in this folder; without it, the nearest parent with a tenantry.toml
    #[arg(short = 'C', long, value_name = "PATH", global = true)]
    pub(crate) dir: Option<PathBuf>,
    /// Read this file instead of tenantry.toml
    #[arg(
        short = 'c',
        long,
        value_name = "FILE",
        global = true,
        env = "TENANTRY_CONFIG"
    )]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON document at the end, and nothing else, on stdout
    #[arg(long, global = true, conflicts_with = "ndjson")]
    pub(crate) json: bool,
    /// Print one JSON object per event, as it happens
    #[arg(long, global = true)]
    pub(crate) ndjson: bool,
    /// How to show progress
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        global = true,
        env = "TENANTRY_PROGRESS"
    )]
    pub(crate) progress: Option<Progress>,
    /// When to use colour
    #[arg(long, value_enum, value_name = "WHEN", global = true)]
    pub(crate) color: Option<Color>,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more; -v adds a line for every target of a long run, -vv and -vvv what the library logs
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    /// Answer moderate questions with yes
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
    /// Never ask; a missing answer is an error that names its flag
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
}

/// A command.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one in a process")]
pub(crate) enum Command {
    /// Set up a project: configuration, folders for migrations, a key
    #[command(
        before_help = "Examples:\n  tenantry init\n  tenantry init shop\n  tenantry init shop --engine postgres"
    )]
    Init {
        /// The project's folder; the present one if left out
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
        /// The engine of the central database
        #[arg(long, value_enum, default_value_t = EngineName::Sqlite)]
        engine: EngineName,
    },
    /// Show everything on 25 tenants in SQLite files, with one failure and its repair
    #[command(before_help = "Examples:\n  tenantry demo\n  tenantry demo /tmp/tenantry-demo")]
    Demo {
        /// The folder to make; ./tenantry-demo if left out
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// Make, plan, carry out and revert migrations
    #[command(
        subcommand,
        before_help = "Examples:\n  tenantry migrate make add_invoices\n  tenantry migrate plan\n  tenantry migrate all-tenants"
    )]
    Migrate(MigrateCommand),
    /// See and steer the runs that the registry has
    #[command(
        subcommand,
        before_help = "Examples:\n  tenantry run list\n  tenantry run show run_7f3a --failed\n  tenantry run watch"
    )]
    Run(RunCommand),
    /// Register the servers that databases stand on
    #[command(
        subcommand,
        before_help = "Examples:\n  tenantry server list\n  tenantry server check eu-db-1"
    )]
    Server(ServerCommand),
    /// Create and list tenants
    #[command(
        subcommand,
        before_help = "Examples:\n  tenantry tenant create acme --jurisdiction uk\n  tenantry tenant list"
    )]
    Tenant(TenantCommand),
    /// Give tenants product databases
    #[command(
        subcommand,
        before_help = "Examples:\n  tenantry product provision kira --tenant acme\n  tenantry product list"
    )]
    Product(ProductCommand),
    /// Show who changed what, and whether the record of it is whole
    #[command(
        subcommand,
        before_help = "Examples:\n  tenantry audit list acme\n  tenantry audit verify"
    )]
    Audit(AuditCommand),
    /// See and replace the keys that seal passwords in the registry
    #[command(
        subcommand,
        before_help = "Examples:\n  tenantry key list\n  tenantry key rotate\n  tenantry key rewrap"
    )]
    Key(KeyCommand),
    /// Replace the passwords of databases
    #[command(subcommand, before_help = "Examples:\n  tenantry secret rotate --only acme")]
    Secret(SecretCommand),
    /// Show and check the configuration
    #[command(
        subcommand,
        before_help = "Examples:\n  tenantry config show --origin\n  tenantry config check"
    )]
    Config(ConfigCommand),
    /// Explain an error code at length
    #[command(before_help = "Examples:\n  tenantry explain TN-2003\n  tenantry explain 2003")]
    Explain {
        /// The code: TN-2003, or just the number
        code: String,
    },
    /// Print the completion script of a shell
    #[command(
        before_help = "Examples:\n  tenantry completions bash > /etc/bash_completion.d/tenantry\n  tenantry completions zsh > \"${fpath[1]}/_tenantry\""
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// `config …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every value that is in force
    #[command(before_help = "Examples:\n  tenantry config show\n  tenantry config show --origin")]
    Show {
        /// Say where each value came from
        #[arg(long)]
        origin: bool,
    },
    /// Read everything and say whether it can be used; connects to nothing
    #[command(before_help = "Examples:\n  tenantry config check")]
    Check,
    /// Print the JSON schema of tenantry.toml, for editors
    #[command(before_help = "Examples:\n  tenantry config schema > tenantry.schema.json")]
    Schema,
}

#[cfg(test)]
mod tests;
