//! Flags that choose targets, and flags that limit a run over them.

use std::time::Duration;

use clap::{Args, ValueEnum};
use tenantry::run::Budget;
use tenantry::{Jurisdiction, ProductType, ServerName};

use super::values::{self, SameError};

/// Which targets; several flags narrow the choice together.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which targets")]
pub(crate) struct Selection {
    /// Only these tenants: slugs or patterns such as `acme-*`
    #[arg(long, value_name = "SLUG", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// The same as --only, as other tools call it
    #[arg(long, value_name = "SLUG", value_delimiter = ',', hide = true)]
    tenants: Vec<String>,
    /// Not these tenants
    #[arg(long, value_name = "SLUG", value_delimiter = ',')]
    pub(crate) except: Vec<String>,
    /// Only tenants of these jurisdictions
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) jurisdiction: Vec<Jurisdiction>,
    /// Only databases on these servers
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) server: Vec<ServerName>,
    /// Only databases of these products
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    pub(crate) product: Vec<ProductType>,
}

impl Selection {
    /// Returns the tenants asked for by `--only` and its synonym `--tenants`.
    pub(crate) fn chosen(&self) -> impl Iterator<Item = &str> {
        self.only.iter().chain(&self.tenants).map(String::as_str)
    }

    /// Returns the same choice as flags, each with a space before it.
    pub(crate) fn flags(&self) -> String {
        fn list(words: impl Iterator<Item = impl ToString>) -> String {
            words.map(|word| word.to_string()).collect::<Vec<_>>().join(",")
        }
        let quoted = |list: String| {
            let plain = list
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_,.".contains(c));
            if plain { list } else { format!("'{list}'") }
        };
        [
            ("--only", list(self.chosen())),
            ("--except", list(self.except.iter())),
            ("--jurisdiction", list(self.jurisdiction.iter())),
            ("--server", list(self.server.iter())),
            ("--product", list(self.product.iter())),
        ]
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .flat_map(|(flag, list)| [" ".to_owned(), flag.to_owned(), " ".to_owned(), quoted(list)])
        .collect()
    }

    /// Returns whether nothing narrows the choice.
    pub(crate) fn is_everything(&self) -> bool {
        self.chosen().next().is_none()
            && self.except.is_empty()
            && self.jurisdiction.is_empty()
            && self.server.is_empty()
            && self.product.is_empty()
    }
}

/// Which CI system is told what failed, in the way that it shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Annotations {
    /// GitHub, in a job of its.
    #[default]
    Auto,
    /// GitHub: a workflow command for each kind of failure, and a summary of the job.
    Github,
    /// None.
    None,
}

/// How a run goes about it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "How to run")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Limits {
    /// How many targets at once in all; if left out, 5 for each server and at most 64
    #[arg(short = 'j', long, value_name = "N", value_parser = values::parallel)]
    pub(crate) concurrency: Option<usize>,
    /// How many targets of one server at once; a server's own limit always holds
    #[arg(long, value_name = "N", value_parser = values::parallel)]
    pub(crate) per_server: Option<usize>,
    /// Show what would run, and run nothing
    #[arg(long, alias = "pretend")]
    pub(crate) dry_run: bool,
    /// Ask every database what is pending, also where its server could tell
    #[arg(long)]
    pub(crate) live: bool,
    /// How many targets go first, alone; 0 for none; if left out, one of each engine where there are more than 20
    #[arg(long, value_name = "N")]
    pub(crate) canary: Option<usize>,
    /// How many failures the run bears: 18, 2% or all; if left out, 1% and at least 5
    #[arg(long, value_name = "N", value_parser = values::budget)]
    pub(crate) max_failures: Option<Budget>,
    /// Stop if the first N that finish all fail alike; `off` does not; 3 if left out
    #[arg(long, value_name = "N", value_parser = values::same_error)]
    pub(crate) same_error: Option<SameError>,
    /// Wait until other runs over these targets have ended
    #[arg(long)]
    pub(crate) wait: bool,
    /// Why; it is kept with the run
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// How long a statement may wait for a lock, from 1ms to 1h: 500ms, 3s, 2m
    #[arg(long, value_name = "TIME", value_parser = values::lock_timeout)]
    pub(crate) lock_timeout: Option<Duration>,
    /// It is no error if nothing is selected
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Tell a CI system what failed, in the way that it shows
    #[arg(long, value_enum, value_name = "WHOM", default_value_t)]
    pub(crate) annotations: Annotations,
}

/// How many targets are worked on at once.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "How to run")]
pub(crate) struct AtOnce {
    /// How many targets at once in all; if left out, 5 for each server and at most 64
    #[arg(short = 'j', long, value_name = "N", value_parser = values::parallel)]
    concurrency: Option<usize>,
    /// How many targets of one server at once; a server's own limit always holds
    #[arg(long, value_name = "N", value_parser = values::parallel)]
    per_server: Option<usize>,
    /// It is no error if nothing is selected
    #[arg(long)]
    allow_empty: bool,
}

impl AtOnce {
    /// Returns the same as the limits of a run.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            concurrency: self.concurrency,
            per_server: self.per_server,
            allow_empty: self.allow_empty,
            ..Limits::default()
        }
    }
}
