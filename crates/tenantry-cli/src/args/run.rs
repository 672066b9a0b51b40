//! `run …`: the runs that the registry has.

use clap::{Args, Subcommand};

/// `run …`.
#[derive(Debug, Subcommand)]
pub(crate) enum RunCommand {
    /// List the newest runs
    #[command(
        before_help = "Examples:\n  tenantry run list\n  tenantry run list --limit 100 --json\n  tenantry run list --all"
    )]
    List {
        /// Also the runs in which new databases got their migrations
        #[arg(long)]
        all: bool,
        /// How many
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
    },
    /// Show a run: what it did, what failed and why, what is left
    #[command(
        before_help = "Examples:\n  tenantry run show run_7f3a\n  tenantry run show 7f3a --failed\n  tenantry run show"
    )]
    Show {
        /// The run, or the beginning of its id; the newest if left out
        run: Option<String>,
        /// Only the targets that failed, each with its error
        #[arg(long, conflicts_with = "all")]
        failed: bool,
        /// Every target
        #[arg(long)]
        all: bool,
    },
    /// Follow a run that another process drives, and end as it ends
    #[command(before_help = "Examples:\n  tenantry run watch\n  tenantry run watch run_7f3a --ndjson")]
    Watch {
        /// The run, or the beginning of its id; the newest if left out
        run: Option<String>,
    },
    /// Let what runs finish, and wait; `run resume` goes on
    #[command(before_help = "Examples:\n  tenantry run pause run_7f3a")]
    Pause {
        /// The run, or the beginning of its id
        run: String,
    },
    /// Go on with a run that is paused or left something over; the same as `migrate resume`
    #[command(before_help = "Examples:\n  tenantry run resume run_7f3a")]
    Resume(Box<Resume>),
    /// Let what runs finish, and end the run; what has not begun is not run
    #[command(
        before_help = "Examples:\n  tenantry run cancel run_7f3a\n  tenantry run cancel run_7f3a --now"
    )]
    Cancel {
        /// The run, or the beginning of its id
        run: String,
        /// Cancel the running statements as well
        #[arg(long)]
        now: bool,
    },
    /// Let a run go on that waits between two waves
    #[command(before_help = "Examples:\n  tenantry run promote run_7f3a")]
    Promote(Box<Promote>),
}

/// `run resume`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Resume {
    /// The run, or the beginning of its id; the newest that left something over if left out
    pub(crate) run: Option<String>,
    /// How.
    #[command(flatten)]
    pub(crate) limits: super::Limits,
}

/// `run promote`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Promote {
    /// The run, or the beginning of its id
    pub(crate) run: String,
    /// How.
    #[command(flatten)]
    pub(crate) limits: super::Limits,
}
