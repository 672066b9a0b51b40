//! `secret …`: the passwords of the databases themselves.

use clap::{Args, Subcommand};

use super::select::Selection;

/// `secret …`.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Give databases' roles new passwords; the same command goes on after a crash
    #[command(
        before_help = "Examples:\n  tenantry secret rotate --only acme\n  tenantry secret rotate --server uk-1 --reason \"a backup was lost\"\n  tenantry secret rotate --all"
    )]
    Rotate(Box<SecretRotate>),
}

/// `secret rotate`.
#[derive(Clone, Debug, Args)]
pub(crate) struct SecretRotate {
    /// Which databases.
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Every database of every active tenant
    #[arg(long)]
    pub(crate) all: bool,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}
