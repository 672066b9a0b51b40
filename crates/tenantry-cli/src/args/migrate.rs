//! `migrate …`: the commands that make, carry out and revert migrations.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tenantry::ProductType;
use tenantry::migration::Version;

use super::select::{AtOnce, Limits, Selection};

/// `migrate …`.
#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Make a new migration file
    #[command(
        before_help = "Examples:\n  tenantry migrate make add_invoices\n  tenantry migrate make add_boards --product kira",
        after_help = "Also: migrate:make"
    )]
    Make(Make),
    /// Show what would run where; asks what its server cannot tell, writes nothing
    #[command(
        before_help = "Examples:\n  tenantry migrate plan\n  tenantry migrate plan --only acme\n  tenantry migrate plan --out plan.json",
        after_help = "Also: migrate:plan"
    )]
    Plan {
        /// Up to this version; the newest if left out
        #[arg(long, value_name = "VERSION")]
        to: Option<Version>,
        /// Ask every database, also where its server could tell
        #[arg(long)]
        live: bool,
        /// End with 10 if something is pending
        #[arg(long)]
        exit_code: bool,
        /// Also write the plan into this file, for --plan
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Which targets.
        #[command(flatten)]
        selection: Selection,
    },
    /// Show how far the tenants are, from the registry; one tenant is asked itself
    #[command(
        before_help = "Examples:\n  tenantry migrate status\n  tenantry migrate status acme",
        after_help = "Also: migrate:status"
    )]
    Status {
        /// One tenant: slug, id or external id; all if left out
        tenant: Option<String>,
        /// Ask every database instead of the registry, as a selection of tenants does too
        #[arg(long)]
        live: bool,
        /// End with 10 if something is pending
        #[arg(long)]
        exit_code: bool,
        /// Which targets.
        #[command(flatten)]
        selection: Selection,
    },
    /// Read every history and compare it with the files and with what its server says; writes nothing
    #[command(
        before_help = "Examples:\n  tenantry migrate verify\n  tenantry migrate verify acme",
        after_help = "Also: migrate:verify"
    )]
    Verify {
        /// One tenant: slug, id or external id; all if left out
        tenant: Option<String>,
        /// Which targets.
        #[command(flatten)]
        selection: Selection,
    },
    /// Migrate one tenant's database
    #[command(
        before_help = "Examples:\n  tenantry migrate tenant acme\n  tenantry migrate tenant acme --dry-run",
        after_help = "Also: migrate:tenant"
    )]
    Tenant {
        /// The tenant: slug, id or external id
        tenant: String,
        /// How.
        #[command(flatten)]
        ahead: Ahead,
    },
    /// Migrate every tenant's database
    #[command(
        before_help = "Examples:\n  tenantry migrate all-tenants\n  tenantry migrate all-tenants --only acme,globex -j 20\n  tenantry migrate all-tenants --plan plan.json",
        after_help = "Also: migrate:all-tenants, migrate:tenants"
    )]
    AllTenants(Many),
    /// Migrate product databases
    #[command(
        before_help = "Examples:\n  tenantry migrate products\n  tenantry migrate products --product kira",
        after_help = "Also: migrate:products"
    )]
    Products(Many),
    /// Migrate the central database
    #[command(
        before_help = "Examples:\n  tenantry migrate central\n  tenantry migrate central --dry-run",
        after_help = "Also: migrate:central"
    )]
    Central {
        /// Carry out exactly this plan, or nothing
        #[arg(long, value_name = "FILE", conflicts_with = "to")]
        plan: Option<PathBuf>,
        /// How.
        #[command(flatten)]
        ahead: Ahead,
    },
    /// Migrate the central database, then every tenant, then the products
    #[command(before_help = "Examples:\n  tenantry migrate all\n  tenantry migrate all --dry-run")]
    All(Many),
    /// Revert the last run of a target, some steps, or down to a version
    #[command(
        before_help = "Examples:\n  tenantry migrate rollback acme\n  tenantry migrate rollback acme --step 1 --confirm acme",
        after_help = "Also: migrate:rollback"
    )]
    Rollback(Back),
    /// Declare that a migration is in place or is not; writes histories only, runs nothing
    #[command(
        before_help = "Examples:\n  tenantry migrate mark 20260301090100 --applied acme --reason \"made by hand\"\n  tenantry migrate mark 20260301090100 --applied --and-older --all-tenants --reason \"taken over from knex\"",
        after_help = "Also: migrate:mark"
    )]
    Mark(MarkArgs),
    /// Decide about a statement that was cut off and whose effect cannot be seen; alone it shows what is known
    #[command(
        before_help = "Examples:\n  tenantry migrate resolve acme 20260301090100\n  tenantry migrate resolve acme 20260301090100 --statement 3 --applied --evidence 1f0a2b3c4d5e --reason \"the rows are there\"",
        after_help = "Also: migrate:resolve"
    )]
    Resolve(ResolveArgs),
    /// Finish what a run did not: failed targets and those that did not run
    #[command(
        before_help = "Examples:\n  tenantry migrate resume\n  tenantry migrate resume run_7f3a --only globex",
        after_help = "Also: migrate:resume"
    )]
    Resume {
        /// The run; the newest unfinished one if left out
        run: Option<String>,
        /// Which targets.
        #[command(flatten)]
        selection: Selection,
        /// How.
        #[command(flatten)]
        limits: Limits,
    },
}

/// How a run forwards goes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Ahead {
    /// Limits and clocks.
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// Up to this version; the newest if left out
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: Option<Version>,
}

/// `migrate all-tenants`, `products` and `all`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Many {
    /// Carry out exactly this plan, or nothing; it says which targets
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["to", "only", "tenants", "except", "jurisdiction", "server", "product"]
    )]
    pub(crate) plan: Option<PathBuf>,
    /// Which targets.
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// How.
    #[command(flatten)]
    pub(crate) ahead: Ahead,
}

/// `migrate make`.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Make {
    /// What it does, in a few words: `add_invoices`
    pub(crate) name: String,
    /// For every tenant's database; this is the default
    #[arg(long, conflicts_with_all = ["central", "product"])]
    pub(crate) tenant: bool,
    /// For the central database
    #[arg(long, conflicts_with = "product")]
    pub(crate) central: bool,
    /// For the databases of a product
    #[arg(long, value_name = "TYPE")]
    pub(crate) product: Option<ProductType>,
    /// Also make the way back; by default as the newest file of the folder has it
    #[arg(long, conflicts_with = "no_down")]
    pub(crate) down: bool,
    /// Make no way back
    #[arg(long)]
    pub(crate) no_down: bool,
}

/// Where something is done to histories: never the whole fleet unless it is asked for by name.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Whom {
    /// One tenant: slug, id or external id
    #[arg(conflicts_with_all = ["all_tenants", "central", "only", "tenants", "except"])]
    pub(crate) tenant: Option<String>,
    /// Every tenant's database
    #[arg(long, alias = "all", conflicts_with = "central")]
    pub(crate) all_tenants: bool,
    /// The central database
    #[arg(long, conflicts_with_all = ["only", "tenants", "except", "jurisdiction", "server", "product"])]
    pub(crate) central: bool,
    /// Which targets; `--product` alone chooses that product's databases.
    #[command(flatten)]
    pub(crate) selection: Selection,
}

/// `migrate rollback`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Back {
    /// Where.
    #[command(flatten)]
    pub(crate) whom: Whom,
    /// Revert the newest N migrations
    #[arg(long, value_name = "N", value_parser = super::values::number, conflicts_with_all = ["to", "run"])]
    pub(crate) step: Option<usize>,
    /// Revert everything newer than this version
    #[arg(long, value_name = "VERSION", conflicts_with = "run")]
    pub(crate) to: Option<Version>,
    /// Revert what this run applied
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// The text to be typed: a tenant's slug, or "25 tenants" as the command asks for it
    #[arg(long, value_name = "TEXT")]
    pub(crate) confirm: Option<String>,
    /// How.
    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// `migrate mark`.
#[derive(Clone, Debug, Args)]
#[command(group(clap::ArgGroup::new("says").required(true).args(["applied", "rolled_back", "accept_edit", "forget"])))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct MarkArgs {
    /// The migration
    pub(crate) version: Version,
    /// It is in place, though no run of ours did it
    #[arg(long)]
    pub(crate) applied: bool,
    /// Nothing of it is in place any more; the next run carries it out again
    #[arg(long)]
    pub(crate) rolled_back: bool,
    /// Its file was edited, and what was applied counts as what the file says now
    #[arg(long)]
    pub(crate) accept_edit: bool,
    /// Its file is gone for good
    #[arg(long)]
    pub(crate) forget: bool,
    /// With --applied: older ones that are not recorded are in place too
    #[arg(long, requires = "applied")]
    pub(crate) and_older: bool,
    /// Why; it is kept in the registry
    #[arg(long, value_name = "TEXT", value_parser = super::values::reason)]
    pub(crate) reason: String,
    /// Where.
    #[command(flatten)]
    pub(crate) whom: Whom,
    /// How many at once.
    #[command(flatten)]
    pub(crate) at_once: AtOnce,
}

/// `migrate resolve`.
#[derive(Clone, Debug, Args)]
#[command(allow_missing_positional = true)]
pub(crate) struct ResolveArgs {
    /// Where.
    #[command(flatten)]
    pub(crate) whom: Whom,
    /// The migration that is half-way
    #[arg(required = true, help_heading = "Arguments")]
    pub(crate) version: Version,
    /// The statement that was cut off, from 1
    #[arg(long, value_name = "N", value_parser = super::values::number, requires = "evidence")]
    pub(crate) statement: Option<usize>,
    /// It took effect
    #[arg(long, conflicts_with = "not_applied", requires_all = ["statement", "reason"])]
    pub(crate) applied: bool,
    /// It did not; the next run carries it out
    #[arg(long, requires_all = ["statement", "reason"])]
    pub(crate) not_applied: bool,
    /// What was known when it was decided, as this command shows it without --applied or --not-applied
    #[arg(long, value_name = "HASH", requires = "statement")]
    pub(crate) evidence: Option<String>,
    /// Why; it is kept in the registry
    #[arg(long, value_name = "TEXT", value_parser = super::values::reason)]
    pub(crate) reason: Option<String>,
    /// How many at once.
    #[command(flatten)]
    pub(crate) at_once: AtOnce,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser as _;

    fn migrate(words: &str) -> MigrateCommand {
        let words = format!("tenantry migrate {words}");
        let read = Cli::try_parse_from(words.split(' ')).unwrap_or_else(|error| panic!("{error}"));
        let Command::Migrate(command) = read.command else {
            panic!("{:?}", read.command);
        };
        command
    }

    #[test]
    fn a_statement_and_a_count_of_steps_have_no_upper_end() {
        let resolve = "resolve acme 2 --statement 1101 --applied --evidence 0f --reason x";
        let MigrateCommand::Resolve(resolve) = migrate(resolve) else {
            panic!("{resolve}");
        };
        assert_eq!(resolve.statement, Some(1101));
        let MigrateCommand::Rollback(back) = migrate("rollback acme --step 2000") else {
            panic!("no rollback");
        };
        assert_eq!(back.step, Some(2000));
        for nothing in [
            "rollback acme --step 0",
            "resolve acme 2 --statement 0 --evidence 0f",
        ] {
            let words = format!("tenantry migrate {nothing}");
            assert!(Cli::try_parse_from(words.split(' ')).is_err(), "{nothing}");
        }
    }
}
