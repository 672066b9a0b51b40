//! `audit …`: who changed what, from where and why.

use clap::Subcommand;
use tenantry::registry::{Action, AuditHead};

/// `audit …`.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List the newest changes
    #[command(
        before_help = "Examples:\n  tenantry audit list\n  tenantry audit list acme\n  tenantry audit list --action tenant.delete --actor ann"
    )]
    List {
        /// About this: a tenant with its databases, a server, a run
        about: Option<String>,
        /// Only this kind of change, such as tenant.create
        #[arg(long, value_name = "WORD", value_parser = action)]
        action: Option<Action>,
        /// Only changes by this actor
        #[arg(long, value_name = "NAME")]
        actor: Option<String>,
        /// Only rows before this number, to go on with a list
        #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(i64).range(1..))]
        before: Option<i64>,
        /// How many
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
    },
    /// Look whether a row was changed, moved or taken out
    #[command(
        before_help = "Examples:\n  tenantry audit verify\n  tenantry audit verify --head 0:0000000000000000000000000000000000000000000000000000000000000000"
    )]
    Verify {
        /// The head that an earlier verify or export printed, kept where nobody who can write to the registry can
        #[arg(long, value_name = "SEQ:HASH", value_parser = head)]
        head: Option<AuditHead>,
    },
    /// Print every row, oldest first, one JSON object a line
    #[command(before_help = "Examples:\n  tenantry audit export > audit.ndjson")]
    Export,
}

fn action(word: &str) -> Result<Action, String> {
    Action::from_word(word).ok_or_else(|| {
        let words: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
        format!("no change has that name; there are {}", words.join(", "))
    })
}

fn head(text: &str) -> Result<AuditHead, String> {
    let wanted = || "a head is the number of a row, a colon and 64 hexadecimal digits".to_owned();
    let (seq, hash) = text.split_once(':').ok_or_else(wanted)?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    match seq.parse::<i64>() {
        Ok(seq) if seq >= 0 && is_hash => Ok(AuditHead {
            seq,
            hash: hash.to_ascii_lowercase(),
        }),
        Ok(_) | Err(_) => Err(wanted()),
    }
}
